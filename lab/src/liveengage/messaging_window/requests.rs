//! The requests of a consumer, and the answers in the websocket's form.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::sockets::{Command, ConversationSubscription, Socket};
use crate::liveengage::backend::{Backend, now_ms};
use crate::liveengage::conversation::Conversation;
use crate::liveengage::endpoint::{AnswerBody, ServiceCall};
use crate::liveengage::messaging::{Envelope, request_id, request_type, websocket_request};
use crate::liveengage::tokens::ConsumerIdentity;

/// Answers a text frame. A frame that is no request is not answered.
pub(super) fn answer(backend: &Backend, call: &ServiceCall, socket: &Arc<Socket>, text: &str) {
    let Ok(frame) = serde_json::from_str::<Value>(text) else {
        return record(backend, "unreadable", None, None, None);
    };
    let older_names = frame.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with(".ams."));
    let Some(mut request) = Envelope::read(&frame) else {
        let refused = json!({
            "kind": "resp", "reqId": request_id(&frame), "code": 400,
            "body": { "msg": "Bad Request" }, "type": ".ReqBody$ErrorResp",
        });
        let kind = request_type(&frame).unwrap_or("(unreadable)").to_owned();
        record(backend, &kind, Some(400), Some(&frame), Some(&refused));
        return socket.command(Command::Send(refused));
    };
    match request.kind.as_str() {
        "GetClock" | "KeepAlive" => {
            let body = json!({ "currentTime": now_ms() });
            respond(backend, socket, &frame, &request, Ok((body, None)));
        }
        "cqm.SubscribeExConversations" | "aam.SubscribeExConversations" => {
            subscribe_conversations(backend, socket, &frame, &request, older_names);
        }
        "cqm.UnsubscribeExConversations" | "aam.UnsubscribeExConversations" => {
            let id = request.text("subscriptionId").unwrap_or_default();
            socket.subscriptions.lock().conversations.retain(|subscription| subscription.id != id);
            respond(backend, socket, &frame, &request, Ok((json!({}), Some("GenericSubscribeResponse"))));
        }
        "ms.SubscribeMessagingEvents" => subscribe_events(backend, socket, &frame, &request, older_names),
        kind => {
            if kind == "cm.ConsumerRequestConversation"
                && let Some(body) = request.body.as_object_mut()
            {
                body.entry("brandId").or_insert_with(|| json!(call.account_id()));
            }
            let consumer = ConsumerIdentity { external_id: None, id: socket.participant_id.clone() };
            let answer = websocket_request(backend, call, &consumer, &request);
            let body = match answer.body {
                AnswerBody::Json(body) => body,
                AnswerBody::Empty | AnswerBody::File { .. } => Value::Null,
            };
            let answered = in_websocket_form(&request.kind, answer.status.as_u16(), body);
            respond(backend, socket, &frame, &request, answered);
        }
    }
}

/// The body and type of an answer, or the error's code, body and type.
pub(super) type Answered = Result<(Value, Option<&'static str>), (u16, Value)>;

/// Converts an answer of the Send API. Bodies with only a message are a string on the websocket.
fn in_websocket_form(kind: &str, status: u16, mut answer: Value) -> Answered {
    let mut body = answer.get_mut("body").map(Value::take).unwrap_or_default();
    if !(200..300).contains(&status) {
        return Err((status, body));
    }
    let name = match kind {
        "cm.ConsumerRequestConversation" => "cm.RequestConversationResponse",
        "ms.PublishEvent" => "ms.PublishEventResponse",
        "ms.GenerateURLForUploadFile" | "ms.GenerateURLForDownloadFile" => "ms.BaseGenerateURLResponse",
        _ => "StringResponse",
    };
    if name == "StringResponse"
        && let Some(message) = body.get_mut("msg").map(Value::take)
    {
        body = message;
    }
    Ok((body, Some(name)))
}

pub(super) fn respond(backend: &Backend, socket: &Socket, frame: &Value, request: &Envelope, answered: Answered) {
    let older_names = frame.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with(".ams."));
    let (code, mut response) = match answered {
        Ok((body, name)) => {
            let mut response = json!({ "kind": "resp", "reqId": request.id, "code": 200, "body": body });
            if let (Some(name), Some(response)) = (name, response.as_object_mut()) {
                let name = if older_names { older(name) } else { name };
                response.insert("type".to_owned(), json!(name));
            }
            (200, response)
        }
        Err((code, body)) => {
            let kind = ".ReqBody$ErrorResp";
            (code, json!({ "kind": "resp", "reqId": request.id, "code": code, "body": body, "type": kind }))
        }
    };
    socket.command(Command::Send(response.clone()));
    // The signature of a file's URL is a secret while the URL is valid.
    if let Some(signature) = response.pointer_mut("/body/queryParams/temp_url_sig") {
        *signature = json!("(not shown)");
    }
    record(backend, &request.kind, Some(code), Some(frame), Some(&response));
}

