//! Messages in the connector's own terms: between a channel and LiveEngage, neither's wire format.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    code::Code,
    delivery::MessageKey,
    digest::digest,
    id::{CallReference, ChannelUserId, LineId, ProviderMessageId},
    rich_content::{Coordinates, Link},
};

/// A message text. `Debug` shows its length: no text reaches a log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageText(String);

impl MessageText {
    /// Wraps a text as it came.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the wire only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageText({} chars)", self.0.chars().count())
    }
}

/// Something a person did on a channel, or the channel reports of a message to them, after the channel's own format was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundEvent {
    /// The channel's own id of the message, which the channel is told when it was read: the same for a repeated webhook. Not by itself
    /// a name of the event: see [`InboundEvent::key`].
    pub id: ProviderMessageId,
    /// Which part of that message it is, from 0: a message with three files is three events. `None` for one that an older version queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// Who did it.
    pub user: ChannelUserId,
    /// When, by the channel's clock.
    pub at: Timestamp,
    /// What it was.
    pub content: InboundContent,
    /// What the channel says about the person, where it says anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
}

impl InboundEvent {
    /// Names the event on its line, for ever. Channels promise little about their ids: one can come back for another person, and
    /// `4711.1` can be a message as well as a part of `4711`.
    pub fn key(&self, line: &LineId) -> MessageKey {
        let id = self.id.as_str();
        let name = match self.part {
            Some(part) => digest([
                line.as_str().as_bytes(),
                self.user.as_str().as_bytes(),
                id.as_bytes(),
                part.to_be_bytes().as_slice(),
            ]),
            // What is noted of it is found by its id alone.
            None => id.to_owned(),
        };
        MessageKey::FromChannel { line: line.clone(), name }
    }
}

/// What a channel knows about a person. `Debug` shows nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// The whole name, as the person gave it to the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<MessageText>,
    /// The name that the person goes by on the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<MessageText>,
    /// The phone number in E.164, where the channel tells it and it is not the address itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<MessageText>,
    /// The language as a BCP 47 tag, for example `de-AT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<MessageText>,
}

/// What a person sent or did, or what the channel reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InboundContent {
    /// A text.
    Text {
        /// The text.
        text: MessageText,
    },
    /// A picture, a document, or another file.
    Media(InboundMedia),
    /// A place.
    Location(Location),
    /// Somebody's address card.
    Contact(ContactCard),
    /// A button or a row of a list that the person chose.
    Choice {
        /// The id that the message gave it ([`ShownChoice::id`]).
        id: String,
        /// What it says.
        title: MessageText,
    },
    /// What became of a message that was sent to the person.
    Report {
        /// The channel's id of that message ([`crate::channel::Receipt::provider_id`]). A report has this or the reference, or both.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<ProviderMessageId>,
        /// What became of it.
        status: ReportedStatus,
        /// The connector's own name for it, where the channel gives it back ([`OutboundMessage::reference`]).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<CallReference>,
    },
    /// The person begins to type, or stops.
    Typing {
        /// Whether they are typing.
        typing: bool,
    },
    /// Something the connector can't carry: the agent is shown a placeholder with the label, never silence.
    Unsupported {
        /// What it was, in a few words for the agent, for example `sticker`.
        label: String,
    },
}

/// What a channel reports of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ReportedStatus {
    /// It can't be delivered, by the channel's code.
    Failed {
        /// The code.
        code: Code,
    },
    /// It is on the person's phone.
    Delivered,
    /// The person has seen it.
    Read,
}

impl ReportedStatus {
    /// The order of what can be reported: a later report of a lower rank says nothing new.
    pub const fn rank(&self) -> u8 {
        match self {
            Self::Failed { .. } => 1,
            Self::Delivered => 2,
            Self::Read => 3,
        }
    }

    /// Its word in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

/// A file that a person sent: where the channel keeps it. It is fetched by the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundMedia {
    /// What it is to a person.
    #[serde(rename = "media")]
    pub kind: MediaKind,
    /// The channel's id or address of the file. Addresses can be signed, so `Debug` hides it.
    pub reference: MessageText,
    /// The media type that the channel names: a hint, the bytes decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<MessageText>,
    /// What the person wrote with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<MessageText>,
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A picture.
    Picture,
    /// A film.
    Video,
    /// A sound file or a voice message.
    Audio,
    /// A document.
    Document,
    /// A sticker.
    Sticker,
}

