//! Finds the texts in JSON of an unknown form, in reading order.

use serde_json::{Map as Object, Value};

use connector_message::{json::one_or_many, rich_content::Link};

/// Members with visible texts, in reading order.
const TEXTS: &[&str] = &["title", "text", "message", "subtitle", "caption", "description", "alt"];

/// Members with an address.
const ADDRESSES: &[&str] = &["url", "uri"];

/// Members without visible texts, and members that are read separately.
const SKIPPED: &[&str] = &["click", "metadata", "style", "display", "selectMode", "ref", "titles"];

/// The texts of an object, without those of the objects inside it.
pub(super) fn own_texts(object: &Object<String, Value>) -> Vec<String> {
    let words = TEXTS.iter().filter_map(|key| value_text(object.get(*key)?));
    // A valid address gets its scheme. Any other address is kept unchanged.
    let addresses = ADDRESSES.iter().filter_map(|key| {
        let address = string_text(object.get(*key)?)?;
        Some(Link::parse(address).map_or_else(|_| address.to_owned(), String::from))
    });
    let rows = row_text(object, "key", "value").into_iter();
    let headings = one_or_many(object.get("titles")).iter().filter_map(|title| match title {
        Value::Object(title) => row_text(title, "name", "additional"),
        _ => value_text(title),
    });
    let mut texts: Vec<String> = Vec::new();
    for text in rows.chain(words).chain(headings).chain(addresses) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// The values inside an object that can be elements.
pub(super) fn children(object: &Object<String, Value>) -> impl Iterator<Item = &Value> {
    object
        .iter()
        .filter(|(key, _)| !SKIPPED.contains(&key.as_str()))
        .flat_map(|(_, value)| one_or_many(Some(value)))
        .filter(|value| value.is_object() || value.is_array())
}

/// All texts of a value of any form, and the addresses of its clicks. Not recursive, because the value may have any depth.
pub(super) fn all_texts(value: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        match value {
            Value::Object(object) => {
                texts.extend(own_texts(object));
                texts.extend(click_addresses(object));
                pending.extend(children_with_texts(object).rev());
            }
            Value::Array(values) => pending.extend(values.iter().rev()),
            Value::String(_) => texts.extend(value_text(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    texts
}

/// The values inside an object that can contain texts.
fn children_with_texts(object: &Object<String, Value>) -> impl DoubleEndedIterator<Item = &Value> {
    object
        .iter()
        .filter(|(key, value)| {
            let key = key.as_str();
            !SKIPPED.contains(&key) && (value.is_object() || value.is_array() || key == "resp")
        })
        .map(|(_, value)| value)
}

/// The valid addresses of an object's click.
fn click_addresses(object: &Object<String, Value>) -> impl Iterator<Item = String> {
    one_or_many(object.get("click").and_then(|click| click.get("actions")))
        .iter()
        .filter_map(|action| Link::parse(action.get("uri")?.as_str()?).ok())
        .map(String::from)
}

/// A row of a table, or the heading of a collapsible section.
fn row_text(object: &Object<String, Value>, first: &str, second: &str) -> Option<String> {
    match [first, second].map(|key| object.get(key).and_then(value_text)) {
        [Some(first), Some(second)] => Some(format!("{first}: {second}")),
        [first, second] => first.or(second),
    }
}

/// A text that is not blank.
fn string_text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.trim().is_empty())
}

/// A text that is not blank, or a number as a text.
fn value_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        _ => string_text(value).map(str::to_owned),
    }
}
