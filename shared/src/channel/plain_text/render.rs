//! Walks through a message and writes its lines.

use super::{
    Choice, Wording,
    click::{has_slots, is_choice, metadata, opens, opens_something, published},
    date, entity,
    line::{ChoiceKind, Label, Line, labelled},
};
use crate::domain::{
    menu::FreeAnswer,
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

/// A link that every phone opens in a map. Degrees always make one.
fn map_link(place: Coordinates) -> Option<Link> {
    Link::parse(&format!("https://maps.google.com/?q={},{}", place.latitude(), place.longitude())).ok()
}

fn has_boxes(elements: &[Element]) -> bool {
    elements.iter().any(|element| match element {
        Element::Checklist { boxes } => boxes.iter().any(|option| shown(Some(&option.text)).is_some()),
        Element::Container(container) => has_boxes(&container.elements),
        _ => false,
    })
}

/// A message as its lines.
pub(in crate::channel) struct Walked {
    /// The lines, in reading order.
    pub(in crate::channel) lines: Vec<Line>,
    /// What can be chosen, by ascending number from 1 without gaps.
    pub(in crate::channel) choices: Vec<Choice>,
    /// What is asked for in the person's own words.
    pub(in crate::channel) free_answer: Option<FreeAnswer>,
    /// What LiveEngage is told about the button that would send the ticked options.
    pub(in crate::channel) submit: Option<Metadata>,
}

/// Walks through a message.
pub(in crate::channel) fn walk(content: &RichContent, options: &Wording) -> Walked {
    let mut walker = Walker {
        options,
        submits: has_boxes(&content.elements),
        stacked: true,
        lines: Vec::new(),
        choices: Vec::new(),
        unclaimed: None,
        pickers: Vec::new(),
        submitters: Vec::new(),
    };
    walker.elements(&content.elements);
    // Quick replies belong to the last card.
    while matches!(walker.lines.last(), Some(Line::Gap | Line::Card)) {
        walker.lines.pop();
    }
    walker.lines.push(Line::Gap);
    for reply in &content.quick_replies {
        walker.button(reply, ChoiceKind::Reply);
    }
    Walked {
        free_answer: only(walker.pickers).map(|metadata| FreeAnswer { metadata }),
        submit: only(walker.submitters),
        lines: walker.lines,
        choices: walker.choices,
    }
}

/// The metadata of the only one there is: of several, an answer in text doesn't say which is meant.
fn only(clicks: Vec<Option<Metadata>>) -> Option<Metadata> {
    let mut clicks = clicks.into_iter();
    clicks.next().filter(|_| clicks.len() == 0).flatten()
}

/// A card that can be chosen as a whole: the first text in it that is no choice itself becomes one.
struct Unclaimed {
    metadata: Option<Metadata>,
    several: bool,
}

struct Walker<'a> {
    options: &'a Wording,
    /// Whether a submit button sends ticked options: without any it is a button like others.
    submits: bool,
    /// Whether all around this place just stands one below the other, so that cards here can be messages of their own.
    stacked: bool,
    lines: Vec<Line>,
    choices: Vec<Choice>,
    unclaimed: Option<Unclaimed>,
    /// The date pickers, by their metadata.
    pickers: Vec<Option<Metadata>>,
    /// The buttons that send ticked options, by their metadata.
    submitters: Vec<Option<Metadata>>,
}

