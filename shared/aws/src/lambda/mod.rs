//! The six Lambda functions. `functions/*/src/main.rs` runs one each, and the lab runs all in one process.

use std::sync::Arc;

use aws_config::SdkConfig;
use lambda_http::{Body, Request, Response};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;

use crate::{
    DynamoDbStore, SecretsManager, SqsQueue, SystemClock,
    outgoing_http::{self, ReqwestHttp},
};
use connector::{
    app::{
        inbound::AcceptChannelRequest,
        liveengage_client::LiveEngage,
        reconcile::{Reconcile, ReconcilePorts},
        registry::{Accounts, Registered, Registry},
        to_channel::DeliverToChannel,
        to_liveengage::DeliverToLiveEngage,
        token_refresh::RefreshTokens,
        webhook::AcceptWebhook,
        worker::WorkerPorts,
    },
    log_event,
};

pub mod batch;
pub mod config;
pub mod failure;
pub mod gateway_event;
pub mod http;
pub mod logs;
pub mod metrics;
pub mod schedule;

pub use batch::QueueFunction;
pub use failure::FunctionError;
pub use http::{InboundFunction, Refusal, WebhookFunction};
pub use logs::init_logs;
pub use schedule::{ReconcileAnswer, ReconcileFunction, ReconciledAccount, TokenRefreshFunction};

/// Why a function failed to start. The text names the variable.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An environment variable is missing or invalid.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// The HTTP client can't be created.
    #[error(transparent)]
    Http(#[from] outgoing_http::ClientError),
}

/// Logs why a function failed to start. An error that `main` returns is printed without a level, and Lambda may filter it out.
///
/// # Errors
/// Returns `error`.
pub fn started<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, E> {
    result.inspect_err(|error| log_event!(FUNCTION_START_FAILED, %error))
}

/// Runs a function behind API Gateway until its environment ends.
///
/// # Errors
/// If Lambda's runtime API fails.
pub async fn serve_http<H, A>(handle: H) -> Result<(), lambda_http::Error>
where
    H: Fn(Request) -> A,
    A: Future<Output = Result<Response<Body>, FunctionError>>,
{
    let handle = &handle;
    // Not `lambda_http::run`: its conversion of events panics, and would parse a checked event again (see `gateway_event`).
    let invoked = |event: LambdaEvent<Box<RawValue>>| async move {
        let request = gateway_event::request(event.payload.get())?;
        handle(request).await.map(gateway_event::answer)
    };
    lambda_runtime::run(service_fn(invoked)).await
}

/// Logs that a function has started, with its name and version.
fn ready(function: &'static str) {
    log_event!(FUNCTION_READY, function, version = env!("CARGO_PKG_VERSION"));
}

/// Starts `webhook`.
pub fn webhook(config: &config::WebhookConfig, aws: &SdkConfig) -> WebhookFunction {
    let accounts = registry(&config.accounts, aws);
    let queue = SqsQueue::new(aws_sdk_sqs::Client::new(aws), &config.to_channel_queue_url);
    ready("webhook");
    WebhookFunction::new(AcceptWebhook::new(accounts, Arc::new(queue)), Arc::new(SystemClock))
}

/// Starts `inbound`.
pub fn inbound(config: &config::InboundConfig, aws: &SdkConfig) -> InboundFunction {
    let lines = registry(&config.lines, aws);
    let queue = SqsQueue::new(aws_sdk_sqs::Client::new(aws), &config.to_liveengage_queue_url);
    ready("inbound");
    InboundFunction::new(AcceptChannelRequest::new(lines, Arc::new(queue)), Arc::new(SystemClock))
}

/// Starts `to-liveengage`.
///
/// # Errors
/// [`StartError`].
pub fn to_liveengage(config: &config::ToLiveEngageConfig, aws: &SdkConfig) -> Result<QueueFunction, StartError> {
    let (accounts, lines) = (registry(&config.accounts, aws), registry(&config.lines, aws));
    let Workers { liveengage, ports, own } = workers(
        accounts,
        aws,
        &config.table,
        Queues { to_liveengage: &config.to_liveengage_queue_url, to_channel: &config.to_channel_queue_url },
        |to_liveengage, _| to_liveengage,
    )?;
    let worker = DeliverToLiveEngage::new(lines, liveengage, ports);
    ready("to-liveengage");
    Ok(QueueFunction::new(Arc::new(worker), own, Arc::new(SystemClock)))
}

