//! Scores a drill from what was observed, and from nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::faults::{Destination, Observation, Piece, Tag};

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentMessage {
    pub(super) tag: Tag,
    /// The number of pieces that the recipient must get.
    pub(super) parts: u8,
    pub(super) at: Timestamp,
    /// The scope of the order: LiveEngage's conversation for an agent's message, the consumer for a consumer's.
    pub(super) sequence: String,
}

/// Everything that a drill observed.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    pub(super) sent: Vec<SentMessage>,
    pub(super) observations: Vec<Observation>,
    /// The pieces that phones and desk show, in the order in which they are shown.
    pub(super) shown: Vec<(Piece, Timestamp)>,
    /// The parked messages, and whether their sender was notified.
    pub(super) parked: BTreeMap<Tag, bool>,
    /// The messages that were in transit at the end. Empty if the drill has settled.
    pub(super) under_way: BTreeSet<Tag>,
}

/// Why a piece may have arrived twice: the windows that the guarantees leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// The recipient accepted it, but the answer was lost.
    AnswerLost,
    /// The function was killed between the answer and the save of the step.
    Killed,
    /// The step could not be saved to the table after the answer.
    SaveFailed,
}

impl Window {
    /// Its name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnswerLost => "answer lost",
            Self::Killed => "killed before the note",
            Self::SaveFailed => "note failed",
        }
    }
}

/// The score of a drill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Score {
    /// The number of messages that were sent.
    pub sent: usize,
    /// The number of messages that the other side shows completely.
    pub delivered: usize,
    /// The number of messages that were parked and whose sender was notified.
    pub parked_with_notice: usize,
    /// Messages that were still in transit when the drill ended. It's not known whether they would have been delivered.
    pub under_way: Vec<Tag>,
    /// Messages that are neither delivered, nor parked with a notice, nor under way.
    pub lost: Vec<Tag>,
    /// Pieces that were duplicated within a window that the guarantees leave open.
    pub doubled_in_a_window: Vec<(Piece, Window)>,
    /// Pieces that were duplicated for no such reason.
    pub doubled: Vec<Piece>,
    /// Pieces that arrived after one that the connector had received later.
    pub out_of_order: Vec<Piece>,
    /// The delivery times until the last piece was shown, shortest first.
    pub times: Vec<Duration>,
}

impl Score {
    /// Whether the guarantees were kept. Messages that are under way break none.
    pub fn is_good(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.out_of_order.is_empty()
    }

    /// The time within which this percentage of messages was delivered; `None` if none was.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let index = (self.times.len() * percent).div_ceil(100).saturating_sub(1);
        self.times.get(index).copied()
    }
}

pub(super) fn score(evidence: &Evidence) -> Score {
    let mut shown: BTreeMap<Piece, Vec<Timestamp>> = BTreeMap::new();
    for (piece, at) in &evidence.shown {
        shown.entry(*piece).or_default().push(*at);
    }
    let mut score = Score { sent: evidence.sent.len(), ..Score::default() };
    for SentMessage { tag, parts, at, .. } in &evidence.sent {
        let first_times = (0..*parts).map(|part| shown.get(&Piece { tag: *tag, part }).and_then(|times| times.first()));
        match first_times.collect::<Option<Vec<_>>>() {
            Some(first_times) => {
                score.delivered += 1;
                let last = first_times.into_iter().max().unwrap_or(at);
                score.times.push(Duration::try_from(last.duration_since(*at)).unwrap_or_default());
            }
            None if evidence.parked.get(tag) == Some(&true) => score.parked_with_notice += 1,
            None if evidence.under_way.contains(tag) => score.under_way.push(*tag),
            None => score.lost.push(*tag),
        }
    }
    score.times.sort_unstable();
    let mut windows = windows(&evidence.observations);
    for (piece, times) in &shown {
        let mut allowed = windows.remove(piece).unwrap_or_default().into_iter();
        for _ in 1..times.len() {
            match allowed.next() {
                Some(window) => score.doubled_in_a_window.push((*piece, window)),
                None => score.doubled.push(*piece),
            }
        }
    }
    score.out_of_order = out_of_order(evidence);
    score
}

