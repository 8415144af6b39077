//! The lines of a rendered message.

use super::FloorOptions;
use crate::domain::menu::{Choice, number, numbers_count};

/// A line, before it is known which choices the whole message has.
pub(super) enum Line {
    /// A text of one line or more, never blank.
    Text(String),
    /// An empty line, unless another one is beside it.
    Gap,
    /// The choice at this index, and what stands behind its title.
    Choice { index: usize, tail: String },
    /// Where ticked options would be sent, with the words for it.
    Several(String),
}

/// Puts the lines together: numbers before the choices, and one hint how to answer.
pub(super) fn joined(lines: Vec<Line>, choices: &[Choice], options: &FloorOptions) -> String {
    let numbered = numbers_count(choices);
    let mut hinted = choices.is_empty();
    let mut shown: Vec<String> = Vec::new();
    for line in lines {
        match line {
            Line::Text(text) => shown.push(text),
            Line::Gap if shown.last().is_none_or(String::is_empty) => {}
            Line::Gap => shown.push(String::new()),
            Line::Choice { index, tail } => {
                if let Some(choice) = choices.get(index) {
                    shown.push(listed(choice, numbered) + &tail);
                }
            }
            Line::Several(words) => {
                hinted = true;
                shown.push(labelled(&words, &options.choose_several));
            }
        }
    }
    if !hinted {
        let hint = match choices.iter().any(|choice| choice.several) {
            true => &options.choose_several,
            false if numbered => &options.choose,
            false => &options.choose_by_title,
        };
        if !hint.trim().is_empty() {
            if shown.last().is_some_and(|line| !line.is_empty()) {
                shown.push(String::new());
            }
            shown.push(hint.clone());
        }
    }
    shown.join("\n").trim().to_owned()
}

fn listed(choice: &Choice, numbered: bool) -> String {
    let title = choice.title.as_str();
    // `1. 1` would puzzle people more than it helps.
    if !numbered || number(title) == Some(choice.number) {
        title.to_owned()
    } else {
        format!("{}. {title}", choice.number)
    }
}

/// `label: value`, without a second sign after a label that ends with one of its own.
pub(super) fn labelled(label: &str, value: &str) -> String {
    let label = label.trim();
    if label.is_empty() || label == value {
        value.to_owned()
    } else if label.ends_with([':', '?', '!', '.', ',', ';']) {
        format!("{label} {value}")
    } else {
        format!("{label}: {value}")
    }
}
