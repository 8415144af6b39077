//! What is left lying for a person, as the operator's commands need it: parked messages in the store, and dead letters.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{QueueError, StoreError};
use crate::domain::delivery::{MessageKey, Parked};

/// The store's own name of a parked message: unique in the store, and without anything of the message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParkedId(String);

impl ParkedId {
    /// Wraps a name that the store gave.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A parked message as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedMessage {
    /// Names it in the store.
    pub id: ParkedId,
    /// The message that was parked.
    pub message: MessageKey,
    /// What was kept of it.
    pub parked: Parked,
    /// When sending it again was begun and, as it is still here, not ended.
    pub begun: Option<Timestamp>,
}

/// All that is parked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedList {
    /// The messages, in no order.
    pub messages: Vec<ParkedMessage>,
    /// How many more items are there that this version can't read.
    pub unreadable: usize,
}

/// Answer to letting a parked message be worked on again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reopened {
    /// It may be worked on.
    Reopened,
    /// A worker is at it at this moment.
    Busy,
    /// It is not parked any more, or somebody else has begun to send it again.
    Taken,
}

/// What is parked.
#[async_trait]
pub trait ParkedMessages: Send + Sync {
    /// Everything that is parked, strongly consistent. Of one line alone nothing can be done: what a redrive would overtake may be kept
    /// under another, or under none.
    async fn parked(&self) -> Result<ParkedList, StoreError>;

    /// Lets a settled message be worked on again at `now`, and notes on the parked one that this was done, in one transaction:
    /// it is done once for each parked message, however often sending it is tried. The steps that were done stay done.
    async fn reopen(&self, parked: &ParkedMessage, now: Timestamp) -> Result<Reopened, StoreError>;

    /// Whether a worker is through with a message that was reopened: it has arrived, or is parked again.
    async fn is_settled(&self, message: &MessageKey) -> Result<bool, StoreError>;

    /// Takes the message out of what is parked. One that is not there is fine.
    async fn forget(&self, id: &ParkedId) -> Result<(), StoreError>;
}

/// A message that a queue gave up. `Debug` hides its body.
#[derive(Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The queue's id of the message.
    pub id: String,
    /// The group that it was in, and still is.
    pub group: String,
    /// When it was given up.
    pub at: Timestamp,
    /// For deleting it or giving it back.
    pub receipt: String,
    /// The message as it came: it holds the text.
    pub body: String,
}

impl std::fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetter").field("id", &self.id).field("at", &self.at).finish_non_exhaustive()
    }
}

/// One dead-letter queue.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Takes up to ten letters, in order within each group; nobody else gets them for some minutes. A group of which letters are
    /// held gives out no more. None: there are no others.
    async fn receive(&self) -> Result<Vec<DeadLetter>, QueueError>;

    /// How many there are, held ones included. The queue counts with a delay.
    async fn count(&self) -> Result<usize, QueueError>;

    /// Deletes a letter that was received.
    async fn delete(&self, receipt: &str) -> Result<(), QueueError>;

    /// Gives letters back, to be received by anybody.
    async fn release(&self, receipts: Vec<String>) -> Result<(), QueueError>;
}
