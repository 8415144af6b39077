//! The connector between the simulators, with its own clock: a secret is read again after minutes, and a test should take seconds.

use std::{
    num::NonZeroU16,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use connector::{
    app::{
        inbound::AcceptChannelRequest,
        liveengage_client::LiveEngage,
        registry::{Registered, Registry},
        secret_change::{SecretOwner, carry_out, judge},
        settings::{Account, LineSettings},
        to_channel::DeliverToChannel,
        to_liveengage::DeliverToLiveEngage,
        webhook::AcceptWebhook,
        worker::WorkerPorts,
    },
    domain::id::LineId,
    port::{Clock, SecretStore, SecretVersion, Secrets, SecretsError},
};
use connector_aws::{
    DynamoDbStore, SecretsManager, SqsQueue, SystemClock,
    lambda::{InboundFunction, QueueFunction, WebhookFunction},
    outgoing_http::{self, ReqwestHttp},
};
use connector_lab::{
    api_gateway::{ApiGateway, HttpFunction, in_process},
    aws::{AwsStandInOptions, AwsStandIns, TO_CHANNEL, TO_LIVEENGAGE},
    event_source_mapping::{EventSourceMapping, Handler, MappingOptions},
    journal::Journal,
    liveengage::{AccountOptions, LiveEngageOptions, LiveEngageSimulator, WebhookSettings},
    sms_gateway::{SmsGateway, SmsGatewayOptions},
    whatsapp::{WhatsApp, WhatsAppOptions},
};
use connector_liveengage::id::AccountId;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Context, LambdaEvent};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::silence::{Kind, Watch};

pub(super) const ACCOUNT: &str = "33190872";
pub(super) const SMS: &str = "sms-one";
pub(super) const WHATSAPP: &str = "whatsapp-one";
const CLIENT_ID: &str = "c1d0f3a4-app";
const NUMBER: &str = "+4930555020";

/// The machine's time with an offset. A signature may be five minutes old or ahead, so the offset may be that large in both directions.
#[derive(Debug)]
pub(super) struct MovedClock(AtomicI64);

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().checked_add(SignedDuration::from_secs(self.0.load(Ordering::SeqCst))).unwrap()
    }
}

/// Secrets Manager, and a counter of one function's reads of current versions.
struct Counted {
    secrets: SecretsManager,
    reads: AtomicUsize,
}

#[async_trait]
impl Secrets for Counted {
    async fn current(&self, name: &str) -> Result<SecretVersion, SecretsError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.secrets.current(name).await
    }

    async fn previous(&self, name: &str) -> Result<Option<SecretVersion>, SecretsError> {
        self.secrets.previous(name).await
    }
}

/// All secrets of one deployment.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) client_secret: SecretString,
    pub(super) webhook_secret: SecretString,
    pub(super) bearer_token: SecretString,
    pub(super) app_secret: SecretString,
    pub(super) access_token: SecretString,
}

impl Keys {
    pub(super) fn named(name: &str) -> Self {
        let key = |what: &str| SecretString::from(format!("9f2c-{name}-{what}-b71e"));
        Self {
            client_secret: key("of-install"),
            webhook_secret: key("of-gateway"),
            bearer_token: key("to-gateway"),
            app_secret: key("of-meta"),
            access_token: key("to-meta"),
        }
    }

    fn plant(&self, watch: &Watch) {
        for key in [&self.client_secret, &self.webhook_secret, &self.bearer_token, &self.app_secret, &self.access_token]
        {
            watch.plant(Kind::Secret, key.expose_secret());
        }
    }
}

/// The running deployment. Everything stops when this is dropped.
pub(super) struct Deployment {
    pub(super) liveengage: LiveEngageSimulator,
    pub(super) gateway: SmsGateway,
    pub(super) whatsapp: WhatsApp,
    pub(super) journal: Journal,
    pub(super) api_url: String,
    clock: Arc<MovedClock>,
    started_at: Timestamp,
    webhook_secrets: Arc<Counted>,
    inbound_secrets: Arc<Counted>,
    store: SecretsManager,
    to_liveengage: EventSourceMapping,
    to_channel: EventSourceMapping,
    _api: ApiGateway,
    _aws: AwsStandIns,
    /// Searches the log after everything else has ended.
    pub(super) watch: Watch,
}

