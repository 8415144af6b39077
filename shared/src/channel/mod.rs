//! The channel contract. A channel is one folder here and one line in [`ALL`]; nothing else in the crate knows it.
//!
//! A channel is pure: it reads and builds data, and the use cases do the IO. [`Channel`] reads a line's settings and makes a
//! [`Line`]; a line is made anew for every version of its secret, so that during a rotation each live version verifies.

use std::{collections::BTreeMap, fmt};

use http::{HeaderMap, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    code::Code,
    http::{HttpCall, HttpReply, InvalidHeader},
    id::{CallReference, ChannelUserId},
    left_out::LeftOut,
    message::{InboundEvent, InboundMedia, Indication, OutboundMessage},
    retry::Disposition,
};

pub mod plain_text;
pub mod rendering;
pub mod sms;
pub mod whatsapp;

/// Every channel of this build, in the order the documentation lists them.
pub const ALL: &[&dyn Channel] = &[&sms::Sms, &whatsapp::WhatsApp];

/// The channel with this name in a line's secret (`"channel": "sms"`).
pub fn by_name(name: &str) -> Option<&'static dyn Channel> {
    ALL.iter().copied().find(|channel| channel.name() == name)
}

/// A kind of channel.
pub trait Channel: Send + Sync + fmt::Debug {
    /// Its name in a line's secret: lower case, never changed, since it is in every line's configuration.
    fn name(&self) -> &'static str;

    /// Reads the line's settings: the JSON object under the channel's own name in the line's secret.
    ///
    /// # Errors
    /// [`SettingsError`] names the field. It never holds a value: the settings are secrets.
    fn line(&self, settings: &serde_json::Value) -> Result<Box<dyn Line>, SettingsError>;
}

/// One line of a channel, with one version of its secret.
///
/// The use cases call [`Line::verify`] before [`Line::receive`], on the same bytes, always. There is no default verification:
/// a channel without signatures must say in its own `verify` what it relies on instead.
pub trait Line: Send + Sync + fmt::Debug {
    /// Whether the request is the channel's own, judged over the raw bytes and before any of them is parsed, at `now`.
    ///
    /// # Errors
    /// [`VerifyError`] says why not, for the counter.
    fn verify(&self, request: &ChannelRequest, now: Timestamp) -> Result<(), VerifyError>;

    /// Whether [`Line::verify`] refuses a request because it is old. Where the signature has no time in it, a captured request stays
    /// valid, and the use case asks every message for its own time ([`crate::app::replay`]).
    fn signs_time(&self) -> bool;

    /// Reads a verified request: the events in it and the answer that the channel wants once they are safe. A handshake is a
    /// request without events.
    ///
    /// # Errors
    /// [`Unreadable`] for a body that is not the channel's: answered 400, nothing is queued. A known body with an unknown
    /// kind of message is no error but an [`InboundContent::Unsupported`](crate::domain::message::InboundContent).
    fn receive(&self, request: &ChannelRequest) -> Result<Reception, Unreadable>;

    /// What this line can do.
    fn capabilities(&self) -> Capabilities;

    /// The next call that brings `message` to the person, after the calls whose receipts are in `done` were accepted; `None`
    /// when all of it was sent. A long text is several calls; a channel that wants a file uploaded first uploads it in a call
    /// of its own and finds its id in the receipt. The same message must give the same calls at every attempt.
    ///
    /// # Errors
    /// [`SendFailure`] when this channel can't carry the message.
    fn next_call(&self, message: &OutboundMessage, done: &[Receipt]) -> Result<Option<ChannelCall>, SendFailure>;

    /// What the channel's answer to such a call means.
    ///
    /// # Errors
    /// [`SendFailure`], by what is to be done about it.
    fn receipt(&self, reply: &HttpReply) -> Result<Receipt, SendFailure>;

    /// The call that shows the person an indication; `None` where the channel has none of this kind. Made once, whatever comes
    /// of it.
    fn indicate(&self, to: &ChannelUserId, indication: &Indication) -> Option<HttpCall> {
        let _ = (to, indication);
        None
    }

    /// The call that fetches a file which a person sent. A channel that must first be asked where the file is gets `asked`, the
    /// answer to its own [`MediaCall::Ask`]. A call with a secret must go to the channel's own hosts only, whatever an address in
    /// `media` says.
    ///
    /// # Errors
    /// [`SendFailure`]; a channel without files refuses.
    fn fetch(&self, media: &InboundMedia, asked: Option<&HttpReply>) -> Result<MediaCall, SendFailure> {
        let _ = (media, asked);
        Err(SendFailure::Impossible { why: "this channel has no files" })
    }
}

/// One call of a message's way to a person.
#[derive(Debug)]
pub struct ChannelCall {
    /// The call. With a file, its body is empty and `file` says what is streamed.
    pub call: HttpCall,
    /// Whether the message's file is streamed as the body, and what stands around it.
    pub file: Option<FileEnvelope>,
    /// What comes of it.
    pub effect: Effect,
}

