//! The phones and what is on them.

use jiff::Timestamp;
use serde::Serialize;

/// Which way a text went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The consumer wrote it.
    FromPhone,
    /// The connector sent it.
    ToPhone,
}

/// How far a text has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// It left the phone; its webhook has not been accepted yet.
    Sent,
    /// Its webhook was answered 2xx; or it is a text that arrived on the phone.
    Accepted,
    /// Its webhook was refused, or all retries failed; the reason is in plain words.
    Failed(String),
}

/// One text on a phone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneMessage {
    /// The gateway's id of the message; never used twice.
    pub id: String,
    /// Which way it went.
    pub direction: Direction,
    /// The text.
    pub text: String,
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
