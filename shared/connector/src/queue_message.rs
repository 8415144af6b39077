//! The messages of the two queues, and their ids there.
//!
//! Each kind of message is a struct that defines its group, the id by which the queue recognizes a repetition, and the key of a worker's
//! record. Nothing else in the connector builds these. The JSON of the queue is in [`wire`].

mod bundle;
mod from_channel;
mod from_liveengage;
pub mod wire;

use bytes::Bytes;
use jiff::Timestamp;

pub use bundle::{MOST_OF_A_GROUP, bodies, bundled, parts};
pub use from_channel::{ChannelEvent, Reports, Undelivered, UnreadableMessage, consumer_group};
pub use from_liveengage::{Announcement, LiveEngageChange, Notice, UnreadableNotification};
pub use wire::{Unread, decode};

use crate::{
    domain::{
        delivery::ConsumerRef,
        digest::digest,
        id::{CorrelationId, LineId},
        message_key::MessageKey,
        order::{EventPosition, Position},
    },
    port::QueueMessage,
};
use connector_liveengage::id::ConversationId;

/// The largest body of a queue message, in bytes. SQS accepts this size in every region, and a DynamoDB item, in which the message may be
/// parked, has at most 400 KB.
pub const LARGEST_BODY: usize = 256 * 1024;

/// How many bytes are kept of something that can't be read. In Base64, with the other fields, they fit into a queue message.
const MOST_OF_UNREADABLE: usize = LARGEST_BODY / 2;

fn beginning(whole: &[u8]) -> Bytes {
    Bytes::copy_from_slice(whole.get(..MOST_OF_UNREADABLE).unwrap_or(whole))
}

/// Returns the name of something from this account or line that can't be read: its group and its deduplication id. No other message must
/// wait for it, so it has a group of its own.
fn unreadable_name(source: &str, whole: &[u8]) -> String {
    digest([b"unreadable".as_slice(), source.as_bytes(), whole])
}

/// Returns the key of something that can't be read. It has no id, so the same bytes on another day are another message.
fn unreadable_key(name: &str, envelope: &Envelope) -> MessageKey {
    MessageKey::of_parts([name.as_bytes(), envelope.correlation.as_str().as_bytes()])
}

/// The fields that every kind of queue message has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Identifies the message in the logs.
    pub correlation: CorrelationId,
    /// When the connector accepted it, or when an operator had it delivered as if it were new: its age counts from here.
    pub accepted_at: Timestamp,
    /// When the connector accepted it first, if an operator had it delivered as if it were new.
    pub first_accepted_at: Option<Timestamp>,
}

impl Envelope {
    /// Creates the envelope of a message that is accepted now.
    pub fn new(correlation: &CorrelationId, now: Timestamp) -> Self {
        Self { correlation: correlation.clone(), accepted_at: now, first_accepted_at: None }
    }

    /// Returns when the connector accepted the message first.
    pub fn first_accepted(&self) -> Timestamp {
        self.first_accepted_at.unwrap_or(self.accepted_at)
    }
}

/// The ids of a queue message.
pub trait QueueIdentity {
    /// Returns the message group. The messages of a group keep their order, and one at a time is handled. At most 128 characters.
    fn group(&self) -> String;

    /// Returns the deduplication id. SQS drops a message with the same id and group within five minutes. At most 128 characters.
    fn deduplication_id(&self) -> String;

    /// Returns the key of the worker's record.
    fn key(&self) -> MessageKey;

    /// What every queue message has.
    fn envelope(&self) -> &Envelope;

    /// Returns the message with this body for its queue.
    fn with_body(&self, body: String) -> QueueMessage {
        QueueMessage { body, group: self.group(), deduplication: self.deduplication_id() }
    }
}

/// A message of the queue to LiveEngage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToLiveEngage {
    /// An event of a consumer on a channel.
    ChannelEvent(ChannelEvent),
    /// A channel's reports about messages to one consumer, all with one status.
    Reports(Reports),
    /// A consumer's message that can't be read. The worker parks it.
    Unreadable(UnreadableMessage),
    /// An agent's message did not reach the consumer. The agent gets a notice.
    Undelivered(Undelivered),
}

/// A message of the queue to the channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToChannel {
    /// One change of a LiveEngage notification.
    Change(Box<LiveEngageChange>),
    /// A signed notification that can't be read. The worker parks it.
    Unreadable(UnreadableNotification),
    /// A text of the connector itself to a consumer.
    Announcement(Announcement),
    /// A consumer's message did not reach LiveEngage. The consumer gets a notice.
    Notice(Notice),
}

/// A message of either queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// For the worker `to-liveengage`.
    ToLiveEngage(ToLiveEngage),
    /// For the worker `to-channel`.
    ToChannel(ToChannel),
}

impl Message {
    /// Returns the ids of the message.
    pub fn identity(&self) -> &dyn QueueIdentity {
        match self {
            Self::ToLiveEngage(ToLiveEngage::ChannelEvent(event)) => event,
            Self::ToLiveEngage(ToLiveEngage::Reports(reports)) => reports,
            Self::ToLiveEngage(ToLiveEngage::Unreadable(message)) => message,
            Self::ToLiveEngage(ToLiveEngage::Undelivered(undelivered)) => undelivered,
            Self::ToChannel(ToChannel::Change(change)) => &**change,
            Self::ToChannel(ToChannel::Unreadable(notification)) => notification,
            Self::ToChannel(ToChannel::Announcement(announcement)) => announcement,
            Self::ToChannel(ToChannel::Notice(notice)) => notice,
        }
    }

