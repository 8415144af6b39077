//! The three batch operations. Each reports the result of up to ten entries.

use std::collections::BTreeSet;

use connector_testing::fifo::{FifoError, MAX_BATCH, MAX_MESSAGE_BYTES, NewMessage, md5_of_attributes, md5_of_body};
use rustack_sqs_model::input::{ChangeMessageVisibilityBatchInput, DeleteMessageBatchInput, SendMessageBatchInput};
use rustack_sqs_model::output::{ChangeMessageVisibilityBatchOutput, DeleteMessageBatchOutput, SendMessageBatchOutput};
use rustack_sqs_model::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchResultEntry, DeleteMessageBatchResultEntry,
    SendMessageBatchResultEntry,
};

use super::{SqsEndpoint, error, wire};
use crate::aws::queue_service::QueueHandle;

const MAX_ENTRY_ID_CHARACTERS: usize = 80;

impl SqsEndpoint {
    pub(super) fn send_batch(&self, input: SendMessageBatchInput) -> Result<SendMessageBatchOutput, FifoError> {
        let queue = self.queue(&input.queue_url)?;
        check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
        let messages: Vec<_> = input
            .entries
            .into_iter()
            .map(|entry| (entry.id.clone(), wire::new_message(wire::SendParameters::from(entry))))
            .collect();
        let size = messages.iter().filter_map(|(_, message)| message.as_ref().ok()).map(|m| m.size()).sum();
        if size > MAX_MESSAGE_BYTES {
            return Err(FifoError::BatchTooLong(size));
        }
        let mut output = SendMessageBatchOutput::default();
        for (id, message) in messages {
            match message.and_then(|message| sent(&queue, &id, message)) {
                Ok(entry) => output.successful.push(entry),
                Err(error) => output.failed.push(failed(id, &error)),
            }
        }
        Ok(output)
    }

    pub(super) fn delete_batch(&self, input: DeleteMessageBatchInput) -> Result<DeleteMessageBatchOutput, FifoError> {
        let queue = self.queue(&input.queue_url)?;
        check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
        let mut output = DeleteMessageBatchOutput::default();
        for entry in input.entries {
            match queue.delete(&entry.receipt_handle) {
                Ok(()) => output.successful.push(DeleteMessageBatchResultEntry { id: entry.id }),
                Err(error) => output.failed.push(failed(entry.id, &error)),
            }
        }
        Ok(output)
    }

    pub(super) fn change_visibility_batch(
        &self,
        input: ChangeMessageVisibilityBatchInput,
    ) -> Result<ChangeMessageVisibilityBatchOutput, FifoError> {
        let queue = self.queue(&input.queue_url)?;
        check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
        let mut output = ChangeMessageVisibilityBatchOutput::default();
        for entry in input.entries {
            let changed = self
                .wait(entry.visibility_timeout)
                .and_then(|timeout| queue.change_visibility(&entry.receipt_handle, timeout));
            match changed {
                Ok(()) => output.successful.push(ChangeMessageVisibilityBatchResultEntry { id: entry.id }),
                Err(error) => output.failed.push(failed(entry.id, &error)),
            }
        }
        Ok(output)
    }
}

fn sent(queue: &QueueHandle, id: &str, message: NewMessage) -> Result<SendMessageBatchResultEntry, FifoError> {
    let (body, attributes) = (md5_of_body(&message.body), md5_of_attributes(&message.attributes));
    let receipt = queue.send(message)?;
    Ok(SendMessageBatchResultEntry {
        id: id.to_owned(),
        message_id: receipt.message_id,
        md5_of_message_body: body,
        md5_of_message_attributes: attributes,
        sequence_number: Some(receipt.sequence_number),
    })
}

fn failed(id: String, error: &FifoError) -> BatchResultErrorEntry {
    BatchResultErrorEntry {
        id,
        sender_fault: true,
        code: error::entry_code(error).to_owned(),
        message: Some(error.to_string()),
    }
}

fn check_ids<'a>(ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), FifoError> {
    match ids.len() {
        0 => return Err(FifoError::EmptyBatch),
        1..=MAX_BATCH => {}
        more => return Err(FifoError::TooManyEntries(more)),
    }
    let mut seen = BTreeSet::new();
    for id in ids {
        let well_formed = (1..=MAX_ENTRY_ID_CHARACTERS).contains(&id.len())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !well_formed {
            return Err(FifoError::InvalidEntryId);
        }
        if !seen.insert(id) {
            return Err(FifoError::EntryIdsNotDistinct(id.to_owned()));
        }
    }
    Ok(())
}
