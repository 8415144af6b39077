//! Events in a dialog: what was said, received, read or typed.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Change, UnreadableChange};
use crate::{
    domain::{
        code::Code,
        id::{ConversationId, DialogId, Sequence},
        message::MessageText,
    },
    liveengage::{
        event::{AcceptStatus, ChatState},
        files::HostedFile,
        tolerant,
    },
};

/// The content type that stands in for content of more than a queue takes: the entry point leaves it out.
pub const TOO_LARGE: &str = "content of more than 256 KB";

/// An event in a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogEvent {
    /// The conversation; the dialog's id stands in where a notification leaves it out, which is right for main dialogs.
    pub conversation: ConversationId,
    /// Whether the notification named the conversation. Without it, [`DialogEvent::conversation`] is wrong for an event of a
    /// survey: only the news of the conversation tells whose dialog that is.
    pub conversation_said: bool,
    /// The dialog.
    pub dialog: DialogId,
    /// The order number; typing has none.
    pub sequence: Option<Sequence>,
    /// When LiveEngage took it, by its own clock; typing has no time.
    pub at: Option<Timestamp>,
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
    /// Agents and managers: never forwarded.
    Private,
    /// An audience that is not documented: never forwarded, and what was said is kept for an operator.
    Unknown,
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
    /// A ContentEvent of `hosted/file`.
    File(HostedFile),
    /// A ContentEvent of another content type, by that type: secure forms, and a file without a usable path.
    OtherContent(Code),
    /// A RichContentEvent, with its content as it came: an object, or a string of JSON.
    RichContent(Structured),
    /// An AcceptStatusEvent.
    AcceptStatus {
        /// What became of the messages; `None` for a status that is not documented.
        status: Option<AcceptStatus>,
        /// The messages.
        sequences: Vec<Sequence>,
    },
    /// A ChatStateEvent; `None` for a state that is not documented, which is not typing.
    ChatState(Option<ChatState>),
    /// An event type that the connector doesn't know, by its name.
    Unknown(Code),
}

impl EventKind {
    /// Whether it is something that was said, of whatever type.
    pub const fn is_content(&self) -> bool {
        matches!(self, Self::Text(_) | Self::File(_) | Self::OtherContent(_) | Self::RichContent(_))
    }

    /// Whether it says that somebody is typing.
    pub const fn is_composing(&self) -> bool {
        matches!(self, Self::ChatState(Some(ChatState::Composing)))
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

/// When LiveEngage took an event (`serverTimestamp`, milliseconds); typing has no time.
pub fn event_time(change: &Value) -> Option<Timestamp> {
    let milliseconds = tolerant::lenient_number(change.get("serverTimestamp")?).ok()??;
    Timestamp::from_millisecond(milliseconds).ok()
}

#[derive(Deserialize)]
struct OriginatorWire {
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    role: Option<String>,
}

fn sequence(value: &Value) -> Option<Sequence> {
    tolerant::lenient_number(value).ok().flatten().and_then(|n| u64::try_from(n).ok()).map(Sequence)
}

fn content(event: &Value) -> Result<EventKind, UnreadableChange> {
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    Ok(match text("contentType").unwrap_or("text/plain") {
        "text/plain" => {
            EventKind::Text(MessageText::new(text("message").ok_or(UnreadableChange { field: "event.message" })?))
        }
        // The second is the name of a class in the documentation's schema.
        content_type @ ("hosted/file" | "HostedFile") => event
            .get("message")
            .and_then(HostedFile::read)
            .map_or_else(|| EventKind::OtherContent(Code::of(content_type)), EventKind::File),
        TOO_LARGE => EventKind::OtherContent(Code::ours(TOO_LARGE)),
        content_type => {
            EventKind::OtherContent(Code::read(content_type).unwrap_or(Code::ours("content of an unknown type")))
        }
    })
}

fn event_kind(event: &Value) -> Result<EventKind, UnreadableChange> {
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    Ok(match text("type").map(|name| name.rsplit('.').next().unwrap_or(name)) {
        Some("ContentEvent") => content(event)?,
        // `content` in webhooks and samples, `message` in the documentation's schema.
        Some("RichContentEvent") => EventKind::RichContent(
            ["content", "message"]
                .iter()
                .find_map(|field| event.get(field).filter(|content| !content.is_null()))
                .cloned()
                .map_or(Structured(Value::Null), Structured),
        ),
        Some("AcceptStatusEvent") => EventKind::AcceptStatus {
            status: text("status").and_then(AcceptStatus::from_name),
            sequences: match event.get("sequenceList") {
                Some(Value::Array(numbers)) => numbers.iter().filter_map(sequence).collect(),
                Some(number) => sequence(number).into_iter().collect(),
                None => vec![],
            },
        },
        Some("ChatStateEvent") => EventKind::ChatState(text("chatState").and_then(ChatState::from_name)),
        Some(other) => EventKind::Unknown(Code::of(other)),
        None => return Err(UnreadableChange { field: "event.type" }),
    })
}

pub(super) fn read(change: &Value) -> Result<Change, UnreadableChange> {
    let wire: EventWire = EventWire::deserialize(change).map_err(|_| UnreadableChange { field: "object" })?;
    let kind = event_kind(&wire.event)?;
    let conversation_said = wire.conversation_id.is_some();
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
        conversation_said,
        dialog,
        sequence: wire.sequence.and_then(|n| u64::try_from(n).ok()).map(Sequence),
        at: event_time(change),
        role: match role.as_deref() {
            Some("CONSUMER") => Role::Consumer,
            Some(_) => Role::Brand,
            None => Role::Unsaid,
        },
        originator: named.or(wire.originator_id).or(wire.originator_p_id).or(wire.originator_pid),
        audience: match wire.message_audience.as_deref() {
            None | Some("ALL") => Audience::All,
            Some("AGENTS_AND_MANAGERS") => Audience::Private,
            Some(_) => Audience::Unknown,
        },
        kind,
        quick_replies: wire.event.get("quickReplies").filter(|replies| !replies.is_null()).cloned().map(Structured),
    }))
}
