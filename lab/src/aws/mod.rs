//! In-process stand-ins for the AWS services: DynamoDB, SQS FIFO queues, Secrets Manager.
//!
//! Each listens on its own loopback port and is called by the real AWS SDKs, so that the connector's code runs
//! unchanged. No account is needed and no signature is checked. Permissions are checked only if [`authorization`] runs
//! in front.

pub mod authorization;
pub(crate) mod listener;
pub mod queue_service;
pub mod queues;
mod secrets;
pub mod sqs;
pub mod table;
#[cfg(test)]
pub(crate) mod test_clock;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use connector::port::Clock;
use connector_aws::SystemClock;
use connector_testing::fifo::FifoError;
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use uuid::Uuid;

use queue_service::{QueueHandle, QueueService};
use queues::{QueueSettings, Queues, Redrive};
use sqs::SqsEndpoint;

/// The region of all stand-ins.
pub const REGION: &str = "us-east-1";
/// The account id in every ARN and queue URL.
pub const ACCOUNT: &str = "000000000000";
/// The queue for messages from channels.
pub const TO_LIVEENGAGE: &str = "to-liveengage.fifo";
/// The dead-letter queue of [`TO_LIVEENGAGE`].
pub const TO_LIVEENGAGE_DEAD_LETTERS: &str = "to-liveengage-dead-letters.fifo";
/// The queue for messages from LiveEngage.
pub const TO_CHANNEL: &str = "to-channel.fifo";
/// The dead-letter queue of [`TO_CHANNEL`].
pub const TO_CHANNEL_DEAD_LETTERS: &str = "to-channel-dead-letters.fifo";

/// The options of the stand-ins. The defaults are those of the stack's template, on free ports.
#[derive(Clone, derive_more::Debug)]
pub struct AwsStandInOptions {
    /// The name of the connector's table.
    pub table_name: String,
    /// The visibility timeout of every queue; 180 seconds by default.
    pub visibility_timeout: Duration,
    /// How often a message is received before it moves to its dead-letter queue, 1 to 1000; 200 by default.
    pub max_receive_count: u32,
    /// DynamoDB's port; 0 for a free port.
    pub dynamodb_port: u16,
    /// SQS's port; 0 for a free port.
    pub sqs_port: u16,
    /// Secrets Manager's port; 0 for a free port.
    pub secrets_port: u16,
    /// The factor by which delays that a function requests from SQS (`ChangeMessageVisibility`) are shortened; 1 leaves
    /// them unchanged.
    pub shorten_waits_by: NonZeroU16,
    /// The clock of the queues. DynamoDB and Secrets Manager always use the system clock.
    #[debug(skip)]
    pub clock: Arc<dyn Clock>,
}

impl Default for AwsStandInOptions {
    fn default() -> Self {
        Self {
            table_name: "connector".to_owned(),
            visibility_timeout: Duration::from_secs(180),
            max_receive_count: 200,
            dynamodb_port: 0,
            sqs_port: 0,
            secrets_port: 0,
            shorten_waits_by: NonZeroU16::MIN,
            clock: Arc::new(SystemClock),
        }
    }
}

/// Why a stand-in failed to start, or why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum AwsStandInError {
    /// A port could not be opened.
    #[error("the {service} stand-in cannot listen on 127.0.0.1:{port}: {source}")]
    Port {
        /// The service of the port.
        service: &'static str,
        /// The requested port.
        port: u16,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The in-memory database could not be opened.
    #[error("the DynamoDB stand-in cannot open its database: {0}")]
    Database(String),
    /// The table could not be created.
    #[error("the table {name} cannot be created: {reason}")]
    Table {
        /// The table's name.
        name: String,
        /// The error of DynamoDB.
        reason: String,
    },
    /// A queue could not be created.
    #[error("the queue {name} cannot be created: {source}")]
    Queue {
        /// The queue's name.
        name: &'static str,
        /// The error of SQS.
        source: FifoError,
    },
    /// The HTTP client of the SDK clients could not be created.
    #[error(transparent)]
    HttpClient(#[from] connector_aws::outgoing_http::ClientError),
    /// A secret could not be stored.
    #[error("the secret {name} cannot be stored: {reason}")]
    Secret {
        /// The secret's name.
        name: String,
        /// The reason, without the value.
        reason: String,
    },
}

/// The addresses of the stand-ins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// DynamoDB's URL, `http://127.0.0.1:port`.
    pub dynamodb: String,
    /// SQS's URL.
    pub sqs: String,
    /// Secrets Manager's URL.
    pub secrets: String,
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        if key.env() != "AWS_ENDPOINT_URL" {
            return None;
        }
        match key.service_id() {
            "DynamoDB" => Some(self.dynamodb.clone()),
            "SQS" => Some(self.sqs.clone()),
            "Secrets Manager" => Some(self.secrets.clone()),
            _ => None,
        }
    }
}

/// The running stand-ins. Dropping them closes their ports and ends their tasks.
#[derive(Debug)]
pub struct AwsStandIns {
    endpoints: Endpoints,
    table_name: String,
    queues: QueueService,
    sqs: SqsEndpoint,
    sdk_config: SdkConfig,
    /// Aborted on drop.
    _servers: JoinSet<()>,
    /// dynoxide keeps a task per connection that an abort would not end. It ends them itself when this is dropped.
    _stop_dynamodb: oneshot::Sender<()>,
}

