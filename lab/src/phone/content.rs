//! The content of messages in both directions.

use bytes::Bytes;
use serde::Serialize;

use crate::action::Media;

/// The content of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageContent {
    /// A text.
    Text(String),
    /// A file: image, video, audio, document or sticker.
    Media(MediaMessage),
    /// Several files with one text, or a single file without a kind; only from the consumer (MMS).
    Files(FilesMessage),
    /// A text with one to three reply buttons; only from the connector.
    Buttons(ButtonMessage),
    /// A text with a list behind a button; only from the connector.
    List(ListMessage),
    /// A text with one button that opens a page (`cta_url`); only from the connector.
    Link(LinkMessage),
    /// A location.
    Location(Location),
    /// One or more contact cards.
    Contacts(Vec<ContactCard>),
    /// An emoji on another message.
    Reaction(Reaction),
    /// A change of another message of the consumer.
    Edit {
        /// The id of the changed message.
        message_id: String,
        /// The whole new text.
        text: String,
    },
    /// The deletion of another message of the consumer.
    Deletion {
        /// The id of the message.
        message_id: String,
    },
    /// The tap on a reply button or on a row of a list by the consumer.
    Choice(Choice),
    /// A kind of message that the Cloud API doesn't pass on, with Meta's name for it, for example `poll_creation`. Only
    /// from the consumer.
    Unsupported(String),
}

impl MessageContent {
    /// Its kind in Meta's terms: `text`, `image`, `video`, `audio`, `document`, `sticker`, `button`, `list`, `cta_url`,
    /// `location`, `contacts`, `reaction`, `edit`, `revoke`, `button_reply`, `list_reply` or `unsupported`; also `files`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Media(media) => media.kind.name(),
            Self::Files(_) => "files",
            Self::Buttons(_) => "button",
            Self::List(_) => "list",
            Self::Link(_) => "cta_url",
            Self::Location(_) => "location",
            Self::Contacts(_) => "contacts",
            Self::Reaction(_) => "reaction",
            Self::Edit { .. } => "edit",
            Self::Deletion { .. } => "revoke",
            Self::Choice(choice) if choice.from_list => "list_reply",
            Self::Choice(_) => "button_reply",
            Self::Unsupported(_) => "unsupported",
        }
    }

    /// Its text: the text itself, the body above buttons, the caption, the location's name, the first contact's name,
    /// the emoji or the title of the tapped choice; empty if there is none.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Media(media) => media.caption.as_deref().unwrap_or_default(),
            Self::Files(message) => &message.text,
            Self::Buttons(message) => &message.body,
            Self::List(message) => &message.body,
            Self::Link(message) => &message.body,
            Self::Location(location) => location.name.as_deref().unwrap_or_default(),
            Self::Contacts(contacts) => contacts.first().map_or("", |contact| contact.name.as_str()),
            Self::Reaction(reaction) => reaction.emoji.as_deref().unwrap_or_default(),
            Self::Choice(choice) => &choice.title,
            Self::Edit { text, .. } => text,
            Self::Deletion { .. } | Self::Unsupported(_) => "",
        }
    }

    /// The file that it shows: its own, or that of its header.
    pub(crate) fn media_file(&self) -> Option<&MediaFile> {
        let header = match self {
            Self::Media(media) => return Some(&media.file),
            Self::Buttons(message) => message.header.as_ref(),
            Self::Link(message) => message.header.as_ref(),
            Self::List(message) => message.header.as_ref(),
            _ => None,
        };
        match header? {
            Header::Media { file, .. } => Some(file),
            Header::Text(_) => None,
        }
    }
}

/// Files with one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesMessage {
    /// The text; empty if there are files only.
    pub text: String,
    /// The files: at least one.
    pub files: Vec<AttachedFile>,
}

/// A file that a consumer has attached to a text. The simulator stores its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttachedFile {
    /// The unique id in the file's address.
    pub id: String,
    /// Its content type, as declared by the consumer's phone.
    pub content_type: String,
    /// Its name, if the phone gives one.
    pub name: Option<String>,
    /// Its size in bytes.
    pub size: usize,
}

