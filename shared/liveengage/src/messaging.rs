//! The Send API (service `asyncMessagingEnt`; Connector API, Send API pages). CONVERSATION opens a conversation, and SEND does everything
//! else.

use http::{HeaderName, HeaderValue, Method, header::AUTHORIZATION};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::{LiveEngageError, sentinel::AppJwt};
use crate::{
    id::{AccountId, Sequence},
    identity::ConsumerToken,
};
use connector_message::http::{HttpCall, HttpReply, InvalidHeader};

pub(crate) mod answer;
pub(crate) mod closing;
pub(crate) mod opening;
pub(crate) mod publishing;
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
pub use opening::{Campaign, Interaction, Routing, TimeToRespond, open_answer, open_request, profile_request};
pub use publishing::{DialogRef, Event, LONGEST_METADATA, Publication, publish_request, text_pieces};

const CONVERSATION: &str = "LiveEngage CONVERSATION";
/// The name of a SEND call in logs and errors.
pub const SEND: &str = "LiveEngage SEND";
const ON_BEHALF: HeaderName = HeaderName::from_static("x-lp-on-behalf");
const CLIENT_PROPERTIES: HeaderName = HeaderName::from_static("client-properties");

/// The longest request: 5000 characters of JSON, including metadata (Connector API Quickstart).
///
/// LiveEngage replies to a longer request with the same "Bad Request" as to any other error. Therefore the length is checked before
/// sending.
pub const LONGEST_REQUEST: usize = 5000;

/// The account, tokens and client properties of a call.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// The token that authenticates the connector.
    pub app_jwt: &'a AppJwt,
    /// The token that authenticates the consumer.
    pub consumer: &'a ConsumerToken,
    /// The header `Client-Properties`. Must be the same in every call of a conversation.
    pub client_properties: &'a ClientProperties,
}

pub(crate) fn characters(json: &str) -> usize {
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

/// Builds a SEND with one request.
pub(super) fn send(messaging: &Url, credentials: Credentials<'_>, body: &Value) -> Result<HttpCall, LiveEngageError> {
    let json = body.to_string();
    if characters(&json) > LONGEST_REQUEST {
        return Err(LiveEngageError::Unsendable { call: SEND, what: "the request is longer than 5000 characters" });
    }
    call(SEND, messaging, "/send", credentials, json)
}

/// Reads the reply to a SEND. Returns the sequence number of a published event, if the reply has one. For typing it has no meaning.
///
/// Every 2xx whose element is OK is a success: a retry would publish the text twice. A missing or unexpected body is therefore not an
/// error.
///
/// # Errors
/// [`LiveEngageError`], by the status and the message of the reply. [`LiveEngageError::Unreadable`] for a 2xx that is not JSON.
pub fn send_answer(reply: &HttpReply) -> Result<Option<Sequence>, LiveEngageError> {
    let body = send_body(reply)?;
    Ok(published_sequence(&body))
}

/// The sequence number in the body of the answer to `ms.PublishEvent`.
pub(crate) fn published_sequence(body: &Value) -> Option<Sequence> {
    let sequence = match body.get("sequence")? {
        Value::String(digits) => digits.parse().ok(),
        number => number.as_u64(),
    };
    sequence.map(Sequence)
}

/// The body of the reply to a SEND. `Null` if it is missing or unexpected.
pub(super) fn send_body(reply: &HttpReply) -> Result<Value, LiveEngageError> {
    answer::accepted(SEND, reply)
}
