//! The notifications in the form of version 2, which LivePerson's `node-agent-sdk` reads: participants by role, each with an old and a new
//! id, and events one by one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::sockets::{Side, Socket};
use crate::liveengage::notification::{Change, ConversationUpsert};

/// The old id of a participant: an agent's is the account and the user's id, and all others have only one.
fn old_id<'a>(socket: &'a Socket, id: &'a str) -> &'a str {
    match &socket.side {
        Side::Agent { old_id } if id == socket.participant_id => old_id,
        _ => id,
    }
}

/// An event: the originator has both ids.
pub(super) fn event(socket: &Socket, change: &Change) -> Value {
    let mut event = json!(change);
    if let Some(event) = event.as_object_mut()
        && let Some(id) = event.get("originatorId").and_then(Value::as_str).map(str::to_owned)
    {
        event.insert("originatorId".to_owned(), json!(old_id(socket, &id)));
        event.insert("originatorPId".to_owned(), json!(id));
    }
    event
}

/// A conversation: `participants` are old ids by role, and `participantsPId` the new ones.
pub(super) fn conversation(
    socket: &Socket,
    upsert: &ConversationUpsert,
    kind: &'static str,
    subscription_id: &str,
) -> Value {
    let (mut old, mut new): (BTreeMap<String, Vec<Value>>, BTreeMap<String, Vec<Value>>) = Default::default();
    for participant in &upsert.result.conversation_details.participants {
        let role = json!(participant.role).as_str().unwrap_or_default().to_owned();
        old.entry(role.clone()).or_default().push(json!(old_id(socket, &participant.id)));
        new.entry(role).or_default().push(json!(participant.id));
    }
    let mut result = json!(upsert.result);
    if let Some(details) = result.get_mut("conversationDetails").and_then(Value::as_object_mut) {
        details.insert("convId".to_owned(), json!(upsert.result.conv_id));
        details.insert("participants".to_owned(), json!(old));
        details.insert("participantsPId".to_owned(), json!(new));
    }
    json!({
        "kind": "notification", "type": ".ams.aam.ExConversationChangeNotification",
        "body": { "subscriptionId": subscription_id, "changes": [{ "type": kind, "result": result }] },
    })
}
