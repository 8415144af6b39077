//! Secrets in Secrets Manager.

use async_trait::async_trait;
use aws_sdk_secretsmanager::{Client, operation::get_secret_value::GetSecretValueError};
use secrecy::SecretString;

use super::error_code;
use crate::port::{SecretVersions, Secrets, SecretsError};

/// Reads secrets, uncached: the registry keeps what it reads.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: Client,
}

impl SecretsManager {
    /// Reads with `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    async fn version(&self, name: &str, stage: &str) -> Result<Option<SecretString>, SecretsError> {
        match self.client.get_secret_value().secret_id(name).version_stage(stage).send().await {
            Ok(output) => Ok(output.secret_string.map(SecretString::from)),
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
        let current =
            self.version(name, "AWSCURRENT").await?.ok_or_else(|| SecretsError::Missing { name: name.to_owned() })?;
        let previous = self.version(name, "AWSPREVIOUS").await?;
        Ok(SecretVersions { current, previous })
    }
}
