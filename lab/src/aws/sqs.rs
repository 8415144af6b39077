//! SQS on the wire: the JSON protocol of the AWS SDKs, for the lab's own queues.
//!
//! It supports the operations that a connector and its operator use. Other operations are answered with
//! `UnsupportedOperation`. Parameters and attributes that the queues don't support are refused, not ignored.

mod batch;
mod error;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::future::Future;
use std::num::NonZeroU16;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use connector_testing::fifo::{FifoError, ReceiveOptions, md5_of_attributes, md5_of_body};
use http::Response;
use rustack_sqs_http::body::SqsResponseBody;
use rustack_sqs_http::dispatch::SqsHandler;
use rustack_sqs_http::response::json_response;
use rustack_sqs_model::error::SqsError;
use rustack_sqs_model::input::{
    ChangeMessageVisibilityInput, CreateQueueInput, DeleteMessageInput, GetQueueAttributesInput, GetQueueUrlInput,
    ListQueuesInput, PurgeQueueInput, ReceiveMessageInput, SendMessageInput,
};
use rustack_sqs_model::operations::SqsOperation;
use rustack_sqs_model::output::{
    ChangeMessageVisibilityOutput, CreateQueueOutput, DeleteMessageOutput, GetQueueAttributesOutput, GetQueueUrlOutput,
    ListQueuesOutput, PurgeQueueOutput, ReceiveMessageOutput, SendMessageOutput,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::queue_service::{QueueHandle, QueueService};
use super::queues::{DEFAULT_VISIBILITY_TIMEOUT, QueueSettings, Redrive};

const MAX_WAIT_SECONDS: i32 = 20;
const MAX_LISTED: usize = 1_000;

/// Answers SQS requests for the queues of a [`QueueService`].
#[derive(Debug, Clone)]
pub struct SqsEndpoint {
    service: QueueService,
    base_url: String,
    shorten_waits_by: NonZeroU16,
}

impl SqsEndpoint {
    /// An endpoint whose queue URLs start with `base_url` (`http://127.0.0.1:4100`, without a trailing slash).
    pub fn new(service: QueueService, base_url: impl Into<String>) -> Self {
        Self { service, base_url: base_url.into(), shorten_waits_by: NonZeroU16::MIN }
    }

    /// Shortens the delays of `ChangeMessageVisibility` by this factor.
    #[must_use]
    pub fn shorten_waits_by(self, times: NonZeroU16) -> Self {
        Self { shorten_waits_by: times, ..self }
    }

    fn wait(&self, seconds: i32) -> Result<Duration, FifoError> {
        Ok(wire::visibility(seconds)? / u32::from(self.shorten_waits_by.get()))
    }

    /// The URL of a queue of this name, whether or not it exists.
    pub fn queue_url(&self, name: &str) -> String {
        let account = self.service.with(|queues, _| queues.account().to_owned());
        format!("{}/{account}/{name}", self.base_url)
    }

    async fn answer(&self, operation: SqsOperation, body: &[u8]) -> Result<Response<SqsResponseBody>, FifoError> {
        match operation {
            SqsOperation::SendMessage => rendered(&self.send(parsed(body)?)?),
            SqsOperation::SendMessageBatch => rendered(&self.send_batch(parsed(body)?)?),
            SqsOperation::ReceiveMessage => rendered(&self.receive(parsed(body)?).await?),
            SqsOperation::DeleteMessage => rendered(&self.delete(&parsed(body)?)?),
            SqsOperation::DeleteMessageBatch => rendered(&self.delete_batch(parsed(body)?)?),
            SqsOperation::ChangeMessageVisibility => rendered(&self.change_visibility(&parsed(body)?)?),
            SqsOperation::ChangeMessageVisibilityBatch => rendered(&self.change_visibility_batch(parsed(body)?)?),
            SqsOperation::PurgeQueue => rendered(&self.purge(&parsed(body)?)?),
            SqsOperation::GetQueueAttributes => rendered(&self.attributes(&parsed(body)?)?),
            SqsOperation::GetQueueUrl => rendered(&self.url(&parsed(body)?)?),
            SqsOperation::CreateQueue => rendered(&self.create(&parsed(body)?)?),
            SqsOperation::ListQueues => rendered(&self.list(&parsed(body)?)?),
            other => Err(FifoError::UnsupportedOperation(other.as_str().to_owned())),
        }
    }

    fn queue(&self, url: &str) -> Result<QueueHandle, FifoError> {
        let account = self.service.with(|queues, _| queues.account().to_owned());
        let mut segments = url.rsplit('/');
        let (name, owner) = (segments.next(), segments.next());
        match name {
            Some(name) if owner == Some(account.as_str()) => {
                self.service.queue(name).ok_or(FifoError::QueueDoesNotExist)
            }
            _ => Err(FifoError::QueueDoesNotExist),
        }
    }

    fn send(&self, input: SendMessageInput) -> Result<SendMessageOutput, FifoError> {
        let queue = self.queue(&input.queue_url)?;
        let message = wire::new_message(wire::SendParameters::from(input))?;
        let (body, attributes) = (md5_of_body(&message.body), md5_of_attributes(&message.attributes));
        let receipt = queue.send(message)?;
        Ok(SendMessageOutput {
            message_id: Some(receipt.message_id),
            md5_of_message_body: Some(body),
            md5_of_message_attributes: attributes,
            md5_of_message_system_attributes: None,
            sequence_number: Some(receipt.sequence_number),
        })
    }

    async fn receive(&self, input: ReceiveMessageInput) -> Result<ReceiveMessageOutput, FifoError> {
        let queue = self.queue(&input.queue_url)?;
        if input.receive_request_attempt_id.is_some() {
            return Err(FifoError::InvalidParameter(
                "The lab's SQS stand-in does not support ReceiveRequestAttemptId.".to_owned(),
            ));
        }
        let wait = input.wait_time_seconds.unwrap_or(0);
        if !(0..=MAX_WAIT_SECONDS).contains(&wait) {
            return Err(FifoError::InvalidParameter(format!(
                "Value {wait} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= {MAX_WAIT_SECONDS}, if \
                 provided."
            )));
        }
        let options = ReceiveOptions {
            max: usize::try_from(input.max_number_of_messages.unwrap_or(1)).unwrap_or(0),
            visibility_timeout: input.visibility_timeout.map(wire::visibility).transpose()?,
            ..ReceiveOptions::default()
        };
        let system: Vec<String> =
            input.attribute_names.into_iter().chain(input.message_system_attribute_names).collect();
        let deadline = Instant::now() + Duration::from_secs(u64::try_from(wait).unwrap_or(0));
        let mut changes = queue.changes();
        loop {
            changes.mark_unchanged();
            let messages = queue.receive(&options)?;
            let left = deadline.saturating_duration_since(Instant::now());
            if !messages.is_empty() || left.is_zero() {
                let messages = messages
                    .into_iter()
                    .map(|message| wire::message(message, &system, &input.message_attribute_names))
                    .collect();
                return Ok(ReceiveMessageOutput { messages });
            }
            queue.wait(&mut changes, Some(left)).await;
        }
    }

    fn delete(&self, input: &DeleteMessageInput) -> Result<DeleteMessageOutput, FifoError> {
        self.queue(&input.queue_url)?.delete(&input.receipt_handle)?;
        Ok(DeleteMessageOutput {})
    }

    fn change_visibility(
        &self,
        input: &ChangeMessageVisibilityInput,
    ) -> Result<ChangeMessageVisibilityOutput, FifoError> {
        let timeout = self.wait(input.visibility_timeout)?;
        self.queue(&input.queue_url)?.change_visibility(&input.receipt_handle, timeout)?;
        Ok(ChangeMessageVisibilityOutput {})
    }

    fn purge(&self, input: &PurgeQueueInput) -> Result<PurgeQueueOutput, FifoError> {
        self.queue(&input.queue_url)?.purge()?;
        Ok(PurgeQueueOutput {})
    }

    fn attributes(&self, input: &GetQueueAttributesInput) -> Result<GetQueueAttributesOutput, FifoError> {
        let queue = self.queue(&input.queue_url)?;
        let all = self.service.with(|queues, now| queues.attributes(now, queue.name()))?;
        let mut attributes = HashMap::new();
        for name in &input.attribute_names {
            if name == "All" {
                attributes.extend(all.iter().map(|(&name, value)| (name.to_owned(), value.clone())));
            } else if let Some(value) = all.get(name.as_str()) {
                attributes.insert(name.clone(), value.clone());
            } else if name != "RedrivePolicy" {
                return Err(FifoError::InvalidAttributeName(name.clone()));
            }
        }
        Ok(GetQueueAttributesOutput { attributes })
    }

    fn url(&self, input: &GetQueueUrlInput) -> Result<GetQueueUrlOutput, FifoError> {
        let known = self.service.with(|queues, _| {
            queues.contains(&input.queue_name)
                && input.queue_owner_aws_account_id.as_deref().is_none_or(|owner| owner == queues.account())
        });
        if !known {
            return Err(FifoError::QueueDoesNotExist);
        }
        Ok(GetQueueUrlOutput { queue_url: Some(self.queue_url(&input.queue_name)) })
    }

    fn create(&self, input: &CreateQueueInput) -> Result<CreateQueueOutput, FifoError> {
        let arn_prefix = self.service.with(|queues, _| queues.arn(""));
        let settings = settings(&input.attributes, &arn_prefix)?;
        self.service.create(&input.queue_name, settings)?;
        Ok(CreateQueueOutput { queue_url: Some(self.queue_url(&input.queue_name)) })
    }

    fn list(&self, input: &ListQueuesInput) -> Result<ListQueuesOutput, FifoError> {
        let max = match input.max_results {
            None => MAX_LISTED,
            Some(max) => usize::try_from(max).ok().filter(|max| (1..=MAX_LISTED).contains(max)).ok_or_else(|| {
                FifoError::InvalidParameter(format!(
                    "Value {max} for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and \
                     {MAX_LISTED}"
                ))
            })?,
        };
        let prefix = input.queue_name_prefix.as_deref().unwrap_or_default();
        let after = input.next_token.as_deref();
        let mut names: Vec<String> = self
            .service
            .names()
            .into_iter()
            .filter(|name| name.starts_with(prefix) && after.is_none_or(|after| name.as_str() > after))
            .collect();
        let more = names.len() > max;
        names.truncate(max);
        // AWS returns a token only if the caller requested pages.
        let next_token = names.last().filter(|_| more && input.max_results.is_some()).cloned();
        Ok(ListQueuesOutput { queue_urls: names.iter().map(|name| self.queue_url(name)).collect(), next_token })
    }
}

impl SqsHandler for SqsEndpoint {
    fn handle_operation(
        &self,
        operation: SqsOperation,
        body: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Response<SqsResponseBody>, SqsError>> + Send>> {
        let endpoint = self.clone();
        Box::pin(
            async move { Ok(endpoint.answer(operation, &body).await.unwrap_or_else(|error| error::refusal(&error))) },
        )
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, FifoError> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        match missing {
            Some(name) => FifoError::MissingParameter(name.to_owned()),
            None => FifoError::InvalidParameter(format!("The request is not what this operation takes: {text}.")),
        }
    })
}

fn rendered<T: Serialize>(output: &T) -> Result<Response<SqsResponseBody>, FifoError> {
    let body = serde_json::to_vec(output)
        .map_err(|error| FifoError::InvalidParameter(format!("The answer cannot be written as JSON: {error}.")))?;
    Ok(json_response(body, &uuid::Uuid::new_v4().to_string()))
}

fn settings(attributes: &HashMap<String, String>, arn_prefix: &str) -> Result<QueueSettings, FifoError> {
    let mut settings = QueueSettings { visibility_timeout: DEFAULT_VISIBILITY_TIMEOUT, redrive: None };
    let refused = |name: &str, reason: &str| {
        Err(FifoError::InvalidAttributeValue(format!("Invalid value for the parameter {name}. Reason: {reason}")))
    };
    if attributes.get("FifoQueue").map(String::as_str) != Some("true") {
        return refused("FifoQueue", "the lab has FIFO queues only, so it must be true.");
    }
    for (name, value) in attributes {
        match name.as_str() {
            "FifoQueue" => {}
            "VisibilityTimeout" => match value.parse().ok().map(wire::visibility) {
                Some(Ok(timeout)) => settings.visibility_timeout = timeout,
                _ => return refused(name, "it must be a number of seconds from 0 to 43200."),
            },
            "RedrivePolicy" => match redrive(value, arn_prefix) {
                Some(redrive) => settings.redrive = Some(redrive),
                None => return refused(name, "it must be JSON with deadLetterTargetArn and maxReceiveCount."),
            },
            "ContentBasedDeduplication" if value == "false" => {}
            "DeduplicationScope" if value == "messageGroup" => {}
            "FifoThroughputLimit" if value == "perMessageGroupId" => {}
            "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit" => {
                return refused(name, "the lab's queues are in high-throughput mode and take deduplication ids only.");
            }
            _ => return Err(FifoError::InvalidAttributeName(name.clone())),
        }
    }
    Ok(settings)
}

fn redrive(policy: &str, arn_prefix: &str) -> Option<Redrive> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let dead_letter_queue = policy.get("deadLetterTargetArn")?.as_str()?.strip_prefix(arn_prefix)?.to_owned();
    let count = policy.get("maxReceiveCount")?;
    // AWS accepts the number as a string too: its console and many tools write it so.
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
    Some(Redrive { dead_letter_queue, max_receive_count: u32::try_from(count).ok()? })
}
