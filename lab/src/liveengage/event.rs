//! The events of a conversation, in the form that the Send API takes and the webhooks carry.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::options::WebhookEvent;

/// Who acts in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// The person who writes in.
    Consumer,
    /// The agent who accepted the conversation.
    AssignedAgent,
}

/// Who may see an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Audience {
    /// Everyone, the consumer too.
    All,
    /// The private messages of the desk: a connector must not pass them on.
    AgentsAndManagers,
}

/// What a participant says about messages of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AcceptStatus {
    /// Delivered.
    Accept,
    /// Read.
    Read,
    /// A file was opened.
    Access,
    /// Not received.
    Nack,
    /// Answered by choosing an element of a card.
    Action,
}

/// Typing and presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum ChatState {
    Active,
    Inactive,
    Gone,
    Composing,
    Pause,
    Background,
}

/// The content types that the simulator carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ContentType {
    #[serde(rename = "text/plain")]
    TextPlain,
}

/// One event. Anything that does not parse as one of these is a malformed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(super) enum Event {
    #[serde(rename = "ContentEvent")]
    Content {
        message: String,
        content_type: ContentType,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quick_replies: Option<Value>,
    },
    #[serde(rename = "RichContentEvent")]
    RichContent {
        content: Value,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quick_replies: Option<Value>,
    },
    #[serde(rename = "AcceptStatusEvent")]
    AcceptStatus { status: AcceptStatus, sequence_list: Vec<u64> },
    #[serde(rename = "ChatStateEvent")]
    ChatState { chat_state: ChatState },
}

impl Event {
    pub(super) fn text(message: &str) -> Self {
        Self::Content { message: message.to_owned(), content_type: ContentType::TextPlain, quick_replies: None }
    }

    /// A text with choices below it.
    pub(super) fn with_quick_replies(message: &str, quick_replies: Value) -> Self {
        Self::Content {
            message: message.to_owned(),
            content_type: ContentType::TextPlain,
            quick_replies: Some(quick_replies),
        }
    }

    /// Whether it is something that agents and bots send, and consumers do not.
    pub(super) fn is_structured(&self) -> bool {
        matches!(self, Self::RichContent { .. } | Self::Content { quick_replies: Some(_), .. })
    }

    /// Content and accept events share the sequence of their dialog; chat states take no number.
    pub(super) fn takes_sequence(&self) -> bool {
        !matches!(self, Self::ChatState { .. })
    }

    pub(super) fn webhook_event(&self) -> WebhookEvent {
        match self {
            Self::Content { .. } => WebhookEvent::Content,
            Self::RichContent { .. } => WebhookEvent::RichContent,
            Self::AcceptStatus { .. } => WebhookEvent::AcceptStatus,
            Self::ChatState { .. } => WebhookEvent::ChatState,
        }
    }
}
