//! Queues: FIFO, at least once, deduplicated for five minutes.

use async_trait::async_trait;
use jiff::SignedDuration;

use crate::domain::code::Code;

/// The queue did not take it, or not all of it. Safe to send again: what was taken is deduplicated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the queue can't be used: {code}")]
pub struct QueueError {
    /// The service's error code.
    pub code: Code,
}

/// A message for a queue.
#[derive(Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// The body, JSON.
    pub body: String,
    /// Messages of one group keep their order, and one of them at a time is worked on. At most 128 characters, no personal data.
    pub group: String,
    /// A message with the same id within five minutes is taken and thrown away. At most 128 characters.
    pub deduplication: String,
}

impl std::fmt::Debug for QueueMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueueMessage")
            .field("group", &self.group)
            .field("deduplication", &self.deduplication)
            .finish_non_exhaustive()
    }
}

/// The sending side of one queue.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends all messages in order. `Ok` only when every one was taken.
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError>;
}

/// The receiving side's way to say when a message comes again.
#[async_trait]
pub trait Postpone: Send + Sync {
    /// Lets the messages with these receipt handles come again after these times (at most 12 hours).
    async fn postpone(&self, messages: Vec<(String, SignedDuration)>) -> Result<(), QueueError>;
}
