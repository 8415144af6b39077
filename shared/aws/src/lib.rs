#![doc = include_str!("../README.md")]

use std::error::Error;

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
mod sdk;
mod secrets_manager;
mod sqs;
#[cfg(test)]
mod wire_tests;

pub use clock::SystemClock;
pub use dead_letters::DeadLetterQueue;
pub use dynamodb::DynamoDbStore;
pub use parked::ParkedTable;
pub use sdk::{TimeoutProfile, sdk_config, sdk_http_client, sdk_retries};
pub use secrets_manager::SecretsManager;
pub use sqs::{SqsQueue, visibility_timeout};

/// The code for a call that was not made, because no credentials were found to sign it with.
pub const NO_CREDENTIALS: &str = "no_credentials";

/// The code for a call that could not reach the service.
pub const NO_CONNECTION: &str = "no_connection";

/// The code for a call that timed out.
pub const TIMEOUT: &str = "timeout";

/// Returns a code for an error of an SDK call, without any value of the request: the service's error code, or the kind of failure.
pub fn error_code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Code {
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
        BehaviorVersion, Region, SdkConfig,
        profile::{
            ProfileFileCredentialsProvider,
            profile_file::{ProfileFileKind, ProfileFiles},
        },
        provider_config::ProviderConfig,
        retry::RetryConfig,
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
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&ProviderConfig::empty().with_http_client(sdk_http_client().unwrap()))
            .profile_files(files)
            .profile_name(profile)
            .build();
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(sdk_http_client().unwrap())
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
