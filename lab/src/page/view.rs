//! The JSON types that both sides of the page use.

use serde::Serialize;

/// The author of a bubble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The consumer.
    Consumer,
    /// The agent.
    Agent,
    /// Nobody: a note, for example that the conversation was closed.
    System,
}

/// The state of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BubbleState {
    /// In transit.
    Pending,
    /// Accepted by the next part: one gray tick.
    Accepted,
    /// On the recipient's phone or desk: two gray ticks.
    Delivered,
    /// Read, or answered by a choice: two blue ticks.
    Read,
    /// It will not arrive. The note gives the reason.
    Failed,
}

/// A message in a transcript.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BubbleView {
    /// Unique within the transcript.
    pub id: String,
    /// The author.
    pub side: Side,
    /// The raw text: the page never interprets it as markup. Empty if there are attachments only.
    pub text: String,
    /// The time in milliseconds since the epoch.
    pub at_ms: i64,
    /// The sequence number, if messages have one.
    pub sequence: Option<u64>,
    /// The state, if it is known.
    pub state: Option<BubbleState>,
    /// A note about the message, for example why it failed.
    pub note: Option<String>,
    /// The attachments, in reading order.
    pub attachments: Vec<AttachmentView>,
}

impl BubbleView {
    /// A bubble with a text only.
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

/// An attachment of a message. Its texts are never interpreted as markup.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AttachmentView {
    /// A picture that the page shows, above the text.
    Picture {
        /// The id for `media` of its side.
        media: String,
        /// A description for people who can't see it.
        alt: String,
    },
    /// A picture on another server, shown as its address above the text: the page loads nothing from elsewhere.
    LinkedPicture {
        /// Its address.
        url: String,
        /// A description.
        alt: String,
    },
    /// A file to download, above the text.
    File {
        /// The id for `media` of its side; `None` if the bytes are not stored (any more).
        media: Option<String>,
        /// Its name.
        name: String,
        /// Its size in bytes, if known.
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
    /// A location.
    Place {
        /// Degrees north of the equator.
        latitude: f64,
        /// Degrees east of Greenwich.
        longitude: f64,
        /// The name.
        name: Option<String>,
        /// The address.
        address: Option<String>,
    },
    /// A button that opens another server: shown with its address, and never opened.
    Link {
        /// The label.
        title: String,
        /// The target.
        url: String,
    },
    /// The heading of the following choices, for example a section of a list.
    Section {
        /// The heading.
        title: String,
    },
    /// A button, or a row of a list, that the consumer can tap.
    Choice {
        /// The id for [`super::Phones::tap`].
        id: String,
        /// The label.
        title: String,
        /// The description.
        description: Option<String>,
    },
}

/// The address of a part of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Its name, for example `SMS gateway`.
    pub name: String,
    /// Its address.
    pub url: String,
}
