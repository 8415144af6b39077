//! The complete lab: one account, a line on each channel, the simulators, the stand-ins and the functions.

mod connector_runtime;
mod error;
mod options;
mod simulators;

use std::{any::Any, collections::BTreeSet, sync::Arc, time::Duration};

use connector_aws::lambda::{FunctionError, ReconcileAnswer, StartError};
use futures::{StreamExt as _, stream};
use tokio::task::JoinSet;
use tokio_stream::wrappers::BroadcastStream;
use url::Url;

pub use error::LabError;
pub use options::LabOptions;
pub use simulators::{ADMINISTRATOR, RunningChannel};

use crate::{
    aws::{AwsStandIns, TO_CHANNEL, TO_LIVEENGAGE, authorization::Guard},
    channel::ChannelSimulator,
    faults::{FaultPlan, Hop},
    function::Function,
    functions::Functions,
    installation::Installation,
    journal::Journal,
    liveengage::{LiveEngageSimulator, WebhookSettings},
    page::{Link, Page, PageOptions, PhoneChannel, SimulatedPhones},
    sms_gateway::SmsGateway,
    whatsapp::WhatsApp,
};
use connector_runtime::ConnectorRuntime;
use simulators::Simulators;

/// A running lab. Everything stops when it is dropped.
#[derive(Debug)]
pub struct Lab {
    // Fields are dropped in this order: first the parts that receive requests, last the parts that they need.
    page: Page,
    functions: Option<Functions>,
    _subscriptions: JoinSet<()>,
    channels: Vec<RunningChannel>,
    liveengage: LiveEngageSimulator,
    account_id: String,
    _guard: Option<Guard>,
    aws: AwsStandIns,
    journal: Journal,
    api_url: String,
    environment: Vec<(&'static str, String)>,
}

/// Puts fault proxies in front of services.
struct FaultProxies(Option<FaultPlan>);

impl FaultProxies {
    /// The address to use instead of this one.
    async fn of(&self, hop: Hop, url: &str) -> Result<String, LabError> {
        match &self.0 {
            None => Ok(url.to_owned()),
            Some(fault_plan) => fault_plan.start_proxy(hop, url).await.map_err(LabError::Front),
        }
    }
}

impl Lab {
    /// Starts everything, with new secrets at every start.
    ///
    /// # Errors
    /// [`LabError`].
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        let journal = Journal::default();
        let installation = options.installation.clone().unwrap_or_else(Installation::fresh);
        let fault_proxies = FaultProxies(options.fault_plan.clone());
        let simulators = Simulators::start(&options, &installation, &journal).await?;
        let secrets = simulators.secrets(&options, &installation, &fault_proxies).await?;
        let connector = ConnectorRuntime::start(&options, &installation, &secrets, &fault_proxies, &journal).await?;

        let webhook: Url = match &options.liveengage_webhook {
            Some(elsewhere) => elsewhere.clone(),
            None => format!("{}/webhooks/liveengage", connector.api_url).parse()?,
        };
        let webhooks = options.liveengage_webhooks.clone().unwrap_or_else(|| WebhookSettings::to(&webhook));
        let attached = options.liveengage_webhooks.as_ref().map(|attached| &attached.endpoints);
        let addresses: Vec<Url> = match attached {
            Some(endpoints) => endpoints.values().cloned().collect::<BTreeSet<Url>>().into_iter().collect(),
            None => vec![webhook],
        };
        simulators.liveengage.set_webhooks(installation.account_id(), webhooks);
        let subscriptions = simulators.subscribe(&connector.api_url, connector.functions.is_some()).await?;

        let links = links(&addresses, &connector, &simulators);
        let page = start_page(options.page_port, &simulators, links, &journal).await?;
        Ok(Self {
            page,
            functions: connector.functions,
            _subscriptions: subscriptions,
            channels: simulators.channels,
            liveengage: simulators.liveengage,
            account_id: installation.account_id().to_owned(),
            _guard: connector.guard,
            aws: connector.aws,
            journal,
            api_url: connector.api_url,
            environment: connector.environment,
        })
    }

    /// The page's address.
    pub fn page_url(&self) -> String {
        self.page.url()
    }

    /// The address that LiveEngage and the gateway post to, without a trailing slash.
    pub fn api_url(&self) -> String {
        self.api_url.clone()
    }

    /// The address of Lambda's Invoke API, without a trailing slash. `None` if the functions run elsewhere.
    pub fn lambda_url(&self) -> Option<String> {
        self.functions.as_ref().map(Functions::lambda_url)
    }

