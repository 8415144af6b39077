//! Resends parked messages and dead letters: which ones, in which order, and without losing or duplicating any.
//!
//! Each message is sent to the group that it was in, in the order in which the connector accepted the messages. Later messages may have
//! been delivered in the meantime, and messages that are in the queue now stay ahead.

mod dead_letters;
mod facts;
mod parked;
mod selection;
mod settling;

pub use dead_letters::{DeadLetterPlan, look, plan_dead_letters, redrive_dead_letters};
pub use facts::{Facts, QueueKind, regroup};
pub use parked::{ParkedPlan, PlannedParked, delete_parked, plan_parked, redrive_parked};
pub use selection::{Selection, parked_name};
pub use settling::settle;

use crate::port::Queue;

/// The outcome of resending or deleting one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedriveOutcome {
    /// It was sent to its queue and removed from where it was kept. Whether it is delivered is not known yet.
    Sent,
    /// It was sent, and a worker has delivered it.
    Settled,
    /// It was sent, and a worker has parked it again for this reason.
    ParkedAgain(String),
    /// It was deleted without being sent.
    Deleted,
    /// It was sent to its queue, but could not be removed from where it was kept. Another run removes it, and the worker recognizes the
    /// message.
    Left(String),
    /// Nothing was done, because a worker is working on it.
    Busy,
    /// Nothing was done, because another operator has begun to send it.
    Taken,
    /// It was not sent, and stays where it is kept.
    Failed(String),
    /// Nothing was done, because an earlier message of its conversation could not be sent.
    Behind,
}

impl RedriveOutcome {
    /// Whether nothing is left to do for the message.
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Sent | Self::Settled | Self::Deleted)
    }
}

impl std::fmt::Display for RedriveOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sent => f.write_str("sent into its queue"),
            Self::Settled => f.write_str("delivered"),
            Self::ParkedAgain(reason) => write!(f, "parked again: {reason}"),
            Self::Deleted => f.write_str("deleted"),
            Self::Left(error) => write!(f, "sent, but not removed ({error}): run this again"),
            Self::Busy => f.write_str("a worker is working on it: run this again in a minute"),
            Self::Taken => f.write_str("another run is sending it"),
            Self::Failed(error) => write!(f, "not sent: {error}"),
            Self::Behind => f.write_str("not sent: an earlier message of its conversation was not sent"),
        }
    }
}

/// The outcome for one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redriven {
    /// The short name ([`short_name`](crate::queue_message::short_name)).
    pub id: String,
    /// The outcome.
    pub outcome: RedriveOutcome,
}

/// The queues of both workers.
#[derive(Clone, Copy, derive_more::Debug)]
#[debug("WorkerQueues")]
pub struct WorkerQueues<'a> {
    /// The queue to LiveEngage.
    pub to_liveengage: &'a dyn Queue,
    /// The queue to the channels.
    pub to_channel: &'a dyn Queue,
}

impl<'a> WorkerQueues<'a> {
    fn of(&self, queue: QueueKind) -> &'a dyn Queue {
        match queue {
            QueueKind::ToLiveEngage => self.to_liveengage,
            QueueKind::ToChannel => self.to_channel,
        }
    }
}
