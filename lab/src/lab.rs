//! The lab as a whole: one account, an SMS and a WhatsApp line, the simulators, the stand-ins and the functions between them.

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use connector::lambda::config;
use futures::stream;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio_stream::{StreamExt, wrappers::BroadcastStream};
use url::Url;
use uuid::Uuid;

use crate::{
    aws::{AwsStandInError, AwsStandInOptions, AwsStandIns, Endpoints, TO_CHANNEL, TO_LIVEENGAGE},
    drill::{Hop, Storm},
    functions::{Functions, FunctionsError, FunctionsOptions, WORKER_TIMEOUT},
    journal::Journal,
    liveengage::{self, AccountOptions, Forms, LiveEngageOptions, LiveEngageSimulator, SurveyOptions, WebhookSettings},
    page::{Link, Page, PageOptions, PhoneChannel},
    sms_gateway::{self, SmsGateway, SmsGatewayOptions},
    whatsapp::{self, WhatsApp, WhatsAppOptions},
};

/// The lab's LiveEngage account.
pub const ACCOUNT: &str = "47110815";
/// The lab's SMS line.
pub const LINE: &str = "sms-lab";
/// The lab's WhatsApp line.
pub const WHATSAPP_LINE: &str = "whatsapp-lab";
/// The lab's number, which the phones write to.
pub const NUMBER: &str = "+4930555010";
/// The lab's number on WhatsApp, without a plus, and Meta's ids of it and of its account.
const WHATSAPP_NUMBER: (&str, &str, &str) = ("4930555011", "118240097715334", "204871165530912");
/// The template's visibility timeout of the queues: six times the workers' timeout, as AWS asks for.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(360);
/// The gateway's, and WhatsApp's, pause before it posts a webhook again.
const GATEWAY_RETRY: Duration = Duration::from_secs(5);
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
    /// The WhatsApp simulator.
    pub whatsapp_port: u16,
    /// DynamoDB.
    pub dynamodb_port: u16,
    /// SQS.
    pub sqs_port: u16,
    /// Secrets Manager.
    pub secrets_port: u16,
    /// Whether LiveEngage's webhooks are tried before its answers go out.
    pub webhooks_before_response: bool,
    /// The survey of the account after a conversation.
    pub survey: Option<SurveyOptions>,
    /// Whether the account and both lines take documents, and not only pictures.
    pub documents: bool,
    /// What the controller says when a conversation opens, to lines that want it.
    pub auto_messages: Option<String>,
    /// Which of the documented forms LiveEngage uses.
    pub forms: Forms,
    /// How many times shorter than the template's the workers' timeout and the waits between attempts are, for a drill; `None`
    /// for the template's own.
    pub pace: Option<NonZeroU16>,
    /// What befalls the functions and their calls. It begins when it is told to.
    pub storm: Option<Storm>,
    /// More fields of both lines' secrets, an object: they take the place of the lab's own.
    pub line_settings: Value,
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
    /// The WhatsApp simulator.
    #[error(transparent)]
    WhatsApp(#[from] whatsapp::StartError),
    /// The WhatsApp simulator and the inbound function don't find to each other.
    #[error(transparent)]
    Subscribe(#[from] whatsapp::SubscribeError),
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
    /// Nothing can be put in front of a service.
    #[error("what stands in front of a service can't listen on 127.0.0.1: {0}")]
    Storm(std::io::Error),
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
    whatsapp: WhatsApp,
    liveengage: LiveEngageSimulator,
    aws: AwsStandIns,
    journal: Journal,
    api_url: String,
}

impl Lab {
    /// Starts everything. The secrets are new ones at every start.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        let journal = Journal::default();
        let pace = options.pace.unwrap_or(NonZeroU16::MIN);
        let secret = || SecretString::from(Uuid::new_v4().to_string());
        let (client_id, client_secret) = (Uuid::new_v4().to_string(), secret());
        let (api_token, webhook_secret) = (secret(), secret());

        let account = AccountOptions {
            survey: options.survey.clone(),
            file_sharing: options.documents,
            auto_messages: options.auto_messages.clone(),
            legacy_csat: true,
            ..AccountOptions::new(ACCOUNT, &client_id, client_secret.expose_secret())
        };
        let liveengage = LiveEngageSimulator::start(LiveEngageOptions {
            accounts: vec![account],
            forms: options.forms,
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
            retry_delay: GATEWAY_RETRY / u32::from(pace.get()),
            delivery_reports: true,
            journal: journal.clone(),
        })
        .await?;
        let (number, phone_number_id, waba_id) = WHATSAPP_NUMBER;
        let (access_token, app_secret, verify_token) = (secret(), secret(), secret());
        let whatsapp = WhatsApp::start(WhatsAppOptions {
            port: options.whatsapp_port,
            phone_number_id: phone_number_id.to_owned(),
            display_phone_number: number.to_owned(),
            waba_id: waba_id.to_owned(),
            access_token: access_token.clone(),
            app_secret: app_secret.clone(),
            verify_token: verify_token.clone(),
            retry_delay: GATEWAY_RETRY / u32::from(pace.get()),
            journal: journal.clone(),
        })
        .await?;
        // A person at the page wonders about texts that overtake each other.
        whatsapp.set_retries_in_line(true);
        // In a drill, hardly longer than a function lives: what a dead one held shall come again soon.
        let visibility_timeout = match options.pace {
            None => VISIBILITY_TIMEOUT,
            Some(pace) => WORKER_TIMEOUT / u32::from(pace.get()) + Duration::from_secs(1),
        };
        let aws = AwsStandIns::start(AwsStandInOptions {
            table_name: TABLE.to_owned(),
            dynamodb_port: options.dynamodb_port,
            sqs_port: options.sqs_port,
            secrets_port: options.secrets_port,
            visibility_timeout,
            shorten_waits_by: pace,
            ..AwsStandInOptions::default()
        })
        .await?;
        let front = |hop, url: String| {
            let storm = options.storm.clone();
            async move {
                match storm {
                    None => Ok(url),
                    Some(storm) => storm.in_front_of(hop, &url).await.map_err(LabError::Storm),
                }
            }
        };
        let account = json!({
            "account_id": ACCOUNT, "client_id": client_id, "client_secret": client_secret.expose_secret(),
            "domain_api": front(Hop::LiveEngage, liveengage.base_url().to_owned()).await?,
        });
        aws.put_secret(&format!("connector/account/{ACCOUNT}"), &account.to_string()).await?;
        let line = |id: &str, channel: &str, settings: Value| {
            let mut line = json!({
                "line_id": id, "account_id": ACCOUNT, "channel": channel, "documents": options.documents,
                "auto_messages": options.auto_messages.is_some(),
                "consumer_id_key": format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
                channel: settings,
            });
            let more = options.line_settings.as_object().cloned();
            if let (Some(line), Some(more)) = (line.as_object_mut(), more) {
                line.extend(more);
            }
            line.to_string()
        };
        let sms = json!({
            "from": NUMBER, "send_url": format!("{}/v1/messages", front(Hop::Gateway, gateway.url()).await?), "delivery_reports": true,
            "bearer_token": api_token.expose_secret(), "webhook_secret": webhook_secret.expose_secret(),
        });
        aws.put_secret(&format!("connector/line/{LINE}"), &line(LINE, "sms", sms)).await?;
        let meta = json!({
            "phone_number_id": phone_number_id, "access_token": access_token.expose_secret(),
            "app_secret": app_secret.expose_secret(), "verify_token": verify_token.expose_secret(),
            "api_base": front(Hop::WhatsApp, whatsapp.url()).await?,
        });
        let secret_name = format!("connector/line/{WHATSAPP_LINE}");
        aws.put_secret(&secret_name, &line(WHATSAPP_LINE, "whatsapp", meta)).await?;

        let queues = (aws.queue_url(TO_LIVEENGAGE), aws.queue_url(TO_CHANNEL));
        let environment = move |variable: &str| match variable {
            config::ACCOUNTS => Some(ACCOUNT.to_owned()),
            config::LINES => Some(format!("{LINE},{WHATSAPP_LINE}")),
            config::SECRET_PREFIX => Some("connector".to_owned()),
            config::TABLE => Some(TABLE.to_owned()),
            config::TO_LIVEENGAGE_QUEUE_URL => Some(queues.0.clone()),
            config::TO_CHANNEL_QUEUE_URL => Some(queues.1.clone()),
            _ => None,
        };
        let endpoints = Endpoints {
            dynamodb: front(Hop::Table, aws.endpoints().dynamodb.clone()).await?,
            sqs: front(Hop::Queue, aws.endpoints().sqs.clone()).await?,
            secrets: aws.endpoints().secrets.clone(),
        };
        let storm = options.storm.clone().map(|storm| (storm, endpoints));
        let functions_options = FunctionsOptions { api_port: options.api_port, pace, storm };
        let functions = Functions::start(&aws, &environment, &functions_options, &journal).await?;
        let api = front(Hop::Api, functions.api_url()).await?;
        let webhook: Url = format!("{api}/webhooks/liveengage").parse()?;
        liveengage.set_webhooks(ACCOUNT, WebhookSettings::to(&webhook));
        gateway.set_webhook_url(format!("{api}/channels/{LINE}").parse()?);
        whatsapp.subscribe_webhook(format!("{api}/channels/{WHATSAPP_LINE}").parse()?).await?;

        let link = |name: &str, url: &str| Link { name: name.to_owned(), url: url.to_owned() };
        let links = vec![
            link("LiveEngage webhook", webhook.as_str()),
            link("SMS webhook", &format!("{api}/channels/{LINE}")),
            link("WhatsApp webhook", &format!("{api}/channels/{WHATSAPP_LINE}")),
            link("LiveEngage simulator", liveengage.base_url()),
            link("SMS gateway simulator", &gateway.url()),
            link("WhatsApp simulator", &whatsapp.url()),
            link("DynamoDB", &aws.endpoints().dynamodb),
            link("SQS", &aws.endpoints().sqs),
            link("Secrets Manager", &aws.endpoints().secrets),
        ];
        let desk_changes = BroadcastStream::new(liveengage.subscribe()).map(|_| ());
        let page = Page::start(
            PageOptions {
                port: options.page_port,
                journal: journal.clone(),
                phones: vec![
                    PhoneChannel { name: "SMS".to_owned(), phones: Arc::new(gateway.clone()) },
                    PhoneChannel { name: "WhatsApp".to_owned(), phones: Arc::new(whatsapp.clone()) },
                ],
                desk: Arc::new(liveengage.clone()),
                links,
            },
            stream::select(stream::select(gateway.changes(), whatsapp.changes()), desk_changes),
        )
        .await
        .map_err(|cause| LabError::Page { port: options.page_port, cause })?;
        Ok(Self { page, functions, gateway, whatsapp, liveengage, aws, journal, api_url: api })
    }

    /// The page's address.
    pub fn page_url(&self) -> String {
        self.page.url()
    }

    /// Where LiveEngage and the gateway post to, without a trailing slash.
    pub fn api_url(&self) -> String {
        self.api_url.clone()
    }

    /// The consumers' phones that write SMS.
    pub fn gateway(&self) -> &SmsGateway {
        &self.gateway
    }

    /// The consumers' phones on WhatsApp.
    pub fn whatsapp(&self) -> &WhatsApp {
        &self.whatsapp
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
