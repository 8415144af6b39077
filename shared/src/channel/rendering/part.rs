//! What becomes a message of its own.

use crate::{channel::plain_text::Line, domain::menu::Choice};

/// How many parts a message has at most; with more cards it is one. LivePerson's largest carousel has 20 cards, and every
/// message to a person is a call.
pub const MOST_PARTS: usize = 24;

/// A card, or whatever stands before, between and after cards.
pub(super) struct Part<'a> {
    /// The plain text that stands before the lines.
    pub(super) text: Option<&'a str>,
    /// The lines.
    pub(super) lines: Vec<Line>,
}

impl<'a> Part<'a> {
    /// Parts lines at their cards. `text` is before the first.
    pub(super) fn all(lines: Vec<Line>, text: Option<&'a str>) -> Vec<Self> {
        let is_something = |lines: &[Line]| !lines.iter().all(|line| matches!(line, Line::Gap | Line::Card));
        let cards = lines.split(|line| matches!(line, Line::Card)).filter(|lines| is_something(lines)).count();
        let mut parts = Vec::new();
        if cards > MOST_PARTS {
            parts.push(Self { text: None, lines });
        } else {
            let mut part = Vec::new();
            for line in lines.into_iter().chain([Line::Card]) {
                if !matches!(line, Line::Card) {
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

    /// What it offers to choose.
    pub(super) fn choices<'b>(&self, choices: &'b [Choice]) -> Vec<&'b Choice> {
        self.indices().filter_map(|index| choices.get(index)).collect()
    }

    /// Notes that its choices are shown without their numbers.
    pub(super) fn mark_as_buttons(&self, choices: &mut [Choice]) {
        for index in self.indices() {
            if let Some(choice) = choices.get_mut(index) {
                choice.as_button = true;
            }
        }
    }

    fn indices(&self) -> impl Iterator<Item = usize> {
        self.lines.iter().filter_map(|line| match line {
            Line::Choice { index, .. } => Some(*index),
            _ => None,
        })
    }
}
