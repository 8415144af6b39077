//! Webhooks: what people sent, and what became of messages to them.
//!
//! A webhook carries up to a thousand updates, and nothing about one of them may lose the others: every part is read on its own,
//! and a field of another form than documented counts as missing.
//!
//! A message's id (`wamid.` and Base64) holds the person's phone number: it is no more for a log than the number is.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    address::address,
    content::{Contents, contents},
};
use crate::{
    channel::{Answer, Parcel, Reception, Unreadable, UnreadableEntry},
    domain::{
        code::Code,
        id::{CallReference, ChannelUserId, ProviderMessageId},
        json,
        message::{InboundContent, InboundEvent, MessageText, Person, ReportedStatus},
    },
};

/// A report of no message, in a group, or with a status that Meta does not document.
const UNKNOWN_REPORT: &str = "unknown report";

/// Reads a webhook: the events of our number, by their time.
///
/// # Errors
/// [`Unreadable`] for what is not JSON or not about a WhatsApp business account.
pub(super) fn read(body: &[u8], phone_number_id: &str) -> Result<Reception, Unreadable> {
    let unreadable = |rule: &str| Unreadable { rule: rule.to_owned() };
    let body: Value = json::read(body).map_err(|_| unreadable("not JSON"))?;
    if body.get("object").and_then(Value::as_str) != Some("whatsapp_business_account") {
        return Err(unreadable("object: must be whatsapp_business_account"));
    }
    let entries = body.get("entry").and_then(Value::as_array).ok_or_else(|| unreadable("entry: must be an array"))?;
    let mut inbox = Reception::new(Answer::empty(StatusCode::OK));
    for entry in entries {
        let changes = some(entry, "changes");
        inbox.left_out.add("entry without changes", usize::from(changes.is_empty()));
        for change in changes {
            read_change(change, phone_number_id, &mut inbox);
        }
    }
    // Meta promises no order within a webhook. The sort is stable: what has the same second stays as it came.
    inbox.events.sort_by_key(|event| event.at);
    Ok(inbox)
}

fn read_change(change: &Value, phone_number_id: &str, inbox: &mut Reception) {
    let value = change.get("value").unwrap_or(&Value::Null);
    let (messages, statuses) = (some(value, "messages"), array(value, "statuses"));
    let number = text(value, "/metadata/phone_number_id");
    let of_messages = change.get("field").and_then(Value::as_str) == Some("messages");
    match number.as_deref() {
        Some(number) if of_messages && number == phone_number_id => {}
        Some(number) if of_messages && !(messages.is_empty() && statuses.is_empty()) => {
            // Meta has one callback URL for all numbers of an app, unless they are given their own.
            let parcel = Parcel { messages: messages.len(), reports: statuses.len() };
            inbox.elsewhere.add(number.to_owned(), parcel);
            return;
        }
        // They may be ours, and nobody else would miss them.
        None if of_messages => {
            inbox.unaddressed.extend(messages.iter().map(as_it_came));
            inbox.left_out.add("report that names no number", statuses.len());
        }
        _ if of_messages => {}
        _ => {
            inbox.left_out.add("change of another field", (messages.len() + statuses.len()).max(1));
            return;
        }
    }
    // Meta's own errors, for one.
    inbox.left_out.add("change without messages", usize::from(messages.is_empty() && statuses.is_empty()));
    if number.is_none() {
        return;
    }
    for message in messages {
        // Nobody talks to the brand alone there.
        if message.get("group_id").is_some_and(|group| !group.is_null()) {
            inbox.left_out.add("message in a group", 1);
            continue;
        }
        match read_message(message, array(value, "contacts")) {
            Some(read) => inbox.events.extend(read),
            None => inbox.unreadable.push(as_it_came(message)),
        }
    }
    for status in statuses {
        match text(status, "/status").as_deref() {
            // It is on its way: nobody is waiting for that.
            Some("sent") => {}
            Some(word) => match read_status(status, word) {
                Some(event) => inbox.events.push(event),
                None => inbox.left_out.add(UNKNOWN_REPORT, 1),
            },
            None => inbox.left_out.add(UNKNOWN_REPORT, 1),
        }
    }
}

fn as_it_came(message: &Value) -> UnreadableEntry {
    UnreadableEntry(message.to_string().into_bytes())
}

