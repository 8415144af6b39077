//! API Gateway's events (HTTP API, payload format 2.0), and the requests and responses of `lambda_http`.
//!
//! The conversion of `lambda_http` panics if an event's address is not a URL, if its query can't be part of one, or if its body is not the
//! Base64 that it claims to be. An unauthenticated client chooses most of that: the path, the query, `host` and `x-forwarded-proto`. So
//! events are read here, from the members that the entry points use, and each part of a request is valid in an HTTP request. The types are
//! those of `lambda_http`.

use std::collections::HashMap;

use aws_lambda_events::{
    apigw::{ApiGatewayV2httpRequestContext, ApiGatewayV2httpResponse},
    query_map::QueryMap,
};
use connector::log_event;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, uri::PathAndQuery};
use lambda_http::{Body, Request, RequestExt, Response, request::RequestContext};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::failure::FunctionError;

/// The most headers. API Gateway accepts 10,240 bytes of headers in total, and a [`HeaderMap`] panics beyond its maximum size.
const MOST_HEADERS: usize = 1024;

/// Headers that say which URL the client used. They are dropped, because no signature may depend on values that an unauthenticated client
/// chooses.
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

/// Converts an event into the request for a function. Parts that can't be in a request are left out. The rest is handled like any other
/// request, because a signature covers what matters.
///
/// The request has the event's method, query, headers, path parameters, request id and body. Its path is always `/`.
///
/// # Errors
/// [`FunctionError::UnknownHttpEvent`] if it is not an event of an HTTP API. The error quotes nothing of the event.
pub fn request(event: &str) -> Result<Request, FunctionError> {
    let event: Event<'_> = serde_json::from_str(event).map_err(|_| FunctionError::UnknownHttpEvent)?;
    let mut left_out = Vec::new();
    let request = event.request(&mut left_out);
    if !left_out.is_empty() {
        log_event!(GATEWAY_EVENT_PART_IGNORED, parts = left_out.join(", "));
    }
    request
}

/// Converts a function's response into the answer for API Gateway. A binary body is sent as Base64.
pub fn answer(response: Response<Body>) -> ApiGatewayV2httpResponse {
    let (parts, body) = response.into_parts();
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = parts.status.as_u16().into();
    answer.headers = parts.headers;
    answer.is_base64_encoded = matches!(body, Body::Binary(_));
    answer.body = (!matches!(body, Body::Empty)).then_some(body);
    answer
}

impl Event<'_> {
    /// Adds the kinds of parts that can't be used to `left_out`, never their values.
    fn request(self, left_out: &mut Vec<&'static str>) -> Result<Request, FunctionError> {
        let method = self.request_context.http.method.as_str();
        let method = method.filter(|method| Method::from_bytes(method.as_bytes()).is_ok());
        if method.is_none() {
            left_out.push("method");
        }
        let query = self.raw_query_string.as_ref().and_then(Value::as_str).unwrap_or_default();
        let uri = if query.is_empty() { Ok(Uri::default()) } else { uri(query) };
        let query = if uri.is_ok() { query } else { "" };
        if uri.is_err() {
            left_out.push("query");
        }
        let body = body(self.body, self.is_base64_encoded == Some(Value::Bool(true)));
        if body.is_none() {
            left_out.push("body");
        }
        let request = http::Request::builder().method(method.unwrap_or(UNKNOWN_METHOD)).uri(uri.unwrap_or_default());
        let mut request = request.body(body.unwrap_or_default())?;
        *request.headers_mut() = headers(self.headers, left_out);

        let mut context = ApiGatewayV2httpRequestContext::default();
        context.http.method.clone_from(request.method());
        context.request_id = self.request_context.request_id.and_then(into_text);
        let Ok(query) = query.parse::<QueryMap>();
        Ok(request
            .with_query_string_parameters(query)
            .with_path_parameters(path_parameters(self.path_parameters))
            .with_request_context(RequestContext::ApiGatewayV2(context)))
    }
}

fn uri(query: &str) -> Result<Uri, http::uri::InvalidUri> {
    PathAndQuery::try_from(format!("/?{query}")).map(Uri::from)
}

fn into_text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn members(value: Option<Value>) -> serde_json::Map<String, Value> {
    match value {
        Some(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    }
}

fn path_parameters(parameters: Option<Value>) -> HashMap<String, String> {
    let parameters = members(parameters).into_iter();
    parameters.filter_map(|(name, value)| Some((name, into_text(value)?))).collect()
}

fn headers(headers: Option<Value>, left_out: &mut Vec<&'static str>) -> HeaderMap {
    let all = members(headers);
    let mut readable = HeaderMap::with_capacity(all.len().min(MOST_HEADERS));
    let mut are_left_out = false;
    for (name, value) in all {
        if ADDRESS_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(&name)) {
            continue;
        }
        let value = into_text(value).and_then(|value| HeaderValue::try_from(value).ok());
        match (HeaderName::from_bytes(name.as_bytes()), value) {
            (Ok(name), Some(value)) if readable.len() < MOST_HEADERS => drop(readable.insert(name, value)),
            _ => are_left_out = true,
        }
    }
    if are_left_out {
        left_out.push("header");
    }
    readable
}

/// Reads the body. Returns `None` if it is not a text, or not the Base64 that it claims to be.
fn body(body: Option<&RawValue>, is_base64_encoded: bool) -> Option<Body> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let Some(body) = body else { return Some(Body::Empty) };
    match serde_json::from_str::<Option<String>>(body.get()).ok()? {
        None => Some(Body::Empty),
        Some(text) if is_base64_encoded => STANDARD.decode(text).ok().map(Body::Binary),
        Some(text) => Some(Body::Text(text)),
    }
}

#[cfg(test)]
mod tests;
