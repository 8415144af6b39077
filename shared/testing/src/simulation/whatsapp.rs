//! WhatsApp's wire: Meta's Cloud API and its webhooks.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    channel::{Content, Line, PICTURE, consumer},
    invariant::Invariant,
    invocation::InvocationId,
    liveengage::ACCOUNT,
    ports::reply,
    truth::{MessageId, Piece, Truth, Writer},
    world::World,
};
use connector_message::http::{HttpCall, HttpReply};

const PHONE_NUMBER_ID: &str = "118240097715334";
const APP_SECRET: &str = "sim-app-s3cret";

/// The line's secret.
pub(super) fn secret() -> Value {
    json!({
        "line_id": Line::WhatsApp.id(), "account_id": ACCOUNT, "channel": "whatsapp", "consumer_id_key": "3d".repeat(32),
        "not_delivered_notice": "Your message could not be delivered.",
        "whatsapp": {
            "phone_number_id": PHONE_NUMBER_ID, "access_token": "sim-bearer", "app_secret": APP_SECRET,
            "verify_token": "sim-verify-s3cret",
        },
    })
}

/// Returns the body of a consumer's message.
pub(super) fn message(from: &str, id: &str, text: &str, (content, now): (&Content, Timestamp)) -> Value {
    let mut message = json!({"from": from, "id": format!("wamid.{id}"), "timestamp": now.as_second().to_string()});
    let (kind, value) = match content {
        Content::Text => ("text", json!({"body": text})),
        Content::Picture => ("image", json!({"id": id.replace('-', ""), "mime_type": "image/png", "caption": text})),
        Content::Button { id } => {
            let button = json!({"id": id, "title": text});
            ("interactive", json!({"type": "button_reply", "button_reply": button}))
        }
    };
    message["type"] = kind.into();
    message[kind] = value;
    let contact = json!({"profile": {"name": "Kim"}, "wa_id": from});
    webhook(&json!({"contacts": [contact], "messages": [message]}))
}

/// Returns a webhook with this content.
fn webhook(content: &Value) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "493023125042", "phone_number_id": PHONE_NUMBER_ID},
    });
    for (name, part) in content.as_object().into_iter().flatten() {
        value[name] = part.clone();
    }
    let changes = json!([{"field": "messages", "value": value}]);
    json!({"object": "whatsapp_business_account", "entry": [{"id": "9", "changes": changes}]})
}

/// Returns the headers of a post.
pub(super) fn signed(body: &str) -> BTreeMap<&'static str, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(APP_SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    BTreeMap::from([("x-hub-signature-256", signature)])
}

/// Returns the buttons of a message, with the messages that they stand for.
fn buttons(body: &Value, truth: &Truth) -> Vec<(Option<String>, MessageId)> {
    let buttons = body["interactive"]["action"]["buttons"].as_array().into_iter().flatten();
    let button = |button: &Value| {
        let title = button["reply"]["title"].as_str()?;
        let piece = truth.pieces_of(Writer::Consumer, title).into_iter().next()?;
        Some((Some(button["reply"]["id"].as_str()?.to_owned()), piece.message))
    };
    buttons.filter_map(button).collect()
}

impl World {
    /// Carries out a call to Meta.
    pub(super) fn whatsapp_answers(&mut self, call: &HttpCall, by: InvocationId) -> (HttpReply, Vec<Piece>) {
        let answer = match call.name {
            "WhatsApp send" => return self.whatsapp_sends(call, by),
            "WhatsApp upload" => {
                if !call.body.windows(PICTURE.len()).any(|bytes| bytes == PICTURE) {
                    self.truth.broken(Invariant::Lost, format_args!("{by} uploads other bytes than the agent's"));
                }
                json!({"id": "640011"})
            }
            "WhatsApp read" | "WhatsApp typing" => json!({"success": true}),
            "WhatsApp media address" => {
                json!({"url": "https://lookaside.fbsbx.com/whatsapp/1", "mime_type": "image/png", "file_size": PICTURE.len()})
            }
            "WhatsApp media" => {
                let status = StatusCode::OK;
                return (HttpReply { status, retry_after: None, body: PICTURE.into() }, vec![]);
            }
            other => panic!("WhatsApp gets an unknown call: {other}"),
        };
        (reply(200, answer.to_string()), vec![])
    }

    fn whatsapp_sends(&mut self, call: &HttpCall, by: InvocationId) -> (HttpReply, Vec<Piece>) {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let pieces = self.truth.pieces_of(Writer::Agent, &body.to_string());
        let World { agenda, faults, channels, .. } = self;
        if !pieces.is_empty() && agenda.random.hits(faults.refused) {
            let error = json!({"error": {"code": 131_026, "message": "Message undeliverable"}});
            return (reply(400, error.to_string()), vec![]);
        }
        channels.sent += 1;
        let id = format!("wamid.OUT{}", channels.sent);
        agenda.note(format_args!("WhatsApp sends {id}"));
        let statuses =
            agenda.random.one_of([&["sent", "delivered"][..], &["delivered", "read"], &["read"], &["failed"], &[]]);
        let reference = body["biz_opaque_callback_data"].as_str().unwrap_or_default();
        let now = agenda.now().as_second().to_string();
        self.sent(reference, &pieces, by);
        if let Some(consumer) = body["to"].as_str().and_then(consumer) {
            self.offer(consumer, buttons(&body, &self.truth));
        }
        for status in statuses {
            let mut report = json!({
                "id": id, "status": status, "timestamp": now, "recipient_id": body["to"],
                "biz_opaque_callback_data": reference,
            });
            if *status == "failed" {
                report["errors"] = json!([{"code": 131_026}]);
            }
            self.post_later(Line::WhatsApp, &webhook(&json!({"statuses": [report]})), None);
        }
        (reply(200, json!({"messages": [{"id": id}]}).to_string()), pieces)
    }
}
