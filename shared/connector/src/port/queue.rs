//! Queues: FIFO, at least once, deduplicated for five minutes.

use async_trait::async_trait;
use jiff::SignedDuration;

use connector_message::code::Code;

/// The queue did not accept all messages. Sending them again is safe, because accepted messages are deduplicated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the queue can't be used: {code}")]
pub struct QueueError {
    /// The service's error code.
    pub code: Code,
}

/// A message for a queue.
#[derive(Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// The body: JSON.
    pub body: String,
    /// The message group. The messages of a group keep their order, and one at a time is handled. At most 128 characters, no personal data.
    pub group: String,
    /// The deduplication id. A message with the same id within five minutes is accepted and dropped. At most 128 characters.
    pub deduplication: String,
}

// By hand: it names the fields that are safe to show, so a field that is added later stays hidden.
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
    /// Sends all messages in order. `Ok` only if the queue has accepted every one.
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError>;
}

/// Sets when a received message is delivered again.
#[async_trait]
pub trait Postpone: Send + Sync {
    /// Has the messages with these receipt handles delivered again after these times (at most 12 hours).
    async fn postpone(&self, messages: Vec<(String, SignedDuration)>) -> Result<(), QueueError>;
}
