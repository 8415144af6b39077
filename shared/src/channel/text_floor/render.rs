//! Walks through a message and writes its lines.

use super::{
    Choice, Floor, FloorOptions, date, entity,
    line::{self, Line, labelled},
};
use crate::domain::{
    message::MessageText,
    rich_content::{
        AccordionTitle, Action, Button, Click, Container, Coordinates, Element, Image, KeyValue, Layout, Link, Map,
        Metadata, RichContent, Text,
    },
};

/// A text as it is shown: decoded and without blanks around it; `None` for a blank one.
fn shown(text: Option<&MessageText>) -> Option<String> {
    let text = entity::decode(text?.as_str());
    let text = text.trim();
    (!text.is_empty()).then(|| text.replace("\r\n", "\n"))
}

/// A link that every phone opens in a map.
fn map_link(place: Coordinates) -> String {
    format!("https://maps.google.com/?q={},{}", place.latitude(), place.longitude())
}

fn has_boxes(elements: &[Element]) -> bool {
    elements.iter().any(|element| match element {
        Element::Checklist { boxes } => boxes.iter().any(|option| shown(Some(&option.text)).is_some()),
        Element::Container(container) => has_boxes(&container.elements),
        _ => false,
    })
}

/// A card that can be chosen as a whole: the first text in it that is no choice itself becomes one.
struct Unclaimed {
    metadata: Option<Metadata>,
    several: bool,
}

pub(super) struct Renderer<'a> {
    options: &'a FloorOptions,
    /// Whether a submit button sends ticked options: without any it is a button like others.
    submits: bool,
    lines: Vec<Line>,
    choices: Vec<Choice>,
    unclaimed: Option<Unclaimed>,
}

impl<'a> Renderer<'a> {
    pub(super) fn new(content: &RichContent, options: &'a FloorOptions) -> Self {
        let submits = has_boxes(&content.elements);
        Self { options, submits, lines: Vec::new(), choices: Vec::new(), unclaimed: None }
    }

    pub(super) fn finish(mut self, content: &RichContent) -> Floor {
        self.elements(&content.elements);
        self.lines.push(Line::Gap);
        for reply in &content.quick_replies {
            self.button(reply, true);
        }
        Floor { text: line::joined(self.lines, &self.choices, self.options), choices: self.choices }
    }

    fn elements(&mut self, elements: &[Element]) {
        for element in elements {
            self.element(element);
        }
    }

    fn element(&mut self, element: &Element) {
        match element {
            Element::Container(container) => self.container(container),
            Element::Text(text) => self.text(text),
            Element::Button(button) => self.button(button, false),
            Element::SubmitButton(button) if self.submits => {
                let words = shown(button.title.as_ref()).or_else(|| shown(button.tooltip.as_ref()));
                let words = [words, shown(button.subtitle.as_ref())].into_iter().flatten().collect::<Vec<_>>();
                self.lines.push(Line::Several(words.join(" - ")));
            }
            Element::SubmitButton(button) => self.button(button, false),
            Element::Image(image) => self.image(image),
            Element::Map(map) => self.map(map),
            Element::LinkPreview(preview) => self.linked(shown(preview.title.as_ref()), preview.url.as_ref()),
            Element::QuickReplyTemplate(template) => {
                self.say(shown(template.title.as_ref()));
                for response in &template.responses {
                    self.offer(shown(Some(response)), Some(response.clone()), None, false, "");
                }
            }
            Element::KeyValuePairs { pairs } => {
                for KeyValue { key, value } in pairs {
                    self.heading(shown(Some(key)), shown(value.as_ref()));
                }
            }
            Element::Checklist { boxes } => {
                for option in boxes {
                    let title = shown(Some(&option.text));
                    let (publish, metadata) = (published(option.click.as_ref()), metadata(option.click.as_ref()));
                    self.offer(title, publish, metadata, true, "");
                    self.links(option.click.as_ref(), None);
                }
            }
        }
    }

    fn container(&mut self, container: &Container) {
        let before = self.lines.len();
        let apart = match &container.layout {
            Layout::Carousel | Layout::Tabs | Layout::SectionList => true,
            Layout::CarouselSelect { .. } | Layout::AccordionSelect { .. } => true,
            Layout::Vertical | Layout::Horizontal | Layout::List | Layout::Section { .. } | Layout::ButtonList => false,
        };
        self.say(shown(container.title.as_ref()));
        if apart {
            self.lines.push(Line::Gap);
        }
        match &container.layout {
            Layout::CarouselSelect { several, .. } => self.cards(&container.elements, &[], *several),
            Layout::AccordionSelect { several, titles, .. } => self.cards(&container.elements, titles, *several),
            _ => {
                for element in &container.elements {
                    self.element(element);
                    if apart {
                        self.lines.push(Line::Gap);
                    }
                }
            }
        }
        if self.lines.iter().skip(before).all(|line| matches!(line, Line::Gap)) {
            self.say(shown(container.alt.as_ref()));
        }
    }

