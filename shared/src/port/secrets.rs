//! Long-lived secrets: how the functions read them, and how an operator changes them.

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::domain::code::Code;

/// The live versions of one secret: during a rotation there are two.
#[derive(Debug, Clone)]
pub struct SecretVersions {
    /// The current one: what outgoing calls use.
    pub current: SecretString,
    /// Since when the current one is, where that is known.
    pub current_since: Option<Timestamp>,
    /// The one before, if there is one: still believed on incoming requests for a day.
    pub previous: Option<SecretString>,
}

/// A secret that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// There is none of this name.
    #[error("there is no secret named {name}{}", in_region(region.as_deref()))]
    Missing {
        /// The name.
        name: String,
        /// Where it was looked for, if the secrets are kept by region.
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
    /// All live versions of a secret.
    async fn versions(&self, name: &str) -> Result<SecretVersions, SecretsError>;
}

/// One version of a secret as an operator sees it.
#[derive(Debug, Clone)]
pub struct StoredVersion {
    /// The service's name of the version.
    pub id: String,
    /// When it was written, where that is known.
    pub created_at: Option<Timestamp>,
    /// What it holds.
    pub value: SecretString,
}

/// A secret with the two versions that are live during a rotation.
#[derive(Debug, Clone)]
pub struct StoredSecret {
    /// The current one.
    pub current: StoredVersion,
    /// The one before, if there is one. The service keeps it until the next is written.
    pub previous: Option<StoredVersion>,
}

impl StoredSecret {
    /// Since when the two versions are in their places: since the younger of them was written. After a stage was moved back by hand,
    /// that is the previous one.
    pub fn staged_at(&self) -> Option<Timestamp> {
        self.previous.as_ref().and_then(|previous| previous.created_at).max(self.current.created_at)
    }
}

/// Writes secrets. No function has this right.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// A secret and its live versions, `None` if there is none of this name.
    ///
    /// # Errors
    /// [`SecretsError::Unavailable`].
    async fn stored(&self, name: &str) -> Result<Option<StoredSecret>, SecretsError>;

    /// Creates a secret.
    ///
    /// # Errors
    /// [`SecretsError::NotWritten`], also when there is one of this name.
    async fn create(&self, name: &str, value: &SecretString) -> Result<(), SecretsError>;

    /// Gives a secret a new current version: the current one becomes the previous one, in the same step.
    ///
    /// # Errors
    /// [`SecretsError::Missing`], [`SecretsError::NotWritten`].
    async fn put(&self, name: &str, value: &SecretString) -> Result<(), SecretsError>;
}
