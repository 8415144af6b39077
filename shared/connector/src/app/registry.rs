//! The configured accounts and lines. The environment lists their ids; the secrets hold their settings.
//!
//! A secret is read when its account or line is first needed, so a secret that can't be used harms no other account or line. An id that is
//! not configured is rejected before any outside call, so that unauthenticated requests can't cause calls to Secrets Manager.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

use super::settings::{Account, LineSettings};
use crate::{
    domain::id::LineId,
    log_event,
    port::{SecretVersion, Secrets, SecretsError},
};
use connector_liveengage::id::AccountId;
use connector_message::settings::WrongField;

/// How long a secret is used before it is read again.
pub const FRESH_FOR: SignedDuration = SignedDuration::from_mins(5);

/// The shortest time between two reads of a secret after failed verifications. Unauthenticated requests can cause such failures, so the
/// reads are limited.
pub const REREAD_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// How long a secret that can't be used, and of which no earlier version was read, is not read again.
pub const UNUSABLE_FOR: SignedDuration = SignedDuration::from_secs(5);

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

/// Why an account or line can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotUsable {
    /// The deployment doesn't have it.
    #[error("not configured")]
    NotConfigured,
    /// Its secret can't be used now.
    #[error(transparent)]
    Secret(#[from] RegistryError),
}

/// A type whose settings are in a secret of its own.
pub trait Registered: Sized {
    /// The type of its id.
    type Id: Clone + Ord + Send + Sync;

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

/// The version of a secret with which a request was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedWith {
    /// The current version.
    Current,
    /// The previous version, which is accepted for [`PREVIOUS_FOR`] after a rotation.
    Previous,
}

/// Why a request was not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotVerified<E> {
    /// No live version verifies it.
    Refused(E),
    /// The versions are not known.
    NotUsable(NotUsable),
}

impl<E> From<NotUsable> for NotVerified<E> {
    fn from(error: NotUsable) -> Self {
        Self::NotUsable(error)
    }
}

/// The current version of a secret.
struct Current<T> {
    settings: Arc<T>,
    /// The secret as it was read, to detect a newer one.
    text: SecretString,
    created_at: Option<Timestamp>,
    read_at: Timestamp,
}

/// The previous version of a secret.
struct Previous<T> {
    /// `None` if there is none, or if it can't be parsed: it only serves to verify requests.
    settings: Option<Arc<T>>,
    /// Until when it is accepted. `None` if it isn't known since when it has been the previous version.
    until: Option<Timestamp>,
    read_at: Timestamp,
}

impl<T> Previous<T> {
    fn live(&self, now: Timestamp) -> Option<Arc<T>> {
        self.settings.clone().filter(|_| self.until.is_none_or(|until| now < until))
    }
}

/// What is known about a secret.
struct Known<T> {
    current: Option<Current<T>>,
    previous: Option<Previous<T>>,
    /// The last time that the current version could not be read, and why.
    failed: Option<(Timestamp, RegistryError)>,
    /// The same for the previous version.
    previous_failed: Option<(Timestamp, RegistryError)>,
}

impl<T> Known<T> {
    /// Returns the current version if it need not be read again.
    fn current(&self, age: SignedDuration, now: Timestamp) -> Option<Result<Arc<T>, RegistryError>> {
        let since_failure = self.failed.as_ref().map(|(at, error)| (now.duration_since(*at), error));
        match (&self.current, since_failure) {
            (Some(current), _) if now.duration_since(current.read_at) < age => Some(Ok(Arc::clone(&current.settings))),
            (Some(current), Some((since, _))) if since < REREAD_AFTER => Some(Ok(Arc::clone(&current.settings))),
            (None, Some((since, error))) if since < UNUSABLE_FOR => Some(Err(error.clone())),
            _ => None,
        }
    }

    /// Returns the previous version, if there is one, if it need not be read again.
    fn previous(&self, now: Timestamp) -> Option<Result<Option<Arc<T>>, RegistryError>> {
        match (&self.previous, &self.previous_failed) {
            (Some(previous), _) if now.duration_since(previous.read_at) < REREAD_AFTER => Some(Ok(previous.live(now))),
            (None, Some((at, error))) if now.duration_since(*at) < UNUSABLE_FOR => Some(Err(error.clone())),
            _ => None,
        }
    }
}

/// One account or line.
struct Slot<T> {
    known: Mutex<Known<T>>,
    /// Held while the secret is read, so that messages that need it at the same time read it once.
    reading: futures::lock::Mutex<()>,
}

