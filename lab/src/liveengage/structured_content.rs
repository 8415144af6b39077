//! Structured content as text: the parts of a card in reading order, and the metadata that it returns.

use serde_json::Value;

/// The depth to which containers are read. The schema has no limit, and a card must not control the recursion depth.
const MAX_DEPTH: usize = 16;
/// The maximum number of listed parts, so that no card fills the page.
const MAX_PARTS: usize = 500;
/// The shown characters of a metadata value: the maximum of an `ExternalId`.
const MAX_TAG_VALUE_CHARACTERS: usize = 64;

/// The kind of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartKind {
    /// The start of one of several cards.
    Heading,
    Text,
    /// An image, a map, or the preview of a link.
    Media,
    Button,
    Checkbox,
    QuickReply,
    /// A part without a text.
    Other,
}

/// A part of a card, or a quick reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) kind: PartKind,
    pub(super) text: String,
    /// Its address or target, or the text that choosing it sends.
    pub(super) detail: Option<String>,
    /// The metadata that choosing it sends, as in [`tags`].
    pub(super) tags: Vec<String>,
}

/// The parts of a card and of the quick replies below it.
pub(super) fn parts(content: Option<&Value>, quick_replies: Option<&Value>) -> Vec<Part> {
    let mut outline = PartList::default();
    if let Some(content) = content {
        outline.element(content, 0);
    }
    for reply in
        quick_replies.and_then(|replies| replies.get("replies")).and_then(Value::as_array).into_iter().flatten()
    {
        outline.clickable(PartKind::QuickReply, reply, string(reply, "title").unwrap_or("(no title)"), None);
    }
    if outline.cut {
        outline.parts.push(plain(PartKind::Other, "…"));
    }
    outline.parts
}

/// A card as lines of text.
pub(super) fn summary(content: &Value, quick_replies: Option<&Value>) -> String {
    let lines: Vec<String> = parts(Some(content), quick_replies).iter().map(line).collect();
    if lines.is_empty() { "(empty card)".to_owned() } else { lines.join("\n") }
}

/// Each metadata object as its type and most descriptive member, for example `ExternalId: Yes-1234`.
pub(super) fn tags(metadata: &Value) -> Vec<String> {
    metadata.as_array().into_iter().flatten().map(tag).collect()
}

fn tag(metadata: &Value) -> String {
    let kind = string(metadata, "type").unwrap_or("metadata");
    let others = metadata.as_object().into_iter().flatten().filter(|(member, _)| *member != "type");
    let value = metadata.get("id").and_then(scalar).or_else(|| others.map(|(_, value)| value).find_map(scalar));
    let Some(value) = value else { return kind.to_owned() };
    let mut short: String = value.chars().take(MAX_TAG_VALUE_CHARACTERS).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    format!("{kind}: {short}")
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn string<'a>(value: &'a Value, member: &str) -> Option<&'a str> {
    value.get(member).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

fn plain(kind: PartKind, text: &str) -> Part {
    Part { kind, text: text.to_owned(), detail: None, tags: Vec::new() }
}

fn line(part: &Part) -> String {
    let text = match part.kind {
        PartKind::Button | PartKind::QuickReply => format!("[{}]", part.text),
        PartKind::Checkbox => format!("☐ {}", part.text),
        PartKind::Heading | PartKind::Text | PartKind::Media | PartKind::Other => part.text.clone(),
    };
    match &part.detail {
        Some(detail) => format!("{text} ({detail})"),
        None => text,
    }
}

#[derive(Default)]
struct PartList {
    parts: Vec<Part>,
    /// Whether something was omitted.
    cut: bool,
}

