//! What the Send API says to a request: `{"code", "body"}`, where the code is a word or a number.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    domain::http::HttpReply,
    liveengage::{LiveEngageError, error::classify, tolerant},
};

#[derive(Deserialize)]
pub(super) struct Element {
    #[serde(default, deserialize_with = "tolerant::lenient_text")]
    code: Option<String>,
    #[serde(default)]
    pub(super) body: Value,
}

impl Element {
    /// `"OK"`, a number from 200 to 299, or nothing at all.
    pub(super) fn is_ok(&self) -> bool {
        match self.code.as_deref() {
            None | Some("OK") => true,
            Some(code) => code.parse::<u16>().is_ok_and(|code| (200..300).contains(&code)),
        }
    }

    /// The status that the element stands for when it is not OK: its numeric code, else 400.
    pub(super) fn status(&self) -> StatusCode {
        self.code
            .as_deref()
            .and_then(|code| code.parse::<u16>().ok())
            .filter(|code| (400..600).contains(code))
            .and_then(|code| StatusCode::from_u16(code).ok())
            .unwrap_or(StatusCode::BAD_REQUEST)
    }

    pub(super) fn message(&self) -> Option<&str> {
        self.body.get("msg").and_then(Value::as_str).or_else(|| self.body.as_str())
    }
}

/// The body of an answer that is a success: a 2xx whose element is OK. `Null` for one without a body or with an odd element: repeating
/// the request would double what it did. A body that is no JSON at all is not LivePerson's answer, but that of something in between:
/// whether it passed the request on is not known.
pub(super) fn accepted(call: &'static str, reply: &HttpReply) -> Result<Value, LiveEngageError> {
    if !reply.status.is_success() {
        return Err(classify(call, reply, None));
    }
    let value: Value = match serde_json::from_slice(&reply.body) {
        Ok(value) => value,
        // Nothing, or broken off: LivePerson has said 200.
        Err(error) if error.is_eof() => Value::Null,
        Err(_) => return Err(LiveEngageError::Unreadable { call, what: "it is no JSON" }),
    };
    let Ok(element) = Element::deserialize(tolerant::bare(value)) else { return Ok(Value::Null) };
    if element.is_ok() {
        return Ok(element.body);
    }
    let mut reply = reply.clone();
    reply.status = element.status();
    Err(classify(call, &reply, element.message()))
}
