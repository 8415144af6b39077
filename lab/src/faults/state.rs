//! The shared state of a drill's faults: what to inject, and what was observed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::call_fault::{self, Call, CallFault};
use super::invocation::KillPoint;
use super::kind::{FaultKind, FaultSet};
use super::observation::Observation;
use super::random::SeededRandom;
use super::service::Hop;
use super::tag::{Destination, Piece, Tag};
use crate::function::Function;

/// How a broken connector behaves from outside. A drill of it must fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Webhooks are answered with success and then lost.
    LosesWebhooks,
    /// A message is sent to the gateway twice.
    SendsTwice,
    /// A message is sent to the gateway after later ones.
    SendsOutOfOrder,
}

/// How many of a thousand messages are affected by the sabotage.
const SABOTAGED_PER_MILLE: u16 = 250;

/// How many of a thousand worker invocations are killed at a wake. Also how many of a thousand acceptances are followed
/// by a kill.
pub(super) const KILLED_PER_MILLE: u16 = 25;

pub(super) struct FaultState {
    pub(super) faults: FaultSet,
    pub(super) random: SeededRandom,
    pub(super) sabotage: Option<Sabotage>,
    pub(super) is_active: AtomicBool,
    /// Whether LiveEngage is down.
    pub(super) is_down: AtomicBool,
    pub(super) next_invocation: AtomicU64,
    pub(super) records: Mutex<Records>,
}

#[derive(Default)]
pub(super) struct Records {
    pub(super) observations: Vec<Observation>,
    /// How often the recipient accepted each piece.
    pub(super) accepted: HashMap<Piece, usize>,
    /// How often each call was made, by service and call.
    pub(super) calls: HashMap<(Hop, Call), u64>,
    /// How often each message's batch was started. Batches without a message are counted together.
    pub(super) batch_starts: HashMap<(Destination, Option<Tag>), u64>,
    /// The kill points of running invocations, by message.
    pub(super) in_progress: HashMap<Tag, KillPoint>,
    /// The connector's names of the messages: the channel's id, or the position in the dialog.
    pub(super) names: HashMap<String, Tag>,
    pub(super) injected: BTreeMap<String, usize>,
    /// The running invocations and some that have ended, by number.
    pub(super) running: HashMap<u64, (Function, Weak<watch::Sender<bool>>)>,
}

impl FaultState {
    pub(super) fn new(seed: u64, faults: FaultSet, sabotage: Option<Sabotage>) -> Self {
        Self {
            faults,
            random: SeededRandom::new(seed),
            sabotage,
            is_active: AtomicBool::new(false),
            is_down: AtomicBool::new(false),
            next_invocation: AtomicU64::new(1),
            records: Mutex::default(),
        }
    }

    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock()
    }

    pub(super) fn injects(&self, kind: FaultKind) -> bool {
        self.is_active.load(Ordering::Relaxed) && self.faults.has(kind)
    }

    pub(super) fn count(&self, what: impl Into<String>) {
        *self.records().injected.entry(what.into()).or_default() += 1;
    }

    pub(super) fn observe(&self, observation: Observation) {
        self.records().observations.push(observation);
    }

    /// The message with this name.
    pub(super) fn tag_of(&self, name: &str) -> Option<Tag> {
        self.records().names.get(name).copied()
    }

    /// Whether the recipient accepted a later message of the same conversation.
    pub(super) fn is_overtaken(&self, tag: Tag) -> bool {
        let later = |piece: &Piece| {
            (piece.tag.conversation, piece.tag.destination) == (tag.conversation, tag.destination)
                && piece.tag.number > tag.number
        };
        self.records().accepted.keys().any(later)
    }

    /// The sabotage that affects this call.
    pub(super) fn sabotage(&self, hop: Hop, call: &Call) -> Option<Sabotage> {
        let sabotage = self.sabotage?;
        let is_place = match hop {
            Hop::Api => sabotage == Sabotage::LosesWebhooks,
            Hop::Channel(faults) => sabotage != Sabotage::LosesWebhooks && faults.acceptance.is_some(),
            Hop::LiveEngage | Hop::Table | Hop::Queue => false,
        };
        let piece = call.pieces.first().filter(|_| is_place)?;
        self.random.hits(SABOTAGED_PER_MILLE, ("sabotage", piece)).then_some(sabotage)
    }

    /// Chooses and counts the fault of this call.
    pub(super) fn fault_for(&self, hop: Hop, call: &Call) -> CallFault {
        let time = {
            let mut records = self.records();
            let times = records.calls.entry((hop, call.clone())).or_default();
            *times += 1;
            *times
        };
        if hop == Hop::LiveEngage && self.is_down.load(Ordering::Relaxed) {
            self.count("LiveEngage: down");
            return call_fault::outage_fault(self.random, call, time);
        }
        let fault = call_fault::choose_fault(self.random, |kind| self.injects(kind), hop, call, time);
        if fault != CallFault::Pass(Duration::ZERO) {
            let what = match fault {
                CallFault::Pass(_) => "delayed".to_owned(),
                CallFault::Answer(status, _) => format!("answered {}", status.as_u16()),
                CallFault::Drop => "cut before".to_owned(),
                CallFault::CarryOutAndAnswer(status) => format!("carried out and answered {}", status.as_u16()),
                CallFault::LoseAnswer => "cut after".to_owned(),
                CallFault::Stall => "never answered".to_owned(),
            };
            self.count(format!("{}: {what}", hop.name()));
        }
        fault
    }

    /// Records that the recipient accepted a piece. Sometimes the worker is killed at this point.
    pub(super) fn accepted(&self, piece: Piece) {
        let kill_point = {
            let mut records = self.records();
            records.observations.push(Observation::Accepted(piece));
            let times = records.accepted.entry(piece).or_default();
            let before = *times;
            *times += 1;
            records.in_progress.get(&piece.tag).cloned().map(|kill_point| (kill_point, before))
        };
        if let Some((kill_point, before)) = kill_point
            && self.injects(FaultKind::Kill)
            && self.random.hits(KILLED_PER_MILLE, ("kill after", piece, before))
        {
            self.count("kill: after an acceptance");
            kill_point.signal.send_replace(true);
        }
    }
}
