//! What to do after a failure.

use jiff::SignedDuration;

/// What to do with a message after a failure. Every error type of the connector maps to one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Retry: the failure is expected to pass.
    Retry {
        /// The minimum wait, if the other side named one. Without it, the connector's retry schedule decides.
        after: Option<SignedDuration>,
    },
    /// Retry after exactly this time: something on the connector's side is not ready yet (a lease, a webhook that has not arrived).
    Defer {
        /// How long to wait.
        after: SignedDuration,
    },
    /// Keep the message and the reason for an operator: a retry would fail again.
    Park,
}

impl Disposition {
    /// Retry on the connector's schedule.
    pub const RETRY: Self = Self::Retry { after: None };
}
