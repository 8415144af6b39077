//! What is asked of a queue, and what it answers.

use std::collections::BTreeSet;
use std::time::Duration;

use super::MAX_BATCH;

/// What a send answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReceipt {
    /// The message's id; of the first send, if this one was a duplicate.
    pub message_id: String,
    /// The message's sequence number; of the first send, if this one was a duplicate.
    pub sequence_number: String,
    /// Whether the queue already had this deduplication id in this group, and added nothing.
    pub duplicate: bool,
}

/// How many messages are in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Visible messages, those of a blocked group included, as `ApproximateNumberOfMessages` counts them.
    pub visible: usize,
    /// Received, neither deleted nor visible again.
    pub in_flight: usize,
}

impl QueueCounts {
    /// Every message that is still in the queue.
    pub fn total(self) -> usize {
        self.visible + self.in_flight
    }
}

/// How to receive.
#[derive(Debug, Clone)]
pub struct ReceiveOptions {
    /// The most messages to give out, 1 to 10.
    pub max: usize,
    /// How long the messages stay in flight; `None` for the queue's own timeout.
    pub visibility_timeout: Option<Duration>,
    /// Groups to leave alone although the queue would give them out. AWS has no such thing in its API: it is how the event source mapping
    /// keeps a group to one invocation, as Lambda does.
    pub busy_groups: BTreeSet<String>,
}

impl Default for ReceiveOptions {
    fn default() -> Self {
        Self { max: MAX_BATCH, visibility_timeout: None, busy_groups: BTreeSet::new() }
    }
}
