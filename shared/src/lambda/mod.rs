//! The five Lambda functions: what `functions/*/src/main.rs` runs, and what the lab runs in one process.

use std::sync::Arc;

use aws_config::SdkConfig;

use crate::{
    app::{
        inbound::AcceptChannelRequest,
        liveengage_client::LiveEngage,
        registry::{Registered, Registry, RegistryError},
        to_channel::DeliverToChannel,
        to_liveengage::DeliverToLiveEngage,
        token_refresh::RefreshTokens,
        webhook::AcceptWebhook,
    },
    aws::{DynamoDbStore, SecretsManager, SqsQueue},
    outgoing_http::{self, ReqwestHttp},
    port::{Clock, SystemClock},
};

pub mod batch;
pub mod config;
pub mod http;
pub mod schedule;

pub use batch::QueueFunction;
pub use http::{InboundFunction, WebhookFunction};
pub use schedule::TokenRefreshFunction;

/// Why a function doesn't start. The text names the variable, or the secret and its field.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The environment.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// A secret.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The HTTP client.
    #[error("the HTTP client can't be made: {0}")]
    Http(reqwest::Error),
}

/// Logs go to standard output as Lambda's advanced logging controls say: JSON, and the level of `AWS_LAMBDA_LOG_LEVEL`.
pub fn init_logs() {
    lambda_runtime::tracing::init_default_subscriber();
}

/// Starts `webhook`.
///
/// # Errors
/// [`StartError`].
pub async fn webhook(config: &config::WebhookConfig, aws: &SdkConfig) -> Result<WebhookFunction, StartError> {
    let accounts = registry(&config.accounts, aws).await?;
    let queue = SqsQueue::new(aws_sdk_sqs::Client::new(aws), &config.to_channel_queue_url);
    Ok(WebhookFunction::new(AcceptWebhook::new(accounts, Arc::new(queue)), Arc::new(SystemClock)))
}

/// Starts `inbound`.
///
/// # Errors
/// [`StartError`].
pub async fn inbound(config: &config::InboundConfig, aws: &SdkConfig) -> Result<InboundFunction, StartError> {
    let lines = registry(&config.lines, aws).await?;
    let queue = SqsQueue::new(aws_sdk_sqs::Client::new(aws), &config.to_liveengage_queue_url);
    Ok(InboundFunction::new(AcceptChannelRequest::new(lines, Arc::new(queue)), Arc::new(SystemClock)))
}

/// Starts `to-liveengage`.
///
/// # Errors
/// [`StartError`].
pub async fn to_liveengage(config: &config::ToLiveEngageConfig, aws: &SdkConfig) -> Result<QueueFunction, StartError> {
    let accounts = registry(&config.accounts, aws).await?;
    let lines = registry(&config.lines, aws).await?;
    let store = Arc::new(DynamoDbStore::new(aws_sdk_dynamodb::Client::new(aws), &config.table));
    let http = Arc::new(ReqwestHttp::new(outgoing_http::client().map_err(StartError::Http)?));
    let liveengage = Arc::new(LiveEngage::new(accounts, Arc::<DynamoDbStore>::clone(&store), http));
    let worker = DeliverToLiveEngage::new(lines, liveengage, Arc::<DynamoDbStore>::clone(&store), store);
    let queue = SqsQueue::new(aws_sdk_sqs::Client::new(aws), &config.to_liveengage_queue_url);
    Ok(QueueFunction::new(Arc::new(worker), Arc::new(queue), Arc::new(SystemClock)))
}

/// Starts `to-channel`.
///
/// # Errors
/// [`StartError`].
pub async fn to_channel(config: &config::ToChannelConfig, aws: &SdkConfig) -> Result<QueueFunction, StartError> {
    let lines = registry(&config.lines, aws).await?;
    let store = Arc::new(DynamoDbStore::new(aws_sdk_dynamodb::Client::new(aws), &config.table));
    let http = Arc::new(ReqwestHttp::new(outgoing_http::client().map_err(StartError::Http)?));
    let worker = DeliverToChannel::new(lines, http, Arc::<DynamoDbStore>::clone(&store), store);
    let queue = SqsQueue::new(aws_sdk_sqs::Client::new(aws), &config.to_channel_queue_url);
    Ok(QueueFunction::new(Arc::new(worker), Arc::new(queue), Arc::new(SystemClock)))
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
    Ok(TokenRefreshFunction::new(RefreshTokens::new(accounts, liveengage), Arc::new(SystemClock)))
}

async fn registry<T: Registered>(
    config: &config::SecretsConfig<T::Id>,
    aws: &SdkConfig,
) -> Result<Arc<Registry<T>>, StartError> {
    let secrets = Arc::new(SecretsManager::new(aws_sdk_secretsmanager::Client::new(aws)));
    Ok(Arc::new(Registry::load(secrets, &config.prefix, &config.ids, SystemClock.now()).await?))
}