    /// Cards to choose from. One with buttons is chosen by those; any other by its heading or its first text.
    fn cards(&mut self, cards: &[Element], titles: &[AccordionTitle], several: bool) {
        for at in 0..cards.len().max(titles.len()) {
            let card = cards.get(at);
            let offers = card.is_some_and(|card| self.offers(card));
            self.unclaimed = (!offers).then(|| Unclaimed {
                metadata: match card {
                    Some(Element::Container(card)) => card.metadata.clone(),
                    _ => None,
                },
                several,
            });
            if let Some(title) = titles.get(at) {
                let name = shown(title.name.as_ref());
                let additional = shown(title.additional.as_ref());
                self.say(match (name, additional) {
                    (Some(name), Some(additional)) => Some(format!("{name} - {additional}")),
                    (name, additional) => name.or(additional),
                });
            }
            if let Some(card) = card {
                self.element(card);
            }
            self.unclaimed = None;
            self.lines.push(Line::Gap);
        }
    }

    /// Whether an element has anything of its own to choose.
    fn offers(&self, element: &Element) -> bool {
        match element {
            Element::Container(container) => {
                matches!(container.layout, Layout::CarouselSelect { .. } | Layout::AccordionSelect { .. })
                    || container.elements.iter().any(|element| self.offers(element))
            }
            Element::Text(Text { click, .. })
            | Element::Image(Image { click, .. })
            | Element::Map(Map { click, .. }) => published(click.as_ref()).is_some() || has_slots(click.as_ref()),
            Element::Button(button) => is_choice(button, false) || has_slots(button.click.as_ref()),
            Element::SubmitButton(button) => !self.submits && is_choice(button, false),
            Element::QuickReplyTemplate(template) => !template.responses.is_empty(),
            Element::Checklist { boxes } => !boxes.is_empty(),
            Element::LinkPreview(_) | Element::KeyValuePairs { .. } => false,
        }
    }

    fn text(&mut self, text: &Text) {
        let words =
            shown(Some(&text.text)).or_else(|| shown(text.alt.as_ref())).or_else(|| shown(text.tooltip.as_ref()));
        match published(text.click.as_ref()) {
            Some(publish) => self.offer(words, Some(publish), metadata(text.click.as_ref()), false, ""),
            None => self.say(words),
        }
        self.links(text.click.as_ref(), None);
    }

    /// A title that publishes something, or that LiveEngage hears of, is a choice; one that opens something is a link; one that
    /// does nothing is a text.
    fn button(&mut self, button: &Button, reply: bool) {
        let click = button.click.as_ref();
        let publish = published(click);
        let title = shown(button.title.as_ref()).or_else(|| shown(button.tooltip.as_ref()));
        let subtitle = shown(button.subtitle.as_ref());
        let Some(title) = title.or_else(|| shown(publish.as_ref())) else {
            self.say(subtitle);
            return self.links(click, None);
        };
        let tail = subtitle.map(|subtitle| format!(" - {subtitle}")).unwrap_or_default();
        if is_choice(button, reply) {
            self.offer(Some(title), publish, metadata(click), false, &tail);
            self.links(click, None);
        } else if opens(click) {
            self.links(click, Some(title + &tail));
        } else {
            self.say(Some(title + &tail));
        }
    }

    fn image(&mut self, image: &Image) {
        let label = shown(image.caption.as_ref()).or_else(|| shown(image.alt.as_ref()));
        // Tooltips repeat what the picture shows: they are worth an SMS only where there is nothing else.
        let words = if image.url.is_none() { label.or_else(|| shown(image.tooltip.as_ref())) } else { label };
        self.linked(words.clone(), image.url.as_ref());
        self.offer_published(image.click.as_ref(), words.or_else(|| shown(image.tooltip.as_ref())));
        self.links(image.click.as_ref(), None);
    }

    fn map(&mut self, map: &Map) {
        // The place is told once, under the name that the click has for it.
        let name = map.click.iter().flat_map(|click| &click.actions).find_map(|action| match action {
            Action::Navigate { place, name } if *place == map.place => shown(name.as_ref()),
            _ => None,
        });
        let label = name.or_else(|| shown(map.alt.as_ref()));
        let label = if map.place.is_none() { label.or_else(|| shown(map.tooltip.as_ref())) } else { label };
        self.place(label.clone(), map.place);
        self.offer_published(map.click.as_ref(), label);
        for action in map.click.iter().flat_map(|click| &click.actions) {
            if !matches!(action, Action::Navigate { place, .. } if *place == map.place) {
                self.opened(action, None, map.click.as_ref());
            }
        }
    }

    /// Whatever a click opens. The first takes `label` for its own; the others go by their names.
    fn links(&mut self, click: Option<&Click>, mut label: Option<String>) {
        for action in click.iter().flat_map(|click| &click.actions) {
            let label = if opens_something(action) { label.take() } else { None };
            self.opened(action, label, click);
        }
    }

