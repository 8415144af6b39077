//! The six functions, wired as in the template, with their own handlers and real AWS and HTTP clients.

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use connector::{app::delivery::TimeScale, port::Clock};
use connector_aws::{
    SystemClock,
    lambda::{
        self, FunctionError, InboundFunction, QueueFunction, ReconcileAnswer, ReconcileFunction, TokenRefreshFunction,
        WebhookFunction, config,
    },
};
use lambda_runtime::{Context, LambdaEvent, layers::trace::request_span};
use parking_lot::RwLock;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    api_gateway::{ApiGateway, in_process},
    aws::{AwsStandIns, Endpoints, TO_CHANNEL, TO_LIVEENGAGE},
    event_source_mapping::{EventSourceMapping, Handler, MappingError, MappingOptions},
    faults::{Destination, FailureInjector, FaultPlan, KillPoint},
    journal::Journal,
    lambda_api::{Invocable, LambdaApi},
};

pub use crate::function::Function;

/// The timeout of the two HTTP functions in the template.
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
/// The timeout of the workers in the template.
pub(crate) const WORKER_TIMEOUT: Duration = Duration::from_secs(60);
/// The schedule and the timeout of `token-refresh` in the template.
const REFRESH_EVERY: Duration = Duration::from_secs(600);
const REFRESH_TIMEOUT: Duration = Duration::from_secs(60);
/// The timeout of `reconcile` in the template.
const RECONCILE_TIMEOUT: Duration = Duration::from_secs(600);

/// The options of the functions.
#[derive(Debug, Clone)]
pub struct FunctionsOptions {
    /// The API's port; 0 for a free port.
    pub api_port: u16,
    /// The port of Lambda's Invoke API; 0 for a free port.
    pub lambda_port: u16,
    /// The factor by which the workers' timeout is shorter than in the template.
    pub time_scale: NonZeroU16,
    /// The addresses of AWS for the functions: the stand-ins, or proxies in front of them.
    pub aws: Endpoints,
    /// The faults of the functions.
    pub fault_plan: Option<FaultPlan>,
}

