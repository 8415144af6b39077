//! What the secrets hold: one JSON object per account and one per line.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{
    channel::{self, Line, text_floor::FloorOptions},
    domain::{
        id::{AccountId, AppInstallId, ChannelUserId, ExtConsumerId, LineId},
        message::MessageText,
        settings::{WrongField, is_empty, is_https_or_loopback, read},
    },
    liveengage::{domain_api, messaging::Routing, signature::Algorithms},
};

/// The secret `connector/account/<id>`.
#[derive(Debug)]
pub struct Account {
    /// The account; the same as in the secret's name.
    pub id: AccountId,
    /// The app install, as LivePerson gave it.
    pub client_id: AppInstallId,
    /// Its secret: proves the connector to Sentinel, and signs the webhooks.
    pub client_secret: SecretString,
    /// Which algorithms its webhooks may be signed with.
    pub webhook_signature: Algorithms,
    /// The Domain API: LivePerson's public one unless another is named.
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
    /// Reads and checks the secret of the account `id`.
    ///
    /// # Errors
    /// [`WrongField`] names the field and never shows its value.
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

/// The secret `connector/line/<id>`.
#[derive(Debug)]
pub struct LineSettings {
    /// The line; the same as in the secret's name.
    pub id: LineId,
    /// The account it feeds.
    pub account: AccountId,
    /// How its new conversations are routed.
    pub routing: Routing,
    /// What a person is told when their message can't be delivered, `None` to tell them nothing.
    pub not_delivered_notice: Option<MessageText>,
    /// The connector's own words in a message with choices.
    pub wording: FloorOptions,
    /// The line on its channel.
    pub line: Box<dyn Line>,
    channel: &'static str,
    consumer_id_key: SecretString,
}

#[derive(Deserialize)]
struct LineWire {
    line_id: LineId,
    account_id: AccountId,
    channel: String,
    consumer_id_key: SecretString,
    #[serde(default)]
    routing: Routing,
    #[serde(default)]
    not_delivered_notice: Option<String>,
    #[serde(default)]
    wording: FloorOptions,
}

/// What a person is told unless the line says otherwise.
const NOT_DELIVERED: &str = "Sorry, your message could not be delivered. Please try again later.";

const LINE_FIELDS: [&str; 7] =
    ["line_id", "account_id", "channel", "consumer_id_key", "routing", "not_delivered_notice", "wording"];

/// The least length of `consumer_id_key`: half of the 64 hex digits that the README's `openssl rand -hex 32` prints.
const SHORTEST_KEY: usize = 32;

impl LineSettings {
    /// Reads and checks the secret of the line `id`.
    ///
    /// # Errors
    /// [`WrongField`] names the field and never shows its value.
    pub fn read(id: &LineId, secret: &SecretString) -> Result<Self, WrongField> {
        let value = json(secret)?;
        let wire: LineWire = read("", &value)?;
        if wire.line_id != *id {
            return Err(wrong("line_id", "must be the line id in the secret's name"));
        }
        if wire.consumer_id_key.expose_secret().len() < SHORTEST_KEY {
            return Err(wrong("consumer_id_key", "must have at least 32 characters, as of `openssl rand -hex 32`"));
        }
        let channel = channel::by_name(&wire.channel).ok_or_else(|| {
            let known: Vec<_> = channel::ALL.iter().map(|channel| channel.name()).collect();
            wrong("channel", &format!("must be one of: {}", known.join(", ")))
        })?;
        let settings = value
            .get(channel.name())
            .ok_or_else(|| wrong("the secret", &format!("missing field `{}`", channel.name())))?;
        if let Some(unknown) = value.as_object().and_then(|fields| {
            fields.keys().find(|field| !LINE_FIELDS.contains(&field.as_str()) && *field != channel.name())
        }) {
            return Err(wrong(unknown, "unknown field"));
        }
        let line = channel.line(settings).map_err(|error| WrongField { field: error.field, rule: error.rule })?;
        Ok(Self {
            id: wire.line_id,
            account: wire.account_id,
            routing: wire.routing,
            not_delivered_notice: Some(wire.not_delivered_notice.unwrap_or_else(|| NOT_DELIVERED.to_owned()))
                .filter(|notice| !notice.trim().is_empty())
                .map(MessageText::new),
            wording: wire.wording,
            line,
            channel: channel.name(),
            consumer_id_key: wire.consumer_id_key,
        })
    }

