//! Resends parked messages.
//!
//! For each one, in this order: **reopen** it (one transaction makes the message deliverable again and records this on the parked item),
//! **send** it, **forget** the parked item. If the command stops in between, another run is safe:
//!
//! - before the reopening, nothing has changed;
//! - after it, the parked item is still there with its record. The next run doesn't reopen it again, it only sends: if the first sending
//!   succeeded after all, the worker finds the message delivered or parked again, and drops the second one;
//! - after the sending, the same.
//!
//! The other orders are wrong. If the message were sent before it is reopened, the worker would find it settled and delete it. If it were
//! forgotten before it is sent, it would be lost. Without the record, a second run would reopen, and so duplicate, what the first one had
//! delivered.
//!
//! Reopening keeps the finished steps, so a long text continues after its last part that arrived.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{
    RedriveOutcome, Redriven, WorkerQueues,
    facts::Facts,
    selection::{Candidate, Selection, parked_name},
};
use crate::{
    domain::message_key::MessageKey,
    port::{ParkedId, ParkedMessage, ParkedMessages, QueueMessage, Reopened},
    queue_message::{redriven_parked, wire::renewed},
};

/// A selected parked message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedParked {
    /// Its name ([`parked_name`]).
    pub id: String,
    /// The message.
    pub parked: ParkedMessage,
    /// Its metadata. `None` for one that this version can't read, which is not sent.
    pub facts: Option<Facts>,
    /// Other parked items of the same message, which are forgotten with it.
    pub twins: Vec<ParkedId>,
}

/// What to send, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedPlan {
    /// The selected messages, each once, in the order in which the connector accepted them.
    pub messages: Vec<PlannedParked>,
    /// How many of them overtake an earlier parked message of the same group that is not selected.
    pub overtaking: usize,
}

/// Selects those of `all` that match `wanted`. `all` should be all parked messages, so that overtaken ones are counted.
pub fn plan_parked(all: Vec<ParkedMessage>, wanted: &Selection) -> ParkedPlan {
    // A message that was parked twice must be sent once, because it could be delivered twice otherwise. Prefer an item whose resending has
    // not begun, because only such an item reopens the message, and then the latest one.
    let mut by_message: HashMap<MessageKey, Vec<ParkedMessage>> = HashMap::new();
    for parked in all {
        by_message.entry(parked.message.clone()).or_default().push(parked);
    }
    let mut messages: Vec<(bool, PlannedParked)> = by_message
        .into_values()
        .filter_map(|mut items| {
            items.sort_by(|a, b| (a.begun.is_none(), a.parked.at, &a.id).cmp(&(b.begun.is_none(), b.parked.at, &b.id)));
            let parked = items.pop()?;
            let facts = Facts::read(&parked.parked.body);
            let is_wanted = std::iter::once(&parked).chain(&items).any(|item| is_wanted(wanted, item, facts.as_ref()));
            let twins = items.into_iter().map(|item| item.id).collect();
            Some((is_wanted, PlannedParked { id: parked_name(&parked.message), parked, facts, twins }))
        })
        .collect();
    messages.sort_by(|(_, a), (_, b)| order(a).cmp(&order(b)));
    let mut plan = ParkedPlan::default();
    let mut passed_over: HashSet<String> = HashSet::new();
    for (is_wanted, message) in messages {
        let group = message.facts.as_ref().map(|facts| facts.group.clone());
        if is_wanted {
            plan.overtaking += usize::from(group.is_some_and(|group| passed_over.contains(&group)));
            plan.messages.push(message);
        } else {
            passed_over.extend(group);
        }
    }
    plan
}

fn is_wanted(wanted: &Selection, item: &ParkedMessage, facts: Option<&Facts>) -> bool {
    wanted.matches(&Candidate {
        id: &parked_name(&item.message),
        at: item.parked.at,
        line: item.parked.line.as_ref(),
        conversation: item.parked.conversation.as_ref(),
        facts,
    })
}

/// Returns the sort key: when it was accepted, its position, and when it was parked, because a group's messages are parked in order.
fn order(message: &PlannedParked) -> (Timestamp, i128, Timestamp, &ParkedId) {
    let parked_at = message.parked.parked.at;
    let (came, within) = message.facts.as_ref().map_or((parked_at, 0), Facts::order);
    (came, within, parked_at, &message.parked.id)
}

/// Sends the planned messages, one after the other. With `fresh`, each is sent as if it had been accepted at `now`. After a message that
/// could not be sent, no more messages of its group are sent.
pub async fn redrive_parked(
    plan: &ParkedPlan,
    store: &dyn ParkedMessages,
    queues: WorkerQueues<'_>,
    fresh: bool,
    now: Timestamp,
) -> Vec<Redriven> {
    let redrive = Redrive { store, queues, fresh, now };
    let mut redriven = Vec::new();
    let mut stopped: HashSet<&str> = HashSet::new();
    for planned in &plan.messages {
        let outcome = match &planned.facts {
            None => RedriveOutcome::Failed("this version can't read it".to_owned()),
            Some(facts) if stopped.contains(facts.group.as_str()) => RedriveOutcome::Behind,
            Some(facts) => {
                let outcome = redrive.send(planned, facts).await;
                if !matches!(outcome, RedriveOutcome::Sent | RedriveOutcome::Left(_)) {
                    stopped.insert(&facts.group);
                }
                outcome
            }
        };
        redriven.push(Redriven { id: planned.id.clone(), outcome });
    }
    redriven
}

/// The context of a run that resends parked messages.
struct Redrive<'a> {
    store: &'a dyn ParkedMessages,
    queues: WorkerQueues<'a>,
    fresh: bool,
    now: Timestamp,
}

impl Redrive<'_> {
    async fn send(&self, planned: &PlannedParked, facts: &Facts) -> RedriveOutcome {
        if planned.parked.begun.is_none() {
            match self.store.reopen(&planned.parked, self.now).await {
                Ok(Reopened::Reopened) => {}
                Ok(Reopened::Busy) => return RedriveOutcome::Busy,
                Ok(Reopened::Taken) => return RedriveOutcome::Taken,
                Err(error) => return RedriveOutcome::Failed(error.to_string()),
            }
        }
        let body = &planned.parked.parked.body;
        let message = QueueMessage {
            body: if self.fresh { renewed(body, self.now) } else { body.clone() },
            group: facts.group.clone(),
            deduplication: redriven_parked(planned.parked.id.as_str()),
        };
        if let Err(error) = self.queues.of(facts.queue).send(vec![message]).await {
            return RedriveOutcome::Failed(error.to_string());
        }
        match forget(planned, self.store).await {
            Ok(()) => RedriveOutcome::Sent,
            Err(error) => RedriveOutcome::Left(error),
        }
    }
}

/// Deletes the planned messages without sending them.
pub async fn delete_parked(plan: &ParkedPlan, store: &dyn ParkedMessages) -> Vec<Redriven> {
    let mut deleted = Vec::new();
    for planned in &plan.messages {
        let outcome = match forget(planned, store).await {
            Ok(()) => RedriveOutcome::Deleted,
            Err(error) => RedriveOutcome::Failed(error),
        };
        deleted.push(Redriven { id: planned.id.clone(), outcome });
    }
    deleted
}

/// Forget the twins first, because resending goes by the item that is left last.
async fn forget(planned: &PlannedParked, store: &dyn ParkedMessages) -> Result<(), String> {
    for id in planned.twins.iter().chain([&planned.parked.id]) {
        store.forget(id).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}
