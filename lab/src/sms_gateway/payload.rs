//! The bodies of the webhooks.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::Account;
use super::phone::PhoneMessage;

#[derive(Serialize)]
struct Message<'a> {
    /// Only with files: a plain text has the form from before there was any other kind.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    id: &'a str,
    from: &'a str,
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    /// Written in RFC 3339.
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

/// What a report says of a message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Report<'a> {
    Delivered,
    Read,
    /// With the code of the reason.
    Failed(&'a str),
}

impl Account {
    /// A message from a phone, with its files where it has some.
    pub(super) fn message_body(&self, phone: &str, message: &PhoneMessage) -> Value {
        let media = message.media.iter().map(|file| File {
            url: self.media_url(&file.id),
            content_type: &file.content_type,
            name: file.name.as_deref(),
        });
        let has_files = !message.media.is_empty();
        json!(Message {
            kind: has_files.then_some("message"),
            id: &message.id,
            from: phone,
            to: &self.options.number,
            text: (!has_files || !message.text.is_empty()).then_some(&message.text),
            received_at: message.at,
            media: media.collect(),
        })
    }
}

/// A report about a text to a phone. It gives the sender's own reference back.
pub(super) fn report(phone: &str, message: &PhoneMessage, report: Report<'_>) -> Value {
    let (status, code) = match report {
        Report::Delivered => ("delivered", None),
        Report::Read => ("read", None),
        Report::Failed(code) => ("failed", Some(code)),
    };
    let mut body = json!({ "type": "report", "message_id": message.id, "to": phone, "status": status });
    let more = [("code", code), ("client_reference", message.client_reference.as_deref())];
    if let Some(fields) = body.as_object_mut() {
        fields.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
    }
    body
}

/// A consumer begins to type, or stops.
pub(super) fn typing(id: &str, phone: &str, typing: bool) -> Value {
    json!({ "type": "typing", "id": id, "from": phone, "typing": typing })
}
