//! Reads webhooks: messages of consumers, and reports.
//!
//! A webhook has up to a thousand updates, and an unreadable one must not affect the others. Therefore every part is read separately, and a
//! field of an undocumented form counts as missing.
//!
//! The id of a message (`wamid.` and Base64) contains the consumer's phone number, and must not be logged.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    address::address,
    content::{MessageContent, contents},
};
use crate::{
    AddressCounts, Answer, Reception, Unreadable, UnreadableEntry,
    fields::{array, text},
    id::{CallReference, ChannelUserId, ProviderMessageId},
    message::{ChannelProfile, InboundContent, InboundEvent, ReportedStatus, is_time},
};
use connector_message::{MessageText, code::Code, json};

/// The kind of a report without a message, in a group, or with an undocumented status.
const UNKNOWN_REPORT: &str = "unknown report";

/// Reads a webhook. Returns the events of the number `phone_number_id`, sorted by time.
///
/// # Errors
/// [`Unreadable`] if the body is not JSON or not about a WhatsApp business account.
pub(super) fn read(body: &[u8], phone_number_id: &str) -> Result<Reception, Unreadable> {
    let unreadable = |rule: &str| Unreadable { rule: rule.to_owned() };
    let body: Value = json::read(body).map_err(|_| unreadable("not JSON"))?;
    if body.get("object").and_then(Value::as_str) != Some("whatsapp_business_account") {
        return Err(unreadable("object: must be whatsapp_business_account"));
    }
    let entries = body.get("entry").and_then(Value::as_array).ok_or_else(|| unreadable("entry: must be an array"))?;
    let mut inbox = Reception::new(Answer::empty(StatusCode::OK));
    for entry in entries {
        let changes = json::one_or_many(entry.get("changes"));
        inbox.left_out.add("entry without changes", usize::from(changes.is_empty()));
        for change in changes {
            read_change(change, phone_number_id, &mut inbox);
        }
    }
    // Meta guarantees no order within a webhook. The sort is stable: events of the same second keep their order.
    inbox.events.sort_by_key(|event| event.at);
    Ok(inbox)
}

fn read_change(change: &Value, phone_number_id: &str, inbox: &mut Reception) {
    let value = change.get("value").unwrap_or(&Value::Null);
    let (messages, statuses) = (json::one_or_many(value.get("messages")), array(value, "statuses"));
    let number = text(value, &["metadata", "phone_number_id"]);
    let of_messages = change.get("field").and_then(Value::as_str) == Some("messages");
    match number.as_deref() {
        Some(number) if of_messages && number == phone_number_id => {}
        Some(number) if of_messages && !(messages.is_empty() && statuses.is_empty()) => {
            // All numbers of an app have one callback URL by default.
            let counts = AddressCounts { messages: messages.len(), reports: statuses.len() };
            inbox.elsewhere.add(number.to_owned(), counts);
            return;
        }
        // They may be for this line.
        None if of_messages => {
            inbox.unaddressed.extend(messages.iter().map(unreadable_entry));
            inbox.left_out.add("report that names no number", statuses.len());
        }
        _ if of_messages => {}
        _ => {
            inbox.left_out.add("change of another field", (messages.len() + statuses.len()).max(1));
            return;
        }
    }
    // For example a change with only errors of Meta.
    inbox.left_out.add("change without messages", usize::from(messages.is_empty() && statuses.is_empty()));
    if number.is_none() {
        return;
    }
    for message in messages {
        // Groups are not supported.
        if message.get("group_id").is_some_and(|group| !group.is_null()) {
            inbox.left_out.add("message in a group", 1);
            continue;
        }
        match read_message(message, array(value, "contacts")) {
            Some(read) => inbox.events.extend(read),
            None => inbox.unreadable.push(unreadable_entry(message)),
        }
    }
    for status in statuses {
        match text(status, &["status"]).as_deref() {
            // An intermediate status, which is not used.
            Some("sent") => {}
            Some(word) => match read_status(status, word) {
                Some(event) => inbox.events.push(event),
                None => inbox.left_out.add(UNKNOWN_REPORT, 1),
            },
            None => inbox.left_out.add(UNKNOWN_REPORT, 1),
        }
    }
}

