//! Checks that structured content is read without ignoring anything, and shown as text without leaving anything out.

use connector_channels::plain_text::{self, Wording};
use connector_liveengage::structured_content::{self, Ignored};
use serde_json::{Value, json};

use super::Sample;

/// Samples of which something must be ignored.
const IGNORED: &[(&str, Ignored, &str)] = &[(
    "sc-metadata-guide-card.json",
    Ignored { types: 0, members: 0, actions: 0, places: 1, cut: 0 },
    "a way to a place that is not on earth",
)];

/// Completes a card. Some samples show only a click or an action.
fn card(json: &Value) -> Value {
    let actions = ["publishText", "link", "navigate"];
    if json.get("type").is_none() {
        json!({"type": "button", "title": "the click's button", "click": json})
    } else if actions.iter().any(|kind| json["type"] == **kind) {
        json!({"type": "button", "title": "the action's button", "click": {"actions": [json]}})
    } else {
        json.clone()
    }
}

pub(super) fn check(sample: &Sample) -> Result<(), String> {
    let wanted = IGNORED.iter().find(|(file, ..)| *file == sample.file).map(|(_, ignored, _)| *ignored);
    shown(&card(&sample.json), None, wanted.unwrap_or_default())
}

/// Checks that the text shows everything that a consumer must see, of content, of quick replies, or of both.
pub(super) fn check_shown(content: &Value, quick_replies: Option<&Value>) -> Result<(), String> {
    shown(content, quick_replies, Ignored::default())
}

fn shown(content: &Value, quick_replies: Option<&Value>, wanted: Ignored) -> Result<(), String> {
    let (read, ignored) = structured_content::read(content, quick_replies);
    if ignored != wanted {
        return Err(format!("{ignored:?}, and {wanted:?} is right"));
    }
    let floor = plain_text::render(&read, &Wording::default());
    let inside = content.as_str().and_then(|json| serde_json::from_str(json).ok());
    let content = inside.as_ref().unwrap_or(content);
    let mut seen = Vec::new();
    let mut published = Vec::new();
    for value in [Some(content), quick_replies].into_iter().flatten() {
        collect(value, &mut seen, &mut published);
    }
    for text in &seen {
        // Compare only the words around an entity. The tests of the plain text check how an entity is decoded.
        for part in text.split('&').flat_map(|part| part.split(';')).filter(|part| !part.starts_with('#')) {
            if !floor.text.contains(part.trim()) {
                return Err(format!("`{part}` is not shown in `{}`", floor.text));
            }
        }
    }
    for (text, metadata) in &published {
        let chosen = floor.choices.iter().find(|choice| {
            choice.publish.as_ref().unwrap_or(&choice.title).as_str() == *text && choice.metadata.as_ref() == *metadata
        });
        if chosen.is_none() {
            return Err(format!("`{text}` can't be chosen, or without its metadata"));
        }
    }
    Ok(())
}

/// Returns the texts that a consumer sees, and what a click publishes with which metadata.
fn collect<'a>(value: &'a Value, seen: &mut Vec<&'a str>, published: &mut Vec<(&'a str, Option<&'a Value>)>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, seen, published)),
        Value::Object(object) => {
            seen.extend(["title", "text", "caption", "url"].iter().filter_map(|key| object.get(*key)?.as_str()));
            if let Some(click) = object.get("click") {
                let metadata = click.get("metadata");
                for action in click["actions"].as_array().into_iter().flatten() {
                    match action["type"].as_str().unwrap_or_default() {
                        "publishText" => published.extend(action["text"].as_str().map(|text| (text, metadata))),
                        "checked" => published.extend(action["publishText"].as_str().map(|text| (text, metadata))),
                        "link" => seen.extend(action["uri"].as_str()),
                        "navigate" => seen.extend(action["name"].as_str()),
                        "datePicker" => seen.extend(action["title"].as_str()),
                        _ => {}
                    }
                }
            }
            let inside = object.iter().filter(|(key, _)| !matches!(key.as_str(), "click" | "metadata"));
            inside.for_each(|(_, value)| collect(value, seen, published));
        }
        _ => {}
    }
}
