//! The way from the connector to a phone: the Graph API's messages and media.

mod error;
mod files;
mod interactive;
mod receipt;
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

use super::account::Account;
use super::lock;
use super::media::MAX_FILE;

pub(super) use self::error::GraphError;

/// Largest body of a message in bytes: the longest list, every character escaped, and room for the rest.
const MAX_MESSAGE_BODY: usize = 128 * 1024;
/// Largest body of an upload in bytes: the largest file and the form around it.
const MAX_UPLOAD_BODY: usize = MAX_FILE + 64 * 1024;

/// What a call of the Graph API does. A scripted fault is for one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `POST /{version}/{phone-number-id}/messages` with a message.
    SendMessage,
    /// The same with `"status": "read"`, with or without the typing indicator.
    MarkRead,
    /// `POST /{version}/{phone-number-id}/media`.
    UploadMedia,
    /// `GET /{version}/{media-id}`: where a file is.
    ReadMedia,
    /// `DELETE /{version}/{media-id}`.
    DeleteMedia,
    /// The GET on the address that [`Operation::ReadMedia`] has answered with.
    DownloadMedia,
}

/// What happens to the next call of an operation.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) operation: Operation,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    /// Nothing is done, whatever the call holds.
    Refuse(Answer),
    /// It is done, if the call is valid.
    AcceptButAnswer(Answer),
    /// It is done, if the call is valid, and no answer comes.
    AcceptInSilence,
}

/// An answer of the Graph API.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    pub(super) fn raw(status: StatusCode, headers: HeaderMap, body: impl Into<String>) -> Self {
        Self { status, headers, body: body.into().into() }
    }

    fn json(status: StatusCode, body: &Value) -> Self {
        Self::file(status, HeaderValue::from_static("application/json; charset=UTF-8"), body.to_string().into())
    }

    fn file(status: StatusCode, mime_type: HeaderValue, body: Bytes) -> Self {
        Self { status, headers: HeaderMap::from_iter([(header::CONTENT_TYPE, mime_type)]), body }
    }

    /// As the wire log shows it: JSON as it is, a link to a file without the link, and of a file no more than its size.
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

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (self.status, self.headers, Body::from(self.body)).into_response()
    }
}

/// What the handlers share.
#[derive(Debug, Clone)]
struct Graph {
    account: Arc<Account>,
    /// True once the simulator ends.
    stopped: watch::Receiver<bool>,
}

/// One call, for the faults and the wire log.
struct Call {
    operation: Operation,
    /// Method and path.
    what: String,
    /// What it holds, without its token.
    shown: Value,
}

impl Graph {
    /// Carries a call out under the scripted faults, and writes it down.
    async fn perform(&self, call: Call, run: impl FnOnce(&Account) -> Result<Answer, GraphError>) -> Response {
        let account = &self.account;
        let answer = match account.take_fault(call.operation) {
            Some(Outcome::Refuse(answer)) => Some(answer),
            fault => match (run(account), fault) {
                (Ok(answer), None | Some(Outcome::Refuse(_))) => Some(answer),
                (Ok(_), Some(Outcome::AcceptButAnswer(answer))) => Some(answer),
                (Ok(_), Some(Outcome::AcceptInSilence)) => None,
                (Err(error), unused) => {
                    // It waits for a call that would have been accepted.
                    if let Some(outcome) = unused {
                        lock(&account.faults).push_front(Fault { operation: call.operation, outcome });
                    }
                    Some(error.answer())
                }
            },
        };
        let outcome = answer.as_ref().map_or("no answer".to_owned(), |answer| answer.status.as_u16().to_string());
        let shown = json!({ "body": call.shown, "answer": answer.as_ref().map(Answer::shown) });
        account.options.journal.record("to-channel", "whatsapp", format!("{} -> {outcome}", call.what), Some(shown));
        match answer {
            Some(answer) => answer.into_response(),
            None => {
                // The caller hangs up first, and this with it, unless the simulator ends.
                let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        }
    }
}

impl Account {
    fn take_fault(&self, operation: Operation) -> Option<Outcome> {
        let mut faults = lock(&self.faults);
        let index = faults.iter().position(|fault| fault.operation == operation)?;
        faults.remove(index).map(|fault| fault.outcome)
    }

    /// Whether the call is for this API and shows the token.
    fn authorize(&self, version: &str, headers: &HeaderMap) -> Result<(), GraphError> {
        let numbers = version.strip_prefix('v').and_then(|numbers| numbers.split_once('.'));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !numbers.is_some_and(|(major, minor)| is_number(major) && is_number(minor)) {
            return Err(GraphError::unknown_path(version));
        }
        self.check_token(headers)
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), GraphError> {
        let settings = lock(&self.settings);
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

pub(super) fn router(account: Arc<Account>, stopped: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/{version}/{id}/messages", post(send::post).layer(DefaultBodyLimit::max(MAX_MESSAGE_BODY)))
        .route("/{version}/{id}/media", post(files::upload).layer(DefaultBodyLimit::max(MAX_UPLOAD_BODY)))
        .route("/{version}/{id}", get(files::read).delete(files::delete))
        .route(files::DOWNLOAD_PATH, get(files::download))
        .fallback(unknown)
        .method_not_allowed_fallback(unsupported)
        .with_state(Graph { account, stopped })
}

async fn unknown(uri: Uri) -> Response {
    GraphError::unknown_path(uri.path()).answer().into_response()
}

async fn unsupported(method: Method, uri: Uri) -> Response {
    GraphError::unsupported_method(&method, uri.path()).answer().into_response()
}
