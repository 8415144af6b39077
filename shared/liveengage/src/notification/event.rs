//! Events in a dialog: content, status and typing (`ms.MessagingEventNotification`).

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_with::serde_as;

use super::{Change, UnreadableChange};
use crate::{
    event::{AcceptStatus, ChatState},
    files::HostedFile,
    id::{ConversationId, DialogId, Sequence},
    tolerant::{self, Lenient, LenientNumber, LenientText},
};
use connector_message::{MessageText, code::Code, json};

/// The content type of an event whose content was removed because it is too large for a queue. The entry point writes it.
pub const TOO_LARGE: &str = "content of more than 256 KB";

/// An event in a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogEvent {
    /// The conversation. If the notification has no `conversationId`, this is the dialog's id, which is correct for main dialogs.
    pub conversation: ConversationId,
    /// Whether the notification had a `conversationId`. If not, [`DialogEvent::conversation`] is wrong for an event of a survey: only the
    /// change of the conversation names its dialogs.
    pub has_conversation_id: bool,
    /// The dialog.
    pub dialog: DialogId,
    /// The sequence number. `None` for typing.
    pub sequence: Option<Sequence>,
    /// The time at which LiveEngage accepted the event (`serverTimestamp`). `None` for typing.
    pub at: Option<Timestamp>,
    /// The role of the originator.
    pub role: Role,
    /// The participant id of the originator. For an echo, the consumer's `lp_consumer_id`.
    pub originator: Option<String>,
    /// Who may see it.
    pub audience: Audience,
    /// The content of the event.
    pub kind: EventKind,
    /// The quick replies of the event, unread.
    pub quick_replies: Option<Structured>,
}

/// The role of an event's originator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The consumer: an echo of an event that this or another connector published.
    Consumer,
    /// LiveEngage itself: the account's automatic messages.
    Controller,
    /// Any other role: agents, bots, managers and future roles.
    Brand,
    /// The notification has no role: compare the originator's id.
    Unknown,
}

impl Role {
    /// Reads a role's name. Every name other than `CONSUMER` and `CONTROLLER` is the brand's.
    pub(crate) fn from_name(name: &str) -> Self {
        match name {
            "CONSUMER" => Self::Consumer,
            "CONTROLLER" => Self::Controller,
            _ => Self::Brand,
        }
    }
}

/// Who may see an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// All participants. The default if the notification has no audience.
    All,
    /// Agents and managers. Must not be forwarded to the consumer.
    Private,
    /// An undocumented audience. Must not be forwarded to the consumer; keep it for an operator.
    Unknown,
}

/// Unread structured content. `Debug` hides it, because it contains texts.
#[derive(derive_more::Debug, Clone, PartialEq, Eq)]
#[debug("Structured(hidden)")]
pub struct Structured(pub Value);

/// The content of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// A ContentEvent of `text/plain`.
    Text(MessageText),
    /// A ContentEvent of `hosted/file`.
    File(HostedFile),
    /// A ContentEvent of another content type, with that type: a secure form, or a file without a usable path.
    OtherContent(Code),
    /// A RichContentEvent with its unread content: an object, or JSON in a string.
    RichContent(Structured),
    /// An AcceptStatusEvent.
    AcceptStatus {
        /// The status. `None` if it is not documented.
        status: Option<AcceptStatus>,
        /// The sequence numbers of the messages.
        sequences: Vec<Sequence>,
    },
    /// A ChatStateEvent. `None` if the state is not documented.
    ChatState(Option<ChatState>),
    /// An event of an unknown type, with the name of the type.
    Unknown(Code),
}

impl EventKind {
    /// Whether the event is a message of any type.
    pub const fn is_content(&self) -> bool {
        matches!(self, Self::Text(_) | Self::File(_) | Self::OtherContent(_) | Self::RichContent(_))
    }

