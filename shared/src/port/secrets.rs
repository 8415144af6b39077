//! Long-lived secrets.

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

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
    #[error("there is no secret named {name}")]
    Missing {
        /// The name.
        name: String,
    },
    /// It can't be read now.
    #[error("the secret {name} can't be read: {code}")]
    Unavailable {
        /// The name.
        name: String,
        /// The service's error code.
        code: String,
    },
}

/// Reads secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// All live versions of a secret.
    async fn versions(&self, name: &str) -> Result<SecretVersions, SecretsError>;
}
