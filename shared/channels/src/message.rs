//! Messages in the connector's own terms, independent of the wire formats of channels and LiveEngage.

use jiff::Timestamp;

use crate::id::{CallReference, ChannelUserId, ProviderMessageId};
use connector_message::{
    MessageText,
    code::Code,
    rich_content::{Coordinates, Link},
};

/// An event on a channel: something that a consumer did, or a report about a message to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundEvent {
    /// The channel's id of the message. The same in a repeated webhook. Used to mark the message as read. Not unique by itself: a message
    /// of another consumer can have the same id.
    pub id: ProviderMessageId,
    /// The number of the part of the message, from 0: a message with three files is three events.
    pub part: u32,
    /// The consumer.
    pub user: ChannelUserId,
    /// The time by the channel's clock, if the channel says it.
    pub at: Option<Timestamp>,
    /// The content.
    pub content: InboundContent,
    /// What the channel says about the consumer.
    pub profile: Option<ChannelProfile>,
}

/// Whether this is a time that a channel can mean: some send a zero date for an unknown time.
pub fn is_time(at: &Timestamp) -> bool {
    *at > Timestamp::UNIX_EPOCH
}

/// What a channel says about a consumer. `Debug` hides the values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelProfile {
    /// The full name that the consumer gave the channel.
    pub name: Option<MessageText>,
    /// The user name on the channel.
    pub user_name: Option<MessageText>,
    /// The phone number in E.164, if it is not the address.
    pub phone: Option<MessageText>,
    /// The language as a BCP 47 tag, for example `de-AT`.
    pub language: Option<MessageText>,
}

/// The content of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundContent {
    /// A text.
    Text {
        /// The text.
        text: MessageText,
    },
    /// A picture, a document or another file.
    Media(InboundMedia),
    /// A location.
    Location(Location),
    /// A contact card.
    Contact(ContactCard),
    /// A button or list row that the consumer chose.
    Choice {
        /// The id in the message ([`ShownChoice::id`]).
        id: String,
        /// The title.
        title: MessageText,
    },
    /// A report about a message that was sent to the consumer. Has at least one of `message` and `reference`.
    Report {
        /// The channel's id of the message ([`crate::Receipt::provider_id`]).
        message: Option<ProviderMessageId>,
        /// The status of the message.
        status: ReportedStatus,
        /// The connector's id of the call ([`OutboundMessage::reference`]), if the channel returns it.
        reference: Option<CallReference>,
    },
    /// The consumer starts or stops typing.
    Typing {
        /// Whether the consumer is typing.
        typing: bool,
    },
    /// The new text of a message that the consumer has changed. The agent sees it as a new message that says so.
    Edited {
        /// The whole new text.
        text: MessageText,
    },
    /// The consumer has deleted a message. The agent sees a placeholder.
    Deleted,
    /// Content that the connector can't forward. The agent gets a placeholder with the label instead.
    Unsupported {
        /// What it was, in a few words, for example `sticker`. Shown to the agent.
        label: String,
    },
}

/// The status of a message in a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportedStatus {
    /// Not deliverable.
    Failed {
        /// The channel's error code.
        code: Code,
    },
    /// Delivered to the consumer's phone.
    Delivered,
    /// Read by the consumer.
    Read,
}

impl ReportedStatus {
    /// The rank of the status. A later report with a lower rank has no new information.
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Failed { .. } => 1,
            Self::Delivered => 2,
            Self::Read => 3,
        }
    }

    /// The name in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

/// A file that a consumer sent. Its bytes are fetched later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMedia {
    /// The kind of file.
    pub kind: MediaKind,
    /// The channel's id or URL of the file. `Debug` hides it, because a signed URL is a secret.
    pub reference: MessageText,
    /// The media type according to the channel. Only a hint: the bytes decide.
    pub content_type: Option<String>,
    /// The file's name.
    pub name: Option<MessageText>,
    /// The text below the file.
    pub caption: Option<MessageText>,
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture.
    Picture,
    /// A video.
    Video,
    /// An audio file or a voice message.
    Audio,
    /// A document.
    Document,
    /// A sticker.
    Sticker,
}