impl Walker<'_> {
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
                let words = shown(button.title.as_ref()).or_else(|| shown(button.tooltip.as_ref()));
                let words = [words, shown(button.subtitle.as_ref())].into_iter().flatten().collect::<Vec<_>>();
                self.lines.push(Line::Several(words.join(" - ")));
                self.submitters.push(metadata(button.click.as_ref()));
            }
            Element::SubmitButton(button) => self.button(button, ChoiceKind::Option),
            Element::Image(image) => self.image(image),
            Element::Map(map) => self.map(map),
            Element::LinkPreview(preview) => self.linked(shown(preview.title.as_ref()), preview.url.as_ref()),
            Element::QuickReplyTemplate(template) => {
                self.say(shown(template.title.as_ref()));
                for response in &template.responses {
                    self.offer(shown(Some(response)), Some(response.clone()), None, false);
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
                    self.offer(title, publish, metadata, true);
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
        let stacked = self.stacked;
        self.stacked = stacked && container.layout == Layout::Vertical;
        let between = match &container.layout {
            Layout::Carousel | Layout::CarouselSelect { .. } if stacked => Some(Line::Card),
            _ if apart => Some(Line::Gap),
            _ => None,
        };
        self.say(shown(container.title.as_ref()));
        self.lines.extend(between.clone());
        match &container.layout {
            Layout::CarouselSelect { several, .. } => self.cards(&container.elements, &[], *several, &between),
            Layout::AccordionSelect { several, titles, .. } => {
                self.cards(&container.elements, titles, *several, &between);
            }
            _ => {
                for element in &container.elements {
                    self.element(element);
                    self.lines.extend(between.clone());
                }
            }
        }
        self.stacked = stacked;
        if self.lines.iter().skip(before).all(|line| matches!(line, Line::Gap | Line::Card)) {
            self.say(shown(container.alt.as_ref()));
        }
    }

    /// Cards to choose from. One with buttons is chosen by those; any other by its heading or its first text.
    fn cards(&mut self, cards: &[Element], titles: &[AccordionTitle], several: bool, between: &Option<Line>) {
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
            self.lines.extend(between.clone());
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
            Element::Button(button) => is_choice(button, ChoiceKind::Option) || has_slots(button.click.as_ref()),
            Element::SubmitButton(button) => !self.submits && is_choice(button, ChoiceKind::Option),
            Element::QuickReplyTemplate(template) => !template.responses.is_empty(),
            Element::Checklist { boxes } => !boxes.is_empty(),
            Element::LinkPreview(_) | Element::KeyValuePairs { .. } => false,
        }
    }

    fn text(&mut self, text: &Text) {
        let words =
            shown(Some(&text.text)).or_else(|| shown(text.alt.as_ref())).or_else(|| shown(text.tooltip.as_ref()));
        match published(text.click.as_ref()) {
            Some(publish) => self.offer(words, Some(publish), metadata(text.click.as_ref()), false),
            None => self.say(words),
        }
        self.links(text.click.as_ref(), None);
    }

    /// A title that publishes something, or that LiveEngage hears of, is a choice; one that opens something is a link; one that
    /// does nothing is a text.
    fn button(&mut self, button: &Button, kind: ChoiceKind) {
        let click = button.click.as_ref();
        let publish = published(click);
        let title = shown(button.title.as_ref()).or_else(|| shown(button.tooltip.as_ref()));
        let subtitle = shown(button.subtitle.as_ref());
        let Some(title) = title.or_else(|| shown(publish.as_ref())) else {
            self.say(subtitle);
            return self.links(click, None);
        };
        let tail = subtitle.map(|subtitle| format!(" - {subtitle}")).unwrap_or_default();
        let label = Label { title, tail };
        if is_choice(button, kind) {
            self.offer_as(kind, label, publish, metadata(click), false);
            self.links(click, None);
        } else if opens(click) {
            self.links(click, Some(label));
        } else {
            self.say(Some(label.words()));
        }
    }

    fn image(&mut self, image: &Image) {
        let label = shown(image.caption.as_ref()).or_else(|| shown(image.alt.as_ref()));
        // Tooltips repeat what the picture shows: they are worth an SMS only where there is nothing else.
        let words = if image.url.is_none() { label.or_else(|| shown(image.tooltip.as_ref())) } else { label };
        match &image.url {
            Some(link) => self.lines.push(Line::Picture { label: words.clone(), link: link.clone() }),
            None => self.say(words.clone()),
        }
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
        self.linked(label.clone(), map.place.and_then(map_link).as_ref());
        self.offer_published(map.click.as_ref(), label);
        for action in map.click.iter().flat_map(|click| &click.actions) {
            if !matches!(action, Action::Navigate { place, .. } if *place == map.place) {
                self.opened(action, None, map.click.as_ref());
            }
        }
    }

    /// Whatever a click opens. The first takes `label` for its own; the others go by their names.
    fn links(&mut self, click: Option<&Click>, mut label: Option<Label>) {
        for action in click.iter().flat_map(|click| &click.actions) {
            let label = if opens_something(action) { label.take() } else { None };
            self.opened(action, label, click);
        }
    }

    fn opened(&mut self, action: &Action, label: Option<Label>, click: Option<&Click>) {
        let words = label.as_ref().map(Label::words);
        match action {
            Action::Link { uri, name } => match label {
                Some(label) => self.lines.push(Line::Opens { label, link: uri.clone() }),
                None => self.linked(shown(name.as_ref()), Some(uri)),
            },
            Action::Navigate { place, name } => match (label, place.and_then(map_link)) {
                (Some(label), Some(link)) => self.lines.push(Line::Opens { label, link }),
                // Without a map the name of the place is all there is to go by.
                (Some(label), None) => self.heading(Some(label.words()), shown(name.as_ref())),
                (None, link) => self.linked(shown(name.as_ref()), link.as_ref()),
            },
            Action::DatePicker(picker) => {
                self.pickers.push(metadata(click));
                self.heading(words, shown(picker.title.as_ref()));
                let ask = if picker.range { &self.options.dates } else { &self.options.date };
                self.say(Some(format!("{} ({}).", ask.trim(), entity::decode(&date::allowed(picker)))));
            }
            Action::ScheduleSlotList(list) => {
                self.heading(words, shown(list.title.as_ref()));
                for slot in &list.slots {
                    let period = date::period(slot).map(|period| entity::decode(&period).into_owned());
                    let parts = [shown(slot.title.as_ref()), period, shown(slot.description.as_ref())];
                    let parts: Vec<_> = parts.into_iter().flatten().collect();
                    let Some((title, more)) = parts.split_first() else { continue };
                    // Which appointment it is must be clear from what is published: titles repeat from day to day.
                    let publish = MessageText::new(parts.join(", "));
                    let tail: String = more.iter().map(|part| format!(", {part}")).collect();
                    let label = Label { title: title.clone(), tail };
                    self.offer_as(ChoiceKind::Option, label, Some(publish), metadata(click), false);
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
            self.offer(title, Some(publish), metadata(click), false);
        }
    }

    fn linked(&mut self, label: Option<String>, link: Option<&Link>) {
        match (label, link) {
            (Some(label), Some(link)) => self.push(labelled(&label, link.as_str())),
            (None, Some(link)) => self.push(link.as_str().to_owned()),
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
            Some(Unclaimed { metadata, several }) => {
                let label = Label { title: text, tail: String::new() };
                self.offer_as(ChoiceKind::Heading, label, None, metadata, several);
            }
            None => self.push(text),
        }
    }

    fn offer(
        &mut self,
        title: Option<String>,
        publish: Option<MessageText>,
        metadata: Option<Metadata>,
        several: bool,
    ) {
        let Some(title) = title else { return };
        let label = Label { title, tail: String::new() };
        self.offer_as(ChoiceKind::Option, label, publish, metadata, several);
    }

    fn offer_as(
        &mut self,
        kind: ChoiceKind,
        label: Label,
        publish: Option<MessageText>,
        metadata: Option<Metadata>,
        several: bool,
    ) {
        let index = self.choices.len();
        self.choices.push(Choice {
            number: u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1),
            title: MessageText::new(label.title),
            publish,
            metadata: metadata.map(|metadata| metadata.as_value().clone()),
            several,
            as_button: false,
        });
        self.lines.push(Line::Choice { index, kind, tail: label.tail });
    }
}
