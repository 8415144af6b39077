//! The contract of a channel: the traits [`Channel`] and [`Line`], and their calls and failures.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::{
    Capabilities, ChannelRequest, Reception, Registration, Unreadable, VerifyError,
    id::{CallReference, ChannelUserId},
    message::{InboundMedia, Indication, OutboundMessage},
    setting::Setting,
};
use connector_message::{
    Disposition,
    code::Code,
    http::{HttpCall, HttpReply, InvalidHeader},
    settings::WrongField,
};

/// A channel, such as SMS.
pub trait Channel: Send + Sync + fmt::Debug {
    /// The name of the channel, in lower case. Every line's secret contains it: it must not change.
    fn name(&self) -> &'static str;

    /// The channel's name for people, for example `WhatsApp`.
    fn title(&self) -> &'static str;

    /// The settings of a line, in the order of the documentation. [`Channel::line`] accepts exactly these fields.
    fn settings(&self) -> &'static [Setting];

    /// Creates a line from its settings: the JSON object under the channel's name in the line's secret.
    ///
    /// # Errors
    /// [`WrongField`] names the field. It never contains a value, because the settings are secrets.
    fn line(&self, settings: &serde_json::Value) -> Result<Box<dyn Line>, WrongField>;

    /// Whether lines of this channel show that an agent is typing. If no channel of a deployment does, LiveEngage needn't send these
    /// events. A line's [`Capabilities::typing`] must agree.
    fn shows_typing(&self) -> bool {
        false
    }

    /// The same for marking a consumer's message as read ([`Capabilities::mark_read`]).
    fn shows_read_marks(&self) -> bool {
        false
    }
}

/// A line of a channel, with one version of its secret.
///
/// The use cases always call [`Line::verify`] before [`Line::receive`], with the same request. There is no default verification: a channel
/// without signatures must document in its `verify` what it relies on instead.
pub trait Line: Send + Sync + fmt::Debug {
    /// Verifies that the channel sent the request. Uses the raw bytes, before they are parsed, and the current time `now`.
    ///
    /// # Errors
    /// [`VerifyError`] with the reason, which is counted.
    fn verify(&self, request: &ChannelRequest, now: Timestamp) -> Result<(), VerifyError>;

    /// Whether [`Line::verify`] rejects old requests. If the signature has no time, a captured request stays valid, and the use case checks
    /// the time of every message (the connector's `app::replay`).
    fn signs_time(&self) -> bool;

    /// How the channel learns the URL of this line's webhook.
    fn registration(&self, webhook: &Url) -> Registration;

    /// Reads the channel's reply to a call of [`Registration::Calls`]. The default accepts every 2xx.
    ///
    /// # Errors
    /// [`SendFailure`], by what to do about it.
    fn registered(&self, reply: &HttpReply) -> Result<(), SendFailure> {
        let status = reply.status.as_u16();
        match status {
            200..300 => Ok(()),
            401 | 403 => Err(SendFailure::Credentials { status }),
            408 | 429 | 500.. => Err(SendFailure::Later { status, after: reply.retry_after }),
            _ => Err(SendFailure::Refused { status, code: Code::internal("registration_refused") }),
        }
    }

    /// Reads a verified request: its events, and the answer to send after they are queued. A handshake is a request without events.
    ///
    /// # Errors
    /// [`Unreadable`] for a body that doesn't have the channel's form. The use case answers 400 and queues nothing. An unknown type of
    /// message is not an error but an [`InboundContent::Unsupported`](crate::message::InboundContent).
    fn receive(&self, request: &ChannelRequest) -> Result<Reception, Unreadable>;

    /// The capabilities of this line.
    fn capabilities(&self) -> Capabilities;

    /// Returns the next call that sends `message`. `done` holds the receipts of the calls that the channel has accepted. `None` if
    /// everything was sent.
    ///
    /// A long text needs several calls. If a file must be uploaded first, the upload is a call of its own, and its receipt has the file's
    /// id. The same message must give the same calls in every attempt.
    ///
    /// # Errors
    /// [`SendFailure`] if this channel can't send the message.
    fn next_call(&self, message: &OutboundMessage, done: &[Receipt]) -> Result<Option<ChannelCall>, SendFailure>;

    /// Reads the channel's reply to a call of [`Line::next_call`].
    ///
    /// # Errors
    /// [`SendFailure`], by what to do about it.
    fn receipt(&self, reply: &HttpReply) -> Result<Receipt, SendFailure>;

    /// Returns the call that shows an indication to the consumer. `None` if the channel has no such indication. The call is not retried.
    fn indicate(&self, to: &ChannelUserId, indication: &Indication) -> Option<HttpCall> {
        let _ = (to, indication);
        None
    }

