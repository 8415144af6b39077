//! Stand-ins for the AWS services, in process: DynamoDB, SQS FIFO queues, Secrets Manager.
//!
//! Each listens on a loopback port of its own and is spoken to by the real AWS SDKs, so that the connector's code runs unchanged.
//! Nothing needs an account, and nothing checks signatures. What a caller may do is asked only where [`authorization`] stands in
//! front.

pub mod authorization;
pub mod fifo;
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

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use connector::port::{Clock, SystemClock};
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use uuid::Uuid;

use fifo::FifoError;
use queue_service::{QueueHandle, QueueService};
use queues::{QueueSettings, Queues, Redrive};
use sqs::SqsEndpoint;

/// The region that everything pretends to be in.
pub const REGION: &str = "us-east-1";
/// The account id in every ARN and queue URL.
pub const ACCOUNT: &str = "000000000000";
/// The queue of what comes from channels.
pub const TO_LIVEENGAGE: &str = "to-liveengage.fifo";
/// Where messages of [`TO_LIVEENGAGE`] go that were received too often.
pub const TO_LIVEENGAGE_DEAD_LETTERS: &str = "to-liveengage-dead-letters.fifo";
/// The queue of what comes from LiveEngage.
pub const TO_CHANNEL: &str = "to-channel.fifo";
/// Where messages of [`TO_CHANNEL`] go that were received too often.
pub const TO_CHANNEL_DEAD_LETTERS: &str = "to-channel-dead-letters.fifo";

/// What to start. The defaults are those of the stack's template, on free ports.
#[derive(Clone)]
pub struct AwsStandInOptions {
    /// The name of the connector's table.
    pub table_name: String,
    /// How long a received message stays in flight, in every queue; 180 seconds unless said otherwise.
    pub visibility_timeout: Duration,
    /// How often a message is received before it moves to its dead-letter queue, 1 to 1000; 200 unless said otherwise.
    pub max_receive_count: u32,
    /// DynamoDB's port; 0 for a free one.
    pub dynamodb_port: u16,
    /// SQS's port; 0 for a free one.
    pub sqs_port: u16,
    /// Secrets Manager's port; 0 for a free one.
    pub secrets_port: u16,
    /// By how much the waits are shortened that a function asks of SQS (`ChangeMessageVisibility`); 1 leaves them as they are.
    pub shorten_waits_by: NonZeroU16,
    /// The time the queues live by. DynamoDB and Secrets Manager always go by the machine's.
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

impl fmt::Debug for AwsStandInOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsStandInOptions")
            .field("table_name", &self.table_name)
            .field("visibility_timeout", &self.visibility_timeout)
            .field("max_receive_count", &self.max_receive_count)
            .field("dynamodb_port", &self.dynamodb_port)
            .field("sqs_port", &self.sqs_port)
            .field("secrets_port", &self.secrets_port)
            .field("shorten_waits_by", &self.shorten_waits_by)
            .finish_non_exhaustive()
    }
}

/// Why the stand-ins did not start or did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum AwsStandInError {
    /// A port could not be opened.
    #[error("the {service} stand-in cannot listen on 127.0.0.1:{port}: {source}")]
    Port {
        /// The service the port was for.
        service: &'static str,
        /// The port asked for.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// The database in memory did not open.
    #[error("the DynamoDB stand-in cannot open its database: {0}")]
    Database(String),
    /// The table was not created.
    #[error("the table {name} cannot be created: {reason}")]
    Table {
        /// The table's name.
        name: String,
        /// What DynamoDB says.
        reason: String,
    },
    /// A queue was not created.
    #[error("the queue {name} cannot be created: {source}")]
    Queue {
        /// The queue's name.
        name: &'static str,
        /// What SQS says.
        source: FifoError,
    },
    /// A secret was not stored.
    #[error("the secret {name} cannot be stored: {reason}")]
    Secret {
        /// The secret's name.
        name: String,
        /// What is wrong, without the value.
        reason: String,
    },
}

/// Where the stand-ins listen.
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
    /// dynoxide keeps a task per connection that an abort would not reach: it ends them itself when this is dropped.
    _stop_dynamodb: oneshot::Sender<()>,
}

impl AwsStandIns {
    /// Starts the three services with the connector's table and its four queues.
    ///
    /// # Errors
    /// [`AwsStandInError`] if a port is taken, or an option is one that AWS would not take.
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

        let stand_ins = Self {
            sdk_config: sdk_config(&endpoints, "lab"),
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

    /// Where the three services listen.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// A configuration with which every client of the three services, made by `Client::new`, speaks to these stand-ins.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.sdk_config
    }

    /// The same for a caller, whose name is the access key id, and for other addresses: those of something that stands in front of
    /// the stand-ins.
    pub fn sdk_config_for(&self, caller: &str, endpoints: &Endpoints) -> SdkConfig {
        sdk_config(endpoints, caller)
    }

    /// The name of the connector's table.
    pub fn table_name(&self) -> &str {
        &self.table_name
    }

    /// The URL of a queue, as a function's environment names it.
    pub fn queue_url(&self, name: &str) -> String {
        self.sqs.queue_url(name)
    }

    /// The queues themselves, for the event source mapping and for looking into them.
    pub fn queues(&self) -> &QueueService {
        &self.queues
    }

    /// One of the queues; `None` if there is none of this name.
    pub fn queue(&self, name: &str) -> Option<QueueHandle> {
        self.queues.queue(name)
    }

    /// Creates a secret whose value is a JSON text.
    ///
    /// # Errors
    /// [`AwsStandInError::Secret`] if the value is not JSON, or the name is taken or none that AWS takes.
    pub async fn put_secret(&self, name: &str, json: &str) -> Result<(), AwsStandInError> {
        secrets::put(&aws_sdk_secretsmanager::Client::new(&self.sdk_config), name, json).await
    }

    /// Gives a secret a new value: AWSCURRENT is the new one then, AWSPREVIOUS the one before.
    ///
    /// # Errors
    /// [`AwsStandInError::Secret`] if the value is not JSON or there is no such secret.
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

fn sdk_config(endpoints: &Endpoints, caller: &str) -> SdkConfig {
    // The SDK signs whatever it sends, so it needs a key, though nobody here verifies the signature.
    let credentials = Credentials::new(caller, "not-a-secret", None, None, "lab");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .service_config(endpoints.clone())
        .build()
}
