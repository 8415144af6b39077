//! What a queue message is and where it belongs, without its text.

use jiff::Timestamp;

use crate::{
    domain::{delivery::ConsumerRef, id::CorrelationId},
    queue_message::{LiveEngageChange, Message, ToChannel, ToLiveEngage, decode, parts},
};
use connector_channels::message::InboundContent;
use connector_liveengage::{
    id::ConversationId,
    notification::{Change, EventKind},
};

/// One of the two queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueKind {
    /// The queue to LiveEngage.
    ToLiveEngage,
    /// The queue to the channels.
    ToChannel,
}

impl QueueKind {
    /// Returns the name of its worker.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToLiveEngage => "to-liveengage",
            Self::ToChannel => "to-channel",
        }
    }
}

/// The metadata of a queue message. It holds no text. It holds the consumer's address, which `Debug` hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The queue that it belongs to.
    pub queue: QueueKind,
    /// The group in which the connector sends it.
    pub group: String,
    /// What it is, in one or two words.
    pub kind: &'static str,
    /// The consumer, if the message names them. An agent's message names only its conversation.
    pub consumer: Option<ConsumerRef>,
    /// The conversation, if the message names it. A consumer's message names only the consumer.
    pub conversation: Option<ConversationId>,
    /// Identifies it in the logs.
    pub correlation: CorrelationId,
    /// When the connector accepted it, or an operator last had its retries start anew.
    pub accepted_at: Timestamp,
    /// When the connector first accepted it.
    first_accepted_at: Timestamp,
    /// Its position among those accepted in the same instant: the number in the dialog, or the channel's time in nanoseconds.
    within: i128,
}

impl Facts {
    /// Reads a queue message. `None` for one that this version can't read, and for a change that it leaves out.
    pub fn read(body: &str) -> Option<Self> {
        if let Some(parts) = parts(body) {
            // They belong to one group, so the first one stands for all.
            return parts.iter().find_map(|part| Self::read(part));
        }
        let message = decode(body).ok()?;
        let kind = match &message {
            Message::ToLiveEngage(message) => to_liveengage(message),
            Message::ToChannel(message) => to_channel(message)?,
        };
        let queue = match message {
            Message::ToLiveEngage(_) => QueueKind::ToLiveEngage,
            Message::ToChannel(_) => QueueKind::ToChannel,
        };
        let (identity, within) = (message.identity(), within(&message));
        let envelope = identity.envelope();
        Some(Self {
            queue,
            group: identity.group(),
            kind,
            consumer: message.consumer(),
            conversation: message.conversation().cloned(),
            correlation: envelope.correlation.clone(),
            accepted_at: envelope.accepted_at,
            first_accepted_at: envelope.first_accepted(),
            within,
        })
    }

    /// Returns the sort key of messages: when they were accepted, then their position.
    pub(super) const fn order(&self) -> (Timestamp, i128) {
        (self.first_accepted_at, self.within)
    }
}

/// Returns the queue and the group that a queue message belongs to. `None` as for [`Facts::read`].
pub fn regroup(body: &str) -> Option<(QueueKind, String)> {
    Facts::read(body).map(|facts| (facts.queue, facts.group))
}

fn within(message: &Message) -> i128 {
    let number = match message {
        Message::ToLiveEngage(ToLiveEngage::ChannelEvent(event)) => {
            return event.event.at.map_or(0, |at| at.as_nanosecond());
        }
        Message::ToLiveEngage(ToLiveEngage::Undelivered(undelivered)) => undelivered.sequence,
        Message::ToChannel(ToChannel::Change(change)) => change.event().and_then(|event| event.sequence),
        Message::ToLiveEngage(ToLiveEngage::Reports(_) | ToLiveEngage::Unreadable(_))
        | Message::ToChannel(ToChannel::Unreadable(_) | ToChannel::Announcement(_) | ToChannel::Notice(_)) => None,
    };
    number.map_or(0, |number| i128::from(number.0))
}

const fn to_liveengage(message: &ToLiveEngage) -> &'static str {
    match message {
        ToLiveEngage::ChannelEvent(event) => match event.event.content {
            InboundContent::Text { .. } => "text",
            InboundContent::Media(_) => "file",
            InboundContent::Location(_) => "location",
            InboundContent::Contact(_) => "contact",
            InboundContent::Choice { .. } => "choice",
            InboundContent::Report { .. } => "report",
            InboundContent::Typing { .. } => "typing",
            InboundContent::Edited { .. } => "edited",
            InboundContent::Deleted => "deleted",
            InboundContent::Unsupported { .. } => "unsupported",
        },
        ToLiveEngage::Reports(_) => "report",
        ToLiveEngage::Unreadable(_) => "unreadable",
        ToLiveEngage::Undelivered(_) => "undelivered",
    }
}

fn to_channel(message: &ToChannel) -> Option<&'static str> {
    Some(match message {
        ToChannel::Change(change) => return changed(change),
        ToChannel::Unreadable(_) => "unreadable",
        ToChannel::Announcement(_) => "said",
        ToChannel::Notice(_) => "notice",
    })
}

/// Returns what a change is. `None` for one that the entry point leaves out.
const fn changed(change: &LiveEngageChange) -> Option<&'static str> {
    Some(match change.change() {
        Ok(Change::Event(event)) => match event.kind {
            EventKind::Text(_) => "text",
            EventKind::File(_) => "file",
            EventKind::RichContent(_) => "card",
            EventKind::OtherContent(_) => "content",
            EventKind::AcceptStatus { .. } => "receipt",
            EventKind::ChatState(_) => "typing",
            EventKind::Unknown(_) => return None,
        },
        Ok(Change::Conversation(_)) => "conversation",
        Ok(Change::Unknown) => return None,
        Err(_) => "unreadable",
    })
}
