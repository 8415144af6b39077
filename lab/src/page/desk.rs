//! The agents' side of the page.

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use super::view::{ActionError, BubbleView, Media, UploadedFile};

/// The agents' desk. What a desk does not have, it does not implement: a request for it is rejected.
#[async_trait]
pub trait Desk: Send + Sync {
    /// All conversations, the newest first.
    async fn conversations(&self) -> Vec<DeskConversationView>;
    /// What the agent sees, oldest first; `None` for a conversation that nobody knows.
    async fn transcript(&self, conversation: &str) -> Option<Vec<DeskBubbleView>>;
    /// The agent writes a text.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed, or the text is not taken.
    async fn say(&self, conversation: &str, text: &str) -> Result<(), ActionError>;
    /// The agent sends a card, or a text with quick replies.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed, or the message is not taken.
    async fn say_rich(&self, conversation: &str, message: RichMessage) -> Result<(), ActionError>;
    /// The agent closes the conversation. A survey may follow.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or already closed.
    async fn close(&self, conversation: &str) -> Result<(), ActionError>;
    /// The agent sends a file.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed, or the file is not taken.
    async fn say_file(&self, _conversation: &str, _file: UploadedFile) -> Result<(), ActionError> {
        Err(lacks("files"))
    }
    /// The agent begins to type, or stops.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed.
    async fn typing(&self, _conversation: &str, _typing: bool) -> Result<(), ActionError> {
        Err(lacks("typing indicators"))
    }
    /// The agent reads what the consumer wrote.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed.
    async fn read(&self, _conversation: &str) -> Result<(), ActionError> {
        Err(lacks("read receipts"))
    }
    /// The agent hands the conversation to a skill, by its id.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed, or the skill is not one.
    async fn transfer(&self, _conversation: &str, _skill: &str) -> Result<(), ActionError> {
        Err(lacks("skills"))
    }
    /// The agent puts the conversation back into the queue of its skill.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or closed.
    async fn leave(&self, _conversation: &str) -> Result<(), ActionError> {
        Err(lacks("queue"))
    }
    /// Whether a survey follows the conversations that open from now on; `None` if that can't be set here.
    async fn survey(&self) -> Option<bool> {
        None
    }
    /// Sets whether a survey follows the conversations that open from now on.
    ///
    /// # Errors
    /// [`ActionError`] when it can't be set.
    async fn set_survey(&self, _on: bool) -> Result<(), ActionError> {
        Err(lacks("surveys"))
    }
    /// The bytes behind a [`super::AttachmentView::Picture`] or [`super::AttachmentView::File`]; `None` for an id that
    /// nobody knows.
    async fn media(&self, _id: &str) -> Option<Media> {
        None
    }
}

fn lacks(what: &str) -> ActionError {
    ActionError::Rejected(format!("this desk has no {what}"))
}

/// A message with more than text, in the JSON of LivePerson's structured content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RichMessage {
    /// Structured content, sent as a `RichContentEvent`.
    Card {
        /// The root element, an object.
        content: Value,
        /// The choices below the card, an object of type `quickReplies`.
        quick_replies: Option<Value>,
    },
    /// A text with choices below it, sent as a `ContentEvent`.
    Text {
        /// The text.
        text: String,
        /// The choices, an object of type `quickReplies`.
        quick_replies: Value,
    },
}

/// One conversation in the agent's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskConversationView {
    /// The id, which is also what the conversation is asked for by.
    pub id: String,
    /// Who the consumer is, for example a name or a phone number.
    pub title: String,
    /// Whether the agent can still write.
    pub state: ConversationState,
    /// When it was opened, milliseconds since the epoch.
    pub opened_at_ms: i64,
    /// The latest text, for the list.
    pub last_text: Option<String>,
    /// How many messages its transcript has: the page counts the unread ones with it.
    pub messages: usize,
    /// The skill it is routed to, by its id or name.
    pub skill: Option<String>,
    /// Whether an agent has accepted it.
    pub agent_joined: bool,
    /// Whether the consumer is typing.
    pub consumer_is_typing: bool,
    /// Its dialogs, oldest first; the first one is the conversation with the agent.
    pub dialogs: Vec<DialogView>,
    /// How content the consumer was, 1 to 5, once that is known.
    pub satisfaction: Option<u8>,
}

/// One dialog of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DialogView {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub kind: DialogKind,
    /// Whether it still takes messages.
    pub open: bool,
}

/// What a dialog is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DialogKind {
    /// The consumer talks with the agent.
    Main,
    /// A bot asks the consumer how it was.
    Survey,
}

/// Whether a conversation goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationState {
    /// Both sides can write.
    Open,
    /// The agent is done, and the consumer's texts answer a survey.
    Survey,
    /// It is over; the consumer's next text starts another one.
    Closed,
}

/// One message in the agent's transcript: a bubble, with what only the desk shows of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeskBubbleView {
    /// The bubble; in JSON its members stand beside those below. Of a card, its text is a summary.
    #[serde(flatten)]
    pub bubble: BubbleView,
    /// The text and the parts of a structured message in reading order; empty for a plain text.
    pub card: Vec<CardPartView>,
    /// The metadata that came with it, each as type and value, for example `ExternalId: Yes-1234`.
    pub tags: Vec<String>,
    /// The dialog it was said in.
    pub dialog: DialogKind,
    /// Who speaks, if it is neither the consumer nor the assigned agent, for example `Survey bot`.
    pub speaker: Option<String>,
    /// Whether only agents and managers may see it.
    pub private: bool,
}

/// One part of a structured message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CardPartView {
    /// What it is.
    pub kind: CardPartKind,
    /// Its text as it is: the page never reads it as markup.
    pub text: String,
    /// Where it is or leads, or what choosing it says.
    pub detail: Option<String>,
    /// The metadata that choosing it sends back, as in [`DeskBubbleView::tags`].
    pub tags: Vec<String>,
}

/// What a part of a structured message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CardPartKind {
    /// The beginning of one card of several.
    Heading,
    /// A text.
    Text,
    /// An image, a map, or the preview of a link.
    Media,
    /// A button.
    Button,
    /// A choice in a list, of which several can be made.
    Checkbox,
    /// A choice below the message.
    QuickReply,
    /// Something that has no words of its own.
    Other,
}
