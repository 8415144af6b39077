//! The SMS gateway's wire: the connector's own contract.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    channel::{Content, Line, PICTURE, consumer},
    invocation::InvocationId,
    liveengage::ACCOUNT,
    ports::reply,
    truth::{Piece, Writer},
    world::World,
};
use connector_message::http::{HttpCall, HttpReply};

const WEBHOOK_SECRET: &str = "sim-webhook-s3cret";

/// The line's secret.
pub(super) fn secret() -> Value {
    json!({
        "line_id": Line::Sms.id(), "account_id": ACCOUNT, "channel": "sms", "consumer_id_key": "7c".repeat(32),
        "not_delivered_notice": "Your message could not be delivered.",
        "sms": {
            "from": "+493023125042", "send_url": "https://gateway.example/v1/messages",
            "bearer_token": "sim-bearer", "webhook_secret": WEBHOOK_SECRET, "delivery_reports": true,
        },
    })
}

/// Returns the body of a consumer's message.
pub(super) fn message(from: &str, id: &str, text: &str, (content, now): (&Content, Timestamp)) -> Value {
    let mut body = json!({"id": id, "from": format!("+{from}"), "text": text, "received_at": now});
    if *content == Content::Picture {
        body["media"] = json!([{"url": format!("https://gateway.example/media/{id}"), "content_type": "image/png"}]);
    }
    body
}

/// Returns the headers of a post.
pub(super) fn signed(body: &str, number: u64, now: Timestamp) -> BTreeMap<&'static str, String> {
    let timestamp = now.as_second().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(format!("{body}.n-{number}.{timestamp}").as_bytes());
    BTreeMap::from([
        ("x-sinch-webhook-signature", STANDARD.encode(mac.finalize().into_bytes())),
        ("x-sinch-webhook-signature-nonce", format!("n-{number}")),
        ("x-sinch-webhook-signature-timestamp", timestamp),
    ])
}

impl World {
    /// Carries out a call to the gateway.
    pub(super) fn sms_answers(&mut self, call: &HttpCall, by: InvocationId) -> (HttpReply, Vec<Piece>) {
        if call.name == "SMS gateway media" {
            let status = StatusCode::OK;
            return (HttpReply { status, retry_after: None, body: PICTURE.into() }, vec![]);
        }
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let field = |name: &str| body[name].as_str().unwrap_or_default();
        let pieces = self.truth.pieces_of(Writer::Agent, field("text"));
        let World { agenda, faults, channels, .. } = self;
        if !pieces.is_empty() && agenda.random.hits(faults.refused) {
            return (reply(422, json!({"error": {"code": "opted_out"}}).to_string()), vec![]);
        }
        channels.sent += 1;
        let id = format!("mt-{}", channels.sent);
        agenda.note(format_args!("the gateway sends {id}"));
        let status = agenda.random.one_of(["delivered", "delivered", "delivered", "read", "failed"]);
        let is_reported = agenda.random.hits(900);
        self.sent(field("client_reference"), &pieces, by);
        let mut report = json!({
            "type": "report", "message_id": id, "to": field("to"), "status": status,
            "client_reference": field("client_reference"),
        });
        if status == "failed" {
            report["code"] = "absent_subscriber".into();
        }
        let choices = self.truth.pieces_of(Writer::Consumer, field("text")).into_iter();
        let choices = choices.map(|piece| (None, piece.message)).collect();
        if let Some(consumer) = consumer(field("to")) {
            self.offer(consumer, choices);
        }
        if is_reported {
            self.post_later(Line::Sms, &report, None);
        }
        (reply(201, json!({"id": id}).to_string()), pieces)
    }
}
