//! Converts parts to messages.

use std::collections::HashSet;

use super::{append, part::Part};
use crate::{
    Capabilities, ChoiceLimits,
    choice::Choice,
    message::{LinkButton, RichMessage, ShownChoice},
    plain_text::{CHOOSE_BUTTON, Label, OutsideText, TextLayout, TextLine, Wording, hint, joined},
};
use connector_message::{MessageText, rich_content::Link};

/// How the choices of a part are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChoiceStyle {
    /// As buttons.
    Buttons,
    /// As the rows of a list.
    List,
    /// In the text. Also for a part without choices.
    Text,
}

/// Builds the messages of all parts of a message.
pub(super) struct MessageBuilder<'a> {
    capabilities: &'a Capabilities,
    wording: &'a Wording,
    token: &'a str,
    numbered: bool,
    /// The text above buttons, if there is no other text.
    prompt: &'a str,
}

impl<'a> MessageBuilder<'a> {
    pub(super) fn new(capabilities: &'a Capabilities, wording: &'a Wording, token: &'a str, numbered: bool) -> Self {
        let own = wording.choose_button.trim();
        let usable = !own.is_empty() && own.chars().count() <= capabilities.interactive_text;
        let prompt = if usable { own } else { CHOOSE_BUTTON };
        Self { capabilities, wording, token, numbered, prompt }
    }

    /// The first style that can show all choices of a part.
    pub(super) fn style(&self, part: &Part<'_>, choices: &[Choice]) -> ChoiceStyle {
        let choices = part.choices(choices);
        let mut titles = HashSet::new();
        let are_unique = choices.iter().all(|choice| titles.insert(choice.title.as_str().to_lowercase()));
        if !are_unique
            || !self.is_short(self.prompt)
            || choices.is_empty()
            || choices.iter().any(|choice| choice.several)
        {
            return ChoiceStyle::Text;
        }
        let fit = |limits: Option<ChoiceLimits>| {
            limits.is_some_and(|limits| {
                choices.len() <= limits.most
                    && choices.iter().all(|choice| is_title(choice.title.as_str(), limits.longest_title))
            })
        };
        if fit(self.capabilities.buttons) {
            ChoiceStyle::Buttons
        } else if fit(self.capabilities.list) {
            ChoiceStyle::List
        } else {
            ChoiceStyle::Text
        }
    }

