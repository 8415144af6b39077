//! The inputs: the recorded invocations of `events`, and larger ones of the same form.

use std::error::Error;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use connector_channels::{ChannelRequest, Line, by_name, whatsapp};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;

/// A webhook of LiveEngage with one text.
pub(crate) const LIVEENGAGE_TEXT: &str = include_str!("../../../../events/webhook-text.json");
/// A webhook of the SMS gateway with one text.
pub(crate) const SMS_TEXT: &str = include_str!("../../../../events/inbound-text.json");
/// A webhook of WhatsApp with one text.
pub(crate) const WHATSAPP_TEXT: &str = include_str!("../../../../events/inbound-whatsapp-text.json");
/// A batch of the queue to LiveEngage.
pub(crate) const TO_LIVEENGAGE: &str = include_str!("../../../../events/to-liveengage-batch.json");
/// A batch of the queue to the channels.
pub(crate) const TO_CHANNEL: &str = include_str!("../../../../events/to-channel-batch.json");
/// A card, as a bot sends it.
const CARD: &str = include_str!("../inputs/card.json");
/// The secrets for these events.
const SECRETS: &str = include_str!("../../../../events/secrets.json");

/// The size of a large webhook, in bytes.
const LARGE: usize = 256 * 1024;

/// Two sentences, with an emoji and with quotes that JSON escapes.
const SENTENCES: &str =
    "Your parcel left our depot at \"Hauptstraße 5\" this morning 📦. It arrives tomorrow between 8 and noon. ";

/// Returns a text that repeats the sentences until it has this number of bytes, or a sentence more.
pub(crate) fn text(bytes: usize) -> String {
    SENTENCES.repeat(bytes.div_ceil(SENTENCES.len()))
}

/// The time of the events. The signature of the SMS gateway has it, too.
pub(crate) fn now() -> Result<Timestamp, jiff::Error> {
    Timestamp::from_second(1_781_515_800)
}

/// Returns a field of a secret for the events.
fn setting(secret: &str, field: &str) -> Result<Value, Box<dyn Error>> {
    let secrets: Value = serde_json::from_str(SECRETS)?;
    secrets.get(secret).and_then(|secret| secret.get(field)).cloned().ok_or_else(|| "no such secret".into())
}

/// Returns the line of a channel, for example `sms`, with its settings from the secret for the events.
pub(crate) fn line(channel: &str) -> Result<Box<dyn Line>, Box<dyn Error>> {
    let settings = setting(&format!("connector/line/{channel}-main"), channel)?;
    Ok(by_name(channel).ok_or("no such channel")?.line(&settings)?)
}

/// Returns the key with which LiveEngage signs the events.
pub(crate) fn client_secret() -> Result<SecretString, Box<dyn Error>> {
    let secret = setting("connector/account/72419083", "client_secret")?;
    Ok(SecretString::from(secret.as_str().ok_or("not a text")?))
}

/// Returns the HTTP request of a recorded invocation.
pub(crate) fn request(event: &str) -> Result<ChannelRequest, Box<dyn Error>> {
    let event: Value = serde_json::from_str(event)?;
    let mut headers = HeaderMap::new();
    for (name, value) in event.get("headers").and_then(Value::as_object).into_iter().flatten() {
        headers.insert(name.parse::<HeaderName>()?, HeaderValue::from_str(value.as_str().ok_or("not a text")?)?);
    }
    let body = STANDARD.decode(event.get("body").and_then(Value::as_str).ok_or("no body")?)?;
    Ok(ChannelRequest { method: Method::POST, headers, query: vec![], body: body.into() })
}

/// Returns the body of a message of a recorded batch.
pub(crate) fn queued(batch: &str, index: usize) -> Result<String, Box<dyn Error>> {
    let batch: Value = serde_json::from_str(batch)?;
    let body = batch.pointer(&format!("/Records/{index}/body")).and_then(Value::as_str);
    Ok(body.ok_or("no such message")?.to_owned())
}

/// Returns a webhook of LiveEngage with these texts, one in each change.
pub(crate) fn liveengage_texts(texts: &[String]) -> Result<Bytes, Box<dyn Error>> {
    let request = request(LIVEENGAGE_TEXT)?;
    with_copies(&request, "/body/changes", texts.len(), |number, change| {
        set(change, "/sequence", number)?;
        set(change, "/event/message", texts.get(number).map_or("", String::as_str))
    })
}

/// Returns a webhook of LiveEngage of 256 KiB: one text.
pub(crate) fn large_liveengage_text() -> Result<Bytes, Box<dyn Error>> {
    // JSON has a backslash before each quote, so the text must be shorter.
    liveengage_texts(&[text(LARGE * 97 / 100)])
}

/// Returns LiveEngage's signature of a body.
pub(crate) fn liveengage_signature(body: &[u8]) -> Result<String, Box<dyn Error>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(client_secret()?.expose_secret().as_bytes())?;
    mac.update(body);
    Ok(format!("sha1={}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// Returns a signed webhook of WhatsApp with this number of texts.
pub(crate) fn whatsapp_texts(count: usize) -> Result<ChannelRequest, Box<dyn Error>> {
    let mut request = request(WHATSAPP_TEXT)?;
    request.body = with_copies(&request, "/entry/0/changes/0/value/messages", count, |number, message| {
        set(message, "/id", format!("wamid.YmVuY2gtMjAyNi0wNi0xNQ{number:04}"))
    })?;
    let settings = setting("connector/line/whatsapp-main", "whatsapp")?;
    let key = settings.get("app_secret").and_then(Value::as_str).ok_or("no app_secret")?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())?;
    mac.update(&request.body);
    let value = format!("{}{}", whatsapp::signature::PREFIX, hex::encode(mac.finalize().into_bytes()));
    request.headers.insert(whatsapp::signature::SIGNATURE, value.parse()?);
    Ok(request)
}

/// Returns the body of a request with copies of the only element of the list at `list`, each changed by its number.
fn with_copies(
    request: &ChannelRequest,
    list: &str,
    count: usize,
    change: impl Fn(usize, &mut Value) -> Result<(), Box<dyn Error>>,
) -> Result<Bytes, Box<dyn Error>> {
    let mut body: Value = serde_json::from_slice(&request.body)?;
    let elements = body.pointer_mut(list).and_then(Value::as_array_mut).ok_or("no such list")?;
    let element = elements.pop().ok_or("an empty list")?;
    for number in 0..count {
        let mut copy = element.clone();
        change(number, &mut copy)?;
        elements.push(copy);
    }
    Ok(body.to_string().into())
}

/// Sets a field that a document has.
pub(crate) fn set(json: &mut Value, pointer: &str, value: impl Into<Value>) -> Result<(), Box<dyn Error>> {
    *json.pointer_mut(pointer).ok_or("no such field")? = value.into();
    Ok(())
}

/// Returns the structured content of a card: a picture, two texts and three buttons.
pub(crate) fn card() -> Result<Value, serde_json::Error> {
    serde_json::from_str(CARD)
}

/// Returns the structured content of a carousel with this number of cards.
pub(crate) fn carousel(cards: usize) -> Result<Value, serde_json::Error> {
    Ok(json!({"type": "carousel", "padding": 10, "elements": vec![card()?; cards]}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_webhook_has_nearly_256_kib() {
        let size = large_liveengage_text().unwrap().len();
        assert!((LARGE * 98 / 100..=LARGE).contains(&size), "{size}");
    }
}
