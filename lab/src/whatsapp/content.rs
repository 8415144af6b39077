//! What a message is made of, both ways.

use bytes::Bytes;

/// The content of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageContent {
    /// A text.
    Text(String),
    /// A file: image, video, audio, document or sticker.
    Media(MediaMessage),
    /// A text with one to three reply buttons; only from the connector.
    Buttons(ButtonMessage),
    /// A text with a list behind a button; only from the connector.
    List(ListMessage),
    /// A text with one button that opens a page (`cta_url`); only from the connector.
    Link(LinkMessage),
    /// A place.
    Location(Location),
    /// One or more cards of an address book.
    Contacts(Vec<ContactCard>),
    /// An emoji on another message.
    Reaction(Reaction),
    /// The consumer has tapped a reply button or a row of a list.
    Choice(Choice),
    /// Something that the Cloud API doesn't hand on; Meta's name of it, for example `poll_creation`. Only from the consumer.
    Unsupported(String),
}

impl MessageContent {
    /// Its kind in Meta's words: `text`, `image`, `video`, `audio`, `document`, `sticker`, `button`, `list`, `cta_url`,
    /// `location`, `contacts`, `reaction`, `button_reply`, `list_reply` or `unsupported`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Media(media) => media.kind.name(),
            Self::Buttons(_) => "button",
            Self::List(_) => "list",
            Self::Link(_) => "cta_url",
            Self::Location(_) => "location",
            Self::Contacts(_) => "contacts",
            Self::Reaction(_) => "reaction",
            Self::Choice(choice) if choice.from_list => "list_reply",
            Self::Choice(_) => "button_reply",
            Self::Unsupported(_) => "unsupported",
        }
    }

    /// The words in it: the text, the body above the buttons, the caption, the place's name, the first contact's name, the
    /// emoji or the title of what was tapped; empty where there are none.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Media(media) => media.caption.as_deref().unwrap_or_default(),
            Self::Buttons(message) => &message.body,
            Self::List(message) => &message.body,
            Self::Link(message) => &message.body,
            Self::Location(location) => location.name.as_deref().unwrap_or_default(),
            Self::Contacts(contacts) => contacts.first().map_or("", |contact| contact.name.as_str()),
            Self::Reaction(reaction) => reaction.emoji.as_deref().unwrap_or_default(),
            Self::Choice(choice) => &choice.title,
            Self::Unsupported(_) => "",
        }
    }
}

/// A file with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaMessage {
    /// What it is shown as.
    pub kind: MediaKind,
    /// The file.
    pub file: MediaFile,
    /// The text below an image, a video or a document, at most 1024 characters.
    pub caption: Option<String>,
    /// The name of a document.
    pub filename: Option<String>,
    /// Whether an audio file was spoken into the phone.
    pub voice: bool,
}

/// How a file is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// A picture: JPEG or PNG, at most 5 MB.
    Image,
    /// A film: MP4 or 3GPP, at most 16 MB.
    Video,
    /// A sound: AAC, AMR, MP3, MP4 audio or Ogg, at most 16 MB.
    Audio,
    /// A file: text, PDF or an office format, at most 100 MB.
    Document,
    /// A sticker: WebP, at most 500 KB.
    Sticker,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaFile {
    /// In the simulator.
    Stored {
        /// Its media id.
        id: String,
        /// Its MIME type, as it was given.
        mime_type: String,
        /// All of it.
        bytes: Bytes,
    },
    /// Behind a link that the connector has sent. The simulator doesn't fetch it.
    Link(String),
}

/// What stands above the body of an interactive message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// A line of at most 60 characters.
    Text(String),
    /// An image, a video or a document.
    Media {
        /// Which of them.
        kind: MediaKind,
        /// The file.
        file: MediaFile,
    },
}

/// A text with reply buttons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ButtonMessage {
    /// What stands above the body.
    pub header: Option<Header>,
    /// The text, at most 1024 characters.
    pub body: String,
    /// The small line below the body, at most 60 characters.
    pub footer: Option<String>,
    /// One to three buttons.
    pub buttons: Vec<ReplyButton>,
}

/// A button that answers with its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyButton {
    /// What comes back when it is tapped, at most 256 characters.
    pub id: String,
    /// What is written on it, at most 20 characters.
    pub title: String,
}

/// A text with a list behind a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListMessage {
    /// What stands above the body: a text.
    pub header: Option<Header>,
    /// The text, at most 4096 characters.
    pub body: String,
    /// The small line below the body, at most 60 characters.
    pub footer: Option<String>,
    /// What is written on the button that opens the list, at most 20 characters.
    pub button: String,
    /// The sections, with one to ten rows in all.
    pub sections: Vec<ListSection>,
}

/// Some rows of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSection {
    /// The heading, at most 24 characters; only a list of one section can do without.
    pub title: Option<String>,
    /// The rows.
    pub rows: Vec<ListRow>,
}

/// One row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    /// What comes back when it is chosen, at most 200 characters.
    pub id: String,
    /// The row's first line, at most 24 characters.
    pub title: String,
    /// The row's second line, at most 72 characters.
    pub description: Option<String>,
}

/// A text with one button that opens a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkMessage {
    /// What stands above the body.
    pub header: Option<Header>,
    /// The text, at most 1024 characters.
    pub body: String,
    /// The small line below the body, at most 60 characters.
    pub footer: Option<String>,
    /// What is written on the button, at most 20 characters.
    pub label: String,
    /// The page that the button opens.
    pub url: String,
}

/// A place.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
    /// What it is called.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<String>,
}

/// A card of an address book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactCard {
    /// The full name.
    pub name: String,
    /// The phone numbers, as they were written.
    pub phones: Vec<String>,
}

/// An emoji on another message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// The message it is on.
    pub message_id: String,
    /// The emoji; `None` takes an earlier one away.
    pub emoji: Option<String>,
}

/// What the consumer has tapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The id of the button or row.
    pub id: String,
    /// Its title.
    pub title: String,
    /// A row's second line.
    pub description: Option<String>,
    /// Whether it is a row of a list and not a button.
    pub from_list: bool,
}