/// Why the functions failed to start.
#[derive(Debug, thiserror::Error)]
pub enum FunctionsError {
    /// A function failed to start, as it would on Lambda.
    #[error(transparent)]
    Start(#[from] lambda::StartError),
    /// A variable is missing or invalid.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// A queue is missing.
    #[error("there is no queue {0}")]
    Queue(&'static str),
    /// An event source mapping is invalid.
    #[error(transparent)]
    EventSourceMapping(#[from] MappingError),
    /// The API's port can't be opened.
    #[error("{api} can't listen on 127.0.0.1:{port}: {cause}")]
    Listen {
        /// Which API it is.
        api: &'static str,
        /// The port.
        port: u16,
        /// The error of the operating system.
        cause: std::io::Error,
    },
}

/// The environment for a function's next invocation. A running invocation keeps the one in which it started.
#[derive(Clone)]
struct Environment<F>(Arc<RwLock<F>>);

impl<F: Clone> Environment<F> {
    fn new(function: F) -> Self {
        Self(Arc::new(RwLock::new(function)))
    }

    fn get(&self) -> F {
        self.0.read().clone()
    }

    fn replace(&self, function: F) {
        *self.0.write() = function;
    }
}

/// The configurations and environments of the functions.
#[derive(derive_more::Debug)]
#[debug("Deployed")]
struct Deployed {
    webhook: (config::WebhookConfig, SdkConfig, Environment<WebhookFunction>),
    inbound: (config::InboundConfig, SdkConfig, Environment<InboundFunction>),
    to_liveengage: (config::ToLiveEngageConfig, SdkConfig, Environment<QueueFunction>),
    to_channel: (config::ToChannelConfig, SdkConfig, Environment<QueueFunction>),
    refresh: (config::TokenRefreshConfig, SdkConfig, Environment<TokenRefreshFunction>),
    reconcile: (config::ReconcileConfig, SdkConfig, Environment<ReconcileFunction>),
    time_scale: TimeScale,
}

impl Deployed {
    fn start(
        environment: &impl config::Environment,
        aws: impl Fn(Function) -> SdkConfig,
        time_scale: TimeScale,
    ) -> Result<Self, FunctionsError> {
        let webhook = (config::WebhookConfig::read(environment)?, aws(Function::Webhook));
        let inbound = (config::InboundConfig::read(environment)?, aws(Function::Inbound));
        let to_liveengage = (config::ToLiveEngageConfig::read(environment)?, aws(Function::ToLiveEngage));
        let to_channel = (config::ToChannelConfig::read(environment)?, aws(Function::ToChannel));
        let refresh = (config::TokenRefreshConfig::read(environment)?, aws(Function::TokenRefresh));
        let reconcile = (config::ReconcileConfig::read(environment)?, aws(Function::Reconcile));
        let first = (
            lambda::webhook(&webhook.0, &webhook.1),
            lambda::inbound(&inbound.0, &inbound.1),
            lambda::to_liveengage(&to_liveengage.0, &to_liveengage.1)?.at_pace(time_scale),
            lambda::to_channel(&to_channel.0, &to_channel.1)?.at_pace(time_scale),
            lambda::token_refresh(&refresh.0, &refresh.1)?,
            lambda::reconcile(&reconcile.0, &reconcile.1)?,
        );
        Ok(Self {
            webhook: (webhook.0, webhook.1, Environment::new(first.0)),
            inbound: (inbound.0, inbound.1, Environment::new(first.1)),
            to_liveengage: (to_liveengage.0, to_liveengage.1, Environment::new(first.2)),
            to_channel: (to_channel.0, to_channel.1, Environment::new(first.3)),
            refresh: (refresh.0, refresh.1, Environment::new(first.4)),
            reconcile: (reconcile.0, reconcile.1, Environment::new(first.5)),
            time_scale,
        })
    }

    fn replace(&self, function: Function) -> Result<(), lambda::StartError> {
        match function {
            Function::Webhook => {
                let (config, aws, environment) = &self.webhook;
                environment.replace(lambda::webhook(config, aws));
            }
            Function::Inbound => {
                let (config, aws, environment) = &self.inbound;
                environment.replace(lambda::inbound(config, aws));
            }
            Function::ToLiveEngage => {
                let (config, aws, environment) = &self.to_liveengage;
                environment.replace(lambda::to_liveengage(config, aws)?.at_pace(self.time_scale));
            }
            Function::ToChannel => {
                let (config, aws, environment) = &self.to_channel;
                environment.replace(lambda::to_channel(config, aws)?.at_pace(self.time_scale));
            }
            Function::TokenRefresh => {
                let (config, aws, environment) = &self.refresh;
                environment.replace(lambda::token_refresh(config, aws)?);
            }
            Function::Reconcile => {
                let (config, aws, environment) = &self.reconcile;
                environment.replace(lambda::reconcile(config, aws)?);
            }
        }
        Ok(())
    }
}

/// The running functions. They stop when dropped.
#[derive(Debug)]
pub struct Functions {
    api: ApiGateway,
    lambda: LambdaApi,
    to_liveengage: EventSourceMapping,
    to_channel: EventSourceMapping,
    deployed: Deployed,
    _schedule: JoinSet<()>,
}

impl Functions {
    /// Starts the API, the two queue functions and the schedule with the stand-ins. `environment` is the functions'
    /// environment. Each function calls AWS under its name in the template.
    ///
    /// # Errors
    /// [`FunctionsError`].
    pub async fn start(
        aws: &AwsStandIns,
        environment: &impl config::Environment,
        options: &FunctionsOptions,
        journal: &Journal,
    ) -> Result<Self, FunctionsError> {
        let FunctionsOptions { api_port, lambda_port, time_scale, aws: endpoints, fault_plan } = options.clone();
        let sdk = |function: Function| aws.sdk_config_for(function.name(), &endpoints);
        let deployed = Deployed::start(environment, sdk, TimeScale::times(time_scale))?;

        let (killer, webhook, log) = (fault_plan.clone(), deployed.webhook.2.clone(), journal.clone());
        let webhook = in_process(move |request| {
            let (function, kill_point) = (webhook.get(), kill_point(killer.as_ref(), Function::Webhook));
            let call = async move { function.handle(request).await.map_err(|error| error.to_string()) };
            let call = call.instrument(request_span(&context(HTTP_TIMEOUT)));
            let log = log.clone();
            async move { limited(&kill_point, call).await.inspect(|answer| record_refusal(&log, Function::Webhook, answer)) }
        });
        let (killer, inbound, log) = (fault_plan.clone(), deployed.inbound.2.clone(), journal.clone());
        let inbound = in_process(move |request| {
            let (function, kill_point) = (inbound.get(), kill_point(killer.as_ref(), Function::Inbound));
            let call = async move { function.handle(request).await.map_err(|error| error.to_string()) };
            let call = call.instrument(request_span(&context(HTTP_TIMEOUT)));
            let log = log.clone();
            async move { limited(&kill_point, call).await.inspect(|answer| record_refusal(&log, Function::Inbound, answer)) }
        });
        let mappings = Mappings { aws, journal, function_timeout: WORKER_TIMEOUT / u32::from(time_scale.get()) };
        let start = |queue, function, destination, environment: &Environment<QueueFunction>| {
            let failures = fault_plan.as_ref().map(|fault_plan| fault_plan.failures(destination));
            mappings.start(queue, function, environment.clone(), failures)
        };
        let mut schedule = JoinSet::new();
        schedule.spawn(run_schedule(deployed.refresh.2.clone()));
        Ok(Self {
            api: ApiGateway::start(api_port, webhook, inbound).await.map_err(|cause| FunctionsError::Listen {
                api: "the API",
                port: api_port,
                cause,
            })?,
            lambda: LambdaApi::start(lambda_port, invocable(deployed.reconcile.2.clone()))
                .await
                .map_err(|cause| FunctionsError::Listen { api: "Lambda's Invoke API", port: lambda_port, cause })?,
            to_liveengage: start(
                TO_LIVEENGAGE,
                Function::ToLiveEngage,
                Destination::ToDesk,
                &deployed.to_liveengage.2,
            )?,
            to_channel: start(TO_CHANNEL, Function::ToChannel, Destination::ToPhone, &deployed.to_channel.2)?,
            deployed,
            _schedule: schedule,
        })
    }

    /// The address that LiveEngage and the channels post to, without a trailing slash.
    pub fn api_url(&self) -> String {
        self.api.url()
    }

    /// The address of Lambda's Invoke API, without a trailing slash.
    pub fn lambda_url(&self) -> String {
        self.lambda.url()
    }

    /// Replaces a function, as a deployment does. New invocations run in an environment with empty memory. Running
    /// invocations end in the old one.
    ///
    /// # Errors
    /// The new function failed to start. The old one stays.
    pub async fn replace(&self, function: Function) -> Result<(), lambda::StartError> {
        self.deployed.replace(function)
    }

    /// Invokes `reconcile` with this event, as its schedule or an operator does.
    ///
    /// # Errors
    /// The function's error.
    pub async fn reconcile(&self, event: Value) -> Result<ReconcileAnswer, FunctionError> {
        invoke(self.deployed.reconcile.2.get(), event).await
    }

    /// Waits until both queues are empty and no worker is running. Waits for retries too.
    pub async fn idle(&self) {
        self.to_liveengage.idle().await;
        self.to_channel.idle().await;
    }
}

/// Invokes `reconcile` with this event.
async fn invoke(function: ReconcileFunction, event: Value) -> Result<ReconcileAnswer, FunctionError> {
    let context = context(RECONCILE_TIMEOUT);
    let span = request_span(&context);
    function.handle(LambdaEvent::new(event, context)).instrument(span).await
}

/// `reconcile` behind Lambda's Invoke API.
fn invocable(environment: Environment<ReconcileFunction>) -> Invocable {
    Arc::new(move |event| {
        let function = environment.get();
        Box::pin(async move {
            let answer = invoke(function, event).await.map_err(|error| (error.name().to_owned(), error.to_string()))?;
            serde_json::to_value(answer).map_err(|error| ("Runtime.MarshalError".to_owned(), error.to_string()))
        })
    })
}

/// Says in the wire log why a function answers a request with an error. Its answer doesn't, because strangers can send requests, too.
fn record_refusal(journal: &Journal, function: Function, answer: &lambda_http::Response<lambda_http::Body>) {
    if let Some(lambda::Refusal(why)) = answer.extensions().get() {
        let what = format!("refused -> {}: {why}", answer.status().as_u16());
        journal.record(function.name(), "sender", what, None);
    }
}

/// When this invocation of an entry point is killed.
fn kill_point(fault_plan: Option<&FaultPlan>, function: Function) -> KillPoint {
    fault_plan.map(|fault_plan| fault_plan.entry_point_kill_point(function)).unwrap_or_default()
}

async fn limited<T>(kill_point: &KillPoint, call: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let life = tokio::time::timeout(HTTP_TIMEOUT, call);
    let outcome = kill_point.run(life).await.ok_or_else(|| "the function was killed".to_owned())?;
    outcome.map_err(|_| "the function timed out".to_owned())?
}

/// The common parameters of the event source mappings.
struct Mappings<'a> {
    aws: &'a AwsStandIns,
    journal: &'a Journal,
    function_timeout: Duration,
}

impl Mappings<'_> {
    /// Starts the event source mapping of one worker.
    fn start(
        &self,
        queue: &'static str,
        function: Function,
        environment: Environment<QueueFunction>,
        failures: Option<Arc<dyn FailureInjector>>,
    ) -> Result<EventSourceMapping, FunctionsError> {
        let options = MappingOptions { function_timeout: self.function_timeout, ..MappingOptions::default() };
        let (journal, name) = (self.journal.clone(), function.name());
        let handler: Handler = Arc::new(move |event: SqsEvent| {
            let (function, journal) = (environment.get(), journal.clone());
            Box::pin(async move {
                let tasks: Vec<_> = event
                    .records
                    .iter()
                    .map(|record| {
                        serde_json::from_str(record.body.as_deref().unwrap_or_default()).unwrap_or(json!(null))
                    })
                    .collect();
                let messages = tasks.len();
                let context = context(options.function_timeout);
                let span = request_span(&context);
                let result = function.handle(LambdaEvent::new(event, context)).instrument(span).await;
                let failed = result.as_ref().map_or(messages, |response| response.batch_item_failures.len());
                let outcome = if failed == 0 { "all done".to_owned() } else { format!("{failed} to come again") };
                journal.record("queue", name, format!("batch of {messages}: {outcome}"), Some(Value::Array(tasks)));
                result.map_err(|error| error.to_string())
            })
        });
        let queue = self.aws.queue(queue).ok_or(FunctionsError::Queue(queue))?;
        Ok(EventSourceMapping::start_with(queue, options, handler, failures)?)
    }
}

async fn run_schedule(function: Environment<TokenRefreshFunction>) {
    let mut ticks = tokio::time::interval(REFRESH_EVERY);
    loop {
        ticks.tick().await;
        // The function logs its own failure. The next run tries again.
        let context = context(REFRESH_TIMEOUT);
        let span = request_span(&context);
        let _ = function.get().handle(LambdaEvent::new(json!({}), context)).instrument(span).await;
    }
}

/// The context that Lambda passes to an invocation.
fn context(timeout: Duration) -> Context {
    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let mut context = Context::default();
    context.request_id = Uuid::new_v4().to_string();
    context.deadline = u64::try_from(SystemClock.now().as_millisecond()).unwrap_or(0).saturating_add(timeout_ms);
    context
}