/// The last time that the recipient accepted a piece.
struct Acceptance {
    invocation: Option<u64>,
    answer_lost: bool,
    saved: bool,
    save_failed: bool,
}

/// The windows in which pieces were accepted a second time.
fn windows(observations: &[Observation]) -> BTreeMap<Piece, Vec<Window>> {
    // A kill is observed slightly before or after the last actions of the killed function.
    let killed = |observation: &Observation| match observation {
        Observation::Killed(invocation) => Some(*invocation),
        _ => None,
    };
    let killed: BTreeSet<u64> = observations.iter().filter_map(killed).collect();
    let mut invocations: BTreeMap<Tag, u64> = BTreeMap::new();
    let mut last: BTreeMap<Piece, Acceptance> = BTreeMap::new();
    let mut windows: BTreeMap<Piece, Vec<Window>> = BTreeMap::new();
    for observation in observations {
        match observation {
            Observation::Arrived(_) | Observation::Killed(_) => {}
            Observation::Started { invocation, tags } => invocations.extend(tags.iter().map(|tag| (*tag, *invocation))),
            Observation::Accepted(piece) => {
                let invocation = invocations.get(&piece.tag).copied();
                let acceptance = Acceptance { invocation, answer_lost: false, saved: false, save_failed: false };
                if let Some(earlier) = last.insert(*piece, acceptance) {
                    let died = earlier.invocation.is_some_and(|invocation| killed.contains(&invocation));
                    let window = match earlier {
                        Acceptance { saved: true, .. } => None,
                        Acceptance { answer_lost: true, .. } => Some(Window::AnswerLost),
                        _ if died => Some(Window::Killed),
                        Acceptance { save_failed, .. } => save_failed.then_some(Window::SaveFailed),
                    };
                    windows.entry(*piece).or_default().extend(window);
                }
            }
            Observation::AnswerLost(piece) => {
                last.entry(*piece).and_modify(|acceptance| acceptance.answer_lost = true);
            }
            Observation::StepSaved(tag) => {
                acceptances_of(*tag, &mut last).for_each(|acceptance| acceptance.saved = true);
            }
            Observation::SaveFailed(tag) => {
                acceptances_of(*tag, &mut last).for_each(|acceptance| acceptance.save_failed = true);
            }
        }
    }
    windows
}

fn acceptances_of(tag: Tag, last: &mut BTreeMap<Piece, Acceptance>) -> impl Iterator<Item = &mut Acceptance> {
    last.range_mut(Piece { tag, part: 0 }..=Piece { tag, part: u8::MAX }).map(|(_, acceptance)| acceptance)
}

/// The pieces that one side shows of a conversation, with the rank of their arrival at the connector.
type DisplayOrder = Vec<(Piece, usize)>;

/// The pieces that are shown after a later message, although the connector received them earlier. Such an order is
/// explained neither by the numbers nor by the webhooks. An immediate duplicate is not out of order.
fn out_of_order(evidence: &Evidence) -> Vec<Piece> {
    let mut ranks: BTreeMap<Tag, usize> = BTreeMap::new();
    for (rank, observation) in evidence.observations.iter().enumerate() {
        if let Observation::Arrived(tag) = observation {
            ranks.entry(*tag).or_insert(rank);
        }
    }
    let sequences: BTreeMap<Tag, &str> = evidence.sent.iter().map(|sent| (sent.tag, sent.sequence.as_str())).collect();
    let mut earlier: BTreeMap<(u16, Destination, &str), DisplayOrder> = BTreeMap::new();
    let mut out_of_order_pieces = Vec::new();
    for (piece, _) in &evidence.shown {
        let Some(rank) = ranks.get(&piece.tag) else { continue };
        let sequence = sequences.get(&piece.tag).copied().unwrap_or_default();
        let earlier = earlier.entry((piece.tag.conversation, piece.tag.destination, sequence)).or_default();
        let overtaken = |(other, other_rank): &(Piece, usize)| match other.tag == piece.tag {
            true => other.part > piece.part,
            false => other.tag.number > piece.tag.number && other_rank > rank,
        };
        if earlier.iter().any(overtaken) {
            out_of_order_pieces.push(*piece);
        }
        earlier.push((*piece, *rank));
    }
    out_of_order_pieces
}

#[cfg(test)]
mod tests;
