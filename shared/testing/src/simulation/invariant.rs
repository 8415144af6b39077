//! The promises that a simulation checks, and what it counts.

use std::fmt;

/// A promise that was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// A message was acknowledged or taken off the queue, and is nowhere.
    Lost,
    /// A message was shown again although it was recorded, or nothing hid that it was shown.
    Doubled,
    /// A message was shown before one that was written and arrived earlier.
    Reordered,
    /// A message was parked without a notice to its sender.
    NotTold,
    /// Two attempts had the lease of a message.
    TwoOwners,
    /// A message became a dead letter.
    DeadLetter,
    /// A log event holds a text or a number of a consumer.
    Leaked,
    /// A consumer was shown what was not for them.
    Misdirected,
    /// Not everything was settled in time after the faults had ended.
    Unsettled,
}

/// A broken promise, with what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The promise.
    pub invariant: Invariant,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}

/// The counts of a simulation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that consumers and agents wrote.
    pub written: u64,
    /// Messages that were shown completely.
    pub delivered: u64,
    /// Messages that are parked. Their sender was told.
    pub parked: u64,
    /// Messages that the connector never accepted: LiveEngage has dropped their notifications, or a channel has given up.
    pub never_accepted: u64,
    /// Pieces that were shown once more, where the guarantees allow it.
    pub doubled_in_a_window: u64,
    /// Invocations of functions.
    pub invocations: u64,
    /// Invocations that were killed or ran out of time.
    pub stopped: u64,
}
