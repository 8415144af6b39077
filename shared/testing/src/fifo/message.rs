//! Messages as they are sent and received, with the limits and digests of SQS.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::FifoError;

/// The limit of one message and of one batch in bytes, body and message attributes together (AWS: 1 MiB since August
/// 2025).
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;

const MAX_ATTRIBUTES: usize = 10;
const MAX_ID_CHARACTERS: usize = 128;
const MAX_ATTRIBUTE_NAME_CHARACTERS: usize = 256;
/// AWS's `SenderId` is an IAM principal. This queue has only one sender.
const SENDER_ID: &str = "AIDALABSENDER00000000";

/// The value of a message attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeContent {
    /// The value of the types `String` and `Number`.
    Text(String),
    /// The value of the type `Binary`.
    Binary(Vec<u8>),
}

impl AttributeContent {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// A message attribute: metadata in addition to the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, optionally with a custom label (`String.id`).
    pub data_type: String,
    /// The value; never empty.
    pub content: AttributeContent,
}

/// Message attributes by name. They are sorted, because the digest covers them in the order of their names.
pub type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The group within which messages are in order: 1 to 128 letters, digits or punctuation characters.
    pub group: String,
    /// Identifies the message: the same id in the same group within 5 minutes is a duplicate. 1 to 128 characters.
    pub deduplication_id: String,
    /// The text, not empty, at most 1 MiB together with the attributes.
    pub body: String,
    /// At most ten attributes.
    pub attributes: MessageAttributes,
}

impl NewMessage {
    /// Returns a message without attributes. It is checked only when it is sent.
    pub fn new(group: impl Into<String>, deduplication_id: impl Into<String>, body: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            deduplication_id: deduplication_id.into(),
            body: body.into(),
            attributes: MessageAttributes::new(),
        }
    }

    /// Adds an attribute of type `String`.
    #[must_use]
    pub fn with_text_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let attribute =
            MessageAttribute { data_type: "String".to_owned(), content: AttributeContent::Text(value.into()) };
        self.attributes.insert(name.into(), attribute);
        self
    }

    /// Returns the size that SQS counts against its limit: the bytes of the body and of the attributes' names, types
    /// and values.
    pub fn size(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, attribute)| name.len() + attribute.data_type.len() + attribute.content.bytes().len())
            .sum();
        self.body.len() + attributes
    }

    /// Checks everything that SQS checks before it accepts a message.
    ///
    /// # Errors
    /// The first limit that the message exceeds.
    pub fn check(&self) -> Result<(), FifoError> {
        if self.group.is_empty() {
            return Err(FifoError::MissingParameter("MessageGroupId".to_owned()));
        }
        check_id("MessageGroupId", &self.group)?;
        if self.deduplication_id.is_empty() {
            return Err(FifoError::InvalidParameter(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
                 explicitly"
                    .to_owned(),
            ));
        }
        check_id("MessageDeduplicationId", &self.deduplication_id)?;
        if self.body.is_empty() {
            return Err(FifoError::MissingParameter("MessageBody".to_owned()));
        }
        if !self.body.chars().all(is_carried) {
            return Err(FifoError::InvalidMessageContents);
        }
        check_attributes(&self.attributes)?;
        if self.size() > MAX_MESSAGE_BYTES {
            return Err(FifoError::InvalidParameter(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {MAX_MESSAGE_BYTES} bytes."
            )));
        }
        Ok(())
    }
}

fn check_id(parameter: &str, value: &str) -> Result<(), FifoError> {
    let length = value.chars().count();
    if length > MAX_ID_CHARACTERS || !value.chars().all(|c| c.is_ascii_alphanumeric() || c.is_ascii_punctuation()) {
        return Err(FifoError::InvalidParameter(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: {parameter} can only include alphanumeric and \
             punctuation characters. 1 to {MAX_ID_CHARACTERS} in length."
        )));
    }
    Ok(())
}

