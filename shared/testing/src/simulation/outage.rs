//! The outage of one line's gateway, while agents write on both lines: how long do the others wait?
//!
//! A FIFO queue looks only through its first messages for a group that can be received ([`LOOK_THROUGH`]). The texts to a line that is down
//! stay in the queue, and the other line's texts come after them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    agenda::{Agenda, Event},
    channel::{Content, Line},
    faults::Faults,
    history::Trace,
    invariant::{Counts, Violation},
    liveengage::Role,
    load::Load,
    queues::{QueueName, SourceQueue},
    run,
    truth::{Lane, MessageId, Piece, Truth, Writer},
    world::{Shared, World},
};
use crate::fifo::{LOOK_THROUGH, QueueCounts};

/// `MaximumConcurrency` in template.yaml.
const CONCURRENCY: usize = 50;

/// When the gateway goes down. By then the conversations are open.
const BEGINS_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// How many conversations are open on the line that works.
const OTHER_CONVERSATIONS: usize = 20;

/// How long after the outage everything is settled at the latest: the messages that were parked and queued at its end are retried within
/// minutes, but so many take hours.
const SETTLED_WITHIN: SignedDuration = SignedDuration::from_hours(48);

/// Which queues there are to the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queues {
    /// One for all lines, as in template.yaml.
    Shared,
    /// One for each line.
    PerLine,
}

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Outage {
    /// Decides how long each call takes.
    pub seed: u64,
    /// The number of messages that a queue looks through.
    pub look_through: usize,
    /// Which queues there are.
    pub queues: Queues,
    /// How many conversations are open on the line that goes down.
    pub conversations: usize,
    /// The time between two texts of agents on that line.
    pub every: SignedDuration,
    /// How long the gateway is down.
    pub lasts: SignedDuration,
    /// The time between two texts of agents on the other line.
    pub probe_every: SignedDuration,
}

impl Outage {
    /// Returns an outage of 20 hours in which the backlog reaches the look-through after 3 hours and 20 minutes, as 10 texts a second do
    /// with AWS's number. Everything is a thousandth of it: 120 messages, and a text every 100 s.
    pub const fn small() -> Self {
        Self {
            seed: 1,
            look_through: LOOK_THROUGH / 1000,
            queues: Queues::Shared,
            conversations: 60,
            every: SignedDuration::from_secs(100),
            lasts: SignedDuration::from_hours(20),
            probe_every: SignedDuration::from_mins(10),
        }
    }
}

/// A text on the line that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// When an agent wrote it, after the beginning of the outage.
    pub at: SignedDuration,
    /// How many messages were in the queue of the line that is down.
    pub backlog: QueueCounts,
    /// How many messages were parked.
    pub parked: u64,
    /// How long it took to reach the consumer. `None` if it did not.
    pub waited: Option<SignedDuration>,
}

/// The result of an outage.
#[derive(Debug, Clone)]
pub struct OutageReport {
    /// The texts on the line that works, in order.
    pub probes: Vec<Probe>,
    /// When the first message was parked, after the beginning of the outage.
    pub first_parked: Option<SignedDuration>,
    /// From the end of the outage until everything was settled.
    pub settled_after: SignedDuration,
    /// The counts.
    pub counts: Counts,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
}

/// The state of an outage.
pub(super) struct OutageState {
    options: Outage,
    begins: Timestamp,
    /// How many texts agents wrote on the line that goes down.
    written: usize,
    /// The conversations of each line, and the line of each conversation.
    conversations: BTreeMap<Line, Vec<usize>>,
    lines: BTreeMap<usize, Line>,
    probes: Vec<(MessageId, Probe)>,
    first_parked: Option<Timestamp>,
    parked: u64,
}

/// The line that goes down, and the other one.
const DOWN: Line = Line::Sms;
const OTHER: Line = Line::WhatsApp;

/// Simulates an outage, from the beginning until everything is settled, or a promise is broken.
pub fn simulate_outage(options: Outage, trace: Option<Trace>) -> OutageReport {
    let agenda = Agenda::new(options.seed, trace);
    let (consumers, probes) = (options.conversations + OTHER_CONVERSATIONS, count(&options, options.probe_every));
    let messages = (consumers + count(&options, options.every) + probes) as u64;
    let mut world = World::new(agenda, Faults::none(), messages);
    world.load = Load::of(messages);
    // The default. The promises are checked with it, too.
    (world.on_uncertain, world.truth) = ("repeat_once", Truth::new(2));
    let names: Vec<_> = match options.queues {
        Queues::Shared => QueueName::ALL.into(),
        Queues::PerLine => {
            Line::ALL.into_iter().map(QueueName::LineToChannel).chain([QueueName::ToLiveEngage]).collect()
        }
    };
    let queue = |name| (name, SourceQueue::looking_through(name, CONCURRENCY, options.look_through));
    world.queues = names.into_iter().map(queue).collect();
    world.settled_within = SETTLED_WITHIN;
    world.begin_outage(options);
    let (shared, outcome) = run::run(Shared::new(world));
    let world = shared.world();
    let Some(OutageState { begins, probes, first_parked, .. }) = &world.outage else { unreachable!("it has begun") };
    OutageReport {
        probes: probes.iter().map(|(_, probe)| *probe).collect(),
        first_parked: first_parked.map(|at| at.duration_since(*begins)),
        settled_after: outcome.settled_after,
        counts: outcome.counts,
        violation: outcome.violation,
    }
}

