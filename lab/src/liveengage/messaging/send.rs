//! SEND: everything a consumer does in an open conversation.

use http::StatusCode;
use serde_json::{Value, json};

use super::refusal::{No, refuse};
use super::{Envelope, client_properties, consumer_of, field, files, plain_bad_request, profile, request_type};
use crate::liveengage::conversation::{Author, Conversation, Outgoing, Publication};
use crate::liveengage::endpoint::{Answer, Call, Endpoint, show_both};
use crate::liveengage::event::{Event, Role};
use crate::liveengage::fault::Service;
use crate::liveengage::tokens::ConsumerIdentity;
use crate::liveengage::world::World;

/// The most characters that the JSON of a request may have, metadata included. Counted in UTF-16 units: the stricter
/// reading of the documented "5000 characters". A file's preview is not counted: it may have 30 KB by itself.
const LONGEST_REQUEST: usize = 5000;

/// `POST /api/account/{account}/messaging/consumer/conversation/send`
pub(in crate::liveengage) const SEND: Endpoint =
    Endpoint { service: Service::Send, label, shown: show_without_signature, answer: send };

/// `SEND ContentEvent`, or the request's type where it publishes nothing.
fn label(call: &Call) -> String {
    let request = call.json();
    let event = request.as_ref().and_then(|request| request.pointer("/body/event/type")).and_then(Value::as_str);
    let kind = event.or_else(|| request.as_ref().and_then(request_type)).unwrap_or("(unreadable)");
    format!("SEND {}", kind.chars().take(64).collect::<String>())
}

/// The signature in the answer to a request for a file's URL is a secret for its minute.
fn show_without_signature(call: &Call, answer: Option<&Value>) -> Option<Value> {
    let mut answer = answer.cloned();
    if let Some(signature) = answer.as_mut().and_then(|answer| answer.pointer_mut("/body/queryParams/temp_url_sig")) {
        *signature = json!("(not shown)");
    }
    show_both(call, answer.as_ref())
}

fn send(world: &World, call: &Call) -> Answer {
    let consumer = match consumer_of(world, call) {
        Ok(consumer) => consumer,
        Err(refusal) => return refusal,
    };
    let request = call.json();
    let about = ["/body/conversationId", "/body/dialogId"]
        .into_iter()
        .find_map(|pointer| request.as_ref()?.pointer(pointer)?.as_str());
    world.note_send(call.account_id(), &consumer.id, about, client_properties(call));

    let preview = request.as_ref().and_then(|request| request.pointer("/body/event/message/preview")?.as_str());
    let longest = LONGEST_REQUEST + preview.map_or(0, |preview| preview.encode_utf16().count());
    let too_long = str::from_utf8(&call.body).is_ok_and(|text| text.encode_utf16().count() > longest);
    let envelope = request.as_ref().filter(|_| !too_long).and_then(Envelope::read);
    let Some(envelope) = envelope else { return plain_bad_request(request.as_ref()) };
    match envelope.kind.as_str() {
        "ms.PublishEvent" => publish(world, call, &consumer, &envelope),
        "cm.UpdateConversationField" => field::update(world, call, &consumer, &envelope),
        "ms.GenerateURLForUploadFile" => files::upload_url(world, call, &consumer, &envelope),
        "ms.GenerateURLForDownloadFile" => files::download_url(world, call, &consumer, &envelope),
        "userprofile.SetUserProfile" if profile::is_sound(&envelope.body) => {
            let key = (call.account_id().to_owned(), consumer.id);
            world.state().profiles.insert(key, envelope.body.clone());
            Answer::new(StatusCode::OK, envelope.ok(&json!({ "msg": "OK User Profile set successfully" })))
        }
        _ => refuse(&envelope, No::Malformed),
    }
}

fn publish(world: &World, call: &Call, consumer: &ConsumerIdentity, envelope: &Envelope) -> Answer {
    let event = envelope.body.get("event").and_then(|event| serde_json::from_value::<Event>(event.clone()).ok());
    // Structured content, and an audience other than everyone, are what agents have; a connector that sends them is wrong.
    let event = event
        .filter(|event| !event.is_from_agents_only() && envelope.body.get("messageAudience").is_none())
        .filter(|event| files::is_as_uploaded(world, call, consumer, event));
    let (Some(event), Some(dialog_id)) = (event, envelope.text("dialogId")) else {
        return refuse(envelope, No::Malformed);
    };
    let dialog_id = dialog_id.to_owned();
    // A consumer may leave the conversation id out.
    let named = envelope.text("conversationId").map(str::to_owned);
    let Some(conversation_id) = named.or_else(|| world.conversation_of_dialog(&dialog_id)) else {
        return refuse(envelope, No::Malformed);
    };
    let author = Author { id: consumer.id.clone(), role: Role::Consumer };
    let publication = Publication {
        metadata: envelope.metadata.clone(),
        client_properties: client_properties(call),
        ..Publication::by(author, dialog_id, event)
    };
    apply(world, call, consumer, envelope, &conversation_id, |conversation, now_ms| {
        let (sequence, out) = conversation.publish(publication, now_ms)?;
        // A chat state takes no number, and the answer says 0.
        Ok((json!({ "sequence": sequence.unwrap_or(0) }), out))
    })
}

/// Changes a conversation of this account and this consumer.
pub(super) fn apply(
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
