//! Connects a service to the HTTP server: counts calls, applies scripted answers, and records calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::backend::Backend;
use super::fault::Service;
use super::served_at::ServedAt;
use super::webhooks::FirstAttempt;

/// The longest time for which an answer waits for webhooks that must overtake it.
const MAX_ANSWER_DELAY: Duration = Duration::from_secs(5);

/// A call to a service.
#[derive(Debug)]
pub(super) struct ServiceCall {
    /// The simulator's address that was called.
    pub(super) served_at: ServedAt,
    pub(super) path: HashMap<String, String>,
    pub(super) query: HashMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl ServiceCall {
    /// The account id in the path.
    pub(super) fn account_id(&self) -> &str {
        self.path.get("account").map_or("", String::as_str)
    }

    pub(super) fn has_query(&self, name: &str, value: &str) -> bool {
        self.query.get(name).is_some_and(|given| given == value)
    }

    /// A header as text; `None` if it is missing or empty.
    pub(super) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
    }

    /// The raw AppJWT.
    pub(super) fn authorization(&self) -> Option<&str> {
        self.header(AUTHORIZATION)
    }

    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// The answer of a service.
#[derive(Debug)]
pub(super) struct ServiceAnswer {
    pub(super) status: StatusCode,
    pub(super) body: AnswerBody,
    /// The headers other than `Content-Type`.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) first_attempts: Vec<FirstAttempt>,
}

#[derive(Debug)]
pub(super) enum AnswerBody {
    /// LivePerson documents no body here, and a client should not read one.
    Empty,
    Json(Value),
    /// A stored file.
    File {
        content_type: String,
        bytes: Bytes,
    },
}

impl AnswerBody {
    /// Changes a JSON body, and no other.
    fn map(self, change: impl FnOnce(Value) -> Value) -> Self {
        match self {
            Self::Json(value) => Self::Json(change(value)),
            Self::Empty | Self::File { .. } => self,
        }
    }

    fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Empty | Self::File { .. } => None,
        }
    }
}

impl ServiceAnswer {
    pub(super) fn new(status: StatusCode, body: Value) -> Self {
        Self::with(status, AnswerBody::Json(body))
    }

    pub(super) fn empty(status: StatusCode) -> Self {
        Self::with(status, AnswerBody::Empty)
    }

    pub(super) fn file(content_type: String, bytes: Bytes) -> Self {
        Self::with(StatusCode::OK, AnswerBody::File { content_type, bytes })
    }

    fn with(status: StatusCode, body: AnswerBody) -> Self {
        Self { status, body, headers: Vec::new(), first_attempts: Vec::new() }
    }
}

/// An endpoint of a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) service: Service,
    /// The label of a call in the journal.
    pub(super) label: fn(&ServiceCall) -> String,
    /// The content of the call and its answer for the journal: never a token, a secret or an `Authorization` header.
    pub(super) shown: fn(&ServiceCall, Option<&Value>) -> Option<Value>,
    pub(super) answer: fn(&Backend, &ServiceCall) -> ServiceAnswer,
}

/// Shows the complete request and answer bodies.
pub(super) fn show_both(call: &ServiceCall, answer: Option<&Value>) -> Option<Value> {
    let members = [("request", call.json()), ("answer", answer.cloned())];
    Some(members.map(|(name, body)| (name.to_owned(), body.unwrap_or_default())).into_iter().collect())
}

pub(super) fn serve(method: MethodFilter, endpoint: Endpoint) -> MethodRouter<Arc<Backend>> {
    on(
        method,
        async move |State(backend): State<Arc<Backend>>,
                    Extension(served_at): Extension<ServedAt>,
                    Path(path): Path<HashMap<String, String>>,
                    Query(query): Query<HashMap<String, String>>,
                    headers: HeaderMap,
                    body: Bytes| {
            respond(&backend, endpoint, &ServiceCall { served_at, path, query, headers, body }).await
        },
    )
}

async fn respond(backend: &Backend, endpoint: Endpoint, call: &ServiceCall) -> Response {
    backend.calls.lock().add(endpoint.service);
    let scripted = backend.faults.lock().take(endpoint.service);
    if let Some(scripted) = scripted {
        record(backend, endpoint, call, &format!("{} (scripted)", scripted.status.as_u16()), None);
        let content_type =
            if serde_json::from_str::<Value>(&scripted.body).is_ok() { "application/json" } else { "text/plain" };
        return (scripted.status, [(CONTENT_TYPE, content_type)], scripted.body).into_response();
    }
    let mut answer = (endpoint.answer)(backend, call);
    answer.body = answer.body.map(|body| backend.webhooks.forms().answer(endpoint.service, body));
    if backend.webhooks_before_response {
        // A webhook behind a failing one may not be sent for a long time, so the answer waits for a limited time.
        let tries = futures::future::join_all(answer.first_attempts);
        let _ = tokio::time::timeout(MAX_ANSWER_DELAY, tries).await;
    }
    record(backend, endpoint, call, answer.status.as_str(), answer.body.json());
    let ServiceAnswer { status, headers, body, .. } = answer;
    let headers: HeaderMap = headers.into_iter().collect();
    match body {
        AnswerBody::Json(body) => {
            (status, headers, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
        }
        AnswerBody::File { content_type, bytes } => {
            (status, headers, [(CONTENT_TYPE, content_type)], bytes).into_response()
        }
        AnswerBody::Empty => (status, headers).into_response(),
    }
}

fn record(backend: &Backend, endpoint: Endpoint, call: &ServiceCall, outcome: &str, answer: Option<&Value>) {
    let what = format!("{} -> {outcome}", (endpoint.label)(call));
    backend.journal.record("to-liveengage", "liveengage", what, (endpoint.shown)(call, answer));
}
