//! The Consumer Messaging History API (service `msgHist`; developer center): what LiveEngage has kept of a consumer's conversations.
//!
//! [`conversations_request`] lists a consumer's conversations, a page at a time, and [`events_request`] gets the events of one. LivePerson
//! keeps 13 months. The list has conversations that have ended, never open ones.
//!
//! The documentation names the token of the Messaging Window API. Whether the history takes a connector's ConsumerJWS too is not documented:
//! an account that doesn't let it in answers with [`LiveEngageError::ConsumerJwsRefused`].
//!
//! ```
//! use connector_liveengage::{
//!     history::{ConversationSearch, conversations_answer, conversations_request, events_answer, events_request},
//!     id::AccountId, identity::ConsumerToken,
//! };
//! use connector_message::http::HttpReply;
//!
//! let (account, consumer) = (AccountId::new("72419083")?, ConsumerToken::new("consumer.jws"));
//! let host = "https://va.msghist.liveperson.net".parse()?;
//! let search = ConversationSearch::default();
//! let call = conversations_request(&host, &account, &consumer, &search)?;
//! assert_eq!(call.url.path(), "/messaging_history/api/account/72419083/conversations/consumer/metadata/search");
//!
//! // Send `call` with an HTTP client, and read the reply.
//! let reply = |body: &'static str| HttpReply { status: http::StatusCode::OK, retry_after: None, body: body.into() };
//! let page = conversations_answer(&reply(
//!     r#"{"_responseMetadata": {"count": 1}, "conversationHistoryMetadataRecords": [{"convId": "c-1", "state": "CLOSE"}]}"#,
//! ))?;
//! assert_eq!(search.next(&page), None, "there is no second page");
//!
//! let call = events_request(&host, &account, &consumer, &page.conversations[0].id)?;
//! assert_eq!(call.url.query(), Some("conversationId=c-1"));
//! let history = events_answer(&reply(
//!     r#"{"messageEventRecords": [{"sequence": 3, "originatorId": "a-1", "serverTimestamp": 1790000000000,
//!         "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "It has arrived."}}]}"#,
//! ))?;
//! assert!(history.events[0].kind.is_content());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use http::{Method, StatusCode, header::AUTHORIZATION};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::{LiveEngageError, error::classify, id::AccountId, identity::ConsumerToken};
use connector_message::{
    http::{HttpCall, HttpReply},
    json,
};

mod conversations;
mod events;
#[cfg(test)]
mod tests;

pub use conversations::{
    ConversationPage, ConversationRecord, ConversationSearch, MOST_CONVERSATIONS, Participant, RecordedSatisfaction,
    conversations_answer, conversations_request,
};
pub use events::{ConversationHistory, HistoryEvent, events_answer, events_request};

/// Builds a call of the history. `Authorization` is the consumer's token with `Bearer`, as in LivePerson's own client.
fn call(
    name: &'static str,
    history: &Url,
    path: &str,
    account: &AccountId,
    consumer: &ConsumerToken,
) -> Result<HttpCall, LiveEngageError> {
    let mut url = history.clone();
    url.set_path(&format!("/messaging_history/api/account/{account}/conversations/{path}"));
    url.set_query(None);
    let bearer = SecretString::from(format!("Bearer {}", consumer.expose()));
    Ok(HttpCall::new(name, Method::GET, url).secret_header(AUTHORIZATION, &bearer)?)
}

/// Reads the JSON of a 200.
///
/// # Errors
/// [`LiveEngageError::ConsumerJwsRefused`] for 401, because the call has no other token, [`LiveEngageError::Unreadable`] for a body that
/// is not JSON, otherwise by the status.
fn document(call: &'static str, reply: &HttpReply) -> Result<Value, LiveEngageError> {
    match reply.status {
        StatusCode::OK => {
            json::read(&reply.body).map_err(|_| LiveEngageError::Unreadable { call, what: "it is not JSON" })
        }
        StatusCode::UNAUTHORIZED => Err(LiveEngageError::ConsumerJwsRefused { call }),
        _ => Err(classify(call, reply, None)),
    }
}

/// Reads each record by itself. Returns those that can be read, and the number of the others: a record that this version can't read must
/// not hide the rest.
fn records<T>(list: Option<&Value>, read: impl Fn(&Value) -> Option<T>) -> (Vec<T>, usize) {
    let list = json::one_or_many(list);
    let read: Vec<T> = list.iter().filter_map(read).collect();
    let unreadable = list.len() - read.len();
    (read, unreadable)
}
