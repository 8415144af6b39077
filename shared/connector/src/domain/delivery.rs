//! The consumer of a message, the lease on a message, and a parked message.

use jiff::Timestamp;

use super::{
    id::{LineId, Owner},
    message_key::MessageKey,
    progress::Step,
    uncertain::UncertainOutcome,
};
use connector_channels::id::ChannelUserId;
use connector_liveengage::id::ConversationId;

/// A consumer, by the key of their record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsumerRef {
    /// The line.
    pub line: LineId,
    /// Their id on the line's channel.
    pub user: ChannelUserId,
}

/// The owner of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConversationOwner {
    /// A consumer of this connector.
    Ours(ConsumerRef),
    /// A consumer of this connector. The id is that of a survey's dialog in this conversation: a notification may name the dialog alone.
    OurSurvey(ConsumerRef, ConversationId),
    /// A consumer of another channel: an account's webhooks carry every conversation of the account.
    Foreign,
    /// Presumably a consumer of another channel, because nothing has shown for minutes that it is ours. A webhook may still show it.
    PresumedForeign,
}

/// The result of acquiring the lease on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// The caller has the lease, and these steps are already done.
    Started {
        /// What is uncertain about the step after these.
        uncertain: UncertainOutcome,
        /// The steps that are done, in order.
        steps: Vec<Step>,
        /// How often the message was started, this time included. Waiting behind another message doesn't count.
        attempts: u32,
    },
    /// It was delivered or parked before.
    Done,
    /// Another attempt has the lease.
    Busy {
        /// When it ends at the latest.
        until: Timestamp,
    },
}

/// The exclusive right to work on a message until the function's deadline. A repeated invocation is another owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The message.
    pub message: MessageKey,
    /// Its holder.
    pub owner: Owner,
}

/// A parked message: kept in the table for an operator after delivery was given up.
#[derive(Clone, PartialEq, Eq)]
pub struct Parked {
    /// When it was parked.
    pub at: Timestamp,
    /// Why it was parked, as a sentence without the message's text.
    pub reason: String,
    /// Whether the same message would fail in the same way again.
    pub permanent: bool,
    /// The line, if known.
    pub line: Option<LineId>,
    /// The conversation, if known.
    pub conversation: Option<ConversationId>,
    /// The body of the queue message, for resending it. It holds the text.
    pub body: String,
}

// By hand: it names the fields that are safe to show, so a field that is added later stays hidden.
impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parked").field("at", &self.at).field("reason", &self.reason).finish_non_exhaustive()
    }
}
