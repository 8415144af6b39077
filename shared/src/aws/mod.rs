//! The ports on AWS.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

mod dead_letters;
mod dynamodb;
mod form;
pub mod key;
mod parked;
mod secrets_manager;
mod sqs;

pub use dead_letters::DeadLetterQueue;
pub use dynamodb::DynamoDbStore;
pub use parked::ParkedTable;
pub use secrets_manager::SecretsManager;
pub use sqs::SqsQueue;

/// How long a function may wait for AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// An entry point: 2 s for a call with all its attempts. LiveEngage may disable an app whose endpoint is slower than 2.5 s over
    /// two minutes, and gives up on a call after 5 s; channels give 3 to 5 s.
    EntryPoint,
    /// A worker: 5 s for a call with all its attempts.
    Worker,
}

/// The configuration of all SDK clients: region and credentials as Lambda gives them, endpoints as `AWS_ENDPOINT_URL_*` names
/// them (`sam local` does), and three attempts within the function's patience.
pub async fn sdk_config(patience: Patience) -> SdkConfig {
    let (attempt, operation) = match patience {
        Patience::EntryPoint => (Duration::from_millis(900), Duration::from_secs(2)),
        Patience::Worker => (Duration::from_secs(2), Duration::from_secs(5)),
    };
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(attempt.min(Duration::from_secs(1)))
                .operation_attempt_timeout(attempt)
                .operation_timeout(operation)
                .build(),
        )
        .load()
        .await
}

/// A word for what went wrong, without any value of the request: the service's code, or the kind of failure.
fn error_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("unknown_service_error").to_owned(),
        SdkError::TimeoutError(_) => "timeout".to_owned(),
        SdkError::DispatchFailure(_) => "no_connection".to_owned(),
        SdkError::ResponseError(_) => "unreadable_response".to_owned(),
        SdkError::ConstructionFailure(_) => "unbuildable".to_owned(),
        _ => "unknown_error".to_owned(),
    }
}
