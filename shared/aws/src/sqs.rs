//! The queues in SQS.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    types::{ChangeMessageVisibilityBatchRequestEntry, SendMessageBatchRequestEntry},
};
use futures::future::try_join_all;
use jiff::SignedDuration;

use super::error_code;
use connector::port::{Postpone, Queue, QueueError, QueueMessage};
use connector_message::code::Code;

/// The most messages in one call of SQS.
const BATCH: usize = 10;

/// The most bytes in all messages of one call: the older limit of SQS, which every region has.
const BATCH_BYTES: usize = 256 * 1024;

/// How many calls are in flight at once.
const CALLS_AT_ONCE: usize = 8;

/// A FIFO queue.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// Creates the queue at `url`.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    async fn send_batch(&self, batch: &[QueueMessage]) -> Result<(), QueueError> {
        let mut call = self.client.send_message_batch().queue_url(&self.url);
        for (index, message) in batch.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(&message.body)
                .message_group_id(&message.group)
                .message_deduplication_id(&message.deduplication)
                .build()
                .map_err(|_| QueueError { code: Code::internal("unbuildable") })?;
            call = call.entries(entry);
        }
        let output = call.send().await.map_err(|error| QueueError { code: error_code(&error) })?;
        match output.failed().first() {
            Some(failed) => Err(QueueError { code: Code::of(failed.code()) }),
            None if output.successful().len() == batch.len() => Ok(()),
            None => Err(QueueError { code: Code::internal("not_all_confirmed") }),
        }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        // Send one round after the other, and none after a failure, because a later message of a group must not overtake an earlier one.
        // The messages of a round are of different groups.
        for round in rounds(messages) {
            for calls in in_calls(&round).chunks(CALLS_AT_ONCE) {
                try_join_all(calls.iter().map(|batch| self.send_batch(batch))).await?;
            }
        }
        Ok(())
    }
}

/// Splits messages into rounds: the first message of every group, then the second of every group, and so on. SQS can accept a later entry
/// of a call and reject an earlier one. When that one is sent again, it would come after the later one.
fn rounds(messages: Vec<QueueMessage>) -> Vec<Vec<QueueMessage>> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut rounds: Vec<Vec<QueueMessage>> = Vec::new();
    for message in messages {
        let round = seen.entry(message.group.clone()).or_default();
        *round += 1;
        if rounds.len() < *round {
            rounds.push(Vec::new());
        }
        if let Some(round) = rounds.get_mut(*round - 1) {
            round.push(message);
        }
    }
    rounds
}

/// Splits the messages of a round into calls, each within the limits of SQS.
fn in_calls(round: &[QueueMessage]) -> Vec<&[QueueMessage]> {
    let (mut calls, mut rest) = (Vec::new(), round);
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |message: &&QueueMessage| {
            bytes += message.body.len();
            bytes <= BATCH_BYTES
        };
        let (call, later) = rest.split_at(rest.iter().take(BATCH).take_while(fits).count().max(1));
        calls.push(call);
        rest = later;
    }
    calls
}

#[async_trait]
impl Postpone for SqsQueue {
    async fn postpone(&self, messages: Vec<(String, SignedDuration)>) -> Result<(), QueueError> {
        for batch in messages.chunks(BATCH) {
            let mut call = self.client.change_message_visibility_batch().queue_url(&self.url);
            for (index, (receipt, after)) in batch.iter().enumerate() {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(receipt)
                    .visibility_timeout(visibility_timeout(*after))
                    .build()
                    .map_err(|_| QueueError { code: Code::internal("unbuildable") })?;
                call = call.entries(entry);
            }
            let output = call.send().await.map_err(|error| QueueError { code: error_code(&error) })?;
            if let Some(failed) = output.failed().first() {
                return Err(QueueError { code: Code::of(failed.code()) });
            }
        }
        Ok(())
    }
}

/// The longest time for which a message is hidden, in seconds. SQS allows at most 12 hours from when the message was received, which is up
/// to a function's timeout ago.
const LONGEST: i128 = 12 * 60 * 60 - 5 * 60;

/// Returns the seconds for which to hide a message, rounded up, at most 11 hours and 55 minutes.
///
/// A message that reappears early is received several times, and each counts toward the 200 receives that it has.
pub fn visibility_timeout(after: SignedDuration) -> i32 {
    let seconds = after.as_millis().div_euclid(1000) + i128::from(after.as_millis().rem_euclid(1000) > 0);
    i32::try_from(seconds.clamp(0, LONGEST)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_never_comes_again_before_its_time() {
        for (after, seconds) in [(0, 0), (1, 1), (250, 1), (1000, 1), (1001, 2), (-5, 0), (i64::MAX, 42_900)] {
            assert_eq!(visibility_timeout(SignedDuration::from_millis(after)), seconds, "{after} ms");
        }
    }

    fn messages(sizes: &[usize]) -> Vec<QueueMessage> {
        sizes
            .iter()
            .enumerate()
            .map(|(n, size)| QueueMessage {
                body: "x".repeat(*size),
                group: n.to_string(),
                deduplication: String::new(),
            })
            .collect()
    }

    #[test]
    fn a_call_takes_ten_messages_and_256_kib() {
        let lengths = |sizes: &[usize]| in_calls(&messages(sizes)).iter().map(|call| call.len()).collect::<Vec<_>>();
        assert_eq!(lengths(&[1; 25]), [10, 10, 5]);
        assert_eq!(lengths(&[100_000, 100_000, 100_000]), [2, 1]);
        assert_eq!(lengths(&[300_000, 1]), [1, 1]);
        assert_eq!(lengths(&[1]), [1]);
        assert!(lengths(&[]).is_empty());
    }

    fn in_groups(groups: &[&str]) -> Vec<QueueMessage> {
        let message = |(n, group): (usize, &&str)| QueueMessage {
            body: n.to_string(),
            group: (*group).to_owned(),
            deduplication: String::new(),
        };
        groups.iter().enumerate().map(message).collect()
    }

    #[test]
    fn a_round_never_has_two_messages_of_one_group_and_the_order_in_a_group_stays() {
        let rounds = rounds(in_groups(&["a", "a", "a", "b", "b", "c"]));
        let rounds: Vec<Vec<_>> =
            rounds.iter().map(|round| round.iter().map(|message| message.body.as_str()).collect()).collect();
        assert_eq!(rounds, [vec!["0", "3", "5"], vec!["1", "4"], vec!["2"]]);
    }

    proptest::proptest! {
        #[test]
        fn every_message_goes_once_and_after_those_of_its_group_before_it(groups in proptest::collection::vec("[a-e]", 0..60)) {
            let names: Vec<&str> = groups.iter().map(String::as_str).collect();
            let rounds = rounds(in_groups(&names));
            for group in ["a", "b", "c", "d", "e"] {
                let wanted: Vec<String> = (0..groups.len()).filter(|n| groups[*n] == group).map(|n| n.to_string()).collect();
                let of_round = |round: &Vec<QueueMessage>| round.iter().filter(|message| message.group == group).count();
                proptest::prop_assert!(rounds.iter().all(|round| of_round(round) <= 1));
                let sent: Vec<_> =
                    rounds.iter().flatten().filter(|message| message.group == group).map(|message| message.body.clone()).collect();
                proptest::prop_assert_eq!(sent, wanted);
            }
        }
    }
}
