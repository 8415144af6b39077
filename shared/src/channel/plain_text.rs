//! Structured content as plain text, for a channel without buttons.
//!
//! Links are written out, and what can be chosen is a numbered list. [`crate::domain::menu`] turns the answer back
//! into what was chosen.
//!
//! The connector's own words and signs are ASCII, so that they never turn an SMS into the costlier UCS-2.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::{
    menu::{Choice, numbers_count},
    rich_content::RichContent,
};

mod click;
mod date;
mod entity;
mod line;
mod render;
#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;

pub(super) use line::{Beside, Line, hint, joined};
pub(super) use render::{Walked, walk};

/// What stands above buttons if a brand doesn't say otherwise, or says nothing that could be shown there.
pub(super) const CHOOSE_BUTTON: &str = "Please choose.";

/// The connector's own words. A brand that writes another language sets its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wording {
    /// Closes a message with choices.
    pub choose: String,
    /// Says that several numbers may be given: beside the button that would send the ticked options, or closing the message.
    pub choose_several: String,
    /// Closes a message whose choices have no numbers, because they are numbers themselves (0 to 10, say).
    pub choose_by_title: String,
    /// Stands above buttons, or a list that opens, where a message has no other text with them.
    pub choose_button: String,
    /// Asks for a date. Its form and the dates allowed follow in parentheses.
    pub date: String,
    /// Asks for a first and a last date. Their form and the dates allowed follow in parentheses.
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
#[derive(Clone, PartialEq, Eq)]
pub struct Floor {
    /// The text. Empty if there was nothing to show.
    pub text: String,
    /// What the text offers to choose, by ascending number from 1 without gaps.
    pub choices: Vec<Choice>,
}

impl fmt::Debug for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Floor({} chars, {} choices)", self.text.chars().count(), self.choices.len())
    }
}

/// Renders a message.
///
/// Texts come in reading order: a title before its subtitle, a picture as its caption and address, a place as its name and a
/// link to a map. The numbers run through the whole message, quick replies last.
pub fn render(content: &RichContent, options: &Wording) -> Floor {
    let Walked { lines, choices, .. } = walk(content, options);
    Floor { text: text(&lines, &choices, options), choices }
}

/// All lines as one text.
pub(super) fn text(lines: &[Line], choices: &[Choice], options: &Wording) -> String {
    let numbered = numbers_count(choices);
    let hint = hint(lines, &choices.iter().collect::<Vec<_>>(), numbered, options);
    joined(lines, choices, numbered, Beside::default(), hint, options)
}
