//! What befalls the functions and their calls while a drill runs, and what is seen of it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::dice::Dice;
use super::fate::{self, Call, Fate, Hop};
use super::fault::{FaultKind, FaultSet};
use super::proxy;
use super::score::Observation;
use super::tag::{Destination, Piece, Tag};
use crate::aws::fifo::ReceivedMessage;
use crate::event_source_mapping::{Death, Failures, Invocation};
use crate::functions::Function;

/// How many of a thousand invocations of a worker are killed at a wake, and how many acceptances are followed by a death.
const KILLED_PER_MILLE: u16 = 25;
/// A batch with one message wakes a worker so often, and one with ten some hundred times.
const MOST_WAKES: u64 = 120;
/// How many of a thousand invocations that a deployment finds under way die with their environment.
const DIES_WITH_OLD_PER_MILLE: u16 = 500;
/// How many of a thousand batches are handed out twice.
const REPEATED_PER_MILLE: u16 = 40;

/// How a broken connector behaves, as seen from outside: a drill of one must fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Webhooks are answered with success, and forgotten.
    Forgets,
    /// A message is brought to the gateway twice.
    Repeats,
    /// A message is brought to the gateway after those that came later.
    Dawdles,
}

/// How many of a thousand messages meet the sabotage.
const SABOTAGED_PER_MILLE: u16 = 250;

/// The weather of one drill. Clones share it. It is fair until [`FaultPlan::begin`].
#[derive(Clone)]
pub struct FaultPlan {
    pub(super) sky: Arc<Sky>,
    /// What stands in front of the services. Ends with the last clone.
    fronts: Arc<Mutex<JoinSet<()>>>,
}

impl fmt::Debug for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultPlan").field("faults", &self.sky.faults).finish_non_exhaustive()
    }
}

pub(super) struct Sky {
    faults: FaultSet,
    dice: Dice,
    sabotage: Option<Sabotage>,
    rages: AtomicBool,
    /// Whether LiveEngage is down.
    is_down: AtomicBool,
    next_invocation: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    observations: Vec<Observation>,
    /// How often the other side has taken each piece.
    accepted: HashMap<Piece, usize>,
    /// How often each call was made, by where it went and what it was.
    calls: HashMap<(Hop, Call), u64>,
    /// How often each message's batch was begun; those without a message count together.
    begun: HashMap<(Destination, Option<Tag>), u64>,
    /// Who can be killed, by the message that is worked on.
    at_work: HashMap<Tag, Death>,
    /// What the connector calls the messages: the channel's id, or the place in the dialog.
    names: HashMap<String, Tag>,
    injected: BTreeMap<String, usize>,
    /// The invocations under way, and some that have ended, by number.
    running: HashMap<u64, (Function, Weak<watch::Sender<bool>>)>,
}

impl FaultPlan {
    /// A storm with these faults, around a connector that is broken like this, if it shall be.
    pub fn new(seed: u64, faults: FaultSet, sabotage: Option<Sabotage>) -> Self {
        let sky = Sky {
            faults,
            dice: Dice::new(seed),
            sabotage,
            rages: AtomicBool::new(false),
            is_down: AtomicBool::new(false),
            next_invocation: AtomicU64::new(1),
            seen: Mutex::default(),
        };
        Self { sky: Arc::new(sky), fronts: Arc::default() }
    }

    /// From now on things go wrong.
    pub fn begin(&self) {
        self.sky.rages.store(true, Ordering::Relaxed);
    }

    /// From now on nothing more goes wrong.
    pub fn end(&self) {
        self.sky.rages.store(false, Ordering::Relaxed);
    }

    /// LiveEngage is down from this moment on for so long. Its webhooks go on: it is its APIs that don't answer.
    pub(super) async fn outage(&self, from: Instant, down: Duration) {
        if down.is_zero() {
            return;
        }
        tokio::time::sleep_until(from).await;
        self.sky.is_down.store(true, Ordering::Relaxed);
        tokio::time::sleep_until(from + down).await;
        self.sky.is_down.store(false, Ordering::Relaxed);
    }