/// The older name of an answer's type.
fn older(name: &'static str) -> &'static str {
    match name {
        "cm.RequestConversationResponse" => ".ams.cm.types.RequestConversation$Response",
        "ms.PublishEventResponse" => ".ams.ms.PublishEvent$Response",
        "cqm.SubscribeExConversationsResponse" => ".ams.aam.SubscribeExConversations$Response",
        "GenericSubscribeResponse" => ".ams.GenericSubscribe$Response",
        "ms.BaseGenerateURLResponse" => ".ams.ms.BaseGenerateURL$Response",
        name => name,
    }
}

pub(super) fn record(
    backend: &Backend,
    kind: &str,
    code: Option<u16>,
    request: Option<&Value>,
    answer: Option<&Value>,
) {
    let outcome = code.map_or_else(|| "(no answer)".to_owned(), |code| code.to_string());
    let kind: String = kind.chars().take(64).collect();
    let detail = request.map(|request| json!({ "request": request, "answer": answer }));
    backend.journal.record("websocket", "liveengage", format!("{kind} -> {outcome}"), detail);
}

pub(super) fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(word)) => vec![word.clone()],
        _ => Vec::new(),
    }
}

/// Answers, and tells the current state of the conversations that the subscription includes.
fn subscribe_conversations(backend: &Backend, socket: &Socket, frame: &Value, request: &Envelope, older_names: bool) {
    let subscription = ConversationSubscription {
        id: Uuid::new_v4().to_string(),
        states: words(request.body.get("convState")),
        stages: words(request.body.get("stage")),
        agents: Vec::new(),
        told: HashSet::new(),
    };
    let updated_since = request.body.get("minLastUpdatedTime").and_then(Value::as_i64).unwrap_or(0);
    let body = json!({ "subscriptionId": subscription.id });
    // Under the lock of the state, so that no change is missed or told twice.
    let state = backend.state();
    respond(backend, socket, frame, request, Ok((body, Some("cqm.SubscribeExConversationsResponse"))));
    {
        let mut subscriptions = socket.subscriptions.lock();
        // Only the new subscription is told the current states.
        let earlier = std::mem::replace(&mut subscriptions.conversations, vec![subscription]);
        subscriptions.older_names = older_names;
        drop(subscriptions);
        let mut own: Vec<&Conversation> = state
            .conversations
            .values()
            .filter(|conversation| conversation.opening.account_id == socket.account_id)
            .filter(|conversation| conversation.opening.consumer_id == socket.participant_id)
            .filter(|conversation| conversation.updated_ms >= updated_since)
            .collect();
        own.sort_by_key(|conversation| conversation.number);
        for conversation in own {
            socket.tell(backend.webhooks.forms(), conversation, &conversation.changed().change);
        }
        socket.subscriptions.lock().conversations.extend(earlier);
    }
}

/// Answers, and tells the events of the dialog from `fromSeq` on.
fn subscribe_events(backend: &Backend, socket: &Socket, frame: &Value, request: &Envelope, older_names: bool) {
    let from = request.body.get("fromSeq").and_then(Value::as_u64).unwrap_or(0);
    let dialog_id = request.text("dialogId").unwrap_or_default();
    // Under the lock of the state, so that no event is missed or told twice.
    let state = backend.state();
    let conversation = state.conversations.values().find(|conversation| {
        conversation.opening.account_id == socket.account_id
            && conversation.opening.consumer_id == socket.participant_id
            && conversation.dialog(dialog_id).is_some()
    });
    let Some(conversation) = conversation else {
        return respond(backend, socket, frame, request, Err((400, json!({ "msg": "Bad Request" }))));
    };
    respond(backend, socket, frame, request, Ok((json!({}), Some("GenericSubscribeResponse"))));
    let mut subscriptions = socket.subscriptions.lock();
    subscriptions.older_names = older_names;
    subscriptions.dialogs.insert(dialog_id.to_owned());
    drop(subscriptions);
    for event in &conversation.events {
        if event.position().is_some_and(|(dialog, sequence)| dialog == dialog_id && sequence >= from)
            && event.visible_in().is_some()
        {
            socket.notify(backend.webhooks.forms(), event, "", older_names);
        }
    }
}
