//! The gateway's API: the way from the connector to a phone (`POST /v1/messages`), and the files of the consumers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use connector::port::{Clock, SystemClock};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::phone::{self, Direction, MessageState, PhoneMessage};
use super::{Account, MAX_TEXT_CHARS, lock, media, segments};

/// Largest request body in bytes: the longest text, every character escaped, and room for the rest.
const MAX_BODY: usize = 32 * 1024;

/// A scripted answer to one `POST /v1/messages`.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// Whether the text reaches the phone all the same.
    pub(super) text_arrives: bool,
}

/// A text for a phone. Unknown fields are an error, so that a misspelt `client_reference` is noticed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendRequest {
    from: String,
    to: String,
    text: String,
    client_reference: Option<String>,
}

/// An answer that is an error: `{"error":{"code","message"}}`.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    code: &'static str,
    message: String,
}

pub(super) fn router(account: Arc<Account>) -> Router {
    Router::new()
        .route("/v1/messages", post(send).fallback(|| wrong_method("POST")))
        .route("/media/{id}", get(media::download).fallback(|| wrong_method("GET")))
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(account)
}

async fn send(
    State(account): State<Arc<Account>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let shown = body.as_ref().map_or(Value::Null, |bytes| {
        serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into())
    });
    let fault = lock(&account.faults).pop_front();
    let (status, headers, answer) = match fault {
        Some(fault) if !fault.text_arrives => (fault.status, fault.headers, fault.body),
        fault => match (account.accept(&headers, body), fault) {
            (Ok(_), Some(fault)) => (fault.status, fault.headers, fault.body),
            (Ok(accepted), None) => (StatusCode::CREATED, json_headers(), accepted.to_string()),
            (Err(refusal), unused) => {
                // It waits for a request that would have been accepted.
                unused.into_iter().for_each(|fault| lock(&account.faults).push_front(fault));
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

impl Account {
    fn accept(&self, headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Value, Refusal> {
        self.authorize(headers)?;
        let body = body.map_err(|error| Refusal::new(error.status(), "unreadable_body", error.body_text()))?;
        let request: SendRequest = serde_json::from_slice(&body)
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "malformed_request", error.to_string()))?;
        if request.from.trim().is_empty() {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_sender", "from is empty"));
        }
        if request.text.trim().is_empty() {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "empty_text", "text is empty"));
        }
        let length = request.text.chars().count();
        if length > MAX_TEXT_CHARS {
            let message = format!("text has {length} characters; the limit is {MAX_TEXT_CHARS}");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "text_too_long", message));
        }
        if !phone::is_e164(&request.to) {
            let message = "to is not a phone number in E.164 form: + and 7 to 15 digits";
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_recipient", message));
        }
        let id = format!("mt-{}", Uuid::new_v4());
        let parts = segments::parts(&request.text);
        let what = format!("SMS to {}", request.to);
        self.options.journal.record("gateway", "phone", what, Some(request.text.as_str().into()));
        let message = PhoneMessage {
            id: id.clone(),
            direction: Direction::ToPhone,
            text: request.text,
            media: Vec::new(),
            at: SystemClock.now(),
            state: MessageState::Accepted,
            client_reference: request.client_reference,
        };
        self.send_to_phone(&request.to, message);
        Ok(json!({ "id": id, "parts": parts }))
    }

    /// Whether the caller shows the account's bearer token.
    pub(super) fn authorize(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let keys = lock(&self.keys);
        let is_shown = |shown: &[u8]| {
            keys.api_tokens.iter().any(|token| bool::from(shown.ct_eq(token.expose_secret().as_bytes())))
        };
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        if shown.is_some_and(is_shown) {
            Ok(())
        } else {
            Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "the bearer token is missing or wrong"))
        }
    }
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(super) fn body(&self) -> Value {
        json!({ "error": { "code": self.code, "message": self.message } })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.body())).into_response()
    }
}

fn json_headers() -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"))])
}

async fn not_found() -> Refusal {
    let message = "the gateway has POST /v1/messages and GET /media/{id}";
    Refusal::new(StatusCode::NOT_FOUND, "not_found", message)
}

async fn wrong_method(allowed: &'static str) -> Response {
    let message = format!("only {allowed} is allowed here");
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    ([(header::ALLOW, allowed)], refusal).into_response()
}