/// What comes of a call, and so, of repeating it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The person is shown something.
    Message {
        /// What the call names itself in the channel's correlation field, if it has one. The channel's reports give it back
        /// ([`InboundContent::Report`](crate::domain::message::InboundContent)), which proves that a call without an answer was taken.
        reference: Option<CallReference>,
    },
    /// A file is brought over, and the person sees nothing of it yet.
    Upload,
}

impl ChannelCall {
    /// A call that shows the person something, and names itself so.
    pub const fn message(call: HttpCall, reference: Option<CallReference>) -> Self {
        Self { call, file: None, effect: Effect::Message { reference } }
    }
}

/// What stands before and after a file's bytes in a body: the other parts of a `multipart/form-data`, or nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FileEnvelope {
    /// Before the file.
    pub before: bytes::Bytes,
    /// After the file.
    pub after: bytes::Bytes,
}

impl fmt::Debug for FileEnvelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileEnvelope({} + {} bytes)", self.before.len(), self.after.len())
    }
}

/// How a file that a person sent is fetched.
#[derive(Debug)]
pub enum MediaCall {
    /// First ask where it is.
    Ask(HttpCall),
    /// This answers with its bytes.
    Fetch(HttpCall),
}

/// What a line can do, as data: the use cases and the [`rendering`] decide by these and never by a channel's name.
///
/// Texts alone need none of them: a [`Line`] splits them itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The longest text in one message, in the channel's unit; longer ones are split.
    pub text: TextLimit,
    /// Whether a person's address on this channel is their phone number in E.164.
    pub address_is_phone: bool,
    /// Buttons that answer, below a message; `None` where choices must be a numbered list.
    pub buttons: Option<ChoiceLimits>,
    /// A list that opens and from which one row is chosen.
    pub list: Option<ChoiceLimits>,
    /// The longest title of a button that opens a page, in characters; `None` where links are written out.
    pub link_button: Option<usize>,
    /// The longest text of a message with buttons, a list or a link button, in characters.
    pub interactive_text: usize,
    /// Whether a picture is shown from its public https address.
    pub pictures: bool,
    /// The files that an agent can send, `None` for none.
    pub files: Option<FileLimits>,
    /// How long a typing indicator stays on, `None` where there is none.
    pub typing: Option<SignedDuration>,
    /// Whether the brand can mark the person's messages as read.
    pub mark_read: bool,
    /// Whether the channel reports that a message was delivered, or that it could not be.
    pub reports_delivery: bool,
    /// Whether the channel reports that a message was read.
    pub reports_reading: bool,
    /// How long after the person's last message the brand may answer, `None` for always.
    pub reply_window: Option<SignedDuration>,
    /// What keeps a message from being doubled when a call had no answer.
    pub repeat: Repeat,
}

/// How many choices can be shown, and how long they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChoiceLimits {
    /// The most of them in one message.
    pub most: usize,
    /// The longest title, in characters.
    pub longest_title: usize,
}

/// Which files an agent can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// The largest picture, in bytes.
    pub largest_picture: u64,
    /// The largest document, in bytes; `None` where there are only pictures.
    pub largest_document: Option<u64>,
}

/// A length and what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextLimit {
    /// Unicode characters.
    Characters(u32),
    /// UTF-16 code units.
    Utf16Units(u32),
    /// Bytes of UTF-8.
    Bytes(u32),
    /// Concatenated SMS parts, in GSM-7 or UCS-2.
    SmsParts(u32),
}

/// What happens when a call is repeated because its first answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// The channel takes a retry key and carries a call out once.
    Once,
    /// The message may arrive twice; the channel carries our reference, so that a doubling can be seen in its reports.
    MayDouble,
}

/// An HTTP request as it reached the inbound function.
#[derive(Clone)]
pub struct ChannelRequest {
    /// The method: handshakes are GETs on several channels.
    pub method: Method,
    /// The headers.
    pub headers: HeaderMap,
    /// The decoded query parameters, in order.
    pub query: Vec<(String, String)>,
    /// The raw body, decoded from API Gateway's Base64 and not otherwise touched.
    pub body: bytes::Bytes,
}

impl ChannelRequest {
    /// A header's value as text, if there is exactly one and it is text. Names are compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }
}

impl fmt::Debug for ChannelRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelRequest({} with {} bytes)", self.method, self.body.len())
    }
}

/// What a verified request brought.
#[derive(Debug)]
pub struct Reception {
    /// The events, in the channel's order. One webhook may carry many.
    pub events: Vec<InboundEvent>,
    /// Messages of people to this line that can't be read: the worker keeps them for a person.
    pub unreadable: Vec<UnreadableEntry>,
    /// Messages that don't say for which address they are. The line that the request was posted to keeps them, too: they may be its own,
    /// and nobody else would miss them.
    pub unaddressed: Vec<UnreadableEntry>,
    /// What is for other addresses of the brand than this line's, where the channel posts several addresses' to one URL. It goes to the
    /// line that has the address; if there is none, the request is refused, so that the channel sends it again.
    pub elsewhere: Elsewhere,
    /// What to answer once all of them are queued.
    pub answer: Answer,
    /// What the adapter left out: each kind is logged and counted, and none is an error. What needs nobody's attention, such as a report
    /// that a message is on its way, isn't among it.
    pub left_out: LeftOut,
}

