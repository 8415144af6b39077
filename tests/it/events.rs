//! The recorded events in `events/`, and the checks that keep them valid: if a body changes, it needs a new signature.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use connector::queue_message::decode;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::Sha256;

use crate::silence::{Kind, Watch};

pub(crate) const ACCOUNT: &str = "72419083";
pub(crate) const CLIENT_ID: &str = "5b8e1f40-9c27-4d6a-8e13-7a0c4d92f6b1";
pub(crate) const CLIENT_SECRET: &str = "events-client-secret-k2v9";
pub(crate) const LINE: &str = "sms-main";
pub(crate) const NUMBER: &str = "+493023125042";
pub(crate) const WEBHOOK_SECRET: &str = "events-webhook-secret-q7r3";
pub(crate) const BEARER_TOKEN: &str = "events-bearer-token-t5x8";
pub(crate) const CONSUMER_ID_KEY: &str = "9d4e1a7730c25b86f1e0a94c6d27385bb05e8f14c2697a3d80f5e61b29d7c4a3";
pub(crate) const WHATSAPP_LINE: &str = "whatsapp-main";
pub(crate) const APP_SECRET: &str = "events-app-secret-j8d2";
/// The two consumers of the events.
pub(crate) const ANNA: &str = "+491713920017";
pub(crate) const BEN: &str = "+491713920034";
/// Anna's conversation, and one that no event opens.
pub(crate) const CONVERSATION: &str = "3d6f0b8e-52c1-4a97-b1e4-90c7a2f81d55";
pub(crate) const UNKNOWN_CONVERSATION: &str = "c04a7712-6e9b-4f3d-8d20-5b1f7e6a9c38";
/// LivePerson's id of Anna.
pub(crate) const LP_CONSUMER: &str = "04bc63ce9764882ad2fc4ae7bc700171c963da6923a2796aa454c16da9595870";

/// The time of the events.
pub(crate) fn now() -> Timestamp {
    "2026-06-15T09:30:00Z".parse().unwrap()
}

/// The account's secret, as `events/README.md` shows it.
pub(crate) fn account_secret() -> Value {
    json!({"account_id": ACCOUNT, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})
}

/// The line's secret, as `events/README.md` shows it.
pub(crate) fn line_secret() -> Value {
    json!({
        "line_id": LINE, "account_id": ACCOUNT, "channel": "sms", "consumer_id_key": CONSUMER_ID_KEY, "late": "none",
        "routing": {"skill_id": "2187"},
        "sms": {
            "from": NUMBER, "send_url": "https://gateway.example/v1/messages",
            "bearer_token": BEARER_TOKEN, "webhook_secret": WEBHOOK_SECRET,
        },
    })
}

/// The WhatsApp line's secret, as `events/README.md` shows it.
pub(crate) fn whatsapp_secret() -> Value {
    json!({
        "line_id": WHATSAPP_LINE, "account_id": ACCOUNT, "channel": "whatsapp",
        "consumer_id_key": "51c08e6f2ab94d73e0f7a8c6b5d4132249fe70ab86d35c1e0984b7f2a6cd35e1", "late": "none",
        "routing": {"skill_id": "2187"},
        "whatsapp": {
            "phone_number_id": "117305528841906", "access_token": "events-access-token-m4z6",
            "app_secret": APP_SECRET, "verify_token": "events-verify-token-w1h7",
        },
    })
}

/// Starts to watch the log for everything that the events contain.
pub(crate) fn watch() -> Watch {
    let watch = Watch::begin();
    watch.plant_all(Kind::Number, [ANNA, BEN, NUMBER]);
    watch.plant_all(Kind::Secret, [CLIENT_SECRET, WEBHOOK_SECRET, BEARER_TOKEN, CONSUMER_ID_KEY]);
    watch.plant_all(Kind::Secret, ["events-app-jwt", "events-consumer-jws"]);
    watch
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events")
}

pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("events/{name}: {error}"))
}

pub(crate) fn event(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap_or_else(|error| panic!("events/{name}: {error}"))
}

/// Returns the raw body of an HTTP event.
pub(crate) fn body(event: &Value) -> Vec<u8> {
    let body = event["body"].as_str().unwrap();
    if event["isBase64Encoded"] == json!(true) { STANDARD.decode(body).unwrap() } else { body.as_bytes().to_vec() }
}

pub(crate) fn set_body(event: &mut Value, body: &[u8]) {
    event["body"] = json!(STANDARD.encode(body));
    event["isBase64Encoded"] = json!(true);
}

/// Computes LivePerson's default signature.
pub(crate) fn liveperson_signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    format!("sha1={}", STANDARD.encode(mac.finalize().into_bytes()))
}

