//! Secrets in Secrets Manager.

use async_trait::async_trait;
use aws_sdk_secretsmanager::{Client, operation::get_secret_value::GetSecretValueError};
use jiff::Timestamp;
use secrecy::SecretString;

use super::error_code;
use crate::port::{SecretVersions, Secrets, SecretsError};

/// Reads secrets, uncached: the registry keeps what it reads.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: Client,
}

struct Version {
    secret: SecretString,
    since: Option<Timestamp>,
}

impl SecretsManager {
    /// Reads with `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    async fn version(&self, name: &str, stage: &str) -> Result<Option<Version>, SecretsError> {
        match self.client.get_secret_value().secret_id(name).version_stage(stage).send().await {
            Ok(output) => Ok(output.secret_string.map(|secret| Version {
                since: output.created_date.and_then(|at| Timestamp::from_second(at.secs()).ok()),
                secret: SecretString::from(secret),
            })),
            Err(error)
                if matches!(error.as_service_error(), Some(GetSecretValueError::ResourceNotFoundException(_))) =>
            {
                Ok(None)
            }
            Err(error) => Err(SecretsError::Unavailable { name: name.to_owned(), code: error_code(&error) }),
        }
    }
}

#[async_trait]
impl Secrets for SecretsManager {
    async fn versions(&self, name: &str) -> Result<SecretVersions, SecretsError> {
        // Both at once: an entry point may be reading a secret again while LiveEngage waits.
        let (current, previous) = futures::join!(self.version(name, "AWSCURRENT"), self.version(name, "AWSPREVIOUS"));
        let current = current?.ok_or_else(|| SecretsError::Missing { name: name.to_owned() })?;
        let previous = previous?.map(|version| version.secret);
        Ok(SecretVersions { current: current.secret, current_since: current.since, previous })
    }
}
