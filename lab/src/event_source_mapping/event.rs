//! The event that Lambda passes to a function for a batch of messages.

use aws_lambda_events::encodings::Base64Data;
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage, SqsMessageAttribute};
use connector_testing::fifo::{AttributeContent, MessageAttribute, ReceivedMessage, md5_of_attributes, md5_of_body};

pub(super) fn event(batch: &[ReceivedMessage], arn: &str, region: &str) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = batch.iter().map(|message| record(message, arn, region)).collect();
    event
}

fn record(message: &ReceivedMessage, arn: &str, region: &str) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = Some(message.message_id.clone());
    record.receipt_handle = Some(message.receipt_handle.clone());
    record.md5_of_body = Some(md5_of_body(&message.body));
    record.body = Some(message.body.clone());
    record.md5_of_message_attributes = md5_of_attributes(&message.attributes);
    record.attributes = message.system_attributes().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    record.message_attributes =
        message.attributes.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
    record.event_source = Some("aws:sqs".to_owned());
    record.event_source_arn = Some(arn.to_owned());
    record.aws_region = Some(region.to_owned());
    record
}

fn attribute(attribute: &MessageAttribute) -> SqsMessageAttribute {
    let mut shown = SqsMessageAttribute::default();
    match &attribute.content {
        AttributeContent::Text(text) => shown.string_value = Some(text.clone()),
        AttributeContent::Binary(bytes) => {
            let mut data = Base64Data::default();
            data.extend_from_slice(bytes);
            shown.binary_value = Some(data);
        }
    }
    shown.data_type = Some(attribute.data_type.clone());
    shown
}
