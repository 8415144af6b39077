//! The ports on AWS.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

mod dynamodb;
pub mod key;
mod secrets_manager;
mod sqs;

pub use dynamodb::DynamoDbStore;
pub use secrets_manager::SecretsManager;
pub use sqs::SqsQueue;

/// The configuration of all SDK clients: region and credentials as Lambda gives them, endpoints as `AWS_ENDPOINT_URL_*` names
/// them (the lab and `sam local` do), three attempts, and no call longer than 5 s, so that an entry point answers in time.
pub async fn sdk_config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(1))
                .operation_attempt_timeout(Duration::from_secs(2))
                .operation_timeout(Duration::from_secs(5))
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
