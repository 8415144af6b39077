//! HTTP as data: adapters and the LiveEngage client build calls and read replies; only a port does IO.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// One outgoing HTTP call. `Debug` shows the name, the method and the host: paths, headers and bodies can hold secrets,
/// phone numbers and message texts.
#[derive(Clone)]
pub struct HttpCall {
    /// What the call is, for logs, for example `LiveEngage SEND`.
    pub name: &'static str,
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: Url,
    /// All headers. Secret values are marked sensitive.
    pub headers: HeaderMap,
    /// The body, empty for none.
    pub body: Bytes,
}

impl HttpCall {
    /// A call without headers and body.
    pub fn new(name: &'static str, method: Method, url: Url) -> Self {
        Self { name, method, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Adds a header with a value that is no secret.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Adds a header whose value is a secret, marked sensitive so that no HTTP library prints it.
    ///
    /// # Errors
    /// [`InvalidHeader`] when the secret has characters that no header can carry.
    pub fn secret_header(mut self, name: HeaderName, value: &SecretString) -> Result<Self, InvalidHeader> {
        let mut header =
            HeaderValue::from_str(value.expose_secret()).map_err(|_| InvalidHeader { name: name.clone() })?;
        header.set_sensitive(true);
        self.headers.insert(name, header);
        Ok(self)
    }

    /// Sets the body and its `Content-Type`.
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }
}

impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpCall({} {} {})", self.name, self.method, self.url.host_str().unwrap_or("no host"))
    }
}

/// A secret that no header can carry, by the header's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret for the header {name} has characters that a header can't carry")]
pub struct InvalidHeader {
    /// The header.
    pub name: HeaderName,
}

/// The answer to an [`HttpCall`]. `Debug` shows only the status: bodies can hold tokens and texts.
#[derive(Clone)]
pub struct HttpReply {
    /// The status.
    pub status: StatusCode,
    /// `Retry-After` in seconds, where the other side sent one in that form.
    pub retry_after: Option<jiff::SignedDuration>,
    /// The body, at most 1 MiB (the port cuts the connection at more).
    pub body: Bytes,
}

impl fmt::Debug for HttpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpReply({})", self.status.as_u16())
    }
}

/// A call without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    /// No connection was made: the other side has certainly not seen the call.
    #[error("no connection: the call was not sent")]
    NotSent,
    /// The connection broke or the time ran out after the call may have been sent: it may have been carried out.
    #[error("no answer: the call may have been carried out")]
    Unanswered,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_secret_nor_path_nor_body() {
        let call =
            HttpCall::new("SMS send", Method::POST, "https://gateway.example/v1/+4915112345678".parse().unwrap())
                .secret_header(http::header::AUTHORIZATION, &SecretString::from("Bearer t0psecret"))
                .unwrap()
                .body("application/json", r#"{"text":"private"}"#);
        assert_eq!(format!("{call:?}"), "HttpCall(SMS send POST gateway.example)");
        assert!(!format!("{:?}", call.headers).contains("t0psecret"));
    }
}
