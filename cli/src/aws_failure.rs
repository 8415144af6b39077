//! What an operator is told when AWS doesn't do what was asked: the error with its code, and what to do.

use std::fmt::Display;

use aws_config::SdkConfig;
use connector::{
    aws::{NO_CONNECTION, NO_CREDENTIALS, TIMEOUT},
    port::{QueueError, SecretsError, StoreError},
};

/// An error of a port that AWS stands behind.
pub(crate) trait AwsError: Display {
    /// The service's code, or the SDK's failure in a word; `None` if it is about what AWS has answered.
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

/// A service of AWS, and where it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    name: &'static str,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In this region.
    Region(String),
    /// At this address, which is a lab's or the environment's.
    Endpoint(String),
}

impl Service {
    /// The service that a client with this configuration asks.
    pub(crate) fn new(name: &'static str, sdk: &SdkConfig) -> Self {
        let region = || sdk.region().map(ToString::to_string).unwrap_or_default();
        let place = sdk.endpoint_url().map_or_else(|| Place::Region(region()), |url| Place::Endpoint(origin(url)));
        Self { name, place }
    }

    /// Where it is asked.
    pub(crate) fn place(&self) -> String {
        match &self.place {
            Place::Region(region) => format!("in {region}"),
            Place::Endpoint(url) => format!("at {url}"),
        }
    }

    /// The error, and what to do. `rights` are what the call takes, as a policy names them.
    pub(crate) fn failure(&self, error: &impl AwsError, rights: &str) -> String {
        match error.code().and_then(|code| self.hint(code, rights)) {
            Some(hint) => format!("{error}. {hint}"),
            None => error.to_string(),
        }
    }

    fn hint(&self, code: &str, rights: &str) -> Option<String> {
        let name = self.name;
        Some(match code {
            NO_CREDENTIALS => "No AWS credentials: log in (aws sso login), or set AWS_PROFILE to a profile that has \
                               some."
                .to_owned(),
            NO_CONNECTION | TIMEOUT => match &self.place {
                Place::Region(region) => {
                    format!("Tried {name} in {region}: is the network up, and is that the right region?")
                }
                Place::Endpoint(url) => format!("Tried {name} at {url}: does it run, and is that its address?"),
            },
            "ExpiredToken"
            | "ExpiredTokenException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => "The credentials are expired or wrong: log in again.".to_owned(),
            "AccessDenied" | "AccessDeniedException" => {
                format!("These credentials may not do that: it takes {rights}.")
            }
            "AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist" | "ResourceNotFoundException" => {
                match &self.place {
                    Place::Region(region) => format!("It was looked for in {region}: is the stack there?"),
                    Place::Endpoint(url) => format!("It was looked for at {url}: is that the right address?"),
                }
            }
            // Secrets Manager's word for a secret that is marked for deletion, among others.
            "InvalidRequestException" => {
                "If it is marked for deletion: `aws secretsmanager restore-secret --secret-id NAME` brings it \
                                          back."
                    .to_owned()
            }
            _ => return None,
        })
    }
}

/// Scheme, host and port: what else is in an address may be a password.
fn origin(url: &str) -> String {
    url.parse::<url::Url>()
        .map_or_else(|_| "an address that is no URL".to_owned(), |url| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use aws_config::Region;
    use connector::domain::code::Code;

    use super::*;

    fn told(code: &str, endpoint: Option<&str>) -> String {
        let mut sdk = SdkConfig::builder().region(Region::from_static("eu-central-1"));
        sdk.set_endpoint_url(endpoint.map(str::to_owned));
        let service = Service::new("DynamoDB", &sdk.build());
        service.failure(&StoreError::Unavailable { code: Code::of(code) }, "dynamodb:Scan")
    }

    #[test]
    fn each_failure_says_what_to_do() {
        for (code, hint) in [
            (
                "no_credentials",
                "No AWS credentials: log in (aws sso login), or set AWS_PROFILE to a profile that has some.",
            ),
            ("no_connection", "Tried DynamoDB in eu-central-1: is the network up, and is that the right region?"),
            ("timeout", "Tried DynamoDB in eu-central-1: is the network up, and is that the right region?"),
            ("ExpiredToken", "The credentials are expired or wrong: log in again."),
            ("ExpiredTokenException", "The credentials are expired or wrong: log in again."),
            ("UnrecognizedClientException", "The credentials are expired or wrong: log in again."),
            ("InvalidClientTokenId", "The credentials are expired or wrong: log in again."),
            ("AccessDeniedException", "These credentials may not do that: it takes dynamodb:Scan."),
            (
                "InvalidRequestException",
                "If it is marked for deletion: `aws secretsmanager restore-secret --secret-id NAME` brings it back.",
            ),
            ("ResourceNotFoundException", "It was looked for in eu-central-1: is the stack there?"),
        ] {
            assert_eq!(told(code, None), format!("the table can't be used: {code}. {hint}"));
        }
        assert_eq!(told("ThrottlingException", None), "the table can't be used: ThrottlingException");
        assert!(told("no_connection", Some("http://me:canary@127.0.0.1:8000/?canary")).ends_with(
            "no_connection. Tried DynamoDB at http://127.0.0.1:8000: does it run, and is that its address?"
        ));
    }

    #[test]
    fn what_aws_has_answered_needs_no_hint() {
        let service = Service::new("Secrets Manager", &SdkConfig::builder().build());
        let missing =
            SecretsError::Missing { name: "connector/line/l".to_owned(), region: Some("eu-west-1".to_owned()) };
        assert_eq!(service.failure(&missing, "x"), "there is no secret named connector/line/l in eu-west-1");
    }
}
