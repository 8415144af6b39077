//! Secrets in Secrets Manager.

use async_trait::async_trait;
use aws_sdk_secretsmanager::{
    Client,
    operation::{get_secret_value::GetSecretValueError, put_secret_value::PutSecretValueError},
};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::error_code;
use connector::port::{SecretStore, SecretVersion, Secrets, SecretsError, StoredSecret, StoredVersion};

/// The stage of a secret's current version.
const CURRENT: &str = "AWSCURRENT";
/// The stage of the version before it.
const PREVIOUS: &str = "AWSPREVIOUS";

/// Reads secrets without a cache, because the registry caches them. Writes them for an operator, if the operator's credentials allow it.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: Client,
    key_of_new: Option<String>,
}

impl SecretsManager {
    /// Creates it with `client`.
    pub fn new(client: Client) -> Self {
        Self { client, key_of_new: None }
    }

    /// Encrypts new secrets with this KMS key, given by its ARN, id or alias. `None`: the account's default key. An existing secret keeps
    /// its key.
    pub fn with_key_of_new(self, key: Option<String>) -> Self {
        Self { key_of_new: key, ..self }
    }

    /// Returns the error for a missing secret. It names the region, because the same name in another region is another secret.
    pub fn missing(&self, name: &str) -> SecretsError {
        let region = self.client.config().region().map(ToString::to_string);
        SecretsError::Missing { name: name.to_owned(), region }
    }

    async fn version(&self, name: &str, stage: &str) -> Result<Option<StoredVersion>, SecretsError> {
        match self.client.get_secret_value().secret_id(name).version_stage(stage).send().await {
            Ok(output) => Ok(output.secret_string.map(|secret| StoredVersion {
                id: output.version_id.unwrap_or_default(),
                created_at: output.created_date.and_then(|at| Timestamp::from_second(at.secs()).ok()),
                value: SecretString::from(secret),
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
    async fn current(&self, name: &str) -> Result<SecretVersion, SecretsError> {
        let StoredVersion { value, created_at, .. } =
            self.version(name, CURRENT).await?.ok_or_else(|| self.missing(name))?;
        Ok(SecretVersion { value, created_at })
    }

    async fn previous(&self, name: &str) -> Result<Option<SecretVersion>, SecretsError> {
        let previous = self.version(name, PREVIOUS).await?;
        Ok(previous.map(|StoredVersion { value, created_at, .. }| SecretVersion { value, created_at }))
    }
}

#[async_trait]
impl SecretStore for SecretsManager {
    async fn stored(&self, name: &str) -> Result<Option<StoredSecret>, SecretsError> {
        // Read the versions one after the other, in this order. If a version were added between two concurrent reads, they could return the
        // newest version and the one before the previous. Webhooks that are signed with the version in between would then be rejected.
        let Some(current) = self.version(name, CURRENT).await? else { return Ok(None) };
        let previous = self.version(name, PREVIOUS).await?;
        Ok(Some(StoredSecret { current, previous }))
    }

    async fn create(&self, name: &str, value: &SecretString) -> Result<(), SecretsError> {
        let call = self.client.create_secret().name(name).secret_string(value.expose_secret());
        let created = call.set_kms_key_id(self.key_of_new.clone()).send().await;
        created.map(drop).map_err(|error| SecretsError::NotWritten { name: name.to_owned(), code: error_code(&error) })
    }

    async fn put(&self, name: &str, value: &SecretString) -> Result<(), SecretsError> {
        // Without explicit stages, Secrets Manager moves AWSCURRENT to the new version and AWSPREVIOUS to the one before.
        match self.client.put_secret_value().secret_id(name).secret_string(value.expose_secret()).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.as_service_error(), Some(PutSecretValueError::ResourceNotFoundException(_))) =>
            {
                Err(self.missing(name))
            }
            Err(error) => Err(SecretsError::NotWritten { name: name.to_owned(), code: error_code(&error) }),
        }
    }
}
