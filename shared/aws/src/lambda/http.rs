//! The two HTTP functions. Each takes API Gateway's event, runs a use case, and returns a status.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use lambda_http::{Body, Request, RequestExt, Response, request::RequestContext};

use super::failure::FunctionError;
use connector::{
    app::{
        inbound::{self, AcceptChannelRequest},
        webhook::{self, AcceptWebhook},
    },
    domain::id::CorrelationId,
    log_event,
    port::Clock,
};
use connector_channels::{Answer, ChannelRequest};

/// The largest accepted body: 4 MiB.
///
/// Meta's webhooks have up to 3 MB, and Lambda accepts about this size in Base64 (6 MB including headers). So no webhook that a sender
/// would repeat is rejected here. A single message in it can be too large for the queue, which the use cases handle.
pub const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// Why a request is answered with an error, in words for a person.
///
/// It is in the response's extensions, for a process that runs the function itself, such as the lab. Lambda doesn't send extensions, so a caller doesn't learn it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

/// The function `webhook`: LiveEngage's notifications.
#[derive(Clone, derive_more::Debug)]
#[debug("WebhookFunction")]
pub struct WebhookFunction {
    accept: AcceptWebhook,
    clock: Arc<dyn Clock>,
}

impl WebhookFunction {
    /// Creates the function from its use case.
    pub fn new(accept: AcceptWebhook, clock: Arc<dyn Clock>) -> Self {
        Self { accept, clock }
    }