impl Reception {
    /// Nothing but an answer.
    pub fn new(answer: Answer) -> Self {
        Self {
            events: vec![],
            unreadable: vec![],
            unaddressed: vec![],
            elsewhere: Elsewhere::default(),
            answer,
            left_out: LeftOut::default(),
        }
    }
}

/// What a request holds for other addresses of the brand, by address. `Debug` shows how many: an address can be a phone number.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Elsewhere(BTreeMap<String, Parcel>);

/// What a request holds for one address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parcel {
    /// Messages of people.
    pub messages: usize,
    /// Reports on messages to people.
    pub reports: usize,
}

impl Elsewhere {
    /// Counts what is for this address.
    pub fn add(&mut self, address: String, Parcel { messages, reports }: Parcel) {
        let parcel = self.0.entry(address).or_default();
        parcel.messages += messages;
        parcel.reports += reports;
    }

    /// Takes out what is not elsewhere for another line: it is that line's. Whether there was anything.
    pub fn claim(&mut self, of_another_line: &Self) -> bool {
        let before = self.0.len();
        self.0.retain(|address, _| of_another_line.0.contains_key(address));
        self.0.len() < before
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it, together.
    pub fn total(&self) -> Parcel {
        self.0.values().fold(Parcel::default(), |sum, parcel| Parcel {
            messages: sum.messages + parcel.messages,
            reports: sum.reports + parcel.reports,
        })
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Elsewhere({} addresses, {:?})", self.0.len(), self.total())
    }
}

/// An entry of a known kind that can't be read, as it came. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct UnreadableEntry(pub Vec<u8>);

impl fmt::Debug for UnreadableEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnreadableEntry({} bytes)", self.0.len())
    }
}

/// The channel's acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// `Content-Type` of the body, where there is one.
    pub content_type: Option<&'static str>,
    /// The body: a challenge echoed, a fixed word, mostly nothing.
    pub body: String,
}

impl Answer {
    /// A status without a body.
    pub const fn empty(status: StatusCode) -> Self {
        Self { status, content_type: None, body: String::new() }
    }
}

/// Why a request was not believed. Answered 401 with an empty body and counted by this reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A signature header is missing or doubled.
    #[error("unsigned")]
    Unsigned,
    /// A signature header can't be read.
    #[error("signature unreadable")]
    Unreadable,
    /// The signature is not that of these bytes with this secret.
    #[error("signature wrong")]
    Wrong,
    /// The signed time is too long ago, or in the future.
    #[error("stale")]
    Stale,
}

/// A verified body that is not what the channel documents. Says where, never with the body's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the body can't be read: {rule}")]
pub struct Unreadable {
    /// What is wrong, by field name.
    pub rule: String,
}

/// A wrong or missing setting, by the JSON field's path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct SettingsError {
    /// The path of the field, from the top of the secret.
    pub field: String,
    /// What it must be.
    pub rule: String,
}

/// What the channel said when it took one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The channel's id of what it took, where it gives one.
    pub provider_id: Option<String>,
    /// Whether it is a message that the channel reports on by this id, and not an upload.
    pub is_message: bool,
}

/// Why a channel did not take a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendFailure {
    /// Too fast, or the channel is down.
    #[error("the channel asks for a later attempt (HTTP {status})")]
    Later {
        /// The HTTP status.
        status: u16,
        /// How long to wait at least.
        after: Option<SignedDuration>,
    },
    /// The line's credentials are refused: an operator must mend the secret, and then the message can still go.
    #[error("the channel refuses the line's credentials (HTTP {status}): check the line's secret")]
    Credentials {
        /// The HTTP status.
        status: u16,
    },
    /// This person can't be reached: a number that doesn't exist, or somebody who has opted out.
    #[error("the channel can't reach this person (HTTP {status}, code {code})")]
    Unreachable {
        /// The HTTP status.
        status: u16,
        /// The channel's error code.
        code: Code,
    },
    /// The channel refuses the message itself.
    #[error("the channel refuses the message (HTTP {status}, code {code})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The channel's error code.
        code: Code,
    },
    /// The channel's answer is not what it documents: whether it took the message is not known.
    #[error("the channel's answer can't be read (HTTP {status})")]
    Unreadable {
        /// The HTTP status.
        status: u16,
    },
    /// This line can't do that, and no call was made.
    #[error("no call was made: {why}")]
    Impossible {
        /// Why, as a sentence part for an operator or an agent.
        why: &'static str,
    },
    /// A setting can't be sent.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
}

impl SendFailure {
    /// What becomes of the message.
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Later { after, .. } => Disposition::Retry { after: *after },
            // A rotated credential is mended within hours, and the person is still waiting then.
            Self::Credentials { .. } => Disposition::RETRY,
            // It may have come from something in between, which never passed the message on. What a repetition would double is for
            // the line to say (`on_uncertain`).
            Self::Unreadable { .. } => Disposition::RETRY,
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Impossible { .. } | Self::Header(_) => {
                Disposition::Park
            }
        }
    }
}