    /// The messages of all parts in these styles. The choices must already be marked with the styles.
    pub(super) fn messages(&self, parts: &[Part<'_>], styles: &[ChoiceStyle], choices: &[Choice]) -> Vec<RichMessage> {
        // The numbered choices of all messages are one list, with one hint at the end.
        let in_text: Vec<_> = choices.iter().filter(|choice| !choice.as_button).collect();
        let hint = hint(parts.iter().flat_map(|part| &part.lines), &in_text, self.numbered, self.wording);
        let last = parts
            .iter()
            .zip(styles)
            .rposition(|(part, style)| *style == ChoiceStyle::Text && !part.choices(choices).is_empty());
        let mut messages = Vec::new();
        for (at, (part, style)) in parts.iter().zip(styles).enumerate() {
            match style {
                ChoiceStyle::Text => self.as_text(part, choices, hint.filter(|_| last == Some(at)), &mut messages),
                ChoiceStyle::Buttons | ChoiceStyle::List => {
                    self.with_choices(part, choices, *style == ChoiceStyle::List, &mut messages)
                }
            }
        }
        messages
    }

    fn with_choices(&self, part: &Part<'_>, choices: &[Choice], as_list: bool, messages: &mut Vec<RichMessage>) {
        let picture = self.picture(part);
        let links = if as_list { vec![] } else { self.links(part, choices) };
        let outside =
            OutsideText { choices: true, picture: picture.as_ref().map(|(at, _)| *at), links: !links.is_empty() };
        let body = self.body(part, choices, outside, None);
        let (before, text) = if body.trim().is_empty() {
            (None, self.prompt.to_owned())
        } else if self.is_short(&body) {
            (None, body)
        } else {
            (Some(body), self.prompt.to_owned())
        };
        let mut picture = picture.map(|(_, link)| link);
        // A list can't have a picture. A picture stays before a long text, which is a separate message.
        if as_list || before.is_some() {
            messages.extend(picture.take().map(picture_message));
        }
        messages
            .extend(before.map(|text| RichMessage { text: Some(MessageText::new(text)), ..RichMessage::default() }));
        messages.push(RichMessage {
            picture,
            text: Some(MessageText::new(text)),
            choices: part.choices(choices).into_iter().map(|choice| self.shown(choice)).collect(),
            as_list,
            links,
        });
    }

    fn as_text(&self, part: &Part<'_>, choices: &[Choice], hint: Option<&str>, messages: &mut Vec<RichMessage>) {
        let picture = self.picture(part);
        let outside = OutsideText { picture: picture.as_ref().map(|(at, _)| *at), ..OutsideText::default() };
        let mut picture = picture.map(|(_, link)| link);
        let links = if part.choices(choices).is_empty() { self.links(part, choices) } else { vec![] };
        if let Some(first) = links.first() {
            let body = self.body(part, choices, OutsideText { links: true, ..outside }, hint);
            let text = if body.trim().is_empty() { first.title.as_str().to_owned() } else { body };
            if self.is_short(&text) {
                let text = Some(MessageText::new(text));
                messages.push(RichMessage { picture, text, links, ..RichMessage::default() });
                return;
            }
        }
        let body = self.body(part, choices, outside, hint);
        if !self.is_short(&body) {
            messages.extend(picture.take().map(picture_message));
        }
        let text = (!body.is_empty()).then(|| MessageText::new(body));
        messages.push(RichMessage { picture, text, ..RichMessage::default() });
    }

    fn body(&self, part: &Part<'_>, choices: &[Choice], outside: OutsideText, hint: Option<&str>) -> String {
        append(
            part.text,
            joined(&part.lines, choices, TextLayout { numbered: self.numbered, outside, hint }, self.wording),
        )
    }

    fn shown(&self, choice: &Choice) -> ShownChoice {
        ShownChoice { id: format!("{}.{}", self.token, choice.number), title: choice.title.clone() }
    }

    /// The first picture of a part, if the line can show it.
    fn picture(&self, part: &Part<'_>) -> Option<(usize, Link)> {
        if !self.capabilities.pictures {
            return None;
        }
        part.lines.iter().enumerate().find_map(|(at, line)| match line {
            TextLine::Picture { link, .. } if has_scheme(link, &["https"]) => Some((at, link.clone())),
            _ => None,
        })
    }

    /// The buttons of a part that open a page, if the line can show all of them beside the part's choices. Otherwise none.
    fn links(&self, part: &Part<'_>, choices: &[Choice]) -> Vec<LinkButton> {
        let Some(limits) = self.capabilities.link_buttons else { return vec![] };
        let links = part.lines.iter().filter_map(|line| match line {
            TextLine::Link { label, link } => Some((label, link)),
            _ => None,
        });
        let button = |(label, link): (&Label, &Link)| {
            let fits = is_title(&label.title, limits.longest_title) && has_scheme(link, &["https", "http"]);
            fits.then(|| LinkButton { title: MessageText::new(label.title.clone()), link: link.clone() })
        };
        let Some(links) = links.map(button).collect::<Option<Vec<_>>>() else { return vec![] };
        let fit = match (part.choices(choices).len(), self.capabilities.buttons) {
            (0, _) => links.len() <= limits.most,
            (beside, Some(buttons)) => limits.beside_choices && links.len() + beside <= buttons.most,
            (_, None) => false,
        };
        if fit { links } else { vec![] }
    }

    fn is_short(&self, text: &str) -> bool {
        text.chars().count() <= self.capabilities.interactive_text
    }
}

fn picture_message(picture: Link) -> RichMessage {
    RichMessage { picture: Some(picture), ..RichMessage::default() }
}

/// Whether a title can be shown on a button unchanged: buttons don't show line breaks.
fn is_title(title: &str, longest: usize) -> bool {
    title.chars().count() <= longest && !title.chars().any(char::is_control)
}

fn has_scheme(link: &Link, schemes: &[&str]) -> bool {
    let scheme = link.as_str().split_once(':').map_or("", |(scheme, _)| scheme);
    schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}
