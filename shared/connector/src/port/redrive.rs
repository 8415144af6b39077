//! What the operator's commands need: the parked messages in the store, and the dead-letter queues.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{QueueError, StoreError};
use crate::domain::{delivery::Parked, message_key::MessageKey};

/// The store's id of a parked message: unique in the store, and without content of the message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParkedId(String);

impl ParkedId {
    /// Wraps an id from the store.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A parked message in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedMessage {
    /// Its id in the store.
    pub id: ParkedId,
    /// The message that was parked.
    pub message: MessageKey,
    /// What is kept of it.
    pub parked: Parked,
    /// When resending it was begun. As the item still exists, resending is not finished.
    pub begun: Option<Timestamp>,
}

/// All parked messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedList {
    /// The messages, in no particular order.
    pub messages: Vec<ParkedMessage>,
    /// How many more items exist that this version can't read.
    pub unreadable: usize,
}

/// The result of reopening a parked message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopened {
    /// Workers can handle it again.
    Reopened,
    /// A worker is working on it.
    Busy,
    /// It is not parked any more, or another operator has begun to resend it.
    Taken,
}

/// The parked messages.
#[async_trait]
pub trait ParkedMessages: Send + Sync {
    /// Returns all parked messages, strongly consistent. A single line's wouldn't do: messages that a redrive would overtake may be kept
    /// under another line, or under none.
    async fn parked(&self) -> Result<ParkedList, StoreError>;

    /// Makes a settled message deliverable again at `now`, and records this on the parked item, in one transaction. So it is done once for
    /// each parked item, however often sending it is tried. Finished steps stay finished.
    async fn reopen(&self, parked: &ParkedMessage, now: Timestamp) -> Result<Reopened, StoreError>;

    /// Whether a worker has finished with a reopened message: it is delivered or parked again.
    async fn is_settled(&self, message: &MessageKey) -> Result<bool, StoreError>;

    /// Deletes the parked item. Does nothing if there is none.
    async fn forget(&self, id: &ParkedId) -> Result<(), StoreError>;
}

/// A message in a dead-letter queue. `Debug` hides its body.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue's id of the message.
    pub id: String,
    /// Its message group, the same as in the source queue.
    pub group: String,
    /// When it was moved to the dead-letter queue.
    pub at: Timestamp,
    /// The receipt handle, for deleting or releasing it.
    pub receipt: String,
    /// The body of the queue message. It holds the text.
    pub body: String,
}

// By hand: it names the fields that are safe to show, so a field that is added later stays hidden.
impl std::fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter").field("id", &self.id).field("at", &self.at).finish_non_exhaustive()
    }
}

/// One dead-letter queue.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Receives up to ten letters, in order within each group. They stay hidden from other receivers for some minutes, and so does the rest
    /// of their group. An empty list means that there are no others.
    async fn receive(&self) -> Result<Vec<DeadLetter>, QueueError>;

    /// Returns the approximate number of letters, including held ones.
    async fn count(&self) -> Result<usize, QueueError>;

    /// Deletes a received letter.
    async fn delete(&self, receipt: &str) -> Result<(), QueueError>;

    /// Makes received letters visible again.
    async fn release(&self, receipts: Vec<String>) -> Result<(), QueueError>;
}