/// A file with its properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaMessage {
    /// How it is shown.
    pub kind: MediaKind,
    /// The file.
    pub file: MediaFile,
    /// The text below an image, a video or a document, at most 1024 characters.
    pub caption: Option<String>,
    /// The name of a document.
    pub filename: Option<String>,
    /// Whether an audio file is a voice message.
    pub voice: bool,
}

/// How a file is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A picture: JPEG or PNG, at most 5 MB.
    Image,
    /// A video: MP4 or 3GPP, at most 16 MB.
    Video,
    /// An audio file: AAC, AMR, MP3, MP4 audio or Ogg, at most 16 MB.
    Audio,
    /// A document: text, PDF or an office format, at most 100 MB.
    Document,
    /// A sticker: WebP, at most 500 KB.
    Sticker,
}

impl MediaKind {
    /// Its name, which Meta's requests and webhooks use too.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }
}

/// The location of a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaFile {
    /// Stored in the simulator.
    Stored {
        /// Its media id.
        id: String,
        /// Its MIME type, as declared.
        mime_type: String,
        /// Its content.
        bytes: Bytes,
    },
    /// Behind a link from the connector. The simulator doesn't fetch it.
    Link(String),
}

impl MediaFile {
    /// The file, if the simulator stores it under this id.
    pub(crate) fn stored_as(&self, wanted: &str) -> Option<Media> {
        match self {
            Self::Stored { id, mime_type, bytes } if id == wanted => {
                Some(Media { content_type: mime_type.clone(), bytes: bytes.clone() })
            }
            Self::Stored { .. } | Self::Link(_) => None,
        }
    }
}

/// The header of an interactive message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// A line of at most 60 characters.
    Text(String),
    /// An image, a video or a document.
    Media {
        /// The kind.
        kind: MediaKind,
        /// The file.
        file: MediaFile,
    },
}

/// A text with reply buttons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ButtonMessage {
    /// The header.
    pub header: Option<Header>,
    /// The text, at most 1024 characters.
    pub body: String,
    /// The footer, at most 60 characters.
    pub footer: Option<String>,
    /// One to three buttons.
    pub buttons: Vec<ReplyButton>,
}

/// A reply button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyButton {
    /// The id that a tap returns, at most 256 characters.
    pub id: String,
    /// The label, at most 20 characters.
    pub title: String,
}

/// A text with a list behind a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListMessage {
    /// The header, a text.
    pub header: Option<Header>,
    /// The text, at most 4096 characters.
    pub body: String,
    /// The footer, at most 60 characters.
    pub footer: Option<String>,
    /// The label of the button that opens the list, at most 20 characters.
    pub button: String,
    /// The sections, with one to ten rows in total.
    pub sections: Vec<ListSection>,
}

/// A section of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSection {
    /// The heading, at most 24 characters; optional if the list has only one section.
    pub title: Option<String>,
    /// The rows.
    pub rows: Vec<ListRow>,
}

/// One row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    /// The id that a choice returns, at most 200 characters.
    pub id: String,
    /// The title, at most 24 characters.
    pub title: String,
    /// The description, at most 72 characters.
    pub description: Option<String>,
}

/// A text with one button that opens a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkMessage {
    /// The header.
    pub header: Option<Header>,
    /// The text, at most 1024 characters.
    pub body: String,
    /// The footer, at most 60 characters.
    pub footer: Option<String>,
    /// The label of the button, at most 20 characters.
    pub label: String,
    /// The page that the button opens.
    pub url: String,
}

/// A location.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
    /// The name.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<String>,
}

/// A contact card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactCard {
    /// The full name.
    pub name: String,
    /// The phone numbers, as written.
    pub phones: Vec<String>,
}

/// An emoji on another message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The id of the message with the reaction.
    pub message_id: String,
    /// The emoji; `None` removes an earlier one.
    pub emoji: Option<String>,
}

/// The consumer's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The id of the button or row.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The description of a row.
    pub description: Option<String>,
    /// Whether it is a row of a list rather than a button.
    pub from_list: bool,
}
