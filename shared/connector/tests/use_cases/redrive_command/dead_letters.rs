//! Dead letters.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{at, line, text};
use connector::app::redrive::*;
use connector::{
    domain::delivery::ConsumerRef,
    port::{DeadLetter, DeadLetters, QueueError},
};
use connector_channels::id::ChannelUserId;
use connector_liveengage::id::ConversationId;
use connector_testing::MemoryQueue;

/// A FIFO queue of dead letters. It delivers no more letters of a group while some are held.
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
        let mut held = self.held.lock();
        let busy: HashSet<String> = held.values().cloned().collect();
        // Two at a time make a small queue behave like a large one.
        let letters = self.letters.lock();
        let given: Vec<_> = letters.iter().filter(|letter| !busy.contains(&letter.group)).take(2).cloned().collect();
        held.extend(given.iter().map(|letter| (letter.receipt.clone(), letter.group.clone())));
        Ok(given)
    }

    async fn count(&self) -> Result<usize, QueueError> {
        Ok(self.letters.lock().len())
    }

    async fn delete(&self, receipt: &str) -> Result<(), QueueError> {
        assert!(self.held.lock().remove(receipt).is_some(), "only what is held can be deleted");
        self.letters.lock().retain(|letter| letter.receipt != receipt);
        Ok(())
    }

    async fn release(&self, receipts: Vec<String>) -> Result<(), QueueError> {
        self.held.lock().retain(|held, _| !receipts.contains(held));
        Ok(())
    }
}

#[tokio::test]
async fn looking_at_dead_letters_does_not_remove_them() {
    let queue = DeadQueue::with(&[("1", "anna"), ("2", "ben"), ("3", "carl"), ("4", "anna")]);
    for _ in 0..2 {
        let seen = look(&queue).await.unwrap();
        assert_eq!(seen.iter().map(|letter| letter.id.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    }
    assert_eq!(queue.count().await.unwrap(), 4, "a group shows its first ones only");
}

#[tokio::test]
async fn selected_dead_letters_are_sent_in_order_and_the_others_stay() {
    let queue = DeadQueue::with(&[("1", "anna"), ("2", "ben"), ("3", "anna"), ("4", "carl"), ("5", "anna")]);
    let source = MemoryQueue::default();
    let anna = ConsumerRef { line: line(), user: ChannelUserId::new("anna").unwrap() };
    let of_anna = Selection {
        conversation: Some(ConversationId::new("c1").unwrap()),
        consumer: Some(anna),
        ..Selection::default()
    };
    let (redriven, result) = redrive_dead_letters(&queue, &source, &of_anna, Some(at(9))).await;
    result.unwrap();
    assert!(redriven.iter().all(|one| one.outcome == RedriveOutcome::Sent));
    let sent = source.sent();
    let facts: Vec<_> = sent.iter().map(|message| Facts::read(&message.body).unwrap()).collect();
    assert_eq!(facts.iter().map(|facts| facts.correlation.as_str()).collect::<Vec<_>>(), ["r-1", "r-3", "r-5"]);
    assert!(sent.iter().all(|message| message.group == "anna"));
    assert!(facts.iter().all(|facts| facts.accepted_at == at(9)));
    let left: Vec<_> = look(&queue).await.unwrap().into_iter().map(|letter| letter.id).collect();
    assert_eq!(left, ["2", "4"]);
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_sent_stays_and_so_do_those_after_it() {
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
    let letters = queue.letters.lock().clone();
    let plan = plan_dead_letters(letters, &Selection { since: Some(at(1)), ..Selection::default() });
    assert_eq!((plan.letters.len(), plan.overtaking), (2, 1));
}