impl AwsStandIns {
    /// Starts the three services with the connector's table and its four queues.
    ///
    /// # Errors
    /// [`AwsStandInError`] if a port is in use, or if AWS would refuse an option.
    pub async fn start(options: AwsStandInOptions) -> Result<Self, AwsStandInError> {
        let (dynamodb_listener, dynamodb) = open("DynamoDB", options.dynamodb_port).await?;
        let (sqs_listener, sqs) = open("SQS", options.sqs_port).await?;
        let (secrets_listener, secrets) = open("Secrets Manager", options.secrets_port).await?;
        let endpoints = Endpoints { dynamodb: url(dynamodb), sqs: url(sqs), secrets: url(secrets) };

        let queues = QueueService::new(Queues::new(REGION, ACCOUNT, Uuid::new_v4()), options.clock);
        create_queues(&queues, options.visibility_timeout, options.max_receive_count)?;
        let sqs = SqsEndpoint::new(queues.clone(), &endpoints.sqs).shorten_waits_by(options.shorten_waits_by);
        let database = dynoxide::Database::memory().map_err(|error| AwsStandInError::Database(error.to_string()))?;

        let mut servers = JoinSet::new();
        let config =
            SqsHttpConfig { skip_signature_validation: true, region: REGION.to_owned(), credential_provider: None };
        servers.spawn(listener::serve(sqs_listener, SqsHttpService::new(Arc::new(sqs.clone()), config)));
        servers.spawn(secrets::serve(secrets_listener));
        let (stop_dynamodb, stopped) = oneshot::channel();
        tokio::spawn(table::serve(dynamodb_listener, database, stopped));

        // The SDK signs every request and needs a key, although no signature is verified here.
        let sdk_config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(connector_aws::sdk_http_client()?)
            .retry_config(connector_aws::sdk_retries())
            .region(Region::from_static(REGION))
            .credentials_provider(credentials("lab"))
            .service_config(endpoints.clone())
            .build();
        let stand_ins = Self {
            sdk_config,
            endpoints,
            table_name: options.table_name,
            queues,
            sqs,
            _servers: servers,
            _stop_dynamodb: stop_dynamodb,
        };
        let client = aws_sdk_dynamodb::Client::new(&stand_ins.sdk_config);
        table::create_table(&client, &stand_ins.table_name).await?;
        Ok(stand_ins)
    }

    /// The addresses of the three services.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// A configuration for SDK clients that call these stand-ins.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.sdk_config
    }

    /// The same for a caller, whose name is the access key id, and for other addresses, such as those of a guard or a
    /// proxy.
    pub fn sdk_config_for(&self, caller: &str, endpoints: &Endpoints) -> SdkConfig {
        let config = self.sdk_config.to_builder().credentials_provider(credentials(caller));
        config.service_config(endpoints.clone()).build()
    }

    /// The name of the connector's table.
    pub fn table_name(&self) -> &str {
        &self.table_name
    }

    /// The URL of a queue, as a function's environment names it.
    pub fn queue_url(&self, name: &str) -> String {
        self.sqs.queue_url(name)
    }

    /// The queues, for the event source mapping and for tests.
    pub fn queues(&self) -> &QueueService {
        &self.queues
    }

    /// A queue; `None` if no queue has this name.
    pub fn queue(&self, name: &str) -> Option<QueueHandle> {
        self.queues.queue(name)
    }

    /// Creates a secret whose value is a JSON text.
    ///
    /// # Errors
    /// [`AwsStandInError::Secret`] if the value is not JSON, or if the name is in use or invalid.
    pub async fn put_secret(&self, name: &str, json: &str) -> Result<(), AwsStandInError> {
        secrets::put(&aws_sdk_secretsmanager::Client::new(&self.sdk_config), name, json).await
    }

    /// Stores a new value of a secret. It becomes AWSCURRENT, and the previous value becomes AWSPREVIOUS.
    ///
    /// # Errors
    /// [`AwsStandInError::Secret`] if the value is not JSON or the secret doesn't exist.
    pub async fn rotate_secret(&self, name: &str, json: &str) -> Result<(), AwsStandInError> {
        secrets::rotate(&aws_sdk_secretsmanager::Client::new(&self.sdk_config), name, json).await
    }
}

async fn open(service: &'static str, port: u16) -> Result<(TcpListener, SocketAddr), AwsStandInError> {
    let failed = |source| AwsStandInError::Port { service, port, source };
    let listener = listener::bind(port).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn create_queues(
    queues: &QueueService,
    visibility_timeout: Duration,
    max_receive_count: u32,
) -> Result<(), AwsStandInError> {
    for (name, dead_letters) in [(TO_LIVEENGAGE, TO_LIVEENGAGE_DEAD_LETTERS), (TO_CHANNEL, TO_CHANNEL_DEAD_LETTERS)] {
        let redrive = Redrive { dead_letter_queue: dead_letters.to_owned(), max_receive_count };
        for (name, redrive) in [(dead_letters, None), (name, Some(redrive))] {
            queues
                .create(name, QueueSettings { visibility_timeout, redrive })
                .map_err(|source| AwsStandInError::Queue { name, source })?;
        }
    }
    Ok(())
}

fn credentials(caller: &str) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(caller, "not-a-secret", None, None, "lab"))
}