/// All accounts, or all lines, of a deployment. Their settings are read on first use, and kept in memory.
#[derive(derive_more::Debug)]
#[debug("Registry of {}s under {prefix}", T::KIND)]
pub struct Registry<T: Registered> {
    secrets: Arc<dyn Secrets>,
    prefix: String,
    slots: BTreeMap<T::Id, Slot<T>>,
}

/// The accounts.
pub type Accounts = Registry<Account>;
/// The lines.
pub type Lines = Registry<LineSettings>;

impl<T: Registered> Registry<T> {
    /// Creates the registry of `ids`, whose secrets are named `<prefix>/<kind>/<id>`. Reads none of them.
    pub fn new(secrets: Arc<dyn Secrets>, prefix: &str, ids: &[T::Id]) -> Self {
        let slot = || {
            let known = Known { current: None, previous: None, failed: None, previous_failed: None };
            Slot { known: Mutex::new(known), reading: futures::lock::Mutex::default() }
        };
        let slots = ids.iter().map(|id| (id.clone(), slot())).collect();
        Self { secrets, prefix: prefix.to_owned(), slots }
    }

    /// Returns the configured ids, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &T::Id> {
        self.slots.keys()
    }

    /// Returns the current settings of an account or line. Reads its secret again if that was read more than [`FRESH_FOR`] ago; if this
    /// fails, returns what was read before.
    ///
    /// # Errors
    /// [`NotUsable`]. Without any outside call if it isn't configured, or if its secret could not be used less than [`UNUSABLE_FOR`] ago.
    pub async fn get(&self, id: &T::Id, now: Timestamp) -> Result<Arc<T>, NotUsable> {
        self.no_older_than(FRESH_FOR, id, now).await
    }

    /// Like [`Self::get`], after a failure that a newer secret would fix: rereads the secret unless it was read less than [`REREAD_AFTER`]
    /// ago.
    ///
    /// # Errors
    /// As for [`Self::get`].
    pub async fn get_after_failure(&self, id: &T::Id, now: Timestamp) -> Result<Arc<T>, NotUsable> {
        self.no_older_than(REREAD_AFTER, id, now).await
    }

    /// Returns the previous settings for [`PREVIOUS_FOR`] after a rotation, after a failure that they would fix. Reads the secret's previous
    /// version unless it was read less than [`REREAD_AFTER`] ago.
    ///
    /// # Errors
    /// As for [`Self::get`], also if the previous version can't be read.
    pub async fn previous(&self, id: &T::Id, now: Timestamp) -> Result<Option<Arc<T>>, NotUsable> {
        let slot = self.slots.get(id).ok_or(NotUsable::NotConfigured)?;
        let known = || slot.known.lock().previous(now);
        if let Some(known) = known() {
            return Ok(known?);
        }
        let _reading = slot.reading.lock().await;
        if let Some(known) = known() {
            return Ok(known?);
        }
        let read = self.secrets.previous(&secret_name::<T>(&self.prefix, id)).await;
        let mut known = slot.known.lock();
        let version = match (read, &mut known.previous) {
            (Ok(version), _) => version,
            (Err(error), Some(previous)) => {
                log_event!(SECRET_RELOAD_FAILED, %error);
                previous.read_at = now;
                let settings = previous.live(now);
                known.previous_failed = Some((now, error.into()));
                return Ok(settings);
            }
            (Err(error), None) => {
                log_event!(SECRET_NOT_USABLE, %error);
                let error = RegistryError::from(error);
                known.previous_failed = Some((now, error.clone()));
                return Err(error.into());
            }
        };
        let current_since = known.current.as_ref().and_then(|current| current.created_at);
        let until = version.as_ref().and_then(|version| version.created_at).max(current_since);
        let until = until.and_then(|since| since.checked_add(PREVIOUS_FOR).ok());
        let settings = version.and_then(|version| T::parse(id, &version.value).ok()).map(Arc::new);
        known.previous_failed = None;
        let previous = Previous { settings, until, read_at: now };
        Ok(known.previous.insert(previous).live(now))
    }

    /// Verifies a request with the live versions of a secret, and returns the current settings. Makes no outside call in the steady state.
    /// After a failure reads the versions again, at most once in [`REREAD_AFTER`]. `check` is asked about one version at a time, and
    /// `may_pass` says whether another version may verify a request that failed in this way.
    ///
    /// # Errors
    /// [`NotVerified`].
    pub async fn verified<E>(
        &self,
        id: &T::Id,
        now: Timestamp,
        check: impl Fn(&T) -> Result<(), E> + Send,
        may_pass: impl Fn(&E) -> bool + Send,
    ) -> Result<(Arc<T>, SignedWith), NotVerified<E>>
    where
        E: Send,
    {
        let current = self.get(id, now).await?;
        let refusal = match check(&current) {
            Ok(()) => return Ok((current, SignedWith::Current)),
            Err(error) if may_pass(&error) => error,
            Err(error) => return Err(NotVerified::Refused(error)),
        };
        match self.known_previous(id, now).map(|previous| check(&previous)) {
            Some(Ok(())) => return Ok((current, SignedWith::Previous)),
            // A signature that is right and too old says more than one that is wrong.
            Some(Err(error)) if !may_pass(&error) => return Err(NotVerified::Refused(error)),
            Some(Err(_)) | None => {}
        }
        // The secret may have been rotated since it was read.
        let newer = self.get_after_failure(id, now).await?;
        if !Arc::ptr_eq(&newer, &current) && check(&newer).is_ok() {
            return Ok((newer, SignedWith::Current));
        }
        let checked = self.previous(id, now).await?.map(|previous| check(&previous));
        if let (None | Some(Err(_)), Some(error)) = (&checked, self.last_failure(id, now)) {
            // It may be signed with a version that could not be read.
            return Err(NotUsable::Secret(error).into());
        }
        match checked {
            Some(Ok(())) => Ok((newer, SignedWith::Previous)),
            Some(Err(error)) if !may_pass(&error) => Err(NotVerified::Refused(error)),
            Some(Err(_)) | None => Err(NotVerified::Refused(refusal)),
        }
    }

    /// Returns why a version could not be read less than [`REREAD_AFTER`] ago.
    fn last_failure(&self, id: &T::Id, now: Timestamp) -> Option<RegistryError> {
        let known = self.slots.get(id)?.known.lock();
        let failures = [&known.failed, &known.previous_failed].into_iter().flatten();
        let mut recent = failures.filter(|(at, _)| now.duration_since(*at) < REREAD_AFTER);
        recent.next().map(|(_, error)| error.clone())
    }

    /// Returns the previous settings if they were read less than [`FRESH_FOR`] ago.
    fn known_previous(&self, id: &T::Id, now: Timestamp) -> Option<Arc<T>> {
        let known = self.slots.get(id)?.known.lock();
        let previous = known.previous.as_ref()?;
        if now.duration_since(previous.read_at) < FRESH_FOR { previous.live(now) } else { None }
    }

    async fn no_older_than(&self, age: SignedDuration, id: &T::Id, now: Timestamp) -> Result<Arc<T>, NotUsable> {
        let slot = self.slots.get(id).ok_or(NotUsable::NotConfigured)?;
        let known = || slot.known.lock().current(age, now);
        if let Some(known) = known() {
            return Ok(known?);
        }
        let _reading = slot.reading.lock().await;
        if let Some(known) = known() {
            return Ok(known?);
        }
        let read = self.read(id).await;
        let mut known = slot.known.lock();
        match (read, &known.current) {
            (Ok((settings, version)), before) => {
                let (secret, since) = (secret_name::<T>(&self.prefix, id), version.created_at.map(|at| at.to_string()));
                match before {
                    None => log_event!(SECRET_LOADED, secret, since),
                    Some(before) if before.text.expose_secret() != version.value.expose_secret() => {
                        log_event!(SECRET_REPLACED, secret, since);
                        // It is not the previous one any more.
                        known.previous = None;
                    }
                    Some(_) => {}
                }
                let SecretVersion { value: text, created_at } = version;
                let current = Current { settings: Arc::clone(&settings), text, created_at, read_at: now };
                (known.current, known.failed) = (Some(current), None);
                Ok(settings)
            }
            (Err(error), Some(current)) => {
                log_event!(SECRET_RELOAD_FAILED, %error);
                let settings = Arc::clone(&current.settings);
                known.failed = Some((now, error));
                Ok(settings)
            }
            (Err(error), None) => {
                log_event!(SECRET_NOT_USABLE, %error);
                known.failed = Some((now, error.clone()));
                Err(error.into())
            }
        }
    }

    async fn read(&self, id: &T::Id) -> Result<(Arc<T>, SecretVersion), RegistryError> {
        let secret = secret_name::<T>(&self.prefix, id);
        let version = self.secrets.current(&secret).await?;
        match T::parse(id, &version.value) {
            Ok(settings) => Ok((Arc::new(settings), version)),
            Err(wrong) => Err(RegistryError::Wrong { secret, wrong }),
        }
    }
}
