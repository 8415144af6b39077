//! The bodies of the webhooks.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::GatewayAccount;
use crate::phone::PhoneMessage;

#[derive(Serialize)]
struct Message<'a> {
    /// Only with files: a plain text keeps the original form, which had no kinds.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    id: &'a str,
    from: &'a str,
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    /// In RFC 3339.
    received_at: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    media: Vec<File<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    url: String,
    content_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// The content of a report.
#[derive(Debug, Clone, Copy)]
pub(super) enum DeliveryReport<'a> {
    Delivered,
    Read,
    /// With the code of the reason.
    Failed(&'a str),
}

impl GatewayAccount {
    /// The body for a message from a phone, with its files.
    pub(super) fn message_body(&self, phone: &str, message: &PhoneMessage) -> Value {
        let media = message.files().iter().map(|file| File {
            url: self.media_url(&file.id),
            content_type: &file.content_type,
            name: file.name.as_deref(),
        });
        let has_files = !message.files().is_empty();
        json!(Message {
            kind: has_files.then_some("message"),
            id: &message.id,
            from: phone,
            to: &self.options.number,
            text: (!has_files || !message.text().is_empty()).then_some(message.text()),
            received_at: message.at,
            media: media.collect(),
        })
    }
}

/// The body for a report about a text to a phone. It returns the sender's reference.
pub(super) fn report(phone: &str, message: &PhoneMessage, report: DeliveryReport<'_>) -> Value {
    let (status, code) = match report {
        DeliveryReport::Delivered => ("delivered", None),
        DeliveryReport::Read => ("read", None),
        DeliveryReport::Failed(code) => ("failed", Some(code)),
    };
    let mut body = json!({ "type": "report", "message_id": message.id, "to": phone, "status": status });
    let more = [("code", code), ("client_reference", message.reference.as_deref())];
    if let Some(fields) = body.as_object_mut() {
        fields.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
    }
    body
}

/// The body for a typing indicator.
pub(super) fn typing(id: &str, phone: &str, typing: bool) -> Value {
    json!({ "type": "typing", "id": id, "from": phone, "typing": typing })
}
