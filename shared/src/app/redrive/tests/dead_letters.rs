//! Dead letters.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use async_trait::async_trait;

use super::{super::*, at, line, text};
use crate::{
    domain::{
        delivery::ConsumerRef,
        id::{ChannelUserId, ConversationId},
    },
    port::{DeadLetter, DeadLetters, QueueError},
    testing::MemoryQueue,
};

/// A FIFO queue of dead letters: a group of which letters are held gives out no more.
#[derive(Default)]
struct DeadQueue {
    letters: Mutex<Vec<DeadLetter>>,
    held: Mutex<HashMap<String, String>>,
}

impl DeadQueue {
    fn with(letters: &[(&str, &str)]) -> Self {
        let letters = letters.iter().enumerate().map(|(n, (id, user))| DeadLetter {
            id: (*id).to_owned(),
            group: (*user).to_owned(),
            at: at(n as i64),
            receipt: format!("receipt-{id}"),
            body: text(id, user, 0),
        });
        Self { letters: Mutex::new(letters.collect()), held: Mutex::default() }
    }
}

#[async_trait]
impl DeadLetters for DeadQueue {
    async fn receive(&self) -> Result<Vec<DeadLetter>, QueueError> {
        let mut held = self.held.lock().unwrap();
        let busy: HashSet<String> = held.values().cloned().collect();
        // Two at a time make a small queue behave like a large one.
        let letters = self.letters.lock().unwrap();
        let given: Vec<_> = letters.iter().filter(|letter| !busy.contains(&letter.group)).take(2).cloned().collect();
        held.extend(given.iter().map(|letter| (letter.receipt.clone(), letter.group.clone())));
        Ok(given)
    }

    async fn count(&self) -> Result<usize, QueueError> {
        Ok(self.letters.lock().unwrap().len())
    }

    async fn delete(&self, receipt: &str) -> Result<(), QueueError> {
        assert!(self.held.lock().unwrap().remove(receipt).is_some(), "only what is held can be deleted");
        self.letters.lock().unwrap().retain(|letter| letter.receipt != receipt);
        Ok(())
    }

    async fn release(&self, receipts: Vec<String>) -> Result<(), QueueError> {
        self.held.lock().unwrap().retain(|held, _| !receipts.contains(held));
        Ok(())
    }
}

#[tokio::test]
async fn looking_at_dead_letters_leaves_them_there() {
    let queue = DeadQueue::with(&[("1", "anna"), ("2", "ben"), ("3", "carl"), ("4", "anna")]);
    for _ in 0..2 {
        let seen = look(&queue).await.unwrap();
        assert_eq!(seen.iter().map(|letter| letter.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    }
    assert_eq!(queue.count().await.unwrap(), 4, "a group shows its first ones only");
}

#[tokio::test]
async fn dead_letters_go_back_in_order_and_the_others_stay() {
    let queue = DeadQueue::with(&[("1", "anna"), ("2", "ben"), ("3", "anna"), ("4", "carl"), ("5", "anna")]);
    let source = MemoryQueue::default();
    let anna = ConsumerRef { line: line(), user: ChannelUserId::new("anna").unwrap() };
    let of_anna = Selection {
        conversation: Some(ConversationId::new("c1").unwrap()),
        person: Some(anna),
        ..Selection::default()
    };
    let (redriven, result) = redrive_dead_letters(&queue, &source, &of_anna, Some(at(9))).await;
    result.unwrap();
    assert!(redriven.iter().all(|one| one.outcome == RedriveOutcome::Sent));
    let sent = source.sent();
    let facts: Vec<_> = sent.iter().map(|message| Facts::read(&message.body).unwrap()).collect();
    assert_eq!(facts.iter().map(|facts| facts.correlation.as_str()).collect::<Vec<_>>(), ["r-1", "r-3", "r-5"]);
    assert!(sent.iter().all(|message| message.group == "anna"));
    assert!(facts.iter().all(|facts| facts.accepted_at == Some(at(9))));
    let left: Vec<_> = look(&queue).await.unwrap().into_iter().map(|letter| letter.id).collect();
    assert_eq!(left, ["2", "4"]);
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_sent_stays_and_holds_back_those_behind_it() {
    let queue = DeadQueue::with(&[("1", "anna"), ("2", "anna")]);
    let source = MemoryQueue::default();
    source.fail(true);
    let (redriven, _) = redrive_dead_letters(&queue, &source, &Selection::default(), None).await;
    assert!(matches!(
        &redriven[..],
        [Redriven { outcome: RedriveOutcome::Failed(_), .. }, Redriven { outcome: RedriveOutcome::Behind, .. }]
    ));
    assert_eq!(look(&queue).await.unwrap().len(), 2);
}

#[test]
fn letters_that_are_overtaken_are_counted() {
    let queue = DeadQueue::with(&[("1", "anna"), ("2", "ben"), ("3", "anna")]);
    let letters = queue.letters.lock().unwrap().clone();
    let plan = plan_dead_letters(letters, &Selection { since: Some(at(1)), ..Selection::default() });
    assert_eq!((plan.letters.len(), plan.overtaking), (2, 1));
}
