//! The configured accounts and lines: which there are comes from the environment, what they are from their secrets.
//!
//! An id that is not configured is refused before any outside call: a stranger can't make the connector ask Secrets Manager.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::settings::{Account, LineSettings};
use crate::{
    domain::{
        id::{AccountId, LineId},
        settings::WrongField,
    },
    port::{SecretVersions, Secrets, SecretsError},
};

/// How long a secret is used before it is read again.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_mins(5);

/// How often at the most a failed verification makes a secret be read again: strangers can cause failures.
pub const REREAD_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// How long after a rotation the secret before it is still believed. Secrets Manager keeps it until the next rotation, and one that was
/// rotated because it leaked must not be good for ever.
pub const PREVIOUS_FOR: SignedDuration = SignedDuration::from_hours(24);

/// A secret that a function can't start or work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It can't be read.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// A field is missing or wrong.
    #[error("the secret {secret}: {wrong}")]
    Wrong {
        /// The secret's name.
        secret: String,
        /// The field.
        wrong: WrongField,
    },
}

/// Something whose settings are in a secret of its own.
pub trait Registered: Sized {
    /// Its id.
    type Id: Clone + Eq + Hash + Send + Sync;

    /// The last part but one of the secret's name.
    const KIND: &'static str;

    /// The id as it stands in the secret's name.
    fn id_text(id: &Self::Id) -> &str;

    /// Reads one version of the secret.
    ///
    /// # Errors
    /// [`WrongField`].
    fn parse(id: &Self::Id, secret: &SecretString) -> Result<Self, WrongField>;
}

/// The name of the secret of an account or line: `<prefix>/<kind>/<id>`.
pub fn secret_name<T: Registered>(prefix: &str, id: &T::Id) -> String {
    format!("{prefix}/{}/{}", T::KIND, T::id_text(id))
}

impl Registered for Account {
    type Id = AccountId;
    const KIND: &'static str = "account";
    fn id_text(id: &AccountId) -> &str {
        id.as_str()
    }
    fn parse(id: &AccountId, secret: &SecretString) -> Result<Self, WrongField> {
        Self::read(id, secret)
    }
}

impl Registered for LineSettings {
    type Id = LineId;
    const KIND: &'static str = "line";
    fn id_text(id: &LineId) -> &str {
        id.as_str()
    }
    fn parse(id: &LineId, secret: &SecretString) -> Result<Self, WrongField> {
        Self::read(id, secret)
    }
}

/// The live versions of one account or line.
#[derive(Debug)]
pub struct Versions<T> {
    /// What outgoing calls use.
    pub current: T,
    /// Still believed on incoming requests, while a rotation is under way.
    pub previous: Option<T>,
}

impl<T> Versions<T> {
    /// All live versions, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

struct Known<T> {
    versions: Arc<Versions<T>>,
    /// The current version as it was read, to know a newer one.
    text: SecretString,
    read_at: Timestamp,
    /// When reading it again failed last.
    failed_at: Option<Timestamp>,
}

impl<T> Known<T> {
    fn is_to_be_read(&self, age: SignedDuration, now: Timestamp) -> bool {
        now.duration_since(self.read_at) >= age
            && self.failed_at.is_none_or(|failed_at| now.duration_since(failed_at) >= REREAD_AFTER)
    }
}

/// All accounts, or all lines, of a deployment.
pub struct Registry<T: Registered> {
    secrets: Arc<dyn Secrets>,
    prefix: String,
    known: Mutex<HashMap<T::Id, Known<T>>>,
}

/// The accounts.
pub type Accounts = Registry<Account>;
/// The lines.
pub type Lines = Registry<LineSettings>;

impl<T: Registered> std::fmt::Debug for Registry<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registry of {}s under {}", T::KIND, self.prefix)
    }
}

impl<T: Registered> Registry<T> {
    /// Reads the secrets of all `ids`, named `<prefix>/<kind>/<id>`. A function starts only when every one is right.
    ///
    /// # Errors
    /// The first [`RegistryError`].
    pub async fn load(
        secrets: Arc<dyn Secrets>,
        prefix: &str,
        ids: &[T::Id],
        now: Timestamp,
    ) -> Result<Self, RegistryError> {
        let registry = Self { secrets, prefix: prefix.to_owned(), known: Mutex::default() };
        // All at once: a cold start with ten lines should not take ten times as long.
        futures::future::try_join_all(ids.iter().map(|id| registry.read(id, now))).await?;
        Ok(registry)
    }

    /// The configured ids, in no order.
    pub fn ids(&self) -> Vec<T::Id> {
        self.lock().keys().cloned().collect()
    }

    /// An account or line, read again when it is older than [`FRESH_FOR`]; the old one goes on when that fails. `None` for one
    /// that isn't configured, without any outside call.
    pub async fn get(&self, id: &T::Id, now: Timestamp) -> Option<Arc<Versions<T>>> {
        self.younger_than(FRESH_FOR, id, now).await
    }

    /// The same after something failed that a newer secret would mend: read again unless that was done a minute ago.
    pub async fn get_after_failure(&self, id: &T::Id, now: Timestamp) -> Option<Arc<Versions<T>>> {
        self.younger_than(REREAD_AFTER, id, now).await
    }

    async fn younger_than(&self, age: SignedDuration, id: &T::Id, now: Timestamp) -> Option<Arc<Versions<T>>> {
        let versions = match self.lock().get(id)? {
            known if known.is_to_be_read(age, now) => Arc::clone(&known.versions),
            known => return Some(Arc::clone(&known.versions)),
        };
        match self.read(id, now).await {
            Ok(versions) => Some(versions),
            Err(error) => {
                tracing::error!(%error, "a secret can't be read again; the last good version stays in use");
                if let Some(known) = self.lock().get_mut(id) {
                    known.failed_at = Some(now);
                }
                Some(versions)
            }
        }
    }

    async fn read(&self, id: &T::Id, now: Timestamp) -> Result<Arc<Versions<T>>, RegistryError> {
        let name = secret_name::<T>(&self.prefix, id);
        let SecretVersions { current: text, current_since, previous } = self.secrets.versions(&name).await?;
        let current = T::parse(id, &text).map_err(|wrong| RegistryError::Wrong { secret: name.clone(), wrong })?;
        // A previous version that can't be read any more verifies nothing, and that is all it is for.
        let in_rotation = current_since.is_none_or(|since| now.duration_since(since) < PREVIOUS_FOR);
        let previous = previous.filter(|_| in_rotation).and_then(|secret| T::parse(id, &secret).ok());
        let versions = Arc::new(Versions { current, previous });
        let known = Known { versions: Arc::clone(&versions), text: text.clone(), read_at: now, failed_at: None };
        let before = self.lock().insert(id.clone(), known);
        let since = current_since.map(|since| since.to_string());
        match before {
            None => tracing::info!(secret = name, since, count = 1, "a secret is in use"),
            Some(before) if before.text.expose_secret() != text.expose_secret() => {
                tracing::info!(secret = name, since, count = 1, "a newer version of a secret is in use");
            }
            Some(_) => {}
        }
        Ok(versions)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<T::Id, Known<T>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
