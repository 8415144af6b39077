//! Recognizes the events of a dialog from which nothing follows, by themselves: without the table, and whatever the consumer's channel is.

use super::echo;
use connector_liveengage::notification::{Audience, DialogEvent, EventKind, Role};

/// Returns why nothing follows from an event. `None` if a worker has to decide.
///
/// `webhook` doesn't queue such an event. A worker gets it all the same from a webhook of an earlier version.
pub(super) fn not_needed(event: &DialogEvent) -> Option<&'static str> {
    match (event.role, event.audience, &event.kind) {
        // The echo of a text, a file or a click proves that it was published. That of a mark or of typing proves nothing that is needed.
        (Role::Consumer, _, kind) => echo::of_notification(kind).is_none().then_some("echo"),
        (_, Audience::Private, _) => Some("private"),
        (_, _, EventKind::Unknown(_)) => Some("not content"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use connector_liveengage::notification::{Change, NotificationType, read};

    fn of(role: &str, audience: &str, event: &serde_json::Value) -> Option<&'static str> {
        let change = json!({
            "sequence": 7, "originatorMetadata": {"role": role}, "messageAudience": audience, "event": event,
            "conversationId": "c1", "dialogId": "c1", "serverTimestamp": 1_800_000_000_000_i64,
        });
        match read(NotificationType::MessagingEvent, &change).unwrap() {
            Change::Event(event) => not_needed(&event),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_what_no_worker_uses_is_not_needed() {
        let text = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "hello"});
        let mark = json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [6]});
        let click = json!({"type": "AcceptStatusEvent", "status": "ACTION", "sequenceList": [6]});
        let typing = json!({"type": "ChatStateEvent", "chatState": "COMPOSING"});
        for (role, event) in [("CONSUMER", &mark), ("CONSUMER", &typing)] {
            assert_eq!(of(role, "ALL", event), Some("echo"), "{event}");
        }
        assert_eq!(of("ASSIGNED_AGENT", "AGENTS_AND_MANAGERS", &text), Some("private"));
        for event in [&text, &click] {
            assert_eq!(of("CONSUMER", "ALL", event), None, "a proof: {event}");
        }
        for event in [&text, &mark, &typing] {
            assert_eq!(of("ASSIGNED_AGENT", "ALL", event), None, "a channel may show it: {event}");
            assert_eq!(of("A_ROLE_OF_TOMORROW", "ALL", event), None, "it may be the consumer or an agent: {event}");
        }
    }
}
