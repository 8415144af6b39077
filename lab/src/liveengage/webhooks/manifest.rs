//! The webhooks of a manifest: the object `capabilities.webhooks` of an app install.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use url::{Host, Url};

use super::WebhookSettings;
use super::install::MAX_RETRIES;
use crate::liveengage::terms::WebhookEvent;

/// The shortest and the longest retention of an app install in seconds.
const RETENTION_SECONDS: std::ops::RangeInclusive<u64> = 2..=259_200;
/// The sibling of the events' keys. It applies to the whole install.
const RETRY: &str = "retry";

/// Why webhooks are not accepted. The texts are for the person who wrote the manifest, and hold no header's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The webhooks, or what is set for an event, are not an object.
    #[error("{0} must be an object")]
    NotAnObject(String),
    /// An endpoint is missing, or can't be called.
    #[error(
        "{0}: endpoint must be an address that begins with https://, or with http:// if its host is this machine \
         (127.0.0.1, [::1] or localhost)"
    )]
    Endpoint(&'static str),
    /// `max_retries` is not a number from 0 to 5.
    #[error("{0}: max_retries must be a number from 0 to {MAX_RETRIES}")]
    Retries(&'static str),
    /// A header is not an object with a `header_name` and a `header_value` that HTTP allows.
    #[error("{0}: headers must be a list of objects with header_name and header_value")]
    Header(&'static str),
    /// `retention_time` is not a number of seconds from 2 to 259200.
    #[error("retry.retention_time must be a number of seconds from 2 to 259200 (3 days)")]
    Retention,
}

impl WebhookSettings {
    /// The settings of `capabilities.webhooks` in a manifest.
    ///
    /// An event without its key is not sent. Without `retry`, a failed notification is
    /// retried `max_retries` times, and without that it is dropped. Nothing is sent for unknown keys: they are in
    /// [`unknown_keys`](Self::unknown_keys).
    ///
    /// LivePerson accepts only endpoints with `https`. The simulator accepts `http` on loopback, too.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn from_manifest(webhooks: &Value) -> Result<Self, ManifestError> {
        let not_an_object = |what: &str| ManifestError::NotAnObject(what.to_owned());
        let webhooks = webhooks.as_object().ok_or_else(|| not_an_object("capabilities.webhooks"))?;
        let (retention, unknown_keys) = (retention(webhooks)?, unknown_keys(webhooks));
        let mut settings = Self { retention, unknown_keys, ..Self::none() };
        for event in WebhookEvent::ALL {
            let key = event.key();
            let Some(value) = webhooks.get(key) else { continue };
            let value = value.as_object().ok_or_else(|| not_an_object(key))?;
            settings.endpoints.insert(event, endpoint(value).ok_or(ManifestError::Endpoint(key))?);
            if let Some(retries) = value.get("max_retries").filter(|retries| !retries.is_null()) {
                let retries = retries.as_u64().and_then(|retries| u8::try_from(retries).ok());
                let allowed = retries.filter(|retries| *retries <= MAX_RETRIES);
                settings.max_retries.insert(event, allowed.ok_or(ManifestError::Retries(key))?);
            }
            let headers = headers(value).ok_or(ManifestError::Header(key))?;
            if !headers.is_empty() {
                settings.headers.insert(event, headers);
            }
        }
        Ok(settings)
    }

    /// No endpoint, and no retry: a manifest without webhooks.
    pub(in crate::liveengage) fn none() -> Self {
        Self { retention: None, ..Self::default() }
    }

    /// These settings with what a manifest sets replaced by `manifest`: endpoints, headers and retries.
    ///
    /// The waits between attempts, and what a
    /// test has set, stay.
    pub(in crate::liveengage) fn with_manifest(self, manifest: Self) -> Self {
        let Self { endpoints, headers, retention, max_retries, unknown_keys, .. } = manifest;
        Self { endpoints, headers, retention, max_retries, unknown_keys, ..self }
    }

    /// Whether `capabilities.webhooks` sets what these settings set: endpoints, headers and retries.
    pub(in crate::liveengage) fn is_manifest(&self, webhooks: &Value) -> bool {
        Self::from_manifest(webhooks).is_ok_and(|read| {
            read.endpoints == self.endpoints
                && read.headers == self.headers
                && read.retention == self.retention
                && read.max_retries == self.max_retries
        })
    }

    /// Writes the settings into `capabilities.webhooks`. Unknown keys stay, in it and in the webhooks that it keeps.
    pub(in crate::liveengage) fn write_manifest(&self, webhooks: &mut Map<String, Value>) {
        for event in WebhookEvent::ALL {
            let Some(endpoint) = self.endpoints.get(&event) else {
                webhooks.remove(event.key());
                continue;
            };
            let header = |(name, value): &(String, String)| json!({ "header_name": name, "header_value": value });
            let headers = self.headers.get(&event).map(|headers| headers.iter().map(header).collect());
            let set = [
                ("endpoint", Some(json!(endpoint.as_str()))),
                ("max_retries", self.max_retries.get(&event).map(|retries| json!(retries))),
                ("headers", headers),
            ];
            write(webhooks, event.key(), set);
        }
        match self.retention {
            Some(retention) => write(webhooks, RETRY, [("retention_time", Some(json!(retention.as_secs())))]),
            None => drop(webhooks.remove(RETRY)),
        }
    }
}

/// Sets fields of the object under a key, and removes those without a value. Its other fields stay.
fn write<const N: usize>(webhooks: &mut Map<String, Value>, key: &str, set: [(&str, Option<Value>); N]) {
    let mut object = match webhooks.remove(key) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    };
    for (field, value) in set {
        match value {
            Some(value) => drop(object.insert(field.to_owned(), value)),
            None => drop(object.remove(field)),
        }
    }
    webhooks.insert(key.to_owned(), Value::Object(object));
}

