//! Recorded HTTP events, made fresh: their times moved to now, and signed for that.
//!
//! A signature is good for minutes and a message for days, so that a recording is refused when it is replayed later. What was signed wrongly
//! stays so, and what was not signed stays unsigned: these are recordings, too.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{liveengage::SignatureForm, sms_gateway, whatsapp};

/// How far a time may be from that of the event, to be one that moves with it.
const NEAR: SignedDuration = SignedDuration::from_hours(24);

const LIVEENGAGE: &str = "x-liveperson-signature";
const WHATSAPP: &str = "x-hub-signature-256";
const GATEWAY: &str = "x-sinch-webhook-signature";
const GATEWAY_NONCE: &str = "x-sinch-webhook-signature-nonce";
const GATEWAY_TIME: &str = "x-sinch-webhook-signature-timestamp";

/// Why an event can't be made fresh. Nothing of a secret is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is another function's, or not of payload format 2.0.
    #[error("it is no event of an HTTP API with a time")]
    NotHttp,
    /// The body is not the JSON that a channel or LiveEngage sends.
    #[error("its body is not JSON")]
    Body,
    /// There is no key to sign with.
    #[error("there is no secret whose name ends in {0}, with a text in {1}")]
    Secret(String, &'static str),
}

/// The event as it would come at `now`. `secrets` holds those of the account and the lines by their names.
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
        put(&mut fresh, &format!("/headers/{GATEWAY_TIME}"), now.as_second().to_string().into());
        let signature = signer.sign(&fresh, &new_body);
        put(&mut fresh, &format!("/headers/{}", signer.header()), json!(signature));
    }
    put(&mut fresh, "/headers/content-length", new_body.len().to_string().into());
    put(&mut fresh, "/body", STANDARD.encode(new_body).into());
    put(&mut fresh, "/isBase64Encoded", true.into());
    Ok(fresh)
}

/// Whose signature an event has, and the key of it.
enum Signer {
    LiveEngage(SecretString),
    WhatsApp(String),
    Gateway(String),
}

impl Signer {
    fn of(event: &Value, secrets: &Value) -> Result<Option<Self>, EventError> {
        let key = |kind: &str, id: &str, field: &'static str| {
            let name = format!("/{kind}/{id}");
            let secret = secrets.as_object().into_iter().flatten().find(|(known, _)| known.ends_with(&name));
            let key = secret.and_then(|(_, secret)| secret.pointer(field)).and_then(Value::as_str);
            key.map(str::to_owned).ok_or(EventError::Secret(name, field))
        };
        let line = event.pointer("/pathParameters/line").and_then(Value::as_str).unwrap_or_default();
        if header(event, LIVEENGAGE).is_some() {
            let account = header(event, "x-liveperson-account-id").unwrap_or_default();
            return key("account", account, "/client_secret").map(|key| Some(Self::LiveEngage(key.into())));
        }
        if header(event, WHATSAPP).is_some() {
            return key("line", line, "/whatsapp/app_secret").map(|key| Some(Self::WhatsApp(key)));
        }
        if header(event, GATEWAY).is_some() {
            return key("line", line, "/sms/webhook_secret").map(|key| Some(Self::Gateway(key)));
        }
        Ok(None)
    }

    const fn header(&self) -> &'static str {
        match self {
            Self::LiveEngage(_) => LIVEENGAGE,
            Self::WhatsApp(_) => WHATSAPP,
            Self::Gateway(_) => GATEWAY,
        }
    }

    /// The signature of this body, with the nonce and the time that are in the event.
    fn sign(&self, event: &Value, body: &[u8]) -> Option<String> {
        match self {
            Self::LiveEngage(key) => SignatureForm::default().sign(key, body),
            Self::WhatsApp(key) => Some(whatsapp::sign(key.as_bytes(), body)),
            Self::Gateway(key) => {
                let time = header(event, GATEWAY_TIME)?.parse().ok()?;
                Some(sms_gateway::sign(key.as_bytes(), body, header(event, GATEWAY_NONCE)?, time))
            }
        }
    }
}

fn header<'a>(event: &'a Value, name: &str) -> Option<&'a str> {
    event.get("headers")?.get(name)?.as_str()
}

/// Sets a member that is there.
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

/// Moves every time that is near `from`, in whatever form: milliseconds, seconds, their digits as a text, RFC 3339.
fn shift(value: &mut Value, from: Timestamp, to: Timestamp) {
    let by = to.duration_since(from);
    let moved = |at: Timestamp| at.checked_add(by).ok().filter(|_| at.duration_since(from).abs() <= NEAR);
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
    fn times_move_in_every_form_and_nothing_else_does() {
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
    fn without_its_key_an_event_is_not_signed_and_no_secret_is_told() {
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
