//! Sending again what was parked or given up: what to send, in which order, and how so that nothing is lost or doubled on the way.
//!
//! Everything is sent into the group that it was in, in the order in which the connector took it over. What was said meanwhile
//! may have arrived before; what is in the queue now stays in front.

mod dead_letters;
mod facts;
mod parked;
mod selection;
mod settling;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use dead_letters::{DeadLetterPlan, look, plan_dead_letters, redrive_dead_letters};
pub use facts::{Facts, QueueKind, regroup};
pub use parked::{ParkedPlan, PlannedParked, delete_parked, plan_parked, redrive_parked};
pub use selection::{Selection, parked_name, short_name};
pub use settling::settle;

use super::task::to_body;
use crate::port::Queue;

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedriveOutcome {
    /// It is in its queue, and gone from where it lay. What becomes of it is not known yet.
    Sent,
    /// It was sent, and a worker is through with it: it has arrived.
    Settled,
    /// It was sent, and is parked again, for this reason.
    ParkedAgain(String),
    /// It was deleted without being sent.
    Deleted,
    /// It is in its queue, but could not be removed from where it lay: run again, this is removed; the worker knows the message.
    Left(String),
    /// Nothing was done: a worker is at it at this moment.
    Busy,
    /// Nothing was done: somebody else is sending it, or has.
    Taken,
    /// It was not sent, and lies where it lay.
    Failed(String),
    /// Nothing was done: one before it in its conversation could not be sent.
    Behind,
}

impl RedriveOutcome {
    /// Whether nothing is left to do for it.
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
            Self::Busy => f.write_str("a worker is at it: run this again in a minute"),
            Self::Taken => f.write_str("somebody else is sending it"),
            Self::Failed(error) => write!(f, "not sent: {error}"),
            Self::Behind => f.write_str("not sent: one before it in its conversation was not"),
        }
    }
}

/// What became of a message, by its short name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redriven {
    /// The short name ([`short_name`]).
    pub id: String,
    /// What became of it.
    pub outcome: RedriveOutcome,
}

/// The queues of both workers.
#[derive(Clone, Copy)]
pub struct WorkerQueues<'a> {
    /// The queue to LiveEngage.
    pub to_liveengage: &'a dyn Queue,
    /// The queue to the channels.
    pub to_channel: &'a dyn Queue,
}

impl std::fmt::Debug for WorkerQueues<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WorkerQueues")
    }
}

impl<'a> WorkerQueues<'a> {
    fn of(&self, queue: QueueKind) -> &'a dyn Queue {
        match queue {
            QueueKind::ToLiveEngage => self.to_liveengage,
            QueueKind::ToChannel => self.to_channel,
        }
    }
}

/// When a message was first taken over, for one whose `accepted_at` was set anew: a worker takes it for when it was written.
const FIRST_ACCEPTED_AT: &str = "first_accepted_at";

/// The message as if it had been taken over at `now`: the 12 hours of retries begin again. One without such a time stays as it is.
fn renewed(task: &str, now: Timestamp) -> String {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(task) else { return task.to_owned() };
    let Some(accepted_at) = fields.get("accepted_at").cloned() else { return task.to_owned() };
    // A notice is known by the hour in which it was taken over.
    if fields.get("task").and_then(Value::as_str) == Some("notice_v1") {
        return task.to_owned();
    }
    fields.entry(FIRST_ACCEPTED_AT).or_insert(accepted_at);
    fields.insert("accepted_at".to_owned(), Value::String(now.to_string()));
    to_body(&fields).unwrap_or_else(|_| task.to_owned())
}
