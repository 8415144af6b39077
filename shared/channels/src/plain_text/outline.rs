//! Converts a message to lines and choices.

use super::{
    Choice, Wording,
    click::{has_opening_action, has_slots, is_choice, metadata, published},
    entity,
    line::{ChoiceKind, Label, TextLine},
};
use crate::choice::FreeAnswer;
use connector_message::{
    MessageText,
    rich_content::{
        AccordionTitle, Action, Button, Container, Coordinates, Element, Image, KeyValue, Layout, Link, Map, Metadata,
        RichContent, Text,
    },
};

mod actions;
mod lines;

/// The visible form of a text: decoded and trimmed. `None` if it is blank.
fn visible(text: Option<&MessageText>) -> Option<String> {
    let text = entity::decode(text?.as_str());
    let text = text.trim();
    (!text.is_empty()).then(|| text.replace("\r\n", "\n"))
}

/// A link that opens a map on every phone. Always `Some`.
fn map_link(place: Coordinates) -> Option<Link> {
    Link::parse(&format!("https://maps.google.com/?q={},{}", place.latitude(), place.longitude())).ok()
}

fn has_checkboxes(elements: &[Element]) -> bool {
    elements.iter().any(|element| match element {
        Element::Checklist { boxes } => boxes.iter().any(|option| visible(Some(&option.text)).is_some()),
        Element::Container(container) => has_checkboxes(&container.elements),
        _ => false,
    })
}

/// A message as lines and choices.
pub(crate) struct Outline {
    /// The lines, in reading order.
    pub(crate) lines: Vec<TextLine>,
    /// The choices, with ascending numbers from 1 without gaps.
    pub(crate) choices: Vec<Choice>,
    /// The expected answer in the consumer's own words.
    pub(crate) free_answer: Option<FreeAnswer>,
    /// The metadata of the submit button of checked options.
    pub(crate) submit: Option<Metadata>,
}

/// Converts a message to lines and choices.
pub(crate) fn outline(content: &RichContent, wording: &Wording) -> Outline {
    let mut builder = OutlineBuilder {
        wording,
        submits: has_checkboxes(&content.elements),
        stacked: true,
        lines: Vec::new(),
        choices: Vec::new(),
        pending_card: None,
        pickers: Vec::new(),
        submitters: Vec::new(),
    };
    builder.elements(&content.elements);
    // Quick replies belong to the last card.
    while matches!(builder.lines.last(), Some(TextLine::Gap | TextLine::Card)) {
        builder.lines.pop();
    }
    builder.lines.push(TextLine::Gap);
    for reply in &content.quick_replies {
        builder.button(reply, ChoiceKind::Reply);
    }
    Outline {
        free_answer: single(builder.pickers).map(|metadata| FreeAnswer { metadata }),
        submit: single(builder.submitters),
        lines: builder.lines,
        choices: builder.choices,
    }
}

/// The metadata of the only click. `None` for several clicks, because a text doesn't say which one is meant.
fn single(clicks: Vec<Option<Metadata>>) -> Option<Metadata> {
    let mut clicks = clicks.into_iter();
    clicks.next().filter(|_| clicks.len() == 0).flatten()
}

/// A card that is a choice as a whole. The next text of the card becomes the title of the choice.
struct PendingCard {
    metadata: Option<Metadata>,
    several: bool,
}

/// A choice to add to the outline.
struct OfferedChoice {
    kind: ChoiceKind,
    label: Label,
    publish: Option<MessageText>,
    metadata: Option<Metadata>,
    several: bool,
}

struct OutlineBuilder<'a> {
    wording: &'a Wording,
    /// Whether the message has options to check. Without options, a submit button is an ordinary button.
    submits: bool,
    /// Whether all containers around the current position are vertical. Only then can cards be separate messages.
    stacked: bool,
    lines: Vec<TextLine>,
    choices: Vec<Choice>,
    pending_card: Option<PendingCard>,
    /// The metadata of each date picker.
    pickers: Vec<Option<Metadata>>,
    /// The metadata of each submit button.
    submitters: Vec<Option<Metadata>>,
}

