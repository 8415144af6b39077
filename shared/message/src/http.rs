//! HTTP as data: channels and the LiveEngage client build calls and read replies. Only a port does IO.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// One outgoing HTTP call. `Debug` shows only the name, the method and the host: paths, headers and bodies can hold secrets, phone numbers
/// and message texts.
#[derive(derive_more::Debug, Clone)]
#[debug("HttpCall({name} {method} {})", url.host_str().unwrap_or("no host"))]
pub struct HttpCall {
    /// The call's name in logs and errors, for example `LiveEngage SEND`.
    pub name: &'static str,
    /// The method.
    pub method: Method,
    /// The complete URL.
    pub url: Url,
    /// All headers. Secret values are marked sensitive.
    pub headers: HeaderMap,
    /// The body. Empty if there is none.
    pub body: Bytes,
    /// The longest time of the call until its reply is read. `None`: the port's own limit, which is the longest there is.
    pub limit: Option<SignedDuration>,
}

impl HttpCall {
    /// Creates a call without headers and body.
    pub fn new(name: &'static str, method: Method, url: Url) -> Self {
        Self { name, method, url, headers: HeaderMap::new(), body: Bytes::new(), limit: None }
    }

    /// Sets a header whose value is not a secret. Replaces an earlier value.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sets a header whose value is a secret. Marks it as sensitive, so that no HTTP library prints it.
    ///
    /// # Errors
    /// [`InvalidHeader`] if the secret has characters that are not allowed in a header.
    pub fn secret_header(mut self, name: HeaderName, value: &SecretString) -> Result<Self, InvalidHeader> {
        let mut header =
            HeaderValue::from_str(value.expose_secret()).map_err(|_| InvalidHeader { name: name.clone() })?;
        header.set_sensitive(true);
        self.headers.insert(name, header);
        Ok(self)
    }

    /// Sets a shorter limit than the port's, for a call that a message doesn't depend on.
    pub const fn within(mut self, limit: SignedDuration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets the body and its `Content-Type`.
    pub fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }
}

/// A secret that can't be sent in a header. Holds the header's name and not the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret for the header {name} has characters that a header can't carry")]
pub struct InvalidHeader {
    /// The header's name.
    pub name: HeaderName,
}

/// The reply to an [`HttpCall`]. `Debug` shows only the status: bodies can hold tokens and texts.
#[derive(derive_more::Debug, Clone)]
#[debug("HttpReply({})", status.as_u16())]
pub struct HttpReply {
    /// The HTTP status.
    pub status: StatusCode,
    /// `Retry-After`, if the other side sent it as a number of seconds.
    pub retry_after: Option<SignedDuration>,
    /// The body, at most 1 MiB: the port closes the connection when a body is longer.
    pub body: Bytes,
}

impl HttpReply {
    /// Whether the body is an HTML page. No service that the connector calls answers with one, so it comes from a proxy or a load balancer,
    /// whatever its status says: the call may not have been carried out.
    pub fn is_page(&self) -> bool {
        let start = self.body.trim_ascii_start();
        ["<!doctype html", "<html"]
            .iter()
            .any(|tag| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes())))
    }
}

/// A call that got no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    /// No connection was made: the other side can't have received the call.
    #[error("no connection: the call was not sent")]
    NotSent,
    /// The connection broke or the call timed out after it may have been sent: the other side may have carried it out.
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
