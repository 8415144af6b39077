//! The queues in SQS.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    types::{ChangeMessageVisibilityBatchRequestEntry, SendMessageBatchRequestEntry},
};
use jiff::SignedDuration;

use super::error_code;
use crate::{
    domain::code::Code,
    port::{Postpone, Queue, QueueError, QueueMessage},
};

/// SQS takes ten messages a call.
const BATCH: usize = 10;

/// And 256 KiB in all of them: the older limit, which every region has.
const BATCH_BYTES: usize = 256 * 1024;

/// One FIFO queue.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// The queue at `url`.
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
                .map_err(|_| QueueError { code: Code::ours("unbuildable") })?;
            call = call.entries(entry);
        }
        let output = call.send().await.map_err(|error| QueueError { code: error_code(&error) })?;
        match output.failed().first() {
            Some(failed) => Err(QueueError { code: Code::of(failed.code()) }),
            None if output.successful().len() == batch.len() => Ok(()),
            None => Err(QueueError { code: Code::ours("not_all_confirmed") }),
        }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        // One call after the other, and none after a failure: a later message of a group must not go before an earlier one.
        let messages = in_rounds(messages);
        let mut rest = messages.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch_length(rest));
            self.send_batch(batch).await?;
            rest = later;
        }
        Ok(())
    }
}

/// The first message of every group, then the second of every group, and so on: full calls for a webhook with many messages of a few
/// people. The order in a group stays.
fn in_rounds(messages: Vec<QueueMessage>) -> Vec<QueueMessage> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut numbered: Vec<_> = messages
        .into_iter()
        .map(|message| {
            let round = seen.entry(message.group.clone()).or_default();
            *round += 1;
            (*round, message)
        })
        .collect();
    numbered.sort_by_key(|(round, _)| *round);
    numbered.into_iter().map(|(_, message)| message).collect()
}

/// How many of the first messages fit into one call: at least one, and no two of one group. SQS can take a later entry of a call
/// and refuse an earlier one; sent again, the earlier one would stand behind.
fn batch_length(messages: &[QueueMessage]) -> usize {
    let mut bytes = 0;
    let mut groups = HashSet::new();
    let fitting = messages
        .iter()
        .take(BATCH)
        .take_while(|message| {
            bytes += message.body.len();
            bytes <= BATCH_BYTES && groups.insert(message.group.as_str())
        })
        .count();
    fitting.max(1)
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
                    .visibility_timeout(visibility(*after))
                    .build()
                    .map_err(|_| QueueError { code: Code::ours("unbuildable") })?;
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

/// The longest that a message is sent away for, in seconds. SQS allows 12 hours from when the message was received, which is up to a
/// function's time-out ago, and refuses more.
const LONGEST: i128 = 12 * 60 * 60 - 5 * 60;

/// The seconds until a message is to come again. Rounded up: a message that comes again before its time comes again and again, and
/// each time is a receive of the 200 that it has.
fn visibility(after: SignedDuration) -> i32 {
    let seconds = after.as_millis().div_euclid(1000) + i128::from(after.as_millis().rem_euclid(1000) > 0);
    i32::try_from(seconds.clamp(0, LONGEST)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_never_comes_again_before_its_time() {
        for (after, seconds) in [(0, 0), (1, 1), (250, 1), (1000, 1), (1001, 2), (-5, 0), (i64::MAX, 42_900)] {
            assert_eq!(visibility(SignedDuration::from_millis(after)), seconds, "{after} ms");
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
        assert_eq!(batch_length(&messages(&[1; 25])), 10);
        assert_eq!(batch_length(&messages(&[100_000, 100_000, 100_000])), 2);
        assert_eq!(batch_length(&messages(&[300_000, 1])), 1);
        assert_eq!(batch_length(&messages(&[1])), 1);
    }

    #[test]
    fn rounds_keep_the_order_in_a_group_and_fill_the_calls() {
        let groups = ["a", "a", "a", "b", "b", "c"];
        let messages: Vec<_> = groups
            .iter()
            .enumerate()
            .map(|(n, group)| QueueMessage {
                body: n.to_string(),
                group: (*group).to_owned(),
                deduplication: String::new(),
            })
            .collect();
        let rounds: Vec<_> = in_rounds(messages).into_iter().map(|message| message.body).collect();
        assert_eq!(rounds, ["0", "3", "5", "1", "4", "2"]);
    }

    #[test]
    fn a_call_never_takes_two_messages_of_one_group() {
        let mut messages = messages(&[1; 5]);
        messages[2].group = messages[0].group.clone();
        assert_eq!(batch_length(&messages), 2);
        assert_eq!(batch_length(&messages[2..]), 3);
    }
}
