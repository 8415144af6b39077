//! The Graph API: messages and media from the connector.

mod error;
mod files;
mod interactive;
mod receipt;
mod registration;
mod request;
mod send;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use super::account::BusinessAccount;
use super::media::MAX_FILE;

pub(super) use self::error::GraphError;

/// The largest body of a message in bytes: the longest list with every character escaped, and space for the rest.
const MAX_MESSAGE_BODY: usize = 128 * 1024;
/// The largest body of an upload in bytes: the largest file and the form around it.
const MAX_UPLOAD_BODY: usize = MAX_FILE + 64 * 1024;

/// The operations of the Graph API. A scripted fault applies to one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `POST /{version}/{phone-number-id}/messages` with a message.
    SendMessage,
    /// The same with `"status": "read"`, with or without the typing indicator.
    MarkRead,
    /// `POST /{version}/{phone-number-id}/media`.
    UploadMedia,
    /// `GET /{version}/{media-id}`: the location of a file.
    ReadMedia,
    /// `DELETE /{version}/{media-id}`.
    DeleteMedia,
    /// The GET on the address that [`Operation::ReadMedia`] returned.
    DownloadMedia,
    /// `POST /{version}/{phone-number-id}` with the address of the webhook, or `POST` of `subscribed_apps`.
    Register,
}

/// What happens to the next call of an operation.
#[derive(Debug)]
pub(super) struct GraphFault {
    pub(super) operation: Operation,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    /// The call is refused, regardless of its content.
    Refuse(GraphAnswer),
    /// A valid call is carried out and answered like this.
    AcceptButAnswer(GraphAnswer),
    /// A valid call is carried out and not answered.
    AcceptInSilence,
}

/// An answer of the Graph API.
#[derive(Debug)]
pub(super) struct GraphAnswer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl GraphAnswer {
    pub(super) fn raw(status: StatusCode, headers: HeaderMap, body: impl Into<String>) -> Self {
        Self { status, headers, body: body.into().into() }
    }

    fn json(status: StatusCode, body: &Value) -> Self {
        Self::file(status, HeaderValue::from_static("application/json; charset=UTF-8"), body.to_string().into())
    }

    fn file(status: StatusCode, mime_type: HeaderValue, body: Bytes) -> Self {
        Self { status, headers: HeaderMap::from_iter([(header::CONTENT_TYPE, mime_type)]), body }
    }

    /// Its form in the wire log: JSON unchanged, a link without its address, and only the size of a file.
    fn shown(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(mut fields)) => {
                if fields.contains_key("url") {
                    fields.insert("url".to_owned(), "(a link that ends)".into());
                }
                fields.into()
            }
            _ if self.status.is_success() => format!("{} bytes", self.body.len()).into(),
            _ => String::from_utf8_lossy(&self.body).into(),
        }
    }
}

impl IntoResponse for GraphAnswer {
    fn into_response(self) -> Response {
        (self.status, self.headers, Body::from(self.body)).into_response()
    }
}

/// The shared state of the handlers.
#[derive(Debug, Clone)]
struct GraphHandlers {
    account: Arc<BusinessAccount>,
    /// True when the simulator ends.
    stopped: watch::Receiver<bool>,
}

/// A call, for faults and wire log.
struct GraphCall {
    operation: Operation,
    /// Method and path.
    what: String,
    /// Its content, without the token.
    shown: Value,
}

impl GraphHandlers {
    /// Carries out a call with the scripted faults, and logs it.
    async fn perform(
        &self,
        call: GraphCall,
        run: impl FnOnce(&BusinessAccount) -> Result<GraphAnswer, GraphError>,
    ) -> Response {
        let account = &self.account;
        let answer = match account.take_fault(call.operation) {
            Some(Outcome::Refuse(answer)) => Some(answer),
            fault => match (run(account), fault) {
                (Ok(answer), None | Some(Outcome::Refuse(_))) => Some(answer),
                (Ok(_), Some(Outcome::AcceptButAnswer(answer))) => Some(answer),
                (Ok(_), Some(Outcome::AcceptInSilence)) => None,
                (Err(error), unused) => {
                    // The fault waits for a call that would be accepted.
                    if let Some(outcome) = unused {
                        account.faults.lock().push_front(GraphFault { operation: call.operation, outcome });
                    }
                    Some(error.answer())
                }
            },
        };
        let outcome = answer.as_ref().map_or("no answer".to_owned(), |answer| answer.status.as_u16().to_string());
        let shown = json!({ "body": call.shown, "answer": answer.as_ref().map(GraphAnswer::shown) });
        account.options.journal.record("to-channel", "whatsapp", format!("{} -> {outcome}", call.what), Some(shown));
        match answer {
            Some(answer) => answer.into_response(),
            None => {
                // The caller hangs up first, which ends this too, unless the simulator ends.
                let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        }
    }
}

impl BusinessAccount {
    fn take_fault(&self, operation: Operation) -> Option<Outcome> {
        let mut faults = self.faults.lock();
        let index = faults.iter().position(|fault| fault.operation == operation)?;
        faults.remove(index).map(|fault| fault.outcome)
    }

    /// Checks that the call is for this API and has the token.
    fn authorize(&self, version: &str, headers: &HeaderMap) -> Result<(), GraphError> {
        let numbers = version.strip_prefix('v').and_then(|numbers| numbers.split_once('.'));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !numbers.is_some_and(|(major, minor)| is_number(major) && is_number(minor)) {
            return Err(GraphError::unknown_path(version));
        }
        self.check_token(headers)
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), GraphError> {
        let settings = self.settings.lock();
        let is_shown = |shown: &[u8]| {
            settings.access_tokens.iter().any(|token| bool::from(shown.ct_eq(token.expose_secret().as_bytes())))
        };
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        if shown.is_some_and(is_shown) { Ok(()) } else { Err(GraphError::bad_token()) }
    }

    fn check_phone_number_id(&self, id: &str) -> Result<(), GraphError> {
        if id == self.options.phone_number_id { Ok(()) } else { Err(GraphError::unknown_object(id)) }
    }
}

pub(super) fn router(account: Arc<BusinessAccount>, stopped: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/{version}/{id}/messages", post(send::post).layer(DefaultBodyLimit::max(MAX_MESSAGE_BODY)))
        .route("/{version}/{id}/media", post(files::upload).layer(DefaultBodyLimit::max(MAX_UPLOAD_BODY)))
        .route("/{version}/{id}", get(files::read).delete(files::delete).post(registration::override_webhook))
        .route("/{version}/{id}/subscribed_apps", post(registration::subscribe_app))
        .route(files::DOWNLOAD_PATH, get(files::download))
        .fallback(unknown)
        .method_not_allowed_fallback(unsupported)
        .with_state(GraphHandlers { account, stopped })
}

async fn unknown(uri: Uri) -> Response {
    GraphError::unknown_path(uri.path()).answer().into_response()
}

async fn unsupported(method: Method, uri: Uri) -> Response {
    GraphError::unsupported_method(&method, uri.path()).answer().into_response()
}
