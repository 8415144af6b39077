//! Long-lived secrets: how the functions read them, and how an operator changes them.

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use connector_message::code::Code;

/// One version of a secret, as a function reads it.
#[derive(Debug, Clone)]
pub struct SecretVersion {
    /// The value.
    pub value: SecretString,
    /// When it was written, if known.
    pub created_at: Option<Timestamp>,
}

/// Why a secret can't be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// There is no secret with this name.
    #[error("there is no secret named {name}{}", in_region(region.as_deref()))]
    Missing {
        /// The name.
        name: String,
        /// The region that was searched, if the service has regions.
        region: Option<String>,
    },
    /// It can't be read now.
    #[error("the secret {name} can't be read: {code}")]
    Unavailable {
        /// The name.
        name: String,
        /// The service's error code.
        code: Code,
    },
    /// It can't be written.
    #[error("the secret {name} can't be written: {code}")]
    NotWritten {
        /// The name.
        name: String,
        /// The service's error code.
        code: Code,
    },
}

fn in_region(region: Option<&str>) -> String {
    region.map_or_else(String::new, |region| format!(" in {region}"))
}

/// Reads secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Returns a secret's current version, which outgoing calls use.
    ///
    /// # Errors
    /// [`SecretsError::Missing`], [`SecretsError::Unavailable`].
    async fn current(&self, name: &str) -> Result<SecretVersion, SecretsError>;

    /// Returns a secret's previous version, if there is one. It is accepted on incoming requests for a day.
    ///
    /// # Errors
    /// [`SecretsError::Unavailable`].
    async fn previous(&self, name: &str) -> Result<Option<SecretVersion>, SecretsError>;
}

/// One version of a secret, for the operator's commands.
#[derive(Debug, Clone)]
pub struct StoredVersion {
    /// The service's id of the version.
    pub id: String,
    /// When it was written, if known.
    pub created_at: Option<Timestamp>,
    /// The value.
    pub value: SecretString,
}

/// A secret with the two versions that are live during a rotation.
#[derive(Debug, Clone)]
pub struct StoredSecret {
    /// The current version.
    pub current: StoredVersion,
    /// The previous version, if there is one. The service keeps it until the next one is written.
    pub previous: Option<StoredVersion>,
}

impl StoredSecret {
    /// Returns since when the two versions have been current and previous: since the younger of them was written. That is the previous one
    /// if an operator has moved the stages back by hand.
    pub fn staged_at(&self) -> Option<Timestamp> {
        self.previous.as_ref().and_then(|previous| previous.created_at).max(self.current.created_at)
    }
}

/// Reads and writes secrets for the operator's commands. No function has permission to write.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// Returns a secret's live versions. `None` if there is no secret with this name.
    ///
    /// # Errors
    /// [`SecretsError::Unavailable`].
    async fn stored(&self, name: &str) -> Result<Option<StoredSecret>, SecretsError>;

    /// Creates a secret.
    ///
    /// # Errors
    /// [`SecretsError::NotWritten`], also if there is one with this name.
    async fn create(&self, name: &str, value: &SecretString) -> Result<(), SecretsError>;

    /// Adds a new current version to a secret. The current version becomes the previous one in the same step.
    ///
    /// # Errors
    /// [`SecretsError::Missing`], [`SecretsError::NotWritten`].
    async fn put(&self, name: &str, value: &SecretString) -> Result<(), SecretsError>;
}
