//! Messages of the queue to LiveEngage.

use bytes::Bytes;

use super::{Envelope, QueueIdentity, beginning, unreadable_key, unreadable_name};
use crate::domain::{
    conversation::COMPOSING_EVERY, delivery::ConsumerRef, digest::digest, id::LineId, message_key::MessageKey,
};
use connector_channels::{
    id::{CallReference, ProviderMessageId},
    message::{InboundContent, InboundEvent, ReportedStatus},
};
use connector_liveengage::id::Sequence;
use connector_liveengage::messaging::DialogRef;

/// Returns the group of one consumer on one line.
pub fn consumer_group(consumer: &ConsumerRef) -> String {
    digest([consumer.line.as_str().as_bytes(), consumer.user.as_str().as_bytes()])
}

/// Returns a separate group of a consumer, for messages that must not delay the consumer's texts.
pub(super) fn side_group(what: &str, consumer: &ConsumerRef) -> String {
    digest([what.as_bytes(), consumer.line.as_str().as_bytes(), consumer.user.as_str().as_bytes()])
}

/// An event of a consumer on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelEvent {
    /// The common fields.
    pub envelope: Envelope,
    /// The line on which it came.
    pub line: LineId,
    /// The event.
    pub event: InboundEvent,
}

impl ChannelEvent {
    /// Returns the consumer.
    pub fn consumer(&self) -> ConsumerRef {
        ConsumerRef { line: self.line.clone(), user: self.event.user.clone() }
    }

    /// Returns the group of typing, which is the deduplication id, too. Channels repeat typing about every second, but one event in five
    /// seconds is enough. Each five seconds have a group of their own: SQS compares deduplication ids only within a group, and the message
    /// of a beginning stays in the queue until the typing ends, so no other message may be in its group.
    fn typing_group(&self, typing: bool) -> String {
        let slot = self.envelope.accepted_at.as_second() / COMPOSING_EVERY.as_secs();
        let (line, user) = (self.line.as_str().as_bytes(), self.event.user.as_str().as_bytes());
        digest([b"typing".as_slice(), line, user, &[u8::from(typing)], &slot.to_be_bytes()])
    }
}

impl QueueIdentity for ChannelEvent {
    fn group(&self) -> String {
        match self.event.content {
            InboundContent::Typing { typing } => self.typing_group(typing),
            _ => consumer_group(&self.consumer()),
        }
    }

    fn deduplication_id(&self) -> String {
        match self.event.content {
            InboundContent::Typing { typing } => self.typing_group(typing),
            _ => self.key().name(),
        }
    }

    fn key(&self) -> MessageKey {
        MessageKey::of_channel_event(&self.line, &self.event)
    }

    fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// A channel's reports about messages to one consumer, all with one status. At most 100 messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reports {
    /// The common fields.
    pub envelope: Envelope,
    /// The consumer who got the messages.
    pub consumer: ConsumerRef,
    /// The status of the messages.
    pub status: ReportedStatus,
    /// The channel's ids of the messages.
    pub messages: Vec<ProviderMessageId>,
    /// The connector's own references of those of them for which the channel reports one, by the channel's id.
    pub references: Vec<(ProviderMessageId, CallReference)>,
    /// The connector's own references of further messages, for which the channel reports no id.
    pub unnamed: Vec<CallReference>,
}

impl Reports {
    /// Adds a message, unless it is there already.
    pub fn add(&mut self, message: Option<&ProviderMessageId>, reference: Option<&CallReference>) {
        match (message, reference) {
            (Some(message), _) if self.messages.contains(message) => {}
            (Some(message), reference) => {
                self.messages.push(message.clone());
                self.references.extend(reference.map(|reference| (message.clone(), reference.clone())));
            }
            (None, Some(reference)) if !self.unnamed.contains(reference) => self.unnamed.push(reference.clone()),
            (None, _) => {}
        }
    }

    /// Returns the number of messages.
    pub const fn count(&self) -> usize {
        self.messages.len() + self.unnamed.len()
    }

    fn digest(&self, name: &'static str) -> String {
        let line = self.consumer.line.as_str().as_bytes();
        let rank = [self.status.rank()];
        let unnamed = self.unnamed.iter().map(|reference| reference.as_str().as_bytes());
        let names = self.messages.iter().map(|message| message.as_str().as_bytes()).chain(unnamed);
        digest([name.as_bytes(), line, &rank].into_iter().chain(names))
    }
}

impl QueueIdentity for Reports {
    // Use a separate group, so that a report that must wait doesn't delay a text.
    fn group(&self) -> String {
        side_group("reports", &self.consumer)
    }

    fn deduplication_id(&self) -> String {
        self.digest("reports")
    }

    fn key(&self) -> MessageKey {
        MessageKey::ByDigest { digest: self.digest("report") }
    }

    fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// A message of a channel that can't be read. `Debug` shows none of its content.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
#[debug("UnreadableMessage({line} {})", envelope.correlation)]
pub struct UnreadableMessage {
    /// The common fields.
    pub envelope: Envelope,
    /// The line on which it came.
    pub line: LineId,
    /// A digest that identifies the whole message.
    pub name: String,
    /// The unchanged message, or its beginning if it is too large for a queue message.
    pub bytes: Bytes,
}

impl UnreadableMessage {
    /// Creates it from a message, with as much of it as fits into the queue.
    pub fn new(envelope: Envelope, line: LineId, whole: &[u8]) -> Self {
        let name = unreadable_name(line.as_str(), whole);
        Self { envelope, line, name, bytes: beginning(whole) }
    }
}

impl QueueIdentity for UnreadableMessage {
    fn group(&self) -> String {
        self.name.clone()
    }

    fn deduplication_id(&self) -> String {
        self.name.clone()
    }

    fn key(&self) -> MessageKey {
        unreadable_key(&self.name, &self.envelope)
    }

    fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

/// An agent's message did not reach the consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// The common fields. The time is when the message was parked.
    pub envelope: Envelope,
    /// The consumer.
    pub consumer: ConsumerRef,
    /// The dialog of the message.
    pub dialog: DialogRef,
    /// Its number, if it has one.
    pub sequence: Option<Sequence>,
    /// Why, as a sentence part for the agent.
    pub reason: String,
    /// Whether an attempt may have delivered it nevertheless.
    pub may_have_arrived: bool,
}

impl QueueIdentity for Undelivered {
    // Use a separate group, so that the consumer's next text doesn't wait behind it.
    fn group(&self) -> String {
        side_group("undelivered", &self.consumer)
    }

    fn deduplication_id(&self) -> String {
        self.key().name()
    }

    fn key(&self) -> MessageKey {
        let (line, dialog) = (&self.consumer.line, &self.dialog.dialog);
        match self.sequence {
            Some(sequence) => MessageKey::of_failure(line, dialog, sequence),
            None => MessageKey::of_unnumbered_failure(line, dialog, &self.envelope.correlation),
        }
    }

    fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}
