//! Builds queue messages as the entry points do.

use serde_json::{Value, json};

use super::world::at;
use connector_liveengage::id::ConversationId;

/// Returns a queue message with a consumer's text, accepted at second 0.
pub(super) fn from_consumer(id: &str, user: &str, text: &str) -> String {
    from_channel(id, user, 0, &json!({"kind": "text", "text": text}))
}

/// Returns a queue message with a channel's event, accepted at `accepted`.
pub(super) fn from_channel(id: &str, user: &str, accepted: i64, content: &Value) -> String {
    json!({
        "task": "channel_event_v1", "line": "sms-main", "correlation": format!("r-{id}"), "accepted_at": at(accepted),
        "event": {"id": id, "part": 0, "user": user, "at": at(0), "content": content},
    })
    .to_string()
}

/// Returns a queue message with a change of LiveEngage, accepted at `accepted`.
pub(super) fn change(notification: &str, accepted: i64, change: &Value) -> String {
    json!({
        "task": "liveengage_change_v1", "account": "72419083", "correlation": "r-le", "accepted_at": at(accepted),
        "notification": notification, "change": change,
    })
    .to_string()
}

pub(super) fn event(conversation: &str, sequence: u64, role: &str, audience: &str, event: &Value) -> Value {
    json!({
        "sequence": sequence, "originatorMetadata": {"id": "agent-1", "role": role}, "event": event,
        "conversationId": conversation, "dialogId": conversation, "messageAudience": audience,
    })
}

/// Returns an agent's text, accepted at second 0.
pub(super) fn agent_says(conversation: &str, sequence: u64, text: &str) -> String {
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
    change("ms.MessagingEventNotification", 0, &event(conversation, sequence, "ASSIGNED_AGENT", "ALL", &content))
}

/// Returns the state of a conversation, as of `as_of`.
pub(super) fn conversation_change(id: &str, consumer: Option<&str>, stage: &str, as_of: i64) -> String {
    let participants: Vec<_> = consumer.iter().map(|id| json!({"id": id, "role": "CONSUMER"})).collect();
    let details =
        json!({"participants": participants, "stage": stage, "metaDataLastUpdateTs": at(as_of).as_millisecond()});
    let state = json!({"type": "UPSERT", "result": {"convId": id, "conversationDetails": details}});
    change("cqm.ExConversationChangeNotification", 0, &state)
}

pub(super) fn conversation_id(id: &str) -> ConversationId {
    ConversationId::new(id).unwrap()
}
