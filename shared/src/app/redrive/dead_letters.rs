//! Dead letters, sent again.
//!
//! A dead letter is not settled, so it needs no reopening: it is sent into the group that it was in, and deleted when that is
//! confirmed. Whoever dies in between sends it twice, and its lease lets the worker deliver it once.

use std::collections::HashSet;

use jiff::Timestamp;

use super::{
    RedriveOutcome, Redriven,
    facts::Facts,
    renewed,
    selection::{Candidate, Selection, short_name},
};
use crate::{
    app::task::digest,
    port::{DeadLetter, DeadLetters, Queue, QueueError, QueueMessage},
};

impl Selection {
    /// Whether this letter is meant.
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

/// The letters that are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterPlan {
    /// Those, in the order in which they were received, which is each group's.
    pub letters: Vec<DeadLetter>,
    /// How many of them overtake one of the same group that lies there too, came before, and is not meant.
    pub overtaking: usize,
}

/// Plans for those of `seen` that `wanted` means.
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

/// Looks at what the queue gives out, and gives it back: the first ten of each group at the most. How many there are in all,
/// [`DeadLetters::count`] tells.
///
/// # Errors
/// [`QueueError`]; what was seen until then is given back too.
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
    // What isn't given back comes back by itself in some minutes.
    let released = queue.release(receipts).await;
    result.and(released)?;
    Ok(letters)
}

/// Sends those letters that `wanted` means into `source`, in order, and gives the others back.
///
/// With `fresh`, each is sent as if it had been taken over at that time. Of a group, nothing is sent after one that could not be.
///
/// # Errors
/// [`QueueError`] when the dead letters can't be received any more, with what was done until then.
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
        deduplication: digest([b"dead letter".as_slice(), letter.id.as_bytes()]),
    };
    if let Err(error) = source.send(vec![message]).await {
        return RedriveOutcome::Failed(error.to_string());
    }
    match queue.delete(&letter.receipt).await {
        Ok(()) => RedriveOutcome::Sent,
        Err(error) => RedriveOutcome::Left(error.to_string()),
    }
}

/// Letters that nobody else gets meanwhile.
#[derive(Default)]
struct Held {
    seen: HashSet<String>,
    letters: Vec<DeadLetter>,
}

impl Held {
    /// The next letters. None, too, once the first ones come round again because holding them took too long.
    async fn receive(&mut self, queue: &dyn DeadLetters) -> Result<Vec<DeadLetter>, QueueError> {
        let mut letters = queue.receive().await?;
        if letters.iter().any(|letter| self.seen.contains(&letter.id)) {
            // Received anew, the older receipt is worth nothing.
            self.letters.retain(|held| !letters.iter().any(|letter| letter.id == held.id));
            self.letters.append(&mut letters);
            return Ok(vec![]);
        }
        self.seen.extend(letters.iter().map(|letter| letter.id.clone()));
        Ok(letters)
    }
}
