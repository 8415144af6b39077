//! Renders structured content within the capabilities of a line.
//!
//! A line with only text gets the [`plain_text`]. Any other line gets the pictures, buttons, lists and buttons that open a page that it can
//! show. Everything else is written as text, as in [`plain_text`], so that nothing is lost.

use crate::{
    Capabilities,
    choice::{Choice, FreeAnswer, numbers_count},
    message::{OutboundContent, RichMessage},
    plain_text::{self, Outline, Wording},
};
use connector_message::{
    MessageText,
    rich_content::{Metadata, RichContent},
};

mod messages;
mod part;
#[cfg(test)]
mod tests;

pub use part::MOST_PARTS;

use messages::{ChoiceStyle, MessageBuilder};
use part::Part;

/// A rendered message, and the answers that a consumer can give. The connector stores the possible answers as a `Menu`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendering {
    /// The messages, in order. Empty if there is nothing to show. A message with a list has no picture.
    pub messages: Vec<RichMessage>,
    /// The choices of all messages, with ascending numbers from 1 without gaps.
    pub choices: Vec<Choice>,
    /// The expected answer in the consumer's own words.
    pub free_answer: Option<FreeAnswer>,
    /// The metadata of the submit button of checked options.
    pub submit: Option<Metadata>,
}

impl Rendering {
    /// Whether an answer can be more than a text, so that the possible answers must be stored.
    pub const fn is_answerable(&self) -> bool {
        !self.choices.is_empty() || self.free_answer.is_some()
    }

    /// The content to send: a text, if there is only a text. `None` if there is nothing to show.
    pub fn content(&self) -> Option<OutboundContent> {
        match self.messages.as_slice() {
            [] => None,
            [RichMessage { picture: None, text: Some(text), choices, as_list: _, links }]
                if choices.is_empty() && links.is_empty() =>
            {
                Some(OutboundContent::Text { text: text.clone() })
            }
            messages => Some(OutboundContent::Rich { messages: messages.to_vec() }),
        }
    }
}

/// Renders a message.
///
/// `text` is the plain text of a message with quick replies. It is the start of the first message, unchanged. The id of a button or list
/// row is `token` (`Menu::token` of the connector), a dot, and the number of the choice.
///
/// Each card of a carousel is a separate message. Everything else is one message, with its first picture. The choices of a message are
/// buttons if all of them fit, otherwise a list if they fit, and otherwise a numbered list in the text. Titles are never shortened.
pub fn render(
    content: &RichContent,
    text: Option<&MessageText>,
    capabilities: &Capabilities,
    wording: &Wording,
    token: &str,
) -> Rendering {
    let Outline { lines, mut choices, free_answer, submit } = plain_text::outline(content, wording);
    let text = text.map(MessageText::as_str);
    let messages = if has_more_than_text(capabilities) {
        let parts = Part::all(lines, text);
        let builder = MessageBuilder::new(capabilities, wording, token, numbers_count(&choices));
        let styles: Vec<ChoiceStyle> = parts.iter().map(|part| builder.style(part, &choices)).collect();
        for (part, _) in parts.iter().zip(&styles).filter(|(_, style)| **style != ChoiceStyle::Text) {
            part.mark_as_buttons(&mut choices);
        }
        builder.messages(&parts, &styles, &choices)
    } else {
        let text = append(text, plain_text::text(&lines, &choices, wording));
        let message = RichMessage { text: Some(MessageText::new(text)), ..RichMessage::default() };
        vec![message]
    };
    let messages = messages.into_iter().filter(|message| !is_empty(message)).collect();
    Rendering { messages, choices, free_answer, submit }
}

const fn has_more_than_text(capabilities: &Capabilities) -> bool {
    let Capabilities { buttons, list, link_buttons, pictures, .. } = capabilities;
    buttons.is_some() || list.is_some() || link_buttons.is_some() || *pictures
}

/// Whether a message has neither a picture nor a visible text.
fn is_empty(message: &RichMessage) -> bool {
    message.picture.is_none() && message.text.as_ref().is_none_or(|text| text.as_str().trim().is_empty())
}

/// Appends a text to the text of the message. Without `rest`, the text is not changed.
fn append(text: Option<&str>, rest: String) -> String {
    match text {
        Some(text) if rest.is_empty() => text.to_owned(),
        Some(text) if !text.trim().is_empty() => format!("{}\n\n{rest}", text.trim_end()),
        _ => rest,
    }
}
