//! What was written, where it is, and whether the promises hold. Everything here is observed at the edges: requests that were answered,
//! queues, the table's writes, and what agents and consumers are shown.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

use super::{
    invariant::{Counts, Invariant, Violation},
    invocation::InvocationId,
};

/// A message that was written, as an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MessageId(pub(super) u32);

/// A part of a message that is shown by itself. A long text has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    pub(super) message: MessageId,
    pub(super) part: usize,
}

impl fmt::Display for Piece {
    /// Writes it as it is in the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[[{}.{}]]", self.message.0, self.part)
    }
}

impl Piece {
    /// Returns the pieces that a text or a body names, in order.
    pub(super) fn all_in(text: &str) -> Vec<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("[[") {
            rest = &rest[at + 2..];
            let Some(end) = rest.find("]]") else { break };
            if let Some((message, part)) = rest[..end].split_once('.')
                && let (Ok(message), Ok(part)) = (message.parse(), part.parse())
            {
                pieces.push(Self { message: MessageId(message), part });
            }
        }
        pieces
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    Consumer,
    Agent,
}

/// The messages that must stay in order: those of a consumer, or an agent's of one dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Consumer(usize),
    Dialog(usize),
}

/// The last time that a piece was shown.
#[derive(Debug, Clone, Copy)]
struct Shown {
    by: InvocationId,
    /// Whether the connector can't know that it was shown: the answer was lost, the function died, or the record could not be written.
    excused: bool,
    recorded: bool,
}

#[derive(Debug, Default)]
struct PieceState {
    shown: u32,
    last: Option<Shown>,
    /// How often it was shown and answered 408 or 503, which mostly mean that nothing was done.
    looked_undone: u32,
    /// When the connector had proof in its table that it was shown.
    proved_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Message {
    writer: Writer,
    /// Its lane and its number there. `None` until it is written.
    position: Option<(Lane, u64)>,
    pieces: Vec<PieceState>,
    /// The rank of its first arrival in a queue.
    arrival: Option<u64>,
    /// How many queue messages hold it.
    copies: u32,
    /// How many of them were there before an operator has sent it again.
    older_copies: u32,
    parked: bool,
    /// Whether an operator has begun to send it again since it was parked.
    is_reopened: bool,
    /// How often an operator has sent it again.
    redriven: u32,
}

impl Message {
    fn is_settled(&self) -> bool {
        self.parked || self.pieces.iter().all(|piece| piece.shown > 0)
    }
}

/// What was written and where it is.
#[derive(Debug, Default)]
pub(super) struct Truth {
    messages: Vec<Message>,
    /// The unsettled messages of each lane by number.
    unsettled: BTreeMap<Lane, BTreeMap<u64, MessageId>>,
    arrivals: u64,
    /// How often a piece may be shown whose outcome is uncertain each time, by the lines' setting `on_uncertain`.
    most_copies: u32,
    /// The counts that are kept while it runs.
    pub(super) counts: Counts,
    /// The first promise that was broken.
    pub(super) violation: Option<Violation>,
}

impl Truth {
    /// Creates a world in which nothing is written.
    pub(super) fn new(most_copies: u32) -> Self {
        Self { most_copies, ..Self::default() }
    }

    /// Records a broken promise. The first one counts.
    pub(super) fn broken(&mut self, invariant: Invariant, what: fmt::Arguments<'_>) {
        self.violation.get_or_insert_with(|| Violation { invariant, what: what.to_string() });
    }

    /// Adds a message of this many pieces. Its number in the lane must be higher than that of earlier ones.
    pub(super) fn write(&mut self, writer: Writer, lane: Lane, number: u64, pieces: usize) -> MessageId {
        let id = self.reserve(writer, pieces);
        self.begin(id, lane, number);
        id
    }

    /// Reserves the id of a message of this many pieces that may be written later.
    pub(super) fn reserve(&mut self, writer: Writer, pieces: usize) -> MessageId {
        let id = MessageId(u32::try_from(self.messages.len()).unwrap());
        let pieces = (0..pieces).map(|_| PieceState::default()).collect();
        self.messages.push(Message {
            writer,
            position: None,
            pieces,
            arrival: None,
            copies: 0,
            older_copies: 0,
            parked: false,
            is_reopened: false,
            redriven: 0,
        });
        id
    }

    /// Whether a message is written, or only reserved.
    pub(super) fn is_written(&self, id: MessageId) -> bool {
        self.messages[id.0 as usize].position.is_some()
    }

    /// A message whose id was reserved is written.
    pub(super) fn begin(&mut self, id: MessageId, lane: Lane, number: u64) {
        self.message(id).position = Some((lane, number));
        self.unsettled.entry(lane).or_default().insert(number, id);
    }

