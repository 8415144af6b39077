//! What both sides of the page show, as JSON.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

/// Why something was not done, in words for the person at the page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// There is no such phone or conversation (404).
    #[error("{0}")]
    NotFound(String),
    /// The input or the state does not allow it (422).
    #[error("{0}")]
    Rejected(String),
    /// The simulator behind the page failed (502).
    #[error("{0}")]
    Failed(String),
}

/// Who wrote a bubble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The consumer.
    Consumer,
    /// The agent.
    Agent,
    /// Nobody: a remark, for example that the conversation was closed.
    System,
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BubbleState {
    /// On its way.
    Pending,
    /// Taken over by the next part: one grey tick.
    Accepted,
    /// On the other person's phone or desk: two grey ticks.
    Delivered,
    /// Read, or answered by a choice: two blue ticks.
    Read,
    /// It will not arrive; the note tells why.
    Failed,
}

/// One message in a transcript.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BubbleView {
    /// Unique within the transcript.
    pub id: String,
    /// Who wrote it.
    pub side: Side,
    /// The text as it is: the page never reads it as markup. Empty if there are attachments only.
    pub text: String,
    /// When, milliseconds since the epoch.
    pub at_ms: i64,
    /// The sequence number, where messages have one.
    pub sequence: Option<u64>,
    /// How far it has come, where that is known.
    pub state: Option<BubbleState>,
    /// A remark beside the message, for example why it failed.
    pub note: Option<String>,
    /// What is there beside the text, in reading order.
    pub attachments: Vec<AttachmentView>,
}

impl BubbleView {
    /// A text and nothing else.
    pub fn text(id: impl Into<String>, side: Side, text: impl Into<String>, at_ms: i64) -> Self {
        Self {
            id: id.into(),
            side,
            text: text.into(),
            at_ms,
            sequence: None,
            state: None,
            note: None,
            attachments: Vec::new(),
        }
    }
}

/// What a message has beside its text. No text in it is ever read as markup.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AttachmentView {
    /// A picture that the page shows, above the text.
    Picture {
        /// What its side's `media` knows it by.
        media: String,
        /// What it shows, for those who do not see it.
        alt: String,
    },
    /// A picture on another server, named above the text by its address: the page loads nothing from elsewhere.
    LinkedPicture {
        /// Its address.
        url: String,
        /// What it shows.
        alt: String,
    },
    /// A file to download, above the text.
    File {
        /// What its side's `media` knows it by; `None` if the bytes are not here (any more).
        media: Option<String>,
        /// Its name.
        name: String,
        /// Its size in bytes, where that is known.
        size: Option<u64>,
    },
    /// A heading above the text.
    Heading {
        /// The heading.
        text: String,
    },
    /// Small print below the text.
    Footer {
        /// The small print.
        text: String,
    },
    /// A place on a map.
    Place {
        /// Degrees north of the equator.
        latitude: f64,
        /// Degrees east of Greenwich.
        longitude: f64,
        /// What it is called.
        name: Option<String>,
        /// Where it is, in words.
        address: Option<String>,
    },
    /// A button that leads to another server: shown with its address, and not opened.
    Link {
        /// What it says.
        title: String,
        /// Where it leads.
        url: String,
    },
    /// The heading of the choices that follow, for example a section of a list.
    Section {
        /// The heading.
        title: String,
    },
    /// A button, or a row of a list, that the consumer can tap.
    Choice {
        /// What [`super::Phones::tap`] knows it by.
        id: String,
        /// What it says.
        title: String,
        /// A second line.
        description: Option<String>,
    },
}

/// A file that the person at the page has chosen.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadedFile {
    /// Its name without a folder.
    pub name: String,
    /// Its content type as the browser knows it; `application/octet-stream` if it does not.
    pub content_type: String,
    /// What is in it: at most 6 MiB, and never nothing.
    pub bytes: Bytes,
    /// A text to go with it.
    pub caption: Option<String>,
}

impl fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadedFile")
            .field("name", &self.name)
            .field("content_type", &self.content_type)
            .field("size", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// What is behind a picture or file of a transcript.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// Its content type, as whoever sent it says.
    pub content_type: String,
    /// What is in it.
    pub bytes: Bytes,
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("content_type", &self.content_type)
            .field("size", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// The address of one part of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// What it is, for example `SMS gateway`.
    pub name: String,
    /// Its address.
    pub url: String,
}
