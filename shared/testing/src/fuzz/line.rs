//! One line of each channel with known secrets, and checks that apply to every line.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    input::{canary, hides, number, with_inside, with_texts},
    task::read_back,
};
use connector::{
    domain::id::{CorrelationId, LineId},
    queue_message::{ChannelEvent, Envelope, wire::encode},
};
use connector_channels::{
    ChannelRequest, Line, MediaCall, Reception, by_name,
    message::{InboundContent, InboundMedia},
};
use connector_message::http::HttpCall;

/// The key of the SMS gateway's signature.
pub(super) const SMS_SECRET: &str = "wh-s3cret";
/// The key of Meta's signature.
pub(super) const WHATSAPP_SECRET: &str = "app-s3cret";
/// The token of Meta's handshake.
pub(super) const VERIFY_TOKEN: &str = "v3rify-me";

/// The settings of a channel's line, as the whole secret of the line has them.
pub(super) fn line_settings(channel: &str) -> Value {
    let own = match channel {
        "sms" => json!({
            "from": "+4930555123", "send_url": "https://gateway.example/v1/messages", "bearer_token": "b34rer",
            "webhook_secret": SMS_SECRET, "delivery_reports": true, "media_hosts": ["media.example"],
        }),
        _ => json!({
            "phone_number_id": "118240097715334", "access_token": "EAAtok3n", "app_secret": WHATSAPP_SECRET,
            "verify_token": VERIFY_TOKEN,
        }),
    };
    json!({
        "line_id": format!("{channel}-main"), "account_id": "72419083", "channel": channel,
        "consumer_id_key": "k".repeat(64), channel: own,
    })
}

fn line(channel: &str) -> Box<dyn Line> {
    by_name(channel).unwrap().line(line_settings(channel).get(channel).unwrap()).unwrap()
}

/// The line of the SMS gateway.
pub(super) static SMS: LazyLock<Box<dyn Line>> = LazyLock::new(|| line("sms"));
/// The line of WhatsApp.
pub(super) static WHATSAPP: LazyLock<Box<dyn Line>> = LazyLock::new(|| line("whatsapp"));

/// The time of every check.
pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Builds a POST with these headers. Leaves out values that no header can have.
pub(super) fn post(headers: &[(&'static str, &[u8])], body: &[u8]) -> ChannelRequest {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            map.append(HeaderName::from_static(name), value);
        }
    }
    ChannelRequest { method: Method::POST, headers: map, query: vec![], body: body.to_vec().into() }
}

/// Computes HMAC-SHA256 over the concatenated parts.
pub(super) fn hmac_sha256(key: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// The SMS gateway's signature.
pub(super) fn sms_signature(body: &[u8], nonce: &str, timestamp: &str) -> String {
    let parts = [body, b".", nonce.as_bytes(), b".", timestamp.as_bytes()];
    STANDARD.encode(hmac_sha256(SMS_SECRET, &parts))
}

/// Meta's signature.
pub(super) fn whatsapp_signature(body: &[u8]) -> String {
    format!("sha256={}", hex::encode(hmac_sha256(WHATSAPP_SECRET, &[body])))
}

/// Reads a verified request.
///
/// Checks that the same request gives the same events, and that each event becomes a task of the queue and is read back as itself. Checks
/// that a file is fetched with the line's token from the line's own hosts only. Checks that no words of the body would be logged, in
/// particular not those under the names `texts`.
pub(super) fn receive(line: &dyn Line, request: &ChannelRequest, texts: &str) -> Option<Reception> {
    let (bytes, number) = (&request.body, number(&request.body));
    let hidden = canary(bytes);
    let with = |body: Vec<u8>| line.receive(&ChannelRequest { body: body.into(), ..request.clone() });
    if let Err(error) = with(with_inside(bytes, number, &hidden)) {
        hides(&format!("{error} {error:?}"), &hidden);
    }
    if let Ok(document) = serde_json::from_slice::<Value>(bytes) {
        match with(with_texts(&document, texts, &hidden).to_string().into()) {
            Ok(reception) => hides(&format!("{reception:?}"), &hidden),
            Err(error) => hides(&format!("{error} {error:?}"), &hidden),
        }
    }
    let reception = line.receive(request).ok()?;
    let again = line.receive(request).unwrap();
    assert_eq!(
        (&again.events, &again.answer, &again.left_out, &again.elsewhere),
        (&reception.events, &reception.answer, &reception.left_out, &reception.elsewhere)
    );
    for event in &reception.events {
        if let InboundContent::Media(media) = &event.content {
            fetches_from_its_own_hosts(line, media);
        }
        let message = ChannelEvent {
            envelope: Envelope::new(&CorrelationId::new("r-1").unwrap(), now()),
            line: LineId::new("sms-main").unwrap(),
            event: event.clone(),
        };
        read_back(&encode(&message.into()).unwrap());
    }
    Some(reception)
}

/// Checks that the first call for a file goes to the line's own hosts, whatever the file's reference says.
pub(super) fn fetches_from_its_own_hosts(line: &dyn Line, media: &InboundMedia) {
    match line.fetch(media, None) {
        Ok(MediaCall::Ask(call)) => {
            let path = call.url.path().strip_prefix("/v26.0/").unwrap().to_owned();
            assert_eq!((call.url.host_str(), path.contains('/')), (Some("graph.facebook.com"), false));
            assert_eq!(path, media.reference.as_str());
            goes_by_https(&call, &["graph.facebook.com"]);
        }
        Ok(MediaCall::Fetch(call)) => goes_by_https(&call, &["gateway.example", "media.example"]),
        Err(_) => {}
    }
}

/// Checks that a call with the line's token goes to one of these hosts or to a subdomain of it.
pub(super) fn goes_by_https(call: &HttpCall, hosts: &[&str]) {
    let host = call.url.host_str().unwrap();
    let known = hosts.iter().any(|known| host == *known || host.ends_with(&format!(".{known}")));
    assert!(known && call.url.scheme() == "https", "{}", call.url);
    assert!(call.headers.get("authorization").unwrap().is_sensitive());
}
