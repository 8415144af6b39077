//! The reply of the Send API to a request: `{"code", "body"}`, where the code is a word or a number.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_with::serde_as;

use crate::{
    LiveEngageError,
    error::classify,
    tolerant::{self, LenientText},
};
use connector_message::http::HttpReply;

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReplyElement {
    #[serde_as(as = "LenientText")]
    code: Option<String>,
    pub(crate) body: Value,
}

impl ReplyElement {
    /// Whether the code is `"OK"`, a number from 200 to 299, or missing.
    pub(crate) fn is_ok(&self) -> bool {
        match self.code.as_deref() {
            None | Some("OK") => true,
            Some(code) => code.parse::<u16>().is_ok_and(|code| (200..300).contains(&code)),
        }
    }

    /// The HTTP status of an element that is not OK: its numeric code, or 400.
    pub(crate) fn status(&self) -> StatusCode {
        self.code
            .as_deref()
            .and_then(|code| code.parse::<u16>().ok())
            .filter(|code| (400..600).contains(code))
            .and_then(|code| StatusCode::from_u16(code).ok())
            .unwrap_or(StatusCode::BAD_REQUEST)
    }

    pub(crate) fn message(&self) -> Option<&str> {
        self.body.get("msg").and_then(Value::as_str).or_else(|| self.body.as_str())
    }
}

/// Returns the body of a successful reply: a 2xx whose element is OK. `Null` for a missing body or an unexpected element, because a retry
/// would do the request twice.
///
/// # Errors
/// [`LiveEngageError::Unreadable`] for a body that is not JSON: it comes from a proxy, and whether the proxy forwarded the request is not
/// known. Otherwise by the status and the message of the reply.
pub(super) fn accepted(call: &'static str, reply: &HttpReply) -> Result<Value, LiveEngageError> {
    if !reply.status.is_success() {
        return Err(classify(call, reply, None));
    }
    let value: Value = match serde_json::from_slice(&reply.body) {
        Ok(value) => value,
        // Missing or truncated: LivePerson replied with 2xx.
        Err(error) if error.is_eof() => Value::Null,
        Err(_) => return Err(LiveEngageError::Unreadable { call, what: "it is not JSON" }),
    };
    let Ok(element) = ReplyElement::deserialize(tolerant::unwrap_single(value)) else { return Ok(Value::Null) };
    if element.is_ok() {
        return Ok(element.body);
    }
    let mut reply = reply.clone();
    reply.status = element.status();
    Err(classify(call, &reply, element.message()))
}
