//! The settings in the secrets: one JSON object per account and one per line.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use connector_liveengage::{
    domain_api,
    id::{AccountId, AppInstallId},
    signature::Algorithms,
};
use connector_message::settings::{WrongField, is_empty, is_https_or_loopback, read};

mod engagement;
mod line;
mod profile;
mod satisfaction;

pub use engagement::EngagementSettings;
pub use line::LineSettings;
pub use profile::ProfileSettings;
pub use satisfaction::SatisfactionSettings;

/// An account's settings, from the secret `<prefix>/account/<id>`.
#[derive(Debug)]
pub struct Account {
    /// The account; the same as in the secret's name.
    pub id: AccountId,
    /// The id of the app install, from LivePerson.
    pub client_id: AppInstallId,
    /// The secret of the app install. The connector authenticates with it to Sentinel, and LiveEngage signs webhooks with it.
    pub client_secret: SecretString,
    /// The algorithms with which its webhooks may be signed.
    pub webhook_signature: Algorithms,
    /// The URL of the Domain API. Default: LivePerson's public one.
    pub domain_api: Url,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountWire {
    account_id: AccountId,
    client_id: AppInstallId,
    client_secret: SecretString,
    #[serde(default)]
    webhook_signature: Algorithms,
    #[serde(default)]
    domain_api: Option<Url>,
}

impl Account {
    /// Parses and checks the secret of the account `id`.
    ///
    /// # Errors
    /// [`WrongField`] names the first invalid field, without its value.
    pub fn read(id: &AccountId, secret: &SecretString) -> Result<Self, WrongField> {
        let wire: AccountWire = read("", &json(secret)?)?;
        if wire.account_id != *id {
            return Err(wrong("account_id", "must be the account id in the secret's name"));
        }
        if is_empty(&wire.client_secret) {
            return Err(wrong("client_secret", "must not be empty"));
        }
        let domain_api = match wire.domain_api {
            Some(url) if is_https_or_loopback(&url) => url,
            Some(_) => return Err(wrong("domain_api", "must be an https URL (http only for loopback)")),
            None => domain_api::PUBLIC.parse().map_err(|_| wrong("domain_api", "must be a URL"))?,
        };
        Ok(Self {
            id: wire.account_id,
            client_id: wire.client_id,
            client_secret: wire.client_secret,
            webhook_signature: wire.webhook_signature,
            domain_api,
        })
    }
}

fn json(secret: &SecretString) -> Result<Value, WrongField> {
    serde_json::from_str(secret.expose_secret()).map_err(|_| wrong("the secret", "is not JSON"))
}

fn wrong(field: &str, rule: &str) -> WrongField {
    WrongField { field: field.to_owned(), rule: rule.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account() -> Value {
        json!({"account_id": "72419083", "client_id": "0f6c2a9e", "client_secret": "cl13nt-s3cret"})
    }

    fn read_account(value: &Value) -> Result<Account, WrongField> {
        Account::read(&AccountId::new("72419083").unwrap(), &SecretString::from(value.to_string()))
    }

    #[test]
    fn an_account_needs_three_fields() {
        let read = read_account(&account()).unwrap();
        assert_eq!(read.domain_api.as_str(), "https://api.liveperson.net/");
        assert!(!format!("{read:?}").contains("cl13nt-s3cret"));
    }

    #[test]
    fn a_wrong_account_field_is_named() {
        for (field, value, error) in [
            ("account_id", json!("1"), "account_id: must be the account id in the secret's name"),
            ("client_secret", json!(""), "client_secret: must not be empty"),
            ("client_secret", Value::Null, "client_secret: has the wrong type or form"),
            ("domain_api", json!("http://api.example"), "domain_api: must be an https URL (http only for loopback)"),
            ("webhook_signature", json!("md5"), "webhook_signature: must be `any` or `sha256`"),
        ] {
            let mut secret = account();
            secret[field] = value;
            assert_eq!(read_account(&secret).unwrap_err().to_string(), error);
        }
        assert!(read_account(&json!({})).unwrap_err().to_string().contains("missing field `account_id`"));
        assert_eq!(
            Account::read(&AccountId::new("1").unwrap(), &SecretString::from("{")).unwrap_err().to_string(),
            "the secret: is not JSON"
        );
    }
}