impl OutlineBuilder<'_> {
    fn elements(&mut self, elements: &[Element]) {
        for element in elements {
            self.element(element);
        }
    }

    fn element(&mut self, element: &Element) {
        match element {
            Element::Container(container) => self.container(container),
            Element::Text(text) => self.text(text),
            Element::Button(button) => self.button(button, ChoiceKind::Option),
            Element::SubmitButton(button) if self.submits => {
                let words = visible(button.title.as_ref()).or_else(|| visible(button.tooltip.as_ref()));
                let words = [words, visible(button.subtitle.as_ref())].into_iter().flatten().collect::<Vec<_>>();
                self.lines.push(TextLine::SubmitHint(words.join(" - ")));
                self.submitters.push(metadata(button.click.as_ref()));
            }
            Element::SubmitButton(button) => self.button(button, ChoiceKind::Option),
            Element::Image(image) => self.image(image),
            Element::Map(map) => self.map(map),
            Element::LinkPreview(preview) => self.add_link(visible(preview.title.as_ref()), preview.url.as_ref()),
            Element::QuickReplyTemplate(template) => {
                self.add_text(visible(template.title.as_ref()));
                for response in &template.responses {
                    self.add_choice(visible(Some(response)), Some(response.clone()), None, false);
                }
            }
            Element::KeyValuePairs { pairs } => {
                for KeyValue { key, value } in pairs {
                    self.add_labelled(visible(Some(key)), visible(value.as_ref()));
                }
            }
            Element::Checklist { boxes } => {
                for option in boxes {
                    let title = visible(Some(&option.text));
                    let (publish, metadata) = (published(option.click.as_ref()), metadata(option.click.as_ref()));
                    self.add_choice(title, publish, metadata, true);
                    self.add_actions(option.click.as_ref(), None);
                }
            }
        }
    }

    fn container(&mut self, container: &Container) {
        let start = self.lines.len();
        let is_separated = match &container.layout {
            Layout::Carousel | Layout::Tabs | Layout::SectionList => true,
            Layout::CarouselSelect { .. } | Layout::AccordionSelect { .. } => true,
            Layout::Vertical | Layout::Horizontal | Layout::List | Layout::Section { .. } | Layout::ButtonList => false,
        };
        let stacked = self.stacked;
        self.stacked = stacked && container.layout == Layout::Vertical;
        let separator = match &container.layout {
            Layout::Carousel | Layout::CarouselSelect { .. } if stacked => Some(TextLine::Card),
            _ if is_separated => Some(TextLine::Gap),
            _ => None,
        };
        self.add_text(visible(container.title.as_ref()));
        self.lines.extend(separator.clone());
        match &container.layout {
            Layout::CarouselSelect { several, .. } => self.cards(&container.elements, &[], *several, &separator),
            Layout::AccordionSelect { several, titles, .. } => {
                self.cards(&container.elements, titles, *several, &separator);
            }
            _ => {
                for element in &container.elements {
                    self.element(element);
                    self.lines.extend(separator.clone());
                }
            }
        }
        self.stacked = stacked;
        if self.lines.iter().skip(start).all(|line| matches!(line, TextLine::Gap | TextLine::Card)) {
            self.add_text(visible(container.alt.as_ref()));
        }
    }

    /// Adds cards to choose from. A card with choices of its own is chosen by these. Any other card is chosen by its heading or first text.
    fn cards(&mut self, cards: &[Element], titles: &[AccordionTitle], several: bool, separator: &Option<TextLine>) {
        for at in 0..cards.len().max(titles.len()) {
            let card = cards.get(at);
            let has_choices = card.is_some_and(|card| self.has_choices(card));
            self.pending_card = (!has_choices).then(|| PendingCard {
                metadata: match card {
                    Some(Element::Container(card)) => card.metadata.clone(),
                    _ => None,
                },
                several,
            });
            if let Some(title) = titles.get(at) {
                let name = visible(title.name.as_ref());
                let additional = visible(title.additional.as_ref());
                self.add_text(match (name, additional) {
                    (Some(name), Some(additional)) => Some(format!("{name} - {additional}")),
                    (name, additional) => name.or(additional),
                });
            }
            if let Some(card) = card {
                self.element(card);
            }
            self.pending_card = None;
            self.lines.extend(separator.clone());
        }
    }

    /// Whether an element has choices of its own.
    fn has_choices(&self, element: &Element) -> bool {
        match element {
            Element::Container(container) => {
                matches!(container.layout, Layout::CarouselSelect { .. } | Layout::AccordionSelect { .. })
                    || container.elements.iter().any(|element| self.has_choices(element))
            }
            Element::Text(Text { click, .. })
            | Element::Image(Image { click, .. })
            | Element::Map(Map { click, .. }) => published(click.as_ref()).is_some() || has_slots(click.as_ref()),
            Element::Button(button) => is_choice(button, ChoiceKind::Option) || has_slots(button.click.as_ref()),
            Element::SubmitButton(button) => !self.submits && is_choice(button, ChoiceKind::Option),
            Element::QuickReplyTemplate(template) => !template.responses.is_empty(),
            Element::Checklist { boxes } => !boxes.is_empty(),
            Element::LinkPreview(_) | Element::KeyValuePairs { .. } => false,
        }
    }

    fn text(&mut self, text: &Text) {
        let words =
            visible(Some(&text.text)).or_else(|| visible(text.alt.as_ref())).or_else(|| visible(text.tooltip.as_ref()));
        match published(text.click.as_ref()) {
            Some(publish) => self.add_choice(words, Some(publish), metadata(text.click.as_ref()), false),
            None => self.add_text(words),
        }
        self.add_actions(text.click.as_ref(), None);
    }

    /// Adds a button: a choice as in [`is_choice`], a link if it opens something, and otherwise a text.
    fn button(&mut self, button: &Button, kind: ChoiceKind) {
        let click = button.click.as_ref();
        let publish = published(click);
        let title = visible(button.title.as_ref()).or_else(|| visible(button.tooltip.as_ref()));
        let subtitle = visible(button.subtitle.as_ref());
        let Some(title) = title.or_else(|| visible(publish.as_ref())) else {
            self.add_text(subtitle);
            return self.add_actions(click, None);
        };
        let tail = subtitle.map(|subtitle| format!(" - {subtitle}")).unwrap_or_default();
        let label = Label { title, tail };
        if is_choice(button, kind) {
            self.add_choice_as(OfferedChoice { kind, label, publish, metadata: metadata(click), several: false });
            self.add_actions(click, None);
        } else if has_opening_action(click) {
            self.add_actions(click, Some(label));
        } else {
            self.add_text(Some(label.text()));
        }
    }

    fn image(&mut self, image: &Image) {
        let label = visible(image.caption.as_ref()).or_else(|| visible(image.alt.as_ref()));
        // A tooltip usually repeats what the picture shows. It is used only if there is nothing else.
        let words = if image.url.is_none() { label.or_else(|| visible(image.tooltip.as_ref())) } else { label };
        match &image.url {
            Some(link) => self.lines.push(TextLine::Picture { label: words.clone(), link: link.clone() }),
            None => self.add_text(words.clone()),
        }
        self.add_published_choice(image.click.as_ref(), words.or_else(|| visible(image.tooltip.as_ref())));
        self.add_actions(image.click.as_ref(), None);
    }

    fn map(&mut self, map: &Map) {
        // The location is written once, with the name in the click.
        let name = map.click.iter().flat_map(|click| &click.actions).find_map(|action| match action {
            Action::Navigate { place, name } if *place == map.place => visible(name.as_ref()),
            _ => None,
        });
        let label = name.or_else(|| visible(map.alt.as_ref()));
        let label = if map.place.is_none() { label.or_else(|| visible(map.tooltip.as_ref())) } else { label };
        self.add_link(label.clone(), map.place.and_then(map_link).as_ref());
        self.add_published_choice(map.click.as_ref(), label);
        for action in map.click.iter().flat_map(|click| &click.actions) {
            if !matches!(action, Action::Navigate { place, .. } if *place == map.place) {
                self.add_action(action, None, map.click.as_ref());
            }
        }
    }
}
