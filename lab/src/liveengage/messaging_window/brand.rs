//! The brand's side: the websocket of an agent who has logged in, in the form that LivePerson's `node-agent-sdk` speaks (version 2.1).
//!
//! An agent sees the same conversations as the desk. The account's waiting conversations ring at every agent who is online; the one who
//! accepts is the assigned agent.

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::brand_form;
use super::requests::{Answered, record, respond, words};
use super::sockets::{Command, ConversationSubscription, Side, Socket};
use crate::liveengage::backend::{Backend, State, now_ms};
use crate::liveengage::conversation::{
    Author, Closer, Conversation, ConversationError, PendingNotification, Publication,
};
use crate::liveengage::event::{Audience, Event, Role};
use crate::liveengage::messaging::Envelope;
use crate::liveengage::notification::Change;

/// Answers a text frame of an agent.
pub(super) fn answer(backend: &Backend, socket: &Socket, text: &str) {
    let Ok(mut frame) = serde_json::from_str::<Value>(text) else {
        return record(backend, "unreadable", None, None, None);
    };
    // The body of this request is only the consumer's id.
    if let Some(Value::String(id)) = frame.get("body").cloned()
        && let Some(body) = frame.get_mut("body")
    {
        *body = json!({ "userId": id });
    }
    let Some(request) = Envelope::read(&frame) else {
        return record(backend, "unreadable", None, Some(&frame), None);
    };
    match request.kind.as_str() {
        "aam.SubscribeExConversations" => return subscribe_conversations(backend, socket, &frame, &request),
        "routing.SubscribeRoutingTasks" | "routing.SetAgentState" => {
            return routing(backend, socket, &frame, &request);
        }
        _ => {}
    }
    let answered = match request.kind.as_str() {
        "GetClock" => Ok((json!({ "currentTime": now_ms() }), None)),
        "aam.UnsubscribeExConversations" => {
            let id = request.text("subscriptionId").unwrap_or_default();
            socket.subscriptions.lock().conversations.retain(|subscription| subscription.id != id);
            Ok((json!({}), Some(".ams.GenericSubscribe$Response")))
        }
        "routing.UpdateRingState" => ring(backend, socket, &request),
        "userprofile.GetUserProfile" => Ok((profile(backend, socket, &request), Some(PROFILE))),
        "ms.QueryMessages" => query(backend, socket, &request),
        "ms.PublishEvent" => publish(backend, socket, &request),
        "cm.UpdateConversationField" => update(backend, socket, &request),
        _ => Err(bad_request("Bad Request")),
    };
    respond(backend, socket, &frame, &request, answered);
}

const PROFILE: &str = ".ams.userprofile.GetUserProfile$Response";

fn bad_request(message: &str) -> (u16, Value) {
    (400, json!({ "msg": message }))
}

/// Tells a change to an agent. Called under the lock of the state.
pub(super) fn tell(socket: &Socket, conversation: &Conversation, change: &Change) {
    let mut subscriptions = socket.subscriptions.lock();
    match change {
        Change::Message(_) => {
            if subscriptions.conversations.iter().any(|subscription| subscription.told.contains(&conversation.id)) {
                let body = brand_form::event(socket, change);
                socket.command(Command::Send(json!({
                    "kind": "notification", "type": ".ams.ms.OnlineEventDistribution", "body": body,
                })));
            }
        }
        Change::Conversation(upsert) => {
            for subscription in &mut subscriptions.conversations {
                if let Some(kind) = subscription.change_type(conversation) {
                    let notification = brand_form::conversation(socket, upsert, kind, &subscription.id);
                    socket.command(Command::Send(notification));
                }
            }
            drop(subscriptions);
            ring_for(socket, conversation);
        }
    }
}

fn is_waiting(conversation: &Conversation) -> bool {
    conversation.main_ended().is_none() && conversation.assigned_agent().is_none()
}

/// Begins or ends the ring for a conversation, if the agent has subscribed to routing tasks.
fn ring_for(socket: &Socket, conversation: &Conversation) {
    let mut subscriptions = socket.subscriptions.lock();
    let online = subscriptions.online;
    let Some(rings) = &mut subscriptions.routing else { return };
    let kind = if is_waiting(conversation) && online {
        if !rings.insert(conversation.id.clone()) {
            return;
        }
        "UPSERT"
    } else if rings.remove(&conversation.id) {
        "DELETE"
    } else {
        return;
    };
    let ring = json!({ "ringId": ring_id(socket, &conversation.id), "ringState": "WAITING" });
    let result = json!({
        "conversationId": conversation.id, "skillId": conversation.skill_id, "ringsDetails": [ring],
    });
    socket.command(Command::Send(json!({
        "kind": "notification", "type": ".ams.routing.RoutingTaskNotification",
        "body": { "changes": [{ "type": kind, "result": result }] },
    })));
}