fn is_carried(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

fn check_attributes(attributes: &MessageAttributes) -> Result<(), FifoError> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(FifoError::InvalidParameter(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
            attributes.len()
        )));
    }
    for (name, attribute) in attributes {
        let reserved = {
            let lower = name.to_ascii_lowercase();
            lower.starts_with("aws.") || lower.starts_with("amazon.")
        };
        let well_formed = !name.is_empty()
            && name.len() <= MAX_ATTRIBUTE_NAME_CHARACTERS
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
            && !name.starts_with('.')
            && !name.ends_with('.')
            && !name.contains("..");
        if reserved || !well_formed {
            return Err(FifoError::InvalidParameter(format!("The message attribute name '{name}' is invalid.")));
        }
        let base_type = attribute.data_type.split('.').next().unwrap_or_default();
        let fits = match (&attribute.content, base_type) {
            (AttributeContent::Text(text), "String") => text.chars().all(is_carried),
            (AttributeContent::Text(text), "Number") => text.parse::<f64>().is_ok(),
            (AttributeContent::Binary(_), "Binary") => true,
            _ => false,
        };
        if !fits {
            return Err(FifoError::InvalidParameter(format!(
                "The message attribute '{name}' has an invalid message attribute type, or a value that does not fit it: \
                 {}",
                attribute.data_type
            )));
        }
        if attribute.content.bytes().is_empty() {
            return Err(FifoError::InvalidParameter(format!(
                "Message attribute '{name}' must contain a non-empty value."
            )));
        }
    }
    Ok(())
}

/// A message as it is received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The same in every receive and in the dead-letter queue.
    pub message_id: String,
    /// Identifies this receive of this message. Every receive has its own.
    pub receipt_handle: String,
    /// The text as it was sent.
    pub body: String,
    /// The attributes as they were sent.
    pub attributes: MessageAttributes,
    /// The message's group.
    pub group: String,
    /// The deduplication id as it was sent.
    pub deduplication_id: String,
    /// Twenty digits that increase with every message of the queue.
    pub sequence_number: String,
    /// When it was added to this queue.
    pub sent_at: Timestamp,
    /// When it was first received from this queue.
    pub first_received_at: Timestamp,
    /// How often it was received from this queue, including this receive.
    pub receive_count: u32,
    /// The ARN of the queue that gave up the message, if this is a dead-letter queue.
    pub dead_letter_source: Option<String>,
}

impl ReceivedMessage {
    /// Returns the system attributes by the names of SQS and Lambda. Times are milliseconds since the epoch.
    pub fn system_attributes(&self) -> BTreeMap<&'static str, String> {
        let mut attributes = BTreeMap::from([
            ("SenderId", SENDER_ID.to_owned()),
            ("SentTimestamp", self.sent_at.as_millisecond().to_string()),
            ("ApproximateReceiveCount", self.receive_count.to_string()),
            ("ApproximateFirstReceiveTimestamp", self.first_received_at.as_millisecond().to_string()),
            ("SequenceNumber", self.sequence_number.clone()),
            ("MessageGroupId", self.group.clone()),
            ("MessageDeduplicationId", self.deduplication_id.clone()),
        ]);
        if let Some(source) = &self.dead_letter_source {
            attributes.insert("DeadLetterQueueSourceArn", source.clone());
        }
        attributes
    }
}

/// Returns the MD5 digest of a body in lower-case hex, as in `MD5OfBody` and `MD5OfMessageBody`.
pub fn md5_of_body(body: &str) -> String {
    format!("{:x}", md5::compute(body.as_bytes()))
}

