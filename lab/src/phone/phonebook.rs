//! The phones of a channel.

use jiff::Timestamp;

use super::message::{MessageState, PhoneMessage};

/// A phone. `P` is the channel's additional knowledge of its owner.
#[derive(Debug, Clone)]
pub(crate) struct Phone<P> {
    /// In E.164 form with the plus.
    pub(crate) number: String,
    pub(crate) profile: P,
    pub(crate) messages: Vec<PhoneMessage>,
    /// When the consumer last wrote.
    pub(crate) last_written: Option<Timestamp>,
    /// Until when it shows that the other side is typing.
    pub(crate) typing_until: Option<Timestamp>,
}

impl<P> Phone<P> {
    /// The message with this id. Mostly a late one is meant, so it is looked for from the end.
    pub(crate) fn message(&self, id: &str) -> Option<&PhoneMessage> {
        self.messages.iter().rev().find(|message| message.id == id)
    }

    fn message_mut(&mut self, id: &str) -> Option<&mut PhoneMessage> {
        self.messages.iter_mut().rev().find(|message| message.id == id)
    }
}

/// All phones of a channel, in the order in which they became known.
#[derive(Debug)]
pub(crate) struct Phonebook<P> {
    phones: Vec<Phone<P>>,
}

impl<P> Default for Phonebook<P> {
    fn default() -> Self {
        Self { phones: Vec::new() }
    }
}

impl<P> Phonebook<P> {
    pub(crate) fn numbers(&self) -> Vec<String> {
        self.phones.iter().map(|phone| phone.number.clone()).collect()
    }

    pub(crate) fn get(&self, number: &str) -> Option<&Phone<P>> {
        self.phones.iter().find(|phone| phone.number == number)
    }

    pub(crate) fn get_mut(&mut self, number: &str) -> Option<&mut Phone<P>> {
        self.phones.iter_mut().find(|phone| phone.number == number)
    }

    pub(crate) fn find(&self, wanted: impl Fn(&Phone<P>) -> bool) -> Option<&Phone<P>> {
        self.phones.iter().find(|phone| wanted(phone))
    }

    /// The transcript of the phone, oldest first; empty for an unknown phone.
    pub(crate) fn transcript(&self, number: &str) -> &[PhoneMessage] {
        self.get(number).map_or(&[], |phone| &phone.messages)
    }

    /// All messages of all phones.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &PhoneMessage> {
        self.phones.iter().flat_map(|phone| &phone.messages)
    }

    /// The phone that has a message with this id.
    pub(crate) fn with_message(&self, message_id: &str) -> Option<&Phone<P>> {
        self.find(|phone| phone.message(message_id).is_some())
    }

    /// Like [`Self::with_message`], but mutable.
    pub(crate) fn with_message_mut(&mut self, message_id: &str) -> Option<&mut Phone<P>> {
        self.phones.iter_mut().find(|phone| phone.message(message_id).is_some())
    }

    /// Advances the state of a message. Returns whether it changed.
    pub(crate) fn advance(&mut self, number: &str, message_id: &str, state: MessageState) -> bool {
        let message = self.get_mut(number).and_then(|phone| phone.message_mut(message_id));
        message.is_some_and(|message| message.advance(state))
    }
}

impl<P: for<'a> From<&'a str>> Phonebook<P> {
    /// The phone. An unknown phone is created.
    pub(crate) fn entry(&mut self, number: &str) -> &mut Phone<P> {
        let index = self.phones.iter().position(|phone| phone.number == number).unwrap_or_else(|| {
            self.phones.push(Phone {
                number: number.to_owned(),
                profile: P::from(number),
                messages: Vec::new(),
                last_written: None,
                typing_until: None,
            });
            self.phones.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the index was just found or created")]
        &mut self.phones[index]
    }
}
