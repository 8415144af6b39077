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

/// The body with every half of a surrogate pair (an emoji that somebody cut in two) replaced by the replacement character:
/// JavaScript writes such halves as `\\ud83d`, and JSON readers other than JavaScript's refuse the whole body.
fn without_halves(body: &[u8]) -> Vec<u8> {
    let unit = |at: usize| {
        let escape = body.get(at..at + 6)?;
        if escape.get(..2)? != b"\\u" {
            return None;
        }
        u16::from_str_radix(std::str::from_utf8(escape.get(2..)?).ok()?, 16).ok()
    };
    let mut whole = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        let length = match (byte, unit(at)) {
            (b'\\', Some(0xD800..=0xDBFF)) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => 12,
            (b'\\', Some(0xD800..=0xDFFF)) => {
                whole.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            (b'\\', Some(_)) => 6,
            // Two, so that an escaped backslash does not begin another escape.
            (b'\\', None) => 2,
            _ => 1,
        };
        whole.extend_from_slice(body.get(at..at + length).unwrap_or(body.get(at..).unwrap_or_default()));
        at += length;
    }
    whole
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
    pub quick_replies: Option<Value>,
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

/// What happened in a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// A ContentEvent of `text/plain`.
    Text(MessageText),
    /// A ContentEvent of another content type, by that type.
    OtherContent(String),
    /// A RichContentEvent, with its content as it came: an object, or a string of JSON.
    RichContent(Value),
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
                .unwrap_or_default(),
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
        quick_replies: wire.event.get("quickReplies").filter(|replies| !replies.is_null()).cloned(),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(change: Value) -> DialogEvent {
        match read(NotificationType::MessagingEvent, &change) {
            Ok(Change::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    fn conversation(change: Value) -> ConversationChange {
        match read(NotificationType::ConversationChange, &change) {
            Ok(Change::Conversation(change)) => change,
            other => panic!("{other:?}"),
        }
    }

    fn agent_text() -> Value {
        json!({
            "sequence": 4, "originatorId": "a1",
            "originatorMetadata": {"id": "a1", "role": "ASSIGNED_AGENT", "clientProperties": {"os": "WINDOWS"}},
            "serverTimestamp": 1_772_600_767_000_i64,
            "event": {"type": "ContentEvent", "message": "How can I help?\n", "contentType": "text/plain"},
            "conversationId": "c1", "dialogId": "c1", "messageAudience": "ALL", "metadata": null, "brandNew": [1],
        })
    }

    #[test]
    fn an_agents_text_is_read() {
        let event = event(agent_text());
        assert_eq!(event.kind, EventKind::Text(MessageText::new("How can I help?\n")));
        assert_eq!((event.role, event.audience, event.sequence), (Role::Brand, Audience::All, Some(Sequence(4))));
        assert_eq!((event.conversation.as_str(), event.dialog.as_str()), ("c1", "c1"));
    }

    #[test]
    fn ids_may_be_missing_or_numbers_and_roles_unknown() {
        let mut change = agent_text();
        change["conversationId"].take();
        change["sequence"] = json!("4");
        change["originatorMetadata"]["role"] = json!("HOLOGRAM");
        let event = event(change);
        assert_eq!((event.conversation.as_str(), event.sequence, event.role), ("c1", Some(Sequence(4)), Role::Brand));
    }

    #[test]
    fn echoes_and_private_messages_are_told_apart() {
        let mut echo = agent_text();
        echo["originatorMetadata"]["role"] = json!("CONSUMER");
        assert_eq!(event(echo).role, Role::Consumer);
        for audience in ["AGENTS_AND_MANAGERS", "SOMEBODY_NEW"] {
            let mut private = agent_text();
            private["messageAudience"] = json!(audience);
            assert_eq!(event(private).audience, Audience::Private);
        }
    }

    #[test]
    fn without_a_role_the_originator_is_told_in_any_spelling() {
        for spelling in ["originatorId", "originatorPId", "originatorPid"] {
            let mut change = agent_text();
            change["originatorMetadata"].take();
            change["originatorId"].take();
            change[spelling] = json!("lp1");
            let event = event(change);
            assert_eq!((event.role, event.originator.as_deref()), (Role::Unsaid, Some("lp1")));
        }
    }

    #[test]
    fn other_events_are_carried_by_their_type() {
        for (wire, kind) in [
            (
                json!({"type": "ContentEvent", "contentType": "hosted/file", "message": {"relativePath": "/x"}}),
                EventKind::OtherContent("hosted/file".to_owned()),
            ),
            (
                json!({"type": "RichContentEvent", "content": {"type": "text"}}),
                EventKind::RichContent(json!({"type": "text"})),
            ),
            (json!({"type": "RichContentEvent", "message": "{}"}), EventKind::RichContent(json!("{}"))),
            (json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [1]}), EventKind::AcceptStatus),
            (json!({"type": "ChatStateEvent", "chatState": "COMPOSING"}), EventKind::ChatState),
            (json!({"type": "HologramEvent"}), EventKind::Unknown("HologramEvent".to_owned())),
        ] {
            let mut change = agent_text();
            change["event"] = wire;
            assert_eq!(event(change).kind, kind);
        }
    }

    #[test]
    fn what_lacks_its_essentials_is_unreadable_and_not_lost_silently() {
        for (path, field) in [("/event/type", "event.type"), ("/event/message", "event.message")] {
            let mut change = agent_text();
            *change.pointer_mut(path).unwrap() = Value::Null;
            assert_eq!(read(NotificationType::MessagingEvent, &change), Err(UnreadableChange { field }));
        }
        let mut change = agent_text();
        change["conversationId"].take();
        change["dialogId"].take();
        assert_eq!(read(NotificationType::MessagingEvent, &change), Err(UnreadableChange { field: "dialogId" }));
    }

    fn conversation_change(state: &str, stage: Option<&str>) -> Value {
        json!({"type": "UPSERT", "result": {"convId": "c1", "effectiveTTR": -1, "conversationDetails": {
            "participants": [{"id": "a1", "role": "ASSIGNED_AGENT"}, {"id": "lp1", "role": "CONSUMER"}],
            "state": state, "stage": stage, "metaDataLastUpdateTs": 1_772_600_767_123_i64}}})
    }

    #[test]
    fn stage_decides_and_state_stands_in_for_it() {
        for (state, stage, closed) in [
            ("OPEN", Some("OPEN"), false),
            ("CLOSE", Some("OPEN"), false),
            ("CLOSE", Some("CLOSE"), true),
            ("CLOSE", Some("CLOSED"), true),
            ("CLOSE", None, true),
            ("OPEN", None, false),
            ("OPEN", Some("LIMBO"), false),
        ] {
            assert_eq!(conversation(conversation_change(state, stage)).closed, closed, "{state} {stage:?}");
        }
    }

    #[test]
    fn the_consumer_is_found_in_either_form_of_the_participants() {
        let list = conversation(conversation_change("OPEN", None));
        assert_eq!(list.consumer.unwrap().as_str(), "lp1");
        assert_eq!(list.as_of.as_millisecond(), 1_772_600_767_123);
        let map = conversation(json!({"result": {"convId": "c1", "conversationDetails": {"state": "OPEN",
            "participantsPId": {"CONSUMER": ["lp2"], "ASSIGNED_AGENT": ["a1"]}}}}));
        assert_eq!(map.consumer.unwrap().as_str(), "lp2");
    }

    #[test]
    fn the_start_stands_in_for_a_missing_time_of_the_state() {
        let mut change = conversation_change("OPEN", None);
        change["result"]["conversationDetails"]["metaDataLastUpdateTs"].take();
        change["result"]["conversationDetails"]["startTs"] = json!(1_772_600_000_000_i64);
        assert_eq!(conversation(change).as_of.as_millisecond(), 1_772_600_000_000);
    }

    #[test]
    fn a_notification_is_split_into_all_its_changes() {
        let split = |body: Value| split(body.to_string().as_bytes());
        let (kind, changes) = split(json!({"kind": "notification", "type": "ms.MessagingEventNotification", "body": {"changes": [{"a": 1}, {"b": 2}]}})).unwrap();
        assert_eq!((kind, changes.len()), (Some(NotificationType::MessagingEvent), 2));
        for changes in [json!([]), Value::Null] {
            let (_, none) =
                split(json!({"type": "cqm.ExConversationChangeNotification", "body": {"changes": changes}})).unwrap();
            assert!(none.is_empty());
        }
        let (_, bare) = split(
            json!({"type": ".ams.ms.MessagingEventNotification", "body": {"dialogId": "d1", "changes": {"a": 1}}}),
        )
        .unwrap();
        assert_eq!(bare, [json!({"a": 1, "dialogId": "d1"})]);
        let (inside, _) =
            split(json!({"kind": "notification", "body": {"type": "ms.ExConversationChangeNotification"}})).unwrap();
        assert_eq!(inside, Some(NotificationType::ConversationChange));
        assert_eq!(split(json!({"type": "routing.RingUpdated", "body": {}})).unwrap().0, None);
        assert_eq!(split(json!({"body": {}})), Err(NotANotification::NoType));
        assert_eq!(split(json!("text")), Err(NotANotification::NoType));
        assert_eq!(super::split(b"{"), Err(NotANotification::NotJson));
    }

    #[test]
    fn half_an_emoji_does_not_make_a_notification_unreadable() {
        let body = |message: &str| {
            format!(r#"{{"type":"ms.MessagingEventNotification","body":{{"changes":[{{"message":"{message}"}}]}}}}"#)
        };
        for (wire, text) in [
            (r"half \ud83d", "half \u{fffd}"),
            (r"\ude00 other half", "\u{fffd} other half"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\\ud83d is no escape, \ud83d is", "\\ud83d is no escape, \u{fffd} is"),
        ] {
            let (_, changes) = split(body(wire).as_bytes()).unwrap();
            assert_eq!(changes[0]["message"], text, "{wire}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-zA-Z.]{0,12}".prop_map(Value::from),
            prop::sample::select(vec!["ContentEvent", "CONSUMER", "CLOSE", "text/plain"]).prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let keys = vec![
                "event",
                "type",
                "message",
                "dialogId",
                "result",
                "convId",
                "conversationDetails",
                "participants",
                "changes",
                "body",
                "sequence",
                "originatorMetadata",
                "role",
                "stage",
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(prop::sample::select(keys), inner, 0..5)
                    .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Value>()),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_makes_it_panic(value in any_json()) {
            if let Ok((Some(kind), changes)) = split(value.to_string().as_bytes()) {
                for change in changes {
                    let _ = read(kind, &change);
                }
            }
            let _ = read(NotificationType::MessagingEvent, &value);
            let _ = read(NotificationType::ConversationChange, &value);
        }

        #[test]
        fn good_json_is_left_as_it_is_by_the_mending(value in any_json()) {
            let json = value.to_string();
            prop_assert_eq!(without_halves(json.as_bytes()), json.into_bytes());
        }

        #[test]
        fn no_bytes_make_the_mending_panic(body in prop::collection::vec(prop::sample::select(b"\\ud8Dcf0\"{".to_vec()), 0..40)) {
            let _ = without_halves(&body);
        }
    }
}
