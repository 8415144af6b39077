//! LiveEngage's webhook notifications: an envelope with any number of changes, read tolerantly.
//!
//! [`split`] takes a body apart without understanding its changes, for the entry point; [`read`] understands one change, for the
//! worker. A change of a known type that can't be read is not thrown away: the worker parks it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{id::DialogId, json};

mod conversation;
mod event;
#[cfg(test)]
mod tests;

pub use super::event::{AcceptStatus, ChatState};
pub use conversation::{AgentPresence, ClosedBy, ConversationChange};
pub use event::{Audience, DialogEvent, EventKind, Role, Structured, TOO_LARGE, event_time};

/// A verified body that is no notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANotification {
    /// It is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// It is JSON, but no object with a `type`.
    #[error("the body is JSON, but no notification with a type")]
    NoType,
}

/// The notification types that the connector knows, without the prefixes that LivePerson uses now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotificationType {
    /// `ms.MessagingEventNotification`: content, status and typing.
    #[serde(rename = "ms.MessagingEventNotification")]
    MessagingEvent,
    /// `cqm.ExConversationChangeNotification`: the state of a conversation.
    #[serde(rename = "cqm.ExConversationChangeNotification")]
    ConversationChange,
}

impl NotificationType {
    /// Reads a name; a leading dot, `ams.` and another prefix of the same name are the same type.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.rsplit('.').next() {
            Some("MessagingEventNotification") => Some(Self::MessagingEvent),
            Some("ExConversationChangeNotification") => Some(Self::ConversationChange),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    body: Value,
}

/// Takes a notification apart: its type (`None` for one the connector doesn't know) and its changes as they came.
///
/// # Errors
/// [`NotANotification`].
pub fn split(body: &[u8]) -> Result<(Option<NotificationType>, Vec<Value>), NotANotification> {
    let value: Value = json::read(body).map_err(|_| NotANotification::NotJson)?;
    let envelope: Envelope = serde_json::from_value(value).map_err(|_| NotANotification::NoType)?;
    let mut inner = envelope.body;
    // One documented form has the type inside the body.
    let name = envelope
        .kind
        .or_else(|| inner.get("type").and_then(Value::as_str).map(str::to_owned))
        .ok_or(NotANotification::NoType)?;
    // Of an id's length at most: it goes into every change.
    let dialog = inner.get("dialogId").filter(|dialog| DialogId::deserialize(*dialog).is_ok()).cloned();
    let changes = match inner.get_mut("changes").map(Value::take) {
        Some(Value::Array(changes)) => changes,
        None | Some(Value::Null) => vec![],
        Some(bare) => vec![bare],
    };
    let changes = changes
        .into_iter()
        .map(|mut change| {
            // The SDK's form names the dialog beside the changes.
            if let (Some(dialog), Some(change)) = (&dialog, change.as_object_mut()) {
                change.entry("dialogId").or_insert_with(|| dialog.clone());
            }
            change
        })
        .collect();
    Ok((NotificationType::from_name(&name), changes))
}

/// One change, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Something was said, received, read or typed.
    Event(DialogEvent),
    /// A conversation's state.
    Conversation(ConversationChange),
    /// A change of a type or form that the connector doesn't know and needn't.
    Unknown,
}

/// A change that is of a known type and lacks what it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the change has no readable {field}")]
pub struct UnreadableChange {
    /// The field that is missing or wrong.
    pub field: &'static str,
}

/// Reads one change.
///
/// # Errors
/// [`UnreadableChange`] for a known type without an id that it must have.
pub fn read(kind: NotificationType, change: &Value) -> Result<Change, UnreadableChange> {
    match kind {
        NotificationType::MessagingEvent => event::read(change),
        NotificationType::ConversationChange => conversation::read(change),
    }
}
