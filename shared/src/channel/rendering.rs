//! Structured content for a channel, by what the channel can do.
//!
//! A channel that has nothing but text gets the [`plain_text`]. Any other gets as much as it can show of pictures, buttons,
//! lists and buttons that open a page; whatever it can't show is written out, as the floor has it, so that nothing is lost.

use crate::{
    channel::{
        Capabilities,
        plain_text::{self, Walked, Wording},
    },
    domain::{
        menu::{Choice, FreeAnswer, numbers_count},
        message::{MessageText, OutboundContent, RichMessage},
        rich_content::{Metadata, RichContent},
    },
};

mod part;
mod show;
#[cfg(test)]
mod tests;

pub use part::MOST_PARTS;

use part::Part;
use show::{Form, Show};

/// A structured message as a channel shows it, and what a person can answer to it. What of it is kept for the answer is a
/// [`Menu`](crate::domain::menu::Menu).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendering {
    /// The messages, in order. None if there was nothing to show. One with a list has no picture.
    pub messages: Vec<RichMessage>,
    /// What the messages offer to choose, by ascending number from 1 without gaps, through all of them.
    pub choices: Vec<Choice>,
    /// What is asked for in the person's own words.
    pub free_answer: Option<FreeAnswer>,
    /// What LiveEngage is told about the button that would send the ticked options.
    pub submit: Option<Metadata>,
}

impl Rendering {
    /// Whether an answer can be more than a text, so that a menu has to be kept.
    pub const fn is_answerable(&self) -> bool {
        !self.choices.is_empty() || self.free_answer.is_some()
    }

    /// The messages as they are sent: as a text if there is nothing but one. `None` if there was nothing to show.
    pub fn content(&self) -> Option<OutboundContent> {
        match self.messages.as_slice() {
            [] => None,
            [RichMessage { picture: None, text: Some(text), choices, as_list: _, link: None }]
                if choices.is_empty() =>
            {
                Some(OutboundContent::Text { text: text.clone() })
            }
            messages => Some(OutboundContent::Rich { messages: messages.to_vec() }),
        }
    }
}

/// Renders a message.
///
/// `text` is the plain text that quick replies came with: it stands first, unchanged. `token` begins the ids of buttons and
/// rows ([`Menu::token`](crate::domain::menu::Menu::token)); a dot and the choice's number follow.
///
/// Each card of a carousel is a message of its own, and anything else is one message, with its first picture. A message's
/// choices are buttons where all of them fit, a list where that fits, and else a numbered list in the text. Titles are never
/// cut.
pub fn render(
    content: &RichContent,
    text: Option<&MessageText>,
    capabilities: &Capabilities,
    options: &Wording,
    token: &str,
) -> Rendering {
    let Walked { lines, mut choices, free_answer, submit } = plain_text::walk(content, options);
    let text = text.map(MessageText::as_str);
    let messages = if has_more_than_text(capabilities) {
        let parts = Part::all(lines, text);
        let show = Show::new(capabilities, options, token, numbers_count(&choices));
        let forms: Vec<Form> = parts.iter().map(|part| show.form(part, &choices)).collect();
        for (part, _) in parts.iter().zip(&forms).filter(|(_, form)| **form != Form::Text) {
            part.mark_as_buttons(&mut choices);
        }
        show.messages(&parts, &forms, &choices)
    } else {
        let text = below(text, plain_text::text(&lines, &choices, options));
        let message = RichMessage { text: Some(MessageText::new(text)), ..RichMessage::default() };
        vec![message]
    };
    let messages = messages.into_iter().filter(|message| !is_empty(message)).collect();
    Rendering { messages, choices, free_answer, submit }
}

const fn has_more_than_text(capabilities: &Capabilities) -> bool {
    let Capabilities { buttons, list, link_button, pictures, .. } = capabilities;
    buttons.is_some() || list.is_some() || link_button.is_some() || *pictures
}

/// Whether there is nothing in a message.
fn is_empty(message: &RichMessage) -> bool {
    message.picture.is_none() && message.text.as_ref().is_none_or(|text| text.as_str().trim().is_empty())
}

/// What follows a text. The text itself stays as it is, if nothing follows.
fn below(text: Option<&str>, rest: String) -> String {
    match text {
        Some(text) if rest.is_empty() => text.to_owned(),
        Some(text) if !text.trim().is_empty() => format!("{}\n\n{rest}", text.trim_end()),
        _ => rest,
    }
}
