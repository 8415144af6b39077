//! LiveEngage's webhook notifications: an envelope with any number of changes, read tolerantly.
//!
//! [`split`] takes a body apart without understanding its changes, for the entry point; [`read`] understands one change, for the
//! worker. A change of a known type that can't be read is not thrown away: the worker parks it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tolerant;
use crate::domain::{
    id::{ConversationId, DialogId, LpConsumerId, Sequence},
    message::MessageText,
};

mod halves;
#[cfg(test)]
mod tests;

use halves::without_halves;

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
    let value: Value = serde_json::from_slice(body)
        .or_else(|_| serde_json::from_slice(&without_halves(body)))
        .map_err(|_| NotANotification::NotJson)?;
    let envelope: Envelope = serde_json::from_value(value).map_err(|_| NotANotification::NoType)?;
    let mut inner = envelope.body;
    // One documented form has the type inside the body.
    let name = envelope
        .kind
        .or_else(|| inner.get("type").and_then(Value::as_str).map(str::to_owned))
        .ok_or(NotANotification::NoType)?;
    let dialog = inner.get("dialogId").cloned();
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

/// An event in a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogEvent {
    /// The conversation; the dialog's id stands in where a notification leaves it out, which is right for main dialogs.
    pub conversation: ConversationId,
    /// The dialog.
    pub dialog: DialogId,
    /// The order number; typing has none.
    pub sequence: Option<Sequence>,
    /// Who did it.
    pub role: Role,
    /// The participant who did it, where that is said: the consumer's `lp_consumer_id` for an echo.
    pub originator: Option<String>,
    /// Who may see it.
    pub audience: Audience,
    /// What it was.
    pub kind: EventKind,
    /// The quick replies that came with it, as they came.
    pub quick_replies: Option<Structured>,
}

/// Who did something in a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The consumer: an echo of what this or another connector sent.
    Consumer,
    /// Anybody else: agents, bots, managers, the controller, and roles that don't exist yet.
    Brand,
    /// The notification doesn't say: only the originator's id tells.
    Unsaid,
}

/// Who may see an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody; also where nothing is said.
    All,
    /// Agents and managers: never forwarded. So is any audience that is not known.
    Private,
}

/// Structured content as it came. `Debug` hides it: it holds texts.
#[derive(Clone, PartialEq, Eq)]
pub struct Structured(pub Value);

impl std::fmt::Debug for Structured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Structured(hidden)")
    }
}

/// What happened in a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// A ContentEvent of `text/plain`.
    Text(MessageText),
    /// A ContentEvent of another content type, by that type.
    OtherContent(String),
    /// A RichContentEvent, with its content as it came: an object, or a string of JSON.
    RichContent(Structured),
    /// An AcceptStatusEvent.
    AcceptStatus,
    /// A ChatStateEvent.
    ChatState,
    /// An event type that the connector doesn't know, by its name.
    Unknown(String),
}

/// The state of a conversation, whole in every change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationChange {
    /// The conversation.
    pub conversation: ConversationId,
    /// Whether all of it has ended (`stage`, else `state`, is `CLOSE` or `CLOSED`).
    pub closed: bool,
    /// The consumer, as LivePerson names them, if the participants tell.
    pub consumer: Option<LpConsumerId>,
    /// LiveEngage's time of this state: a later one wins. 1970 where there is none.
    pub as_of: Timestamp,
}

