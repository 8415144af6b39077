//! Divides lines into parts, which become separate messages.

use crate::{choice::Choice, plain_text::TextLine};

/// The maximum number of parts. With more cards, everything is one part. LivePerson's largest carousel has 20 cards, and every message to a
/// consumer is a call.
pub const MOST_PARTS: usize = 24;

/// A card, or the lines before, between or after cards.
pub(super) struct Part<'a> {
    /// The plain text before the lines.
    pub(super) text: Option<&'a str>,
    /// The lines.
    pub(super) lines: Vec<TextLine>,
}

impl<'a> Part<'a> {
    /// Divides lines at their cards. The first part gets `text`.
    pub(super) fn all(lines: Vec<TextLine>, text: Option<&'a str>) -> Vec<Self> {
        let is_something =
            |lines: &[TextLine]| !lines.iter().all(|line| matches!(line, TextLine::Gap | TextLine::Card));
        let cards = lines.split(|line| matches!(line, TextLine::Card)).filter(|lines| is_something(lines)).count();
        let mut parts = Vec::new();
        if cards > MOST_PARTS {
            parts.push(Self { text: None, lines });
        } else {
            let mut part = Vec::new();
            for line in lines.into_iter().chain([TextLine::Card]) {
                if !matches!(line, TextLine::Card) {
                    part.push(line);
                } else if is_something(&part) {
                    parts.push(Self { text: None, lines: std::mem::take(&mut part) });
                }
            }
        }
        match (parts.first_mut(), text) {
            (Some(first), text) => first.text = text,
            (None, Some(_)) => parts.push(Self { text, lines: Vec::new() }),
            (None, None) => {}
        }
        parts
    }

    /// The choices of the part.
    pub(super) fn choices<'b>(&self, choices: &'b [Choice]) -> Vec<&'b Choice> {
        self.indices().filter_map(|index| choices.get(index)).collect()
    }

    /// Marks the choices of the part as shown without numbers.
    pub(super) fn mark_as_buttons(&self, choices: &mut [Choice]) {
        for index in self.indices() {
            if let Some(choice) = choices.get_mut(index) {
                choice.as_button = true;
            }
        }
    }

    fn indices(&self) -> impl Iterator<Item = usize> {
        self.lines.iter().filter_map(|line| match line {
            TextLine::Choice { index, .. } => Some(*index),
            _ => None,
        })
    }
}
