//! The two HTTP functions: API Gateway's event in, a use case, a status out.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use lambda_http::{Body, Request, RequestExt, Response, request::RequestContext};

use super::failure::FunctionError;
use crate::{
    app::{
        inbound::{self, AcceptChannelRequest},
        webhook::{self, AcceptWebhook},
    },
    channel::{Answer, ChannelRequest},
    domain::id::CorrelationId,
    port::Clock,
};

/// The largest body that is taken: 4 MiB.
///
/// Meta's webhooks have up to 3 MB, and this is about what Lambda takes in Base64 (6 MB with all headers): nothing that a sender could
/// send again for ever is refused here. One message in it can be larger than the queue takes; the use cases tell of it.
pub const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// The function `webhook`: LiveEngage's notifications.
#[derive(Clone)]
pub struct WebhookFunction {
    accept: AcceptWebhook,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for WebhookFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookFunction")
    }
}

impl WebhookFunction {
    /// Around the use case.
    pub fn new(accept: AcceptWebhook, clock: Arc<dyn Clock>) -> Self {
        Self { accept, clock }
    }

    /// One invocation.
    ///
    /// # Errors
    /// When the answer can't be built; that is a bug.
    pub async fn handle(&self, request: Request) -> Result<Response<Body>, FunctionError> {
        let correlation = correlation(&request);
        let (parts, body) = request.into_parts();
        let body = bytes(body);
        if body.len() > LARGEST_BODY {
            tracing::warn!(%correlation, bytes = body.len(), reason = "too large", count = 1, "LiveEngage webhook refused");
            return respond(Answer::empty(StatusCode::PAYLOAD_TOO_LARGE));
        }
        let outcome = self.accept.accept(&parts.headers, &body, &correlation, self.clock.now()).await;
        let status = match outcome {
            webhook::WebhookOutcome::Accepted { queued, left_out } => {
                for (kind, count) in left_out.kinds() {
                    tracing::warn!(%correlation, kind, count, "left out of a LiveEngage webhook");
                }
                tracing::info!(%correlation, queued, left_out = left_out.total(), "LiveEngage webhook accepted");
                StatusCode::OK
            }
            webhook::WebhookOutcome::Refused(reason) => {
                tracing::warn!(%correlation, %reason, count = 1, "LiveEngage webhook refused");
                StatusCode::UNAUTHORIZED
            }
            webhook::WebhookOutcome::Unreadable(reason) => {
                tracing::error!(%correlation, %reason, count = 1, "LiveEngage webhook unreadable; it is kept");
                StatusCode::OK
            }
            webhook::WebhookOutcome::NotQueued(code) => {
                tracing::error!(%correlation, code, count = 1, "LiveEngage webhook not queued; LiveEngage will send it again");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        respond(Answer::empty(status))
    }
}

/// The function `inbound`: channels' webhooks, on `/channels/{line}`.
#[derive(Clone)]
pub struct InboundFunction {
    accept: AcceptChannelRequest,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for InboundFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InboundFunction")
    }
}

impl InboundFunction {
    /// Around the use case.
    pub fn new(accept: AcceptChannelRequest, clock: Arc<dyn Clock>) -> Self {
        Self { accept, clock }
    }

    /// One invocation.
    ///
    /// # Errors
    /// When the answer can't be built; that is a bug.
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
            tracing::warn!(%correlation, bytes = request.body.len(), reason = "too large", count = 1, "channel request refused");
            return respond(Answer::empty(StatusCode::PAYLOAD_TOO_LARGE));
        }
        let outcome = self.accept.accept(&line, &request, &correlation, self.clock.now()).await;
        let answer = match outcome {
            inbound::InboundOutcome::Accepted { answer, queued, left_out } => {
                for (kind, count) in left_out.kinds() {
                    tracing::warn!(%correlation, line, kind, count, "left out of a channel request");
                }
                tracing::info!(%correlation, line, queued, left_out = left_out.total(), "channel request accepted");
                answer
            }
            inbound::InboundOutcome::Misdirected { messages } => {
                tracing::warn!(%correlation, line, messages, count = 1, "misdirected: messages for an address that no line has");
                tracing::warn!(%correlation, line, reason = "address of no line", count = 1, "channel request refused");
                Answer::empty(StatusCode::NOT_FOUND)
            }
            inbound::InboundOutcome::UnknownLine => {
                // The path is a stranger's text: it is not logged.
                tracing::warn!(%correlation, reason = "unknown line", count = 1, "channel request refused");
                Answer::empty(StatusCode::NOT_FOUND)
            }
            inbound::InboundOutcome::Refused(reason) => {
                tracing::warn!(%correlation, line, %reason, count = 1, "channel request refused");
                Answer::empty(StatusCode::UNAUTHORIZED)
            }
            inbound::InboundOutcome::Unreadable(reason) => {
                tracing::warn!(%correlation, line, %reason, count = 1, "channel request unreadable");
                Answer::empty(StatusCode::BAD_REQUEST)
            }
            inbound::InboundOutcome::NotQueued(code) => {
                tracing::error!(%correlation, line, code, count = 1, "channel request not queued; the channel will send it again");
                Answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        respond(answer)
    }
}

/// API Gateway's request id: it is in the access log too.
fn correlation(request: &Request) -> CorrelationId {
    let id = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    id.and_then(|id| CorrelationId::new(id).ok()).unwrap_or_else(|| fresh(&uuid::Uuid::new_v4().to_string()))
}

fn fresh(id: &str) -> CorrelationId {
    // A UUID is a valid id; the fallback is for the type only.
    CorrelationId::new(id).unwrap_or_else(|_| fresh("none"))
}

fn bytes(body: Body) -> Bytes {
    match body {
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => Bytes::new(),
    }
}

fn respond(answer: Answer) -> Result<Response<Body>, FunctionError> {
    let mut response = Response::builder().status(answer.status);
    if let Some(content_type) = answer.content_type {
        response = response.header(http::header::CONTENT_TYPE, content_type);
    }
    Ok(response.body(if answer.body.is_empty() { Body::Empty } else { Body::Text(answer.body) })?)
}
