//! What came of a drill, worked out from what was seen and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::tag::{Destination, Piece, Tag};

/// Something that the drill saw happen around the functions. The order is that in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Observation {
    /// The connector answered the message's webhook with success.
    Arrived(Tag),
    /// A worker got a batch with these messages.
    Started { invocation: u64, tags: Vec<Tag> },
    /// The other side took a piece.
    Accepted(Piece),
    /// The answer to the last acceptance of the piece did not get to the worker.
    AnswerLost(Piece),
    /// The table has the note of the message's last step, or of its end.
    Noted(Tag),
    /// A fault kept such a note from the table.
    NoteFailed(Tag),
    /// The worker was killed, or timed out.
    Killed(u64),
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) tag: Tag,
    /// How many pieces the other side is to get.
    pub(super) parts: u8,
    pub(super) at: Timestamp,
    /// Within what the order is kept: LiveEngage's conversation for an agent's message, and the person for a person's.
    pub(super) sequence: String,
}

/// All that a drill saw.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    pub(super) sent: Vec<Sent>,
    pub(super) observations: Vec<Observation>,
    /// What the phones and the desk show, in the order in which they show it.
    pub(super) shown: Vec<(Piece, Timestamp)>,
    /// What was parked, and whether the one who wrote it was told.
    pub(super) parked: BTreeMap<Tag, bool>,
}

/// Why a piece may have come twice: the windows that the connector's promise leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// The other side took it, and its answer was lost.
    AnswerLost,
    /// The function died between the other side's answer and the note of it.
    Killed,
    /// The table could not be written between the two.
    NoteFailed,
}

impl Window {
    /// As the report names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnswerLost => "answer lost",
            Self::Killed => "killed before the note",
            Self::NoteFailed => "note failed",
        }
    }
}

/// What came of a drill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Score {
    /// How many messages were said.
    pub sent: usize,
    /// How many are shown whole on the other side.
    pub delivered: usize,
    /// How many were parked and told of.
    pub told: usize,
    /// Those that are neither.
    pub lost: Vec<Tag>,
    /// Pieces that came once more than they should have, each in a window that the promise leaves open.
    pub doubled_in_a_window: Vec<(Piece, Window)>,
    /// Pieces that came once more without such a reason.
    pub doubled: Vec<Piece>,
    /// Pieces that came after one which the connector had got later.
    pub out_of_order: Vec<Piece>,
    /// How long each delivered message took until its last piece was shown, shortest first.
    pub times: Vec<Duration>,
}

impl Score {
    /// Whether the promises were kept.
    pub fn is_good(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.out_of_order.is_empty()
    }

    /// The time within which so many of a hundred messages were delivered; `None` without any.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let place = (self.times.len() * percent).div_ceil(100).saturating_sub(1);
        self.times.get(place).copied()
    }
}

pub(super) fn score(evidence: &Evidence) -> Score {
    let mut shown: BTreeMap<Piece, Vec<Timestamp>> = BTreeMap::new();
    for (piece, at) in &evidence.shown {
        shown.entry(*piece).or_default().push(*at);
    }
    let mut score = Score { sent: evidence.sent.len(), ..Score::default() };
    for Sent { tag, parts, at, .. } in &evidence.sent {
        let firsts = (0..*parts).map(|part| shown.get(&Piece { tag: *tag, part }).and_then(|times| times.first()));
        match firsts.collect::<Option<Vec<_>>>() {
            Some(firsts) => {
                score.delivered += 1;
                let last = firsts.into_iter().max().unwrap_or(at);
                score.times.push(Duration::try_from(last.duration_since(*at)).unwrap_or_default());
            }
            None if evidence.parked.get(tag) == Some(&true) => score.told += 1,
            None => score.lost.push(*tag),
        }
    }
    score.times.sort_unstable();
    let mut windows = windows(&evidence.observations);
    for (piece, times) in &shown {
        let mut excuses = windows.remove(piece).unwrap_or_default().into_iter();
        for _ in 1..times.len() {
            match excuses.next() {
                Some(window) => score.doubled_in_a_window.push((*piece, window)),
                None => score.doubled.push(*piece),
            }
        }
    }
    score.out_of_order = out_of_order(evidence);
    score
}

