//! The installation that the lab simulates: an app install of a LiveEngage account and a line on each channel,
//! described by their secrets.

use std::fmt;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{channel::Channel, channels};

/// The lab's LiveEngage account.
pub const ACCOUNT: &str = "47110815";
/// The first part of the secrets' names.
pub(crate) const PREFIX: &str = "connector";
const ACCOUNT_FIELDS: [&str; 3] = ["/account_id", "/client_id", "/client_secret"];

/// An account, and a line on each channel.
#[derive(Clone)]
pub struct Installation {
    account: Value,
    lines: Vec<InstalledLine>,
}

/// A line and its secret.
#[derive(Clone)]
pub(crate) struct InstalledLine {
    pub(crate) channel: &'static dyn Channel,
    secret: Value,
}

impl InstalledLine {
    /// The line's id.
    pub(crate) fn id(&self) -> &str {
        text(&self.secret, "/line_id")
    }

    /// The channel's own settings.
    pub(crate) fn settings(&self) -> &Value {
        self.secret.get(self.channel.profile().name).unwrap_or(&Value::Null)
    }

    /// The line's secret and its name, with the vendor at this address. The fields of `more` replace its own.
    pub(crate) fn secret(&self, vendor: &str, more: &Value) -> (String, Value) {
        let profile = self.channel.profile();
        let (field, path) = profile.address;
        let mut secret = self.secret.clone();
        if let Some(settings) = secret.get_mut(profile.name) {
            set(settings, field, format!("{vendor}{path}").into());
        }
        if let (Some(secret), Some(more)) = (secret.as_object_mut(), more.as_object()) {
            secret.extend(more.clone());
        }
        (format!("{PREFIX}/line/{}", self.id()), secret)
    }
}

/// Why secrets can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallationError {
    /// The input is not a JSON object. Its content is not included, because it may be a secret.
    #[error("the secrets are not a JSON object of secrets by name (line {line}, column {column})")]
    NotJson {
        /// The line of the error, from 1.
        line: usize,
        /// The column of the error, from 1.
        column: usize,
    },
    /// The name is not that of an account or line, or doesn't match the ids in the value.
    #[error("the secret {0}: its name must be {PREFIX}/account/<account_id> or {PREFIX}/line/<line_id>")]
    Name(String),
    /// A field is missing, empty or not a text.
    #[error("the secret {name}: {field} must be a string")]
    Field {
        /// The secret's name.
        name: String,
        /// The field, as a JSON pointer.
        field: &'static str,
    },
    /// The lab has no simulator for this channel.
    #[error("the secret {0}: the lab doesn't simulate its channel")]
    Channel(String),
    /// More than one account, or more than one line on a channel.
    #[error("the secret {0}: the lab supports one account, and one line per channel")]
    Second(String),
    /// A line of another account.
    #[error("the line {0} belongs to another account")]
    Account(String),
}

impl Installation {
    /// The lab's own account and lines, with new secrets.
    pub fn fresh() -> Self {
        let secret = || Uuid::new_v4().to_string();
        let line = |channel: &'static dyn Channel| {
            let profile = channel.profile();
            let key = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
            let secret = json!({
                "line_id": profile.line, "account_id": ACCOUNT, "channel": profile.name, "consumer_id_key": key,
                profile.name: channel.new_settings(),
            });
            InstalledLine { channel, secret }
        };
        Self {
            account: json!({"account_id": ACCOUNT, "client_id": secret(), "client_secret": secret()}),
            lines: channels::ALL.into_iter().map(line).collect(),
        }
    }

    /// Reads an object of secrets by name, as in Secrets Manager. Missing ones are the lab's own.
    ///
    /// # Errors
    /// [`InstallationError`], without any value.
    pub fn read(json: &str) -> Result<Self, InstallationError> {
        let secrets: Map<String, Value> = serde_json::from_str(json)
            .map_err(|error| InstallationError::NotJson { line: error.line(), column: error.column() })?;
        let mut account = None;
        let mut lines: Vec<Option<Value>> = channels::ALL.iter().map(|_| None).collect();
        for (name, secret) in secrets {
            let (slot, fields, kind) = match secret.get("channel") {
                None => (Some(&mut account), &ACCOUNT_FIELDS[..], "account"),
                Some(channel) => {
                    let known = |known: &&'static dyn Channel| channel.as_str() == Some(known.profile().name);
                    let found = channels::ALL.iter().zip(&mut lines).find(|(channel, _)| known(channel));
                    match found {
                        Some((channel, slot)) => (Some(slot), channel.profile().required, "line"),
                        None => (None, &[][..], "line"),
                    }
                }
            };
            let Some(slot) = slot else { return Err(InstallationError::Channel(name)) };
            check(&name, &secret, kind, fields)?;
            if slot.replace(secret).is_some() {
                return Err(InstallationError::Second(name));
            }
        }
        Self::fresh().with(account, lines)
    }

    /// Replaces the lab's own account and lines by these.
    fn with(mut self, account: Option<Value>, lines: Vec<Option<Value>>) -> Result<Self, InstallationError> {
        if let Some(account) = account {
            let id = account.get("account_id").cloned().unwrap_or_default();
            for own in &mut self.lines {
                set(&mut own.secret, "account_id", id.clone());
            }
            self.account = account;
        }
        for (line, given) in self.lines.iter_mut().zip(lines) {
            if let Some(secret) = given {
                line.secret = secret;
            }
        }
        let other_account = self.lines.iter().find(|line| text(&line.secret, "/account_id") != self.account_id());
        match other_account {
            Some(line) => Err(InstallationError::Account(line.id().to_owned())),
            None => Ok(self),
        }
    }

    /// The account's id.
    pub fn account_id(&self) -> &str {
        text(&self.account, "/account_id")
    }

    /// The lines, one on each channel.
    pub(crate) fn lines(&self) -> &[InstalledLine] {
        &self.lines
    }

    /// A text of the account's secret, by its JSON pointer.
    pub(crate) fn account(&self, field: &str) -> String {
        text(&self.account, field).to_owned()
    }

    /// The account's secret and its name, with LiveEngage at this address.
    pub(crate) fn account_secret(&self, domain_api: &str) -> (String, Value) {
        let mut secret = self.account.clone();
        set(&mut secret, "domain_api", domain_api.into());
        (format!("{PREFIX}/account/{}", self.account_id()), secret)
    }
}

impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installation")
            .field("account", &self.account_id())
            .field("lines", &self.lines.iter().map(InstalledLine::id).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn text<'a>(secret: &'a Value, field: &str) -> &'a str {
    secret.pointer(field).and_then(Value::as_str).unwrap_or_default()
}

fn set(secret: &mut Value, field: &str, value: Value) {
    if let Some(secret) = secret.as_object_mut() {
        secret.insert(field.to_owned(), value);
    }
}

/// Checks the fields and the name of a secret.
fn check(name: &str, secret: &Value, kind: &str, fields: &[&'static str]) -> Result<(), InstallationError> {
    if let Some(&field) = fields.iter().find(|field| text(secret, field).is_empty()) {
        return Err(InstallationError::Field { name: name.to_owned(), field });
    }
    if name == format!("{PREFIX}/{kind}/{}", text(secret, &format!("/{kind}_id"))) {
        Ok(())
    } else {
        Err(InstallationError::Name(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(secrets: &Value) -> Result<Installation, InstallationError> {
        Installation::read(&secrets.to_string())
    }

    fn account() -> Value {
        json!({"account_id": "55512", "client_id": "an install", "client_secret": "canary"})
    }

    #[test]
    fn missing_secrets_default_to_those_of_the_lab() {
        let installation = read(&json!({"connector/account/55512": account()})).unwrap();
        assert_eq!(installation.account_id(), "55512");
        let ids: Vec<&str> = installation.lines().iter().map(InstalledLine::id).collect();
        assert_eq!(ids, ["sms-lab", "whatsapp-lab"]);
        let (name, secret) = installation.lines()[0].secret("http://127.0.0.1:1", &json!({"documents": true}));
        assert_eq!(name, "connector/line/sms-lab");
        assert_eq!(secret["account_id"], "55512", "the lab's line is one of the account");
        assert_eq!(secret["sms"]["send_url"], "http://127.0.0.1:1/v1/messages");
        assert_eq!(secret["documents"], true);
        let (name, secret) = installation.account_secret("http://127.0.0.1:2");
        assert_eq!((name.as_str(), &secret["domain_api"]), ("connector/account/55512", &json!("http://127.0.0.1:2")));
    }

    #[test]
    fn an_unsupported_secret_is_named_without_its_value() {
        let sms = json!({
            "line_id": "a", "account_id": "55513", "channel": "sms", "consumer_id_key": "canary",
            "sms": {"from": "+1", "bearer_token": "canary", "webhook_secret": "canary"},
        });
        let mut keyless = sms.clone();
        keyless["sms"]["webhook_secret"] = json!("");
        let mut fax = sms.clone();
        fax["channel"] = json!("fax");
        for (secrets, error) in [
            (json!({"connector/account/1": account()}), "the secret connector/account/1: its name must be "),
            (json!({"connector/line/a": keyless}), "the secret connector/line/a: /sms/webhook_secret must be a string"),
            (json!({"connector/line/a": fax}), "the secret connector/line/a: the lab doesn't simulate its channel"),
            (
                json!({"connector/account/55512": account(), "connector/line/a": sms}),
                "the line a belongs to another account",
            ),
            (json!(["canary"]), "the secrets are not a JSON object of secrets by name (line 1, column 0)"),
        ] {
            let shown = read(&secrets).unwrap_err().to_string();
            assert!(shown.starts_with(error), "{shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
        let shown = format!("{:?}", read(&json!({"connector/account/55512": account()})).unwrap());
        assert!(shown.contains("55512") && !shown.contains("canary"), "{shown}");
    }
}
