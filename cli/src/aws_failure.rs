//! The message for the operator when an AWS call fails: the error with its code, and what to do.

use std::fmt::Display;

use aws_config::SdkConfig;
use connector::port::{QueueError, SecretsError, StoreError};
use connector_aws::{NO_CONNECTION, NO_CREDENTIALS, TIMEOUT};

/// An error of a port that AWS implements.
pub(crate) trait AwsError: Display {
    /// The error code of the service or the SDK; `None` if the error is about the content of an answer.
    fn code(&self) -> Option<&str>;
}

impl AwsError for SecretsError {
    fn code(&self) -> Option<&str> {
        match self {
            Self::Unavailable { code, .. } | Self::NotWritten { code, .. } => Some(code.as_str()),
            Self::Missing { .. } => None,
        }
    }
}

impl AwsError for StoreError {
    fn code(&self) -> Option<&str> {
        match self {
            Self::Unavailable { code } => Some(code.as_str()),
            Self::Unreadable { .. } | Self::LeaseLost => None,
        }
    }
}

impl AwsError for QueueError {
    fn code(&self) -> Option<&str> {
        Some(self.code.as_str())
    }
}

/// An AWS service and its location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    name: &'static str,
    location: Location,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Location {
    /// In this region.
    Region(String),
    /// At this address: that of a lab, or one from the environment.
    Endpoint(String),
}

impl Service {
    /// The service that a client with this configuration calls.
    pub(crate) fn new(name: &'static str, sdk: &SdkConfig) -> Self {
        let region = || sdk.region().map(ToString::to_string).unwrap_or_default();
        let location =
            sdk.endpoint_url().map_or_else(|| Location::Region(region()), |url| Location::Endpoint(origin(url)));
        Self { name, location }
    }

    /// The location of the service, for a message.
    pub(crate) fn location(&self) -> String {
        match &self.location {
            Location::Region(region) => format!("in {region}"),
            Location::Endpoint(url) => format!("at {url}"),
        }
    }

    /// The error, and what to do. `rights` are the IAM actions that the call needs.
    pub(crate) fn failure(&self, error: &impl AwsError, rights: &str) -> String {
        match error.code().and_then(|code| self.hint(code, rights)) {
            Some(hint) => format!("{error}. {hint}"),
            None => error.to_string(),
        }
    }

    fn hint(&self, code: &str, rights: &str) -> Option<String> {
        let name = self.name;
        Some(match code {
            NO_CREDENTIALS => "Found no AWS credentials: run `aws sso login`, or set AWS_PROFILE to a profile with credentials."
                .to_owned(),
            NO_CONNECTION | TIMEOUT => match &self.location {
                Location::Region(region) => {
                    format!("{name} in {region} can't be reached: check the network and the region.")
                }
                Location::Endpoint(url) => format!("{name} at {url} can't be reached: check that it runs, and its address."),
            },
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => "The AWS credentials are expired or invalid: log in again.".to_owned(),
            "AccessDenied" | "AccessDeniedException" => {
                format!("The AWS credentials lack permissions: the command needs {rights}.")
            }
            "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist" | "ResourceNotFoundException" => {
                match &self.location {
                    Location::Region(region) => format!("It doesn't exist in {region}: check that the stack is deployed there."),
                    Location::Endpoint(url) => format!("It doesn't exist at {url}: check the address."),
                }
            }
            // Secrets Manager answers this for a secret that is marked for deletion, among others.
            "InvalidRequestException" => {
                "If the secret is marked for deletion, `aws secretsmanager restore-secret --secret-id NAME` restores it."
                    .to_owned()
            }
            _ => return None,
        })
    }
}

/// Scheme, host and port only: the rest of an address may contain a password.
fn origin(url: &str) -> String {
    url.parse::<url::Url>().map_or_else(|_| "an invalid URL".to_owned(), |url| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use aws_config::Region;
    use connector_message::code::Code;

    use super::*;

    fn message(code: &str, endpoint: Option<&str>) -> String {
        let mut sdk = SdkConfig::builder().region(Region::from_static("eu-central-1"));
        sdk.set_endpoint_url(endpoint.map(str::to_owned));
        let service = Service::new("DynamoDB", &sdk.build());
        service.failure(&StoreError::Unavailable { code: Code::of(code) }, "dynamodb:Scan")
    }

    #[test]
    fn each_aws_error_prints_a_hint() {
        for (code, hint) in [
            (
                "no_credentials",
                "Found no AWS credentials: run `aws sso login`, or set AWS_PROFILE to a profile with credentials.",
            ),
            ("no_connection", "DynamoDB in eu-central-1 can't be reached: check the network and the region."),
            ("timeout", "DynamoDB in eu-central-1 can't be reached: check the network and the region."),
            ("ExpiredToken", "The AWS credentials are expired or invalid: log in again."),
            ("ExpiredTokenException", "The AWS credentials are expired or invalid: log in again."),
            ("UnrecognizedClientException", "The AWS credentials are expired or invalid: log in again."),
            ("InvalidClientTokenId", "The AWS credentials are expired or invalid: log in again."),
            ("AccessDeniedException", "The AWS credentials lack permissions: the command needs dynamodb:Scan."),
            (
                "InvalidRequestException",
                "If the secret is marked for deletion, `aws secretsmanager restore-secret --secret-id NAME` restores it.",
            ),
            ("ResourceNotFoundException", "It doesn't exist in eu-central-1: check that the stack is deployed there."),
        ] {
            assert_eq!(message(code, None), format!("the table can't be used: {code}. {hint}"));
        }
        assert_eq!(message("ThrottlingException", None), "the table can't be used: ThrottlingException");
        assert!(message("no_connection", Some("http://me:canary@127.0.0.1:8000/?canary")).ends_with(
            "no_connection. DynamoDB at http://127.0.0.1:8000 can't be reached: check that it runs, and its address."
        ));
    }

    #[test]
    fn an_answer_from_aws_gets_no_hint() {
        let service = Service::new("Secrets Manager", &SdkConfig::builder().build());
        let missing =
            SecretsError::Missing { name: "connector/line/l".to_owned(), region: Some("eu-west-1".to_owned()) };
        assert_eq!(service.failure(&missing, "x"), "there is no secret named connector/line/l in eu-west-1");
    }
}
