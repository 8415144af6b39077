//! How far a drill is: what is sent, delivered and under way.

use std::collections::{BTreeSet, HashSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::score::SentMessage;
use super::transit::{POLL_INTERVAL, QUIET_POLLS, Transit};
use crate::faults::{FaultPlan, Observation, Piece, Tag};
use crate::lab::Lab;

/// The interval at which progress is published. Nobody reads it more often.
const PUBLISH_INTERVAL: Duration = Duration::from_millis(250);

/// What a drill is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// The lab is starting.
    #[default]
    Starting,
    /// Messages are sent while faults are injected.
    Faults,
    /// No further message is sent and no further fault is injected. The remaining messages are delivered or parked.
    Settling,
}

/// How far a drill is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// What the drill is doing.
    pub phase: Phase,
    /// The time since the first fault.
    pub elapsed: Duration,
    /// The number of messages that were sent.
    pub sent: usize,
    /// The number of sent messages that their recipient has accepted completely.
    pub delivered: usize,
    /// The number of sent messages that are in a webhook or a queue and not delivered.
    pub under_way: usize,
}

/// The messages that were sent so far, in their order.
pub(super) type SentLog = Arc<Mutex<Vec<SentMessage>>>;

/// What was under way when a drill ended without having settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UnderWay {
    pub(super) tags: BTreeSet<Tag>,
    /// Whether a notice was under way, so that the sender of a parked message may still be notified.
    pub(super) has_notices: bool,
}

/// Counts from what was sent and observed. Each message and each observation is added once, so that counting stays
/// cheap in a long drill.
#[derive(Debug, Default)]
struct Tally {
    sent: usize,
    observed: usize,
    /// The messages that are not delivered.
    open: Vec<SentMessage>,
    arrived: HashSet<Tag>,
    accepted: HashSet<Piece>,
}

impl Tally {
    fn add(&mut self, sent: &[SentMessage], observations: &[Observation]) {
        self.sent += sent.len();
        self.observed += observations.len();
        self.open.extend_from_slice(sent);
        for observation in observations {
            match observation {
                Observation::Arrived(tag) => {
                    self.arrived.insert(*tag);
                }
                Observation::Accepted(piece) => {
                    self.accepted.insert(*piece);
                }
                Observation::Started { .. }
                | Observation::AnswerLost(_)
                | Observation::StepSaved(_)
                | Observation::SaveFailed(_)
                | Observation::Killed(_) => {}
            }
        }
        let accepted = &self.accepted;
        let is_open = |message: &SentMessage| {
            (0..message.parts).any(|part| !accepted.contains(&Piece { tag: message.tag, part }))
        };
        self.open.retain(is_open);
    }

    fn delivered(&self) -> usize {
        self.sent - self.open.len()
    }

    fn under_way(&self, transit: &Transit) -> impl Iterator<Item = Tag> {
        let tags = self.open.iter().map(|message| message.tag);
        tags.filter(|tag| transit.may_hold(*tag, self.arrived.contains(tag)))
    }
}

/// Watches a running drill.
pub(super) struct Watcher {
    lab: Arc<Lab>,
    fault_plan: FaultPlan,
    sent: SentLog,
    tally: Tally,
}

impl Watcher {
    pub(super) fn new(lab: &Arc<Lab>, fault_plan: &FaultPlan, sent: SentLog) -> Self {
        Self { lab: Arc::clone(lab), fault_plan: fault_plan.clone(), sent, tally: Tally::default() }
    }

    /// Publishes the numbers again and again. The phase is left as it is.
    pub(super) async fn publish(&mut self, progress: &watch::Sender<Progress>, faults_started: Instant) -> Infallible {
        let mut ticks = tokio::time::interval(PUBLISH_INTERVAL);
        loop {
            ticks.tick().await;
            let transit = self.read();
            let (sent, delivered) = (self.tally.sent, self.tally.delivered());
            let under_way = self.tally.under_way(&transit).count();
            progress.send_modify(|progress| {
                let phase = progress.phase;
                *progress = Progress { phase, elapsed: faults_started.elapsed(), sent, delivered, under_way };
            });
        }
    }

    /// What is under way now: what any of several reads finds.
    pub(super) async fn under_way(&mut self) -> UnderWay {
        let mut under_way = UnderWay::default();
        let mut polls = tokio::time::interval(POLL_INTERVAL);
        for _ in 0..QUIET_POLLS {
            polls.tick().await;
            let transit = self.read();
            under_way.tags.extend(self.tally.under_way(&transit));
            under_way.has_notices |= transit.has_notices;
        }
        under_way
    }

    /// Adds what is new to the tally, and reads what is in transit afterwards: a message that arrives in the meantime
    /// is in a queue then.
    fn read(&mut self) -> Transit {
        let sent = self.sent.lock().get(self.tally.sent..).unwrap_or_default().to_vec();
        let observations = self.fault_plan.observations_from(self.tally.observed);
        self.tally.add(&sent, &observations);
        Transit::read(&self.lab)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::faults::Destination;

    fn tag(number: u16) -> Tag {
        Tag { conversation: 0, destination: Destination::ToPhone, number }
    }

    fn message(number: u16, parts: u8) -> SentMessage {
        SentMessage { tag: tag(number), parts, at: Timestamp::UNIX_EPOCH, sequence: String::new() }
    }

    fn accepted(number: u16, part: u8) -> Observation {
        Observation::Accepted(Piece { tag: tag(number), part })
    }

    #[test]
    fn a_message_is_delivered_once_all_its_parts_are_accepted_however_often() {
        let mut tally = Tally::default();
        tally.add(&[message(0, 1), message(1, 2)], &[accepted(0, 0), accepted(0, 0), accepted(1, 0)]);
        assert_eq!((tally.sent, tally.observed, tally.delivered()), (2, 3, 1));
        // The recipient may accept a message before the sender has recorded it.
        tally.add(&[], &[accepted(1, 1), accepted(2, 0)]);
        tally.add(&[message(2, 1)], &[]);
        assert_eq!((tally.sent, tally.observed, tally.delivered()), (3, 5, 3));
    }

    #[test]
    fn under_way_is_what_is_open_and_in_a_queue_or_not_arrived() {
        let mut tally = Tally::default();
        let sent: Vec<SentMessage> = (0..4).map(|number| message(number, 1)).collect();
        tally.add(&sent, &[0, 1, 2].map(|number| Observation::Arrived(tag(number))));
        tally.add(&[], &[accepted(0, 0)]);
        let queued = BTreeSet::from([tag(0), tag(1)]);
        let under_way = |transit: &Transit| tally.under_way(transit).collect::<Vec<_>>();
        assert_eq!(under_way(&Transit { queued: queued.clone(), ..Transit::default() }), [tag(1)]);
        let transit = Transit { queued, has_desk_webhooks: true, ..Transit::default() };
        assert_eq!(under_way(&transit), [tag(1), tag(3)]);
    }
}
