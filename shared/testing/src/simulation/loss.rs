//! LiveEngage drops every webhook for hours, without a retention time: does what agents wrote meanwhile arrive?
//!
//! Agents and consumers write on. The function `reconcile` runs on its schedule, finds that consumers' echoes are missing, and compares the
//! conversations with LiveEngage's history.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    agenda::{Agenda, Event},
    faults::Faults,
    history::Trace,
    invariant::{Counts, Violation},
    liveengage::Role,
    load::Load,
    ports::reply,
    run,
    truth::{Lane, MessageId, Piece, Truth, Writer},
    world::{Shared, World},
};
use connector_message::http::{HttpCall, HttpReply};

/// When webhooks begin to be lost. By then the conversations are open.
const BEGINS_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// The schedule of `reconcile` (template.yaml).
const RUNS_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// How long after webhooks arrive again everything that agents wrote has reached its consumers.
pub const RECOVERED_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Loss {
    /// Decides how long each call takes, and when the schedule runs.
    pub seed: u64,
    /// How many conversations are open.
    pub conversations: usize,
    /// How many texts agents write while webhooks are lost.
    pub messages: usize,
    /// How often each consumer writes meanwhile.
    pub texts: usize,
    /// For how long webhooks are lost.
    pub lasts: SignedDuration,
}

/// The result of a loss.
#[derive(Debug, Clone)]
pub struct LossReport {
    /// From when webhooks arrive again until every message had reached its recipient.
    pub settled_after: SignedDuration,
    /// How often `reconcile` ran.
    pub runs: u64,
    /// How often it called LiveEngage's history.
    pub calls: u64,
    /// The longest time that an agent's text took.
    pub longest: SignedDuration,
    /// The counts.
    pub counts: Counts,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
}

/// The state of a loss.
pub(super) struct LossState {
    /// Whether webhooks are lost now.
    pub(super) is_on: bool,
    /// The conversations of the consumers, and which one an agent writes in next.
    conversations: Vec<usize>,
    written: usize,
    /// When the texts of agents that have not arrived were written.
    missing: BTreeMap<MessageId, Timestamp>,
    longest: SignedDuration,
    /// LiveEngage's history: the events of each conversation.
    history: BTreeMap<String, Vec<Value>>,
    runs: u64,
    calls: u64,
}

/// Simulates a loss, from the beginning until everything has arrived, or a promise is broken.
pub fn simulate_loss(options: Loss, trace: Option<Trace>) -> LossReport {
    let agenda = Agenda::new(options.seed, trace);
    let messages = (options.conversations * (1 + options.texts) + options.messages) as u64;
    let mut world = World::new(agenda, Faults::none(), messages);
    world.load = Load::of(messages);
    // The default. The promises are checked with it, too.
    (world.on_uncertain, world.truth) = ("repeat_once", Truth::new(2));
    world.settled_within = RECOVERED_WITHIN;
    world.begin_loss(options);
    let (shared, outcome) = run::run(Shared::new(world));
    let world = shared.world();
    let Some(LossState { runs, calls, longest, .. }) = &world.loss else { unreachable!("it has begun") };
    LossReport {
        settled_after: outcome.settled_after,
        runs: *runs,
        calls: *calls,
        longest: *longest,
        counts: outcome.counts,
        violation: outcome.violation,
    }
}

impl World {
    /// Has consumers open conversations, and schedules the loss, what is written meanwhile, and `reconcile`.
    fn begin_loss(&mut self, options: Loss) {
        let begins = self.agenda.now() + BEGINS_AFTER;
        self.agenda.after(SignedDuration::ZERO, Event::Refresh);
        for consumer in 0..options.conversations {
            let after = self.agenda.random.between(SignedDuration::ZERO, BEGINS_AFTER / 2);
            self.agenda.after(after, Event::Write(consumer));
            for _ in 0..options.texts {
                let after = self.agenda.random.between(SignedDuration::ZERO, options.lasts);
                self.agenda.at(begins + after, Event::Write(consumer));
            }
        }
        for _ in 0..options.messages {
            let after = self.agenda.random.between(SignedDuration::ZERO, options.lasts);
            self.agenda.at(begins + after, Event::AgentInTurn);
        }
        self.agenda.at(begins, Event::WebhooksAreLost(true));
        self.agenda.at(begins + options.lasts, Event::WebhooksAreLost(false));
        let first = self.agenda.random.between(SignedDuration::ZERO, RUNS_EVERY);
        self.agenda.after(first, Event::Reconcile);
        self.loss = Some(LossState {
            is_on: false,
            conversations: Vec::new(),
            written: 0,
            missing: BTreeMap::new(),
            longest: SignedDuration::ZERO,
            history: BTreeMap::new(),
            runs: 0,
            calls: 0,
        });
    }