impl MediaKind {
    /// What it is called in a placeholder.
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

/// A place that a person sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Where it is; `None` where the coordinates were no place on earth.
    pub place: Option<Coordinates>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<MessageText>,
    /// Its postal address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<MessageText>,
}

/// An address card that a person sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContactCard {
    /// Whose it is.
    pub name: Option<MessageText>,
    /// Phone numbers.
    pub phones: Vec<MessageText>,
    /// Mail addresses.
    pub emails: Vec<MessageText>,
}

/// What an agent, a bot or the system says to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundContent {
    /// A text.
    Text {
        /// The text.
        text: MessageText,
    },
    /// Messages with pictures, buttons or lists, in order: only for channels whose [`Capabilities`](crate::channel::Capabilities)
    /// have those.
    Rich {
        /// The messages, one at least.
        messages: Vec<RichMessage>,
    },
    /// A file. Its bytes are streamed into the call that [`crate::channel::ChannelCall::file`] marks.
    File(OutboundFile),
}

/// One message with more than text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RichMessage {
    /// A picture above the text, by its public address.
    pub picture: Option<Link>,
    /// The text. A message with choices or a link button always has one.
    pub text: Option<MessageText>,
    /// What can be chosen.
    pub choices: Vec<ShownChoice>,
    /// Whether the choices are the rows of a list that opens, instead of buttons.
    pub as_list: bool,
    /// A button that opens a page. Never together with choices.
    pub link: Option<LinkButton>,
}

/// A choice that a channel shows as a button or as a row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownChoice {
    /// Comes back when it is chosen. At most 64 characters of `a-z`, `0-9` and `.`.
    pub id: String,
    /// What it says, within the channel's limit.
    pub title: MessageText,
}

/// A button that opens a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkButton {
    /// What it says, within the channel's limit.
    pub title: MessageText,
    /// The page.
    pub link: Link,
}

/// A file for a person. Its bytes are not here: they are streamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundFile {
    /// Its media type, as its first bytes tell.
    pub content_type: &'static str,
    /// A name for it, with an extension of its type.
    pub name: String,
    /// What stands below it.
    pub caption: Option<MessageText>,
    /// Its size in bytes.
    pub size: u64,
}

/// One message on its way to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundMessage {
    /// Who gets it.
    pub to: ChannelUserId,
    /// Names this message in the channel's own correlation field, the same at every attempt. At most 64 characters of hex.
    pub reference: String,
    /// What it says.
    pub content: OutboundContent,
}

/// Something small that a person is shown, best effort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Indication {
    /// The brand begins to type, or stops.
    Typing {
        /// Whether somebody is typing.
        typing: bool,
        /// The channel's id of the person's last message, which some channels want to know.
        last_message: Option<ProviderMessageId>,
    },
    /// The brand has read the person's messages up to this one.
    Read {
        /// The channel's id of that message.
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
            part: Some(0),
            user: ChannelUserId::new("+4915112345678").unwrap(),
            at: Timestamp::UNIX_EPOCH,
            content: InboundContent::Text { text: MessageText::new("my account is 4711") },
            person: Some(Person { phone: Some(MessageText::new("+4915112345678")), ..Person::default() }),
        };
        let shown = format!("{event:?}");
        assert!(!shown.contains("4711") && !shown.contains("4915"), "{shown}");
    }

    #[test]
    fn a_name_differs_by_line_person_id_and_part() {
        let name = |line: &str, user: &str, id: &str, part| {
            let event = InboundEvent {
                id: ProviderMessageId::new(id).unwrap(),
                part,
                user: ChannelUserId::new(user).unwrap(),
                at: Timestamp::UNIX_EPOCH,
                content: InboundContent::Typing { typing: true },
                person: None,
            };
            event.key(&LineId::new(line).unwrap())
        };
        let keys = [
            name("sms", "+491", "4711", Some(0)),
            name("sms", "+491", "4711", Some(1)),
            name("sms", "+491", "4711.1", Some(0)),
            name("sms", "+492", "4711", Some(0)),
            name("sms-2", "+491", "4711", Some(0)),
            // As an older version named it.
            name("sms", "+491", "4711", None),
        ];
        let different: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(name("sms", "+491", "4711", Some(0)), keys[0], "and is the same for a repeated webhook");
    }
}
