//! Checks API Gateway's event before `lambda_http` converts it into a request.
//!
//! `lambda_http` panics if an event's address is not a URL, if its query can't be part of one, or if its body is not the Base64 that it
//! claims to be. An unauthenticated client chooses most of that: the path, the query, `host` and `x-forwarded-proto`. So no event reaches
//! `lambda_http` unchanged. It is rebuilt from the members that the entry points read, and each part is valid in an HTTP request.

use bytes::Bytes;
use connector::log_event;
use http::{HeaderName, HeaderValue, Method, uri::PathAndQuery};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

/// The replacement for anything that is not an event of an HTTP API. The runtime answers it with an error, and no function is called.
const NO_EVENT: &[u8] = b"null";

/// The most headers. API Gateway accepts 10,240 bytes of headers in total, and an [`http::HeaderMap`] panics beyond its maximum size.
const MOST_HEADERS: usize = 1024;

/// Headers that become part of the request's URL. They are dropped, because nothing reads that URL, and no signature may depend on values
/// that an unauthenticated client chooses.
const ADDRESS_HEADERS: [&str; 2] = ["host", "x-forwarded-proto"];

/// A method that no channel accepts.
const UNKNOWN_METHOD: &str = "UNKNOWN";

/// The members of an event that the entry points read. Those that a client chooses may hold anything.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    request_context: Context,
    raw_query_string: Option<Value>,
    headers: Option<Value>,
    path_parameters: Option<Value>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    is_base64_encoded: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    http: Http,
    request_id: Option<Value>,
}

#[derive(Deserialize)]
struct Http {
    method: Value,
}

/// The event for `lambda_http`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rebuilt<'a> {
    version: &'static str,
    raw_path: &'static str,
    raw_query_string: &'a str,
    headers: Map<String, Value>,
    request_context: Value,
    path_parameters: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    is_base64_encoded: bool,
}

/// Rebuilds the event so that it can become a request. Parts that can't be in a request are left out. The rest is handled like any other
/// request, because a signature covers what matters.
pub fn rebuilt(event: &Bytes) -> Bytes {
    let rebuilt = serde_json::from_slice::<Event<'_>>(event).ok().and_then(|event| {
        let mut left_out = Vec::new();
        let rebuilt = event.rebuilt(&mut left_out);
        if !left_out.is_empty() {
            log_event!(GATEWAY_EVENT_PART_IGNORED, parts = left_out.join(", "));
        }
        serde_json::to_vec(&rebuilt).ok()
    });
    rebuilt.map_or_else(|| Bytes::from_static(NO_EVENT), Bytes::from)
}

/// Converts an event into the request for a function.
///
/// # Errors
/// If it is not an event of an HTTP API.
pub fn request(event: &str) -> Result<lambda_http::Request, serde_json::Error> {
    let event = rebuilt(&Bytes::copy_from_slice(event.as_bytes()));
    lambda_http::request::from_str(&String::from_utf8_lossy(&event))
}

impl Event<'_> {
    /// Adds the kinds of parts that can't be used to `left_out`, never their values.
    fn rebuilt(&self, left_out: &mut Vec<&'static str>) -> Rebuilt<'_> {
        let Context { http, request_id } = &self.request_context;
        let method = text(&http.method).filter(|method| Method::from_bytes(method.as_bytes()).is_ok());
        if method.is_none_or(str::is_empty) {
            left_out.push("method");
        }
        let query = self.raw_query_string.as_ref().and_then(text).unwrap_or_default();
        let is_readable = PathAndQuery::try_from(format!("/?{query}")).is_ok();
        if !is_readable {
            left_out.push("query");
        }
        let is_base64_encoded = self.is_base64_encoded == Some(Value::Bool(true));
        let body = self.body.filter(|body| is_body(body, is_base64_encoded));
        if body.is_none() && self.body.is_some_and(|body| body.get() != "null") {
            left_out.push("body");
        }
        Rebuilt {
            version: "2.0",
            raw_path: "/",
            raw_query_string: if is_readable { query } else { "" },
            headers: headers(self.headers.as_ref(), left_out),
            request_context: serde_json::json!({
                "http": {"method": method.filter(|method| !method.is_empty()).unwrap_or(UNKNOWN_METHOD)},
                "requestId": request_id.as_ref().and_then(text),
            }),
            path_parameters: members(self.path_parameters.as_ref())
                .filter(|(_, value)| value.is_string())
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            body,
            is_base64_encoded: is_base64_encoded && body.is_some(),
        }
    }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

fn headers(headers: Option<&Value>, left_out: &mut Vec<&'static str>) -> Map<String, Value> {
    let is_of_address = |name: &str| ADDRESS_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name));
    let all: Vec<_> = members(headers).filter(|(name, _)| !is_of_address(name)).collect();
    let is_readable = |name: &str, value: &Value| {
        let is_value = text(value).is_some_and(|value| HeaderValue::from_str(value).is_ok());
        is_value && HeaderName::from_bytes(name.as_bytes()).is_ok()
    };
    let readable = all.iter().filter(|(name, value)| is_readable(name, value)).take(MOST_HEADERS);
    let readable: Map<_, _> = readable.map(|(name, value)| ((*name).clone(), (*value).clone())).collect();
    if readable.len() < all.len() {
        left_out.push("header");
    }
    readable
}

/// Whether the body is a text, and valid Base64 if it claims to be.
fn is_body(body: &RawValue, is_base64_encoded: bool) -> bool {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let text = serde_json::from_str::<String>(body.get());
    text.is_ok_and(|text| !is_base64_encoded || STANDARD.decode(text).is_ok())
}

#[cfg(test)]
mod tests;
