//! Webhooks: what people sent, and what became of messages to them.
//!
//! A webhook carries up to a thousand updates, and nothing about one of them may lose the others: every part is read on its own,
//! and a field of another form than documented counts as missing.
//!
//! A message's id (`wamid.` and Base64) holds the person's phone number: it is no more for a log than the number is.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    address::address,
    content::{Contents, contents},
};
use crate::{
    channel::Unreadable,
    domain::{
        id::{ChannelUserId, ProviderMessageId},
        message::{InboundContent, InboundEvent, MessageText, Person, ReportedStatus},
    },
};

/// Reads a webhook: the events of our number by their time, and how many parts were left out: other numbers' and fields',
/// messages in groups, and what has no id or sender.
///
/// # Errors
/// [`Unreadable`] for what is not JSON or not about a WhatsApp business account.
pub(super) fn read(body: &[u8], phone_number_id: &str) -> Result<(Vec<InboundEvent>, usize), Unreadable> {
    let unreadable = |rule: &str| Unreadable { rule: rule.to_owned() };
    let body: Value = serde_json::from_slice(body).map_err(|_| unreadable("not JSON"))?;
    if body.get("object").and_then(Value::as_str) != Some("whatsapp_business_account") {
        return Err(unreadable("object: must be whatsapp_business_account"));
    }
    let entries = body.get("entry").and_then(Value::as_array).ok_or_else(|| unreadable("entry: must be an array"))?;
    let (mut events, mut ignored) = (Vec::new(), 0);
    for entry in entries {
        let changes = array(entry, "changes");
        ignored += usize::from(changes.is_empty());
        for change in changes {
            read_change(change, phone_number_id, &mut events, &mut ignored);
        }
    }
    // Meta promises no order within a webhook. The sort is stable: what has the same second stays as it came.
    events.sort_by_key(|event| event.at);
    Ok((events, ignored))
}

fn read_change(change: &Value, phone_number_id: &str, events: &mut Vec<InboundEvent>, ignored: &mut usize) {
    let value = change.get("value").unwrap_or(&Value::Null);
    let (messages, statuses) = (array(value, "messages"), array(value, "statuses"));
    let ours = change.get("field").and_then(Value::as_str) == Some("messages")
        && text(value, "/metadata/phone_number_id").as_deref() == Some(phone_number_id);
    if !ours || (messages.is_empty() && statuses.is_empty()) {
        *ignored += (messages.len() + statuses.len()).max(1);
        return;
    }
    for message in messages {
        match read_message(message, array(value, "contacts")) {
            Some(read) => events.extend(read),
            None => *ignored += 1,
        }
    }
    for status in statuses {
        match text(status, "/status").as_deref() {
            // It is on its way: nobody is waiting for that.
            Some("sent") => {}
            Some(word) => match read_status(status, word) {
                Some(event) => events.push(event),
                None => *ignored += 1,
            },
            None => *ignored += 1,
        }
    }
}

/// The events of a message, none for what is no news to an agent; `None` without id or sender, and for a message in a group,
/// where nobody talks to the brand alone.
fn read_message(message: &Value, contacts: &[Value]) -> Option<Vec<InboundEvent>> {
    if message.get("group_id").is_some() {
        return None;
    }
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
    let event = |(index, content)| {
        // One message can hold several address cards.
        let id = if index == 0 { id.clone() } else { format!("{id}.{index}") };
        let id = ProviderMessageId::new(id).ok()?;
        Some(InboundEvent { id, user: user.clone(), at, content, person: person.clone() })
    };
    contents.into_iter().enumerate().map(event).collect()
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
            ReportedStatus::Failed { code: code.map_or_else(|| "none".to_owned(), |code| code.to_string()) }
        }
        _ => return None,
    };
    // Whose message it was, the connector knows by the message's id; this only names the queue's group.
    let user: ChannelUserId =
        address(text(status, "/recipient_id").as_deref(), text(status, "/recipient_user_id").as_deref())
            .or_else(|| ChannelUserId::new("unknown").ok())?;
    Some(InboundEvent {
        id: ProviderMessageId::new(format!("{message}.{word}")).ok()?,
        user,
        at: timestamp(status),
        content: InboundContent::Report { message: ProviderMessageId::new(message).ok()?, status: reported },
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

/// A text that is not blank, or a number as its text.
pub(super) fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
