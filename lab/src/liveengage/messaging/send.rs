//! SEND: all actions of a consumer in an open conversation.

use http::StatusCode;
use serde_json::{Value, json};

use super::error::{RequestError, refuse};
use super::{Envelope, client_properties, consumer_of, field, files, plain_bad_request, profile, request_type};
use crate::liveengage::backend::Backend;
use crate::liveengage::conversation::{Author, Conversation, PendingNotification, Publication};
use crate::liveengage::endpoint::{Endpoint, ServiceAnswer, ServiceCall, show_both};
use crate::liveengage::event::{Event, Role};
use crate::liveengage::fault::Service;
use crate::liveengage::tokens::ConsumerIdentity;

/// The largest JSON of a request in characters, including metadata. Counted in UTF-16 units, which is the stricter
/// reading of the documented "5000 characters". A file's preview is not counted, because it alone may have 30 KB.
const MAX_REQUEST_CHARACTERS: usize = 5000;

/// `POST /api/account/{account}/messaging/consumer/conversation/send`
pub(in crate::liveengage) const SEND: Endpoint =
    Endpoint { service: Service::Send, label, shown: show_without_signature, answer: send };

/// `SEND ContentEvent`, or the request's type if it publishes nothing.
fn label(call: &ServiceCall) -> String {
    let request = call.json();
    let event = request.as_ref().and_then(|request| request.pointer("/body/event/type")).and_then(Value::as_str);
    let kind = event.or_else(|| request.as_ref().and_then(request_type)).unwrap_or("(unreadable)");
    format!("SEND {}", kind.chars().take(64).collect::<String>())
}

/// The signature in an answer with a file's URL is a secret while the URL is valid.
fn show_without_signature(call: &ServiceCall, answer: Option<&Value>) -> Option<Value> {
    let mut answer = answer.cloned();
    if let Some(signature) = answer.as_mut().and_then(|answer| answer.pointer_mut("/body/queryParams/temp_url_sig")) {
        *signature = json!("(not shown)");
    }
    show_both(call, answer.as_ref())
}

fn send(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    let consumer = match consumer_of(backend, call) {
        Ok(consumer) => consumer,
        Err(refusal) => return refusal,
    };
    let request = call.json();
    let about = ["/body/conversationId", "/body/dialogId"]
        .into_iter()
        .find_map(|pointer| request.as_ref()?.pointer(pointer)?.as_str());
    backend.record_send(call.account_id(), &consumer.id, about, client_properties(call));

    let preview = request.as_ref().and_then(|request| request.pointer("/body/event/message/preview")?.as_str());
    let longest = MAX_REQUEST_CHARACTERS + preview.map_or(0, |preview| preview.encode_utf16().count());
    let too_long = str::from_utf8(&call.body).is_ok_and(|text| text.encode_utf16().count() > longest);
    let envelope = request.as_ref().filter(|_| !too_long).and_then(Envelope::read);
    let Some(envelope) = envelope else { return plain_bad_request(request.as_ref()) };
    carry_out(backend, call, &consumer, &envelope)
}

/// Carries out a request of a consumer, of the Send API or of the websocket.
pub(super) fn carry_out(
    backend: &Backend,
    call: &ServiceCall,
    consumer: &ConsumerIdentity,
    envelope: &Envelope,
) -> ServiceAnswer {
    match envelope.kind.as_str() {
        "ms.PublishEvent" => publish(backend, call, consumer, envelope),
        "cm.UpdateConversationField" => field::update(backend, call, consumer, envelope),
        "ms.GenerateURLForUploadFile" => files::upload_url(backend, call, consumer, envelope),
        "ms.GenerateURLForDownloadFile" => files::download_url(backend, call, consumer, envelope),
        "userprofile.SetUserProfile" if profile::is_valid(&envelope.body) => {
            let key = (call.account_id().to_owned(), consumer.id.clone());
            backend.state().profiles.insert(key, envelope.body.clone());
            ServiceAnswer::new(StatusCode::OK, envelope.ok(&json!({ "msg": "OK User Profile set successfully" })))
        }
        _ => refuse(envelope, RequestError::Malformed),
    }
}

fn publish(backend: &Backend, call: &ServiceCall, consumer: &ConsumerIdentity, envelope: &Envelope) -> ServiceAnswer {
    let event = envelope.body.get("event").and_then(|event| serde_json::from_value::<Event>(event.clone()).ok());
    // Only agents have structured content and an audience other than all. A connector that sends them is wrong.
    let event = event
        .filter(|event| !event.is_from_agents_only() && envelope.body.get("messageAudience").is_none())
        .filter(|event| files::is_as_uploaded(backend, call, consumer, event));
    let (Some(event), Some(dialog_id)) = (event, envelope.text("dialogId")) else {
        return refuse(envelope, RequestError::Malformed);
    };
    let dialog_id = dialog_id.to_owned();
    // A consumer may omit the conversation id.
    let named = envelope.text("conversationId").map(str::to_owned);
    let Some(conversation_id) = named.or_else(|| backend.conversation_of_dialog(&dialog_id)) else {
        return refuse(envelope, RequestError::Malformed);
    };
    let author = Author { id: consumer.id.clone(), role: Role::Consumer };
    let publication = Publication {
        metadata: envelope.metadata.clone(),
        client_properties: client_properties(call),
        ..Publication::by(author, dialog_id, event)
    };
    apply(Request { backend, call, consumer, envelope }, &conversation_id, |conversation, now_ms| {
        let (sequence, out) = conversation.publish(publication, now_ms)?;
        // A chat state has no number, and the answer has 0.
        Ok((json!({ "sequence": sequence.unwrap_or(0) }), out))
    })
}

/// A request of a consumer.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) backend: &'a Backend,
    pub(super) call: &'a ServiceCall,
    pub(super) consumer: &'a ConsumerIdentity,
    pub(super) envelope: &'a Envelope,
}

/// Changes a conversation of this account and consumer.
pub(super) fn apply(
    request: Request<'_>,
    conversation_id: &str,
    change: impl FnOnce(&mut Conversation, i64) -> Result<(Value, Vec<PendingNotification>), RequestError>,
) -> ServiceAnswer {
    let Request { backend, call, consumer, envelope } = request;
    let changed = backend.change(conversation_id, |conversation, now_ms| {
        if conversation.opening.account_id != call.account_id() {
            return Err(RequestError::Malformed);
        }
        if conversation.opening.consumer_id != consumer.id {
            return Err(RequestError::NotYours);
        }
        change(conversation, now_ms)
    });
    match changed.unwrap_or(Err(RequestError::Malformed)) {
        Ok(changed) => {
            let mut answer = ServiceAnswer::new(StatusCode::OK, envelope.ok(&changed.result));
            answer.first_attempts = changed.first_attempts;
            answer
        }
        Err(no) => refuse(envelope, no),
    }
}