/// How soon a sender repeats a webhook.
const SOON: Duration = Duration::from_millis(100);

async fn liveengage(keys: &Keys, journal: &Journal) -> LiveEngageSimulator {
    let options = LiveEngageOptions {
        accounts: vec![AccountOptions::new(ACCOUNT, CLIENT_ID, keys.client_secret.expose_secret())],
        journal: journal.clone(),
        ..LiveEngageOptions::default()
    };
    LiveEngageSimulator::start(options).await.unwrap()
}

async fn gateway(keys: &Keys, journal: &Journal) -> SmsGateway {
    let options = SmsGatewayOptions {
        port: 0,
        number: NUMBER.to_owned(),
        api_token: keys.bearer_token.clone(),
        webhook_secret: keys.webhook_secret.clone(),
        retry_delay: SOON,
        delivery_reports: false,
        journal: journal.clone(),
    };
    SmsGateway::start(options).await.unwrap()
}

async fn whatsapp(keys: &Keys, journal: &Journal) -> WhatsApp {
    let options = WhatsAppOptions {
        port: 0,
        phone_number_id: "104432".to_owned(),
        display_phone_number: "4930555021".to_owned(),
        waba_id: "204432".to_owned(),
        access_token: keys.access_token.clone(),
        app_secret: keys.app_secret.clone(),
        verify_token: SecretString::from("verify"),
        retry_delay: SOON,
        journal: journal.clone(),
    };
    let whatsapp = WhatsApp::start(options).await.unwrap();
    whatsapp.set_retries_in_line(true);
    // These tests don't look at reports.
    whatsapp.set_automatic_delivery(false);
    whatsapp
}

impl Deployment {
    /// Starts with these secrets on both sides, and with a clock almost five minutes before the senders' time.
    pub(super) async fn start(keys: &Keys) -> Self {
        let watch = Watch::begin();
        keys.plant(&watch);
        let journal = Journal::default();
        let aws = AwsStandIns::start(AwsStandInOptions {
            shorten_waits_by: NonZeroU16::new(50).unwrap(),
            ..AwsStandInOptions::default()
        })
        .await
        .unwrap();
        let (liveengage, gateway) = (liveengage(keys, &journal).await, gateway(keys, &journal).await);
        let whatsapp = whatsapp(keys, &journal).await;
        let store = SecretsManager::new(aws_sdk_secretsmanager::Client::new(aws.sdk_config()));
        let clock = Arc::new(MovedClock(AtomicI64::new(-290)));
        put_all(&store, keys, (&liveengage, &gateway, &whatsapp), clock.now()).await;
        let started_at = clock.now();

        let wiring = Wiring { aws: &aws, store: &store, clock: &clock, journal: &journal };
        let (webhook, webhook_secrets) = wiring.webhook().await;
        let (inbound, inbound_secrets) = wiring.inbound().await;
        let api = ApiGateway::start(0, webhook, inbound).await.unwrap();
        let to_liveengage = wiring.to_liveengage().await;
        let to_channel = wiring.to_channel().await;
        let api_url = api.url();
        let webhook = WebhookSettings {
            first_retry_after: SOON,
            longest_retry_pause: SOON * 4,
            ..WebhookSettings::to(&format!("{api_url}/webhooks/liveengage").parse().unwrap())
        };
        liveengage.set_webhooks(ACCOUNT, webhook);
        gateway.set_webhook_url(format!("{api_url}/channels/{SMS}").parse().unwrap());
        whatsapp.subscribe_webhook(format!("{api_url}/channels/{WHATSAPP}").parse().unwrap()).await.unwrap();
        Self {
            liveengage,
            gateway,
            whatsapp,
            journal,
            api_url,
            clock,
            started_at,
            webhook_secrets,
            inbound_secrets,
            store,
            to_liveengage,
            to_channel,
            _api: api,
            _aws: aws,
            watch,
        }
    }

    /// Does what `connector secret put` does, with all secrets.
    pub(super) async fn put(&self, keys: &Keys) {
        keys.plant(&self.watch);
        put_all(&self.store, keys, (&self.liveengage, &self.gateway, &self.whatsapp), self.clock.now()).await;
    }

