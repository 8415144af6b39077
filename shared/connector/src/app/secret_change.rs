//! Changes the secret of an account or line: first assesses the effects, then writes it.
//!
//! The same code checks a secret here and in the functions.

use std::{collections::BTreeSet, fmt};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{
    registry::{PREVIOUS_FOR, Registered, secret_name},
    settings::{Account, LineSettings},
};
use crate::{
    domain::id::LineId,
    port::{SecretStore, SecretsError, StoredSecret},
};
use connector_liveengage::id::AccountId;
use connector_message::settings::WrongField;

/// The account or line that a secret belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOwner {
    /// An account.
    Account(AccountId),
    /// A line.
    Line(LineId),
}

impl fmt::Display for SecretOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account {id}"),
            Self::Line(id) => write!(f, "line {id}"),
        }
    }
}

impl SecretOwner {
    /// Returns the secret's name in a deployment with this prefix.
    pub fn secret_name(&self, prefix: &str) -> String {
        match self {
            Self::Account(id) => secret_name::<Account>(prefix, id),
            Self::Line(id) => secret_name::<LineSettings>(prefix, id),
        }
    }

    /// Parses a secret as the functions do.
    ///
    /// # Errors
    /// The first [`WrongField`], with which a function would not start.
    pub fn check(&self, secret: &SecretString) -> Result<(), WrongField> {
        match self {
            Self::Account(id) => Account::parse(id, secret).map(drop),
            Self::Line(id) => LineSettings::parse(id, secret).map(drop),
        }
    }

    /// Returns the fields of a secret that decide whether an incoming request is authentic. For a line, these are all fields of its
    /// channel.
    fn verifying(&self, secret: &Value) -> Value {
        match self {
            Self::Account(_) => ["client_id", "client_secret"].into_iter().map(|field| secret[field].clone()).collect(),
            Self::Line(_) => secret["channel"].as_str().map(|channel| secret[channel].clone()).unwrap_or_default(),
        }
    }

    /// Returns the fields from which consumers' external ids at LivePerson are computed.
    const fn naming(&self) -> &'static [&'static str] {
        match self {
            Self::Account(_) => &[],
            Self::Line(_) => &["consumer_id_key", "account_id", "channel"],
        }
    }
}

/// What the change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It creates the secret.
    Create,
    /// It adds a version to the secret.
    Replace,
    /// The secret holds this already.
    Nothing,
}

/// An undesirable effect of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Danger {
    /// These fields determine the line's consumers at LivePerson. Every consumer would be a new one, without a history.
    NewConsumers {
        /// The fields.
        fields: Vec<String>,
    },
    /// The previous version is still accepted, and would no longer be: requests that are signed with it would be rejected.
    DropsPrevious {
        /// When it stops being accepted anyway.
        until: Timestamp,
    },
}

/// An assessed change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretChange {
    /// What the change does.
    pub kind: Kind,
    /// The paths of the fields that differ from the current version, sorted. Never their values.
    pub fields: Vec<String>,
    /// Its undesirable effects.
    pub dangers: Vec<Danger>,
}

/// Returns the time until which the previous version is accepted. `None` if there is none, or the time has passed.
pub fn previous_until(stored: &StoredSecret, now: Timestamp) -> Option<Timestamp> {
    stored.previous.as_ref()?;
    let until = stored.staged_at().unwrap_or(now).checked_add(PREVIOUS_FOR).ok()?;
    (until > now).then_some(until)
}

/// Assesses the replacement of `owner`'s stored secret with this one.
///
/// # Errors
/// [`WrongField`] if the new secret is invalid.
pub fn judge(
    owner: &SecretOwner,
    secret: &SecretString,
    stored: Option<&StoredSecret>,
    now: Timestamp,
) -> Result<SecretChange, WrongField> {
    owner.check(secret)?;
    let new = parse(secret);
    let Some(stored) = stored else {
        return Ok(SecretChange { kind: Kind::Create, fields: differences(&Value::Null, &new), dangers: vec![] });
    };
    let current = parse(&stored.current.value);
    if new == current {
        return Ok(SecretChange { kind: Kind::Nothing, fields: vec![], dangers: vec![] });
    }
    let mut dangers = Vec::new();
    let fields = differences(&current, &new);
    let naming = |field: &&String| owner.naming().contains(&field.as_str());
    let renaming: Vec<_> = fields.iter().filter(naming).cloned().collect();
    // No function could use an invalid secret, so no consumer's id was computed from it.
    if !renaming.is_empty() && owner.check(&stored.current.value).is_ok() {
        dangers.push(Danger::NewConsumers { fields: renaming });
    }
    if let (Some(previous), Some(until)) = (&stored.previous, previous_until(stored, now))
        && owner.check(&previous.value).is_ok()
    {
        let [lost, current, new] = [&parse(&previous.value), &current, &new].map(|secret| owner.verifying(secret));
        if lost != current && lost != new {
            dangers.push(Danger::DropsPrevious { until });
        }
    }
    Ok(SecretChange { kind: Kind::Replace, fields, dangers })
}

/// Writes an assessed change.
///
/// # Errors
/// [`SecretsError`].
pub async fn carry_out(
    change: &SecretChange,
    store: &dyn SecretStore,
    name: &str,
    secret: &SecretString,
) -> Result<(), SecretsError> {
    match change.kind {
        Kind::Create => store.create(name, secret).await,
        Kind::Replace => store.put(name, secret).await,
        Kind::Nothing => Ok(()),
    }
}

/// A secret that isn't JSON has no fields.
fn parse(secret: &SecretString) -> Value {
    serde_json::from_str(secret.expose_secret()).unwrap_or_default()
}

/// Returns the paths of the fields in which two secrets differ, sorted. A list is one field.
pub fn differences(one: &Value, other: &Value) -> Vec<String> {
    let mut paths = BTreeSet::new();
    compare("", one, other, &mut paths);
    paths.into_iter().collect()
}

fn compare(path: &str, one: &Value, other: &Value, paths: &mut BTreeSet<String>) {
    let fields = |value: &Value| value.as_object().map(Map::keys).into_iter().flatten().cloned().collect::<Vec<_>>();
    let names: BTreeSet<String> = fields(one).into_iter().chain(fields(other)).collect();
    if names.is_empty() || !(one.is_object() || one.is_null()) || !(other.is_object() || other.is_null()) {
        if one != other {
            paths.insert(if path.is_empty() { "the secret".to_owned() } else { path.to_owned() });
        }
        return;
    }
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        compare(&path, &one[&name], &other[&name], paths);
    }
}

#[cfg(test)]
mod tests;