fn ring_id(socket: &Socket, conversation_id: &str) -> String {
    let name = format!("{conversation_id} {}", socket.participant_id);
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string()
}

/// Sets the agent's availability or subscribes to routing tasks. Both may make waiting conversations ring.
fn routing(backend: &Backend, socket: &Socket, frame: &Value, request: &Envelope) {
    let state = backend.state();
    {
        let mut subscriptions = socket.subscriptions.lock();
        match request.text("availability") {
            Some(availability) => subscriptions.online = availability == "ONLINE",
            None if request.kind == "routing.SubscribeRoutingTasks" => {
                subscriptions.routing.get_or_insert_with(HashSet::new);
            }
            None => {
                drop(subscriptions);
                return respond(backend, socket, frame, request, Err(bad_request("Bad Request")));
            }
        }
    }
    let body = json!({ "subscriptionId": ring_id(socket, "routing tasks") });
    respond(backend, socket, frame, request, Ok((body, Some(".ams.GenericSubscribe$Response"))));
    for conversation in of_account(&state, socket) {
        ring_for(socket, conversation);
    }
}

fn of_account<'a>(state: &'a State, socket: &Socket) -> Vec<&'a Conversation> {
    let mut found: Vec<&Conversation> = state
        .conversations
        .values()
        .filter(|conversation| conversation.opening.account_id == socket.account_id)
        .collect();
    found.sort_by_key(|conversation| conversation.number);
    found
}

/// Accepts or rejects a ring. The first agent who accepts gets the conversation.
fn ring(backend: &Backend, socket: &Socket, request: &Envelope) -> Answered {
    let ring = request.text("ringId").unwrap_or_default();
    let ringing = of_account(&backend.state(), socket)
        .into_iter()
        .find(|conversation| is_waiting(conversation) && ring_id(socket, &conversation.id) == ring)
        .map(|conversation| conversation.id.clone());
    let Some(conversation_id) = ringing else { return Err(bad_request("Ring is not waiting")) };
    match request.text("ringState") {
        Some("ACCEPTED") => change(backend, socket, &conversation_id, |conversation, now_ms| {
            let joined = conversation.join_as(socket.participant_id.clone(), now_ms)?;
            Ok((json!("OK Ring state updated successfully"), joined.into_iter().collect()))
        })
        .map(|body| (body, Some(STRING))),
        Some("REJECTED") => Ok((json!("OK Ring state updated successfully"), Some(STRING))),
        _ => Err(bad_request("Bad Request")),
    }
}

const STRING: &str = ".ams.StringResponse";

fn subscribe_conversations(backend: &Backend, socket: &Socket, frame: &Value, request: &Envelope) {
    let own_id = |id: String| match &socket.side {
        Side::Agent { old_id } if *old_id == id => socket.participant_id.clone(),
        _ => id,
    };
    let subscription = ConversationSubscription {
        id: Uuid::new_v4().to_string(),
        states: words(request.body.get("convState")),
        stages: words(request.body.get("stage")),
        agents: words(request.body.get("agentIds")).into_iter().map(own_id).collect(),
        told: HashSet::new(),
    };
    let body = json!({ "subscriptionId": subscription.id });
    let state = backend.state();
    respond(backend, socket, frame, request, Ok((body, Some(".ams.aam.SubscribeExConversations$Response"))));
    let earlier = std::mem::replace(&mut socket.subscriptions.lock().conversations, vec![subscription]);
    for conversation in of_account(&state, socket) {
        tell(socket, conversation, &conversation.changed().change);
    }
    socket.subscriptions.lock().conversations.extend(earlier);
}

fn profile(backend: &Backend, socket: &Socket, request: &Envelope) -> Value {
    let consumer = request.text("userId").unwrap_or_default().to_owned();
    backend.state().profiles.get(&(socket.account_id.clone(), consumer)).cloned().unwrap_or_else(|| json!({}))
}

/// The events of a dialog, from a number on: an array.
fn query(backend: &Backend, socket: &Socket, request: &Envelope) -> Answered {
    let from = ["newerThanSequence", "fromSeq"].iter().find_map(|name| request.body.get(name)?.as_u64()).unwrap_or(0);
    let dialog_id = request.text("dialogId").or(request.text("conversationId")).unwrap_or_default();
    let state = backend.state();
    let conversation =
        of_account(&state, socket).into_iter().find(|conversation| conversation.dialog(dialog_id).is_some());
    let events = conversation.ok_or_else(|| bad_request("Bad Request"))?.events.iter();
    let wanted = events
        .filter(|event| event.position().is_some_and(|(dialog, sequence)| dialog == dialog_id && sequence >= from));
    Ok((wanted.map(|event| brand_form::event(socket, event)).collect(), Some(".ams.ms.QueryMessages$Response")))
}

