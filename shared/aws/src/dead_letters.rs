//! The dead-letter queues in SQS, for the operator's commands.

use async_trait::async_trait;
use aws_sdk_sqs::{
    Client,
    types::{Message, MessageSystemAttributeName, QueueAttributeName},
};
use jiff::{SignedDuration, Timestamp};

use super::{SqsQueue, error_code};
use connector::port::{DeadLetter, DeadLetters, Postpone, QueueError};
use connector_message::code::Code;

/// How long received letters are hidden, in seconds. A command must be able to receive all of them and give them back within this time. If
/// it stops before, the letters stay hidden from the next command for the rest of it.
const HOLD_SECONDS: i32 = 120;

/// How long a receive waits, in seconds. With long polling, SQS asks all of its servers. Without it, a receive may miss letters.
const WAIT_SECONDS: i32 = 1;

/// A FIFO dead-letter queue.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue {
    client: Client,
    url: String,
}

impl DeadLetterQueue {
    /// Creates the queue at `url`.
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
        let unreadable = || QueueError { code: Code::internal("unreadable_message") };
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
    // For a FIFO queue, SQS resets this timestamp when it moves the message to the dead-letter queue.
    let at = attribute(MessageSystemAttributeName::SentTimestamp)?.parse().ok()?;
    Some(DeadLetter {
        group: attribute(MessageSystemAttributeName::MessageGroupId)?,
        at: Timestamp::from_millisecond(at).ok()?,
        id: message.message_id?,
        receipt: message.receipt_handle?,
        body: message.body?,
    })
}
