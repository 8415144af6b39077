//! The gateway's API: texts from the connector to a phone (`POST /v1/messages`), and the consumers' files.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use connector::port::Clock;
use connector_aws::SystemClock;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{GatewayAccount, MAX_TEXT_CHARS, media, segments};
use crate::phone::{Direction, MessageContent, MessageState, PhoneMessage, is_e164};

/// The largest request body in bytes: the longest text with every character escaped, and space for the rest.
const MAX_BODY: usize = 32 * 1024;

/// A scripted answer to one `POST /v1/messages`.
#[derive(Debug)]
pub(super) struct GatewayFault {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// Whether the text arrives on the phone anyway.
    pub(super) text_arrives: bool,
}

/// A text to a phone. Unknown fields are an error, so that a misspelled `client_reference` is noticed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GatewaySendRequest {
    from: String,
    to: String,
    text: String,
    client_reference: Option<String>,
}

/// An error answer: `{"error":{"code","message"}}`.
pub(super) struct GatewayError {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
}

pub(super) fn router(account: Arc<GatewayAccount>) -> Router {
    Router::new()
        .route("/v1/messages", post(send).fallback(|| wrong_method("POST")))
        .route("/media/{id}", get(media::download).fallback(|| wrong_method("GET")))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(account)
}

async fn send(
    State(account): State<Arc<GatewayAccount>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let shown = body.as_ref().map_or(Value::Null, |bytes| {
        serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into())
    });
    let fault = account.faults.lock().pop_front();
    let (status, headers, answer) = match fault {
        Some(fault) if !fault.text_arrives => (fault.status, fault.headers, fault.body),
        fault => match (account.accept(&headers, body), fault) {
            (Ok(_), Some(fault)) => (fault.status, fault.headers, fault.body),
            (Ok(accepted), None) => (StatusCode::CREATED, json_headers(), accepted.to_string()),
            (Err(refusal), unused) => {
                // The fault waits for a request that would be accepted.
                unused.into_iter().for_each(|fault| account.faults.lock().push_front(fault));
                (refusal.status, json_headers(), refusal.body().to_string())
            }
        },
    };
    let answered = serde_json::from_str(&answer).unwrap_or_else(|_| Value::from(answer.as_str()));
    account.options.journal.record(
        "to-channel",
        "gateway",
        format!("POST /v1/messages -> {}", status.as_u16()),
        Some(json!({ "body": shown, "answer": answered })),
    );
    (status, headers, answer).into_response()
}

impl GatewayAccount {
    fn accept(&self, headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Value, GatewayError> {
        self.authorize(headers)?;
        let body = body.map_err(|error| GatewayError::new(error.status(), "unreadable_body", error.body_text()))?;
        let request: GatewaySendRequest = serde_json::from_slice(&body)
            .map_err(|error| GatewayError::new(StatusCode::BAD_REQUEST, "malformed_request", error.to_string()))?;
        if request.from.trim().is_empty() {
            return Err(GatewayError::new(StatusCode::BAD_REQUEST, "invalid_sender", "from is empty"));
        }
        if request.text.trim().is_empty() {
            return Err(GatewayError::new(StatusCode::BAD_REQUEST, "empty_text", "text is empty"));
        }
        let length = request.text.chars().count();
        if length > MAX_TEXT_CHARS {
            let message = format!("text has {length} characters; the limit is {MAX_TEXT_CHARS}");
            return Err(GatewayError::new(StatusCode::BAD_REQUEST, "text_too_long", message));
        }
        if !is_e164(&request.to) {
            let message = "to is not a phone number in E.164 form: + and 7 to 15 digits";
            return Err(GatewayError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_recipient", message));
        }
        let id = format!("mt-{}", Uuid::new_v4());
        let parts = segments::parts(&request.text);
        let what = format!("SMS to {}", request.to);
        self.options.journal.record("gateway", "phone", what, Some(request.text.as_str().into()));
        let message = PhoneMessage {
            id: id.clone(),
            direction: Direction::ToPhone,
            content: MessageContent::Text(request.text),
            at: SystemClock.now(),
            state: MessageState::Accepted,
            quotes: None,
            addressed_to: None,
            reference: request.client_reference,
        };
        self.send_to_phone(&request.to, message);
        Ok(json!({ "id": id, "parts": parts }))
    }

    /// Checks that the request has the account's bearer token.
    pub(super) fn authorize(&self, headers: &HeaderMap) -> Result<(), GatewayError> {
        let keys = self.keys.lock();
        let is_shown = |shown: &[u8]| {
            keys.api_tokens.iter().any(|token| bool::from(shown.ct_eq(token.expose_secret().as_bytes())))
        };
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        if shown.is_some_and(is_shown) {
            Ok(())
        } else {
            Err(GatewayError::new(StatusCode::UNAUTHORIZED, "unauthorized", "the bearer token is missing or wrong"))
        }
    }
}

impl GatewayError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn body(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message } })
    }
}

impl IntoResponse for GatewayError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}

fn json_headers() -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"))])
}

async fn not_found() -> GatewayError {
    let message = "the gateway has POST /v1/messages and GET /media/{id}";
    GatewayError::new(StatusCode::NOT_FOUND, "not_found", message)
}

async fn wrong_method(allowed: &'static str) -> Response {
    let message = format!("only {allowed} is allowed here");
    let refusal = GatewayError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    ([(header::ALLOW, allowed)], refusal).into_response()
}
