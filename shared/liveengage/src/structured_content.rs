//! LiveEngage's structured content (Rich Messaging pages). Read tolerantly: every text that a consumer should see is kept.
//!
//! An element of an unknown type is replaced by its texts and the elements inside it. Elements that are nested too deep, or that exceed the
//! maximum number, become plain text. Everything else that can't be read is counted in [`Ignored`]. Reading never fails.

use serde_json::{Map as Object, Value};

use connector_message::{
    MessageText,
    json::one_or_many,
    rich_content::{
        AccordionTitle, Button, Checkbox, Container, Element, Image, KeyValue, Layout, LinkPreview, Map,
        QuickReplyTemplate, RichContent, Text,
    },
};

mod click;
mod member;
#[cfg(test)]
mod tests;
mod text_extraction;

/// The maximum nesting depth of elements. The outermost element has depth 1. LivePerson documents no limit, and its own templates need 5.
pub const MOST_DEPTH: usize = 16;

/// The maximum number of elements in a message, including options, rows, actions and appointments.
pub const MOST_ELEMENTS: usize = 512;

/// How many parts of a structured message could not be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Elements of an unknown type. Their texts were kept.
    pub types: u32,
    /// Members that are unknown for their element's type, or of a wrong form.
    pub members: u32,
    /// Actions of an unknown type, or without a required member.
    pub actions: u32,
    /// Addresses that are not a valid [`Link`](connector_message::rich_content::Link), and coordinates that are out of range.
    pub places: u32,
    /// Elements that are nested too deep or exceed the maximum number. Their texts were kept.
    pub cut: u32,
}

impl Ignored {
    /// The sum of all counts.
    pub const fn total(&self) -> u32 {
        self.types
            .saturating_add(self.members)
            .saturating_add(self.actions)
            .saturating_add(self.places)
            .saturating_add(self.cut)
    }
}

/// Reads the `content` of a RichContentEvent (an object, or JSON in a string) and the `quickReplies` of an event. For a text with quick
/// replies, pass `Value::Null` as `content`.
pub fn read(content: &Value, quick_replies: Option<&Value>) -> (RichContent, Ignored) {
    let mut reader = Reader {
        ignored: Ignored::default(),
        // One is reserved for the texts of the surplus elements.
        budget: MOST_ELEMENTS - 1,
        quick_replies: Vec::new(),
        surplus: Vec::new(),
    };
    let mut elements = Vec::new();
    let parsed = parse_string(content);
    reader.elements(parsed.as_ref().unwrap_or(content), 1, &mut elements);
    if let Some(replies) = quick_replies {
        let parsed = parse_string(replies);
        reader.quick_replies(parsed.as_ref().unwrap_or(replies), 1, &mut elements);
    }
    if let Some(text) = message_text(&reader.surplus.join("\n")) {
        elements.push(Element::Text(Text { text, tooltip: None, alt: None, click: None }));
    }
    (RichContent { elements, quick_replies: reader.quick_replies }, reader.ignored)
}

/// Parses JSON in a JSON string, the form of the Messaging Interactions API (history).
fn parse_string(value: &Value) -> Option<Value> {
    serde_json::from_str(value.as_str()?).ok().filter(|parsed: &Value| parsed.is_object() || parsed.is_array())
}

fn message_text(text: &str) -> Option<MessageText> {
    (!text.trim().is_empty()).then(|| MessageText::new(text))
}

struct Reader {
    ignored: Ignored,
    /// How many more elements may be read.
    budget: usize,
    quick_replies: Vec<Button>,
    /// The texts of the elements that exceed the budget.
    surplus: Vec<String>,
}

impl Reader {
    /// Reads a list of elements, or a bare element.
    fn elements(&mut self, value: &Value, depth: usize, into: &mut Vec<Element>) {
        for element in one_or_many(Some(value)) {
            self.element(element, depth, into);
        }
    }