/// The unchanged JSON of a message.
fn unreadable_entry(message: &Value) -> UnreadableEntry {
    UnreadableEntry(message.to_string().into_bytes())
}

/// Returns the events of a message. Empty if an agent should see nothing. `None` for a message without id or sender.
fn read_message(message: &Value, contacts: &[Value]) -> Option<Vec<InboundEvent>> {
    let id = text(message, &["id"])?;
    let (phone, user_id) = (text(message, &["from"]), text(message, &["from_user_id"]));
    let named = contact_named(contacts, phone.as_deref(), user_id.as_deref());
    let only = match contacts {
        [only] => Some(only),
        _ => None,
    };
    // A message must never be assigned to another consumer's address. The address of the only contact is used only for a message without a
    // sender. For a sender that isn't in the contacts, only the name of the only contact is used.
    let addressed = named.or_else(|| only.filter(|_| phone.is_none() && user_id.is_none()));
    let of_address = |path: &[&str]| addressed.and_then(|contact| text(contact, path));
    let phone = phone.or_else(|| of_address(&["wa_id"]));
    let user_id = user_id.or_else(|| of_address(&["user_id"]));
    let contact = named.or(only);
    let of_contact = |path: &[&str]| contact.and_then(|contact| text(contact, path));
    let user = address(phone.as_deref(), user_id.as_deref())?;
    let profile = ChannelProfile {
        name: of_contact(&["profile", "name"]).map(MessageText::new),
        user_name: of_contact(&["profile", "username"]).or_else(|| of_contact(&["username"])).map(MessageText::new),
        ..ChannelProfile::default()
    };
    let profile = (profile != ChannelProfile::default()).then_some(profile);
    let contents = match contents(message) {
        MessageContent::Events(contents) => contents,
        MessageContent::Nothing => vec![],
    };
    let at = timestamp(message);
    let event = |(part, content)| {
        let id = ProviderMessageId::new(id.as_str()).ok()?;
        Some(InboundEvent { id, part, user: user.clone(), at, content, profile: profile.clone() })
    };
    // A message can have several contact cards.
    (0..).zip(contents).map(event).collect()
}

/// Returns the contact with the phone number or user id of a message's sender.
fn contact_named<'a>(contacts: &'a [Value], phone: Option<&str>, user_id: Option<&str>) -> Option<&'a Value> {
    contacts.iter().find(|contact| {
        let matches = |path: &[&str], name: Option<&str>| name.is_some() && text(contact, path).as_deref() == name;
        matches(&["wa_id"], phone) || matches(&["user_id"], user_id)
    })
}

fn read_status(status: &Value, word: &str) -> Option<InboundEvent> {
    if text(status, &["recipient_type"]).as_deref() == Some("group") {
        return None;
    }
    let message = text(status, &["id"])?;
    let reported = match word {
        "delivered" => ReportedStatus::Delivered,
        // A played voice message counts as read.
        "read" | "played" => ReportedStatus::Read,
        "failed" => {
            let code = status.pointer("/errors/0/code").and_then(Value::as_i64);
            ReportedStatus::Failed { code: code.map_or(Code::NONE, Code::from) }
        }
        _ => return None,
    };
    // Only for the queue's group: the connector finds the consumer by the message's id.
    let user: ChannelUserId =
        address(text(status, &["recipient_id"]).as_deref(), text(status, &["recipient_user_id"]).as_deref())
            .or_else(|| ChannelUserId::new("unknown").ok())?;
    Some(InboundEvent {
        id: ProviderMessageId::new(format!("{message}.{word}")).ok()?,
        part: 0,
        user,
        at: timestamp(status),
        content: InboundContent::Report {
            message: Some(ProviderMessageId::new(message).ok()?),
            status: reported,
            reference: text(status, &["biz_opaque_callback_data"]).and_then(|data| CallReference::new(data).ok()),
        },
        profile: None,
    })
}

/// Reads Unix seconds, as a string or a number.
fn timestamp(part: &Value) -> Option<Timestamp> {
    text(part, &["timestamp"])
        .and_then(|seconds| seconds.parse().ok())
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .filter(is_time)
}