fn unknown_keys(webhooks: &Map<String, Value>) -> Vec<String> {
    let known = |key: &str| key == RETRY || WebhookEvent::ALL.iter().any(|event| event.key() == key);
    webhooks.keys().filter(|key| !known(key)).cloned().collect()
}

fn retention(webhooks: &Map<String, Value>) -> Result<Option<Duration>, ManifestError> {
    let seconds = match webhooks.get(RETRY) {
        None | Some(Value::Null) => return Ok(None),
        Some(retry) => retry.get("retention_time").and_then(Value::as_u64),
    };
    let seconds = seconds.filter(|seconds| RETENTION_SECONDS.contains(seconds)).ok_or(ManifestError::Retention)?;
    Ok(Some(Duration::from_secs(seconds)))
}

fn endpoint(value: &Map<String, Value>) -> Option<Url> {
    let url: Url = value.get("endpoint")?.as_str()?.parse().ok()?;
    let is_loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    (url.scheme() == "https" || (url.scheme() == "http" && is_loopback)).then_some(url)
}

fn headers(value: &Map<String, Value>) -> Option<Vec<(String, String)>> {
    let headers = match value.get("headers") {
        None | Some(Value::Null) => return Some(Vec::new()),
        Some(headers) => headers.as_array()?,
    };
    let header = |header: &Value| {
        let text = |member: &str| header.get(member).and_then(Value::as_str);
        let (name, value) = (text("header_name")?, text("header_value")?);
        let is_sound = name.parse::<HeaderName>().is_ok() && value.parse::<HeaderValue>().is_ok();
        is_sound.then(|| (name.to_owned(), value.to_owned()))
    };
    headers.iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &str = "ms.MessagingEventNotification.ContentEvent";
    const TYPING: &str = "ms.MessagingEventNotification.ChatStateEvent";

    fn webhooks() -> Value {
        json!({
            CONTENT: { "endpoint": "https://hooks.example/texts", "max_retries": 3,
                "headers": [{ "header_name": "x-shared", "header_value": "not a secret" }] },
            TYPING: { "endpoint": "http://127.0.0.1:8099/typing", "max_retries": 0 },
            "cqm.ExConversationChangeNotification": { "endpoint": "http://localhost:8099/states" },
            "retry": { "retention_time": 86_400 },
        })
    }

    #[test]
    fn a_manifest_is_read_and_written_without_a_difference() {
        let settings = WebhookSettings::from_manifest(&webhooks()).unwrap();
        assert_eq!(settings.endpoints.len(), 3);
        assert_eq!(settings.endpoints[&WebhookEvent::ChatState].as_str(), "http://127.0.0.1:8099/typing");
        assert_eq!(settings.max_retries[&WebhookEvent::Content], 3);
        assert_eq!(settings.retention, Some(Duration::from_secs(86_400)));
        let mut written = Map::from_iter([("introduced_later".to_owned(), json!(1))]);
        settings.write_manifest(&mut written);
        assert_eq!(written.remove("introduced_later"), Some(json!(1)));
        assert_eq!(Value::Object(written), webhooks());
    }

    #[test]
    fn without_a_retry_nothing_is_kept_and_unlisted_events_disappear_when_written() {
        let settings = WebhookSettings::from_manifest(&json!({ "retry": null })).unwrap();
        assert!(settings.endpoints.is_empty() && settings.retention.is_none() && settings.max_retries.is_empty());
        let Value::Object(mut written) = webhooks() else { unreachable!() };
        settings.write_manifest(&mut written);
        assert!(written.is_empty(), "{written:?}");
    }

    #[test]
    fn what_liveperson_would_refuse_is_named_with_its_key() {
        let with = |key: &str, member: &str, value: Value| {
            let mut webhooks = webhooks();
            webhooks[key][member] = value;
            WebhookSettings::from_manifest(&webhooks).unwrap_err()
        };
        for endpoint in ["http://hooks.example/", "ftp://127.0.0.1/", "hooks.example", ""] {
            assert_eq!(with(CONTENT, "endpoint", json!(endpoint)), ManifestError::Endpoint(CONTENT), "{endpoint}");
        }
        for retries in [json!(6), json!(-1), json!("3")] {
            assert_eq!(with(CONTENT, "max_retries", retries), ManifestError::Retries(CONTENT));
        }
        for headers in [json!({}), json!([{ "header_name": "a b", "header_value": "c" }]), json!([{}])] {
            assert_eq!(with(TYPING, "headers", headers), ManifestError::Header(TYPING));
        }
        for seconds in [json!(1), json!(259_201), json!("86400"), json!(null)] {
            assert_eq!(with("retry", "retention_time", seconds), ManifestError::Retention);
        }
        let error = WebhookSettings::from_manifest(&json!({ CONTENT: "https://hooks.example" })).unwrap_err();
        assert_eq!(error.to_string(), format!("{CONTENT} must be an object"));
        assert_eq!(
            WebhookSettings::from_manifest(&json!([])).unwrap_err().to_string(),
            "capabilities.webhooks must be an object"
        );
    }

    #[test]
    fn keys_that_are_not_the_documented_ones_are_found() {
        let mut webhooks = webhooks();
        webhooks["ms.MessagingEventNotification.AccpetStatusEvent"] = json!({});
        let settings = WebhookSettings::from_manifest(&webhooks).unwrap();
        assert_eq!(settings.unknown_keys, ["ms.MessagingEventNotification.AccpetStatusEvent"]);
    }

    #[test]
    fn unknown_fields_of_a_webhook_stay_when_it_is_written() {
        let mut record = webhooks();
        record[CONTENT]["later"] = json!({ "x": 1 });
        record["retry"]["later"] = json!(2);
        record[TYPING] = json!("not an object");
        let wanted = json!({ CONTENT: { "endpoint": "https://hooks.example/new" }, "retry": { "retention_time": 60 } });
        let mut settings = WebhookSettings::from_manifest(&wanted).unwrap();
        settings.endpoints.insert(WebhookEvent::ChatState, "https://hooks.example/typing".parse().unwrap());
        let Value::Object(mut written) = record else { unreachable!() };
        settings.write_manifest(&mut written);
        let content = json!({ "endpoint": "https://hooks.example/new", "later": { "x": 1 } });
        assert_eq!(written[CONTENT], content, "its headers and retries are not set any more");
        assert_eq!(written["retry"], json!({ "retention_time": 60, "later": 2 }));
        assert_eq!(written[TYPING], json!({ "endpoint": "https://hooks.example/typing" }));
        assert!(settings.is_manifest(&Value::Object(written)) && !settings.is_manifest(&webhooks()));
    }
}