    /// Returns the consumer if the message names one. An agent's message names only its conversation.
    pub fn consumer(&self) -> Option<ConsumerRef> {
        match self {
            Self::ToLiveEngage(ToLiveEngage::ChannelEvent(event)) => Some(event.consumer()),
            Self::ToLiveEngage(ToLiveEngage::Reports(reports)) => Some(reports.consumer.clone()),
            Self::ToLiveEngage(ToLiveEngage::Undelivered(undelivered)) => Some(undelivered.consumer.clone()),
            Self::ToChannel(ToChannel::Announcement(announcement)) => Some(announcement.consumer.clone()),
            Self::ToChannel(ToChannel::Notice(notice)) => Some(notice.consumer.clone()),
            Self::ToLiveEngage(ToLiveEngage::Unreadable(_))
            | Self::ToChannel(ToChannel::Change(_) | ToChannel::Unreadable(_)) => None,
        }
    }

    /// Returns the line if the message names one. An agent's message names only its conversation.
    pub fn line(&self) -> Option<&LineId> {
        match self {
            Self::ToLiveEngage(ToLiveEngage::ChannelEvent(event)) => Some(&event.line),
            Self::ToLiveEngage(ToLiveEngage::Reports(reports)) => Some(&reports.consumer.line),
            Self::ToLiveEngage(ToLiveEngage::Unreadable(message)) => Some(&message.line),
            Self::ToLiveEngage(ToLiveEngage::Undelivered(undelivered)) => Some(&undelivered.consumer.line),
            Self::ToChannel(ToChannel::Announcement(announcement)) => Some(&announcement.consumer.line),
            Self::ToChannel(ToChannel::Notice(notice)) => Some(&notice.consumer.line),
            Self::ToChannel(ToChannel::Change(_) | ToChannel::Unreadable(_)) => None,
        }
    }

    /// Returns the conversation if the message names one. A consumer's message names only the consumer.
    pub fn conversation(&self) -> Option<&ConversationId> {
        match self {
            Self::ToLiveEngage(ToLiveEngage::Undelivered(undelivered)) => Some(&undelivered.dialog.conversation),
            Self::ToChannel(ToChannel::Change(change)) => change.conversation(),
            _ => None,
        }
    }

    /// Returns the position of the message among those of its group, if it has a number or a time. `received` is how often the queue has
    /// delivered it.
    pub fn position(&self, received: u32) -> Option<Position> {
        match self {
            // Channels number nothing.
            Self::ToLiveEngage(ToLiveEngage::ChannelEvent(event)) => {
                event.event.at.map(|at| Position::Timed { at, received })
            }
            Self::ToChannel(ToChannel::Change(change)) => {
                let event = change.event()?;
                Some(Position::Numbered(EventPosition { dialog: event.dialog.clone(), sequence: event.sequence? }))
            }
            _ => None,
        }
    }

    /// Returns the message for its queue.
    ///
    /// # Errors
    /// Never for these types; the signature is serde's.
    pub fn queued(&self) -> Result<QueueMessage, serde_json::Error> {
        Ok(self.identity().with_body(wire::encode(self)?))
    }
}

/// A queue message as a worker received it.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
#[debug("Received({message:?})")]
pub struct Received {
    /// The body.
    pub body: String,
    /// The message, or why it can't be read.
    pub message: Result<Message, Unread>,
}

impl Received {
    /// Reads a body that holds one message.
    pub fn one(body: impl Into<String>) -> Self {
        let body = body.into();
        Self { message: decode(&body), body }
    }

    /// Returns the position of the message among those of its group. `received` is how often the queue has delivered it. `None` if it has
    /// neither a number nor a time, or if the connector has not queued it.
    pub fn position(&self, received: u32) -> Option<Position> {
        match &self.message {
            Ok(message) => message.position(received),
            Err(Unread::OtherVersion) => Some(Position::OfOtherVersion),
            Err(Unread::Foreign) => None,
        }
    }
}

/// Converts each kind of message into a [`Message`].
macro_rules! message_from {
    ($($kind:ty => $queue:ident::$variant:ident),+ $(,)?) => {$(
        impl From<$kind> for Message {
            fn from(message: $kind) -> Self {
                Self::$queue($queue::$variant(message.into()))
            }
        }
    )+};
}

message_from! {
    ChannelEvent => ToLiveEngage::ChannelEvent,
    Reports => ToLiveEngage::Reports,
    UnreadableMessage => ToLiveEngage::Unreadable,
    Undelivered => ToLiveEngage::Undelivered,
    LiveEngageChange => ToChannel::Change,
    UnreadableNotification => ToChannel::Unreadable,
    Announcement => ToChannel::Announcement,
    Notice => ToChannel::Notice,
}

/// Returns the deduplication id of a parked message that is resent. It differs from the message's own, which SQS may remember, and is the
/// same at every try.
pub fn redriven_parked(id: &str) -> String {
    digest([b"parked".as_slice(), id.as_bytes()])
}

/// Returns the deduplication id of a dead letter that is resent. It differs from the message's own, which SQS may remember, and is the same
/// at every try.
pub fn redriven_dead_letter(id: &str) -> String {
    digest([b"dead letter".as_slice(), id.as_bytes()])
}

/// Returns the short name of a message for operators: the first twelve hex digits of a digest of its name.
pub fn short_name(name: &str) -> String {
    digest([name.as_bytes()]).chars().take(12).collect()
}

#[cfg(test)]
mod tests;
