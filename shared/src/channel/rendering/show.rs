//! Parts as messages.

use std::collections::HashSet;

use super::{below, part::Part};
use crate::{
    channel::{
        Capabilities, ChoiceLimits,
        plain_text::{Beside, CHOOSE_BUTTON, Line, Wording, hint, joined},
    },
    domain::{
        menu::Choice,
        message::{LinkButton, MessageText, RichMessage, ShownChoice},
        rich_content::Link,
    },
};

/// How a part's choices are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As buttons.
    Buttons,
    /// As the rows of a list.
    List,
    /// In the text, or there are none.
    Text,
}

/// What is the same for all parts of a message.
pub(super) struct Show<'a> {
    capabilities: &'a Capabilities,
    options: &'a Wording,
    token: &'a str,
    numbered: bool,
    /// What stands above buttons where there is no other text.
    prompt: &'a str,
}

impl<'a> Show<'a> {
    pub(super) fn new(capabilities: &'a Capabilities, options: &'a Wording, token: &'a str, numbered: bool) -> Self {
        let own = options.choose_button.trim();
        let usable = !own.is_empty() && own.chars().count() <= capabilities.interactive_text;
        let prompt = if usable { own } else { CHOOSE_BUTTON };
        Self { capabilities, options, token, numbered, prompt }
    }

    /// The first form that shows all choices of a part.
    pub(super) fn form(&self, part: &Part<'_>, choices: &[Choice]) -> Form {
        let choices = part.choices(choices);
        let mut titles = HashSet::new();
        let apart = choices.iter().all(|choice| titles.insert(choice.title.as_str().to_lowercase()));
        if !apart || !self.is_short(self.prompt) || choices.is_empty() || choices.iter().any(|choice| choice.several) {
            return Form::Text;
        }
        let fit = |limits: Option<ChoiceLimits>| {
            limits.is_some_and(|limits| {
                choices.len() <= limits.most
                    && choices.iter().all(|choice| is_title(choice.title.as_str(), limits.longest_title))
            })
        };
        if fit(self.capabilities.buttons) {
            Form::Buttons
        } else if fit(self.capabilities.list) {
            Form::List
        } else {
            Form::Text
        }
    }

    /// The messages of all parts, in their forms, which the choices know by now.
    pub(super) fn messages(&self, parts: &[Part<'_>], forms: &[Form], choices: &[Choice]) -> Vec<RichMessage> {
        // What is numbered in several messages is one list: one hint closes it.
        let in_text: Vec<_> = choices.iter().filter(|choice| !choice.as_button).collect();
        let hint = hint(parts.iter().flat_map(|part| &part.lines), &in_text, self.numbered, self.options);
        let last =
            parts.iter().zip(forms).rposition(|(part, form)| *form == Form::Text && !part.choices(choices).is_empty());
        let mut messages = Vec::new();
        for (at, (part, form)) in parts.iter().zip(forms).enumerate() {
            match form {
                Form::Text => self.as_text(part, choices, hint.filter(|_| last == Some(at)), &mut messages),
                Form::Buttons | Form::List => self.with_choices(part, choices, *form == Form::List, &mut messages),
            }
        }
        messages
    }

    fn with_choices(&self, part: &Part<'_>, choices: &[Choice], as_list: bool, messages: &mut Vec<RichMessage>) {
        let picture = self.picture(part);
        let beside = Beside { choices: true, picture: picture.as_ref().map(|(at, _)| *at), link: None };
        let body = self.body(part, choices, beside, None);
        let (before, text) = if body.trim().is_empty() {
            (None, self.prompt.to_owned())
        } else if self.is_short(&body) {
            (None, body)
        } else {
            (Some(body), self.prompt.to_owned())
        };
        let mut picture = picture.map(|(_, link)| link);
        // A list that opens has no place for a picture, and one with a long text stays before it.
        if as_list || before.is_some() {
            messages.extend(picture.take().map(pictured));
        }
        messages
            .extend(before.map(|text| RichMessage { text: Some(MessageText::new(text)), ..RichMessage::default() }));
        messages.push(RichMessage {
            picture,
            text: Some(MessageText::new(text)),
            choices: part.choices(choices).into_iter().map(|choice| self.shown(choice)).collect(),
            as_list,
            link: None,
        });
    }

    fn as_text(&self, part: &Part<'_>, choices: &[Choice], hint: Option<&str>, messages: &mut Vec<RichMessage>) {
        let picture = self.picture(part);
        let beside = Beside { picture: picture.as_ref().map(|(at, _)| *at), ..Beside::default() };
        let mut picture = picture.map(|(_, link)| link);
        if let Some((at, link)) = self.link(part) {
            let body = self.body(part, choices, Beside { link: Some(at), ..beside }, hint);
            let text = if body.trim().is_empty() { link.title.as_str().to_owned() } else { body };
            if self.is_short(&text) {
                let text = Some(MessageText::new(text));
                messages.push(RichMessage { picture, text, link: Some(link), ..RichMessage::default() });
                return;
            }
        }
        let body = self.body(part, choices, beside, hint);
        if !self.is_short(&body) {
            messages.extend(picture.take().map(pictured));
        }
        let text = (!body.is_empty()).then(|| MessageText::new(body));
        messages.push(RichMessage { picture, text, ..RichMessage::default() });
    }

    fn body(&self, part: &Part<'_>, choices: &[Choice], beside: Beside, hint: Option<&str>) -> String {
        below(part.text, joined(&part.lines, choices, self.numbered, beside, hint, self.options))
    }

    fn shown(&self, choice: &Choice) -> ShownChoice {
        ShownChoice { id: format!("{}.{}", self.token, choice.number), title: choice.title.clone() }
    }

    /// The first picture of a part, if the channel can show it.
    fn picture(&self, part: &Part<'_>) -> Option<(usize, Link)> {
        if !self.capabilities.pictures {
            return None;
        }
        part.lines.iter().enumerate().find_map(|(at, line)| match line {
            Line::Picture { link, .. } if has_scheme(link, &["https"]) => Some((at, link.clone())),
            _ => None,
        })
    }

    /// The button of a part that opens a page, if it is the only button and the channel can show it.
    fn link(&self, part: &Part<'_>) -> Option<(usize, LinkButton)> {
        let longest = self.capabilities.link_button?;
        let mut buttons = part.lines.iter().enumerate().filter_map(|(at, line)| match line {
            Line::Opens { label, link } => Some((at, Some((label, link)))),
            Line::Choice { .. } => Some((at, None)),
            _ => None,
        });
        let (Some((at, Some((label, link)))), None) = (buttons.next(), buttons.next()) else { return None };
        (is_title(&label.title, longest) && has_scheme(link, &["https", "http"]))
            .then(|| (at, LinkButton { title: MessageText::new(label.title.clone()), link: link.clone() }))
    }

    fn is_short(&self, text: &str) -> bool {
        text.chars().count() <= self.capabilities.interactive_text
    }
}

fn pictured(picture: Link) -> RichMessage {
    RichMessage { picture: Some(picture), ..RichMessage::default() }
}

/// Whether a title stands on a button as it is: a line break would be lost there.
fn is_title(title: &str, longest: usize) -> bool {
    title.chars().count() <= longest && !title.chars().any(char::is_control)
}

fn has_scheme(link: &Link, schemes: &[&str]) -> bool {
    let scheme = link.as_str().split_once(':').map_or("", |(scheme, _)| scheme);
    schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}
