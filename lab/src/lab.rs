//! The lab as a whole: one account, one SMS line, both simulators, the stand-ins and the functions between them.

use std::time::Duration;

use connector::lambda::config;
use futures::stream;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio_stream::{StreamExt, wrappers::BroadcastStream};
use url::Url;
use uuid::Uuid;

use crate::{
    aws::{AwsStandInError, AwsStandInOptions, AwsStandIns, TO_CHANNEL, TO_LIVEENGAGE},
    functions::{Functions, FunctionsError},
    journal::Journal,
    liveengage::{self, AccountOptions, LiveEngageOptions, LiveEngageSimulator, WebhookSettings},
    page::{Link, Page, PageOptions},
    sms_gateway::{self, SmsGateway, SmsGatewayOptions},
};

/// The lab's LiveEngage account.
pub const ACCOUNT: &str = "47110815";
/// The lab's line.
pub const LINE: &str = "sms-lab";
/// The lab's number, which the phones write to.
pub const NUMBER: &str = "+4930555010";
/// The template's visibility timeout of the queues: six times the workers' timeout, as AWS asks for.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(360);
/// The table's name.
const TABLE: &str = "connector-lab";

/// How the lab is started. Every port is one on 127.0.0.1, 0 for a free one.
#[derive(Debug, Clone, Default)]
pub struct LabOptions {
    /// The page.
    pub page_port: u16,
    /// The API that LiveEngage and the gateway post to.
    pub api_port: u16,
    /// The LiveEngage simulator.
    pub liveengage_port: u16,
    /// The SMS gateway simulator.
    pub sms_gateway_port: u16,
    /// DynamoDB.
    pub dynamodb_port: u16,
    /// SQS.
    pub sqs_port: u16,
    /// Secrets Manager.
    pub secrets_port: u16,
    /// Whether LiveEngage's webhooks are tried before its answers go out.
    pub webhooks_before_response: bool,
}