/// The events of a message, none for what is no news to an agent; `None` without id or sender.
fn read_message(message: &Value, contacts: &[Value]) -> Option<Vec<InboundEvent>> {
    let id = text(message, "/id")?;
    let (phone, user_id) = (text(message, "/from"), text(message, "/from_user_id"));
    let named = contact_named(contacts, phone.as_deref(), user_id.as_deref());
    let only = match contacts {
        [only] => Some(only),
        _ => None,
    };
    // The words of one person must never go by the address of another: the only contact stands in for a sender that isn't named at
    // all, and gives a sender of another name no more than what they are called.
    let addressed = named.or_else(|| only.filter(|_| phone.is_none() && user_id.is_none()));
    let of_address = |pointer: &str| addressed.and_then(|contact| text(contact, pointer));
    let phone = phone.or_else(|| of_address("/wa_id"));
    let user_id = user_id.or_else(|| of_address("/user_id"));
    let contact = named.or(only);
    let of_contact = |pointer: &str| contact.and_then(|contact| text(contact, pointer));
    let user = address(phone.as_deref(), user_id.as_deref())?;
    let person = Person {
        name: of_contact("/profile/name").map(MessageText::new),
        user_name: of_contact("/profile/username").or_else(|| of_contact("/username")).map(MessageText::new),
        ..Person::default()
    };
    let person = (person != Person::default()).then_some(person);
    let contents = match contents(message) {
        Contents::News(contents) => contents,
        Contents::NoNews => vec![],
    };
    let at = timestamp(message);
    let event = |(part, content)| {
        let id = ProviderMessageId::new(id.as_str()).ok()?;
        Some(InboundEvent { id, part: Some(part), user: user.clone(), at, content, person: person.clone() })
    };
    // One message can hold several address cards.
    (0..).zip(contents).map(event).collect()
}

/// The contact with one of a message's own names for its sender.
fn contact_named<'a>(contacts: &'a [Value], phone: Option<&str>, user_id: Option<&str>) -> Option<&'a Value> {
    contacts.iter().find(|contact| {
        let is = |pointer, name: Option<&str>| name.is_some() && text(contact, pointer).as_deref() == name;
        is("/wa_id", phone) || is("/user_id", user_id)
    })
}

fn read_status(status: &Value, word: &str) -> Option<InboundEvent> {
    if text(status, "/recipient_type").as_deref() == Some("group") {
        return None;
    }
    let message = text(status, "/id")?;
    let reported = match word {
        "delivered" => ReportedStatus::Delivered,
        // A voice message that was played was seen.
        "read" | "played" => ReportedStatus::Read,
        "failed" => {
            let code = status.pointer("/errors/0/code").and_then(Value::as_i64);
            ReportedStatus::Failed { code: code.map_or(Code::NONE, Code::from) }
        }
        _ => return None,
    };
    // Whose message it was, the connector knows by the message's id; this only names the queue's group.
    let user: ChannelUserId =
        address(text(status, "/recipient_id").as_deref(), text(status, "/recipient_user_id").as_deref())
            .or_else(|| ChannelUserId::new("unknown").ok())?;
    Some(InboundEvent {
        id: ProviderMessageId::new(format!("{message}.{word}")).ok()?,
        part: Some(0),
        user,
        at: timestamp(status),
        content: InboundContent::Report {
            message: Some(ProviderMessageId::new(message).ok()?),
            status: reported,
            reference: text(status, "/biz_opaque_callback_data").and_then(|data| CallReference::new(data).ok()),
        },
        person: None,
    })
}

/// Unix seconds, as a string or a number. What can't be read counts as 1970.
fn timestamp(part: &Value) -> Timestamp {
    text(part, "/timestamp")
        .and_then(|seconds| seconds.parse().ok())
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The elements of an array, none where it is missing.
pub(super) fn array<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The elements of an array, or what stands in its place: whoever wants to write one thing may leave out the brackets.
fn some<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    match value.get(field) {
        None | Some(Value::Null) => &[],
        Some(Value::Array(elements)) => elements,
        Some(bare) => std::slice::from_ref(bare),
    }
}

/// A text that is not blank, or a number as its text.
pub(super) fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
