//! Changing the secret of an account or line: what the change would do, judged before it is done, and doing it.
//!
//! A secret is checked by the code with which the functions read it.

use std::{collections::BTreeSet, fmt};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{
    registry::{PREVIOUS_FOR, Registered, secret_name},
    settings::{Account, LineSettings},
};
use crate::{
    domain::{
        id::{AccountId, LineId},
        settings::WrongField,
    },
    port::{SecretStore, SecretsError, StoredSecret},
};

/// Whose secret it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOwner {
    /// An account's.
    Account(AccountId),
    /// A line's.
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
    /// The secret's name in a deployment with this prefix.
    pub fn secret_name(&self, prefix: &str) -> String {
        match self {
            Self::Account(id) => secret_name::<Account>(prefix, id),
            Self::Line(id) => secret_name::<LineSettings>(prefix, id),
        }
    }

    /// Reads a secret as the functions do.
    ///
    /// # Errors
    /// The first [`WrongField`]: a function with this secret would not start.
    pub fn check(&self, secret: &SecretString) -> Result<(), WrongField> {
        match self {
            Self::Account(id) => Account::parse(id, secret).map(drop),
            Self::Line(id) => LineSettings::parse(id, secret).map(drop),
        }
    }

    /// What of a secret decides whether an incoming request is believed: of a line, all that its channel reads.
    fn verifying(&self, secret: &Value) -> Value {
        match self {
            Self::Account(_) => ["client_id", "client_secret"].into_iter().map(|field| secret[field].clone()).collect(),
            Self::Line(_) => secret["channel"].as_str().map(|channel| secret[channel].clone()).unwrap_or_default(),
        }
    }

    /// The fields of which consumers' names at LivePerson are made.
    const fn naming(&self) -> &'static [&'static str] {
        match self {
            Self::Account(_) => &[],
            Self::Line(_) => &["consumer_id_key", "account_id", "channel"],
        }
    }
}

/// What would be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is none yet.
    Create,
    /// It gets a new version.
    Replace,
    /// It holds this already.
    Nothing,
}

/// What a change would break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Danger {
    /// These fields name the line's consumers at LivePerson: everybody would be a new one, without a history.
    NewConsumers {
        /// The fields.
        fields: Vec<String>,
    },
    /// Two versions are believed. The previous one still is, and would be no more: requests that are signed with it would be refused.
    DropsPrevious {
        /// When it ends by itself.
        until: Timestamp,
    },
}

/// A change that was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretChange {
    /// What would be done.
    pub kind: Kind,
    /// The paths of the fields that differ from the current version, sorted. Never their values.
    pub fields: Vec<String>,
    /// What it would break.
    pub dangers: Vec<Danger>,
}

/// When the previous version ends to be believed; `None` when there is none, or it has ended.
pub fn previous_until(stored: &StoredSecret, now: Timestamp) -> Option<Timestamp> {
    stored.previous.as_ref()?;
    let until = stored.staged_at().unwrap_or(now).checked_add(PREVIOUS_FOR).ok()?;
    (until > now).then_some(until)
}

/// Judges what it would do to give `owner` this secret in place of what is stored.
///
/// # Errors
/// [`WrongField`]: the secret itself is wrong.
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
    // What could not be read never named anybody.
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

/// Carries a judged change out.
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

/// What is no JSON has no fields.
fn parse(secret: &SecretString) -> Value {
    serde_json::from_str(secret.expose_secret()).unwrap_or_default()
}

/// The paths of the fields in which two secrets differ, sorted. A list is one field.
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