impl PartList {
    fn element(&mut self, element: &Value, depth: usize) {
        if depth > MAX_DEPTH || self.parts.len() >= MAX_PARTS {
            self.cut = true;
            return;
        }
        let kind = string(element, "type").unwrap_or("without a type");
        let name = |or: &'static str| {
            ["caption", "title", "alt", "tooltip"].into_iter().find_map(|member| string(element, member)).unwrap_or(or)
        };
        match kind {
            "text" => self.clickable(PartKind::Text, element, string(element, "text").unwrap_or_default(), None),
            "image" => self.clickable(PartKind::Media, element, name("Image"), string(element, "url")),
            "linkPreview" => self.clickable(PartKind::Media, element, name("Link"), string(element, "url")),
            "map" => {
                let coordinates = coordinates(element);
                self.clickable(PartKind::Media, element, name("Map"), coordinates.as_deref());
            }
            "button" | "submitButton" => {
                self.clickable(PartKind::Button, element, string(element, "title").unwrap_or("(no title)"), None);
            }
            "checkbox" => {
                self.clickable(PartKind::Checkbox, element, string(element, "text").unwrap_or("(no text)"), None);
            }
            "template" => {
                self.parts.push(plain(PartKind::Text, string(element, "title").unwrap_or_default()));
                for answer in element.get("resp").and_then(Value::as_array).into_iter().flatten() {
                    self.parts.push(plain(PartKind::Button, answer.as_str().unwrap_or("(no text)")));
                }
            }
            _ => self.container(kind, element, depth),
        }
    }

    fn container(&mut self, kind: &str, container: &Value, depth: usize) {
        let Some(elements) = container.get("elements").and_then(Value::as_array) else {
            self.parts.push(plain(PartKind::Other, string(container, "text").unwrap_or(kind)));
            return;
        };
        for (index, element) in elements.iter().enumerate() {
            match kind {
                "carousel" | "carouselSelect" => {
                    self.parts.push(plain(
                        PartKind::Heading,
                        &format!("Card {} of {}", index.saturating_add(1), elements.len()),
                    ));
                }
                "accordionSelect" => {
                    let title = container.pointer(&format!("/titles/{index}/name")).and_then(Value::as_str);
                    self.parts.push(plain(PartKind::Heading, title.unwrap_or("(no title)")));
                }
                "keyValuePairList" => {
                    let [key, value] =
                        ["key", "value"].map(|member| element.get(member).and_then(scalar).unwrap_or_default());
                    self.parts.push(plain(PartKind::Text, &format!("{key}: {value}")));
                    continue;
                }
                _ => {}
            }
            self.element(element, depth.saturating_add(1));
        }
    }

    /// A part and the effect of choosing it.
    fn clickable(&mut self, kind: PartKind, element: &Value, text: &str, coordinates: Option<&str>) {
        let click = element.get("click");
        let actions = click.and_then(|click| click.get("actions")).and_then(Value::as_array);
        let mut details: Vec<String> = coordinates.map(str::to_owned).into_iter().collect();
        for detail in actions.into_iter().flatten().filter_map(|action| action_effect(action, text)) {
            if !details.contains(&detail) {
                details.push(detail);
            }
        }
        self.parts.push(Part {
            kind,
            text: text.to_owned(),
            detail: (!details.is_empty()).then(|| details.join(" · ")),
            tags: click.and_then(|click| click.get("metadata")).map(tags).unwrap_or_default(),
        });
    }
}

/// The effect of an action; `None` if it sends the text of its element.
fn action_effect(action: &Value, text: &str) -> Option<String> {
    let says = |said: Option<&str>| said.filter(|said| *said != text).map(|said| format!("says “{said}”"));
    match string(action, "type").unwrap_or("without a type") {
        "publishText" => says(string(action, "text")),
        "checked" => says(string(action, "publishText")),
        "link" => Some(string(action, "uri").unwrap_or("a link without an address").to_owned()),
        "navigate" => coordinates(action),
        "datePicker" if string(action, "class") == Some("range") => Some("picks a range of dates".to_owned()),
        "datePicker" => Some("picks a date".to_owned()),
        "scheduleSlotList" => Some("picks a time slot".to_owned()),
        "submitAsText" => Some("sends the checked items".to_owned()),
        other => Some(other.to_owned()),
    }
}

