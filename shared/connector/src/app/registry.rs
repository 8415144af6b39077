//! The configured accounts and lines. The environment lists their ids; the secrets hold their settings.
//!
//! An id that is not configured is rejected before any outside call, so that unauthenticated requests can't cause calls to Secrets Manager.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use secrecy::{ExposeSecret, SecretString};

use super::settings::{Account, LineSettings};
use crate::{
    domain::id::LineId,
    log_event,
    port::{SecretVersions, Secrets, SecretsError},
};
use connector_liveengage::id::AccountId;
use connector_message::settings::WrongField;

/// How long a secret is used before it is read again.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_mins(5);

/// The shortest time between two reads of a secret after failed verifications. Unauthenticated requests can cause such failures, so the
/// reads are limited.
pub const REREAD_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// How long the previous version of a secret is accepted after a rotation. Secrets Manager keeps it until the next rotation, and a secret
/// that was rotated because it leaked must stop working.
pub const PREVIOUS_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Why a secret can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The secret can't be read.
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

/// A type whose settings are in a secret of its own.
pub trait Registered: Sized {
    /// The type of its id.
    type Id: Clone + Ord + Hash + Send + Sync;

    /// The part of the secret's name before the id.
    const KIND: &'static str;

    /// The id as in the secret's name.
    fn id_text(id: &Self::Id) -> &str;

    /// Parses one version of the secret.
    ///
    /// # Errors
    /// [`WrongField`] for the first field that is missing or wrong.
    fn parse(id: &Self::Id, secret: &SecretString) -> Result<Self, WrongField>;
}

/// Returns the name of the secret of an account or line: `<prefix>/<kind>/<id>`.
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
    /// The current version, which outgoing calls use.
    pub current: T,
    /// The previous version, which is accepted on incoming requests for [`PREVIOUS_FOR`] after a rotation.
    pub previous: Option<T>,
}

impl<T> Versions<T> {
    /// Returns all live versions, the current one first.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

struct Entry<T> {
    versions: Arc<Versions<T>>,
    /// The current version as it was read, to detect a newer one.
    text: SecretString,
    read_at: Timestamp,
    /// The last time that rereading failed.
    failed_at: Option<Timestamp>,
}

impl<T> Entry<T> {
    fn is_due(&self, age: SignedDuration, now: Timestamp) -> bool {
        now.duration_since(self.read_at) >= age
            && self.failed_at.is_none_or(|failed_at| now.duration_since(failed_at) >= REREAD_AFTER)
    }
}

/// All accounts, or all lines, of a deployment, with their settings in memory.
#[derive(derive_more::Debug)]
#[debug("Registry of {}s under {prefix}", T::KIND)]
pub struct Registry<T: Registered> {
    secrets: Arc<dyn Secrets>,
    prefix: String,
    entries: Mutex<HashMap<T::Id, Entry<T>>>,
}

/// The accounts.
pub type Accounts = Registry<Account>;
/// The lines.
pub type Lines = Registry<LineSettings>;

impl<T: Registered> Registry<T> {
    /// Reads the secrets of all `ids`, named `<prefix>/<kind>/<id>`. A function starts only if all of them are valid.
    ///
    /// # Errors
    /// The first [`RegistryError`].
    pub async fn load(
        secrets: Arc<dyn Secrets>,
        prefix: &str,
        ids: &[T::Id],
        now: Timestamp,
    ) -> Result<Self, RegistryError> {
        let registry = Self { secrets, prefix: prefix.to_owned(), entries: Mutex::default() };
        // Read them concurrently, so that a cold start with ten lines doesn't take ten times as long.
        futures::future::try_join_all(ids.iter().map(|id| registry.read(id, now))).await?;
        Ok(registry)
    }

    /// Returns the configured ids, sorted.
    pub fn ids(&self) -> Vec<T::Id> {
        let mut ids: Vec<_> = self.lock().keys().cloned().collect();
        ids.sort_unstable();
        ids
    }

    /// Returns an account or line. Rereads its secret if that was read more than [`FRESH_FOR`] ago; if rereading fails, returns the old
    /// versions. `None`, without any outside call, if it isn't configured.
    pub async fn get(&self, id: &T::Id, now: Timestamp) -> Option<Arc<Versions<T>>> {
        self.get_no_older_than(FRESH_FOR, id, now).await
    }

    /// Like [`Self::get`], after a failure that a newer secret would fix: rereads the secret unless it was read less than [`REREAD_AFTER`]
    /// ago.
    pub async fn get_after_failure(&self, id: &T::Id, now: Timestamp) -> Option<Arc<Versions<T>>> {
        self.get_no_older_than(REREAD_AFTER, id, now).await
    }

    async fn get_no_older_than(&self, age: SignedDuration, id: &T::Id, now: Timestamp) -> Option<Arc<Versions<T>>> {
        let versions = match self.lock().get(id)? {
            entry if entry.is_due(age, now) => Arc::clone(&entry.versions),
            entry => return Some(Arc::clone(&entry.versions)),
        };
        match self.read(id, now).await {
            Ok(versions) => Some(versions),
            Err(error) => {
                log_event!(SECRET_RELOAD_FAILED, %error);
                if let Some(entry) = self.lock().get_mut(id) {
                    entry.failed_at = Some(now);
                }
                Some(versions)
            }
        }
    }

    async fn read(&self, id: &T::Id, now: Timestamp) -> Result<Arc<Versions<T>>, RegistryError> {
        let name = secret_name::<T>(&self.prefix, id);
        let SecretVersions { current: text, current_since, previous } = self.secrets.versions(&name).await?;
        let current = T::parse(id, &text).map_err(|wrong| RegistryError::Wrong { secret: name.clone(), wrong })?;
        // Ignore a previous version that can't be parsed: it only serves to verify requests.
        let in_rotation = current_since.is_none_or(|since| now.duration_since(since) < PREVIOUS_FOR);
        let previous = previous.filter(|_| in_rotation).and_then(|secret| T::parse(id, &secret).ok());
        let versions = Arc::new(Versions { current, previous });
        let entry = Entry { versions: Arc::clone(&versions), text: text.clone(), read_at: now, failed_at: None };
        let before = self.lock().insert(id.clone(), entry);
        let since = current_since.map(|since| since.to_string());
        match before {
            None => log_event!(SECRET_LOADED, secret = name, since),
            Some(before) if before.text.expose_secret() != text.expose_secret() => {
                log_event!(SECRET_REPLACED, secret = name, since);
            }
            Some(_) => {}
        }
        Ok(versions)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<T::Id, Entry<T>>> {
        self.entries.lock()
    }
}
