//! Who the lab plays: the app install of a LiveEngage account and a line on each channel, as their secrets say it.

use std::fmt;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::lab::{ACCOUNT, LINE, NUMBER, WHATSAPP_LINE};

/// The first part of the secrets' names.
pub(crate) const PREFIX: &str = "connector";
/// Meta's id of the lab's own number on WhatsApp.
const PHONE_NUMBER_ID: &str = "118240097715334";

const OF_AN_ACCOUNT: [&str; 3] = ["/account_id", "/client_id", "/client_secret"];
const OF_AN_SMS_LINE: [&str; 6] =
    ["/line_id", "/account_id", "/consumer_id_key", "/sms/from", "/sms/bearer_token", "/sms/webhook_secret"];
const OF_A_WHATSAPP_LINE: [&str; 7] = [
    "/line_id",
    "/account_id",
    "/consumer_id_key",
    "/whatsapp/phone_number_id",
    "/whatsapp/access_token",
    "/whatsapp/app_secret",
    "/whatsapp/verify_token",
];

/// An account, an SMS line and a WhatsApp line.
#[derive(Clone)]
pub struct Installation {
    account: Value,
    sms: Value,
    whatsapp: Value,
}

/// Why secrets can't be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstallationError {
    /// They are not a JSON object. What is there is not told: it may be a secret.
    #[error("the secrets are not a JSON object of secrets by their names (line {line}, column {column})")]
    NotJson {
        /// Where reading stopped, from 1.
        line: usize,
        /// Where in the line, from 1.
        column: usize,
    },
    /// The name belongs to no account and no line, or to another one than the value says.
    #[error("the secret {0}: its name must be {PREFIX}/account/<account_id> or {PREFIX}/line/<line_id>")]
    Name(String),
    /// A field is missing, empty or no text.
    #[error("the secret {name}: {field} must be a text")]
    Field {
        /// The secret's name.
        name: String,
        /// The field, as a JSON pointer.
        field: &'static str,
    },
    /// The lab has a simulator for SMS and one for WhatsApp.
    #[error("the secret {0}: the lab has no such channel")]
    Channel(String),
    /// The lab plays one account and one line on each channel.
    #[error("the secret {0}: there is another one of its kind")]
    Second(String),
    /// A line of another account than the one that is played.
    #[error("the line {0} belongs to another account")]
    Account(String),
}

impl Installation {
    /// The lab's own account and lines, with new secrets.
    pub fn fresh() -> Self {
        let secret = || Uuid::new_v4().to_string();
        let key = || format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        Self {
            account: json!({"account_id": ACCOUNT, "client_id": secret(), "client_secret": secret()}),
            sms: json!({
                "line_id": LINE, "account_id": ACCOUNT, "channel": "sms", "consumer_id_key": key(),
                "sms": {
                    "from": NUMBER, "delivery_reports": true, "bearer_token": secret(), "webhook_secret": secret(),
                },
            }),
            whatsapp: json!({
                "line_id": WHATSAPP_LINE, "account_id": ACCOUNT, "channel": "whatsapp", "consumer_id_key": key(),
                "whatsapp": {
                    "phone_number_id": PHONE_NUMBER_ID, "access_token": secret(), "app_secret": secret(),
                    "verify_token": secret(),
                },
            }),
        }
    }