/// Why the lab doesn't start.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A stand-in.
    #[error(transparent)]
    Aws(#[from] AwsStandInError),
    /// The LiveEngage simulator.
    #[error(transparent)]
    LiveEngage(#[from] liveengage::StartError),
    /// The SMS gateway simulator.
    #[error(transparent)]
    SmsGateway(#[from] sms_gateway::StartError),
    /// The functions.
    #[error(transparent)]
    Functions(#[from] FunctionsError),
    /// The page.
    #[error("the page can't listen on 127.0.0.1:{port}: {cause}")]
    Page {
        /// The port.
        port: u16,
        /// What the operating system says.
        cause: std::io::Error,
    },
    /// An address can't be read.
    #[error(transparent)]
    Url(#[from] url::ParseError),
}

/// A running lab. Everything stops when it is dropped.
#[derive(Debug)]
pub struct Lab {
    // Dropped in this order: first what takes requests, last what they need.
    page: Page,
    functions: Functions,
    gateway: SmsGateway,
    liveengage: LiveEngageSimulator,
    aws: AwsStandIns,
    journal: Journal,
}

impl Lab {
    /// Starts everything. The secrets are new ones at every start.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        let journal = Journal::default();
        let secret = || SecretString::from(Uuid::new_v4().to_string());
        let (client_id, client_secret) = (Uuid::new_v4().to_string(), secret());
        let (api_token, webhook_secret) = (secret(), secret());

        let liveengage = LiveEngageSimulator::start(LiveEngageOptions {
            accounts: vec![AccountOptions::new(ACCOUNT, &client_id, client_secret.expose_secret())],
            port: options.liveengage_port,
            journal: journal.clone(),
            webhooks_before_response: options.webhooks_before_response,
            ..LiveEngageOptions::default()
        })
        .await?;
        let gateway = SmsGateway::start(SmsGatewayOptions {
            port: options.sms_gateway_port,
            number: NUMBER.to_owned(),
            api_token: api_token.clone(),
            webhook_secret: webhook_secret.clone(),
            retry_delay: Duration::from_secs(5),
            journal: journal.clone(),
        })
        .await?;
        let aws = AwsStandIns::start(AwsStandInOptions {
            table_name: TABLE.to_owned(),
            dynamodb_port: options.dynamodb_port,
            sqs_port: options.sqs_port,
            secrets_port: options.secrets_port,
            visibility_timeout: VISIBILITY_TIMEOUT,
            ..AwsStandInOptions::default()
        })
        .await?;
        let account = json!({
            "account_id": ACCOUNT, "client_id": client_id, "client_secret": client_secret.expose_secret(),
            "domain_api": liveengage.base_url(),
        });
        aws.put_secret(&format!("connector/account/{ACCOUNT}"), &account.to_string()).await?;
        let line = json!({
            "line_id": LINE, "account_id": ACCOUNT, "channel": "sms",
            "consumer_id_key": format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
            "sms": {
                "from": NUMBER, "send_url": format!("{}/v1/messages", gateway.url()),
                "bearer_token": api_token.expose_secret(), "webhook_secret": webhook_secret.expose_secret(),
            },
        });
        aws.put_secret(&format!("connector/line/{LINE}"), &line.to_string()).await?;

        let queues = (aws.queue_url(TO_LIVEENGAGE), aws.queue_url(TO_CHANNEL));
        let environment = move |variable: &str| match variable {
            config::ACCOUNTS => Some(ACCOUNT.to_owned()),
            config::LINES => Some(LINE.to_owned()),
            config::SECRET_PREFIX => Some("connector".to_owned()),
            config::TABLE => Some(TABLE.to_owned()),
            config::TO_LIVEENGAGE_QUEUE_URL => Some(queues.0.clone()),
            config::TO_CHANNEL_QUEUE_URL => Some(queues.1.clone()),
            _ => None,
        };
        let functions = Functions::start(&aws, &environment, options.api_port, &journal).await?;
        let api = functions.api_url();
        let webhook: Url = format!("{api}/webhooks/liveengage").parse()?;
        liveengage.set_webhooks(ACCOUNT, WebhookSettings::to(&webhook));
        gateway.set_webhook_url(format!("{api}/channels/{LINE}").parse()?);

        let link = |name: &str, url: &str| Link { name: name.to_owned(), url: url.to_owned() };
        let links = vec![
            link("LiveEngage webhook", webhook.as_str()),
            link("Channel webhook", &format!("{api}/channels/{LINE}")),
            link("LiveEngage simulator", liveengage.base_url()),
            link("SMS gateway simulator", &gateway.url()),
            link("DynamoDB", &aws.endpoints().dynamodb),
            link("SQS", &aws.endpoints().sqs),
            link("Secrets Manager", &aws.endpoints().secrets),
        ];
        let desk_changes = BroadcastStream::new(liveengage.subscribe()).map(|_| ());
        let page = Page::start(
            PageOptions {
                port: options.page_port,
                journal: journal.clone(),
                phones: std::sync::Arc::new(gateway.clone()),
                desk: std::sync::Arc::new(liveengage.clone()),
                links,
            },
            stream::select(gateway.changes(), desk_changes),
        )
        .await
        .map_err(|cause| LabError::Page { port: options.page_port, cause })?;
        Ok(Self { page, functions, gateway, liveengage, aws, journal })
    }

    /// The page's address.
    pub fn page_url(&self) -> String {
        self.page.url()
    }

    /// Where LiveEngage and the gateway post to, without a trailing slash.
    pub fn api_url(&self) -> String {
        self.functions.api_url()
    }

    /// The consumers' phones.
    pub fn gateway(&self) -> &SmsGateway {
        &self.gateway
    }

    /// The agent's desk, and the rest of LiveEngage.
    pub fn liveengage(&self) -> &LiveEngageSimulator {
        &self.liveengage
    }

    /// The stand-ins.
    pub fn aws(&self) -> &AwsStandIns {
        &self.aws
    }

    /// The wire log.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Waits until nothing is on its way: no notification, and no message in a queue. Waits for retries too.
    pub async fn settled(&self) {
        loop {
            self.functions.idle().await;
            self.liveengage.webhooks_settled().await;
            let queued = |name| self.aws.queue(name).is_some_and(|queue| queue.counts().total() > 0);
            if !queued(TO_LIVEENGAGE) && !queued(TO_CHANNEL) {
                return;
            }
        }
    }
}