    /// Handles one invocation.
    ///
    /// # Errors
    /// If the response can't be built, which is a bug.
    pub async fn handle(&self, request: Request) -> Result<Response<Body>, FunctionError> {
        let correlation = correlation(&request);
        let (parts, body) = request.into_parts();
        let body = bytes(body);
        if body.len() > LARGEST_BODY {
            log_event!(WEBHOOK_REFUSED, %correlation, bytes = body.len(), reason = "too large");
            return respond(Answer::empty(StatusCode::PAYLOAD_TOO_LARGE), Some(too_large()));
        }
        let outcome = self.accept.accept(&parts.headers, &body, &correlation, self.clock.now()).await;
        let refusal = outcome.refusal();
        let status = match outcome {
            webhook::WebhookOutcome::Accepted { queued, left_out, not_needed } => {
                for (kind, count) in left_out.kinds() {
                    log_event!(WEBHOOK_PART_IGNORED, %correlation, kind, count);
                }
                log_event!(WEBHOOK_ACCEPTED, %correlation, queued, left_out = left_out.total(), not_needed);
                StatusCode::OK
            }
            webhook::WebhookOutcome::Refused(reason) => {
                log_event!(WEBHOOK_REFUSED, %correlation, %reason);
                StatusCode::UNAUTHORIZED
            }
            webhook::WebhookOutcome::Unreadable(reason) => {
                log_event!(WEBHOOK_UNREADABLE, %correlation, %reason);
                StatusCode::OK
            }
            webhook::WebhookOutcome::NotVerified(error) => {
                log_event!(WEBHOOK_NOT_VERIFIED, %correlation, %error);
                StatusCode::INTERNAL_SERVER_ERROR
            }
            webhook::WebhookOutcome::NotQueued(code) => {
                log_event!(WEBHOOK_NOT_QUEUED, %correlation, code);
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        respond(Answer::empty(status), refusal)
    }
}

/// The function `inbound`: channels' webhooks, on `/channels/{line}`.
#[derive(Clone, derive_more::Debug)]
#[debug("InboundFunction")]
pub struct InboundFunction {
    accept: AcceptChannelRequest,
    clock: Arc<dyn Clock>,
}

impl InboundFunction {
    /// Creates the function from its use case.
    pub fn new(accept: AcceptChannelRequest, clock: Arc<dyn Clock>) -> Self {
        Self { accept, clock }
    }

    /// Handles one invocation.
    ///
    /// # Errors
    /// If the response can't be built, which is a bug.
    pub async fn handle(&self, request: Request) -> Result<Response<Body>, FunctionError> {
        let correlation = correlation(&request);
        let line = request
            .path_parameters_ref()
            .and_then(|parameters| parameters.first("line"))
            .unwrap_or_default()
            .to_owned();
        let query = request
            .query_string_parameters_ref()
            .map(|query| query.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
            .unwrap_or_default();
        let (parts, body) = request.into_parts();
        let request = ChannelRequest { method: parts.method, headers: parts.headers, query, body: bytes(body) };
        if request.body.len() > LARGEST_BODY {
            log_event!(CHANNEL_REQUEST_REFUSED, %correlation, bytes = request.body.len(), reason = "too large");
            return respond(Answer::empty(StatusCode::PAYLOAD_TOO_LARGE), Some(too_large()));
        }
        let outcome = self.accept.accept(&line, &request, &correlation, self.clock.now()).await;
        let refusal = outcome.refusal();
        let answer = match outcome {
            inbound::InboundOutcome::Accepted { answer, queued, left_out } => {
                for (kind, count) in left_out.kinds() {
                    log_event!(CHANNEL_REQUEST_PART_IGNORED, %correlation, line, kind, count);
                }
                log_event!(CHANNEL_REQUEST_ACCEPTED, %correlation, line, queued, left_out = left_out.total());
                answer
            }
            inbound::InboundOutcome::Misdirected { messages } => {
                log_event!(CHANNEL_REQUEST_MISDIRECTED, %correlation, line, messages);
                log_event!(CHANNEL_REQUEST_REFUSED, %correlation, line, reason = "address of no line");
                Answer::empty(StatusCode::NOT_FOUND)
            }
            inbound::InboundOutcome::UnknownLine => {
                // Don't log the path, because an unauthenticated client chooses it.
                log_event!(CHANNEL_REQUEST_REFUSED, %correlation, reason = "unknown line");
                Answer::empty(StatusCode::NOT_FOUND)
            }
            inbound::InboundOutcome::Refused(reason) => {
                log_event!(CHANNEL_REQUEST_REFUSED, %correlation, line, %reason);
                Answer::empty(StatusCode::UNAUTHORIZED)
            }
            inbound::InboundOutcome::Unreadable(reason) => {
                log_event!(CHANNEL_REQUEST_UNREADABLE, %correlation, line, %reason);
                Answer::empty(StatusCode::BAD_REQUEST)
            }
            inbound::InboundOutcome::NotVerified(error) => {
                log_event!(CHANNEL_REQUEST_NOT_VERIFIED, %correlation, line, %error);
                Answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
            inbound::InboundOutcome::NotQueued(code) => {
                log_event!(CHANNEL_REQUEST_NOT_QUEUED, %correlation, line, code);
                Answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        respond(answer, refusal)
    }
}

/// Returns API Gateway's request id, which is in the access log, too.
fn correlation(request: &Request) -> CorrelationId {
    let id = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    id.and_then(|id| CorrelationId::new(id).ok()).unwrap_or_else(|| fresh(&uuid::Uuid::new_v4().to_string()))
}

fn fresh(id: &str) -> CorrelationId {
    // A UUID is always a valid id, so only the type needs the fallback.
    CorrelationId::new(id).unwrap_or_else(|_| fresh("none"))
}

fn bytes(body: Body) -> Bytes {
    match body {
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    }
}

fn too_large() -> String {
    format!("the body has more than {LARGEST_BODY} bytes")
}

fn respond(answer: Answer, refusal: Option<String>) -> Result<Response<Body>, FunctionError> {
    let mut response = Response::builder().status(answer.status);
    if let Some(content_type) = answer.content_type {
        response = response.header(http::header::CONTENT_TYPE, content_type);
    }
    if let Some(refusal) = refusal {
        response = response.extension(Refusal(refusal));
    }
    Ok(response.body(if answer.body.is_empty() { Body::Empty } else { Body::Text(answer.body) })?)
}
