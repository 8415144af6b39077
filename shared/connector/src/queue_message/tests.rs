use serde_json::{Value, json};

use super::*;
use connector_channels::{
    id::{CallReference, ChannelUserId, ProviderMessageId},
    message::ReportedStatus,
};

fn read(body: &Value) -> Message {
    decode(&body.to_string()).unwrap_or_else(|error| panic!("{error:?}: {body}"))
}

/// A queue message with some fields replaced.
fn with(mut body: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn text() -> Value {
    json!({
        "task": "channel_event_v1", "line": "sms-main", "correlation": "r-1", "accepted_at": "2026-03-04T05:06:05Z",
        "event": {"id": "mo-1", "part": 0, "user": "+4915112345678", "at": "2026-03-04T05:06:04Z", "content": {"kind": "text", "text": "hi"}},
    })
}

fn of_event(field: &str, value: Value) -> Value {
    let mut event = text()["event"].take();
    event[field] = value;
    with(text(), &json!({"event": event}))
}

fn reports() -> Value {
    json!({
        "task": "reports_v1", "line": "sms-main", "user": "+4915112345678", "correlation": "r-2", "accepted_at": "2026-03-04T05:06:05Z",
        "status": {"status": "delivered"}, "messages": ["mt-1"], "references": [],
    })
}

fn undelivered() -> Value {
    json!({
        "task": "undelivered_v1", "line": "sms-main", "user": "+4915112345678", "correlation": "r-3", "accepted_at": "2026-03-04T05:06:05Z",
        "conversation": "c-1", "dialog": "c-1", "sequence": 4, "reason": "refused", "may_have_arrived": false,
    })
}

fn unreadable(kind: &str, source: &Value, name: &str) -> Value {
    let body = json!({
        "task": kind, "correlation": "r-4", "accepted_at": "2026-03-04T05:06:05Z", "name": name, "body": "e30=",
    });
    with(body, source)
}

fn change(event: &Value, sequence: u64) -> Value {
    json!({
        "task": "liveengage_change_v1", "account": "72419083", "correlation": "r-5", "accepted_at": "2026-03-04T05:06:05Z",
        "notification": "ms.MessagingEventNotification",
        "change": {
            "sequence": sequence, "conversationId": "c-1", "dialogId": "c-1", "originatorId": "agent-1", "serverTimestamp": 1_772_600_000_000_u64,
            "originatorMetadata": {"id": "agent-1", "role": "ASSIGNED_AGENT"}, "event": event,
        },
    })
}

fn agent_says(text: &str, sequence: u64) -> Value {
    change(&json!({"type": "ContentEvent", "message": text, "contentType": "text/plain"}), sequence)
}

fn agent_types() -> Value {
    change(&json!({"type": "ChatStateEvent", "chatState": "COMPOSING"}), 0)
}

fn at(body: &Value, time: &str) -> Value {
    with(body.clone(), &json!({"accepted_at": time}))
}

/// Whether two messages have the same group, the same deduplication id, and the same key.
fn shared(a: &Value, b: &Value) -> (bool, bool, bool) {
    let (a, b) = (read(a), read(b));
    let (a, b) = (a.identity(), b.identity());
    (a.group() == b.group(), a.deduplication_id() == b.deduplication_id(), a.key() == b.key())
}

#[test]
fn messages_share_what_they_must_and_nothing_else() {
    let (text, reports, undelivered, typing) = (text(), reports(), undelivered(), agent_types());
    let line = json!({"line": "sms-main"});
    let account = json!({"account": "72419083"});
    let message = |name| unreadable("unreadable_message_v1", &line, name);
    let notification = |name| unreadable("unreadable_notification_v1", &account, name);
    let composing = of_event("content", json!({"kind": "typing", "typing": true}));
    let broken =
        |extra: u64| with(typing.clone(), &json!({"change": {"extra": extra, "event": {"type": "ContentEvent"}}}));
    let all = (true, true, true);
    for (what, a, b, expected) in [
        ("a repetition", text.clone(), at(&text, "2026-03-04T05:07:00Z"), all),
        ("a consumer's texts", text.clone(), of_event("id", json!("mo-2")), (true, false, false)),
        ("other consumers' texts", text.clone(), of_event("user", json!("+4917000000")), (false, false, false)),
        ("a text and reports", text.clone(), reports.clone(), (false, false, false)),
        (
            "reports about other messages",
            reports.clone(),
            with(reports.clone(), &json!({"messages": ["mt-2"]})),
            (true, false, false),
        ),
        (
            "reports by other references",
            with(reports.clone(), &json!({"messages": [], "unnamed": ["a.0"]})),
            with(reports.clone(), &json!({"messages": [], "unnamed": ["a.1"]})),
            (true, false, false),
        ),
        (
            "reports for other consumers",
            reports.clone(),
            with(reports.clone(), &json!({"user": "+4917000000"})),
            (false, true, true),
        ),
        ("typing within five seconds", composing.clone(), at(&composing, "2026-03-04T05:06:09Z"), all),
        ("typing five seconds later", composing.clone(), at(&composing, "2026-03-04T05:06:10Z"), (false, false, true)),
        (
            "notices of other failures",
            undelivered.clone(),
            with(undelivered.clone(), &json!({"sequence": 5})),
            (true, false, false),
        ),
        (
            "notices to other agents",
            undelivered.clone(),
            with(undelivered.clone(), &json!({"user": "+4917000000"})),
            (false, true, true),
        ),
        ("unreadable messages", message("ab"), message("cd"), (false, false, false)),
        ("unreadable notifications", notification("ab"), notification("cd"), (false, false, false)),
        ("an agent's texts", agent_says("a", 1), agent_says("a", 2), (true, false, false)),
        ("an event with other words", agent_says("a", 1), agent_says("b", 1), all),
        ("an agent's text and typing", agent_says("a", 1), typing.clone(), (false, false, false)),
        ("an agent's typing within five seconds", typing.clone(), at(&typing, "2026-03-04T05:06:09Z"), all),
        (
            "an agent's typing five seconds later",
            typing.clone(),
            at(&typing, "2026-03-04T05:06:10Z"),
            (true, false, true),
        ),
        ("changes that can't be read", broken(1), broken(2), (false, false, false)),
    ] {
        assert_eq!(shared(&a, &b), expected, "{what}");
    }
}

/// The connector's own texts to a consumer.
#[test]
fn an_announcement_is_named_after_its_cause_and_a_notice_after_its_hour() {
    let [first, second] = ["c-1", "c-2"].map(|id| ConversationId::new(id).unwrap());
    let names = [
        Announcement::question_name(&first),
        Announcement::question_name(&second),
        Announcement::reply_name(&first, 1),
        Announcement::reply_name(&first, 2),
        Announcement::reply_name(&second, 1),
    ];
    assert_eq!(names.iter().collect::<std::collections::HashSet<_>>().len(), names.len());
    let of_line = json!({"line": "sms-main", "user": "+4915112345678", "text": "Hello"});
    let body =
        |task: &str| with(json!({"task": task, "correlation": "r-6", "accepted_at": "2026-03-04T05:06:05Z"}), &of_line);
    let notice = body("notice_v1");
    let said = with(body("announcement_v1"), &json!({"name": "ab"}));
    let after = |conversation: &str| with(said.clone(), &json!({"after": ["72419083", conversation]}));
    let other_consumer = json!({"user": "+4917000000"});
    for (what, a, b, expected) in [
        ("notices of an hour", notice.clone(), at(&notice, "2026-03-04T05:59:59Z"), (true, true, true)),
        ("a notice in the next hour", notice.clone(), at(&notice, "2026-03-04T06:00:00Z"), (true, false, false)),
        ("notices to other consumers", notice.clone(), with(notice.clone(), &other_consumer), (false, false, false)),
        ("announcements", said.clone(), with(said.clone(), &json!({"name": "cd"})), (true, false, false)),
        ("announcements to other consumers", said.clone(), with(said.clone(), &other_consumer), (false, true, true)),
        ("an announcement after a conversation", said.clone(), after("c-1"), (false, true, true)),
        ("announcements after other conversations", after("c-1"), after("c-2"), (false, true, true)),
        ("an announcement and the agent's texts", after("c-1"), agent_says("a", 1), (true, false, false)),
    ] {
        assert_eq!(shared(&a, &b), expected, "{what}");
    }
}

#[test]
fn an_agents_content_can_be_left_out_and_its_event_stays_the_same() {
    let leave_out = |body: &Value| match read(body) {
        Message::ToChannel(ToChannel::Change(change)) => change.without_content().map(Message::from),
        other => panic!("{other:?}"),
    };
    let whole = read(&agent_says("very long", 3));
    let smaller = leave_out(&agent_says("very long", 3)).unwrap();
    let ids = |message: &Message| {
        (message.identity().group(), message.identity().deduplication_id(), message.identity().key())
    };
    assert_eq!(ids(&smaller), ids(&whole));
    assert!(!smaller.queued().unwrap().body.contains("very long"));
    assert_eq!(leave_out(&agent_types()), None);
}

#[test]
fn reports_name_each_message_once() {
    let consumer =
        ConsumerRef { line: LineId::new("sms-main").unwrap(), user: ChannelUserId::new("+4915112345678").unwrap() };
    let envelope = Envelope::new(&CorrelationId::new("r-1").unwrap(), Timestamp::UNIX_EPOCH);
    let (status, none) = (ReportedStatus::Delivered, vec![]);
    let mut reports = Reports { envelope, consumer, status, messages: none, references: vec![], unnamed: vec![] };
    let (message, reference) = (ProviderMessageId::new("mt-1").unwrap(), CallReference::new("a.0").unwrap());
    for (message, reference, count) in [
        (Some(&message), None, 1),
        (Some(&message), Some(&reference), 1),
        (None, Some(&reference), 2),
        (None, Some(&reference), 2),
        (None, None, 2),
        (Some(&ProviderMessageId::new("mt-2").unwrap()), Some(&reference), 3),
    ] {
        reports.add(message, reference);
        assert_eq!(reports.count(), count);
    }
    assert_eq!((reports.messages.len(), reports.references.len(), reports.unnamed.len()), (2, 1, 1));
}

#[test]
fn a_consumers_message_has_the_channels_time_and_an_agents_its_number() {
    let sent_at: Timestamp = "2026-03-04T05:06:04Z".parse().unwrap();
    assert_eq!(read(&text()).position(3), Some(Position::Timed { at: sent_at, received: 3 }));
    assert!(
        matches!(read(&agent_says("a", 7)).position(1), Some(Position::Numbered(position)) if position.sequence.0 == 7)
    );
    assert_eq!(read(&reports()).position(1), None);
}

#[test]
fn what_is_resent_has_an_id_of_its_own_in_the_queue() {
    let ids = ["a", "b"].map(|id| [redriven_parked(id), redriven_dead_letter(id)]).concat();
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), 4);
    assert_eq!(redriven_dead_letter("a"), ids[1], "the same at every try");
}

/// A report that must wait for the answer to its call delays no text, and a text delays no typing event.
#[test]
fn reports_and_typing_events_are_in_groups_of_their_own() {
    let typing = of_event("content", json!({"kind": "typing", "typing": true}));
    let groups = [text(), reports(), typing].map(|body| read(&body).queued().unwrap().group);
    assert_eq!(groups.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{groups:?}");
}
