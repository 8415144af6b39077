//! SEND: everything a consumer does in an open conversation.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Envelope, client_properties, consumer_of, error, plain_bad_request, request_type};
use crate::liveengage::conversation::{Conversation, Outgoing, Publication, Refusal};
use crate::liveengage::endpoint::{Answer, Call, Endpoint, show_both};
use crate::liveengage::event::{Audience, Event, Role};
use crate::liveengage::fault::Service;
use crate::liveengage::tokens::ConsumerIdentity;
use crate::liveengage::world::World;

/// The most characters that the JSON of a request may have, metadata included. Counted in UTF-16 units: the stricter
/// reading of the documented "5000 characters".
const LONGEST_REQUEST: usize = 5000;

/// `POST /api/account/{account}/messaging/consumer/conversation/send`
pub(in crate::liveengage) const SEND: Endpoint =
    Endpoint { service: Service::Send, label, shown: show_both, answer: send };

/// `SEND ContentEvent`, or the request's type where it publishes nothing.
fn label(call: &Call) -> String {
    let request = call.json();
    let event = request.as_ref().and_then(|request| request.pointer("/body/event/type")).and_then(Value::as_str);
    let kind = event.or_else(|| request.as_ref().and_then(request_type)).unwrap_or("(unreadable)");
    format!("SEND {}", kind.chars().take(64).collect::<String>())
}

/// Why a request about a conversation is refused.
enum No {
    Malformed,
    NotYours,
    Closed,
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownDialog => Self::Malformed,
            Refusal::Closed => Self::Closed,
        }
    }
}

fn send(world: &World, call: &Call) -> Answer {
    let consumer = match consumer_of(world, call) {
        Ok(consumer) => consumer,
        Err(refusal) => return refusal,
    };
    let request = call.json();
    let too_long = str::from_utf8(&call.body).is_ok_and(|text| text.encode_utf16().count() > LONGEST_REQUEST);
    let envelope = request.as_ref().filter(|_| !too_long).and_then(Envelope::read);
    let Some(envelope) = envelope else { return plain_bad_request(request.as_ref()) };
    match envelope.kind.as_str() {
        "ms.PublishEvent" => publish(world, call, &consumer, &envelope),
        "cm.UpdateConversationField" => close(world, call, &consumer, &envelope),
        "userprofile.SetUserProfile" => {
            let key = (call.account_id().to_owned(), consumer.id);
            world.state().profiles.insert(key, envelope.body.clone());
            Answer::new(StatusCode::OK, envelope.ok(&json!({ "msg": "OK User Profile set successfully" })))
        }
        _ => plain_bad_request(request.as_ref()),
    }
}

fn publish(world: &World, call: &Call, consumer: &ConsumerIdentity, envelope: &Envelope) -> Answer {
    let event = envelope.body.get("event").and_then(|event| serde_json::from_value::<Event>(event.clone()).ok());
    // Structured content is documented as something that agents and bots send; a connector that sends it is wrong.
    let event = event.filter(|event| !event.is_structured());
    let (Some(event), Some(dialog_id)) = (event, envelope.text("dialogId")) else {
        return refuse(envelope, No::Malformed);
    };
    let dialog_id = dialog_id.to_owned();
    // The main dialog has its conversation's id, and a consumer may leave the conversation id out.
    let conversation_id = envelope.text("conversationId").unwrap_or(&dialog_id).to_owned();
    let publication = Publication {
        dialog_id,
        role: Role::Consumer,
        event,
        audience: Audience::All,
        metadata: envelope.metadata.clone(),
        client_properties: client_properties(call),
    };
    apply(world, call, consumer, envelope, &conversation_id, |conversation, now_ms| {
        let (sequence, out) = conversation.publish(publication, now_ms)?;
        // A chat state takes no number, and the answer says 0.
        Ok((json!({ "sequence": sequence.unwrap_or(0) }), vec![out]))
    })
}

fn close(world: &World, call: &Call, consumer: &ConsumerIdentity, envelope: &Envelope) -> Answer {
    // The connector pages have one object, other pages an array with that object in it.
    let field = match envelope.body.get("conversationField") {
        Some(Value::Array(fields)) if fields.len() == 1 => fields.first(),
        field => field,
    };
    let (Some(field), Some(conversation_id)) = (field, envelope.text("conversationId")) else {
        return refuse(envelope, No::Malformed);
    };
    let text = |pointer: &str| field.pointer(pointer).and_then(Value::as_str);
    let closes_conversation = matches!(text("/field"), Some("ConversationStateField" | "Stage"))
        && text("/conversationState") == Some("CLOSE");
    let closes_dialog = text("/field") == Some("DialogChange")
        && text("/type") == Some("UPDATE")
        && text("/dialog/state") == Some("CLOSE");
    if !closes_conversation && !closes_dialog {
        return refuse(envelope, No::Malformed);
    }
    let cause = text("/dialog/closedCause").map(str::to_owned);
    let dialog_id = text("/dialog/dialogId");
    apply(world, call, consumer, envelope, conversation_id, |conversation, now_ms| {
        let knows_dialog = |id: &str| conversation.dialogs.iter().any(|dialog| dialog.id == id);
        if closes_dialog && !dialog_id.is_some_and(knows_dialog) {
            return Err(No::Malformed);
        }
        // Without a survey the main dialog is the last one, and the conversation closes with it.
        let out = conversation.close(Role::Consumer, cause, now_ms)?;
        Ok((json!({ "msg": "OK Conversation resolved successfully" }), vec![out]))
    })
}

/// Changes a conversation of this account and this consumer.
fn apply(
    world: &World,
    call: &Call,
    consumer: &ConsumerIdentity,
    envelope: &Envelope,
    conversation_id: &str,
    change: impl FnOnce(&mut Conversation, i64) -> Result<(Value, Vec<Outgoing>), No>,
) -> Answer {
    let changed = world.change(conversation_id, |conversation, now_ms| {
        if conversation.opening.account_id != call.account_id() {
            return Err(No::Malformed);
        }
        if conversation.opening.consumer_id != consumer.id {
            return Err(No::NotYours);
        }
        change(conversation, now_ms)
    });
    match changed.unwrap_or(Err(No::Malformed)) {
        Ok(changed) => {
            let mut answer = Answer::new(StatusCode::OK, envelope.ok(&changed.result));
            answer.first_tries = changed.first_tries;
            answer
        }
        Err(no) => refuse(envelope, no),
    }
}

fn refuse(envelope: &Envelope, no: No) -> Answer {
    let message = match no {
        No::Malformed => "Bad Request",
        No::Closed => "Bad Request, Conversation is close",
        // Documented as a 401 without a number of its own.
        No::NotYours => {
            return error(401, "Unauthorized", "The consumer is not a participant of the conversation", None);
        }
    };
    Answer::new(StatusCode::BAD_REQUEST, envelope.bad_request(message))
}
