//! SENDs that publish events: texts, files, message status and typing (`ms.PublishEvent`; Connector API, Send API page).

use serde_json::{Value, json};
use url::Url;

use super::{Credentials, LONGEST_REQUEST, send};
use crate::{
    LiveEngageError,
    event::{AcceptStatus, ChatState},
    files::HostedFile,
    id::{ConversationId, DialogId, Sequence},
};
use connector_message::{http::HttpCall, text::split};

/// The longest metadata of a text, in characters of JSON. [`text_pieces`] reserves space for it.
pub const LONGEST_METADATA: usize = 1000;

/// The part of [`LONGEST_REQUEST`] that is reserved for the JSON around a text: ids of at most 256 characters each, and metadata of at most
/// [`LONGEST_METADATA`].
const AROUND_TEXT: usize = 1800;

/// A dialog of a conversation, in which an event is published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DialogRef {
    /// The conversation.
    pub conversation: ConversationId,
    /// The dialog.
    pub dialog: DialogId,
}

impl DialogRef {
    /// The main dialog of a conversation.
    pub fn main_of(conversation: &ConversationId) -> Self {
        Self { conversation: conversation.clone(), dialog: DialogId::main_of(conversation) }
    }
}

/// An event with its metadata.
#[derive(Debug, Clone, Copy)]
pub struct Publication<'a> {
    /// The event.
    pub event: Event<'a>,
    /// The metadata of the button that the consumer chose.
    pub metadata: Option<&'a Value>,
}

impl<'a> From<Event<'a>> for Publication<'a> {
    fn from(event: Event<'a>) -> Self {
        Self { event, metadata: None }
    }
}

/// An event to publish.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A text of the consumer.
    Text(&'a str),
    /// A file of the consumer that was uploaded to LivePerson's storage.
    File(&'a HostedFile),
    /// The status of these messages of the brand.
    Status(AcceptStatus, &'a [Sequence]),
    /// The state of the consumer. Not allowed in the dialog of a survey (LivePerson's demo connector).
    ChatState(ChatState),
}

impl Event<'_> {
    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!({"type": "ContentEvent", "contentType": "text/plain", "message": text}),
            Self::File(file) => json!({"type": "ContentEvent", "contentType": "hosted/file", "message": file}),
            Self::Status(status, sequences) => {
                json!({"type": "AcceptStatusEvent", "status": status.name(), "sequenceList": sequences})
            }
            Self::ChatState(state) => json!({"type": "ChatStateEvent", "chatState": state.name()}),
        }
    }
}

/// Builds the SEND that publishes an event. `request_id` has at most 64 characters.
///
/// # Errors
/// [`LiveEngageError::Header`] for a token that can't be sent in a header, [`LiveEngageError::Unsendable`] if the JSON is longer than
/// [`LONGEST_REQUEST`].
pub fn publish_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    dialog: &DialogRef,
    publication: Publication<'_>,
) -> Result<HttpCall, LiveEngageError> {
    let body = publish_body(dialog, publication.event);
    let mut body = json!({"kind": "req", "id": request_id, "type": "ms.PublishEvent", "body": body});
    if let (Some(metadata), Some(body)) = (publication.metadata, body.as_object_mut()) {
        body.insert("metadata".to_owned(), metadata.clone());
    }
    send(messaging, credentials, &body)
}

/// The body of `ms.PublishEvent`.
pub(crate) fn publish_body(dialog: &DialogRef, event: Event<'_>) -> Value {
    json!({
        "dialogId": dialog.dialog.as_str(),
        "conversationId": dialog.conversation.as_str(),
        "event": event.json(),
    })
}

/// Splits a text between graphemes into pieces that fit into a SEND after JSON escaping.
pub fn text_pieces(text: &str) -> Vec<&str> {
    split(text, LONGEST_REQUEST - AROUND_TEXT, |piece| {
        piece
            .chars()
            .map(|c| match c {
                '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
                c if (c as u32) < 0x20 => 6,
                // UTF-16 units, the largest plausible unit: LivePerson doesn't document the unit of its limit.
                c => c.len_utf16(),
            })
            .sum()
    })
    .collect()
}