/// The last time that the other side took a piece.
struct Acceptance {
    invocation: Option<u64>,
    answer_lost: bool,
    noted: bool,
    note_failed: bool,
}

/// The windows in which pieces were taken a second time.
fn windows(observations: &[Observation]) -> BTreeMap<Piece, Vec<Window>> {
    // A death is seen a moment before or after what the dying function did.
    let killed = |observation: &Observation| match observation {
        Observation::Killed(invocation) => Some(*invocation),
        _ => None,
    };
    let killed: BTreeSet<u64> = observations.iter().filter_map(killed).collect();
    let mut at_work: BTreeMap<Tag, u64> = BTreeMap::new();
    let mut last: BTreeMap<Piece, Acceptance> = BTreeMap::new();
    let mut windows: BTreeMap<Piece, Vec<Window>> = BTreeMap::new();
    for observation in observations {
        match observation {
            Observation::Arrived(_) | Observation::Killed(_) => {}
            Observation::Started { invocation, tags } => at_work.extend(tags.iter().map(|tag| (*tag, *invocation))),
            Observation::Accepted(piece) => {
                let invocation = at_work.get(&piece.tag).copied();
                let acceptance = Acceptance { invocation, answer_lost: false, noted: false, note_failed: false };
                if let Some(before) = last.insert(*piece, acceptance) {
                    let died = before.invocation.is_some_and(|invocation| killed.contains(&invocation));
                    let window = match before {
                        Acceptance { noted: true, .. } => None,
                        Acceptance { answer_lost: true, .. } => Some(Window::AnswerLost),
                        _ if died => Some(Window::Killed),
                        Acceptance { note_failed, .. } => note_failed.then_some(Window::NoteFailed),
                    };
                    windows.entry(*piece).or_default().extend(window);
                }
            }
            Observation::AnswerLost(piece) => {
                last.entry(*piece).and_modify(|acceptance| acceptance.answer_lost = true);
            }
            Observation::Noted(tag) => {
                of(*tag, &mut last).for_each(|acceptance| acceptance.noted = true);
            }
            Observation::NoteFailed(tag) => {
                of(*tag, &mut last).for_each(|acceptance| acceptance.note_failed = true);
            }
        }
    }
    windows
}

fn of(tag: Tag, last: &mut BTreeMap<Piece, Acceptance>) -> impl Iterator<Item = &mut Acceptance> {
    last.range_mut(Piece { tag, part: 0 }..=Piece { tag, part: u8::MAX }).map(|(_, acceptance)| acceptance)
}

/// What one side shows of one conversation: the pieces, and when the connector got them.
type Shown = Vec<(Piece, usize)>;

/// What is shown after something that was said later, although the connector got it earlier: neither the order of the numbers nor that
/// of the webhooks explains it. A piece that comes once more right away is no disorder.
fn out_of_order(evidence: &Evidence) -> Vec<Piece> {
    let mut ranks: BTreeMap<Tag, usize> = BTreeMap::new();
    for (rank, observation) in evidence.observations.iter().enumerate() {
        if let Observation::Arrived(tag) = observation {
            ranks.entry(*tag).or_insert(rank);
        }
    }
    let sequences: BTreeMap<Tag, &str> = evidence.sent.iter().map(|sent| (sent.tag, sent.sequence.as_str())).collect();
    let mut before: BTreeMap<(u16, Destination, &str), Shown> = BTreeMap::new();
    let mut late = Vec::new();
    for (piece, _) in &evidence.shown {
        let Some(rank) = ranks.get(&piece.tag) else { continue };
        let sequence = sequences.get(&piece.tag).copied().unwrap_or_default();
        let before = before.entry((piece.tag.conversation, piece.tag.destination, sequence)).or_default();
        let overtaken = |(other, other_rank): &(Piece, usize)| match other.tag == piece.tag {
            true => other.part > piece.part,
            false => other.tag.number > piece.tag.number && other_rank > rank,
        };
        if before.iter().any(overtaken) {
            late.push(*piece);
        }
        before.push((*piece, *rank));
    }
    late
}

#[cfg(test)]
mod tests;