impl MediaKind {
    /// The name in a placeholder for the agent.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Video => "video",
            Self::Audio => "voice message",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }
}

/// A location that a consumer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The coordinates. `None` if they are out of range.
    pub place: Option<Coordinates>,
    /// The name.
    pub name: Option<MessageText>,
    /// The postal address.
    pub address: Option<MessageText>,
}

/// A contact card that a consumer sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContactCard {
    /// The name on the card.
    pub name: Option<MessageText>,
    /// The phone numbers.
    pub phones: Vec<MessageText>,
    /// The e-mail addresses.
    pub emails: Vec<MessageText>,
}

/// The content of a message to a consumer, from an agent, a bot or the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundContent {
    /// A text.
    Text {
        /// The text.
        text: MessageText,
    },
    /// Messages with pictures, buttons or lists, in order. Only for lines whose [`Capabilities`](crate::Capabilities) have these.
    Rich {
        /// The messages. At least one.
        messages: Vec<RichMessage>,
    },
    /// A file. Its bytes are streamed into the call with a [`crate::ChannelCall::file`].
    File(OutboundFile),
}

/// A message with more than text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RichMessage {
    /// The public URL of a picture above the text.
    pub picture: Option<Link>,
    /// The text. Required for a message with choices or buttons that open a page.
    pub text: Option<MessageText>,
    /// The choices.
    pub choices: Vec<ShownChoice>,
    /// Whether the choices are rows of a list instead of buttons.
    pub as_list: bool,
    /// Buttons that open a page. Only together with choices if [`LinkLimits::beside_choices`](crate::LinkLimits) allows it, and never
    /// together with a list.
    pub links: Vec<LinkButton>,
}

/// A choice that a channel shows as a button or a list row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownChoice {
    /// The id that the channel returns when the consumer chooses it. At most 64 characters of `a-z`, `0-9` and `.`.
    pub id: String,
    /// The title, within the channel's limit.
    pub title: MessageText,
}

/// A button that opens a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkButton {
    /// The title, within the channel's limit.
    pub title: MessageText,
    /// The URL of the page.
    pub link: Link,
}

/// A file for a consumer, without its bytes, which are streamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundFile {
    /// The media type, detected by the first bytes.
    pub content_type: &'static str,
    /// The file name, with an extension of its type.
    pub name: String,
    /// The text below the file.
    pub caption: Option<MessageText>,
    /// The size in bytes.
    pub size: u64,
}

/// A message to a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundMessage {
    /// The consumer.
    pub to: ChannelUserId,
    /// The connector's id of the message in the channel's correlation field. The same in every attempt. 1 to 64 hex digits.
    pub reference: String,
    /// The content.
    pub content: OutboundContent,
}

/// An indication to a consumer. Sent once, without retries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Indication {
    /// The agent starts or stops typing.
    Typing {
        /// Whether the agent is typing.
        typing: bool,
        /// The channel's id of the consumer's last message. Some channels require it.
        last_message: Option<ProviderMessageId>,
    },
    /// The agent has read the consumer's messages up to this one.
    Read {
        /// The channel's id of the message.
        message: ProviderMessageId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_an_event_holds_no_text_and_no_phone_number() {
        let event = InboundEvent {
            id: ProviderMessageId::new("m-1").unwrap(),
            part: 0,
            user: ChannelUserId::new("+4915112345678").unwrap(),
            at: None,
            content: InboundContent::Text { text: MessageText::new("my account is 4711") },
            profile: Some(ChannelProfile {
                phone: Some(MessageText::new("+4915112345678")),
                ..ChannelProfile::default()
            }),
        };
        let shown = format!("{event:?}");
        assert!(!shown.contains("4711") && !shown.contains("4915"), "{shown}");
    }
}
