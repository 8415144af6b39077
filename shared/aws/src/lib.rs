#![doc = include_str!("../README.md")]

use std::{error::Error, time::Duration};

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    config::{Credentials, ProvideCredentials, SharedCredentialsProvider},
    error::{ProvideErrorMetadata, SdkError},
};

use connector_message::code::Code;

mod clock;
mod dead_letters;
mod dynamodb;
mod item;
pub mod key;
pub mod lambda;
pub mod outgoing_http;
mod parked;
mod schema_version;
mod secrets_manager;
mod sqs;
#[cfg(test)]
mod wire_tests;

pub use clock::SystemClock;
pub use dead_letters::DeadLetterQueue;
pub use dynamodb::DynamoDbStore;
pub use parked::ParkedTable;
pub use secrets_manager::SecretsManager;
pub use sqs::{SqsQueue, visibility_timeout};

/// How long a function may wait for a response of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeoutProfile {
    /// For an entry point: 2 s for a call with all its attempts. LiveEngage may disable an app whose endpoint is slower than 2.5 s over two
    /// minutes, and gives up on a call after 5 s. Channels give up after 3 to 5 s.
    EntryPoint,
    /// For a worker: 5 s for a call with all its attempts.
    Worker,
}

/// Returns the configuration of all SDK clients.
///
/// Region and credentials come from Lambda's environment, and endpoints from `AWS_ENDPOINT_URL_*` (which `sam local` sets). A call has
/// three attempts within the profile's time.
pub async fn sdk_config(timeouts: TimeoutProfile) -> SdkConfig {
    let (attempt, operation) = match timeouts {
        TimeoutProfile::EntryPoint => (Duration::from_millis(900), Duration::from_secs(2)),
        TimeoutProfile::Worker => (Duration::from_secs(2), Duration::from_secs(5)),
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

/// The code for a call that was not made, because no credentials were found to sign it with.
pub const NO_CREDENTIALS: &str = "no_credentials";

/// The code for a call that could not reach the service.
pub const NO_CONNECTION: &str = "no_connection";

/// The code for a call that timed out.
pub const TIMEOUT: &str = "timeout";

/// Returns a code for an error, without any value of the request: the service's error code, or the kind of failure.
fn error_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Code {
    match error {
        SdkError::ServiceError(service) => {
            service.err().code().map_or(Code::internal("unknown_service_error"), Code::of)
        }
        SdkError::TimeoutError(_) => Code::internal(TIMEOUT),
        // The SDK loads credentials when it dispatches the request, so a failure to load them is a dispatch failure.
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) if is_of_credentials(error) => Code::internal(NO_CREDENTIALS),
            _ => Code::internal(NO_CONNECTION),
        },
        SdkError::ResponseError(_) => Code::internal("unreadable_response"),
        SdkError::ConstructionFailure(_) => Code::internal("unbuildable"),
        _ => Code::internal("unknown_error"),
    }
}

/// Whether a credentials provider caused an error, directly or indirectly.
fn is_of_credentials(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .any(|cause| is_what_fails(|provider| provider.provide_credentials(), cause))
}

/// Whether an error has the type that `provide` fails with. The SDK's clients don't re-export that type, and a direct dependency on its
/// crate could be of another version, which would never match.
fn is_what_fails<F, E>(_provide: fn(&'static SharedCredentialsProvider) -> F, error: &(dyn Error + 'static)) -> bool
where
    F: Future<Output = Result<Credentials, E>>,
    E: Error + 'static,
{
    error.is::<E>()
}

#[cfg(test)]
#[expect(deprecated, reason = "profiles as a text: what is to be used instead is in a crate that is no dependency")]
mod tests {
    use aws_config::{
        Region,
        profile::{
            ProfileFileCredentialsProvider,
            profile_file::{ProfileFileKind, ProfileFiles},
        },
    };
    use aws_sdk_secretsmanager::Client;

    use super::*;
    use connector::port::{SecretStore as _, SecretsError};

    const PROFILES: &str = "[profile with-keys]
aws_access_key_id = AKIACANARY
aws_secret_access_key = canary-key

[profile without-keys]
region = eu-central-1

[profile loop]
role_arn = arn:aws:iam::111122223333:role/canary
source_profile = again

[profile again]
role_arn = arn:aws:iam::111122223333:role/canary
source_profile = loop
";

    /// Returns the error code of a call that is signed with a profile's credentials and goes to a port without a listener.
    async fn code(profile: &str) -> String {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let files = ProfileFiles::builder().with_contents(ProfileFileKind::Config, PROFILES).build();
        let provider = ProfileFileCredentialsProvider::builder().profile_files(files).profile_name(profile).build();
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static("eu-central-1"))
            .retry_config(RetryConfig::disabled())
            .credentials_provider(SharedCredentialsProvider::new(provider))
            .endpoint_url(format!("http://{port}"))
            .build();
        match SecretsManager::new(Client::new(&sdk)).stored("connector/line/sms-main").await {
            Err(SecretsError::Unavailable { code, .. }) => code.into(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn missing_credentials_are_distinguished_from_an_unreachable_service() {
        for profile in ["no-such-profile", "without-keys", "loop"] {
            assert_eq!(code(profile).await, "no_credentials", "{profile}");
        }
        assert_eq!(code("with-keys").await, "no_connection");
    }
}