/// Starts `to-channel`.
///
/// # Errors
/// [`StartError`].
pub fn to_channel(config: &config::ToChannelConfig, aws: &SdkConfig) -> Result<QueueFunction, StartError> {
    let (accounts, lines) = (registry(&config.accounts, aws), registry(&config.lines, aws));
    let Workers { liveengage, ports, own } = workers(
        accounts,
        aws,
        &config.table,
        Queues { to_liveengage: &config.to_liveengage_queue_url, to_channel: &config.to_channel_queue_url },
        |_, to_channel| to_channel,
    )?;
    let worker = DeliverToChannel::new(lines, liveengage, ports);
    ready("to-channel");
    Ok(QueueFunction::new(Arc::new(worker), own, Arc::new(SystemClock)))
}

/// The URLs of both queues.
struct Queues<'a> {
    to_liveengage: &'a str,
    to_channel: &'a str,
}

/// The parts that both workers share.
struct Workers {
    liveengage: Arc<LiveEngage>,
    ports: WorkerPorts,
    /// The queue that the worker receives from.
    own: Arc<SqsQueue>,
}

fn workers(
    accounts: Arc<Accounts>,
    aws: &SdkConfig,
    table: &str,
    queues: Queues<'_>,
    own: impl Fn(Arc<SqsQueue>, Arc<SqsQueue>) -> Arc<SqsQueue>,
) -> Result<Workers, StartError> {
    let store = Arc::new(DynamoDbStore::new(aws_sdk_dynamodb::Client::new(aws), table));
    let http = Arc::new(ReqwestHttp::new(outgoing_http::client()?));
    let sqs = aws_sdk_sqs::Client::new(aws);
    let to_liveengage = Arc::new(SqsQueue::new(sqs.clone(), queues.to_liveengage));
    let to_channel = Arc::new(SqsQueue::new(sqs, queues.to_channel));
    let liveengage =
        Arc::new(LiveEngage::new(accounts, Arc::<DynamoDbStore>::clone(&store), Arc::<ReqwestHttp>::clone(&http)));
    let own = own(Arc::clone(&to_liveengage), Arc::clone(&to_channel));
    let ports = WorkerPorts {
        consumers: Arc::<DynamoDbStore>::clone(&store),
        messages: Arc::<DynamoDbStore>::clone(&store),
        ledger: store,
        http,
        to_liveengage,
        to_channel,
        clock: Arc::new(SystemClock),
    };
    Ok(Workers { liveengage, ports, own })
}

/// Starts `token-refresh`.
///
/// # Errors
/// [`StartError`].
pub fn token_refresh(config: &config::TokenRefreshConfig, aws: &SdkConfig) -> Result<TokenRefreshFunction, StartError> {
    let accounts = registry(&config.accounts, aws);
    let store = Arc::new(DynamoDbStore::new(aws_sdk_dynamodb::Client::new(aws), &config.table));
    let http = Arc::new(ReqwestHttp::new(outgoing_http::client()?));
    let liveengage = Arc::new(LiveEngage::new(Arc::clone(&accounts), store, http));
    ready("token-refresh");
    Ok(TokenRefreshFunction::new(RefreshTokens::new(accounts, liveengage), Arc::new(SystemClock)))
}

/// Starts `reconcile`.
///
/// # Errors
/// [`StartError`].
pub fn reconcile(config: &config::ReconcileConfig, aws: &SdkConfig) -> Result<ReconcileFunction, StartError> {
    let accounts = registry(&config.accounts, aws);
    let store = Arc::new(DynamoDbStore::new(aws_sdk_dynamodb::Client::new(aws), &config.table));
    let http = Arc::new(ReqwestHttp::new(outgoing_http::client()?));
    let to_channel = Arc::new(SqsQueue::new(aws_sdk_sqs::Client::new(aws), &config.to_channel_queue_url));
    let tokens = Arc::<DynamoDbStore>::clone(&store);
    let liveengage = Arc::new(LiveEngage::new(Arc::clone(&accounts), tokens, http));
    let ports = ReconcilePorts {
        conversations: Arc::<DynamoDbStore>::clone(&store),
        consumers: Arc::<DynamoDbStore>::clone(&store),
        messages: Arc::<DynamoDbStore>::clone(&store),
        ledger: store,
        to_channel,
        clock: Arc::new(SystemClock),
    };
    ready("reconcile");
    Ok(ReconcileFunction::new(Reconcile::new(accounts, liveengage, ports), Arc::new(SystemClock)))
}

fn registry<T: Registered>(config: &config::SecretsConfig<T::Id>, aws: &SdkConfig) -> Arc<Registry<T>> {
    let secrets = Arc::new(SecretsManager::new(aws_sdk_secretsmanager::Client::new(aws)));
    Arc::new(Registry::new(secrets, &config.prefix, &config.ids))
}
