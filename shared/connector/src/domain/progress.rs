//! The progress of a message's delivery: the finished steps, and what they mean for each kind of message.
//!
//! A step is recorded before the next one begins, so an attempt continues where the previous one was stopped. A step's decisions are
//! recorded with it, because a later attempt must not decide otherwise.

use super::menu::Chosen;
use connector_channels::Receipt;
use connector_liveengage::{
    files::{FileType, HostedFile},
    id::Sequence,
    messaging::DialogRef,
};

/// A finished step of a message's delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The channel accepted a call.
    ChannelCall {
        /// What the call sent to the channel.
        receipt: Receipt,
        /// The file of the message, if it has one, so that a later attempt needn't fetch it again.
        file: Option<FileInfo>,
    },
    /// LiveEngage published a piece of the consumer's message.
    Published {
        /// Its number in the dialog, if LiveEngage said it.
        sequence: Option<Sequence>,
    },
    /// LiveEngage published what the consumer chose.
    ChoicePublished {
        /// What it was. The menu may be gone at the next attempt.
        chosen: Box<Chosen>,
        /// The number in the dialog, if LiveEngage said it.
        sequence: Option<Sequence>,
    },
    /// The consumer's file was stored in LivePerson's storage, or rejected.
    MediaPrepared(MediaOutcome),
    /// The consumer's text closes this conversation.
    CloseDecided(Closing),
    /// LiveEngage accepted how satisfied the consumer was.
    SatisfactionSent,
    /// LiveEngage accepted or rejected the mark that an agent's message did not arrive.
    NackSent,
    /// The agent was notified of the reason, now or within the hour before.
    ReasonSent,
}

/// A file to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Its type, from its first bytes.
    pub file_type: FileType,
    /// Its size in bytes.
    pub size: u64,
}

/// The outcome for a consumer's file, before the agent sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaOutcome {
    /// It is in LivePerson's storage.
    Hosted(HostedFile),
    /// The agent can't see it.
    Refused {
        /// Why, as a sentence part.
        reason: String,
    },
}

/// The target of a closing word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The dialog to which the consumer's texts went.
    pub dialog: DialogRef,
    /// Whether a survey may follow, in which case only the main dialog is closed.
    pub with_survey: bool,
}

/// The progress of a text to LiveEngage. It stays what the first attempt decided that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextProgress<'a> {
    /// Nothing is done.
    NotStarted,
    /// It answers the satisfaction question, and LiveEngage has the answer.
    SatisfactionSent,
    /// It closes a conversation.
    Closing {
        /// Which one.
        closing: &'a Closing,
        /// Whether the closing word itself is published.
        word_published: bool,
    },
    /// It chooses from a menu, and LiveEngage has the choice.
    Choice {
        /// What.
        chosen: &'a Chosen,
        /// How many pieces of its text are published.
        pieces: usize,
    },
    /// It is a text, of which this many pieces are published.
    Text {
        /// How many.
        pieces: usize,
    },
}

impl<'a> TextProgress<'a> {
    /// Returns the progress of a text from its steps.
    pub fn of(steps: &'a [Step]) -> Self {
        match steps {
            [] => Self::NotStarted,
            [Step::SatisfactionSent, ..] => Self::SatisfactionSent,
            [Step::CloseDecided(closing), rest @ ..] => Self::Closing { closing, word_published: !rest.is_empty() },
            [Step::ChoicePublished { chosen, .. }, rest @ ..] => Self::Choice { chosen, pieces: rest.len() },
            published => Self::Text { pieces: published.len() },
        }
    }
}

/// The progress of a consumer's file to LiveEngage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaProgress<'a> {
    /// Nothing is done.
    NotStarted,
    /// It is in LivePerson's storage, or rejected.
    Prepared(&'a MediaOutcome),
    /// It or a placeholder was published.
    Published {
        /// Which of both.
        outcome: &'a MediaOutcome,
        /// How many pieces of the caption are published.
        caption_pieces: usize,
    },
}

impl<'a> MediaProgress<'a> {
    /// Returns the progress of a file from its steps.
    pub fn of(steps: &'a [Step]) -> Self {
        match steps {
            [Step::MediaPrepared(outcome)] => Self::Prepared(outcome),
            [Step::MediaPrepared(outcome), _, rest @ ..] => Self::Published { outcome, caption_pieces: rest.len() },
            _ => Self::NotStarted,
        }
    }
}

/// The progress of a notice that an agent's message did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureNoticeProgress {
    /// Nothing is done.
    NotStarted,
    /// The message is marked as not received.
    Marked,
    /// The agent was notified of the reason.
    Explained,
}

impl FailureNoticeProgress {
    /// Returns the progress of the notice from its steps.
    pub const fn of(steps: &[Step]) -> Self {
        match steps {
            [] => Self::NotStarted,
            [_] => Self::Marked,
            [..] => Self::Explained,
        }
    }
}

/// The progress of a message to a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelProgress {
    /// What the channel has accepted, in order.
    pub receipts: Vec<Receipt>,
    /// The file of the message, if it has one and a call was accepted.
    pub file: Option<FileInfo>,
}

impl ChannelProgress {
    /// Returns the progress of a message to a channel from its steps.
    pub fn of(steps: &[Step]) -> Self {
        let calls = || {
            steps.iter().filter_map(|step| match step {
                Step::ChannelCall { receipt, file } => Some((receipt, file)),
                _ => None,
            })
        };
        let receipts = calls().map(|(receipt, _)| receipt.clone()).collect();
        Self { receipts, file: calls().find_map(|(_, file)| file.clone()) }
    }
}