/// Latitude and longitude in the order of maps.
fn coordinates(element: &Value) -> Option<String> {
    Some(format!("{}, {}", element.get("la")?, element.get("lo")?))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MAX_PARTS, MAX_TAG_VALUE_CHARACTERS, PartKind, parts, summary, tags};

    #[test]
    fn a_card_reads_from_top_to_bottom() {
        let card = json!({ "type": "vertical", "elements": [
            { "type": "image", "url": "https://shop.example/tent.png", "caption": "A tent" },
            { "type": "horizontal", "elements": [
                { "type": "text", "text": "Tent for two" },
                { "type": "text", "text": "149 €" },
            ] },
            { "type": "linkPreview", "url": "https://shop.example/tents", "title": "All tents" },
            { "type": "map", "la": 47.37, "lo": 8.54, "click": { "actions": [{ "type": "navigate", "la": 47.37, "lo": 8.54 }] } },
            { "type": "keyValuePairList", "elements": [{ "key": "Weight", "value": "2 kg" }] },
            { "type": "button", "title": "Look", "click": { "actions": [{ "type": "link", "uri": "shop.example/tent" }] } },
            { "type": "button", "title": "Take it", "click": {
                "actions": [{ "type": "publishText", "text": "I take the tent" }],
                "metadata": [{ "type": "ExternalId", "id": "tent-2" }],
            } },
            { "type": "button", "title": "Day", "click": { "actions": [{ "type": "datePicker", "class": "single" }] } },
        ] });
        let replies = json!({ "type": "quickReplies", "replies": [
            { "type": "button", "title": "Yes", "click": { "actions": [{ "type": "publishText", "text": "Yes" }] } },
            { "type": "button", "title": "No", "click": { "actions": [{ "type": "publishText", "text": "Rather not" }] } },
        ] });
        assert_eq!(
            summary(&card, Some(&replies)),
            "A tent (https://shop.example/tent.png)\nTent for two\n149 €\nAll tents (https://shop.example/tents)\n\
             Map (47.37, 8.54)\nWeight: 2 kg\n[Look] (shop.example/tent)\n[Take it] (says “I take the tent”)\n\
             [Day] (picks a date)\n[Yes]\n[No] (says “Rather not”)"
        );
        let take = parts(Some(&card), None).into_iter().find(|part| part.text == "Take it").unwrap();
        assert_eq!((take.kind, take.tags), (PartKind::Button, vec!["ExternalId: tent-2".to_owned()]));
    }

    #[test]
    fn several_cards_and_lists_keep_their_order() {
        let text = |text: &str| json!({ "type": "text", "text": text });
        let carousel =
            json!({ "type": "carousel", "elements": [text("One"), { "type": "vertical", "elements": [text("Two")] }] });
        assert_eq!(summary(&carousel, None), "Card 1 of 2\nOne\nCard 2 of 2\nTwo");
        let accordion =
            json!({ "type": "accordionSelect", "titles": [{ "name": "Size" }], "elements": [text("Small")] });
        assert_eq!(summary(&accordion, None), "Size\nSmall");
        let checkbox = json!({ "type": "checkbox", "text": "Blue", "click": { "actions": [{ "type": "checked", "publishText": "Blue" }] } });
        let list = json!({ "type": "list", "elements": [
            text("Colours?"),
            { "type": "sectionList", "elements": [{ "type": "section", "elements": [{ "type": "checklist", "elements": [checkbox] }] }] },
            { "type": "buttonList", "elements": [{ "type": "submitButton", "title": "Done", "click": { "actions": [{ "type": "submitAsText", "submit": true }] } }] },
        ] });
        assert_eq!(summary(&list, None), "Colours?\n☐ Blue\n[Done] (sends the checked items)");
        let template =
            json!({ "type": "template", "templateType": "quickReply", "title": "Again?", "resp": ["Yes", "No"] });
        assert_eq!(summary(&template, None), "Again?\n[Yes]\n[No]");
    }

    #[test]
    fn unknown_invalid_or_deep_content_is_shown_in_part() {
        assert_eq!(summary(&json!({ "type": "hologram" }), None), "hologram");
        assert_eq!(summary(&json!({ "type": "vertical", "elements": [] }), None), "(empty card)");
        assert_eq!(
            summary(&json!({ "type": "shelf", "elements": [{ "type": "text", "text": "On it" }, 7] }), None),
            "On it\nwithout a type"
        );
        assert_eq!(summary(&json!({ "type": "map" }), Some(&json!({ "replies": "none" }))), "Map");

        let deep = (0..40).fold(
            json!({ "type": "text", "text": "deep" }),
            |inner, _| json!({ "type": "vertical", "elements": [inner] }),
        );
        assert_eq!(summary(&deep, None), "…");
        let many: Vec<Value> = (0..2000).map(|number| json!({ "type": "text", "text": number.to_string() })).collect();
        let many = parts(Some(&json!({ "type": "vertical", "elements": many })), None);
        assert_eq!((many.len(), many.last().map(|part| part.text.as_str())), (MAX_PARTS + 1, Some("…")));
    }

    #[test]
    fn a_tag_shows_the_type_and_the_most_descriptive_field() {
        let long = "x".repeat(MAX_TAG_VALUE_CHARACTERS + 1);
        let metadata = json!([
            { "type": "ExternalId", "id": "Yes-1234" },
            { "provider": "AC", "questionId": "q", "id": "a7", "type": "Answer" },
            { "type": "ActionReason", "reason": "blocked" },
            { "type": "BotResponse", "intents": [] },
            { "id": 5 },
            { "type": "ExternalId", "id": long },
            "odd",
        ]);
        let cut = format!("ExternalId: {}…", "x".repeat(MAX_TAG_VALUE_CHARACTERS));
        assert_eq!(
            tags(&metadata),
            [
                "ExternalId: Yes-1234",
                "Answer: a7",
                "ActionReason: blocked",
                "BotResponse",
                "metadata: 5",
                &cut,
                "metadata"
            ]
        );
        assert!(tags(&Value::Null).is_empty());
    }
}