pub(crate) fn gateway_signature(secret: &str, body: &[u8], nonce: &str, timestamp: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    for part in [body, b".", nonce.as_bytes(), b".", timestamp.as_bytes()] {
        mac.update(part);
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Computes Meta's signature.
fn meta_signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(APP_SECRET.as_bytes()).unwrap();
    mac.update(body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

/// Returns `inbound-whatsapp-text.json` with another body.
pub(crate) fn whatsapp_with(body: &[u8]) -> Value {
    let mut event = event("inbound-whatsapp-text.json");
    set_body(&mut event, body);
    event["headers"]["x-hub-signature-256"] = json!(meta_signature(body));
    event
}

/// Returns `webhook-text.json` with another body, signed with `secret`.
pub(crate) fn webhook_with(body: &[u8], secret: &str) -> Value {
    let mut event = event("webhook-text.json");
    set_body(&mut event, body);
    event["headers"]["x-liveperson-signature"] = json!(liveperson_signature(secret, body));
    event
}

/// Returns `inbound-text.json` with another body, signed with `secret` at `signed_at`.
pub(crate) fn inbound_with(body: &[u8], secret: &str, signed_at: Timestamp) -> Value {
    let mut event = event("inbound-text.json");
    set_body(&mut event, body);
    let (nonce, timestamp) = ("N0NCE", signed_at.as_second().to_string());
    let headers = &mut event["headers"];
    headers["x-sinch-webhook-signature"] = json!(gateway_signature(secret, body, nonce, &timestamp));
    headers["x-sinch-webhook-signature-nonce"] = json!(nonce);
    headers["x-sinch-webhook-signature-timestamp"] = json!(timestamp);
    event
}

#[test]
fn every_webhook_fixture_is_signed_for_its_body() {
    for name in ["webhook-text.json", "webhook-batch.json", "webhook-closed.json", "webhook-wrong-signature.json"] {
        let event = event(name);
        let signature = liveperson_signature(CLIENT_SECRET, &body(&event));
        let shown = event["headers"]["x-liveperson-signature"].as_str().unwrap();
        if name == "webhook-wrong-signature.json" {
            assert_ne!(shown, signature, "{name} must stay wrong");
            assert_eq!(shown.len(), signature.len(), "{name} must be wrong by its value only");
        } else {
            assert_eq!(shown, signature, "events/{name}: the signature on the right is this body's");
        }
        assert_eq!(event["headers"]["x-liveperson-account-id"], ACCOUNT);
        assert_eq!(event["headers"]["x-liveperson-client-id"], CLIENT_ID);
    }
}

#[test]
fn the_inbound_fixtures_are_signed_for_their_body_and_time_or_not_at_all() {
    let event = event("inbound-text.json");
    let header = |name: &str| event["headers"][name].as_str().unwrap().to_owned();
    let (nonce, timestamp) = (header("x-sinch-webhook-signature-nonce"), header("x-sinch-webhook-signature-timestamp"));
    assert_eq!(timestamp, now().as_second().to_string());
    assert_eq!(
        header("x-sinch-webhook-signature"),
        gateway_signature(WEBHOOK_SECRET, &body(&event), &nonce, &timestamp),
        "events/inbound-text.json: the signature on the right is this body's"
    );
    let unsigned = self::event("inbound-unsigned.json");
    assert!(!unsigned["headers"].as_object().unwrap().keys().any(|name| name.contains("signature")));
    assert_eq!(body(&unsigned), body(&event), "the same message, without a signature");
}

#[test]
fn the_whatsapp_fixture_is_signed_for_its_body() {
    let event = event("inbound-whatsapp-text.json");
    assert_eq!(
        event["headers"]["x-hub-signature-256"],
        meta_signature(&body(&event)),
        "events/inbound-whatsapp-text.json: the signature on the right is this body's"
    );
}

#[test]
fn every_http_fixture_tells_its_true_length() {
    for name in [
        "webhook-text.json",
        "webhook-batch.json",
        "webhook-closed.json",
        "inbound-text.json",
        "inbound-whatsapp-text.json",
    ] {
        let event = event(name);
        assert_eq!(event["headers"]["content-length"], json!(body(&event).len().to_string()), "{name}");
        assert_eq!(event["version"], "2.0");
    }
}

/// Checks that the groups and deduplication ids are those that the entry points produce.
#[test]
fn the_queue_fixtures_are_grouped_as_the_entry_points_do_it() {
    for name in ["to-liveengage-batch.json", "to-channel-batch.json"] {
        for record in event(name)["Records"].as_array().unwrap() {
            let message = decode(record["body"].as_str().unwrap()).unwrap();
            let (identity, attributes) = (message.identity(), &record["attributes"]);
            assert_eq!(attributes["MessageGroupId"], identity.group(), "{}", record["messageId"]);
            assert_eq!(attributes["MessageDeduplicationId"], identity.deduplication_id(), "{}", record["messageId"]);
        }
    }
}

#[test]
fn the_readme_names_every_fixture_and_every_value_it_assumes() {
    let readme = text("README.md");
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || readme.contains(&format!("`{name}`")), "events/README.md misses {name}");
    }
    for value in [ACCOUNT, CLIENT_ID, CLIENT_SECRET, LINE, NUMBER, WEBHOOK_SECRET, BEARER_TOKEN, CONSUMER_ID_KEY] {
        assert!(readme.contains(value), "events/README.md misses {value}");
    }
    let secrets = event("secrets.json");
    for (name, secret) in [
        (format!("connector/account/{ACCOUNT}"), account_secret()),
        (format!("connector/line/{LINE}"), line_secret()),
        (format!("connector/line/{WHATSAPP_LINE}"), whatsapp_secret()),
    ] {
        assert_eq!(secrets[&name], secret, "events/secrets.json: {name}");
        let shown = readme.split("```json").skip(1).filter_map(|block| block.split("```").next());
        let found = shown.filter_map(|json| serde_json::from_str::<Value>(json).ok()).any(|shown| shown == secret);
        assert!(found, "events/README.md shows another secret than {secret}");
    }
}