    /// Returns the lane of a message that is written.
    pub(super) fn lane(&self, id: MessageId) -> Option<Lane> {
        self.messages[id.0 as usize].position.map(|(lane, _)| lane)
    }

    fn message(&mut self, id: MessageId) -> &mut Message {
        &mut self.messages[id.0 as usize]
    }

    /// Returns the messages of this writer that a queue message or request names, each once.
    pub(super) fn named(&self, writer: Writer, body: &str) -> Vec<MessageId> {
        let mut ids: Vec<_> = Piece::all_in(body).into_iter().map(|piece| piece.message).collect();
        ids.retain(|id| self.messages[id.0 as usize].writer == writer);
        ids.dedup();
        ids
    }

    /// Returns the pieces of this writer that a queue message names.
    pub(super) fn pieces_of(&self, writer: Writer, body: &str) -> Vec<Piece> {
        let mut pieces = Piece::all_in(body);
        pieces.retain(|piece| self.messages[piece.message.0 as usize].writer == writer);
        pieces
    }

    /// An operator has begun to send a parked message again.
    pub(super) fn reopened(&mut self, id: MessageId) {
        self.message(id).is_reopened = true;
    }

    /// A queue has accepted a queue message with this message. `is_resent`: an operator has sent it again. If an earlier copy of it was
    /// parked meanwhile, it stays parked.
    pub(super) fn queued(&mut self, id: MessageId, is_resent: bool) {
        let arrival = self.arrivals;
        self.arrivals += 1;
        let message = self.message(id);
        message.copies += 1;
        if is_resent && std::mem::take(&mut message.is_reopened) {
            message.parked = false;
            // It comes after what is in the queue now.
            message.older_copies = message.copies - 1;
            message.arrival = Some(arrival);
            message.redriven += 1;
            if let Some((lane, number)) = message.position.filter(|_| !message.is_settled()) {
                self.unsettled.entry(lane).or_default().insert(number, id);
            }
            return;
        }
        message.arrival.get_or_insert(arrival);
    }

    /// A queue message with this message was deleted.
    pub(super) fn taken_off(&mut self, id: MessageId) {
        let message = self.message(id);
        message.copies = message.copies.saturating_sub(1);
        message.older_copies = message.older_copies.saturating_sub(1);
        if message.copies == 0 && !message.is_settled() {
            self.broken(Invariant::Lost, format_args!("message {} left the queue undelivered", id.0));
        }
    }

    /// A request with this message was answered with a success.
    pub(super) fn acknowledged(&mut self, id: MessageId) {
        let message = self.message(id);
        if message.copies == 0 && !message.is_settled() {
            self.broken(Invariant::Lost, format_args!("message {} was acknowledged and is in no queue", id.0));
        }
    }

    /// A message was parked. `is_told`: a notice to its sender was queued before.
    pub(super) fn parked(&mut self, id: MessageId, is_told: bool) {
        let message = self.message(id);
        let was_settled = message.is_settled();
        message.parked = true;
        message.is_reopened = false;
        if !is_told {
            self.broken(Invariant::NotTold, format_args!("message {} was parked without a notice", id.0));
        }
        if !was_settled {
            self.settled(id);
        }
    }

    /// A piece is shown to its recipient by this invocation, which began its message at `began`.
    pub(super) fn shown(&mut self, piece: Piece, by: InvocationId, began: Timestamp) {
        let (Piece { message: id, part }, most_copies) = (piece, self.most_copies);
        let message = self.message(id);
        let was_settled = message.is_settled();
        // An earlier copy of a message that an operator has resent may still be queued, with a place of its own.
        let position = message.position.filter(|_| message.older_copies == 0);
        let arrival = message.arrival;
        let earlier_missing = message.pieces[..part].iter().any(|piece| piece.shown == 0);
        let state = &mut message.pieces[part];
        let last = state.last.replace(Shown { by, excused: false, recorded: false });
        state.shown += 1;
        let is_proved = state.proved_at.is_some_and(|at| at < began);
        let (copies, looked_undone) = (state.shown, state.looked_undone);
        let is_settled = message.is_settled();
        // A line that repeats does so after such an answer, too, and does not count it.
        let looked_undone = if most_copies > 1 { looked_undone } else { 0 };
        // An earlier copy can have got the message that an operator is just resending.
        let most = most_copies * (1 + message.redriven + u32::from(message.is_reopened)) + looked_undone;
        match last {
            None if earlier_missing => {
                self.broken(Invariant::Reordered, format_args!("{piece} was shown before the part before it"));
            }
            None if part == 0 => self.check_order(piece, position, arrival),
            None => {}
            Some(Shown { by: earlier, excused: true, recorded: false }) if is_proved => {
                self.broken(
                    Invariant::Doubled,
                    format_args!("{piece}: {by} repeats what {earlier} did, and there was proof"),
                );
            }
            Some(_) if copies > most => {
                self.broken(
                    Invariant::Doubled,
                    format_args!("{piece}: shown {copies} times, and the setting allows {most}"),
                );
            }
            Some(Shown { excused: true, recorded: false, .. }) => self.counts.doubled_in_a_window += 1,
            Some(Shown { by: earlier, recorded, .. }) => {
                let known = if recorded { "recorded" } else { "answered" };
                self.broken(
                    Invariant::Doubled,
                    format_args!("{piece}: {by} repeats what {earlier} did, and it was {known}"),
                );
            }
        }
        if is_settled && !was_settled {
            self.settled(id);
        }
    }