    /// Whether the event says that a participant is typing.
    pub const fn is_composing(&self) -> bool {
        matches!(self, Self::ChatState(Some(ChatState::Composing)))
    }
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EventWire {
    #[serde_as(as = "LenientNumber")]
    sequence: Option<i64>,
    #[serde_as(as = "Lenient")]
    originator_metadata: Option<OriginatorWire>,
    #[serde_as(as = "LenientText")]
    originator_id: Option<String>,
    // Two spellings in older documentation.
    #[serde_as(as = "LenientText")]
    #[serde(rename = "originatorPId")]
    originator_p_id: Option<String>,
    #[serde_as(as = "LenientText")]
    #[serde(rename = "originatorPid")]
    originator_pid: Option<String>,
    #[serde_as(as = "Lenient")]
    conversation_id: Option<ConversationId>,
    #[serde_as(as = "Lenient")]
    dialog_id: Option<DialogId>,
    #[serde_as(as = "LenientText")]
    message_audience: Option<String>,
}

/// Reads the time at which LiveEngage accepted an event: `serverTimestamp` of a change, in milliseconds. `None` for typing, which has no
/// time.
pub fn event_time(change: &Value) -> Option<Timestamp> {
    Timestamp::from_millisecond(tolerant::number(change.get("serverTimestamp")?)?).ok()
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
struct OriginatorWire {
    #[serde_as(as = "LenientText")]
    id: Option<String>,
    #[serde_as(as = "LenientText")]
    role: Option<String>,
}

fn sequence(value: &Value) -> Option<Sequence> {
    tolerant::number(value).and_then(|n| u64::try_from(n).ok()).map(Sequence)
}

fn content(event: &Value) -> Result<EventKind, UnreadableChange> {
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    Ok(match text("contentType").unwrap_or("text/plain") {
        "text/plain" => {
            EventKind::Text(MessageText::new(text("message").ok_or(UnreadableChange { field: "event.message" })?))
        }
        // The documentation's schema has the second name.
        content_type @ ("hosted/file" | "HostedFile") => event
            .get("message")
            .and_then(HostedFile::read)
            .map_or_else(|| EventKind::OtherContent(Code::of(content_type)), EventKind::File),
        TOO_LARGE => EventKind::OtherContent(Code::internal(TOO_LARGE)),
        content_type => {
            EventKind::OtherContent(Code::read(content_type).unwrap_or(Code::internal("content of an unknown type")))
        }
    })
}

fn event_kind(event: &Value) -> Result<EventKind, UnreadableChange> {
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    Ok(match text("type").map(|name| name.rsplit('.').next().unwrap_or(name)) {
        Some("ContentEvent") => content(event)?,
        // Webhooks and samples have `content`, and the documentation's schema has `message`.
        Some("RichContentEvent") => EventKind::RichContent(
            ["content", "message"]
                .iter()
                .find_map(|field| event.get(field).filter(|content| !content.is_null()))
                .cloned()
                .map_or(Structured(Value::Null), Structured),
        ),
        Some("AcceptStatusEvent") => EventKind::AcceptStatus {
            status: text("status").and_then(AcceptStatus::from_name),
            sequences: json::one_or_many(event.get("sequenceList")).iter().filter_map(sequence).collect(),
        },
        Some("ChatStateEvent") => EventKind::ChatState(text("chatState").and_then(ChatState::from_name)),
        Some(other) => EventKind::Unknown(Code::of(other)),
        None => return Err(UnreadableChange { field: "event.type" }),
    })
}

/// What an event says of itself, wherever it was read: the conversation and the dialog can be missing.
pub(crate) struct EventParts {
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) dialog: Option<DialogId>,
    pub(crate) sequence: Option<Sequence>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) role: Role,
    pub(crate) originator: Option<String>,
    pub(crate) audience: Audience,
    pub(crate) kind: EventKind,
    pub(crate) quick_replies: Option<Structured>,
}

impl EventParts {
    /// Reads an event of a notification or of the history: both have the same form.
    ///
    /// # Errors
    /// [`UnreadableChange`] if it is not an object, or its event has no type or no text.
    pub(crate) fn read(change: &Value) -> Result<Self, UnreadableChange> {
        let wire: EventWire = EventWire::deserialize(change).map_err(|_| UnreadableChange { field: "object" })?;
        // Not a field of `EventWire`, which would copy it.
        let event = change.get("event").unwrap_or(&Value::Null);
        let kind = event_kind(event)?;
        let (named, role) =
            wire.originator_metadata.map_or((None, None), |originator| (originator.id, originator.role));
        Ok(Self {
            conversation: wire.conversation_id,
            dialog: wire.dialog_id,
            sequence: wire.sequence.and_then(|n| u64::try_from(n).ok()).map(Sequence),
            at: event_time(change),
            role: role.as_deref().map_or(Role::Unknown, Role::from_name),
            originator: named.or(wire.originator_id).or(wire.originator_p_id).or(wire.originator_pid),
            audience: match wire.message_audience.as_deref() {
                None | Some("ALL") => Audience::All,
                Some("AGENTS_AND_MANAGERS") => Audience::Private,
                Some(_) => Audience::Unknown,
            },
            kind,
            quick_replies: event.get("quickReplies").filter(|replies| !replies.is_null()).cloned().map(Structured),
        })
    }
}

pub(super) fn read(change: &Value) -> Result<Change, UnreadableChange> {
    let parts = EventParts::read(change)?;
    let has_conversation_id = parts.conversation.is_some();
    let (conversation, dialog) = match (parts.conversation, parts.dialog) {
        (Some(conversation), Some(dialog)) => (conversation, dialog),
        (Some(conversation), None) => (conversation.clone(), DialogId::main_of(&conversation)),
        (None, Some(dialog)) => {
            let conversation =
                ConversationId::new(dialog.as_str()).map_err(|_| UnreadableChange { field: "dialogId" })?;
            (conversation, dialog)
        }
        (None, None) => return Err(UnreadableChange { field: "dialogId" }),
    };
    Ok(Change::Event(DialogEvent {
        conversation,
        has_conversation_id,
        dialog,
        sequence: parts.sequence,
        at: parts.at,
        role: parts.role,
        originator: parts.originator,
        audience: parts.audience,
        kind: parts.kind,
        quick_replies: parts.quick_replies,
    }))
}
