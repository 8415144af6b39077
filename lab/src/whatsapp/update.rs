//! The content of webhooks: the consumers' messages and the statuses of the connector's messages, as Meta writes them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::WhatsAppOptions;
use super::phone::{WhatsAppPhone, wa_id};
use crate::phone::PhoneMessage;

/// A message or a status for a webhook.
#[derive(Debug, Clone)]
pub(super) struct Update {
    pub(super) phone: String,
    pub(super) message_id: String,
    pub(super) kind: UpdateKind,
    /// The entry in `contacts`, if there is one.
    pub(super) contact: Option<Value>,
    /// The entry in `messages` or `statuses`.
    pub(super) item: Value,
}

/// The list of the webhook for an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum UpdateKind {
    Message,
    Status,
}

/// A status of a message from the connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Status {
    Sent,
    Delivered,
    /// `skipped_delivered`: it arrived in the open chat, so `delivered` was not reported.
    Read {
        skipped_delivered: bool,
    },
    Failed(DeliveryFailure),
}

/// Why a message doesn't reach the phone, with Meta's codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeliveryFailure {
    pub(super) code: u32,
    pub(super) title: String,
}

/// A consumer's message. `fields` contains `type` and the fields of that type. Null values are omitted.
pub(super) fn incoming(phone: &WhatsAppPhone, message: &PhoneMessage, fields: Value, display_number: &str) -> Update {
    let shows_number = !phone.profile.is_number_hidden;
    let mut item = json!({
        "id": message.id,
        "timestamp": message.at.as_second().to_string(),
        "from": shows_number.then(|| wa_id(phone)),
        "from_user_id": phone.profile.user_id,
        "context": message.quotes.as_ref().map(|quoted| json!({ "from": display_number, "id": quoted })),
    });
    if let (Value::Object(item), Value::Object(fields)) = (&mut item, fields) {
        item.extend(fields);
    }
    Update {
        phone: phone.number.clone(),
        message_id: message.id.clone(),
        kind: UpdateKind::Message,
        contact: Some(contact(phone, shows_number)),
        item: without_nulls(item),
    }
}

/// A status of a message from the connector.
pub(super) fn status(phone: &WhatsAppPhone, message: &PhoneMessage, status: &Status, at: jiff::Timestamp) -> Update {
    let user_id = phone.profile.user_id.as_deref();
    let by_user_id = message.addressed_to.is_some() && message.addressed_to.as_deref() == user_id;
    let shows_number = !by_user_id || !phone.profile.is_number_hidden;
    let name = match status {
        Status::Sent => "sent",
        Status::Delivered => "delivered",
        Status::Read { .. } => "read",
        Status::Failed(_) => "failed",
    };
    let failure = match status {
        Status::Failed(failure) => Some(failure),
        Status::Sent | Status::Delivered | Status::Read { .. } => None,
    };
    // Meta sends the price with `sent`, and with either `delivered` or `read`.
    let has_price = matches!(status, Status::Sent | Status::Delivered | Status::Read { skipped_delivered: true });
    let item = json!({
        "id": message.id,
        "status": name,
        "timestamp": at.as_second().to_string(),
        "recipient_id": shows_number.then(|| wa_id(phone)),
        "recipient_user_id": user_id.filter(|_| by_user_id || failure.is_none()),
        "biz_opaque_callback_data": message.reference,
        "pricing": has_price.then(|| json!({
            "billable": false, "pricing_model": "PMP", "type": "free_customer_service", "category": "service",
        })),
        "errors": failure.map(|failure| json!([{
            "code": failure.code, "title": failure.title, "message": failure.title,
            "error_data": { "details": failure.title },
            "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
        }])),
    });
    Update {
        phone: phone.number.clone(),
        message_id: message.id.clone(),
        kind: UpdateKind::Status,
        // Statuses have had contacts only since the introduction of business-scoped user ids, and failures never.
        contact: (user_id.is_some() && failure.is_none()).then(|| contact(phone, shows_number)),
        item: without_nulls(item),
    }
}

fn contact(phone: &WhatsAppPhone, shows_number: bool) -> Value {
    without_nulls(json!({
        "profile": { "name": phone.profile.name, "username": phone.profile.username },
        "wa_id": shows_number.then(|| wa_id(phone)),
        "user_id": phone.profile.user_id,
    }))
}

/// The body of a webhook. Adjacent updates of the same phone and kind share a change, and all changes share an entry.
pub(super) fn payload(options: &WhatsAppOptions, updates: &[Update]) -> Value {
    let changes: Vec<Value> = updates
        .chunk_by(|one, next| one.phone == next.phone && one.kind == next.kind)
        .filter_map(|together| {
            let first = together.first()?;
            let items: Vec<&Value> = together.iter().map(|update| &update.item).collect();
            let list = match first.kind {
                UpdateKind::Message => "messages",
                UpdateKind::Status => "statuses",
            };
            let value = json!({
                "messaging_product": "whatsapp",
                "metadata": {
                    "display_phone_number": options.display_phone_number, "phone_number_id": options.phone_number_id,
                },
                "contacts": first.contact.as_ref().map(|contact| json!([contact])),
                list: items,
            });
            Some(json!({ "field": "messages", "value": without_nulls(value) }))
        })
        .collect();
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": options.waba_id, "changes": changes }] })
}

/// Meta omits fields without a value.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// The bytes that are signed and posted. Meta escapes everything outside ASCII as `\u` with four lower-case digits, and
/// `/` as `\/`.
pub(super) fn as_meta_writes(body: &Value) -> Vec<u8> {
    let json = body.to_string();
    let mut written = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '/' => written.push_str("\\/"),
            ascii if ascii.is_ascii() => written.push(ascii),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing to a string never fails.
                    let _ = write!(written, "\\u{unit:04x}");
                }
            }
        }
    }
    written.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_ascii_and_decodes_to_the_same_values() {
        let body = json!({ "text": "Grüße 👋 a/b \"quoted\" \\ \n" });
        let written = as_meta_writes(&body);
        assert_eq!(
            String::from_utf8(written.clone()).unwrap(),
            r#"{"text":"Gr\u00fc\u00dfe \ud83d\udc4b a\/b \"quoted\" \\ \n"}"#
        );
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), body);
    }
}
