//! Renders structured content as plain text, for a channel without buttons.
//!
//! Links are in the text, and choices are a numbered list. The connector's `domain::menu` finds the choice that an answer means.
//!
//! The connector's own texts are ASCII, so that they never require the more expensive encoding UCS-2 of an SMS.

use serde::{Deserialize, Serialize};

use crate::choice::{Choice, numbers_count};
use connector_message::rich_content::RichContent;

mod click;
mod date;
mod entity;
mod line;
mod outline;
#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;

pub(super) use line::{Label, OutsideText, TextLayout, TextLine, hint, joined};
pub(super) use outline::{Outline, outline};

/// The default text above buttons. Also used if the brand's text is empty or too long.
pub(super) const CHOOSE_BUTTON: &str = "Please choose.";

/// The connector's own texts to consumers. A brand can set its own, for example in another language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wording {
    /// At the end of a message with choices.
    pub choose: String,
    /// For choices of which several can be chosen: beside the title of the submit button, or at the end of the message.
    pub choose_several: String,
    /// At the end of a message whose choices have no numbers, because their titles are numbers (for example 0 to 10).
    pub choose_by_title: String,
    /// Above buttons or a list, if the message has no other text.
    pub choose_button: String,
    /// The request for a date. The format and the allowed dates follow in parentheses.
    pub date: String,
    /// The request for a date range. The format and the allowed dates follow in parentheses.
    pub dates: String,
}

impl Default for Wording {
    fn default() -> Self {
        Self {
            choose: "Reply with a number.".to_owned(),
            choose_several: "Reply with all the numbers that apply, separated by commas.".to_owned(),
            choose_by_title: "Reply with one of these.".to_owned(),
            choose_button: CHOOSE_BUTTON.to_owned(),
            date: "Reply with a date".to_owned(),
            dates: "Reply with a first and a last date".to_owned(),
        }
    }
}

/// A structured message as text. `Debug` hides the text.
#[derive(derive_more::Debug, Clone, PartialEq, Eq)]
#[debug("PlainText({} chars, {} choices)", text.chars().count(), choices.len())]
pub struct PlainText {
    /// The text. Empty if there is nothing to show.
    pub text: String,
    /// The choices, with ascending numbers from 1 without gaps.
    pub choices: Vec<Choice>,
}

/// Renders a message as text.
///
/// The text is in reading order: a title before its subtitle, a picture as its caption and URL, a location as its name and a link to a map.
/// Choices are numbered across the whole message, with quick replies at the end.
pub fn render(content: &RichContent, wording: &Wording) -> PlainText {
    let Outline { lines, choices, .. } = outline(content, wording);
    PlainText { text: text(&lines, &choices, wording), choices }
}

/// Joins all lines to one text.
pub(super) fn text(lines: &[TextLine], choices: &[Choice], wording: &Wording) -> String {
    let numbered = numbers_count(choices);
    let hint = hint(lines, &choices.iter().collect::<Vec<_>>(), numbered, wording);
    joined(lines, choices, TextLayout { numbered, outside: OutsideText::default(), hint }, wording)
}
