//! Parked messages, sent again.
//!
//! For each one, in this order: **reopen** it (the message may be worked on, and the parked one notes so, in one transaction),
//! **send** it, **forget** the parked one. Whoever dies in between leaves a state from which running it again is right:
//!
//! - before the reopening, nothing has happened;
//! - after it, the parked one is still there with its note. The next run doesn't reopen again, it only sends: if the first
//!   sending had worked after all, the worker finds the message delivered, or parked anew, and lets the second one go;
//! - after the sending, the same.
//!
//! The other orders are wrong: sent before it is reopened, the worker finds it settled and deletes it; forgotten before it is
//! sent, it is lost. Reopened without the note, a second run would reopen, and so double, what the first one had delivered.
//!
//! Reopening keeps the steps that were done, so a long text goes on after its last part that arrived.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{
    RedriveOutcome, Redriven, WorkerQueues,
    facts::Facts,
    renewed,
    selection::{Candidate, Selection, parked_name},
};
use crate::{
    app::task::digest,
    domain::delivery::MessageKey,
    port::{ParkedId, ParkedMessage, ParkedMessages, QueueMessage, Reopened},
};

/// A parked message that is meant, with what is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedParked {
    /// Its name ([`parked_name`]).
    pub id: String,
    /// The message.
    pub parked: ParkedMessage,
    /// What it tells of itself; `None` for one that this version can't read, which is not sent.
    pub facts: Option<Facts>,
    /// Other parked items of the same message, which go with it.
    pub twins: Vec<ParkedId>,
}

/// What to send, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedPlan {
    /// The messages that are meant, each once, in the order in which the connector took them over.
    pub messages: Vec<PlannedParked>,
    /// How many of them overtake one of the same group that is parked too, came before, and is not meant.
    pub overtaking: usize,
}

/// Plans for those of `all` that `wanted` means. `all` should be everything, so that what is overtaken is seen.
pub fn plan_parked(all: Vec<ParkedMessage>, wanted: &Selection) -> ParkedPlan {
    // One message parked twice is one message: sent twice, it could be delivered twice. The latest knows best; one that was not
    // begun yet before one that was, because only that one reopens it.
    let mut by_message: HashMap<MessageKey, Vec<ParkedMessage>> = HashMap::new();
    for parked in all {
        by_message.entry(parked.message.clone()).or_default().push(parked);
    }
    let mut messages: Vec<(bool, PlannedParked)> = by_message
        .into_values()
        .filter_map(|mut items| {
            items.sort_by(|a, b| (a.begun.is_none(), a.parked.at, &a.id).cmp(&(b.begun.is_none(), b.parked.at, &b.id)));
            let parked = items.pop()?;
            let facts = Facts::read(&parked.parked.task);
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

/// When it came, where it stood among those that came with it, and when it was parked: a group's messages are parked in order.
fn order(message: &PlannedParked) -> (Timestamp, i128, Timestamp, &ParkedId) {
    let (came, within) = message.facts.as_ref().map_or((None, 0), Facts::order);
    let parked_at = message.parked.parked.at;
    (came.unwrap_or(parked_at), within, parked_at, &message.parked.id)
}

/// Sends what is planned, one after the other. With `fresh`, each message is sent as if it had been taken over at `now`. Of a
/// group, nothing is sent after one that could not be.
pub async fn redrive_parked(
    plan: &ParkedPlan,
    store: &dyn ParkedMessages,
    queues: WorkerQueues<'_>,
    fresh: bool,
    now: Timestamp,
) -> Vec<Redriven> {
    let mut redriven = Vec::new();
    let mut stopped: HashSet<&str> = HashSet::new();
    for planned in &plan.messages {
        let outcome = match &planned.facts {
            None => RedriveOutcome::Failed("this version can't read it".to_owned()),
            Some(facts) if stopped.contains(facts.group.as_str()) => RedriveOutcome::Behind,
            Some(facts) => {
                let outcome = redrive(planned, facts, store, queues, fresh, now).await;
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

async fn redrive(
    planned: &PlannedParked,
    facts: &Facts,
    store: &dyn ParkedMessages,
    queues: WorkerQueues<'_>,
    fresh: bool,
    now: Timestamp,
) -> RedriveOutcome {
    if planned.parked.begun.is_none() {
        match store.reopen(&planned.parked, now).await {
            Ok(Reopened::Reopened) => {}
            Ok(Reopened::Busy) => return RedriveOutcome::Busy,
            Ok(Reopened::Taken) => return RedriveOutcome::Taken,
            Err(error) => return RedriveOutcome::Failed(error.to_string()),
        }
    }
    let task = &planned.parked.parked.task;
    let message = QueueMessage {
        body: if fresh { renewed(task, now) } else { task.clone() },
        group: facts.group.clone(),
        // Not the message's own, which SQS may remember from before; and the same at every try for this parked one.
        deduplication: digest([b"parked".as_slice(), planned.parked.id.as_str().as_bytes()]),
    };
    if let Err(error) = queues.of(facts.queue).send(vec![message]).await {
        return RedriveOutcome::Failed(error.to_string());
    }
    match forget(planned, store).await {
        Ok(()) => RedriveOutcome::Sent,
        Err(error) => RedriveOutcome::Left(error),
    }
}

/// Deletes what is planned without sending it.
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

/// The twins first: the one that is left at last is the one that sending again goes by.
async fn forget(planned: &PlannedParked, store: &dyn ParkedMessages) -> Result<(), String> {
    for id in planned.twins.iter().chain([&planned.parked.id]) {
        store.forget(id).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}
