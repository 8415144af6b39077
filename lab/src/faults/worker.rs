//! The failures of a worker's invocations.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use connector_testing::fifo::ReceivedMessage;

use super::invocation::{FailureInjector, Invocation, KillPoint};
use super::kind::FaultKind;
use super::observation::Observation;
use super::state::{FaultState, KILLED_PER_MILLE};
use super::tag::{Destination, Piece, Tag};
use crate::function::Function;

/// A batch with one message wakes a worker this often, and one with ten some hundred times.
const MAX_WAKES: u64 = 120;
/// How many of a thousand batches are delivered twice.
const REPEATED_PER_MILLE: u16 = 40;

/// One of the two workers.
#[derive(derive_more::Debug)]
#[debug("Worker({destination:?})")]
pub(super) struct Worker {
    pub(super) state: Arc<FaultState>,
    pub(super) destination: Destination,
}

impl FailureInjector for Worker {
    fn begin(&self, batch: &[ReceivedMessage]) -> Invocation {
        let state = &self.state;
        let number = state.next_invocation.fetch_add(1, Ordering::Relaxed);
        // LiveEngage's changes contain the consumer's own texts too. Those need no work.
        let mut tags: Vec<Tag> = batch
            .iter()
            .flat_map(|message| Piece::find_all(message.body.as_bytes()))
            .map(|piece| piece.tag)
            .filter(|tag| tag.destination == self.destination)
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let mut kill_point = KillPoint::default();
        let key = {
            let mut records = state.records();
            let first = (self.destination, tags.first().copied());
            let time = records.batch_starts.entry(first).or_default();
            *time += 1;
            (first, *time)
        };
        if state.injects(FaultKind::Kill) && state.random.hits(KILLED_PER_MILLE, ("kill", key)) {
            state.count("kill: worker");
            kill_point.after_wakes = u32::try_from(1 + state.random.below(MAX_WAKES, ("wakes", key))).ok();
        }
        let repeat = state.injects(FaultKind::Repeat) && state.random.hits(REPEATED_PER_MILLE, ("repeat", key));
        if repeat {
            state.count("batch repeated");
        }
        let mut records = state.records();
        let function = match self.destination {
            Destination::ToDesk => Function::ToLiveEngage,
            Destination::ToPhone => Function::ToChannel,
        };
        records.running.insert(number, (function, Arc::downgrade(&kill_point.signal)));
        records.in_progress.extend(tags.iter().map(|tag| (*tag, kill_point.clone())));
        records.observations.push(Observation::Started { invocation: number, tags });
        drop(records);
        Invocation { number, kill_point, repeat }
    }

    fn ended(&self, invocation: u64, killed: bool) {
        self.state.records().running.remove(&invocation);
        if killed {
            self.state.observe(Observation::Killed(invocation));
        }
    }
}
