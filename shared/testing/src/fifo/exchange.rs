//! The parameters and results of a queue's operations.

use std::collections::BTreeSet;
use std::time::Duration;

#[cfg(doc)]
use super::LOOK_THROUGH;
use super::{MAX_BATCH, NewMessage, ReceivedMessage};

/// The options of a queue. The queue doesn't check AWS's limits, so that a simulation can use shorter times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FifoOptions {
    /// The visibility timeout of a receive that sets none (AWS: at most 12 hours, 30 seconds by default).
    pub visibility_timeout: Duration,
    /// How often a message is received before it moves to the dead-letter queue (AWS: 1 to 1000); `None` for no limit.
    pub max_receive_count: Option<u32>,
    /// How long after it was sent to this queue a message is dropped (AWS: 60 seconds to 14 days, 4 days by default);
    /// `None` to keep messages until they are deleted.
    pub retention: Option<Duration>,
    /// The number of messages, from the oldest one, that the queue looks through for a group that can be received (AWS: [`LOOK_THROUGH`]).
    pub look_through: usize,
}

/// The result of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReceipt {
    /// The message's id. For a duplicate it is that of the first send.
    pub message_id: String,
    /// The message's sequence number. For a duplicate it is that of the first send.
    pub sequence_number: String,
    /// Whether the queue already had this deduplication id in this group and added nothing.
    pub duplicate: bool,
}

/// The result of a receive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiveResult {
    /// The received messages, in order within each group. They are in flight.
    pub messages: Vec<ReceivedMessage>,
    /// The messages that had been received too often. They are no longer in the queue.
    pub dead_letters: Vec<DeadLetter>,
}

/// A message that was received too often and moves to the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message's id. The message keeps it in the dead-letter queue.
    pub message_id: String,
    /// The message as it was sent.
    pub message: NewMessage,
}

/// The number of messages in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Visible messages, including those of blocked groups, as `ApproximateNumberOfMessages` counts them.
    pub visible: usize,
    /// Messages that were received and are neither deleted nor visible again.
    pub in_flight: usize,
}

impl QueueCounts {
    /// Returns the number of all messages in the queue.
    pub fn total(self) -> usize {
        self.visible + self.in_flight
    }
}

/// The options of a receive.
#[derive(Debug, Clone)]
pub struct ReceiveOptions {
    /// The maximum number of messages, 1 to 10.
    pub max: usize,
    /// The visibility timeout of the messages; `None` for the queue's own.
    pub visibility_timeout: Option<Duration>,
    /// Groups to skip. AWS has no such parameter: the event source mapping uses it to keep a group in one invocation,
    /// as Lambda does.
    pub busy_groups: BTreeSet<String>,
}

impl Default for ReceiveOptions {
    fn default() -> Self {
        Self { max: MAX_BATCH, visibility_timeout: None, busy_groups: BTreeSet::new() }
    }
}