    /// Reads an object of secrets by their names, as Secrets Manager holds them. What isn't there is the lab's own.
    ///
    /// # Errors
    /// [`InstallationError`], without any value.
    pub fn read(json: &str) -> Result<Self, InstallationError> {
        let secrets: Map<String, Value> = serde_json::from_str(json)
            .map_err(|error| InstallationError::NotJson { line: error.line(), column: error.column() })?;
        let (mut account, mut sms, mut whatsapp) = (None, None, None);
        for (name, secret) in secrets {
            let channel = secret.get("channel").map(|channel| channel.as_str().unwrap_or_default().to_owned());
            let (place, fields, id): (_, &[&'static str], _) = match channel.as_deref() {
                None => (&mut account, &OF_AN_ACCOUNT, "account"),
                Some("sms") => (&mut sms, &OF_AN_SMS_LINE, "line"),
                Some("whatsapp") => (&mut whatsapp, &OF_A_WHATSAPP_LINE, "line"),
                Some(_) => return Err(InstallationError::Channel(name)),
            };
            for &field in fields {
                if text(&secret, field).is_empty() {
                    return Err(InstallationError::Field { name, field });
                }
            }
            if name != format!("{PREFIX}/{id}/{}", text(&secret, &format!("/{id}_id"))) {
                return Err(InstallationError::Name(name));
            }
            if place.replace(secret).is_some() {
                return Err(InstallationError::Second(name));
            }
        }
        let mut installation = Self::fresh();
        if let Some(account) = account {
            let id = account.get("account_id").cloned().unwrap_or_default();
            for own in [&mut installation.sms, &mut installation.whatsapp] {
                set(own, "account_id", id.clone());
            }
            installation.account = account;
        }
        installation.sms = sms.unwrap_or(installation.sms);
        installation.whatsapp = whatsapp.unwrap_or(installation.whatsapp);
        for line in [&installation.sms, &installation.whatsapp] {
            if text(line, "/account_id") != installation.account_id() {
                return Err(InstallationError::Account(text(line, "/line_id").to_owned()));
            }
        }
        Ok(installation)
    }

    /// The account's id.
    pub fn account_id(&self) -> &str {
        text(&self.account, "/account_id")
    }

    /// The SMS line's id.
    pub fn sms_line(&self) -> &str {
        text(&self.sms, "/line_id")
    }

    /// The WhatsApp line's id.
    pub fn whatsapp_line(&self) -> &str {
        text(&self.whatsapp, "/line_id")
    }

    /// A text of the account's secret, by its JSON pointer.
    pub(crate) fn account(&self, field: &str) -> String {
        text(&self.account, field).to_owned()
    }

    /// A text in the SMS line's `sms`.
    pub(crate) fn sms(&self, field: &str) -> String {
        text(&self.sms, &format!("/sms/{field}")).to_owned()
    }

    /// A text in the WhatsApp line's `whatsapp`.
    pub(crate) fn whatsapp(&self, field: &str) -> String {
        text(&self.whatsapp, &format!("/whatsapp/{field}")).to_owned()
    }

    /// The account's secret and its name, for a LiveEngage at this address.
    pub(crate) fn account_secret(&self, domain_api: &str) -> (String, Value) {
        let mut secret = self.account.clone();
        set(&mut secret, "domain_api", domain_api.into());
        (format!("{PREFIX}/account/{}", self.account_id()), secret)
    }

    /// The SMS line's secret and its name, for a gateway that takes messages at this address. `more` takes the place of its fields.
    pub(crate) fn sms_secret(&self, send_url: &str, more: &Value) -> (String, Value) {
        let mut secret = self.sms.clone();
        if let Some(sms) = secret.get_mut("sms") {
            set(sms, "send_url", send_url.into());
        }
        (format!("{PREFIX}/line/{}", self.sms_line()), with(secret, more))
    }

    /// The WhatsApp line's secret and its name, for a Graph API at this address. `more` takes the place of its fields.
    pub(crate) fn whatsapp_secret(&self, api_base: &str, more: &Value) -> (String, Value) {
        let mut secret = self.whatsapp.clone();
        if let Some(whatsapp) = secret.get_mut("whatsapp") {
            set(whatsapp, "api_base", api_base.into());
        }
        (format!("{PREFIX}/line/{}", self.whatsapp_line()), with(secret, more))
    }
}

impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installation")
            .field("account", &self.account_id())
            .field("sms", &self.sms_line())
            .field("whatsapp", &self.whatsapp_line())
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

fn with(mut secret: Value, more: &Value) -> Value {
    if let (Some(secret), Some(more)) = (secret.as_object_mut(), more.as_object()) {
        secret.extend(more.clone());
    }
    secret
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
    fn what_the_secrets_dont_say_is_the_labs_own() {
        let installation = read(&json!({"connector/account/55512": account()})).unwrap();
        assert_eq!(installation.account_id(), "55512");
        assert_eq!((installation.sms_line(), installation.whatsapp_line()), (LINE, WHATSAPP_LINE));
        let (name, secret) = installation.sms_secret("http://127.0.0.1:1/v1/messages", &json!({"documents": true}));
        assert_eq!(name, "connector/line/sms-lab");
        assert_eq!(secret["account_id"], "55512", "the lab's line is one of the account");
        assert_eq!(secret["sms"]["send_url"], "http://127.0.0.1:1/v1/messages");
        assert_eq!(secret["documents"], true);
        let (name, secret) = installation.account_secret("http://127.0.0.1:2");
        assert_eq!((name.as_str(), &secret["domain_api"]), ("connector/account/55512", &json!("http://127.0.0.1:2")));
    }

    #[test]
    fn what_cant_be_played_is_named_and_no_value_is_told() {
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
            (json!({"connector/line/a": keyless}), "the secret connector/line/a: /sms/webhook_secret must be a text"),
            (json!({"connector/line/a": fax}), "the secret connector/line/a: the lab has no such channel"),
            (
                json!({"connector/account/55512": account(), "connector/line/a": sms}),
                "the line a belongs to another account",
            ),
            (json!(["canary"]), "the secrets are not a JSON object of secrets by their names (line 1, column 0)"),
        ] {
            let shown = read(&secrets).unwrap_err().to_string();
            assert!(shown.starts_with(error), "{shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
        let shown = format!("{:?}", read(&json!({"connector/account/55512": account()})).unwrap());
        assert!(shown.contains("55512") && !shown.contains("canary"), "{shown}");
    }
}
