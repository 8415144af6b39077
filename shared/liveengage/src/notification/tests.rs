//! Tests of notifications: every documented form, and arbitrary JSON.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    files::{FileType, HostedFile, RelativePath},
    id::Sequence,
};
use connector_message::{MessageText, code::Code};

mod conversations;

fn event(change: Value) -> DialogEvent {
    match read(NotificationType::MessagingEvent, &change) {
        Ok(Change::Event(event)) => event,
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
    assert_eq!((event.conversation.as_str(), event.has_conversation_id, event.dialog.as_str()), ("c1", true, "c1"));
}

#[test]
fn ids_may_be_missing_or_numbers_and_roles_unknown() {
    let mut change = agent_text();
    change["conversationId"].take();
    change["sequence"] = json!("4");
    change["originatorMetadata"]["role"] = json!("HOLOGRAM");
    let event = event(change);
    assert_eq!((event.conversation.as_str(), event.has_conversation_id), ("c1", false));
    assert_eq!((event.sequence, event.role), (Some(Sequence(4)), Role::Brand));
}

#[test]
fn echoes_and_private_messages_are_distinguished() {
    let mut echo = agent_text();
    echo["originatorMetadata"]["role"] = json!("CONSUMER");
    assert_eq!(event(echo).role, Role::Consumer);
    for (audience, read) in [("AGENTS_AND_MANAGERS", Audience::Private), ("SOMEBODY_NEW", Audience::Unknown)] {
        let mut private = agent_text();
        private["messageAudience"] = json!(audience);
        assert_eq!(event(private).audience, read);
    }
}

#[test]
fn the_originator_is_read_in_every_spelling() {
    for spelling in ["originatorId", "originatorPId", "originatorPid"] {
        let mut change = agent_text();
        change["originatorMetadata"].take();
        change["originatorId"].take();
        change[spelling] = json!("lp1");
        let event = event(change);
        assert_eq!((event.role, event.originator.as_deref()), (Role::Unknown, Some("lp1")));
    }
}

#[test]
fn other_events_keep_the_name_of_their_type() {
    for (wire, kind) in [
        (
            json!({"type": "ContentEvent", "contentType": "forms/secure-invitation", "message": {"invitationId": "i1"}}),
            EventKind::OtherContent(Code::internal("forms/secure-invitation")),
        ),
        // A file without a usable path.
        (
            json!({"type": "ContentEvent", "contentType": "hosted/file", "message": {"relativePath": "//evil.example/x"}}),
            EventKind::OtherContent(Code::internal("hosted/file")),
        ),
        (
            json!({"type": "RichContentEvent", "content": {"type": "text"}}),
            EventKind::RichContent(Structured(json!({"type": "text"}))),
        ),
        (json!({"type": "RichContentEvent", "message": "{}"}), EventKind::RichContent(Structured(json!("{}")))),
        (json!({"type": "HologramEvent"}), EventKind::Unknown(Code::internal("HologramEvent"))),
    ] {
        let mut change = agent_text();
        change["event"] = wire;
        assert_eq!(event(change).kind, kind);
    }
}

fn kind_of(event_wire: Value) -> EventKind {
    let mut change = agent_text();
    change["event"] = event_wire;
    event(change).kind
}

#[test]
fn an_agents_file_is_read_without_its_preview() {
    let path = "/v1/AUTH_async-images/72419083/9c41_uuid_7d.JPG";
    for content_type in ["hosted/file", "HostedFile"] {
        let kind = kind_of(json!({"type": "ContentEvent", "contentType": content_type, "message":
            {"caption": "the parts list", "relativePath": path, "fileType": "JPG", "preview": "data:image/jpeg;base64,AA"}}));
        let file = HostedFile {
            relative_path: RelativePath::new(path).unwrap(),
            file_type: FileType::Jpg,
            caption: Some(MessageText::new("the parts list")),
        };
        assert_eq!(kind, EventKind::File(file));
    }
    let bare = kind_of(json!({"type": "ContentEvent", "contentType": "hosted/file", "message":
        {"caption": "", "relativePath": path, "fileType": "HOLO"}}));
    assert!(
        matches!(bare, EventKind::File(HostedFile { caption: None, file_type: FileType::Other(name), .. }) if name == "HOLO")
    );
}

#[test]
fn statuses_come_with_one_number_or_many() {
    let status = |status: &str, list: Value| {
        kind_of(json!({"type": "AcceptStatusEvent", "status": status, "sequenceList": list}))
    };
    let read = |status, numbers: &[u64]| EventKind::AcceptStatus {
        status,
        sequences: numbers.iter().copied().map(Sequence).collect(),
    };
    assert_eq!(status("READ", json!([1, 4])), read(Some(AcceptStatus::Read), &[1, 4]));
    assert_eq!(status("ACCEPT", json!(6)), read(Some(AcceptStatus::Accept), &[6]));
    assert_eq!(status("ACTION", json!(["6", -1, null])), read(Some(AcceptStatus::Action), &[6]));
    assert_eq!(status("HELD", json!(null)), read(None, &[]));
}

#[test]
fn only_composing_is_typing() {
    for (state, known, composing) in [
        ("COMPOSING", Some(ChatState::Composing), true),
        ("ACTIVE", Some(ChatState::Active), false),
        ("PAUSE", Some(ChatState::Pause), false),
        ("INACTIVE", Some(ChatState::Inactive), false),
        ("GONE", Some(ChatState::Gone), false),
        ("BACKGROUND", None, false),
    ] {
        let kind = kind_of(json!({"type": "ChatStateEvent", "chatState": state}));
        assert_eq!((kind.is_composing(), &kind), (composing, &EventKind::ChatState(known)), "{state}");
    }
}

#[test]
fn an_event_without_required_fields_is_an_error() {
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

#[test]
fn a_dialog_id_next_to_the_changes_is_copied_into_them_if_it_is_valid() {
    for no_id in [json!("x".repeat(100_000)), json!(""), json!({"id": "d1"}), json!(7)] {
        let body = json!({"dialogId": no_id, "changes": vec![json!({"a": 1}); 1000]});
        let body = json!({"type": "ms.MessagingEventNotification", "body": body}).to_string();
        assert_eq!(split(body.as_bytes()).unwrap().1, vec![json!({"a": 1}); 1000]);
    }
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
    let (_, bare) =
        split(json!({"type": ".ams.ms.MessagingEventNotification", "body": {"dialogId": "d1", "changes": {"a": 1}}}))
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
fn a_type_of_another_form_is_no_type_and_a_list_has_none() {
    for body in [
        json!({"type": 1, "body": {"type": "ms.MessagingEventNotification"}}),
        json!({"type": ["ms.MessagingEventNotification"]}),
        json!({"body": "ms.MessagingEventNotification"}),
        json!(["ms.MessagingEventNotification", {"changes": [{"a": 1}]}]),
    ] {
        assert_eq!(split(body.to_string().as_bytes()), Err(NotANotification::NoType), "{body}");
    }
    let inside = json!({"type": null, "body": {"type": "ms.MessagingEventNotification"}});
    assert_eq!(split(inside.to_string().as_bytes()).unwrap().0, Some(NotificationType::MessagingEvent));
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
        prop::sample::select(vec![
            "ContentEvent",
            "AcceptStatusEvent",
            "CONSUMER",
            "CLOSE",
            "text/plain",
            "hosted/file"
        ])
        .prop_map(Value::from),
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
            "participantsDetails",
            "participantsPId",
            "dialogs",
            "dialogType",
            "csat",
            "sequenceList",
            "relativePath",
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
    fn no_json_causes_a_panic(value in any_json()) {
        if let Ok((Some(kind), changes)) = split(value.to_string().as_bytes()) {
            for change in changes {
                let _ = read(kind, &change);
            }
        }
        let _ = read(NotificationType::MessagingEvent, &value);
        let _ = read(NotificationType::ConversationChange, &value);
    }
}
