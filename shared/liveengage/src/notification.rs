//! LiveEngage's webhook notifications: an envelope with any number of changes (Connector API, Webhooks pages). Read tolerantly.
//!
//! [`split`] separates the changes of a body without reading them. [`read`] reads one change. A change of a known type that can't be read
//! is an error, so that the caller can keep it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::DialogId;
use connector_message::json;

mod conversation;
mod event;
#[cfg(test)]
mod tests;

pub use super::event::{AcceptStatus, ChatState};
pub use conversation::{AgentPresence, ClosedBy, ConversationChange};
pub(crate) use event::EventParts;
pub use event::{Audience, DialogEvent, EventKind, Role, Structured, TOO_LARGE, event_time};

/// A body that is not a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANotification {
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// The body is JSON, but not an object with a `type`.
    #[error("the body is JSON, but no notification with a type")]
    NoType,
}

/// The known notification types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NotificationType {
    /// `ms.MessagingEventNotification`: an event in a dialog.
    #[serde(rename = "ms.MessagingEventNotification")]
    MessagingEvent,
    /// `cqm.ExConversationChangeNotification`: the state of a conversation.
    #[serde(rename = "cqm.ExConversationChangeNotification")]
    ConversationChange,
}

impl NotificationType {
    /// Reads a name. Ignores its prefix: LivePerson's pages write `ms.`, `.ams.ms.` and a leading dot. `None` for any other name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.rsplit('.').next() {
            Some("MessagingEventNotification") => Some(Self::MessagingEvent),
            Some("ExConversationChangeNotification") => Some(Self::ConversationChange),
            _ => None,
        }
    }
}

/// Returns the type of a notification (`None` if it is unknown) and its unread changes.
///
/// # Errors
/// [`NotANotification`] if the body is not JSON or has no type.
pub fn split(body: &[u8]) -> Result<(Option<NotificationType>, Vec<Value>), NotANotification> {
    split_value(json::read(body).map_err(|_| NotANotification::NotJson)?)
}

/// As [`split`], of a body that has been read as JSON.
pub(crate) fn split_value(mut envelope: Value) -> Result<(Option<NotificationType>, Vec<Value>), NotANotification> {
    // Taken out by hand: serde would copy all changes into a struct.
    let mut inner = envelope.get_mut("body").map(Value::take).unwrap_or_default();
    let name = match envelope.get("type") {
        // In one documented form the type is inside the body.
        None | Some(Value::Null) => inner.get("type"),
        name => name,
    };
    let kind = NotificationType::from_name(name.and_then(Value::as_str).ok_or(NotANotification::NoType)?);
    // Only a valid id: it is copied into every change.
    let dialog = inner.get("dialogId").filter(|dialog| DialogId::deserialize(*dialog).is_ok()).cloned();
    let changes = match inner.get_mut("changes").map(Value::take) {
        Some(Value::Array(changes)) => changes,
        None | Some(Value::Null) => vec![],
        Some(bare) => vec![bare],
    };
    let changes = changes
        .into_iter()
        .map(|mut change| {
            // In the SDK's form the dialog id is next to the changes.
            if let (Some(dialog), Some(change)) = (&dialog, change.as_object_mut()) {
                change.entry("dialogId").or_insert_with(|| dialog.clone());
            }
            change
        })
        .collect();
    Ok((kind, changes))
}

/// A change of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An event in a dialog.
    Event(DialogEvent),
    /// The state of a conversation.
    Conversation(ConversationChange),
    /// A change of another form, which the connector doesn't need.
    Unknown,
}

/// A change of a known type without a required field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the change has no readable {field}")]
pub struct UnreadableChange {
    /// The field that is missing or wrong.
    pub field: &'static str,
}

/// Reads a change of a notification of type `kind`.
///
/// # Errors
/// [`UnreadableChange`] if a required field is missing or wrong.
pub fn read(kind: NotificationType, change: &Value) -> Result<Change, UnreadableChange> {
    match kind {
        NotificationType::MessagingEvent => event::read(change),
        NotificationType::ConversationChange => conversation::read(change),
    }
}
