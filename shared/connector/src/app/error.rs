//! Errors of deliveries, and what to do with a message after each.

use jiff::SignedDuration;

use super::registry::{NotUsable, RegistryError};
use crate::{
    domain::{id::LineId, uncertain::CarriedOut},
    port::{QueueError, StoreError},
};
use connector_channels::SendFailure;
use connector_liveengage::{LiveEngageError, id::AccountId, notification::UnreadableChange};
use connector_message::{Disposition, code::Code, http::HttpFailure, settings::WrongField};

/// What a lease is for: one worker at a time works on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leased {
    /// The message.
    Message,
    /// The opening of the consumer's conversation.
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

/// Why a delivery failed. No variant holds a text, a phone number or a secret, because the error is logged unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// LiveEngage answered with an error.
    #[error(transparent)]
    LiveEngage(#[from] LiveEngageError),
    /// The channel answered with an error.
    #[error(transparent)]
    Channel(#[from] SendFailure),
    /// A call got no answer.
    #[error("{call}: {failure}")]
    Http {
        /// The call's name.
        call: &'static str,
        /// How it failed.
        failure: HttpFailure,
    },
    /// The account isn't configured: it was removed after the message was accepted, or a line names another account.
    #[error("the account {account} is not configured")]
    UnknownAccount {
        /// The account.
        account: AccountId,
    },
    /// The line isn't configured: it was removed after the message was accepted.
    #[error("the line {line} is not configured")]
    UnknownLine {
        /// The line.
        line: LineId,
    },
    /// A secret can't be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A setting can't be used.
    #[error(transparent)]
    Setting(#[from] WrongField),
    /// Another worker holds the lease.
    #[error("another worker holds the lease on {what}")]
    Busy {
        /// What.
        what: Leased,
        /// How long to wait before the next look.
        after: SignedDuration,
    },
    /// The breaker is open, because several calls in a row failed. No call was made.
    #[error("{what} is down: no call is made for a moment")]
    HeldBack {
        /// What.
        what: &'static str,
        /// How long to wait before the next try.
        after: SignedDuration,
    },
    /// The function is about to time out. The finished steps are recorded, and the rest is retried at once.
    #[error("no time is left for another call")]
    OutOfTime,
    /// Too many writers changed the consumer's record at the same time.
    #[error("the consumer's record was changed by others at every attempt to save it")]
    Contended,
    /// The owner of a LiveEngage message's conversation is not known yet: it may be ours and just being opened.
    #[error("the conversation is not known yet")]
    ConversationUnknown {
        /// How long to wait before the next look.
        after: SignedDuration,
    },
    /// A channel's report came before the answer to the call that sent its message, or is about a message that isn't ours.
    #[error("the message of the report is not recorded yet")]
    MessageUnknown {
        /// How long to wait before the next look.
        after: SignedDuration,
    },
    /// A change of a known type can't be read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableChange),
    /// This version can't read the queue message or the notification at all.
    #[error("{what} can't be read")]
    UnreadableTask {
        /// What it is.
        what: &'static str,
    },
    /// An earlier attempt may have delivered the message, nothing proves it, and the line doesn't resend then
    /// ([`crate::domain::uncertain::OnUncertain`]).
    #[error("it may have arrived: an attempt got no answer, and the line doesn't resend then (on_uncertain)")]
    Uncertain,
    /// The channel reports that a message failed which counted as delivered, and its conversation has ended, so no notice can be published.
    #[error(
        "the channel reports that a message could not be delivered (code {code}), and no notice can be published: its conversation has ended"
    )]
    NoRecipient {
        /// The channel's code.
        code: Code,
    },
    /// An agent's message is in an unknown conversation, while LiveEngage says that a consumer of ours has an open one whose id is not
    /// known. It may be that one, or another channel's.
    #[error(
        "its conversation is unknown, and may be the open conversation of a consumer that LiveEngage does not name"
    )]
    PossiblyOurs,
    /// LiveEngage has closed each conversation that was opened for the message.
    #[error("LiveEngage closed each of the {count} conversations that were opened for it")]
    ClosedAtOnce {
        /// How many were opened.
        count: u32,
    },
    /// The channel or the connector doesn't support this kind of content.
    #[error("{content} can't be carried to this channel")]
    Unsupported {
        /// The kind, for example `RichContentEvent`.
        content: Code,
    },
}

impl DeliveryError {
    /// Returns the error for an account that can't be used.
    pub(super) fn of_account(account: &AccountId, error: NotUsable) -> Self {
        match error {
            NotUsable::NotConfigured => Self::UnknownAccount { account: account.clone() },
            NotUsable::Secret(error) => error.into(),
        }
    }

    /// Returns the error for a line that can't be used.
    pub(super) fn of_line(line: &LineId, error: NotUsable) -> Self {
        match error {
            NotUsable::NotConfigured => Self::UnknownLine { line: line.clone() },
            NotUsable::Secret(error) => error.into(),
        }
    }

    /// What to do with the message.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Store(StoreError::Unavailable { .. }) | Self::Queue(_) => Disposition::RETRY,
            // A newer version wrote the item. The deployment in progress will be able to read it.
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
            | Self::PossiblyOurs
            | Self::ClosedAtOnce { .. }
            | Self::NoRecipient { .. } => Disposition::Park,
        }
    }

    /// The wait that the other side asked for. The actual wait may be shorter.
    pub const fn asked(&self) -> Option<SignedDuration> {
        match self.disposition() {
            Disposition::Retry { after } => after,
            Disposition::Defer { .. } | Disposition::Park => None,
        }
    }

    /// Whether the same message would fail in the same way again: the cause is not temporary, and the outcome is not uncertain.
    pub const fn is_permanent(&self) -> bool {
        matches!(self.disposition(), Disposition::Park)
            && !matches!(self, Self::Uncertain | Self::PossiblyOurs | Self::ClosedAtOnce { .. })
    }

    /// The class of the cause, one of a few words. Retries are counted by it.
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
            | Self::PossiblyOurs
            | Self::ClosedAtOnce { .. }
            | Self::NoRecipient { .. } => "content",
        }
    }

    /// Whether the channel has rejected the line's credentials, which a newer version of its secret may fix.
    pub const fn refuses_credentials(&self) -> bool {
        matches!(self, Self::Channel(SendFailure::Credentials { .. }))
    }

    /// Whether the call `name` may have been carried out although it failed. `None` if it certainly was not. It may have been after
    /// anything but a definite rejection: no answer, an answer of a server or proxy that failed, or an answer that can't be read.
    pub fn carried_out(&self, name: &str) -> Option<CarriedOut> {
        let by_status = |status: u16| match status {
            // By definition the server did not start on it, but a proxy may answer so after it has forwarded the request.
            408 | 503 => Some(CarriedOut::Unlikely),
            500.. => Some(CarriedOut::Possibly),
            _ => None,
        };
        match self {
            Self::Http { call, failure: HttpFailure::Unanswered } if *call == name => Some(CarriedOut::Possibly),
            Self::LiveEngage(LiveEngageError::Unavailable { call, status, .. }) if *call == name => by_status(*status),
            Self::LiveEngage(LiveEngageError::Unreadable { call, .. }) if *call == name => Some(CarriedOut::Possibly),
            Self::Channel(SendFailure::Later { status, .. }) => by_status(*status),
            Self::Channel(SendFailure::Unreadable { .. }) => Some(CarriedOut::Possibly),
            _ => None,
        }
    }
}