    /// Moves the connector's clock forward.
    pub(super) fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Returns how often the two entry points have read each of their secrets on average. One entry point has one secret, and the other has
    /// two. A function reads a secret once at the start, and then at most once a minute.
    pub(super) fn reads(&self) -> [usize; 2] {
        let minutes = self.clock.now().duration_since(self.started_at).as_mins();
        let most = 1 + usize::try_from(minutes).unwrap();
        let [webhook, inbound] =
            [&self.webhook_secrets, &self.inbound_secrets].map(|counted| counted.reads.load(Ordering::SeqCst));
        assert!(webhook <= most && inbound <= 2 * most, "{webhook} and {inbound} reads in {minutes} minutes");
        [webhook, inbound / 2]
    }

    /// Waits until no webhook and no message is under way.
    pub(super) async fn settled(&self) {
        self.gateway.webhooks_settled().await;
        self.liveengage.webhooks_settled().await;
        self.to_liveengage.idle().await;
        self.to_channel.idle().await;
        self.liveengage.webhooks_settled().await;
        self.to_channel.idle().await;
    }

    /// Returns the number of calls that the connector's endpoints, or those that it calls, answered with 401.
    pub(super) fn refused(&self, from: &str, to: &str) -> usize {
        let is_refused = |what: &str| what.contains("-> 401");
        let entries = self.journal.entries().unwrap();
        entries.iter().filter(|entry| entry.from == from && entry.to == to && is_refused(&entry.what)).count()
    }
}

/// Checks and stores the secrets of the account and of both lines.
async fn put_all(
    store: &SecretsManager,
    keys: &Keys,
    (liveengage, gateway, whatsapp): (&LiveEngageSimulator, &SmsGateway, &WhatsApp),
    now: Timestamp,
) {
    let line = |id: &str, channel: &str, settings: Value| json!({"line_id": id, "account_id": ACCOUNT, "channel": channel, "consumer_id_key": "k".repeat(64), channel: settings});
    let account = json!({
        "account_id": ACCOUNT, "client_id": CLIENT_ID, "client_secret": keys.client_secret.expose_secret(),
        "domain_api": liveengage.base_url(),
    });
    let sms = json!({
        "from": NUMBER, "send_url": format!("{}/v1/messages", gateway.url()),
        "bearer_token": keys.bearer_token.expose_secret(), "webhook_secret": keys.webhook_secret.expose_secret(),
    });
    let meta = json!({
        "phone_number_id": "104432", "access_token": keys.access_token.expose_secret(), "app_secret": keys.app_secret.expose_secret(),
        "verify_token": "verify", "api_base": whatsapp.url(),
    });
    for (owner, value) in [
        (SecretOwner::Account(AccountId::new(ACCOUNT).unwrap()), account),
        (SecretOwner::Line(LineId::new(SMS).unwrap()), line(SMS, "sms", sms)),
        (SecretOwner::Line(LineId::new(WHATSAPP).unwrap()), line(WHATSAPP, "whatsapp", meta)),
    ] {
        let (name, value) = (owner.secret_name("connector"), SecretString::from(value.to_string()));
        let stored = store.stored(&name).await.unwrap();
        let change = judge(&owner, &value, stored.as_ref(), now).unwrap();
        assert!(change.dangers.is_empty(), "{change:?}");
        carry_out(&change, store, &name, &value).await.unwrap();
    }
}

/// Starts the functions. Each reads its own secrets, as separate processes do.
struct Wiring<'a> {
    aws: &'a AwsStandIns,
    store: &'a SecretsManager,
    clock: &'a Arc<MovedClock>,
    journal: &'a Journal,
}

