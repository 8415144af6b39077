//! SEND of events: texts, files, what became of a message, typing.

use serde_json::{Value, json};
use url::Url;

use super::{Credentials, LONGEST_REQUEST, send};
use crate::{
    domain::{
        http::HttpCall,
        id::{ConversationId, DialogId, Sequence},
        text::split,
    },
    liveengage::{
        LiveEngageError,
        event::{AcceptStatus, ChatState},
        files::HostedFile,
    },
};

/// What the JSON around a text may take of [`LONGEST_REQUEST`]: ids are at most 256 characters each, and metadata of a choice at
/// most 1000.
const AROUND_TEXT: usize = 1800;

/// Where an event is published.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The conversation.
    pub conversation: &'a ConversationId,
    /// The dialog in it.
    pub dialog: &'a DialogId,
}

/// What a connector publishes.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A text of the consumer.
    Text(&'a str),
    /// A file of the consumer, which lies in LivePerson's storage already.
    File(&'a HostedFile),
    /// What became of these messages of the brand.
    Status(AcceptStatus, &'a [Sequence]),
    /// What the consumer is doing. A survey's dialog takes none (LivePerson's demo connector).
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

/// Publishes an event. `request_id` is at most 64 characters; `metadata` stands beside the body: what belongs to the button that
/// the consumer chose.
///
/// # Errors
/// [`LiveEngageError::Unsendable`] when the whole JSON is longer than [`LONGEST_REQUEST`].
pub fn publish_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    place: Place<'_>,
    event: Event<'_>,
    metadata: Option<&Value>,
) -> Result<HttpCall, LiveEngageError> {
    let mut body = json!({
        "kind": "req", "id": request_id, "type": "ms.PublishEvent",
        "body": {
            "dialogId": place.dialog.as_str(),
            "conversationId": place.conversation.as_str(),
            "event": event.json(),
        },
    });
    if let (Some(metadata), Some(body)) = (metadata, body.as_object_mut()) {
        body.insert("metadata".to_owned(), metadata.clone());
    }
    send(messaging, credentials, &body)
}

/// Splits a text so that each piece fits into a SEND request, after JSON's escaping, between graphemes.
pub fn text_pieces(text: &str) -> Vec<&str> {
    split(text, LONGEST_REQUEST - AROUND_TEXT, |piece| {
        piece
            .chars()
            .map(|c| match c {
                '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
                c if (c as u32) < 0x20 => 6,
                // Counted as UTF-16 units: which unit LiveEngage's "characters" are is not documented.
                c => c.len_utf16(),
            })
            .sum()
    })
}
