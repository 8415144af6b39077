//! What the fault plan observes around the functions.

use super::tag::{Piece, Tag};

/// Something that happened around the functions. Observations are in the order in which they happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observation {
    /// The connector answered the message's webhook with success.
    Arrived(Tag),
    /// A worker received a batch with these messages.
    Started { invocation: u64, tags: Vec<Tag> },
    /// The recipient accepted a piece.
    Accepted(Piece),
    /// The answer to the last acceptance of the piece did not reach the worker.
    AnswerLost(Piece),
    /// The last step of the message, or its end, was saved to the table.
    StepSaved(Tag),
    /// A fault prevented such a save.
    SaveFailed(Tag),
    /// The worker was killed or timed out.
    Killed(u64),
}
