//! Converts between the types of the SQS protocol and those of the queue.

use std::collections::HashMap;
use std::time::Duration;

use connector_testing::fifo::{
    AttributeContent, FifoError, MAX_VISIBILITY, MessageAttribute, MessageAttributes, NewMessage, ReceivedMessage,
    md5_of_attributes, md5_of_body,
};
use rustack_sqs_model::input::SendMessageInput;
use rustack_sqs_model::types::{
    Message, MessageAttributeValue, MessageSystemAttributeValue, SendMessageBatchRequestEntry,
};

/// The common parameters of a single send and a batch entry.
pub(super) struct SendParameters {
    body: String,
    delay_seconds: Option<i32>,
    deduplication_id: Option<String>,
    group: Option<String>,
    attributes: HashMap<String, MessageAttributeValue>,
    system_attributes: HashMap<String, MessageSystemAttributeValue>,
}

impl From<SendMessageInput> for SendParameters {
    fn from(input: SendMessageInput) -> Self {
        Self {
            body: input.message_body,
            delay_seconds: input.delay_seconds,
            deduplication_id: input.message_deduplication_id,
            group: input.message_group_id,
            attributes: input.message_attributes,
            system_attributes: input.message_system_attributes,
        }
    }
}

impl From<SendMessageBatchRequestEntry> for SendParameters {
    fn from(entry: SendMessageBatchRequestEntry) -> Self {
        Self {
            body: entry.message_body,
            delay_seconds: entry.delay_seconds,
            deduplication_id: entry.message_deduplication_id,
            group: entry.message_group_id,
            attributes: entry.message_attributes,
            system_attributes: entry.message_system_attributes,
        }
    }
}

/// The message for the queue, which checks its limits.
pub(super) fn new_message(sent: SendParameters) -> Result<NewMessage, FifoError> {
    if let Some(delay) = sent.delay_seconds {
        return Err(FifoError::InvalidParameter(format!(
            "Value {delay} for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for \
             this queue type."
        )));
    }
    if !sent.system_attributes.is_empty() {
        return Err(FifoError::InvalidParameter(
            "The lab's SQS stand-in does not support message system attributes.".to_owned(),
        ));
    }
    let attributes = sent.attributes.into_iter().map(|(name, value)| Ok((name.clone(), attribute(&name, value)?)));
    Ok(NewMessage {
        group: sent.group.unwrap_or_default(),
        deduplication_id: sent.deduplication_id.unwrap_or_default(),
        body: sent.body,
        attributes: attributes.collect::<Result<MessageAttributes, FifoError>>()?,
    })
}

fn attribute(name: &str, value: MessageAttributeValue) -> Result<MessageAttribute, FifoError> {
    let content = match (value.string_value, value.binary_value) {
        (Some(text), None) => AttributeContent::Text(text),
        (None, Some(bytes)) => AttributeContent::Binary(bytes),
        _ => {
            return Err(FifoError::InvalidParameter(format!(
                "Message attribute '{name}' must contain exactly one of StringValue and BinaryValue."
            )));
        }
    };
    Ok(MessageAttribute { data_type: value.data_type, content })
}

/// The message of a receive, with the requested attributes.
pub(super) fn message(received: ReceivedMessage, system: &[String], wanted: &[String]) -> Message {
    let attributes = received
        .system_attributes()
        .into_iter()
        .filter(|(name, _)| system.iter().any(|wanted| wanted == "All" || wanted == name))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let given: MessageAttributes = received
        .attributes
        .into_iter()
        .filter(|(name, _)| wanted.iter().any(|pattern| matches(pattern, name)))
        .collect();
    Message {
        message_id: Some(received.message_id),
        receipt_handle: Some(received.receipt_handle),
        md5_of_body: Some(md5_of_body(&received.body)),
        body: Some(received.body),
        // The digest covers the returned attributes, because a client checks it against those.
        md5_of_message_attributes: md5_of_attributes(&given),
        message_attributes: given.into_iter().map(|(name, attribute)| (name, value(attribute))).collect(),
        attributes,
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix(".*") {
        Some(prefix) => prefix.is_empty() || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')),
        None => pattern == "All" || pattern == name,
    }
}

fn value(attribute: MessageAttribute) -> MessageAttributeValue {
    let (string_value, binary_value) = match attribute.content {
        AttributeContent::Text(text) => (Some(text), None),
        AttributeContent::Binary(bytes) => (None, Some(bytes)),
    };
    MessageAttributeValue { data_type: attribute.data_type, string_value, binary_value }
}

/// A visibility timeout in seconds, 0 to 43200.
pub(super) fn visibility(seconds: i32) -> Result<Duration, FifoError> {
    u64::try_from(seconds).ok().map(Duration::from_secs).filter(|timeout| *timeout <= MAX_VISIBILITY).ok_or_else(|| {
        FifoError::InvalidParameter(format!(
            "Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and {}, if provided.",
            MAX_VISIBILITY.as_secs()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_names_are_matched_whole_by_prefix_or_all_at_once() {
        for (pattern, name, expected) in [
            ("All", "a", true),
            (".*", "a", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("trace.*", "trace.id", true),
            ("trace.*", "tracer", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn visibility_is_zero_to_twelve_hours() {
        assert_eq!(visibility(0).unwrap(), Duration::ZERO);
        assert_eq!(visibility(43_200).unwrap(), MAX_VISIBILITY);
        assert!(visibility(-1).is_err());
        assert!(visibility(43_201).is_err());
    }
}
