//! CONVERSATION: sets the user profile and opens a conversation in one batch.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Envelope, client_properties, consumer_of, error, plain_bad_request, profile::is_valid};
use crate::liveengage::backend::{AlreadyOpen, Backend, Changed};
use crate::liveengage::conversation::{Opening, TimeToRespond};
use crate::liveengage::endpoint::{Endpoint, ServiceAnswer, ServiceCall, show_both};
use crate::liveengage::fault::Service;
use crate::liveengage::tokens::ConsumerIdentity;

/// `POST /api/account/{account}/messaging/consumer/conversation`
pub(in crate::liveengage) const CONVERSATION: Endpoint = Endpoint {
    service: Service::Conversation,
    label: |_| "CONVERSATION".to_owned(),
    shown: show_both,
    answer: conversation,
};

fn conversation(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    let consumer = match consumer_of(backend, call) {
        Ok(consumer) => consumer,
        Err(refusal) => return refusal,
    };
    let Some(Value::Array(batch)) = call.json() else { return plain_bad_request(None) };
    let [profile, request] = batch.as_slice() else { return plain_bad_request(None) };
    let (Some(profile), Some(request)) = (Envelope::read(profile), Envelope::read(request)) else {
        return plain_bad_request(None);
    };
    let both_in_order =
        profile.kind == "userprofile.SetUserProfile" && request.kind == "cm.ConsumerRequestConversation";
    if !both_in_order || !is_valid(&profile.body) {
        return plain_bad_request(None);
    }
    let opened = match open(backend, call, &consumer, &request, || {
        let key = (call.account_id().to_owned(), consumer.id.clone());
        backend.state().profiles.insert(key, profile.body.clone());
    }) {
        Ok(opened) => opened,
        Err(refusal) => return refusal,
    };
    let profile_set = profile.ok(&json!({ "msg": "OK User Profile set successfully" }));
    match opened {
        Ok(opened) => {
            let conversation = request.ok(&json!({ "conversationId": opened.result }));
            let mut answer = ServiceAnswer::new(StatusCode::OK, json!([profile_set, conversation]));
            answer.first_attempts = opened.first_attempts;
            answer
        }
        Err(AlreadyOpen) => {
            let refused = request.bad_request(&already_open(&consumer));
            ServiceAnswer::new(StatusCode::BAD_REQUEST, json!([profile_set, refused]))
        }
    }
}

/// `cm.ConsumerRequestConversation` by itself, as on the websocket. The brand may be missing there.
pub(super) fn open_alone(
    backend: &Backend,
    call: &ServiceCall,
    consumer: &ConsumerIdentity,
    request: &Envelope,
) -> ServiceAnswer {
    match open(backend, call, consumer, request, || {}) {
        Ok(Ok(opened)) => {
            let answer = request.ok(&json!({ "conversationId": opened.result }));
            ServiceAnswer { first_attempts: opened.first_attempts, ..ServiceAnswer::new(StatusCode::OK, answer) }
        }
        Ok(Err(AlreadyOpen)) => {
            ServiceAnswer::new(StatusCode::BAD_REQUEST, request.bad_request(&already_open(consumer)))
        }
        Err(refusal) => refusal,
    }
}

fn already_open(consumer: &ConsumerIdentity) -> String {
    format!(
        "Consumer request conversation failed: User {} already has open conversation. Can't open another one.",
        consumer.id
    )
}

/// Opens a conversation, after `before` if the request is well-formed. Otherwise returns the refusal.
fn open(
    backend: &Backend,
    call: &ServiceCall,
    consumer: &ConsumerIdentity,
    request: &Envelope,
    before: impl FnOnce(),
) -> Result<Result<Changed<String>, AlreadyOpen>, ServiceAnswer> {
    let Some(brand_id) = request.text("brandId").filter(|id| !id.is_empty()) else {
        return Err(error(400, "Missing parameter", "Brand Id is missing", Some(40001)));
    };
    let ttr = match request.body.get("ttrDefName") {
        None | Some(Value::Null) => TimeToRespond::named(None),
        Some(Value::String(name)) => TimeToRespond::named(Some(name)),
        Some(_) => None,
    };
    let Some(ttr) = ttr.filter(|_| brand_id == call.account_id()) else { return Err(plain_bad_request(None)) };
    before();
    Ok(backend.open_conversation(Opening {
        account_id: call.account_id().to_owned(),
        consumer_id: consumer.id.clone(),
        external_id: consumer.external_id.clone(),
        skill_id: skill_id(&request.body),
        ttr,
        campaign_info: campaign_info(&request.body),
        context: context(call, &request.body),
        client_properties: client_properties(call),
        request: request.body.clone(),
        // A consumer of the Messaging Window API doesn't write through the connector.
        foreign: consumer.external_id.is_none(),
    }))
}

/// `-1` is the default skill. A number is accepted too.
fn skill_id(body: &Value) -> String {
    match body.get("skillId") {
        Some(Value::String(id)) if !id.is_empty() => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => "-1".to_owned(),
    }
}

/// Ids may be strings or numbers. They are returned as numbers if they are numeric.
fn campaign_info(body: &Value) -> Option<Value> {
    let mut info = body.get("campaignInfo")?.as_object()?.clone();
    for id in info.values_mut() {
        if let Some(number) = id.as_str().and_then(|text| text.parse::<u64>().ok()) {
            *id = number.into();
        }
    }
    Some(Value::Object(info))
}

fn context(call: &ServiceCall, body: &Value) -> Option<Value> {
    let mut context = body.get("conversationContext")?.as_object()?.clone();
    if let Some(properties) = client_properties(call) {
        context.insert("clientProperties".to_owned(), properties);
    }
    Some(Value::Object(context))
}