    /// LiveEngage begins to drop webhooks, or they arrive again.
    pub(super) fn webhooks_are_lost(&mut self, begins: bool) {
        self.agenda.note(format_args!("webhooks are lost: {begins}"));
        if let Some(loss) = &mut self.loss {
            loss.is_on = begins;
        }
        if !begins {
            self.recover();
        }
    }

    /// An agent writes in the next conversation.
    pub(super) fn agent_writes_in_turn(&mut self) {
        if !self.take_one() {
            return;
        }
        let (now, number) = (self.agenda.now(), self.load.written());
        let Some(loss) = &mut self.loss else { return };
        let index = loss.conversations[loss.written % loss.conversations.len()];
        loss.written += 1;
        let id = self.truth.write(Writer::Agent, Lane::Dialog(2 * index), number, 1);
        loss.missing.insert(id, now);
        let text = Piece { message: id, part: 0 }.to_string();
        let event = json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
        self.show(index, Role::Agent, &event);
    }

    /// Answers a call to LiveEngage's history. No conversation ends while webhooks are lost.
    pub(super) fn history_answers(&mut self, call: &HttpCall) -> Option<HttpReply> {
        let loss = self.loss.as_mut().filter(|_| call.name.starts_with("LiveEngage history"))?;
        loss.calls += 1;
        let (_, id) = call.url.query_pairs().find(|(name, _)| name == "conversationId").unzip();
        let answer = match id {
            Some(id) => json!({"messageEventRecords": loss.history.get(id.as_ref()).cloned().unwrap_or_default()}),
            None => json!({"conversationHistoryMetadataRecords": []}),
        };
        Some(reply(200, answer.to_string()))
    }

    /// The schedule starts `reconcile`, and will again.
    pub(super) fn reconciles(&mut self) {
        self.agenda.after(RUNS_EVERY, Event::Reconcile);
        if let Some(loss) = &mut self.loss {
            loss.runs += 1;
        }
    }
}

impl LossState {
    /// A consumer's first text has opened a conversation.
    pub(super) fn opened(&mut self, index: usize) {
        if !self.conversations.contains(&index) {
            self.conversations.push(index);
        }
    }

    /// An event is published in a conversation, as this change of a notification says.
    pub(super) fn published(&mut self, change: &Value) {
        // The documented record has no dialog, no role and no audience.
        let fields = ["sequence", "originatorId", "serverTimestamp", "event"];
        let record: Value = fields.into_iter().map(|field| (field.to_owned(), change[field].clone())).collect();
        let conversation = change["conversationId"].as_str().unwrap_or_default();
        self.history.entry(conversation.to_owned()).or_default().push(record);
    }

    /// A text has reached its recipient.
    pub(super) fn shown(&mut self, piece: Piece, now: Timestamp) {
        if let Some(written) = self.missing.remove(&piece.message) {
            self.longest = self.longest.max(now.duration_since(written));
        }
    }

    /// Whether every text of an agent has arrived.
    pub(super) fn is_over(&self) -> bool {
        self.missing.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss() -> Loss {
        Loss { seed: 4, conversations: 20, messages: 400, texts: 4, lasts: SignedDuration::from_hours(4) }
    }

    #[test]
    fn what_agents_wrote_while_webhooks_were_lost_arrives_soon_after_once_and_in_order() {
        let report = simulate_loss(loss(), None);
        assert_eq!(report.violation, None);
        let Counts { written, delivered, parked, doubled_in_a_window, .. } = report.counts;
        assert_eq!((delivered, parked, doubled_in_a_window), (written, 0, 0));
        assert_eq!(written, 20 * 5 + 400);
        assert!(report.settled_after <= RECOVERED_WITHIN, "{report:?}");
        // Every ten minutes, while there is evidence: nothing waits for the end of the loss.
        assert!(report.longest < SignedDuration::from_mins(45), "{report:?}");
    }

    #[test]
    fn while_webhooks_arrive_the_history_is_not_asked() {
        let report = simulate_loss(Loss { messages: 0, texts: 0, ..loss() }, None);
        assert_eq!((report.violation, report.calls), (None, 0));
        assert!(report.runs > 24, "{}", report.runs);
    }
}