    fn check_order(&mut self, piece: Piece, position: Option<(Lane, u64)>, arrival: Option<u64>) {
        let Some((lane, number)) = position else { return };
        let earlier = self.unsettled.get(&lane).into_iter().flat_map(|lane| lane.range(..number));
        let overtaken = earlier.map(|(_, id)| *id).find(|id| {
            let other = self.messages[id.0 as usize].arrival;
            other.is_some() && other < arrival
        });
        if let Some(overtaken) = overtaken {
            self.broken(Invariant::Reordered, format_args!("{piece} was shown before message {}", overtaken.0));
        }
    }

    /// A piece is shown for the first time by an invocation that has these messages in its batch. LiveEngage numbers what agents write, so
    /// a batch is worked on by number, in whatever order it came.
    pub(super) fn check_batch(&mut self, piece: Piece, batch: &[MessageId]) {
        let Message { position: Some((lane @ Lane::Dialog(_), number)), pieces, .. } =
            &self.messages[piece.message.0 as usize]
        else {
            return;
        };
        if pieces[piece.part].shown > 0 {
            return;
        }
        let overtaken = batch.iter().find(|id| {
            let other = &self.messages[id.0 as usize];
            other.position.is_some_and(|(at, earlier)| at == *lane && earlier < *number)
                && !other.is_settled()
                && other.redriven == 0
        });
        if let Some(overtaken) = overtaken {
            let what = format_args!("{piece} was shown before message {}, which came in the same batch", overtaken.0);
            self.broken(Invariant::Reordered, what);
        }
    }

    fn settled(&mut self, id: MessageId) {
        let Some((lane, number)) = self.message(id).position else { return };
        if let Some(unsettled) = self.unsettled.get_mut(&lane) {
            unsettled.remove(&number);
        }
    }

    /// The connector has proof in its table that a piece was shown: LiveEngage's echo of it, or a report of the channel.
    pub(super) fn proved(&mut self, piece: Piece, at: Timestamp) {
        self.message(piece.message).pieces[piece.part].proved_at.get_or_insert(at);
    }

    /// The connector can't know that this invocation has shown the piece.
    pub(super) fn excuse(&mut self, piece: Piece, by: InvocationId) {
        self.last_shown(piece, by, |shown| shown.excused = true);
    }

    /// This piece was shown, and the answer was 408 or 503.
    pub(super) fn looked_undone(&mut self, piece: Piece) {
        self.message(piece.message).pieces[piece.part].looked_undone += 1;
    }

    /// The table holds that this invocation has shown the piece.
    pub(super) fn recorded(&mut self, piece: Piece, by: InvocationId) {
        self.last_shown(piece, by, |shown| shown.recorded = true);
    }

    fn last_shown(&mut self, piece: Piece, by: InvocationId, change: impl Fn(&mut Shown)) {
        if let Some(shown) = &mut self.message(piece.message).pieces[piece.part].last
            && shown.by == by
        {
            change(shown);
        }
    }

    /// Returns all counts.
    pub(super) fn counted(&self) -> Counts {
        let mut counts = self.counts;
        for message in self.messages.iter().filter(|message| message.position.is_some()) {
            counts.written += 1;
            if message.pieces.iter().all(|piece| piece.shown > 0) {
                counts.delivered += 1;
            } else if message.parked {
                counts.parked += 1;
            } else if message.arrival.is_none() {
                counts.never_accepted += 1;
            }
        }
        counts
    }

    /// Returns the messages that arrived and are not settled, at most ten.
    pub(super) fn under_way(&self) -> Vec<u32> {
        let unsettled = self.unsettled.values().flat_map(BTreeMap::values);
        unsettled.filter(|id| self.messages[id.0 as usize].arrival.is_some()).map(|id| id.0).take(10).collect()
    }
}

impl Truth {
    /// The table holds that the message is done.
    pub(super) fn completed(&mut self, id: MessageId) {
        for piece in &mut self.message(id).pieces {
            if let Some(shown) = &mut piece.last {
                shown.recorded = true;
            }
        }
    }
}
