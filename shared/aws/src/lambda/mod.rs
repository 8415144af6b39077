//! The five Lambda functions. `functions/*/src/main.rs` runs one each, and the lab runs all in one process.

use std::sync::Arc;

use aws_config::SdkConfig;
use lambda_http::tower::util::MapRequestLayer;
use lambda_runtime::{LambdaInvocation, layers::TracingLayer};

use crate::{
    DynamoDbStore, SecretsManager, SqsQueue, SystemClock,
    outgoing_http::{self, ReqwestHttp},
};
use connector::{
    app::{
        inbound::AcceptChannelRequest,
        liveengage_client::LiveEngage,
        registry::{Accounts, Lines, Registered, Registry, RegistryError},
        to_channel::DeliverToChannel,
        to_liveengage::DeliverToLiveEngage,
        token_refresh::RefreshTokens,
        webhook::AcceptWebhook,
        worker::WorkerPorts,
    },
    domain::id::LineId,
    log_event,
    port::Clock,
};
use connector_liveengage::id::AccountId;

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
pub use http::{InboundFunction, WebhookFunction};
pub use logs::init_logs;
pub use schedule::TokenRefreshFunction;

/// Why a function failed to start. The text names the variable, or the secret and its field.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An environment variable is missing or invalid.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// A secret can't be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A line names an account that the deployment doesn't have.
    #[error("the secret of the line {line}: account_id: {account} is not in CONNECTOR_ACCOUNTS")]
    LineWithoutAccount {
        /// The line.
        line: LineId,
        /// The account that its secret names.
        account: AccountId,
    },
    /// The HTTP client can't be created.
    #[error("the HTTP client can't be created: {0}")]
    Http(reqwest::Error),
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
    H: Fn(lambda_http::Request) -> A + Send + 'static,
    A: Future<Output = Result<lambda_http::Response<lambda_http::Body>, FunctionError>> + Send + 'static,
{
    let rebuilt = |mut invocation: LambdaInvocation| {
        invocation.body = gateway_event::rebuilt(&invocation.body);
        invocation
    };
    // Add the layer that `lambda_http::run` would add, outside of ours, so that every record belongs to its invocation.
    let runtime = lambda_http::runtime(lambda_http::service_fn(handle));
    runtime.layer(MapRequestLayer::new(rebuilt)).layer(TracingLayer::new()).run().await
}

/// Logs that a function has started, with its name and version.
fn ready(function: &'static str) {
    log_event!(FUNCTION_READY, function, version = env!("CARGO_PKG_VERSION"));
}

/// Starts `webhook`.
///
/// # Errors
/// [`StartError`].
pub async fn webhook(config: &config::WebhookConfig, aws: &SdkConfig) -> Result<WebhookFunction, StartError> {
    let accounts = registry(&config.accounts, aws).await?;
    let queue = SqsQueue::new(aws_sdk_sqs::Client::new(aws), &config.to_channel_queue_url);
    ready("webhook");
    Ok(WebhookFunction::new(AcceptWebhook::new(accounts, Arc::new(queue)), Arc::new(SystemClock)))
}

/// Starts `inbound`.
///
/// # Errors
/// [`StartError`].
pub async fn inbound(config: &config::InboundConfig, aws: &SdkConfig) -> Result<InboundFunction, StartError> {
    let lines = registry(&config.lines, aws).await?;
    let queue = SqsQueue::new(aws_sdk_sqs::Client::new(aws), &config.to_liveengage_queue_url);
    ready("inbound");
    Ok(InboundFunction::new(AcceptChannelRequest::new(lines, Arc::new(queue)), Arc::new(SystemClock)))
}

/// Starts `to-liveengage`.
///
/// # Errors
/// [`StartError`].
pub async fn to_liveengage(config: &config::ToLiveEngageConfig, aws: &SdkConfig) -> Result<QueueFunction, StartError> {
    let (accounts, lines) = futures::try_join!(registry(&config.accounts, aws), registry(&config.lines, aws))?;
    check_accounts(&accounts, &lines).await?;
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
pub async fn to_channel(config: &config::ToChannelConfig, aws: &SdkConfig) -> Result<QueueFunction, StartError> {
    let (accounts, lines) = futures::try_join!(registry(&config.accounts, aws), registry(&config.lines, aws))?;
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
    let http = Arc::new(ReqwestHttp::new(outgoing_http::client().map_err(StartError::Http)?));
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
pub async fn token_refresh(
    config: &config::TokenRefreshConfig,
    aws: &SdkConfig,
) -> Result<TokenRefreshFunction, StartError> {
    let accounts = registry(&config.accounts, aws).await?;
    let store = Arc::new(DynamoDbStore::new(aws_sdk_dynamodb::Client::new(aws), &config.table));
    let http = Arc::new(ReqwestHttp::new(outgoing_http::client().map_err(StartError::Http)?));
    let liveengage = Arc::new(LiveEngage::new(Arc::clone(&accounts), store, http));
    ready("token-refresh");
    Ok(TokenRefreshFunction::new(RefreshTokens::new(accounts, liveengage), Arc::new(SystemClock)))
}

/// Checks that every line names an account of this deployment. Otherwise the line's messages would be accepted, but could never be
/// delivered.
async fn check_accounts(accounts: &Accounts, lines: &Lines) -> Result<(), StartError> {
    let (known, now) = (accounts.ids(), SystemClock.now());
    for line in lines.ids() {
        if let Some(versions) = lines.get(&line, now).await
            && !known.contains(&versions.current.account)
        {
            return Err(StartError::LineWithoutAccount { line, account: versions.current.account.clone() });
        }
    }
    Ok(())
}

async fn registry<T: Registered>(
    config: &config::SecretsConfig<T::Id>,
    aws: &SdkConfig,
) -> Result<Arc<Registry<T>>, StartError> {
    let secrets = Arc::new(SecretsManager::new(aws_sdk_secretsmanager::Client::new(aws)));
    Ok(Arc::new(Registry::load(secrets, &config.prefix, &config.ids, SystemClock.now()).await?))
}