    fn element(&mut self, value: &Value, depth: usize, into: &mut Vec<Element>) {
        let Value::Object(object) = value else {
            self.ignored.types += u32::from(!value.is_null());
            return self.keep_texts(value, into);
        };
        if depth > MOST_DEPTH {
            self.ignored.cut += 1;
            return self.keep_texts(value, into);
        }
        if !self.take_from_budget(value) {
            return;
        }
        let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
        let known = match kind {
            "text" => self.text_element(object).map(Element::Text),
            "button" => Some(Element::Button(self.button(object))),
            "submitButton" => Some(Element::SubmitButton(self.button(object))),
            "image" => Some(Element::Image(self.image(object))),
            "map" => Some(Element::Map(self.map(object))),
            "linkPreview" => {
                self.count_members(object, &["url", "title"]);
                Some(Element::LinkPreview(LinkPreview {
                    url: self.link(object, "url"),
                    title: self.text(object, "title"),
                }))
            }
            "template" if object.contains_key("resp") => Some(Element::QuickReplyTemplate(self.template(object))),
            "keyValuePairList" => {
                self.count_members(object, &["elements"]);
                Some(Element::KeyValuePairs { pairs: self.pairs(object.get("elements"), into) })
            }
            "checklist" => Some(self.checklist(object, depth, into)),
            "checkbox" => self.checkbox(object).map(|option| Element::Checklist { boxes: vec![option] }),
            "quickReplies" => {
                self.quick_replies(value, depth, into);
                return;
            }
            _ => self.container(kind, object, depth),
        };
        match known {
            Some(element) => into.push(element),
            None => self.unknown(object, depth, into),
        }
    }

    /// Takes one element from the budget. If it is exhausted, keeps the texts of `value` for the end of the message, and returns false.
    fn take_from_budget(&mut self, value: &Value) -> bool {
        if let Some(budget) = self.budget.checked_sub(1) {
            self.budget = budget;
            return true;
        }
        self.ignored.cut += 1;
        self.surplus.extend(text_extraction::all_texts(value));
        false
    }

    fn keep_texts(&mut self, value: &Value, into: &mut Vec<Element>) {
        let texts = text_extraction::all_texts(value);
        let Some(text) = message_text(&texts.join("\n")) else { return };
        match self.budget.checked_sub(1) {
            Some(budget) => {
                self.budget = budget;
                into.push(Element::Text(Text { text, tooltip: None, alt: None, click: None }));
            }
            None => self.surplus.extend(texts),
        }
    }

    /// Reads an element of an unknown type: its texts, of which the first one gets the click, and then the elements inside it.
    fn unknown(&mut self, object: &Object<String, Value>, depth: usize, into: &mut Vec<Element>) {
        self.ignored.types += 1;
        let click = self.click(object);
        let mut texts = text_extraction::own_texts(object).into_iter();
        match texts.next().as_deref().and_then(message_text) {
            Some(text) => into.push(Element::Text(Text { text, tooltip: None, alt: None, click })),
            None if click.is_some() => {
                let tooltip = self.text(object, "tooltip");
                into.push(Element::Button(Button { title: None, subtitle: None, tooltip, click }));
            }
            None => {}
        }
        let rest = texts.collect::<Vec<_>>().join("\n");
        self.keep_texts(&Value::String(rest), into);
        for child in text_extraction::children(object) {
            self.element(child, depth + 1, into);
        }
    }

    fn container(&mut self, kind: &str, object: &Object<String, Value>, depth: usize) -> Option<Element> {
        let mode = object.get("selectMode").and_then(Value::as_object);
        let name = mode.and_then(|mode| self.text(mode, "name"));
        let several = mode.and_then(|mode| mode.get("type")).and_then(Value::as_str) == Some("multiple");
        let (layout, members): (_, &[&str]) = match kind {
            "vertical" => (Layout::Vertical, &["scroll"]),
            "horizontal" => (Layout::Horizontal, &["percentages"]),
            "carousel" => (Layout::Carousel, &["padding"]),
            "carouselSelect" => (Layout::CarouselSelect { name, several }, &["padding", "selectMode"]),
            "accordionSelect" => {
                let titles = self.accordion_titles(object.get("titles"));
                (Layout::AccordionSelect { name, several, titles }, &["titles", "selectMode"])
            }
            "tabs" => (Layout::Tabs, &[]),
            "list" => (Layout::List, &[]),
            "sectionList" => (Layout::SectionList, &[]),
            "section" => (Layout::Section { id: self.text(object, "sectionID") }, &["sectionID"]),
            "buttonList" => (Layout::ButtonList, &[]),
            _ => return None,
        };
        // A template of LivePerson has the name of the business in `text` of the outermost container.
        self.count_members(object, &[members, &["elements", "title", "text"]].concat());
        let title = self.text(object, "title").or_else(|| self.text(object, "text"));
        let mut elements = Vec::new();
        self.elements(object.get("elements").unwrap_or(&Value::Null), depth + 1, &mut elements);
        let alt = self.text(object, "alt");
        let metadata = self.metadata(object);
        Some(Element::Container(Container { layout, title, alt, metadata, elements }))
    }

