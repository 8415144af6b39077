//! Resends dead letters.
//!
//! A dead letter is not settled, so it needs no reopening: it is sent to the group that it was in, and deleted when the queue has confirmed
//! it. If the command stops in between, the next run sends it twice, and its lease lets the worker deliver it once.

use std::collections::HashSet;

use jiff::Timestamp;

use super::{
    RedriveOutcome, Redriven,
    facts::Facts,
    selection::{Candidate, Selection},
};
use crate::{
    port::{DeadLetter, DeadLetters, Queue, QueueError, QueueMessage},
    queue_message::{redriven_dead_letter, short_name, wire::renewed},
};

impl Selection {
    /// Whether this letter is selected.
    pub fn means(&self, letter: &DeadLetter) -> bool {
        self.matches(&Candidate {
            id: &short_name(&letter.id),
            at: letter.at,
            line: None,
            conversation: None,
            facts: Facts::read(&letter.body).as_ref(),
        })
    }
}

/// The selected letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterPlan {
    /// The letters in the order in which they were received, which is the order of each group.
    pub letters: Vec<DeadLetter>,
    /// How many of them overtake an earlier letter of the same group that is not selected.
    pub overtaking: usize,
}

/// Selects those of `seen` that match `wanted`.
pub fn plan_dead_letters(seen: Vec<DeadLetter>, wanted: &Selection) -> DeadLetterPlan {
    let mut plan = DeadLetterPlan::default();
    let mut passed_over: HashSet<String> = HashSet::new();
    for letter in seen {
        if wanted.means(&letter) {
            plan.overtaking += usize::from(passed_over.contains(&letter.group));
            plan.letters.push(letter);
        } else {
            passed_over.insert(letter.group);
        }
    }
    plan
}

/// Receives letters and gives them back: at most the first ten of each group. [`DeadLetters::count`] returns the number of all letters.
///
/// # Errors
/// [`QueueError`]. The letters received until then are given back, too.
pub async fn look(queue: &dyn DeadLetters) -> Result<Vec<DeadLetter>, QueueError> {
    let mut held = Held::default();
    let result = loop {
        match held.receive(queue).await {
            Ok(letters) if letters.is_empty() => break Ok(()),
            Ok(letters) => held.letters.extend(letters),
            Err(error) => break Err(error),
        }
    };
    let letters = std::mem::take(&mut held.letters);
    let receipts = letters.iter().map(|letter| letter.receipt.clone()).collect();
    // Letters that can't be given back reappear after some minutes.
    let released = queue.release(receipts).await;
    result.and(released)?;
    Ok(letters)
}

/// Sends the letters that match `wanted` to `source`, in order, and gives the others back.
///
/// With `fresh`, each is sent as if it had been accepted at that time. After a letter that could not be sent, no more letters of its group
/// are sent.
///
/// # Errors
/// [`QueueError`] if the dead letters can't be received any more. The outcomes until then are returned with it.
pub async fn redrive_dead_letters(
    queue: &dyn DeadLetters,
    source: &dyn Queue,
    wanted: &Selection,
    fresh: Option<Timestamp>,
) -> (Vec<Redriven>, Result<(), QueueError>) {
    let mut redriven = Vec::new();
    let mut stopped: HashSet<String> = HashSet::new();
    let mut held = Held::default();
    let result = loop {
        let letters = match held.receive(queue).await {
            Ok(letters) if letters.is_empty() => break Ok(()),
            Ok(letters) => letters,
            Err(error) => break Err(error),
        };
        for letter in letters {
            if !wanted.means(&letter) {
                held.letters.push(letter);
                continue;
            }
            let outcome = if stopped.contains(&letter.group) {
                RedriveOutcome::Behind
            } else {
                redrive(queue, source, &letter, fresh).await
            };
            redriven.push(Redriven { id: short_name(&letter.id), outcome: outcome.clone() });
            if !outcome.is_done() {
                if !matches!(outcome, RedriveOutcome::Left(_)) {
                    stopped.insert(letter.group.clone());
                }
                held.letters.push(letter);
            }
        }
    };
    let released = queue.release(held.letters.into_iter().map(|letter| letter.receipt).collect()).await;
    (redriven, result.and(released))
}

async fn redrive(
    queue: &dyn DeadLetters,
    source: &dyn Queue,
    letter: &DeadLetter,
    fresh: Option<Timestamp>,
) -> RedriveOutcome {
    let message = QueueMessage {
        body: fresh.map_or_else(|| letter.body.clone(), |now| renewed(&letter.body, now)),
        group: letter.group.clone(),
        deduplication: redriven_dead_letter(&letter.id),
    };
    if let Err(error) = source.send(vec![message]).await {
        return RedriveOutcome::Failed(error.to_string());
    }
    match queue.delete(&letter.receipt).await {
        Ok(()) => RedriveOutcome::Sent,
        Err(error) => RedriveOutcome::Left(error.to_string()),
    }
}

/// Received letters, which no other consumer of the queue receives in the meantime.
#[derive(Default)]
struct Held {
    seen: HashSet<String>,
    letters: Vec<DeadLetter>,
}

impl Held {
    /// Receives the next letters. Returns none, too, once the first ones reappear because they were held too long.
    async fn receive(&mut self, queue: &dyn DeadLetters) -> Result<Vec<DeadLetter>, QueueError> {
        let mut letters = queue.receive().await?;
        if letters.iter().any(|letter| self.seen.contains(&letter.id)) {
            // The receipt of a letter that is received again is no longer valid.
            self.letters.retain(|held| !letters.iter().any(|letter| letter.id == held.id));
            self.letters.append(&mut letters);
            return Ok(vec![]);
        }
        self.seen.extend(letters.iter().map(|letter| letter.id.clone()));
        Ok(letters)
    }
}
