//! How a service hangs in the HTTP server: counted, scripted to fail if a drill wants it, answered, recorded.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::fault::Service;
use super::webhooks::FirstTry;
use super::world::World;
use super::{domain, idp, messaging, sentinel, swift};

/// How long an answer waits, at most, for the webhooks that are to overtake it.
const LONGEST_HEAD_START: Duration = Duration::from_secs(5);

/// A call as it came in.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) path: HashMap<String, String>,
    pub(super) query: HashMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    /// The account in the path.
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
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: AnswerBody,
    pub(super) first_tries: Vec<FirstTry>,
}

#[derive(Debug)]
pub(super) enum AnswerBody {
    /// What LivePerson says there is not documented, and nobody should read it.
    Empty,
    Json(Value),
    /// A file of the storage.
    File {
        content_type: String,
        bytes: Bytes,
    },
}

impl AnswerBody {
    /// Changes JSON, and leaves the rest alone.
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

impl Answer {
    pub(super) fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body: AnswerBody::Json(body), first_tries: Vec::new() }
    }

    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, body: AnswerBody::Empty, first_tries: Vec::new() }
    }

    pub(super) fn file(content_type: String, bytes: Bytes) -> Self {
        Self { status: StatusCode::OK, body: AnswerBody::File { content_type, bytes }, first_tries: Vec::new() }
    }
}

/// One endpoint of a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) service: Service,
    /// What the journal calls this call.
    pub(super) label: fn(&Call) -> String,
    /// What the journal may show of the call and its answer: never a token, a secret or an `Authorization` header.
    pub(super) shown: fn(&Call, Option<&Value>) -> Option<Value>,
    pub(super) answer: fn(&World, &Call) -> Answer,
}

/// Shows request and answer bodies whole.
pub(super) fn show_both(call: &Call, answer: Option<&Value>) -> Option<Value> {
    Some(json!({ "request": call.json(), "answer": answer }))
}

/// All services under one roof, as one host may be the base URI of several.
pub(super) fn router(world: Arc<World>) -> Router {
    Router::new()
        .route("/api/account/{account}/service/baseURI.json", serve(MethodFilter::GET, domain::ALL))
        .route("/api/account/{account}/service/{service}/baseURI.json", serve(MethodFilter::GET, domain::ONE))
        .route("/sentinel/api/account/{account}/app/token", serve(MethodFilter::POST, sentinel::TOKEN))
        .route("/api/account/{account}/consumer", serve(MethodFilter::POST, idp::CONSUMER))
        .route(
            "/api/account/{account}/messaging/consumer/conversation",
            serve(MethodFilter::POST, messaging::CONVERSATION),
        )
        .route(
            "/api/account/{account}/messaging/consumer/conversation/send",
            serve(MethodFilter::POST, messaging::SEND),
        )
        .route(
            swift::PATH,
            serve(MethodFilter::PUT, swift::UPLOAD)
                .merge(serve(MethodFilter::GET, swift::DOWNLOAD))
                .layer(DefaultBodyLimit::max(swift::LONGEST_BODY)),
        )
        .fallback(unknown)
        .with_state(world)
}

fn serve(method: MethodFilter, endpoint: Endpoint) -> MethodRouter<Arc<World>> {
    on(
        method,
        async move |State(world): State<Arc<World>>,
                    Path(path): Path<HashMap<String, String>>,
                    Query(query): Query<HashMap<String, String>>,
                    headers: HeaderMap,
                    body: Bytes| { respond(&world, endpoint, &Call { path, query, headers, body }).await },
    )
}

async fn respond(world: &World, endpoint: Endpoint, call: &Call) -> Response {
    world.calls.lock().unwrap_or_else(PoisonError::into_inner).add(endpoint.service);
    let scripted = world.faults.lock().unwrap_or_else(PoisonError::into_inner).take(endpoint.service);
    if let Some(scripted) = scripted {
        record(world, endpoint, call, scripted.status, None, " (scripted)");
        let content_type =
            if serde_json::from_str::<Value>(&scripted.body).is_ok() { "application/json" } else { "text/plain" };
        return (scripted.status, [(CONTENT_TYPE, content_type)], scripted.body).into_response();
    }
    let mut answer = (endpoint.answer)(world, call);
    answer.body = answer.body.map(|body| world.webhooks.forms().answer(endpoint.service, body));
    if world.webhooks_before_response {
        // A webhook behind a failing one may not be tried for long: the answer does not wait for it forever.
        let tries = futures::future::join_all(answer.first_tries);
        let _ = tokio::time::timeout(LONGEST_HEAD_START, tries).await;
    }
    record(world, endpoint, call, answer.status, answer.body.json(), "");
    match answer.body {
        AnswerBody::Json(body) => {
            (answer.status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
        }
        AnswerBody::File { content_type, bytes } => {
            (answer.status, [(CONTENT_TYPE, content_type)], bytes).into_response()
        }
        AnswerBody::Empty => answer.status.into_response(),
    }
}

fn record(world: &World, endpoint: Endpoint, call: &Call, status: StatusCode, answer: Option<&Value>, note: &str) {
    let what = format!("{} -> {}{note}", (endpoint.label)(call), status.as_u16());
    world.journal.record("to-liveengage", "liveengage", what, (endpoint.shown)(call, answer));
}

async fn unknown(State(world): State<Arc<World>>, request: Request) -> StatusCode {
    let what = format!("{} {} -> 404", request.method(), request.uri().path());
    world.journal.record("to-liveengage", "liveengage", what, None);
    StatusCode::NOT_FOUND
}