    fn opened(&mut self, action: &Action, label: Option<String>, click: Option<&Click>) {
        match action {
            Action::Link { uri, name } => self.linked(label.or_else(|| shown(name.as_ref())), Some(uri)),
            Action::Navigate { place, name } => match (label, shown(name.as_ref())) {
                // Without a map the name of the place is all there is to go by.
                (Some(label), Some(name)) if place.is_none() && label != name => {
                    self.say(Some(labelled(&label, &name)))
                }
                (label, name) => self.place(label.or(name), *place),
            },
            Action::DatePicker(picker) => {
                self.heading(label, shown(picker.title.as_ref()));
                let ask = if picker.range { &self.options.dates } else { &self.options.date };
                self.say(Some(format!("{} ({}).", ask.trim(), entity::decode(&date::allowed(picker)))));
            }
            Action::ScheduleSlotList(list) => {
                self.heading(label, shown(list.title.as_ref()));
                for slot in &list.slots {
                    let period = date::period(slot).map(|period| entity::decode(&period).into_owned());
                    let parts = [shown(slot.title.as_ref()), period, shown(slot.description.as_ref())];
                    let parts: Vec<_> = parts.into_iter().flatten().collect();
                    let Some((title, more)) = parts.split_first() else { continue };
                    // Which appointment it is must be clear from what is published: titles repeat from day to day.
                    let publish = MessageText::new(parts.join(", "));
                    let tail: String = more.iter().map(|part| format!(", {part}")).collect();
                    self.offer(Some(title.clone()), Some(publish), metadata(click), false, &tail);
                }
            }
            Action::PublishText { .. }
            | Action::Checked { .. }
            | Action::AddToCart { .. }
            | Action::Custom { .. }
            | Action::SubmitAsText
            | Action::Unknown => {}
        }
    }

    fn heading(&mut self, label: Option<String>, title: Option<String>) {
        self.say(match (label, title) {
            (Some(label), Some(title)) => Some(labelled(&label, &title)),
            (label, title) => label.or(title),
        });
    }

    fn offer_published(&mut self, click: Option<&Click>, title: Option<String>) {
        if let Some(publish) = published(click) {
            let title = title.or_else(|| shown(Some(&publish)));
            self.offer(title, Some(publish), metadata(click), false, "");
        }
    }

    fn linked(&mut self, label: Option<String>, link: Option<&Link>) {
        match (label, link) {
            (Some(label), Some(link)) => self.push(labelled(&label, link.as_str())),
            (None, Some(link)) => self.push(link.as_str().to_owned()),
            (label, None) => self.say(label),
        }
    }

    fn place(&mut self, label: Option<String>, place: Option<Coordinates>) {
        match (label, place.map(map_link)) {
            (Some(label), Some(link)) => self.push(labelled(&label, &link)),
            (None, Some(link)) => self.push(link),
            (label, None) => self.say(label),
        }
    }

    fn push(&mut self, text: String) {
        self.lines.push(Line::Text(text));
    }

    /// Writes a text; the first one of a card that can be chosen as a whole is its choice.
    fn say(&mut self, text: Option<String>) {
        let Some(text) = text else { return };
        match self.unclaimed.take() {
            Some(Unclaimed { metadata, several }) => self.offer(Some(text), None, metadata, several, ""),
            None => self.push(text),
        }
    }

    fn offer(
        &mut self,
        title: Option<String>,
        publish: Option<MessageText>,
        metadata: Option<Metadata>,
        several: bool,
        tail: &str,
    ) {
        let Some(title) = title else { return };
        let index = self.choices.len();
        self.choices.push(Choice {
            number: u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1),
            title: MessageText::new(title),
            publish,
            metadata: metadata.map(|metadata| metadata.as_value().clone()),
            several,
        });
        self.lines.push(Line::Choice { index, tail: tail.to_owned() });
    }
}

/// Whether a button with a title is a choice.
fn is_choice(button: &Button, reply: bool) -> bool {
    let click = button.click.as_ref();
    published(click).is_some() || (!opens(click) && (reply || click.is_some()))
}

fn opens(click: Option<&Click>) -> bool {
    click.is_some_and(|click| click.actions.iter().any(opens_something))
}

fn has_slots(click: Option<&Click>) -> bool {
    click.is_some_and(|click| click.actions.iter().any(|action| matches!(action, Action::ScheduleSlotList(_))))
}

const fn opens_something(action: &Action) -> bool {
    matches!(
        action,
        Action::Link { .. } | Action::Navigate { .. } | Action::DatePicker(_) | Action::ScheduleSlotList(_)
    )
}

fn metadata(click: Option<&Click>) -> Option<Metadata> {
    click?.metadata.clone()
}

/// What a click publishes: all of it, if it has several texts.
fn published(click: Option<&Click>) -> Option<MessageText> {
    let texts: Vec<_> = click?
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::PublishText { text } => Some(text.as_str()),
            Action::Checked { publish } => publish.as_ref().map(MessageText::as_str),
            _ => None,
        })
        .collect();
    (!texts.is_empty()).then(|| MessageText::new(texts.join("\n")))
}
