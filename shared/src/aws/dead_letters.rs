//! Dead-letter queues in SQS, for the operator's commands.

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    types::{Message, MessageSystemAttributeName, QueueAttributeName},
};
use jiff::{SignedDuration, Timestamp};

use super::{SqsQueue, error_code};
use crate::{
    domain::code::Code,
    port::{DeadLetter, DeadLetters, Postpone, QueueError},
};

/// How long received letters are held, in seconds: time enough for a command to look at all of them and give them back. One that
/// dies keeps them from the next one for so long.
const HOLD_SECONDS: i32 = 120;

/// How long a receive waits, in seconds. Any wait has SQS ask all of its servers; without one it may miss letters.
const WAIT_SECONDS: i32 = 1;

/// One FIFO dead-letter queue.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue {
    client: Client,
    url: String,
}

impl DeadLetterQueue {
    /// The queue at `url`.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }
}

#[async_trait]
impl DeadLetters for DeadLetterQueue {
    async fn receive(&self) -> Result<Vec<DeadLetter>, QueueError> {
        let output = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(10)
            .visibility_timeout(HOLD_SECONDS)
            .wait_time_seconds(WAIT_SECONDS)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .map_err(|error| QueueError { code: error_code(&error) })?;
        let unreadable = || QueueError { code: Code::ours("unreadable_message") };
        output.messages.unwrap_or_default().into_iter().map(|message| letter(message).ok_or_else(unreadable)).collect()
    }

    async fn count(&self) -> Result<usize, QueueError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let output = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .map_err(|error| QueueError { code: error_code(&error) })?;
        let number = |name| output.attributes.as_ref()?.get(name)?.parse::<usize>().ok();
        Ok(names.iter().filter_map(number).sum())
    }

    async fn delete(&self, receipt: &str) -> Result<(), QueueError> {
        let delete = self.client.delete_message().queue_url(&self.url).receipt_handle(receipt);
        delete.send().await.map(|_| ()).map_err(|error| QueueError { code: error_code(&error) })
    }

    async fn release(&self, receipts: Vec<String>) -> Result<(), QueueError> {
        let now = receipts.into_iter().map(|receipt| (receipt, SignedDuration::ZERO)).collect();
        SqsQueue::new(self.client.clone(), &self.url).postpone(now).await
    }
}

fn letter(message: Message) -> Option<DeadLetter> {
    let attribute = |name| message.attributes.as_ref()?.get(&name).cloned();
    // SQS sets the time of sending anew when it gives up a message of a FIFO queue.
    let at = attribute(MessageSystemAttributeName::SentTimestamp)?.parse().ok()?;
    Some(DeadLetter {
        group: attribute(MessageSystemAttributeName::MessageGroupId)?,
        at: Timestamp::from_millisecond(at).ok()?,
        id: message.message_id?,
        receipt: message.receipt_handle?,
        body: message.body?,
    })
}