fn publish(backend: &Backend, socket: &Socket, request: &Envelope) -> Answered {
    let event = request.body.get("event").and_then(|event| serde_json::from_value::<Event>(event.clone()).ok());
    let (Some(event), Some(dialog_id)) = (event, request.text("dialogId").map(str::to_owned)) else {
        return Err(bad_request("Bad Request"));
    };
    let named = request.text("conversationId").map(str::to_owned);
    let conversation_id =
        named.or_else(|| backend.conversation_of_dialog(&dialog_id)).ok_or_else(|| bad_request("Bad Request"))?;
    let audience = match request.text("messageAudience") {
        Some("AGENTS_AND_MANAGERS") => Audience::AgentsAndManagers,
        _ => Audience::All,
    };
    let author = Author { id: socket.participant_id.clone(), role: Role::AssignedAgent };
    let publication =
        Publication { audience, metadata: request.metadata.clone(), ..Publication::by(author, dialog_id, event) };
    change(backend, socket, &conversation_id, |conversation, now_ms| {
        let (sequence, out) = conversation.publish(publication, now_ms)?;
        Ok((json!({ "sequence": sequence.unwrap_or(0) }), out))
    })
    .map(|body| (body, Some("ms.PublishEventResponse")))
}

/// Closes the conversation or a dialog, or returns it to the queue. One field or several.
fn update(backend: &Backend, socket: &Socket, request: &Envelope) -> Answered {
    let fields = match request.body.get("conversationField") {
        Some(Value::Array(fields)) => fields.clone(),
        Some(field) => vec![field.clone()],
        None => return Err(bad_request("Bad Request")),
    };
    let conversation_id = request.text("conversationId").unwrap_or_default();
    change(backend, socket, conversation_id, |conversation, now_ms| {
        let mut outgoing = Vec::new();
        for field in &fields {
            outgoing.extend(update_field(conversation, field, now_ms)?);
        }
        Ok((json!("OK Conversation resolved successfully"), outgoing))
    })
    .map(|body| (body, Some(STRING)))
}

fn update_field(
    conversation: &mut Conversation,
    field: &Value,
    now_ms: i64,
) -> Result<Vec<PendingNotification>, ConversationError> {
    let text = |pointer: &str| field.pointer(pointer).and_then(Value::as_str);
    let closes = |pointer| text(pointer) == Some("CLOSE");
    Ok(match text("/field").unwrap_or_default() {
        "ConversationStateField" | "Stage" if closes("/conversationState") => {
            vec![conversation.close_all(Closer::Agent, None, now_ms)?]
        }
        "DialogChange" if closes("/dialog/state") => {
            let cause = text("/dialog/closedCause").map(str::to_owned);
            conversation.close_dialog(text("/dialog/dialogId").unwrap_or_default(), Closer::Agent, cause, now_ms)?
        }
        "Skill" => vec![conversation.back_to_queue(text("/skill"), now_ms)?],
        "ParticipantsChange" if text("/type") == Some("REMOVE") => vec![conversation.back_to_queue(None, now_ms)?],
        _ => return Err(ConversationError::Impossible),
    })
}

/// Changes a conversation of the account. Only the assigned agent may, except for accepting it.
fn change(
    backend: &Backend,
    socket: &Socket,
    conversation_id: &str,
    act: impl FnOnce(&mut Conversation, i64) -> Result<(Value, Vec<PendingNotification>), ConversationError>,
) -> Result<Value, (u16, Value)> {
    let refused = |error: ConversationError| match error {
        ConversationError::Closed => bad_request("Bad Request, Conversation is close"),
        ConversationError::UnknownDialog | ConversationError::StillOpen | ConversationError::Impossible => {
            bad_request("Bad Request")
        }
    };
    let changed = backend.change(conversation_id, |conversation, now_ms| {
        let is_another_agents = conversation.assigned_agent().is_some_and(|agent| agent.id != socket.participant_id);
        if conversation.opening.account_id != socket.account_id {
            return Err(bad_request("Bad Request"));
        }
        if is_another_agents {
            return Err((401, json!({ "msg": "Another agent has the conversation" })));
        }
        act(conversation, now_ms).map_err(refused)
    });
    changed.unwrap_or_else(|| Err(bad_request("Bad Request"))).map(|changed| changed.result)
}
