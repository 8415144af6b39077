//! The agents' side of the page.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::features::AccountFeatures;
use super::view::BubbleView;
use crate::action::{ActionError, Media, UploadedFile};

/// The agents' desk. A desk doesn't implement what it doesn't support, and a request for it is rejected.
#[async_trait]
pub trait Desk: Send + Sync {
    /// All conversations, newest first.
    async fn conversations(&self) -> Vec<DeskConversationView>;
    /// The transcript for the agent, oldest first; `None` for an unknown conversation.
    async fn transcript(&self, conversation: &str) -> Option<Vec<DeskBubbleView>>;
    /// Sends a text from the agent.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed, or the text is refused.
    async fn say(&self, conversation: &str, text: &str) -> Result<(), ActionError>;
    /// Sends a card from the agent, or a text with quick replies.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed, or the message is refused.
    async fn say_rich(&self, conversation: &str, message: RichMessage) -> Result<(), ActionError>;
    /// Closes the conversation. A survey may follow.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or already closed.
    async fn close(&self, conversation: &str) -> Result<(), ActionError>;
    /// Sends a file from the agent.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed, or the file is refused.
    async fn say_file(&self, _conversation: &str, _file: UploadedFile) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this desk", "files"))
    }
    /// Starts or stops typing.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed.
    async fn typing(&self, _conversation: &str, _typing: bool) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this desk", "typing indicators"))
    }
    /// Marks the consumer's messages as read.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed.
    async fn read(&self, _conversation: &str) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this desk", "read receipts"))
    }
    /// Transfers the conversation to a skill, by its id.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed, or the skill is invalid.
    async fn transfer(&self, _conversation: &str, _skill: &str) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this desk", "skills"))
    }
    /// Returns the conversation to the queue of its skill.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed.
    async fn leave(&self, _conversation: &str) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this desk", "returning to the queue"))
    }
    /// Whether a survey follows new conversations; `None` if this can't be set.
    async fn survey(&self) -> Option<bool> {
        None
    }
    /// Sets whether a survey follows new conversations.
    ///
    /// # Errors
    /// [`ActionError`] when it can't be set.
    async fn set_survey(&self, _on: bool) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this desk", "surveys"))
    }
    /// How LiveEngage sends its webhooks; `None` if this can't be set.
    async fn webhooks(&self) -> Option<WebhooksView> {
        None
    }
    /// Changes how LiveEngage sends its webhooks from now on.
    ///
    /// # Errors
    /// [`ActionError`] when it can't be set, or a value is refused. Then nothing is changed.
    async fn set_webhooks(&self, _change: WebhooksChange) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this desk", "webhooks"))
    }
    /// What LivePerson has enabled for the account; `None` if this can't be set.
    async fn features(&self) -> Option<AccountFeatures> {
        None
    }
    /// Sets what LivePerson has enabled for the account, all of it.
    ///
    /// # Errors
    /// [`ActionError`] when it can't be set.
    async fn set_features(&self, _features: AccountFeatures) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this desk", "features"))
    }
    /// Makes the tokens of all consumers of the Messaging Window API invalid, which closes their websockets.
    ///
    /// # Errors
    /// [`ActionError`] when the desk has no such consumers.
    async fn expire_window_tokens(&self) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this desk", "websockets"))
    }
    /// The file of a [`super::AttachmentView::Picture`] or [`super::AttachmentView::File`]; `None` for an unknown id.
    async fn media(&self, _id: &str) -> Option<Media> {
        None
    }
}

/// A message with more than a text, as JSON of LivePerson's structured content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RichMessage {
    /// Structured content, sent as a `RichContentEvent`.
    Card {
        /// The root element, an object.
        content: Value,
        /// The choices below the card, an object of type `quickReplies`.
        quick_replies: Option<Value>,
    },
    /// A text with choices, sent as a `ContentEvent`.
    Text {
        /// The text.
        text: String,
        /// The choices, an object of type `quickReplies`.
        quick_replies: Value,
    },
}

/// A conversation in the agent's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskConversationView {
    /// The id that requests use.
    pub id: String,
    /// The consumer's name or phone number.
    pub title: String,
    /// Whether the agent can still write.
    pub state: ConversationState,
    /// When it was opened, milliseconds since the epoch.
    pub opened_at_ms: i64,
    /// The latest text, for the list.
    pub last_text: Option<String>,
    /// The number of messages in its transcript. The page uses it to count unread messages.
    pub messages: usize,
    /// The skill that it is routed to, by id or name.
    pub skill: Option<String>,
    /// Whether an agent has accepted it.
    pub agent_joined: bool,
    /// Whether the consumer is typing.
    pub consumer_is_typing: bool,
    /// Its dialogs, oldest first. The first is the conversation with the agent.
    pub dialogs: Vec<DeskDialogView>,
    /// The consumer's rating, 1 to 5, once it is known.
    pub satisfaction: Option<u8>,
}

/// A dialog of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskDialogView {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: DialogKindView,
    /// Whether it accepts messages.
    pub open: bool,
}

/// The kind of a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DialogKindView {
    /// The consumer talks with the agent.
    Main,
    /// A bot asks the consumer to rate the conversation.
    Survey,
}

/// The state of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationState {
    /// Both sides can write.
    Open,
    /// The agent is done, and the consumer's texts answer a survey.
    Survey,
    /// It is closed. The consumer's next text opens another one.
    Closed,
}

/// A message in the agent's transcript: a bubble, with additional fields for the desk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeskBubbleView {
    /// The bubble. In JSON its members are on the same level as those below. The text of a card is a summary.
    #[serde(flatten)]
    pub bubble: BubbleView,
    /// The text and the parts of a structured message in reading order; empty for a plain text.
    pub card: Vec<CardPartView>,
    /// The metadata of the message, each as type and value, for example `ExternalId: Yes-1234`.
    pub tags: Vec<String>,
    /// The dialog of the message.
    pub dialog: DialogKindView,
    /// The speaker, if it is neither the consumer nor the assigned agent, for example `Survey bot`.
    pub speaker: Option<String>,
    /// Whether it is visible to agents and managers only.
    pub private: bool,
}

/// A part of a structured message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CardPartView {
    /// Its kind.
    pub kind: CardPartKind,
    /// Its raw text: the page never interprets it as markup.
    pub text: String,
    /// Its address or target, or the text that choosing it sends.
    pub detail: Option<String>,
    /// The metadata that choosing it sends, as in [`DeskBubbleView::tags`].
    pub tags: Vec<String>,
}

/// The kind of a part of a structured message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CardPartKind {
    /// The start of one of several cards.
    Heading,
    /// A text.
    Text,
    /// An image, a map, or the preview of a link.
    Media,
    /// A button.
    Button,
    /// A choice in a list that allows several choices.
    Checkbox,
    /// A choice below the message.
    QuickReply,
    /// A part without a text.
    Other,
}

/// How LiveEngage sends its webhooks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WebhooksView {
    /// `capabilities.webhooks` of the app install, without the values of headers, because these may be secrets.
    pub webhooks: Value,
    /// The algorithm and the encoding of the signature, for example `sha1-base64`.
    pub signature: &'static str,
    /// The generation of LivePerson's pages whose forms are used, `newest` or `oldest`; `null` for a mixture.
    pub forms: Option<&'static str>,
    /// The state of the app install in LivePerson's retry policy, for example `Up`.
    pub state: &'static str,
}

/// A change of the webhooks. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksChange {
    /// `capabilities.webhooks` of a manifest.
    pub webhooks: Option<Value>,
    /// The name of the signature.
    pub signature: Option<String>,
    /// The name of the generation.
    pub forms: Option<String>,
}