    /// Stands in front of a service on a free loopback port: the answer is the address to use instead.
    ///
    /// # Errors
    /// The I/O error when no port can be opened, or there is no HTTP client for what goes on.
    pub async fn in_front_of(&self, hop: Hop, upstream: &str) -> std::io::Result<String> {
        let (address, serving) = proxy::start(Arc::clone(&self.sky), hop, upstream).await?;
        self.fronts.lock().unwrap_or_else(PoisonError::into_inner).spawn(serving);
        Ok(address)
    }

    /// What befalls the worker whose messages go this way.
    pub fn failures(&self, destination: Destination) -> Arc<dyn Failures> {
        Arc::new(Worker { sky: Arc::clone(&self.sky), destination })
    }

    /// The environments of a function were replaced. Of what they have begun, some dies with them.
    pub(super) fn replaced(&self, function: Function) {
        self.sky.count(format!("deployed: {}", function.name()));
        let running: Vec<_> = {
            let mut seen = self.sky.seen();
            seen.running.retain(|_, (_, death)| death.upgrade().is_some());
            let its = seen.running.iter().filter(|(_, (whose, _))| *whose == function);
            its.filter_map(|(number, (_, death))| Some((*number, death.upgrade()?))).collect()
        };
        for (number, death) in running {
            if self.sky.dice.hits(DIES_WITH_OLD_PER_MILLE, ("replaced", number)) {
                self.sky.count("kill: an old environment");
                death.send_replace(true);
            }
        }
    }

    /// When the next invocation of an entry point dies.
    pub fn death_of_an_entry_point(&self, function: Function) -> Death {
        let number = self.sky.next_invocation.fetch_add(1, Ordering::Relaxed);
        let dies = self.sky.injects(FaultKind::Kill) && self.sky.dice.hits(KILLED_PER_MILLE, ("entry", number));
        let mut death = Death::default();
        if dies {
            self.sky.count("kill: entry point");
            death.after_wakes = u32::try_from(1 + self.sky.dice.below(20, ("entry wakes", number))).ok();
        }
        if self.sky.faults.has(FaultKind::Deploy) {
            self.sky.seen().running.insert(number, (function, Arc::downgrade(&death.signal)));
        }
        death
    }

    /// Tells what the connector will call a message: `channel_id`, or `dialog#sequence`.
    pub(super) fn name(&self, tag: Tag, name: String) {
        self.sky.seen().names.insert(name, tag);
    }

    /// What was seen so far.
    pub(super) fn observations(&self) -> Vec<Observation> {
        self.sky.seen().observations.clone()
    }

    /// How often what was injected.
    pub(super) fn injected(&self) -> BTreeMap<String, usize> {
        self.sky.seen().injected.clone()
    }
}

impl Sky {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn injects(&self, kind: FaultKind) -> bool {
        self.rages.load(Ordering::Relaxed) && self.faults.has(kind)
    }

    fn count(&self, what: impl Into<String>) {
        *self.seen().injected.entry(what.into()).or_default() += 1;
    }

    pub(super) fn observe(&self, observation: Observation) {
        self.seen().observations.push(observation);
    }

    /// Whose message the connector calls so.
    pub(super) fn named(&self, name: &str) -> Option<Tag> {
        self.seen().names.get(name).copied()
    }

    /// Whether the other side has taken something that was said later in the same conversation.
    pub(super) fn is_overtaken(&self, tag: Tag) -> bool {
        let later = |piece: &Piece| {
            (piece.tag.conversation, piece.tag.destination) == (tag.conversation, tag.destination)
                && piece.tag.number > tag.number
        };
        self.seen().accepted.keys().any(later)
    }

    /// The sabotage that this call meets.
    pub(super) fn sabotage(&self, hop: Hop, call: &Call) -> Option<Sabotage> {
        let sabotage = self.sabotage?;
        let place = if sabotage == Sabotage::Forgets { Hop::Api } else { Hop::Gateway };
        let piece = call.pieces.first().filter(|_| hop == place)?;
        self.dice.hits(SABOTAGED_PER_MILLE, ("sabotage", piece)).then_some(sabotage)
    }