/// Returns how many texts are written during the outage.
fn count(options: &Outage, every: SignedDuration) -> usize {
    usize::try_from(options.lasts.as_millis() / every.as_millis()).unwrap()
}

impl World {
    /// Has consumers open conversations on both lines, and schedules the outage.
    fn begin_outage(&mut self, options: Outage) {
        let begins = self.agenda.now() + BEGINS_AFTER;
        self.agenda.after(SignedDuration::ZERO, Event::Refresh);
        // Even consumers write on the line that goes down, odd ones on the other.
        let down = (0..options.conversations).map(|number| 2 * number);
        for consumer in down.chain((0..OTHER_CONVERSATIONS).map(|number| 2 * number + 1)) {
            let after = self.agenda.random.between(SignedDuration::ZERO, BEGINS_AFTER / 2);
            self.agenda.after(after, Event::Write(consumer));
        }
        for (line, every) in [(DOWN, options.every), (OTHER, options.probe_every)] {
            self.agenda.at(begins + every / 2, Event::AgentOn(line));
        }
        self.agenda.at(begins, Event::LineIsDown(true));
        self.agenda.at(begins + options.lasts, Event::LineIsDown(false));
        self.outage = Some(OutageState {
            options,
            begins,
            written: 0,
            conversations: BTreeMap::new(),
            lines: BTreeMap::new(),
            probes: Vec::new(),
            first_parked: None,
            parked: 0,
        });
    }

    /// The gateway goes down, or is up again.
    pub(super) fn line_is_down(&mut self, begins: bool) {
        self.agenda.note(format_args!("{DOWN:?} is down: {begins}"));
        self.channels.down = begins.then_some(DOWN);
    }

    /// A consumer opens a conversation with a text. Nobody answers by chance.
    pub(super) fn consumer_opens(&mut self, consumer: usize) {
        self.take_one();
        let id = self.truth.write(Writer::Consumer, Lane::Consumer(consumer), self.load.written(), 1);
        let text = Piece { message: id, part: 0 }.to_string();
        self.consumer_message(consumer, id, &text, &Content::Text);
    }

    /// A consumer's text is shown in a conversation: now it is known whose it is.
    pub(super) fn opened_by(&mut self, index: usize, piece: Piece) {
        let Some(Lane::Consumer(consumer)) = self.truth.lane(piece.message) else { return };
        if let Some(loss) = &mut self.loss {
            loss.opened(index);
        }
        if let Some(outage) = &mut self.outage {
            outage.lines.insert(index, Line::of(consumer));
            outage.conversations.entry(Line::of(consumer)).or_default().push(index);
        }
    }

    /// An agent writes in the next conversation of a line, and another one will later.
    pub(super) fn agent_writes_on(&mut self, line: Line) {
        if !self.take_one() {
            return;
        }
        let now = self.agenda.now();
        let backlog = self.queue(self.routed(QueueName::ToChannel, Some(DOWN))).counts(now);
        let number = self.load.written();
        let Some(outage) = &mut self.outage else { return };
        let turn = if line == DOWN { outage.written } else { outage.probes.len() };
        let conversations = &outage.conversations[&line];
        let index = conversations[turn % conversations.len()];
        let id = self.truth.write(Writer::Agent, Lane::Dialog(2 * index), number, 1);
        let every = if line == DOWN {
            outage.written += 1;
            outage.options.every
        } else {
            let at = now.duration_since(outage.begins);
            outage.probes.push((id, Probe { at, backlog, parked: outage.parked, waited: None }));
            outage.options.probe_every
        };
        let until = outage.begins + outage.options.lasts;
        if now + every < until {
            self.agenda.after(every, Event::AgentOn(line));
        }
        let text = Piece { message: id, part: 0 }.to_string();
        let event = json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
        self.show(index, Role::Agent, &event);
    }

    /// Returns the queue to which a message to a channel goes. Without a line: the one that works.
    pub(super) fn routed(&self, name: QueueName, line: Option<Line>) -> QueueName {
        match (name, &self.outage) {
            (QueueName::ToChannel, Some(OutageState { options: Outage { queues: Queues::PerLine, .. }, .. })) => {
                QueueName::LineToChannel(line.unwrap_or(OTHER))
            }
            _ => name,
        }
    }
}

impl OutageState {
    /// Returns the line of a queue message, if it names a line or a conversation whose consumer has been shown.
    pub(super) fn line_of(&self, body: &str) -> Option<Line> {
        if let Some(line) = Line::ALL.into_iter().find(|line| body.contains(line.id())) {
            return Some(line);
        }
        let (_, rest) = body.split_once("conversation-")?;
        let digits = rest.find(|character: char| !character.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
        self.lines.get(&digits.parse::<usize>().ok()?.checked_sub(1)?).copied()
    }

    /// A text has reached its consumer.
    pub(super) fn shown(&mut self, piece: Piece, now: Timestamp) {
        // Texts are numbered as they are written.
        if let Ok(index) = self.probes.binary_search_by_key(&piece.message, |(id, _)| *id) {
            let (_, probe) = &mut self.probes[index];
            probe.waited.get_or_insert(now.duration_since(self.begins) - probe.at);
        }
    }

    /// Messages were parked.
    pub(super) fn parked(&mut self, messages: usize, now: Timestamp) {
        self.parked += messages as u64;
        self.first_parked.get_or_insert(now);
    }
}

#[cfg(test)]
mod tests;