    /// The consumer's name at LivePerson: an HMAC-SHA256 over channel, account, line and person, in hex. Without the key nobody
    /// can go from a phone number to it or back. It holds the line because LiveEngage allows one open conversation per
    /// consumer: two lines must not share one.
    pub fn ext_consumer_id(&self, user: &ChannelUserId) -> Result<ExtConsumerId, WrongField> {
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(self.consumer_id_key.expose_secret().as_bytes())
            .map_err(|_| wrong("consumer_id_key", "can't be used as a key"))?;
        for part in [self.channel, self.account.as_str(), self.id.as_str(), user.as_str()] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        ExtConsumerId::new(hex::encode(mac.finalize().into_bytes()))
            .map_err(|_| wrong("consumer_id_key", "can't be used as a key"))
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

    fn line() -> Value {
        json!({
            "line_id": "sms-main", "account_id": "72419083", "channel": "sms", "consumer_id_key": "k".repeat(64),
            "routing": {"skill_id": "2187"},
            "sms": {"from": "+4930555123", "send_url": "https://gateway.example/v1/messages", "bearer_token": "b34rer", "webhook_secret": "wh"},
        })
    }

    fn read_account(value: &Value) -> Result<Account, WrongField> {
        Account::read(&AccountId::new("72419083").unwrap(), &SecretString::from(value.to_string()))
    }

    fn read_line(value: &Value) -> Result<LineSettings, WrongField> {
        LineSettings::read(&LineId::new("sms-main").unwrap(), &SecretString::from(value.to_string()))
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
            ("webhook_signature", json!("md5"), "webhook_signature: has the wrong type or form"),
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

    #[test]
    fn a_wrong_line_field_is_named() {
        assert!(read_line(&line()).is_ok());
        for (field, value, error) in [
            ("channel", json!("fax"), "channel: must be one of: sms"),
            (
                "consumer_id_key",
                json!("short"),
                "consumer_id_key: must have at least 32 characters, as of `openssl rand -hex 32`",
            ),
            (
                "routing",
                json!({"skil_id": "1"}),
                "routing.skil_id: unknown field `skil_id`, expected `skill_id` or `campaign`",
            ),
            ("skill_id", json!("1"), "skill_id: unknown field"),
            ("sms", json!({}), "sms: missing field `from`"),
        ] {
            let mut secret = line();
            secret[field] = value;
            assert_eq!(read_line(&secret).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn the_notice_has_a_default_and_can_be_switched_off() {
        let notice = |secret: &Value| read_line(secret).unwrap().not_delivered_notice;
        assert_eq!(notice(&line()), Some(MessageText::new(NOT_DELIVERED)));
        let mut secret = line();
        secret["not_delivered_notice"] = json!("Leider nicht zugestellt.");
        assert_eq!(notice(&secret), Some(MessageText::new("Leider nicht zugestellt.")));
        secret["not_delivered_notice"] = json!(" ");
        assert_eq!(notice(&secret), None);
    }

    #[test]
    fn a_consumers_name_is_stable_and_differs_by_line_and_key() {
        let user = ChannelUserId::new("+4915112345678").unwrap();
        let name = |secret: &Value| read_line(secret).unwrap().ext_consumer_id(&user).unwrap();
        assert_eq!(name(&line()), name(&line()));
        assert_eq!(name(&line()).as_str().len(), 64);
        let mut other_key = line();
        other_key["consumer_id_key"] = json!("j".repeat(64));
        assert_ne!(name(&line()), name(&other_key));
        let mut other_routing = line();
        other_routing["routing"] = json!({});
        assert_eq!(name(&line()), name(&other_routing), "only what names the consumer may count");
        let mut other_line = line();
        other_line["line_id"] = json!("sms-two");
        let other =
            LineSettings::read(&LineId::new("sms-two").unwrap(), &SecretString::from(other_line.to_string())).unwrap();
        assert_ne!(name(&line()), other.ext_consumer_id(&user).unwrap());
    }
}
