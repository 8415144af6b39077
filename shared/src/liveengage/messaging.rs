//! The Send API (service `asyncMessagingEnt`): CONVERSATION opens a conversation, SEND does everything else.

use http::{HeaderName, HeaderValue, Method, header::AUTHORIZATION};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::{LiveEngageError, sentinel::AppJwt};
use crate::domain::{
    conversation::ConsumerToken,
    http::{HttpCall, HttpReply, InvalidHeader},
    id::{AccountId, Sequence},
};

mod answer;
mod closing;
mod opening;
mod publishing;
#[cfg(test)]
mod tests;

pub use super::{
    client_properties::{ClientProperties, Feature},
    event::{AcceptStatus, ChatState},
    profile::{Contact, CustomerInfo, Gender, Personal, UserProfile},
};
pub use closing::{
    Close, CustomerSatisfaction, SatisfactionRate, SatisfactionStatus, close_request, satisfaction_request,
};
pub use opening::{Campaign, Routing, TimeToRespond, open_answer, open_request, profile_request};
pub use publishing::{Event, Place, publish_request, text_pieces};

const CONVERSATION: &str = "LiveEngage CONVERSATION";
/// The name of a SEND in logs and errors.
pub(crate) const SEND: &str = "LiveEngage SEND";
const ON_BEHALF: HeaderName = HeaderName::from_static("x-lp-on-behalf");
const CLIENT_PROPERTIES: HeaderName = HeaderName::from_static("client-properties");

/// The longest SEND request: 5000 characters of JSON, metadata included (Connector API Quickstart).
///
/// Above it LiveEngage answers the same "Bad Request" as for any other fault, so it is measured before sending.
pub const LONGEST_REQUEST: usize = 5000;

/// Whom a call is for, what proves it, and what the channel can show.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Proves the connector.
    pub app_jwt: &'a AppJwt,
    /// Names the consumer.
    pub consumer: &'a ConsumerToken,
    /// The header `Client-Properties`: the same at every call of a conversation.
    pub client_properties: &'a ClientProperties,
}

fn characters(json: &str) -> usize {
    json.chars().count()
}

fn call(
    name: &'static str,
    messaging: &Url,
    path: &str,
    credentials: Credentials<'_>,
    json: String,
) -> Result<HttpCall, LiveEngageError> {
    let mut url = messaging.clone();
    url.set_path(&format!("/api/account/{}/messaging/consumer/conversation{path}", credentials.account));
    url.set_query(Some("v=3"));
    let properties = HeaderValue::from_str(credentials.client_properties.header_value())
        .map_err(|_| InvalidHeader { name: CLIENT_PROPERTIES })?;
    Ok(HttpCall::new(name, Method::POST, url)
        .body("application/json", json)
        .header(CLIENT_PROPERTIES, properties)
        .secret_header(AUTHORIZATION, &credentials.app_jwt.secret())?
        .secret_header(ON_BEHALF, &SecretString::from(credentials.consumer.expose()))?)
}

/// A SEND of one request.
pub(super) fn send(messaging: &Url, credentials: Credentials<'_>, body: &Value) -> Result<HttpCall, LiveEngageError> {
    let json = body.to_string();
    if characters(&json) > LONGEST_REQUEST {
        return Err(LiveEngageError::Unsendable { call: SEND, what: "the request is longer than 5000 characters" });
    }
    call(SEND, messaging, "/send", credentials, json)
}

/// Reads the answer to any SEND. Only published events have a sequence, and for typing it means nothing.
///
/// Any 2xx whose element is OK is success: repeating it would double the text, so a missing or odd body only costs the sequence.
///
/// # Errors
/// [`LiveEngageError`].
pub fn send_answer(reply: &HttpReply) -> Result<Option<Sequence>, LiveEngageError> {
    let body = send_body(reply)?;
    let sequence = body.get("sequence").and_then(|sequence| match sequence {
        Value::String(digits) => digits.parse().ok(),
        number => number.as_u64(),
    });
    Ok(sequence.map(Sequence))
}

/// The body of a SEND's answer, `Null` for an odd one.
pub(super) fn send_body(reply: &HttpReply) -> Result<Value, LiveEngageError> {
    answer::accepted(SEND, reply)
}
