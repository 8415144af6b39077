//! The lines of a message, and joining them to a text.

use super::Wording;
use crate::choice::{Choice, number};
use connector_message::rich_content::Link;

/// A part of a message, before it is known which choices the message has and what the channel shows outside the text.
#[derive(Clone)]
pub(crate) enum TextLine {
    /// A text of one or more lines, never blank.
    Text(String),
    /// An empty line. Several in a row are one.
    Gap,
    /// An empty line between cards. On a channel with more than text, each card is a separate message.
    Card,
    /// The choice at this index, and the text after its title.
    Choice { index: usize, kind: ChoiceKind, tail: String },
    /// The position of the submit button of checked options, with the button's text.
    SubmitHint(String),
    /// A picture, with its caption.
    Picture { label: Option<String>, link: Link },
    /// A button that opens a page.
    Link { label: Label, link: Link },
}

/// The role of a choice in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChoiceKind {
    /// The heading of the lines after it.
    Heading,
    /// A button, an option or an appointment.
    Option,
    /// A quick reply, which belongs to the whole message.
    Reply,
}

/// The text of a button.
#[derive(Clone)]
pub(crate) struct Label {
    /// The title.
    pub(crate) title: String,
    /// The text after the title.
    pub(crate) tail: String,
}

impl Label {
    /// Title and tail.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.title, self.tail)
    }
}

/// What the channel shows outside the text, and therefore not in the text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OutsideText {
    /// Whether the choices are shown outside the text, without numbers.
    pub(crate) choices: bool,
    /// The index of the line with the picture.
    pub(crate) picture: Option<usize>,
    /// Whether the buttons that open a page are outside the text.
    pub(crate) links: bool,
}

/// How lines are joined to a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextLayout<'a> {
    /// Whether the choices have their numbers in front.
    pub(crate) numbered: bool,
    /// What the channel shows outside the text.
    pub(crate) outside: OutsideText,
    /// The instruction at the end.
    pub(crate) hint: Option<&'a str>,
}

/// Joins lines to a text. `choices` are those of the whole message.
pub(crate) fn joined(lines: &[TextLine], choices: &[Choice], layout: TextLayout<'_>, wording: &Wording) -> String {
    let TextLayout { numbered, outside, hint } = layout;
    let grouped = outside.choices && has_groups(lines);
    let mut shown: Vec<String> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        match line {
            TextLine::Text(text) => shown.push(text.clone()),
            TextLine::Gap | TextLine::Card if shown.last().is_none_or(String::is_empty) => {}
            TextLine::Gap | TextLine::Card => shown.push(String::new()),
            TextLine::Choice { index, kind, tail } => {
                let Some(choice) = choices.get(*index) else { continue };
                if !outside.choices {
                    shown.push(choice_line(choice, numbered) + tail);
                } else if *kind == ChoiceKind::Heading || !tail.is_empty() || (grouped && *kind == ChoiceKind::Option) {
                    shown.push(format!("{}{tail}", choice.title.as_str()));
                }
            }
            TextLine::SubmitHint(words) => shown.push(labelled(words, &wording.choose_several)),
            TextLine::Picture { label, .. } if outside.picture == Some(at) => shown.extend(label.clone()),
            TextLine::Picture { label: Some(label), link } => shown.push(labelled(label, link.as_str())),
            TextLine::Picture { label: None, link } => shown.push(link.as_str().to_owned()),
            TextLine::Link { label, .. } if outside.links => {
                if !label.tail.is_empty() {
                    shown.push(label.text());
                }
            }
            TextLine::Link { label, link } => shown.push(labelled(&label.text(), link.as_str())),
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

/// Whether texts divide the options into groups: outside the text, the groups would not be visible.
fn has_groups(lines: &[TextLine]) -> bool {
    let options_and_texts = lines.iter().filter_map(|line| match line {
        TextLine::Choice { kind: ChoiceKind::Option, .. } => Some(true),
        TextLine::Choice { kind: ChoiceKind::Heading, .. } | TextLine::Text(_) | TextLine::SubmitHint(_) => Some(false),
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

/// The instruction for answering by text. `None` if there are no choices, or a submit button has the instruction.
pub(crate) fn hint<'a>(
    lines: impl IntoIterator<Item = &'a TextLine>,
    choices: &[&Choice],
    numbered: bool,
    wording: &'a Wording,
) -> Option<&'a str> {
    if choices.is_empty() || lines.into_iter().any(|line| matches!(line, TextLine::SubmitHint(_))) {
        return None;
    }
    let hint = match choices.iter().any(|choice| choice.several) {
        true => &wording.choose_several,
        false if numbered => &wording.choose,
        false => &wording.choose_by_title,
    };
    (!hint.trim().is_empty()).then_some(hint)
}

/// A choice as a line of the text.
fn choice_line(choice: &Choice, numbered: bool) -> String {
    let title = choice.title.as_str();
    // `1. 1` would be confusing.
    if !numbered || number(title) == Some(choice.number) {
        title.to_owned()
    } else {
        format!("{}. {title}", choice.number)
    }
}

/// `label: value`, without the colon if the label ends with a punctuation mark.
pub(crate) fn labelled(label: &str, value: &str) -> String {
    let label = label.trim();
    if label.is_empty() || label == value {
        value.to_owned()
    } else if label.ends_with([':', '?', '!', '.', ',', ';']) {
        format!("{label} {value}")
    } else {
        format!("{label}: {value}")
    }
}
