//! Copies of recorded HTTP events with times moved to now and new signatures.
//!
//! A signature is valid for minutes and a message for days, so a recording is refused when it is replayed later. A
//! wrong signature stays wrong, and an unsigned event stays unsigned, because such events are recorded on purpose.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use crate::{channel::Channel, channels, liveengage::SignatureForm};

/// The distance from the event's time within which other times are moved with it.
const MAX_TIME_DISTANCE: SignedDuration = SignedDuration::from_hours(24);

const LIVEENGAGE: &str = "x-liveperson-signature";
/// Why an event can't be copied. Contains nothing of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// An event of another function, or not of payload format 2.0.
    #[error("it is not an event of an HTTP API with a time")]
    NotHttp,
    /// The body is not JSON.
    #[error("its body is not JSON")]
    Body,
    /// No key to sign with.
    #[error("no secret with a name that ends in {0} has a text in {1}")]
    Secret(String, &'static str),
}

/// The event as it would arrive at `now`. `secrets` holds the secrets of the account and the lines by name.
///
/// # Errors
/// [`EventError`].
pub fn fresh(event: &Value, secrets: &Value, now: Timestamp) -> Result<Value, EventError> {
    let recorded = event
        .pointer("/requestContext/timeEpoch")
        .and_then(Value::as_i64)
        .and_then(|at| Timestamp::from_millisecond(at).ok())
        .ok_or(EventError::NotHttp)?;
    let mut fresh = event.clone();
    put(&mut fresh, "/requestContext/timeEpoch", now.as_millisecond().into());
    put(&mut fresh, "/requestContext/time", now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string().into());
    let Some(old_body) = body(event)? else { return Ok(fresh) };
    let mut content: Value = serde_json::from_slice(&old_body).map_err(|_| EventError::Body)?;
    shift(&mut content, recorded, now);
    let new_body = content.to_string().into_bytes();
    if let Some(signer) = Signer::of(event, secrets)?
        && signer.sign(event, &old_body).as_deref() == header(event, signer.header())
    {
        if let Some(time) = signer.time_header() {
            put(&mut fresh, &format!("/headers/{time}"), now.as_second().to_string().into());
        }
        let signature = signer.sign(&fresh, &new_body);
        put(&mut fresh, &format!("/headers/{}", signer.header()), json!(signature));
    }
    put(&mut fresh, "/headers/content-length", new_body.len().to_string().into());
    put(&mut fresh, "/body", STANDARD.encode(new_body).into());
    put(&mut fresh, "/isBase64Encoded", true.into());
    Ok(fresh)
}

/// Whose signature an event has, and its key.
enum Signer {
    LiveEngage(SecretString),
    Channel(&'static dyn Channel, SecretString),
}

impl Signer {
    fn of(event: &Value, secrets: &Value) -> Result<Option<Self>, EventError> {
        let key = |kind: &str, id: &str, field: &'static str| {
            let name = format!("/{kind}/{id}");
            let secret = secrets.as_object().into_iter().flatten().find(|(known, _)| known.ends_with(&name));
            let key = secret.and_then(|(_, secret)| secret.pointer(field)).and_then(Value::as_str);
            key.map(SecretString::from).ok_or(EventError::Secret(name, field))
        };
        if header(event, LIVEENGAGE).is_some() {
            let account = header(event, "x-liveperson-account-id").unwrap_or_default();
            return key("account", account, "/client_secret").map(|key| Some(Self::LiveEngage(key)));
        }
        let signed = |channel: &&'static dyn Channel| header(event, channel.profile().signature_header).is_some();
        let Some(channel) = channels::ALL.into_iter().find(signed) else { return Ok(None) };
        let line = event.pointer("/pathParameters/line").and_then(Value::as_str).unwrap_or_default();
        key("line", line, channel.profile().signature_key).map(|key| Some(Self::Channel(channel, key)))
    }

