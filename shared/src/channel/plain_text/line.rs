//! The lines of a message, and how they become its text.

use super::Wording;
use crate::domain::{
    menu::{Choice, number},
    rich_content::Link,
};

/// A line, before it is known which choices the whole message has, and what the channel shows beside the text.
#[derive(Clone)]
pub(in crate::channel) enum Line {
    /// A text of one line or more, never blank.
    Text(String),
    /// An empty line, unless another one is beside it.
    Gap,
    /// The same between cards, which are messages of their own where a channel has more than text.
    Card,
    /// The choice at this index, and what stands behind its title.
    Choice { index: usize, kind: ChoiceKind, tail: String },
    /// Where ticked options would be sent, with the words for it.
    Several(String),
    /// A picture, with what stands below it.
    Picture { label: Option<String>, link: Link },
    /// A button that opens a page.
    Opens { label: Label, link: Link },
}

/// What a choice is in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::channel) enum ChoiceKind {
    /// The heading of what stands below it.
    Heading,
    /// A button, an option, an appointment.
    Option,
    /// A quick reply: it belongs to the message and to no place in it.
    Reply,
}

/// What a button says.
#[derive(Clone)]
pub(in crate::channel) struct Label {
    /// Its title.
    pub(in crate::channel) title: String,
    /// What stands behind the title.
    pub(in crate::channel) tail: String,
}

impl Label {
    /// All of it.
    pub(in crate::channel) fn words(&self) -> String {
        format!("{}{}", self.title, self.tail)
    }
}

/// What the channel shows beside the text, and what is not in the text therefore.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::channel) struct Beside {
    /// The choices, without their numbers.
    pub(in crate::channel) choices: bool,
    /// The picture in the line at this index.
    pub(in crate::channel) picture: Option<usize>,
    /// The button that opens a page, in the line at this index.
    pub(in crate::channel) link: Option<usize>,
}

/// Puts lines together. `choices` are those of the whole message, with their numbers before them if `numbered`.
pub(in crate::channel) fn joined(
    lines: &[Line],
    choices: &[Choice],
    numbered: bool,
    beside: Beside,
    hint: Option<&str>,
    options: &Wording,
) -> String {
    let grouped = beside.choices && in_groups(lines);
    let mut shown: Vec<String> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        match line {
            Line::Text(text) => shown.push(text.clone()),
            Line::Gap | Line::Card if shown.last().is_none_or(String::is_empty) => {}
            Line::Gap | Line::Card => shown.push(String::new()),
            Line::Choice { index, kind, tail } => {
                let Some(choice) = choices.get(*index) else { continue };
                if !beside.choices {
                    shown.push(listed(choice, numbered) + tail);
                } else if *kind == ChoiceKind::Heading || !tail.is_empty() || (grouped && *kind == ChoiceKind::Option) {
                    shown.push(format!("{}{tail}", choice.title.as_str()));
                }
            }
            Line::Several(words) => shown.push(labelled(words, &options.choose_several)),
            Line::Picture { label, .. } if beside.picture == Some(at) => shown.extend(label.clone()),
            Line::Picture { label: Some(label), link } => shown.push(labelled(label, link.as_str())),
            Line::Picture { label: None, link } => shown.push(link.as_str().to_owned()),
            Line::Opens { label, .. } if beside.link == Some(at) => {
                if !label.tail.is_empty() {
                    shown.push(label.words());
                }
            }
            Line::Opens { label, link } => shown.push(labelled(&label.words(), link.as_str())),
        }
    }
    if let Some(hint) = hint {
        if shown.last().is_some_and(|line| !line.is_empty()) {
            shown.push(String::new());
        }
        shown.push(hint.to_owned());
    }
    shown.join("\n").trim().to_owned()
}

/// Whether texts part the options from each other: below the message, nobody would know what they belong to.
fn in_groups(lines: &[Line]) -> bool {
    let options_and_texts = lines.iter().filter_map(|line| match line {
        Line::Choice { kind: ChoiceKind::Option, .. } => Some(true),
        Line::Choice { kind: ChoiceKind::Heading, .. } | Line::Text(_) | Line::Several(_) => Some(false),
        _ => None,
    });
    let mut groups = 0;
    let mut inside = false;
    for is_option in options_and_texts {
        groups += u32::from(is_option && !inside);
        inside = is_option;
    }
    groups > 1
}

/// The words that say how to answer by text, if there is anything to choose and nothing says it yet.
pub(in crate::channel) fn hint<'a>(
    lines: impl IntoIterator<Item = &'a Line>,
    choices: &[&Choice],
    numbered: bool,
    options: &'a Wording,
) -> Option<&'a str> {
    if choices.is_empty() || lines.into_iter().any(|line| matches!(line, Line::Several(_))) {
        return None;
    }
    let hint = match choices.iter().any(|choice| choice.several) {
        true => &options.choose_several,
        false if numbered => &options.choose,
        false => &options.choose_by_title,
    };
    (!hint.trim().is_empty()).then_some(hint)
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
pub(in crate::channel) fn labelled(label: &str, value: &str) -> String {
    let label = label.trim();
    if label.is_empty() || label == value {
        value.to_owned()
    } else if label.ends_with([':', '?', '!', '.', ',', ';']) {
        format!("{label} {value}")
    } else {
        format!("{label}: {value}")
    }
}
