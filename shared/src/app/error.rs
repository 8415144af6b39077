//! What can go wrong while a message is delivered, and what becomes of the message then.

use jiff::SignedDuration;

use super::registry::RegistryError;
use crate::{
    channel::SendFailure,
    domain::{
        code::Code,
        delivery::CarriedOut,
        http::HttpFailure,
        id::{AccountId, LineId},
        retry::Disposition,
        settings::WrongField,
    },
    liveengage::{LiveEngageError, notification::UnreadableChange},
    port::{QueueError, StoreError},
};

/// What one worker at a time works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leased {
    /// The message.
    Message,
    /// The opening of the person's conversation.
    Conversation,
    /// The renewal of the account's AppJWT.
    AppJwt,
}

impl std::fmt::Display for Leased {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Message => "the message",
            Self::Conversation => "the conversation",
            Self::AppJwt => "the AppJWT",
        })
    }
}

/// A delivery that did not succeed. No variant holds a text, a phone number or a secret: it is logged as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// LiveEngage answered, and not as wanted.
    #[error(transparent)]
    LiveEngage(#[from] LiveEngageError),
    /// The channel answered, and not as wanted.
    #[error(transparent)]
    Channel(#[from] SendFailure),
    /// There was no answer.
    #[error("{call}: {failure}")]
    Http {
        /// The call's name.
        call: &'static str,
        /// What is known of it.
        failure: HttpFailure,
    },
    /// An account that isn't configured: a message of before it was taken out, or a line that names another.
    #[error("the account {account} is not configured")]
    UnknownAccount {
        /// The account.
        account: AccountId,
    },
    /// A line that isn't configured: a message of before it was taken out.
    #[error("the line {line} is not configured")]
    UnknownLine {
        /// The line.
        line: LineId,
    },
    /// A secret.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A setting that can't be used.
    #[error(transparent)]
    Setting(#[from] WrongField),
    /// Somebody else works on the same thing.
    #[error("{what} is being worked on elsewhere")]
    Busy {
        /// What.
        what: Leased,
        /// When to look again.
        after: SignedDuration,
    },
    /// The other side has been down at several calls in a row: it is left alone for a moment, and no call was made.
    #[error("{what} is down: no call is made for a moment")]
    HeldBack {
        /// What.
        what: &'static str,
        /// When to try again.
        after: SignedDuration,
    },
    /// The function is about to be stopped: what is done is noted, and the rest comes again at once.
    #[error("no time is left for another call")]
    OutOfTime,
    /// Too many writers at once on one consumer's record.
    #[error("the consumer's record changed again and again")]
    Contended,
    /// A message of LiveEngage whose conversation is not known yet: it may be ours, just being opened.
    #[error("the conversation is not known yet")]
    ConversationUnknown {
        /// When to look again.
        after: SignedDuration,
    },
    /// A channel's report came before the answer to the call that made its message, or is about a message that isn't ours.
    #[error("the message of the report is not noted yet")]
    MessageUnknown {
        /// When to look again.
        after: SignedDuration,
    },
    /// A change of a known type that can't be read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableChange),
    /// A queue message, or a notification, that this version can't read at all.
    #[error("{what} can't be read")]
    UnreadableTask {
        /// What it is.
        what: &'static str,
    },
    /// An earlier attempt may have delivered it, nothing tells, and the line doesn't repeat then ([`crate::domain::delivery::OnUncertain`]).
    #[error("it may have arrived: an attempt had no answer, and it is not sent again (on_uncertain)")]
    Uncertain,
    /// The channel reports that a message has failed which counted as delivered, and there is no conversation any more to say so in.
    #[error(
        "the channel reports that a message could not be delivered (code {code}), and nobody can be told: its conversation has ended"
    )]
    NobodyToTell {
        /// The channel's code.
        code: Code,
    },
    /// An agent's message in a conversation of which nothing is known, while LiveEngage says that a consumer of ours has an open one whose
    /// id is not known: it may be that one, or another channel's.
    #[error(
        "nothing is known of its conversation, which may be that of a consumer whose open conversation LiveEngage does not name"
    )]
    PerhapsOurs,
    /// LiveEngage has closed each conversation that was opened for a message.
    #[error("LiveEngage closed each of the {count} conversations that were opened for it")]
    ClosedAtOnce {
        /// How many were opened.
        count: u32,
    },
    /// A kind of content that the connector can't carry yet.
    #[error("{content} can't be carried to this channel")]
    Unsupported {
        /// What it is, for example `RichContentEvent`.
        content: Code,
    },
}