/// Reads one change.
///
/// # Errors
/// [`UnreadableChange`] for a known type without an id that it must have.
pub fn read(kind: NotificationType, change: &Value) -> Result<Change, UnreadableChange> {
    match kind {
        NotificationType::MessagingEvent => read_event(change),
        NotificationType::ConversationChange => read_conversation(change),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventWire {
    #[serde(default, deserialize_with = "tolerant::lenient_number")]
    sequence: Option<i64>,
    #[serde(default, deserialize_with = "tolerant::lenient")]
    originator_metadata: Option<OriginatorWire>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    originator_id: Option<String>,
    // Two spellings of older texts.
    #[serde(default, rename = "originatorPId", deserialize_with = "tolerant::lenient_text")]
    originator_p_id: Option<String>,
    #[serde(default, rename = "originatorPid", deserialize_with = "tolerant::lenient_text")]
    originator_pid: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient")]
    conversation_id: Option<ConversationId>,
    #[serde(default, deserialize_with = "tolerant::lenient")]
    dialog_id: Option<DialogId>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    message_audience: Option<String>,
    #[serde(default)]
    event: Value,
}

#[derive(Deserialize)]
struct OriginatorWire {
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    role: Option<String>,
}

fn read_event(change: &Value) -> Result<Change, UnreadableChange> {
    let wire: EventWire = EventWire::deserialize(change).map_err(|_| UnreadableChange { field: "object" })?;
    let text = |field: &str| wire.event.get(field).and_then(Value::as_str);
    let kind = match text("type").map(|name| name.rsplit('.').next().unwrap_or(name)) {
        Some("ContentEvent") => {
            let content_type = text("contentType").unwrap_or("text/plain");
            if content_type == "text/plain" {
                EventKind::Text(MessageText::new(text("message").ok_or(UnreadableChange { field: "event.message" })?))
            } else {
                EventKind::OtherContent(content_type.to_owned())
            }
        }
        // `content` in webhooks and samples, `message` in the documentation's schema.
        Some("RichContentEvent") => EventKind::RichContent(
            ["content", "message"]
                .iter()
                .find_map(|field| wire.event.get(field).filter(|content| !content.is_null()))
                .cloned()
                .map_or(Structured(Value::Null), Structured),
        ),
        Some("AcceptStatusEvent") => EventKind::AcceptStatus,
        Some("ChatStateEvent") => EventKind::ChatState,
        Some(other) => EventKind::Unknown(other.to_owned()),
        None => return Err(UnreadableChange { field: "event.type" }),
    };
    let (conversation, dialog) = match (wire.conversation_id, wire.dialog_id) {
        (Some(conversation), Some(dialog)) => (conversation, dialog),
        (Some(conversation), None) => (conversation.clone(), DialogId::main_of(&conversation)),
        (None, Some(dialog)) => {
            let conversation =
                ConversationId::new(dialog.as_str()).map_err(|_| UnreadableChange { field: "dialogId" })?;
            (conversation, dialog)
        }
        (None, None) => return Err(UnreadableChange { field: "dialogId" }),
    };
    let (named, role) = wire.originator_metadata.map_or((None, None), |originator| (originator.id, originator.role));
    Ok(Change::Event(DialogEvent {
        conversation,
        dialog,
        sequence: wire.sequence.and_then(|n| u64::try_from(n).ok()).map(Sequence),
        role: match role.as_deref() {
            Some("CONSUMER") => Role::Consumer,
            Some(_) => Role::Brand,
            None => Role::Unsaid,
        },
        originator: named.or(wire.originator_id).or(wire.originator_p_id).or(wire.originator_pid),
        audience: match wire.message_audience.as_deref() {
            None | Some("ALL") => Audience::All,
            Some(_) => Audience::Private,
        },
        kind,
        quick_replies: wire.event.get("quickReplies").filter(|replies| !replies.is_null()).cloned().map(Structured),
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConversationWire {
    #[serde(default, deserialize_with = "tolerant::lenient")]
    conv_id: Option<ConversationId>,
    #[serde(default, deserialize_with = "tolerant::lenient")]
    conversation_details: Option<DetailsWire>,
    #[serde(default, deserialize_with = "tolerant::lenient_number")]
    last_update_time: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DetailsWire {
    #[serde(default, deserialize_with = "tolerant::one_or_many")]
    participants: Vec<ParticipantWire>,
    #[serde(default, rename = "participantsPId", deserialize_with = "tolerant::lenient")]
    participants_by_role: Option<ParticipantsByRole>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    state: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    stage: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient_number")]
    meta_data_last_update_ts: Option<i64>,
    #[serde(default, deserialize_with = "tolerant::lenient_number")]
    start_ts: Option<i64>,
}

#[derive(Deserialize)]
struct ParticipantWire {
    id: LpConsumerId,
    role: String,
}

#[derive(Deserialize)]
struct ParticipantsByRole {
    #[serde(default, rename = "CONSUMER", deserialize_with = "tolerant::one_or_many")]
    consumer: Vec<LpConsumerId>,
}

fn read_conversation(change: &Value) -> Result<Change, UnreadableChange> {
    let Some(result) = change.get("result") else {
        // DELETE changes and whatever else carries no state.
        return Ok(Change::Unknown);
    };
    let wire: ConversationWire =
        ConversationWire::deserialize(result).map_err(|_| UnreadableChange { field: "result" })?;
    let details = wire.conversation_details.unwrap_or_default();
    let consumer = details
        .participants
        .into_iter()
        .find(|participant| participant.role == "CONSUMER")
        .map(|participant| participant.id)
        .or_else(|| details.participants_by_role.and_then(|roles| roles.consumer.into_iter().next()));
    Ok(Change::Conversation(ConversationChange {
        conversation: wire.conv_id.ok_or(UnreadableChange { field: "result.convId" })?,
        // `state` is the main dialog's: with a survey running it is CLOSE while the conversation is still open.
        closed: matches!(details.stage.or(details.state).as_deref(), Some("CLOSE" | "CLOSED")),
        consumer,
        as_of: details
            .meta_data_last_update_ts
            .or(wire.last_update_time.filter(|ms| *ms > 0))
            // The only time that every documented sample has.
            .or(details.start_ts)
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH),
    }))
}