    /// The environment variables of functions that use this lab: their own, and the addresses of the stand-ins for the
    /// SDK.
    pub fn environment(&self) -> &[(&'static str, String)] {
        &self.environment
    }

    /// The channels' simulators, in the order of [`channels::ALL`](crate::channels::ALL).
    pub fn channels(&self) -> &[RunningChannel] {
        &self.channels
    }

    /// The SMS gateway with its phones.
    pub fn gateway(&self) -> &SmsGateway {
        self.simulator()
    }

    /// The WhatsApp simulator with its phones.
    pub fn whatsapp(&self) -> &WhatsApp {
        self.simulator()
    }

    #[expect(clippy::expect_used, reason = "the lab has started a simulator for every channel")]
    fn simulator<S: ChannelSimulator>(&self) -> &S {
        let simulators = self.channels.iter().map(|channel| -> &dyn Any { channel.simulator.as_ref() });
        simulators.into_iter().find_map(<dyn Any>::downcast_ref).expect("the channel's simulator")
    }

    /// The account that the lab simulates.
    pub fn account_id(&self) -> &str {
        &self.account_id
    }

    /// LiveEngage with the agent's desk.
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

    /// Replaces a function, as a deployment does; see [`Functions::replace`]. Does nothing if the functions run
    /// elsewhere.
    ///
    /// # Errors
    /// The function failed to start.
    pub async fn replace(&self, function: Function) -> Result<(), StartError> {
        match &self.functions {
            Some(functions) => functions.replace(function).await,
            None => Ok(()),
        }
    }

    /// Invokes `reconcile` with this event, as its schedule or an operator does. Does nothing if the functions run
    /// elsewhere.
    ///
    /// # Errors
    /// The function's error.
    pub async fn reconcile(&self, event: serde_json::Value) -> Result<ReconcileAnswer, FunctionError> {
        match &self.functions {
            Some(functions) => functions.reconcile(event).await,
            None => Ok(ReconcileAnswer::default()),
        }
    }

    /// Waits until nothing is in transit: no webhook of LiveEngage or of a channel, and no message in a queue. Waits for retries too.
    pub async fn settled(&self) {
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        loop {
            pause.tick().await;
            if let Some(functions) = &self.functions {
                functions.idle().await;
            }
            self.liveengage.webhooks_settled().await;
            let queued = |name| self.aws.queue(name).is_some_and(|queue| queue.counts().total() > 0);
            // A message that leaves a queue between two of the checks has left a webhook for the last one.
            if !self.has_pending_webhooks()
                && !queued(TO_LIVEENGAGE)
                && !queued(TO_CHANNEL)
                && !self.has_pending_webhooks()
            {
                return;
            }
        }
    }

    /// Whether a webhook of LiveEngage or of a channel is queued or in transit.
    fn has_pending_webhooks(&self) -> bool {
        self.liveengage.has_pending_webhooks() || self.has_pending_channel_webhooks()
    }

    /// Whether a webhook of a channel is queued or in transit.
    pub fn has_pending_channel_webhooks(&self) -> bool {
        self.channels.iter().any(|channel| channel.simulator.has_pending_webhooks())
    }
}

/// The addresses that the page shows.
fn links(liveengage_webhooks: &[Url], connector: &ConnectorRuntime, simulators: &Simulators) -> Vec<Link> {
    let link = |name: String, url: String| Link { name, url };
    let mut links: Vec<Link> =
        liveengage_webhooks.iter().map(|url| link("LiveEngage webhook".to_owned(), url.to_string())).collect();
    for channel in &simulators.channels {
        let url = format!("{}/channels/{}", connector.api_url, channel.line);
        links.push(link(format!("{} webhook", channel.channel.profile().title), url));
    }
    links.push(link("LiveEngage simulator".to_owned(), simulators.liveengage.base_url().to_owned()));
    if let Some(tls) = simulators.liveengage.tls() {
        links.push(link("LiveEngage simulator, TLS".to_owned(), format!("https://{}", tls.host)));
    }
    for channel in &simulators.channels {
        links.push(link(channel.channel.profile().simulator.to_owned(), channel.simulator.url()));
    }
    let endpoints = connector.aws.endpoints();
    for (name, url) in
        [("DynamoDB", &endpoints.dynamodb), ("SQS", &endpoints.sqs), ("Secrets Manager", &endpoints.secrets)]
    {
        links.push(link(name.to_owned(), url.clone()));
    }
    links.extend(connector.functions.as_ref().map(|functions| link("Lambda".to_owned(), functions.lambda_url())));
    links
}

async fn start_page(port: u16, simulators: &Simulators, links: Vec<Link>, journal: &Journal) -> Result<Page, LabError> {
    let phones = simulators.channels.iter().map(|channel| PhoneChannel {
        name: channel.channel.profile().title.to_owned(),
        phones: Arc::new(SimulatedPhones(Arc::clone(&channel.simulator))),
    });
    let of_phones =
        simulators.channels.iter().map(|channel| BroadcastStream::new(channel.simulator.subscribe()).map(drop));
    let of_desk = BroadcastStream::new(simulators.liveengage.subscribe()).map(drop);
    let changes = stream::select(stream::select_all(of_phones), of_desk);
    let options = PageOptions {
        port,
        journal: journal.clone(),
        phones: phones.collect(),
        desk: Arc::new(simulators.liveengage.clone()),
        links,
    };
    Page::start(options, changes).await.map_err(|cause| LabError::Page { port, cause })
}
