//! Choices, and the matching of answers to choices.

mod answer;

pub use answer::{match_answer, match_answers, published};
pub(crate) use answer::{number, numbers_count};

use serde_json::Value;

use connector_message::{MessageText, rich_content::Metadata};

/// A choice that a message offers. `Debug` hides the metadata.
#[derive(derive_more::Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The number in the message, from 1.
    pub number: u32,
    /// The title, as it was shown.
    pub title: MessageText,
    /// The text that choosing it publishes, which can differ from the title. `None` if the click publishes nothing: then the title is
    /// published.
    pub publish: Option<MessageText>,
    /// The metadata of the click: an array.
    #[debug("{:?}", metadata.as_ref().map(|_| "hidden"))]
    pub metadata: Option<Value>,
    /// Whether it can be chosen together with other choices.
    pub several: bool,
    /// Whether it was shown as a button or a list row. Its number was not shown then, and an answer can't mean it by its number.
    pub as_button: bool,
}

/// An expected answer in the consumer's own words, such as a date. The next text counts as the answer, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeAnswer {
    /// The metadata of the click that opens the date picker.
    pub metadata: Metadata,
}