/// Returns the MD5 digest of message attributes, as in `MD5OfMessageAttributes`; `None` without attributes.
///
/// SQS computes it over all attributes in the order of their names: name, type, one byte for the kind of value, and
/// value. A length of four bytes precedes each name, type and value.
pub fn md5_of_attributes(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut input = Vec::new();
    let push = |input: &mut Vec<u8>, bytes: &[u8]| {
        input.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        input.extend_from_slice(bytes);
    };
    for (name, attribute) in attributes {
        push(&mut input, name.as_bytes());
        push(&mut input, attribute.data_type.as_bytes());
        input.push(match attribute.content {
            AttributeContent::Text(_) => 1,
            AttributeContent::Binary(_) => 2,
        });
        push(&mut input, attribute.content.bytes());
    }
    Some(format!("{:x}", md5::compute(&input)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_body_is_plain_md5() {
        assert_eq!(md5_of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
    }

    #[test]
    fn the_digest_of_attributes_follows_the_published_layout() {
        let message = NewMessage::new("g", "d", "b").with_text_attribute("b", "two").with_text_attribute("a", "one");
        let mut input = Vec::new();
        for part in ["a", "String", "\u{1}one", "b", "String", "\u{1}two"] {
            if let Some(value) = part.strip_prefix('\u{1}') {
                input.push(1);
                input.extend_from_slice(&(value.len() as u32).to_be_bytes());
                input.extend_from_slice(value.as_bytes());
            } else {
                input.extend_from_slice(&(part.len() as u32).to_be_bytes());
                input.extend_from_slice(part.as_bytes());
            }
        }
        assert_eq!(md5_of_attributes(&message.attributes), Some(format!("{:x}", md5::compute(input))));
        assert_eq!(md5_of_attributes(&MessageAttributes::new()), None);
    }

    #[test]
    fn text_and_binary_of_the_same_bytes_have_different_digests() {
        let of = |data_type: &str, content| {
            md5_of_attributes(&MessageAttributes::from([(
                "k".to_owned(),
                MessageAttribute { data_type: data_type.to_owned(), content },
            )]))
        };
        assert_ne!(
            of("Binary", AttributeContent::Binary(b"x".to_vec())),
            of("Binary", AttributeContent::Text("x".to_owned()))
        );
    }

    #[test]
    fn group_and_deduplication_id_are_required() {
        assert_eq!(
            NewMessage::new("", "d", "b").check(),
            Err(FifoError::MissingParameter("MessageGroupId".to_owned()))
        );
        let Err(FifoError::InvalidParameter(text)) = NewMessage::new("g", "", "b").check() else {
            panic!("a message without deduplication id was accepted");
        };
        assert!(text.contains("MessageDeduplicationId"), "{text}");
        assert!(NewMessage::new("g".repeat(129), "d", "b").check().is_err());
        assert!(NewMessage::new("g g", "d", "b").check().is_err());
        assert!(NewMessage::new("g#line/+4912345", "d:1", "b").check().is_ok());
    }

    #[test]
    fn a_message_of_one_mebibyte_passes_and_one_byte_more_does_not() {
        assert!(NewMessage::new("g", "d", "x".repeat(MAX_MESSAGE_BYTES)).check().is_ok());
        assert!(NewMessage::new("g", "d", "x".repeat(MAX_MESSAGE_BYTES + 1)).check().is_err());
        let with_attribute = NewMessage::new("g", "d", "x".repeat(MAX_MESSAGE_BYTES)).with_text_attribute("k", "v");
        assert!(with_attribute.check().is_err(), "attributes count too");
    }

    #[test]
    fn bodies_and_attributes_that_sqs_rejects_are_refused() {
        assert_eq!(NewMessage::new("g", "d", "").check(), Err(FifoError::MissingParameter("MessageBody".to_owned())));
        assert_eq!(NewMessage::new("g", "d", "bell \u{7}").check(), Err(FifoError::InvalidMessageContents));
        for name in ["", "aws.trace", "Amazon.x", ".a", "a.", "a..b", "a b"] {
            assert!(NewMessage::new("g", "d", "b").with_text_attribute(name, "v").check().is_err(), "{name:?}");
        }
        assert!(NewMessage::new("g", "d", "b").with_text_attribute("k", "").check().is_err());
        let mut number = NewMessage::new("g", "d", "b").with_text_attribute("k", "twelve");
        number.attributes.get_mut("k").unwrap().data_type = "Number".to_owned();
        assert!(number.check().is_err());
        let eleven = (0..11).fold(NewMessage::new("g", "d", "b"), |m, i| m.with_text_attribute(format!("k{i}"), "v"));
        assert!(eleven.check().is_err());
    }
}
