//! The five functions, wired as the template wires them, with their own handlers and real AWS and HTTP clients.

use std::{sync::Arc, time::Duration};

use aws_lambda_events::event::sqs::SqsEvent;
use connector::{
    lambda::{self, QueueFunction, TokenRefreshFunction, config},
    port::{Clock, SystemClock},
};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    api_gateway::{ApiGateway, HttpFunction},
    aws::{AwsStandIns, TO_CHANNEL, TO_LIVEENGAGE},
    journal::Journal,
    pump::{Handler, Pump, PumpError, PumpOptions},
};

/// The template's timeout of the two HTTP functions.
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
/// The template's timeout of the workers.
const WORKER_TIMEOUT: Duration = Duration::from_secs(60);
/// The template's schedule of `token-refresh`, and its timeout.
const REFRESH_EVERY: Duration = Duration::from_secs(600);
const REFRESH_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the functions don't run.
#[derive(Debug, thiserror::Error)]
pub enum FunctionsError {
    /// A function doesn't start: as it would be on Lambda.
    #[error(transparent)]
    Start(#[from] lambda::StartError),
    /// A variable is missing or wrong.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// A queue is missing.
    #[error("there is no queue {0}")]
    Queue(&'static str),
    /// An event source mapping can't be set up.
    #[error(transparent)]
    Pump(#[from] PumpError),
    /// The API's port can't be opened.
    #[error("the API can't listen on 127.0.0.1:{port}: {cause}")]
    Listen {
        /// The port.
        port: u16,
        /// What the operating system says.
        cause: std::io::Error,
    },
}

/// The running functions. They stop when this is dropped.
#[derive(Debug)]
pub struct Functions {
    api: ApiGateway,
    to_liveengage: Pump,
    to_channel: Pump,
    _schedule: JoinSet<()>,
}

impl Functions {
    /// Starts the API, the two queue functions and the schedule, on the stand-ins. `environment` is the functions' environment.
    ///
    /// # Errors
    /// [`FunctionsError`].
    pub async fn start(
        aws: &AwsStandIns,
        environment: &impl config::Environment,
        api_port: u16,
        journal: &Journal,
    ) -> Result<Self, FunctionsError> {
        let sdk = aws.sdk_config();
        let webhook = Arc::new(lambda::webhook(&config::WebhookConfig::read(environment)?, sdk).await?);
        let inbound = Arc::new(lambda::inbound(&config::InboundConfig::read(environment)?, sdk).await?);
        let to_liveengage = lambda::to_liveengage(&config::ToLiveEngageConfig::read(environment)?, sdk).await?;
        let to_channel = lambda::to_channel(&config::ToChannelConfig::read(environment)?, sdk).await?;
        let refresh = lambda::token_refresh(&config::TokenRefreshConfig::read(environment)?, sdk).await?;

        let webhook: HttpFunction = Arc::new(move |request| {
            let function = Arc::clone(&webhook);
            Box::pin(limited(async move { function.handle(request).await.map_err(|error| error.to_string()) }))
        });
        let inbound: HttpFunction = Arc::new(move |request| {
            let function = Arc::clone(&inbound);
            Box::pin(limited(async move { function.handle(request).await.map_err(|error| error.to_string()) }))
        });
        let mut schedule = JoinSet::new();
        schedule.spawn(run_schedule(refresh));
        Ok(Self {
            api: ApiGateway::start(api_port, webhook, inbound)
                .await
                .map_err(|cause| FunctionsError::Listen { port: api_port, cause })?,
            to_liveengage: pump(aws, TO_LIVEENGAGE, "to-liveengage", to_liveengage, journal)?,
            to_channel: pump(aws, TO_CHANNEL, "to-channel", to_channel, journal)?,
            _schedule: schedule,
        })
    }

    /// Where LiveEngage and the channels post to, without a trailing slash.
    pub fn api_url(&self) -> String {
        self.api.url()
    }

    /// Waits until both queues are empty and no worker is at work. Waits for retries too.
    pub async fn idle(&self) {
        self.to_liveengage.idle().await;
        self.to_channel.idle().await;
    }
}

async fn limited<T>(call: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    tokio::time::timeout(HTTP_TIMEOUT, call).await.map_err(|_| "the function timed out".to_owned())?
}

fn pump(
    aws: &AwsStandIns,
    queue: &'static str,
    name: &'static str,
    function: QueueFunction,
    journal: &Journal,
) -> Result<Pump, FunctionsError> {
    let options = PumpOptions { function_timeout: WORKER_TIMEOUT, ..PumpOptions::default() };
    let journal = journal.clone();
    let handler: Handler = Arc::new(move |event: SqsEvent| {
        let (function, journal) = (function.clone(), journal.clone());
        Box::pin(async move {
            let tasks: Vec<_> = event
                .records
                .iter()
                .map(|record| serde_json::from_str(record.body.as_deref().unwrap_or_default()).unwrap_or(json!(null)))
                .collect();
            let messages = tasks.len();
            let context = context(options.function_timeout);
            let result = function.handle(LambdaEvent::new(event, context)).await;
            let failed = result.as_ref().map_or(messages, |response| response.batch_item_failures.len());
            let outcome = if failed == 0 { "all done".to_owned() } else { format!("{failed} to come again") };
            journal.record("queue", name, format!("batch of {messages}: {outcome}"), Some(json!(tasks)));
            result.map_err(|error| error.to_string())
        })
    });
    Ok(Pump::start(aws.queue(queue).ok_or(FunctionsError::Queue(queue))?, options, handler)?)
}

async fn run_schedule(function: TokenRefreshFunction) {
    let mut ticks = tokio::time::interval(REFRESH_EVERY);
    loop {
        ticks.tick().await;
        // The function logs its own failure; the next run is the next try.
        let _ = function.handle(LambdaEvent::new(json!({}), context(REFRESH_TIMEOUT))).await;
    }
}

/// The context that Lambda gives an invocation.
fn context(timeout: Duration) -> Context {
    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let mut context = Context::default();
    context.request_id = Uuid::new_v4().to_string();
    context.deadline = u64::try_from(SystemClock.now().as_millisecond()).unwrap_or(0).saturating_add(timeout_ms);
    context
}