impl Wiring<'_> {
    async fn registry<T: Registered>(&self, ids: &[T::Id]) -> (Arc<Registry<T>>, Arc<Counted>) {
        let secrets = Arc::new(Counted { secrets: self.store.clone(), reads: AtomicUsize::new(0) });
        let port = Arc::<Counted>::clone(&secrets);
        (Arc::new(Registry::new(port, "connector", ids)), secrets)
    }

    async fn accounts(&self) -> (Arc<Registry<Account>>, Arc<Counted>) {
        self.registry(&[AccountId::new(ACCOUNT).unwrap()]).await
    }

    async fn lines(&self) -> (Arc<Registry<LineSettings>>, Arc<Counted>) {
        self.registry(&[LineId::new(SMS).unwrap(), LineId::new(WHATSAPP).unwrap()]).await
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::<MovedClock>::clone(self.clock)
    }

    fn queue(&self, name: &str) -> Arc<SqsQueue> {
        Arc::new(SqsQueue::new(aws_sdk_sqs::Client::new(self.aws.sdk_config()), self.aws.queue_url(name)))
    }

    async fn webhook(&self) -> (HttpFunction, Arc<Counted>) {
        let (accounts, counted) = self.accounts().await;
        let function = WebhookFunction::new(AcceptWebhook::new(accounts, self.queue(TO_CHANNEL)), self.clock());
        // Lambda gives an environment one request at a time.
        let environment = Arc::new(Mutex::new(function));
        let function = in_process(move |request| {
            let environment = Arc::clone(&environment);
            async move { environment.lock().await.handle(request).await.map_err(|error| error.to_string()) }
        });
        (function, counted)
    }

    async fn inbound(&self) -> (HttpFunction, Arc<Counted>) {
        let (lines, counted) = self.lines().await;
        let function = InboundFunction::new(AcceptChannelRequest::new(lines, self.queue(TO_LIVEENGAGE)), self.clock());
        let environment = Arc::new(Mutex::new(function));
        let function = in_process(move |request| {
            let environment = Arc::clone(&environment);
            async move { environment.lock().await.handle(request).await.map_err(|error| error.to_string()) }
        });
        (function, counted)
    }

    async fn ports(&self) -> (Arc<LiveEngage>, WorkerPorts) {
        let client = aws_sdk_dynamodb::Client::new(self.aws.sdk_config());
        let store = Arc::new(DynamoDbStore::new(client, self.aws.table_name()));
        let http = Arc::new(ReqwestHttp::new(outgoing_http::client().unwrap()));
        let (accounts, _) = self.accounts().await;
        let (tokens, calls) = (Arc::<DynamoDbStore>::clone(&store), Arc::<ReqwestHttp>::clone(&http));
        let liveengage = Arc::new(LiveEngage::new(accounts, tokens, calls));
        let ports = WorkerPorts {
            consumers: Arc::<DynamoDbStore>::clone(&store),
            messages: Arc::<DynamoDbStore>::clone(&store),
            ledger: store,
            http,
            to_liveengage: self.queue(TO_LIVEENGAGE),
            to_channel: self.queue(TO_CHANNEL),
            clock: self.clock(),
        };
        (liveengage, ports)
    }

    async fn to_liveengage(&self) -> EventSourceMapping {
        let (liveengage, ports) = self.ports().await;
        let worker = DeliverToLiveEngage::new(self.lines().await.0, liveengage, ports);
        self.mapping(TO_LIVEENGAGE, QueueFunction::new(Arc::new(worker), self.queue(TO_LIVEENGAGE), self.clock()))
    }

    async fn to_channel(&self) -> EventSourceMapping {
        let (liveengage, ports) = self.ports().await;
        let worker = DeliverToChannel::new(self.lines().await.0, liveengage, ports);
        self.mapping(TO_CHANNEL, QueueFunction::new(Arc::new(worker), self.queue(TO_CHANNEL), self.clock()))
    }

    fn mapping(&self, queue: &str, function: QueueFunction) -> EventSourceMapping {
        let (clock, journal) = (Arc::clone(self.clock), self.journal.clone());
        let handler: Handler = Arc::new(move |event| {
            let (function, clock, journal) = (function.clone(), Arc::clone(&clock), journal.clone());
            Box::pin(async move {
                let mut context = Context::default();
                context.deadline = u64::try_from(clock.now().as_millisecond() + 60_000).unwrap();
                let result = function.handle(LambdaEvent::new(event, context)).await;
                if let Err(error) = &result {
                    journal.record("queue", "function", error.to_string(), None);
                }
                result.map_err(|error| error.to_string())
            })
        });
        let options = MappingOptions { function_timeout: Duration::from_secs(60), ..MappingOptions::default() };
        EventSourceMapping::start(self.aws.queue(queue).unwrap(), options, handler).unwrap()
    }
}