    fn header(&self) -> &'static str {
        match self {
            Self::LiveEngage(_) => LIVEENGAGE,
            Self::Channel(channel, _) => channel.profile().signature_header,
        }
    }

    /// The header with the signed time.
    fn time_header(&self) -> Option<&'static str> {
        match self {
            Self::LiveEngage(_) => None,
            Self::Channel(channel, _) => channel.profile().signed_time_header,
        }
    }

    /// The signature of this body, with the nonce and the time of the event.
    fn sign(&self, event: &Value, body: &[u8]) -> Option<String> {
        match self {
            Self::LiveEngage(key) => SignatureForm::default().sign(key, body),
            Self::Channel(channel, key) => {
                let header = |name: &str| header(event, name).map(str::to_owned);
                channel.sign(key.expose_secret().as_bytes(), body, &header)
            }
        }
    }
}

fn header<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    event.get("headers")?.get(name)?.as_str()
}

/// Sets a member if it exists.
fn put(event: &mut Value, pointer: &str, value: Value) {
    if let Some(member) = event.pointer_mut(pointer) {
        *member = value;
    }
}

fn body(event: &Value) -> Result<Option<Vec<u8>>, EventError> {
    let Some(body) = event.get("body").and_then(Value::as_str) else { return Ok(None) };
    if event.get("isBase64Encoded") == Some(&Value::Bool(true)) {
        return STANDARD.decode(body).map(Some).map_err(|_| EventError::Body);
    }
    Ok(Some(body.as_bytes().to_vec()))
}

/// Moves every time that is near `from`, in every format: milliseconds, seconds, these numbers as strings, RFC 3339.
fn shift(value: &mut Value, from: Timestamp, to: Timestamp) {
    let by = to.duration_since(from);
    let moved = |at: Timestamp| at.checked_add(by).ok().filter(|_| at.duration_since(from).abs() <= MAX_TIME_DISTANCE);
    let number = |number: i64| {
        let in_ms = Timestamp::from_millisecond(number).ok().and_then(moved).map(Timestamp::as_millisecond);
        in_ms.or_else(|| Timestamp::from_second(number).ok().and_then(moved).map(Timestamp::as_second))
    };
    match value {
        Value::Number(old) => {
            if let Some(new) = old.as_i64().and_then(number) {
                *value = new.into();
            }
        }
        Value::String(old) => {
            let new = match old.parse::<i64>() {
                Ok(digits) => number(digits).map(|new| new.to_string()),
                Err(_) => old.parse().ok().and_then(moved).map(|new| new.to_string()),
            };
            if let Some(new) = new {
                *old = new;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| shift(value, from, to)),
        Value::Object(members) => members.values_mut().for_each(|value| shift(value, from, to)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_of_every_format_are_shifted_and_nothing_else_changes() {
        let (from, to) =
            (Timestamp::from_second(1_781_515_800).unwrap(), Timestamp::from_second(1_800_000_000).unwrap());
        let mut value = json!({
            "ms": 1_781_515_802_000_i64, "s": 1_781_515_798, "digits": "1781515798", "at": "2026-06-15T09:30:01Z",
            "sequence": 7, "phone": "+491713920017", "old": 1_600_000_000, "text": "at 09:30", "list": [1_781_515_800],
        });
        shift(&mut value, from, to);
        let wanted = json!({
            "ms": 1_800_000_002_000_i64, "s": 1_799_999_998, "digits": "1799999998", "at": "2027-01-15T08:00:01Z",
            "sequence": 7, "phone": "+491713920017", "old": 1_600_000_000, "text": "at 09:30", "list": [1_800_000_000],
        });
        assert_eq!(value, wanted);
    }

    #[test]
    fn an_event_without_its_key_is_not_signed_and_no_secret_is_printed() {
        let event = json!({
            "requestContext": {"timeEpoch": 1}, "headers": {"x-hub-signature-256": "sha256=0"}, "body": "{}",
            "pathParameters": {"line": "whatsapp-main"},
        });
        let secrets = json!({"c/line/whatsapp-main": {"whatsapp": {"access_token": "canary"}}});
        let error = fresh(&event, &secrets, Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(error, EventError::Secret("/line/whatsapp-main".to_owned(), "/whatsapp/app_secret"));
        assert_eq!(fresh(&json!({"Records": []}), &secrets, Timestamp::UNIX_EPOCH), Err(EventError::NotHttp));
    }
}