    /// Returns the call that fetches a file that a consumer sent. If the channel must first be asked for the file's URL, this returns
    /// [`MediaCall::Ask`], and is called again with its reply in `asked`.
    ///
    /// A call with a secret must go only to the channel's own hosts, whatever the URL in `media`.
    ///
    /// # Errors
    /// [`SendFailure`]. The default is [`SendFailure::Impossible`], for a channel without files.
    fn fetch(&self, media: &InboundMedia, asked: Option<&HttpReply>) -> Result<MediaCall, SendFailure> {
        let _ = (media, asked);
        Err(SendFailure::Impossible { why: "this channel has no files" })
    }
}

/// A call that sends a message or a part of it.
#[derive(Debug)]
pub struct ChannelCall {
    /// The call. If there is a `file`, the body of the call is empty.
    pub call: HttpCall,
    /// If set, the message's file is streamed as the body, inside this envelope.
    pub file: Option<FileEnvelope>,
    /// The effect of the call.
    pub effect: Effect,
}

/// The effect of a call. It decides what a repetition of the call would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Shows something to the consumer.
    Message {
        /// The reference in the channel's correlation field, if the channel has one. The channel's reports return it
        /// ([`InboundContent::Report`](crate::message::InboundContent)). This proves that the channel accepted a call that had no reply.
        reference: Option<CallReference>,
    },
    /// Uploads a file. The consumer doesn't see it yet.
    Upload,
}

impl ChannelCall {
    /// Creates a call that shows something to the consumer.
    pub const fn message(call: HttpCall, reference: Option<CallReference>) -> Self {
        Self { call, file: None, effect: Effect::Message { reference } }
    }
}

/// The bytes before and after a file in a body: the other parts of a `multipart/form-data`, or nothing.
#[derive(derive_more::Debug, Clone, Default, PartialEq, Eq)]
#[debug("FileEnvelope({} + {} bytes)", before.len(), after.len())]
pub struct FileEnvelope {
    /// The bytes before the file.
    pub before: bytes::Bytes,
    /// The bytes after the file.
    pub after: bytes::Bytes,
}

/// A call that fetches a file.
#[derive(Debug)]
pub enum MediaCall {
    /// Asks for the file's URL. Pass the reply to [`Line::fetch`].
    Ask(HttpCall),
    /// Fetches the bytes of the file.
    Fetch(HttpCall),
}

/// The channel's receipt for an accepted call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The channel's id of the message or upload, if it returns one.
    pub provider_id: Option<String>,
    /// Whether it is a message, on which the channel reports by this id, and not an upload.
    pub is_message: bool,
}

/// Why a channel did not accept a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// Too many calls, or the channel is unavailable.
    #[error("the channel asks for a later attempt (HTTP {status})")]
    Later {
        /// The HTTP status.
        status: u16,
        /// The minimum wait, if the channel named one.
        after: Option<SignedDuration>,
    },
    /// The channel rejects the line's credentials. An operator must correct the secret. Then the message can still be sent.
    #[error("the channel refuses the line's credentials (HTTP {status}): check the line's secret")]
    Credentials {
        /// The HTTP status.
        status: u16,
    },
    /// The consumer can't be reached, for example because the number doesn't exist or the consumer has opted out.
    #[error("the channel can't reach this person (HTTP {status}, code {code})")]
    Unreachable {
        /// The HTTP status.
        status: u16,
        /// The channel's error code.
        code: Code,
    },
    /// The channel rejects the message.
    #[error("the channel refuses the message (HTTP {status}, code {code})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The channel's error code.
        code: Code,
    },
    /// The channel accepts no more messages to this consumer until the consumer writes again.
    #[error(
        "the channel takes messages to this person only after a new message of theirs (HTTP {status}, code {code})"
    )]
    WindowClosed {
        /// The HTTP status.
        status: u16,
        /// The channel's error code.
        code: Code,
    },
    /// The channel's reply doesn't have the documented form. Whether the channel accepted the message is not known.
    #[error("the channel's answer can't be read (HTTP {status})")]
    Unreadable {
        /// The HTTP status.
        status: u16,
    },
    /// The line can't send this. No call was made.
    #[error("no call was made: {why}")]
    Impossible {
        /// The reason for an operator or an agent, as part of a sentence.
        why: &'static str,
    },
    /// A secret can't be sent in a header.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
}

impl SendFailure {
    /// What to do with the message.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Later { after, .. } => Disposition::Retry { after: *after },
            // An operator corrects a rotated credential within hours, and the consumer is still waiting then.
            Self::Credentials { .. } => Disposition::RETRY,
            // A proxy may have replied without forwarding the message. The line's setting `on_uncertain` decides whether to risk a
            // duplicate.
            Self::Unreadable { .. } => Disposition::RETRY,
            Self::Unreachable { .. }
            | Self::Refused { .. }
            | Self::WindowClosed { .. }
            | Self::Impossible { .. }
            | Self::Header(_) => Disposition::Park,
        }
    }
}
