//! What arrives: responses, notifications, and what can't be used.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{CALL, RequestId, RequestKind, SubscriptionId};
use crate::{
    LiveEngageError,
    error::classify,
    files::{TemporaryUrl, temporary_url},
    id::{ConversationId, Sequence},
    messaging::{answer::ReplyElement, published_sequence},
    notification::{self, Change, NotificationType, UnreadableChange},
    tolerant,
};
use connector_message::{code::Code, http::HttpReply, json};

/// A text frame from LiveEngage. Nothing that arrives is an error: a frame that can't be used is a value that says so.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// The answer to a request.
    Response(Response),
    /// The changes of a notification. A change of a known type that can't be read is an error of its own.
    Notification(Vec<Result<Change, UnreadableChange>>),
    /// A notification of an unknown type, or a frame of an unknown kind, with its type.
    Unknown(Code),
    /// Not a JSON object.
    NotJson,
}

impl Frame {
    /// Reads a text frame.
    pub fn read(text: &str) -> Self {
        let Ok(frame @ Value::Object(_)) = json::read::<Value>(text.as_bytes()) else { return Self::NotJson };
        match frame.get("kind").and_then(Value::as_str) {
            Some("resp") => Self::Response(Response::read(frame)),
            // Older answers of the Send API have no kind.
            None if frame.get("reqId").is_some() => Self::Response(Response::read(frame)),
            _ => read_notification(frame),
        }
    }
}

fn type_of(frame: &Value) -> Option<&str> {
    frame.get("type").or_else(|| frame.pointer("/body/type")).and_then(Value::as_str)
}

fn read_notification(mut frame: Value) -> Frame {
    let name = Code::of(type_of(&frame).unwrap_or_default());
    // In the SDK's generation, an event is not in a list of changes.
    if type_of(&frame).is_some_and(|name| name.ends_with(".OnlineEventDistribution")) {
        let event = frame.get_mut("body").map(Value::take).unwrap_or_default();
        return Frame::Notification(vec![notification::read(NotificationType::MessagingEvent, &event)]);
    }
    match notification::split_value(frame) {
        Ok((Some(kind), changes)) => {
            Frame::Notification(changes.iter().map(|change| notification::read(kind, change)).collect())
        }
        Ok((None, _)) | Err(_) => Frame::Unknown(name),
    }
}

/// The answer to a request. `Debug` hides its body, which can hold URLs with signatures.
#[derive(derive_more::Debug, Clone, PartialEq)]
#[debug("Response({request:?})")]
pub struct Response {
    /// The id of the request. `None` if it is missing or not an id: nobody waits for this response.
    pub request: Option<RequestId>,
    /// The whole response.
    content: Value,
}

impl Response {
    fn read(content: Value) -> Self {
        let request = match content.get("reqId") {
            Some(Value::String(id)) => RequestId::new(id.as_str()).ok(),
            // A numeric id normally comes back as a string.
            Some(Value::Number(id)) => RequestId::new(id.to_string()).ok(),
            _ => None,
        };
        Self { request, content }
    }

    fn body(&self, kind: RequestKind) -> Result<Value, LiveEngageError> {
        let element = ReplyElement::deserialize(&self.content).unwrap_or_default();
        if element.is_ok() {
            return Ok(element.body);
        }
        let reply = HttpReply {
            status: element.status(),
            retry_after: None,
            body: json!({"code": element.status().as_u16(), "body": element.body}).to_string().into(),
        };
        Err(match classify(CALL, &reply, None) {
            // There is no AppJWT on this API: a 401 is about the consumer's token.
            LiveEngageError::AppJwtRefused { call } => LiveEngageError::ConsumerJwsRefused { call },
            // The words are about the request for a conversation only.
            LiveEngageError::ConversationClosed { call } if kind == RequestKind::RequestConversation => {
                LiveEngageError::Refused { call, status: reply.status.as_u16(), code: Code::NONE }
            }
            error => error,
        })
    }

    /// Reads the answer to a request of this type. The type of the answer is ignored, because its name differs by age.
    ///
    /// # Errors
    /// [`LiveEngageError`], by the response's code and message. [`LiveEngageError::Unreadable`] if the new conversation's id is missing.
    pub fn answer(&self, kind: RequestKind) -> Result<Answer, LiveEngageError> {
        let body = self.body(kind)?;
        let text = |field: &str| body.get(field).and_then(Value::as_str);
        Ok(match kind {
            RequestKind::GetClock => {
                let millis = body.get("currentTime").and_then(tolerant::number);
                Answer::Clock(millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()))
            }
            RequestKind::RequestConversation => {
                let id = text("conversationId").and_then(|id| ConversationId::new(id).ok());
                Answer::Conversation(id.ok_or(LiveEngageError::Unreadable { call: CALL, what: "no conversationId" })?)
            }
            RequestKind::PublishEvent => Answer::Published(published_sequence(&body)),
            RequestKind::SubscribeConversations => {
                Answer::Subscribed(text("subscriptionId").and_then(|id| SubscriptionId::new(id).ok()))
            }
            RequestKind::UpdateConversation
            | RequestKind::UnsubscribeConversations
            | RequestKind::SubscribeEvents
            | RequestKind::SetUserProfile
            | RequestKind::UploadUrl
            | RequestKind::DownloadUrl => Answer::Done,
        })
    }

    /// Reads the answer to [`RequestKind::UploadUrl`] and [`RequestKind::DownloadUrl`]: a URL at `swift`, the account's storage.
    ///
    /// # Errors
    /// As [`Self::answer`], and [`LiveEngageError::Unreadable`] without a path and a signature.
    pub fn temporary_url(&self, swift: &Url) -> Result<TemporaryUrl, LiveEngageError> {
        temporary_url(CALL, self.body(RequestKind::DownloadUrl)?, swift)
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// LiveEngage's time. `None` if the answer doesn't have it.
    Clock(Option<Timestamp>),
    /// The new conversation.
    Conversation(ConversationId),
    /// The sequence number of the published event. Without a meaning for typing.
    Published(Option<Sequence>),
    /// The id of the subscription to conversations.
    Subscribed(Option<SubscriptionId>),
    /// Done, without a result.
    Done,
}
