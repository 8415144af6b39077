//! The Send API (service `asyncMessagingEnt`): the common parts of its two calls.

mod error;
mod field;
mod files;
mod open;
mod profile;
mod send;

use http::StatusCode;
use serde_json::{Value, json};

pub(super) use open::CONVERSATION;
pub(super) use send::SEND;

use super::backend::{Backend, now_s};
use super::endpoint::{ServiceAnswer, ServiceCall};
use super::tokens::ConsumerIdentity;

/// The header with the ConsumerJWS.
pub(super) const ON_BEHALF: &str = "x-lp-on-behalf";

/// Checks the version and both tokens, and returns the consumer of the call.
fn consumer_of(backend: &Backend, call: &ServiceCall) -> Result<ConsumerIdentity, ServiceAnswer> {
    if !call.has_query("v", "3") {
        return Err(error(400, "Missing parameter", "The API version (v=3) is missing", Some(40001)));
    }
    let Some(app_token) = call.authorization() else {
        return Err(error(401, "AppJWT is missing", "AUTHORIZATION header is not present", Some(40105)));
    };
    let app_token_is_valid = backend.accounts.get(call.account_id()).is_some_and(|account| {
        backend.tokens.app_token_is_valid(app_token, &account.account_id, &account.client_id, now_s())
    });
    if !app_token_is_valid {
        return Err(error(401, "Invalid AppJWT", "AppJWT has expired or is invalid", Some(40102)));
    }
    let Some(consumer_token) = call.header(ON_BEHALF) else {
        return Err(error(401, "ConsumerJWS is missing", "X_ON_BEHALF_HEADER is not present", Some(40104)));
    };
    backend
        .tokens
        .consumer(consumer_token, call.account_id())
        .ok_or_else(|| error(401, "Invalid ConsumerJWS", "ConsumerJWS is invalid", Some(40103)))
}

/// The error form for tokens and missing parameters: a numeric code, as on the websocket.
fn error(code: u16, title: &str, details: &str, error_code: Option<u32>) -> ServiceAnswer {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut body = json!({ "title": title, "details": details });
    if let (Some(error_code), Some(body)) = (error_code, body.as_object_mut()) {
        body.insert("errorCode".to_owned(), error_code.into());
    }
    ServiceAnswer::new(status, json!({ "kind": "resp", "code": code, "body": body, "type": ".ReqBody$ErrorResp" }))
}

/// A request that a consumer sent by its own websocket. Opening a conversation is a request like all others there.
pub(super) fn websocket_request(
    backend: &Backend,
    call: &ServiceCall,
    consumer: &ConsumerIdentity,
    request: &Envelope,
) -> ServiceAnswer {
    let about = request.text("conversationId").or_else(|| request.text("dialogId"));
    backend.record_send(call.account_id(), &consumer.id, about, client_properties(call));
    match request.kind.as_str() {
        "cm.ConsumerRequestConversation" => open::open_alone(backend, call, consumer, request),
        _ => send::carry_out(backend, call, consumer, request),
    }
}

/// A request of the Send API or a websocket.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) id: String,
    /// The type without the optional prefixes.
    pub(super) kind: String,
    pub(super) body: Value,
    /// Present only if it is a nonempty array, as documented.
    pub(super) metadata: Option<Value>,
}

impl Envelope {
    /// Reads a request; `None` if it is malformed.
    pub(super) fn read(request: &Value) -> Option<Self> {
        if request.get("kind")?.as_str()? != "req" || !request.get("body")?.is_object() {
            return None;
        }
        let metadata = match request.get("metadata") {
            None | Some(Value::Null) => None,
            Some(Value::Array(entries)) => {
                Some(entries).filter(|entries| !entries.is_empty()).cloned().map(Value::Array)
            }
            Some(_) => return None,
        };
        Some(Self {
            id: request_id(request)?,
            kind: request_type(request)?.to_owned(),
            body: request.get("body")?.clone(),
            metadata,
        })
    }

    pub(super) fn text<'a>(&'a self, member: &str) -> Option<&'a str> {
        self.body.get(member).and_then(Value::as_str)
    }

    fn ok(&self, body: &Value) -> Value {
        json!({ "code": "OK", "body": body, "reqId": self.id })
    }

    fn bad_request(&self, message: &str) -> Value {
        json!({ "code": "BAD_REQUEST", "body": { "msg": message }, "reqId": self.id })
    }
}

/// A string of 1 to 64 characters. A number is accepted and returned as a string.
pub(super) fn request_id(request: &Value) -> Option<String> {
    match request.get("id")? {
        Value::String(id) if (1..=64).contains(&id.chars().count()) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// `.ams.ms.PublishEvent` and `ms.PublishEvent` are the same type.
pub(super) fn request_type(request: &Value) -> Option<&str> {
    // Some pages have the type inside the body.
    let kind = request.get("type").or_else(|| request.pointer("/body/type"))?.as_str()?.trim_start_matches('.');
    Some(kind.strip_prefix("ams.").unwrap_or(kind))
}

/// The answer to malformed and too large requests.
fn plain_bad_request(request: Option<&Value>) -> ServiceAnswer {
    let id = request.and_then(request_id);
    ServiceAnswer::new(
        StatusCode::BAD_REQUEST,
        json!({ "code": "BAD_REQUEST", "body": { "msg": "Bad Request" }, "reqId": id }),
    )
}

/// The client properties of the call.
fn client_properties(call: &ServiceCall) -> Option<Value> {
    serde_json::from_str(call.header("client-properties")?).ok().filter(Value::is_object)
}