    /// What befalls this call.
    pub(super) fn fate(&self, hop: Hop, call: &Call) -> Fate {
        let time = {
            let mut seen = self.seen();
            let times = seen.calls.entry((hop, call.clone())).or_default();
            *times += 1;
            *times
        };
        if hop == Hop::LiveEngage && self.is_down.load(Ordering::Relaxed) {
            self.count("LiveEngage: down");
            return fate::down(self.dice, call, time);
        }
        let fate = fate::fate(self.dice, |kind| self.injects(kind), hop, call, time);
        if fate != Fate::Pass(Duration::ZERO) {
            let what = match fate {
                Fate::Pass(_) => "delayed".to_owned(),
                Fate::Answer(status, _) => format!("answered {}", status.as_u16()),
                Fate::Drop => "cut before".to_owned(),
                Fate::CarryOutAndAnswer(status) => format!("carried out and answered {}", status.as_u16()),
                Fate::LoseAnswer => "cut after".to_owned(),
                Fate::Stall => "never answered".to_owned(),
            };
            self.count(format!("{}: {what}", hop.name()));
        }
        fate
    }

    /// The other side has taken a piece. Now and then that is when the worker dies.
    pub(super) fn accepted(&self, piece: Piece) {
        let death = {
            let mut seen = self.seen();
            seen.observations.push(Observation::Accepted(piece));
            let times = seen.accepted.entry(piece).or_default();
            let before = *times;
            *times += 1;
            seen.at_work.get(&piece.tag).cloned().map(|death| (death, before))
        };
        if let Some((death, before)) = death
            && self.injects(FaultKind::Kill)
            && self.dice.hits(KILLED_PER_MILLE, ("kill after", piece, before))
        {
            self.count("kill: after an acceptance");
            death.signal.send_replace(true);
        }
    }
}

/// One of the two workers.
struct Worker {
    sky: Arc<Sky>,
    destination: Destination,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Worker({:?})", self.destination)
    }
}

impl Failures for Worker {
    fn begin(&self, batch: &[ReceivedMessage]) -> Invocation {
        let sky = &self.sky;
        let number = sky.next_invocation.fetch_add(1, Ordering::Relaxed);
        // What LiveEngage tells holds the person's own words too: nothing is done for them.
        let mut tags: Vec<Tag> = batch
            .iter()
            .flat_map(|message| Piece::find_all(message.body.as_bytes()))
            .map(|piece| piece.tag)
            .filter(|tag| tag.destination == self.destination)
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let mut death = Death::default();
        let matter = {
            let mut seen = sky.seen();
            let first = (self.destination, tags.first().copied());
            let time = seen.begun.entry(first).or_default();
            *time += 1;
            (first, *time)
        };
        if sky.injects(FaultKind::Kill) && sky.dice.hits(KILLED_PER_MILLE, ("kill", matter)) {
            sky.count("kill: worker");
            death.after_wakes = u32::try_from(1 + sky.dice.below(MOST_WAKES, ("wakes", matter))).ok();
        }
        let repeat = sky.injects(FaultKind::Repeat) && sky.dice.hits(REPEATED_PER_MILLE, ("repeat", matter));
        if repeat {
            sky.count("batch repeated");
        }
        let mut seen = sky.seen();
        let function = match self.destination {
            Destination::ToDesk => Function::ToLiveEngage,
            Destination::ToPhone => Function::ToChannel,
        };
        seen.running.insert(number, (function, Arc::downgrade(&death.signal)));
        seen.at_work.extend(tags.iter().map(|tag| (*tag, death.clone())));
        seen.observations.push(Observation::Started { invocation: number, tags });
        drop(seen);
        Invocation { number, death, repeat }
    }

    fn ended(&self, invocation: u64, killed: bool) {
        self.sky.seen().running.remove(&invocation);
        if killed {
            self.sky.observe(Observation::Killed(invocation));
        }
    }
}
