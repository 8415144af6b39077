//! A deterministic simulation of the connector and everything around it.
//!
//! The functions are the real ones, over a table, queues, secrets, LiveEngage and a channel in memory. One thread runs everything in
//! simulated time, and one seed decides what people write, what fails, how long each call takes, and where a function dies. So the same
//! seed gives the same [history](Outcome::history) on any machine, and a promise that was broken once is broken again.
//!
//! After each event the promises are checked: nothing is lost, doubled or reordered, every sender is told, a message has one owner, and
//! everything is settled soon after the faults end.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test suite: what doesn't hold is a panic"
)]

mod agenda;
mod channel;
mod deployment;
mod faults;
mod history;
mod invariant;
mod invocation;
mod liveengage;
mod load;
mod log;
mod loss;
mod notifications;
mod outage;
mod ports;
mod queues;
mod random;
mod run;
mod shrink;
mod sms;
mod table;
#[cfg(test)]
mod tests;
mod truth;
mod whatsapp;
mod world;

pub use faults::Faults;
pub use history::{HistoriesDigest, Trace};
pub use invariant::{Counts, Invariant, Violation};
pub use loss::{Loss, LossReport, RECOVERED_WITHIN, simulate_loss};
pub use outage::{Outage, OutageReport, Probe, Queues, simulate_outage};
pub use run::{Options, Outcome, simulate};
pub use shrink::{Shrunk, shrink};
