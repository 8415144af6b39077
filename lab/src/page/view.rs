//! What the page shows: the two sides as traits, and their views as JSON.

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

/// The consumers' side of the page.
#[async_trait]
pub trait Phones: Send + Sync {
    /// All phones that are known, in a stable order.
    async fn phones(&self) -> Vec<PhoneView>;
    /// What the phone shows, oldest first; `None` for a phone that nobody knows.
    async fn transcript(&self, phone: &str) -> Option<Vec<BubbleView>>;
    /// The consumer writes a text. A phone that nobody knows comes into being.
    ///
    /// # Errors
    /// [`ActionError`] when the phone cannot send this.
    async fn send(&self, phone: &str, text: &str) -> Result<(), ActionError>;
}

/// The agents' side of the page.
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
    /// The agent closes the conversation.
    ///
    /// # Errors
    /// [`ActionError`] when the conversation is unknown or already closed.
    async fn close(&self, conversation: &str) -> Result<(), ActionError>;
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

/// Why something was not done, in words for the person at the page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// There is no such phone or conversation (404).
    #[error("{0}")]
    NotFound(String),
    /// The input or the state does not allow it (422).
    #[error("{0}")]
    Rejected(String),
    /// The simulator behind the page failed (502).
    #[error("{0}")]
    Failed(String),
}

/// One phone in the list of phones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneView {
    /// The number, which is also what the phone is asked for by.
    pub number: String,
    /// How many messages its transcript has: the page counts the unread ones with it.
    pub messages: usize,
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
}

/// Whether a conversation goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationState {
    /// Both sides can write.
    Open,
    /// It is over; the consumer's next text starts another one.
    Closed,
}

/// Who wrote a bubble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The consumer.
    Consumer,
    /// The agent.
    Agent,
    /// Nobody: a remark, for example that the conversation was closed.
    System,
}

/// How far a text has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BubbleState {
    /// On its way.
    Pending,
    /// Taken over by the next part.
    Accepted,
    /// On the other person's phone.
    Delivered,
    /// Read, or answered by a choice.
    Read,
    /// It will not arrive; the note tells why.
    Failed,
}

/// One message in a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BubbleView {
    /// Unique within the transcript.
    pub id: String,
    /// Who wrote it.
    pub side: Side,
    /// The text as it is: the page never reads it as markup.
    pub text: String,
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
    /// The sequence number, where messages have one.
    pub sequence: Option<u64>,
    /// How far it has come, where that is known.
    pub state: Option<BubbleState>,
    /// A remark beside the message, for example why it failed.
    pub note: Option<String>,
}

/// One message in the agent's transcript: a bubble, with what only the desk shows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskBubbleView {
    /// The bubble; in JSON its members stand beside those below. Of a card, its text is a summary.
    #[serde(flatten)]
    pub bubble: BubbleView,
    /// The text and the parts of a structured message in reading order; empty for a plain text.
    pub card: Vec<CardPartView>,
    /// The metadata that came with it, each as type and value, for example `ExternalId: Yes-1234`.
    pub tags: Vec<String>,
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

/// The address of one part of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What it is, for example `SMS gateway`.
    pub name: String,
    /// Its address.
    pub url: String,
}
