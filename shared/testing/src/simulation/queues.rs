//! The two queues, their dead-letter queues, and their event source mappings.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{
    agenda::Event,
    channel::Line,
    deployment,
    invariant::Invariant,
    invocation::{Environment, FunctionName, Work},
    truth::{MessageId, Truth, Writer},
    world::World,
};
use crate::fifo::{
    FifoOptions, FifoQueue, LOOK_THROUGH, MAX_BATCH, NewMessage, QueueCounts, ReceiveOptions, ReceivedMessage,
};
use connector::{
    app::policy::{MOST_RECEIVES, QUEUE_VISIBILITY},
    port::QueueMessage,
    queue_message::{bodies, decode},
};
use connector_aws::visibility_timeout;

/// How long both queues keep a message (template.yaml).
const RETENTION: Duration = Duration::from_secs(1_209_600);

/// The name of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum QueueName {
    ToLiveEngage,
    ToChannel,
    /// The queue to the channel of one line, where each line has its own.
    LineToChannel(Line),
}

impl QueueName {
    pub(super) const ALL: [Self; 2] = [Self::ToLiveEngage, Self::ToChannel];

    /// Who wrote the messages that the queue carries. The queue to the channel also carries echoes of what consumers wrote.
    const fn writer(self) -> Writer {
        match self {
            Self::ToLiveEngage => Writer::Consumer,
            Self::ToChannel | Self::LineToChannel(_) => Writer::Agent,
        }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToLiveEngage => f.write_str("to-liveengage"),
            Self::ToChannel => f.write_str("to-channel"),
            Self::LineToChannel(line) => write!(f, "to-channel-{}", line.id()),
        }
    }
}

/// A queue with its event source mapping.
pub(super) struct SourceQueue {
    fifo: FifoQueue,
    /// The messages in each queue message, by the queue's id of it.
    held: BTreeMap<String, Vec<MessageId>>,
    /// The groups whose messages an invocation has.
    busy: BTreeSet<String>,
    /// How many invocations are running, and how many may.
    pub(super) running: usize,
    concurrency: usize,
    /// The next time that the mapping looks.
    poll_at: Option<Timestamp>,
}

impl SourceQueue {
    pub(super) fn new(name: QueueName, concurrency: usize) -> Self {
        Self::looking_through(name, concurrency, LOOK_THROUGH)
    }

    /// Creates a queue that looks through this many messages for a group that can be received.
    pub(super) fn looking_through(name: QueueName, concurrency: usize, look_through: usize) -> Self {
        let seed = Uuid::from_u128(match name {
            QueueName::ToLiveEngage => 0,
            QueueName::ToChannel => 1,
            QueueName::LineToChannel(line) => 2 + line as u128,
        });
        let options = FifoOptions {
            visibility_timeout: QUEUE_VISIBILITY.unsigned_abs(),
            max_receive_count: Some(MOST_RECEIVES),
            retention: Some(RETENTION),
            look_through,
        };
        let fifo = FifoQueue::new(name.to_string(), seed, options);
        Self { fifo, held: BTreeMap::new(), busy: BTreeSet::new(), running: 0, concurrency, poll_at: None }
    }

    /// Returns how many queue messages there are.
    pub(super) fn len(&mut self, now: Timestamp) -> usize {
        self.counts(now).total()
    }

    /// Returns how many queue messages are visible and in flight.
    pub(super) fn counts(&mut self, now: Timestamp) -> QueueCounts {
        self.fifo.counts(now)
    }
}

impl World {
    pub(super) fn queue(&mut self, name: QueueName) -> &mut SourceQueue {
        self.queues.get_mut(&name).unwrap()
    }

    /// The function in an environment sends a message to a queue, in the form of its version.
    pub(super) fn enqueue(&mut self, name: QueueName, message: &QueueMessage, environment: u64) {
        let now = self.agenda.now();
        let QueueMessage { body, group, deduplication } = message;
        let line = self.outage.as_ref().and_then(|outage| outage.line_of(body));
        let name = self.routed(name, line);
        let Environment { version, name: sender, .. } = &self.environments[&environment];
        let (written, is_resent) = (deployment::written(body, *version), *sender == FunctionName::Operator);
        let sent = self.queue(name).fifo.send(now, NewMessage::new(group, deduplication, written)).unwrap();
        let (group, kind) = (short(group), kind(body));
        let again = if sent.duplicate { " (known)" } else { "" };
        self.agenda.note(format_args!("{name} accepts {kind} of {group}{again}"));
        if sent.duplicate {
            return;
        }
        let messages = self.truth.named(name.writer(), body);
        messages.iter().for_each(|id| self.truth.queued(*id, is_resent));
        for body in bodies(body) {
            let messages = self.truth.named(name.writer(), &body);
            if let (false, Ok(message)) = (messages.is_empty(), decode(&body)) {
                self.keys.insert(message.identity().key().name(), messages);
            }
        }
        self.queue(name).held.insert(sent.message_id, messages);
        self.poll_soon(name);
    }

    /// Has the mapping of a queue look soon.
    pub(super) fn poll_soon(&mut self, name: QueueName) {
        let after = self.agenda.random.millis(5, 60);
        self.poll_at(name, self.agenda.now() + after);
    }

    fn poll_at(&mut self, name: QueueName, at: Timestamp) {
        let queue = self.queue(name);
        if queue.poll_at.is_none_or(|known| at < known) {
            queue.poll_at = Some(at);
            self.agenda.at(at, Event::Poll(name));
        }
    }