impl DeliveryError {
    /// What becomes of the message.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Store(StoreError::Unavailable { .. }) | Self::Queue(_) => Disposition::RETRY,
            // An item of a newer version: the deployment under way will read it.
            Self::Store(StoreError::Unreadable { .. }) => Disposition::RETRY,
            Self::Store(StoreError::LeaseLost) => Disposition::Defer { after: SignedDuration::from_secs(1) },
            Self::LiveEngage(error) => error.disposition(),
            Self::Channel(error) => error.disposition(),
            Self::Http { .. } => Disposition::RETRY,
            Self::UnknownAccount { .. } | Self::UnknownLine { .. } | Self::Registry(_) | Self::Setting(_) => {
                Disposition::RETRY
            }
            Self::Busy { after, .. }
            | Self::HeldBack { after, .. }
            | Self::ConversationUnknown { after }
            | Self::MessageUnknown { after } => Disposition::Defer { after: *after },
            Self::OutOfTime => Disposition::Defer { after: SignedDuration::ZERO },
            Self::Contended => Disposition::Defer { after: SignedDuration::from_secs(1) },
            Self::Unreadable(_)
            | Self::UnreadableTask { .. }
            | Self::Unsupported { .. }
            | Self::Uncertain
            | Self::PerhapsOurs
            | Self::ClosedAtOnce { .. }
            | Self::NobodyToTell { .. } => Disposition::Park,
        }
    }

    /// The wait that the other side asked for, which may be longer than the one that it is granted.
    pub const fn asked(&self) -> Option<SignedDuration> {
        match self.disposition() {
            Disposition::Retry { after } => after,
            Disposition::Defer { .. } | Disposition::Park => None,
        }
    }

    /// Whether the same message would fail in the same way again: it is not about the moment, and its outcome is not in doubt.
    pub const fn is_permanent(&self) -> bool {
        matches!(self.disposition(), Disposition::Park)
            && !matches!(self, Self::Uncertain | Self::PerhapsOurs | Self::ClosedAtOnce { .. })
    }

    /// Whose affair it is, in one of few words: what retries are counted by.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Store(_) | Self::Queue(_) => "aws",
            Self::LiveEngage(_) => "liveengage",
            Self::Channel(_) => "channel",
            Self::Http { .. } => "no answer",
            Self::HeldBack { .. } => "held back",
            Self::UnknownAccount { .. } | Self::UnknownLine { .. } | Self::Registry(_) | Self::Setting(_) => "settings",
            Self::Busy { .. }
            | Self::OutOfTime
            | Self::Contended
            | Self::ConversationUnknown { .. }
            | Self::MessageUnknown { .. } => "own affairs",
            Self::Unreadable(_)
            | Self::UnreadableTask { .. }
            | Self::Unsupported { .. }
            | Self::Uncertain
            | Self::PerhapsOurs
            | Self::ClosedAtOnce { .. }
            | Self::NobodyToTell { .. } => "content",
        }
    }

    /// Whether the channel has refused the line's credentials: a newer version of its secret would mend that.
    pub const fn refuses_credentials(&self) -> bool {
        matches!(self, Self::Channel(SendFailure::Credentials { .. }))
    }

    /// Whether `call` may have been carried out although it failed: `None` where it was certainly not. It may have been after anything but
    /// a definite refusal: no answer, one of a server or a proxy that broke down at it, or one that is not its own.
    pub fn carried_out(&self, name: &str) -> Option<CarriedOut> {
        let by_status = |status: u16| match status {
            // By their definition nothing was begun; but a proxy answers so after it has passed the request on.
            408 | 503 => Some(CarriedOut::Hardly),
            500.. => Some(CarriedOut::Perhaps),
            _ => None,
        };
        match self {
            Self::Http { call, failure: HttpFailure::Unanswered } if *call == name => Some(CarriedOut::Perhaps),
            Self::LiveEngage(LiveEngageError::Unavailable { call, status, .. }) if *call == name => by_status(*status),
            Self::LiveEngage(LiveEngageError::Unreadable { call, .. }) if *call == name => Some(CarriedOut::Perhaps),
            Self::Channel(SendFailure::Later { status, .. }) => by_status(*status),
            Self::Channel(SendFailure::Unreadable { .. }) => Some(CarriedOut::Perhaps),
            _ => None,
        }
    }
}
