//! The phones and what is on them.

use jiff::Timestamp;
use serde::Serialize;

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The consumer wrote it.
    FromPhone,
    /// The connector sent it.
    ToPhone,
}

/// How far a message has come. From a phone: sent, then accepted or failed. To a phone: accepted, delivered, read; or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// It left the phone; its webhook has not been accepted yet.
    Sent,
    /// Its webhook was answered 2xx; or the gateway has taken it for the phone, and nothing more is known.
    Accepted,
    /// It has arrived on the phone, and a report says so.
    Delivered,
    /// The consumer has seen it, and a report says so.
    Read,
    /// Its webhook was refused, or all retries failed; or it did not get to the phone. The reason is in plain words.
    Failed(String),
}

/// A file that a consumer has attached to a message; [`super::SmsGateway::media`] has what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneMedia {
    /// The id in the file's address, never used twice.
    pub id: String,
    /// Its content type, as the consumer's phone says.
    pub content_type: String,
    /// Its name, where the phone gives one.
    pub name: Option<String>,
    /// Its size in bytes.
    pub size: usize,
}

/// One message on a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneMessage {
    /// The gateway's id of the message; never used twice.
    pub id: String,
    /// Which way it went.
    pub direction: Direction,
    /// The text; empty if there are files only.
    pub text: String,
    /// The files. Only messages from a phone have some.
    pub media: Vec<PhoneMedia>,
    /// When the gateway got it.
    pub at: Timestamp,
    /// How far it has come.
    pub state: MessageState,
    /// The sender's own reference on a text from the connector: two messages with the same one are a double.
    pub client_reference: Option<String>,
}

/// All phones of the account, in the order in which they were first heard of.
#[derive(Debug, Default)]
pub(super) struct Phonebook {
    phones: Vec<(String, Vec<PhoneMessage>)>,
}

impl Phonebook {
    pub(super) fn numbers(&self) -> Vec<String> {
        self.phones.iter().map(|(number, _)| number.clone()).collect()
    }

    pub(super) fn transcript(&self, phone: &str) -> &[PhoneMessage] {
        self.phones.iter().find(|(number, _)| number == phone).map_or(&[], |(_, messages)| messages)
    }

    pub(super) fn add(&mut self, phone: &str, message: PhoneMessage) {
        match self.phones.iter_mut().find(|(number, _)| number == phone) {
            Some((_, messages)) => messages.push(message),
            None => self.phones.push((phone.to_owned(), vec![message])),
        }
    }

    pub(super) fn set_state(&mut self, phone: &str, message_id: &str, state: MessageState) {
        let messages = self.phones.iter_mut().filter(|(number, _)| number == phone).flat_map(|(_, messages)| messages);
        for message in messages.filter(|message| message.id == message_id) {
            message.state = state.clone();
        }
    }

    /// Every text to the phone that is in one state gets the other. Answers their ids, oldest first.
    pub(super) fn advance(&mut self, phone: &str, from: &MessageState, to: &MessageState) -> Vec<PhoneMessage> {
        let messages = self.phones.iter_mut().filter(|(number, _)| number == phone).flat_map(|(_, messages)| messages);
        let mut changed = Vec::new();
        for message in messages {
            if message.direction == Direction::ToPhone && message.state == *from {
                message.state = to.clone();
                changed.push(message.clone());
            }
        }
        changed
    }

    /// The message that a consumer wrote, with the phone's number.
    pub(super) fn sent_by_phone(&self, message_id: &str) -> Option<(&str, &PhoneMessage)> {
        self.phones.iter().find_map(|(number, messages)| {
            let written =
                |message: &&PhoneMessage| message.id == message_id && message.direction == Direction::FromPhone;
            messages.iter().find(written).map(|message| (number.as_str(), message))
        })
    }
}

/// `+`, no leading zero, and at most 15 digits (ITU-T E.164). Fewer than 7 would be a short code, which is no phone.
pub(super) fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}

#[cfg(test)]
mod tests {
    use super::is_e164;

    #[test]
    fn a_phone_number_has_a_plus_and_seven_to_fifteen_digits() {
        for number in ["+4930901", "+12025550143", "+123456789012345"] {
            assert!(is_e164(number), "{number}");
        }
        for number in
            ["", "+", "12025550143", "+493090", "+1234567890123456", "+0301234567", "+1 202 555", "ACME", "+١٢٣٤٥٦٧"]
        {
            assert!(!is_e164(number), "{number}");
        }
    }
}
