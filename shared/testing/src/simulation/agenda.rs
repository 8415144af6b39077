//! The simulated time, and what happens next.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};

use super::{
    channel::Line,
    history::{History, Trace},
    invocation::{InvocationId, Stop},
    queues::QueueName,
    random::Random,
};

/// When every simulation starts: 2027-01-15, 08:00 UTC.
pub(super) const START: i64 = 1_800_000_000;

/// What happens at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// An outside call of an invocation goes on.
    Wake(InvocationId),
    /// An invocation is stopped, if it is still running.
    Stop(InvocationId, Stop),
    /// The event source mapping of a queue looks for messages.
    Poll(QueueName),
    /// A batch is delivered to a second invocation while the first one may be running.
    Repeat(InvocationId),
    /// A consumer chooses one of the choices that they were offered.
    Choose(u64),
    /// LiveEngage posts a notification.
    Notify(u64),
    /// A channel posts a request.
    Post(u64),
    /// A consumer writes.
    Write(usize),
    /// An agent does something in a conversation.
    Agent(usize),
    /// The schedule starts the token refresh.
    Refresh,
    /// LiveEngage or the channels go down, or come back.
    Outage(bool),
    /// An operator sends all parked messages again.
    Redrive,
    /// LiveEngage's client secret is rotated: an operator stores the new one, and LiveEngage takes it.
    Rotate,
    /// LiveEngage takes the newest client secret.
    TakeSecret,
    /// The deployment of another version begins, and ends.
    Deploy,
    Deployed(u64),
    /// Something happens in a conversation of another channel of the account.
    Foreign,
    /// The faults end.
    Recover,
    /// The gateway of one line goes down, or comes back.
    LineIsDown(bool),
    /// An agent writes in a conversation of a line.
    AgentOn(Line),
    /// LiveEngage begins to drop every webhook, or they arrive again.
    WebhooksAreLost(bool),
    /// An agent writes in the next conversation.
    AgentInTurn,
    /// The schedule starts `reconcile`.
    Reconcile,
}

/// The time, the events to come, the random choices, and the history.
pub(super) struct Agenda {
    now: Timestamp,
    /// By time, and in the order in which they were scheduled.
    events: BTreeMap<(Timestamp, u64), Event>,
    scheduled: u64,
    pub(super) random: Random,
    pub(super) history: History,
}

impl Agenda {
    pub(super) fn new(seed: u64, trace: Option<Trace>) -> Self {
        let now = Timestamp::from_second(START).unwrap();
        let history = History::new(now, trace);
        Self { now, events: BTreeMap::new(), scheduled: 0, random: Random::new(seed), history }
    }

    /// Returns the simulated time.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Schedules an event after this time.
    pub(super) fn after(&mut self, time: SignedDuration, event: Event) {
        self.at(self.now + time.max(SignedDuration::ZERO), event);
    }

    /// Schedules an event. If the time is past, it happens now.
    pub(super) fn at(&mut self, at: Timestamp, event: Event) {
        self.scheduled += 1;
        self.events.insert((at.max(self.now), self.scheduled), event);
    }

    /// Advances the time to the next event and returns it.
    pub(super) fn next(&mut self) -> Option<Event> {
        let ((at, _), event) = self.events.pop_first()?;
        self.now = at;
        Some(event)
    }

    /// Adds a line to the history.
    pub(super) fn note(&mut self, event: fmt::Arguments<'_>) {
        self.history.note(self.now, event);
    }
}
