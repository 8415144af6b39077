//! The events of a conversation, in the format of the Send API and the webhooks.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::terms::WebhookEvent;

/// The role of a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// The consumer.
    Consumer,
    /// The agent who accepted the conversation.
    AssignedAgent,
    /// Another agent, or the bot of a survey.
    Agent,
    /// A manager who joined.
    Manager,
    /// A manager who took over the conversation.
    AssignedManager,
    /// A manager who joined, as some versions name it.
    AgentManager,
    /// The controller bot, which sends automatic messages.
    Controller,
    /// Someone who only reads.
    Reader,
}

/// Who may see an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Audience {
    /// Everyone, including the consumer.
    All,
    /// Private messages of the desk: a connector must not pass them on.
    AgentsAndManagers,
}

/// A participant's receipt for messages of the other side.
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
pub enum ChatState {
    /// Present, and not typing.
    Active,
    /// Present and inactive.
    Inactive,
    /// Left.
    Gone,
    /// Typing. The state lasts until another one arrives, even after the text was sent.
    Composing,
    /// Paused typing.
    Pause,
    /// The app is in the background. Seen in notifications, but not documented.
    Background,
}

/// The content of a `ContentEvent`, by its content type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "contentType", rename_all_fields = "camelCase")]
pub(super) enum Content {
    #[serde(rename = "text/plain")]
    Text {
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quick_replies: Option<Value>,
    },
    #[serde(rename = "hosted/file")]
    File { message: HostedFile },
    #[serde(rename = "forms/secure-invitation")]
    FormInvitation { message: FormInvitation },
    #[serde(rename = "forms/secure-submission")]
    FormSubmission { message: FormSubmission },
}

/// A file in the file storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HostedFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) caption: Option<String>,
    pub(super) relative_path: String,
    pub(super) file_type: String,
    /// A small preview picture as a data URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) preview: Option<String>,
}

/// The agent asks the consumer to fill in a secure form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FormInvitation {
    pub(super) invitation_id: String,
    pub(super) title: String,
}

/// The consumer has filled in a secure form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FormSubmission {
    pub(super) invitation_id: String,
}

/// An event. Anything that doesn't parse as one of these is a malformed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(super) enum Event {
    #[serde(rename = "ContentEvent")]
    Content(Content),
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
        Self::text_with(message, None)
    }

    /// A text, optionally with choices.
    pub(super) fn text_with(message: &str, quick_replies: Option<Value>) -> Self {
        Self::Content(Content::Text { message: message.to_owned(), quick_replies })
    }

    pub(super) fn chat_state(chat_state: ChatState) -> Self {
        Self::ChatState { chat_state }
    }

    /// Whether only agents and bots may send it.
    pub(super) fn is_from_agents_only(&self) -> bool {
        matches!(
            self,
            Self::RichContent { .. }
                | Self::Content(Content::Text { quick_replies: Some(_), .. } | Content::FormInvitation { .. })
        )
    }

    /// Content and accept events share the sequence of their dialog. Chat states have no number.
    pub(super) fn takes_sequence(&self) -> bool {
        !matches!(self, Self::ChatState { .. })
    }

    pub(super) fn webhook_event(&self) -> WebhookEvent {
        match self {
            Self::Content(_) => WebhookEvent::Content,
            Self::RichContent { .. } => WebhookEvent::RichContent,
            Self::AcceptStatus { .. } => WebhookEvent::AcceptStatus,
            Self::ChatState { .. } => WebhookEvent::ChatState,
        }
    }
}