    fn accordion_titles(&mut self, value: Option<&Value>) -> Vec<AccordionTitle> {
        let mut titles = Vec::new();
        for title in one_or_many(value) {
            if !self.take_from_budget(title) {
                continue;
            }
            titles.push(match title {
                Value::Object(title) => {
                    AccordionTitle { name: self.text(title, "name"), additional: self.text(title, "additional") }
                }
                Value::String(name) => AccordionTitle { name: message_text(name), additional: None },
                // Keeps the positions: headings and elements are matched by position.
                _ => AccordionTitle { name: None, additional: None },
            });
        }
        titles
    }

    /// `None` for a text element without a text. The caller then reads it as an element of an unknown type.
    fn text_element(&mut self, object: &Object<String, Value>) -> Option<Text> {
        let text = self.text(object, "text")?;
        self.count_members(object, &["text"]);
        Some(Text {
            text,
            tooltip: self.text(object, "tooltip"),
            alt: self.text(object, "alt"),
            click: self.click(object),
        })
    }

    fn button(&mut self, object: &Object<String, Value>) -> Button {
        self.count_members(object, &["title", "subtitle", "ref", "disabled"]);
        Button {
            title: self.text(object, "title"),
            subtitle: self.text(object, "subtitle"),
            tooltip: self.text(object, "tooltip"),
            click: self.click(object),
        }
    }

    fn image(&mut self, object: &Object<String, Value>) -> Image {
        self.count_members(object, &["url", "caption"]);
        Image {
            url: self.link(object, "url"),
            caption: self.text(object, "caption"),
            tooltip: self.text(object, "tooltip"),
            alt: self.text(object, "alt"),
            click: self.click(object),
        }
    }

    fn map(&mut self, object: &Object<String, Value>) -> Map {
        self.count_members(object, &["la", "lo"]);
        Map {
            place: self.coordinates(object),
            tooltip: self.text(object, "tooltip"),
            alt: self.text(object, "alt"),
            click: self.click(object),
        }
    }

    fn template(&mut self, object: &Object<String, Value>) -> QuickReplyTemplate {
        self.count_members(object, &["templateType", "title", "resp"]);
        let mut responses = Vec::new();
        for response in one_or_many(object.get("resp")) {
            if self.take_from_budget(response)
                && let Some(text) = message_text(&text_extraction::all_texts(response).join("\n"))
            {
                responses.push(text);
            }
        }
        QuickReplyTemplate { title: self.text(object, "title"), responses }
    }

    fn pairs(&mut self, value: Option<&Value>, into: &mut Vec<Element>) -> Vec<KeyValue> {
        let mut pairs = Vec::new();
        for pair in one_or_many(value) {
            if !self.take_from_budget(pair) {
                continue;
            }
            match pair.as_object().and_then(|pair| self.text(pair, "key").map(|key| (key, pair))) {
                Some((key, pair)) => pairs.push(KeyValue { key, value: self.text(pair, "value") }),
                None => {
                    self.ignored.types += 1;
                    self.keep_texts(pair, into);
                }
            }
        }
        pairs
    }

    fn checklist(&mut self, object: &Object<String, Value>, depth: usize, into: &mut Vec<Element>) -> Element {
        self.count_members(object, &["elements"]);
        let mut boxes = Vec::new();
        for option in one_or_many(object.get("elements")) {
            match option.as_object().filter(|option| option.get("type").is_none_or(|kind| kind == "checkbox")) {
                Some(members) if members.get("text").is_some_and(Value::is_string) => {
                    if self.take_from_budget(option) {
                        boxes.extend(self.checkbox(members));
                    }
                }
                _ => self.element(option, depth + 1, into),
            }
        }
        Element::Checklist { boxes }
    }

    fn checkbox(&mut self, object: &Object<String, Value>) -> Option<Checkbox> {
        let text = self.text(object, "text")?;
        self.count_members(object, &["text"]);
        Some(Checkbox { text, click: self.click(object) })
    }

    /// Reads `{"type": "quickReplies", "replies": [...]}`, or only the replies.
    fn quick_replies(&mut self, value: &Value, depth: usize, into: &mut Vec<Element>) {
        let replies = match value {
            Value::Object(object) if object.contains_key("replies") => {
                self.count_members(object, &["replies", "itemsPerRow"]);
                object.get("replies")
            }
            _ => Some(value),
        };
        for reply in one_or_many(replies) {
            match reply.as_object().filter(|reply| reply.get("type").is_none_or(|kind| kind == "button")) {
                Some(button) if button.contains_key("title") || button.contains_key("click") => {
                    if self.take_from_budget(reply) {
                        let button = self.button(button);
                        self.quick_replies.push(button);
                    }
                }
                // An empty object means no reply.
                Some(object) if object.is_empty() => {}
                _ => self.element(reply, depth + 1, into),
            }
        }
    }
}
