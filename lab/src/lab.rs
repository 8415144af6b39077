//! The lab as a whole: one account, an SMS and a WhatsApp line, the simulators, the stand-ins and the functions between them.

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use connector::lambda::{StartError, config};
use futures::stream;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_stream::{StreamExt, wrappers::BroadcastStream};
use url::Url;

use crate::{
    aws::{
        AwsStandInError, AwsStandInOptions, AwsStandIns, Endpoints, TO_CHANNEL, TO_LIVEENGAGE,
        authorization::{Authorizer, Guard},
    },
    drill::{FaultPlan, Hop},
    functions::{Function, Functions, FunctionsError, FunctionsOptions, WORKER_TIMEOUT},
    installation::{Installation, PREFIX},
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
/// The lab's number on WhatsApp, without a plus, and Meta's id of its account.
const WHATSAPP_NUMBER: (&str, &str) = ("4930555011", "204871165530912");
/// The template's visibility timeout of the queues: six times the workers' timeout, as AWS asks for.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(360);
/// The gateway's, and WhatsApp's, pause before it posts a webhook again.
const GATEWAY_RETRY: Duration = Duration::from_secs(5);
/// The pause between two tries to reach functions that are elsewhere.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
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
    pub time_scale: Option<NonZeroU16>,
    /// What befalls the functions and their calls. It begins when it is told to.
    pub fault_plan: Option<FaultPlan>,
    /// Who says what each function may do on AWS, by its name in the template; `None`: everything.
    pub authorizer: Option<Arc<dyn Authorizer>>,
    /// More fields of both lines' secrets, an object: they take the place of the lab's own.
    pub line_settings: Value,
    /// The account and the lines; `None` for the lab's own with new secrets.
    pub installation: Option<Installation>,
    /// Where the functions answer that run outside of the lab; `None` for the lab's own. It has no workers and no schedule then, and
    /// webhooks wait until there is an answer.
    pub functions_elsewhere: Option<Url>,
    /// Where LiveEngage posts its webhooks, for example a tunnel or a proxy in front of the functions; `None` for the functions themselves.
    pub liveengage_webhook: Option<Url>,
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
    Front(std::io::Error),
    /// An address can't be read.
    #[error(transparent)]
    Url(#[from] url::ParseError),
}

/// A running lab. Everything stops when it is dropped.
#[derive(Debug)]
pub struct Lab {
    // Dropped in this order: first what takes requests, last what they need.
    page: Page,
    functions: Option<Functions>,
    _subscription: JoinSet<()>,
    gateway: SmsGateway,
    whatsapp: WhatsApp,
    liveengage: LiveEngageSimulator,
    _guard: Option<Guard>,
    aws: AwsStandIns,
    journal: Journal,
    api_url: String,
    environment: Vec<(&'static str, String)>,
}

impl Lab {
    /// Starts everything. The secrets are new ones at every start.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        let journal = Journal::default();
        let time_scale = options.time_scale.unwrap_or(NonZeroU16::MIN);
        let installation = options.installation.clone().unwrap_or_else(Installation::fresh);

        let account = AccountOptions {
            survey: options.survey.clone(),
            file_sharing: options.documents,
            auto_messages: options.auto_messages.clone(),
            legacy_csat: true,
            ..AccountOptions::new(
                installation.account_id(),
                &installation.account("/client_id"),
                &installation.account("/client_secret"),
            )
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
            number: installation.sms("from"),
            api_token: SecretString::from(installation.sms("bearer_token")),
            webhook_secret: SecretString::from(installation.sms("webhook_secret")),
            retry_delay: GATEWAY_RETRY / u32::from(time_scale.get()),
            delivery_reports: true,
            journal: journal.clone(),
        })
        .await?;
        let (number, waba_id) = WHATSAPP_NUMBER;
        let whatsapp = WhatsApp::start(WhatsAppOptions {
            port: options.whatsapp_port,
            phone_number_id: installation.whatsapp("phone_number_id"),
            display_phone_number: number.to_owned(),
            waba_id: waba_id.to_owned(),
            access_token: SecretString::from(installation.whatsapp("access_token")),
            app_secret: SecretString::from(installation.whatsapp("app_secret")),
            verify_token: SecretString::from(installation.whatsapp("verify_token")),
            retry_delay: GATEWAY_RETRY / u32::from(time_scale.get()),
            journal: journal.clone(),
        })
        .await?;
        // A person at the page wonders about texts that overtake each other.
        whatsapp.set_retries_in_line(true);
        // In a drill, hardly longer than a function lives: what a dead one held shall come again soon.
        let visibility_timeout = match options.time_scale {
            None => VISIBILITY_TIMEOUT,
            Some(time_scale) => WORKER_TIMEOUT / u32::from(time_scale.get()) + Duration::from_secs(1),
        };
        let aws = AwsStandIns::start(AwsStandInOptions {
            table_name: TABLE.to_owned(),
            dynamodb_port: options.dynamodb_port,
            sqs_port: options.sqs_port,
            secrets_port: options.secrets_port,
            visibility_timeout,
            shorten_waits_by: time_scale,
            ..AwsStandInOptions::default()
        })
        .await?;
        let front = |hop, url: String| {
            let fault_plan = options.fault_plan.clone();
            async move {
                match fault_plan {
                    None => Ok(url),
                    Some(fault_plan) => fault_plan.in_front_of(hop, &url).await.map_err(LabError::Front),
                }
            }
        };
        let mut more = json!({"documents": options.documents, "auto_messages": options.auto_messages.is_some()});
        if let (Some(more), Some(settings)) = (more.as_object_mut(), options.line_settings.as_object()) {
            more.extend(settings.clone());
        }
        let send_url = format!("{}/v1/messages", front(Hop::Gateway, gateway.url()).await?);
        for (name, secret) in [
            installation.account_secret(&front(Hop::LiveEngage, liveengage.base_url().to_owned()).await?),
            installation.sms_secret(&send_url, &more),
            installation.whatsapp_secret(&front(Hop::WhatsApp, whatsapp.url()).await?, &more),
        ] {
            aws.put_secret(&name, &secret.to_string()).await?;
        }

        let endpoints = Endpoints {
            dynamodb: front(Hop::Table, aws.endpoints().dynamodb.clone()).await?,
            sqs: front(Hop::Queue, aws.endpoints().sqs.clone()).await?,
            secrets: aws.endpoints().secrets.clone(),
        };
        let (sms_line, whatsapp_line) = (installation.sms_line(), installation.whatsapp_line());
        let environment = vec![
            (config::ACCOUNTS, installation.account_id().to_owned()),
            (config::LINES, format!("{sms_line},{whatsapp_line}")),
            (config::SECRET_PREFIX, PREFIX.to_owned()),
            (config::TABLE, TABLE.to_owned()),
            (config::TO_LIVEENGAGE_QUEUE_URL, aws.queue_url(TO_LIVEENGAGE)),
            (config::TO_CHANNEL_QUEUE_URL, aws.queue_url(TO_CHANNEL)),
            ("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb.clone()),
            ("AWS_ENDPOINT_URL_SQS", endpoints.sqs.clone()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoints.secrets.clone()),
        ];
        let variable =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let guard = match &options.authorizer {
            None => None,
            Some(authorizer) => {
                Some(Guard::in_front_of(&endpoints, Arc::clone(authorizer)).await.map_err(LabError::Front)?)
            }
        };
        let functions_options = FunctionsOptions {
            api_port: options.api_port,
            time_scale,
            aws: guard.as_ref().map_or(endpoints, |guard| guard.endpoints().clone()),
            fault_plan: options.fault_plan.clone(),
        };
        let (functions, api) = match &options.functions_elsewhere {
            Some(elsewhere) => (None, elsewhere.as_str().trim_end_matches('/').to_owned()),
            None => {
                let functions = Functions::start(&aws, &variable, &functions_options, &journal).await?;
                let api = functions.api_url();
                (Some(functions), api)
            }
        };
        let api = front(Hop::Api, api).await?;
        let webhook: Url = match &options.liveengage_webhook {
            Some(elsewhere) => elsewhere.clone(),
            None => format!("{api}/webhooks/liveengage").parse()?,
        };
        liveengage.set_webhooks(installation.account_id(), WebhookSettings::to(&webhook));
        gateway.set_webhook_url(format!("{api}/channels/{sms_line}").parse()?);
        let callback: Url = format!("{api}/channels/{whatsapp_line}").parse()?;
        let mut subscription = JoinSet::new();
        match functions {
            Some(_) => whatsapp.subscribe_webhook(callback).await?,
            // They start when they are told where everything is, so they can't answer yet.
            None => drop(subscription.spawn(subscribe_in_time(whatsapp.clone(), callback))),
        }

        let link = |name: &str, url: &str| Link { name: name.to_owned(), url: url.to_owned() };
        let links = vec![
            link("LiveEngage webhook", webhook.as_str()),
            link("SMS webhook", &format!("{api}/channels/{sms_line}")),
            link("WhatsApp webhook", &format!("{api}/channels/{whatsapp_line}")),
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
        Ok(Self {
            page,
            functions,
            _subscription: subscription,
            gateway,
            whatsapp,
            liveengage,
            _guard: guard,
            aws,
            journal,
            api_url: api,
            environment,
        })
    }

    /// The page's address.
    pub fn page_url(&self) -> String {
        self.page.url()
    }

    /// Where LiveEngage and the gateway post to, without a trailing slash.
    pub fn api_url(&self) -> String {
        self.api_url.clone()
    }

    /// The variables that functions need to run on this lab: their own, and where the SDK finds the stand-ins.
    pub fn environment(&self) -> &[(&'static str, String)] {
        &self.environment
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

    /// Replaces a function, as a deployment does; see [`Functions::replace`]. Nothing happens to functions that run elsewhere.
    ///
    /// # Errors
    /// It doesn't start.
    pub async fn replace(&self, function: Function) -> Result<(), StartError> {
        match &self.functions {
            Some(functions) => functions.replace(function).await,
            None => Ok(()),
        }
    }

    /// Waits until nothing is on its way: no notification, and no message in a queue. Waits for retries too.
    pub async fn settled(&self) {
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        loop {
            match &self.functions {
                Some(functions) => functions.idle().await,
                None => drop(pause.tick().await),
            }
            self.liveengage.webhooks_settled().await;
            let queued = |name| self.aws.queue(name).is_some_and(|queue| queue.counts().total() > 0);
            if !queued(TO_LIVEENGAGE) && !queued(TO_CHANNEL) {
                return;
            }
        }
    }
}

/// Tries until the functions answer.
async fn subscribe_in_time(whatsapp: WhatsApp, callback: Url) {
    let mut tries = tokio::time::interval(LOOK_AGAIN);
    loop {
        tries.tick().await;
        if whatsapp.subscribe_webhook(callback.clone()).await.is_ok() {
            return;
        }
    }
}