    /// Returns the messages of a batch that are still in its queue and that this version can sort: those before the first that it can't read.
    pub(super) fn sortable(&self, work: &Work, version: u64) -> Vec<MessageId> {
        let Work::Batch { queue, messages, .. } = work else { return vec![] };
        let held = &self.queues[queue].held;
        let readable = messages.iter().take_while(|message| deployment::is_readable(&message.body, version));
        readable.filter_map(|message| held.get(&message.message_id)).flatten().copied().collect()
    }

    /// Receives the next batch for an invocation, if there is one and an invocation may start.
    pub(super) fn receive(&mut self, name: QueueName) -> Option<Vec<ReceivedMessage>> {
        let now = self.agenda.now();
        if self.queue(name).poll_at.is_some_and(|at| at > now) {
            // An earlier look replaced this one.
            return None;
        }
        let max = if self.agenda.random.hits(700) { MAX_BATCH } else { 1 + self.agenda.random.index(MAX_BATCH) };
        let queue = self.queue(name);
        queue.poll_at = None;
        if queue.running >= queue.concurrency {
            return None;
        }
        let options = ReceiveOptions { max, visibility_timeout: None, busy_groups: queue.busy.clone() };
        let received = queue.fifo.receive(now, &options).unwrap();
        if let Some(at) = queue.fifo.next_visible_at() {
            self.poll_at(name, at);
        }
        for dropped in self.queue(name).fifo.take_dropped(now) {
            self.truth.broken(Invariant::Lost, format_args!("{name} has dropped {}", kind(&dropped.body)));
        }
        for letter in received.dead_letters {
            self.truth.broken(Invariant::DeadLetter, format_args!("{name}: {}", kind(&letter.message.body)));
        }
        if received.messages.is_empty() {
            return None;
        }
        let queue = self.queue(name);
        queue.running += 1;
        queue.busy.extend(received.messages.iter().map(|message| message.group.clone()));
        self.poll_soon(name);
        Some(received.messages)
    }

    /// An invocation has ended. Deletes the messages that it has finished.
    pub(super) fn settle_batch(
        &mut self,
        name: QueueName,
        batch: &[ReceivedMessage],
        failed: Option<&BTreeSet<String>>,
    ) {
        let now = self.agenda.now();
        for message in batch {
            if failed.is_none_or(|failed| failed.contains(&message.message_id)) {
                continue;
            }
            let queue = self.queue(name);
            // A handle that has expired is refused, and the message is delivered again.
            if queue.fifo.delete(now, &message.receipt_handle).is_err() {
                self.agenda.note(format_args!("{name} doesn't delete {}", kind(&message.body)));
                continue;
            }
            let held = queue.held.remove(&message.message_id).unwrap_or_default();
            self.agenda.note(format_args!("{name} deletes {} of {}", kind(&message.body), short(&message.group)));
            held.into_iter().for_each(|id| self.truth.taken_off(id));
            self.observe_proof(name, &message.body);
        }
    }

    /// A queue message was handled that may prove that something was shown.
    fn observe_proof(&mut self, name: QueueName, body: &str) {
        let now = self.agenda.now();
        let proved = match name {
            QueueName::ToChannel | QueueName::LineToChannel(_) if !body.contains("\"role\":\"CONSUMER\"") => vec![],
            QueueName::ToChannel | QueueName::LineToChannel(_) => self.truth.pieces_of(Writer::Consumer, body),
            // A report of a failure is no proof.
            QueueName::ToLiveEngage if body.contains("\"delivered\"") || body.contains("\"read\"") => {
                let names = body.split('"').filter_map(|word| self.channels.references.get(word));
                names.flatten().copied().collect()
            }
            QueueName::ToLiveEngage => vec![],
        };
        proved.into_iter().for_each(|piece| self.truth.proved(piece, now));
    }

    /// A mapping's invocation has ended, and its groups may be received again.
    pub(super) fn free_groups(&mut self, name: QueueName, batch: &[ReceivedMessage]) {
        let queue = self.queue(name);
        queue.running -= 1;
        for message in batch {
            queue.busy.remove(&message.group);
        }
        self.poll_soon(name);
    }

    /// A function sets when a message is delivered again.
    pub(super) fn postpone(&mut self, name: QueueName, receipt: &str, after: SignedDuration) {
        let now = self.agenda.now();
        let timeout = Duration::from_secs(visibility_timeout(after).unsigned_abs().into());
        let queue = self.queue(name);
        // Fails for a message that was deleted or received again.
        let is_set = queue.fifo.change_visibility(now, receipt, timeout).is_ok();
        let next = queue.fifo.next_visible_at();
        self.agenda.note(format_args!("{name} postpones by {} s: {is_set}", timeout.as_secs()));
        if let Some(at) = next {
            self.poll_at(name, at);
        }
    }
}

impl Truth {
    /// Returns the messages that a parked body holds.
    pub(super) fn parked_in(&self, body: &str) -> Vec<MessageId> {
        let writer = if body.contains("\"liveengage_change_v") { Writer::Agent } else { Writer::Consumer };
        self.named(writer, body)
    }
}

/// Returns the beginning of a name.
pub(super) fn short(name: &str) -> &str {
    name.get(..12).unwrap_or(name)
}

/// Returns the kind of a queue message and the pieces that it names, as the history has it.
pub(super) fn kind(body: &str) -> String {
    let kind = body.split('"').nth(3).unwrap_or_default();
    let pieces = super::truth::Piece::all_in(body);
    pieces.iter().fold(kind.to_owned(), |text, piece| format!("{text} {piece}"))
}
