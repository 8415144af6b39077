//! The texts of JSON whose form is not known, in the order in which people read.

use serde_json::{Map as Object, Value};

use super::listed;
use crate::domain::rich_content::Link;

/// Members that people are meant to see, in reading order.
const TEXTS: &[&str] = &["title", "text", "message", "subtitle", "caption", "description", "alt"];

/// Members that hold an address.
const ADDRESSES: &[&str] = &["url", "uri"];

/// Members in which nothing is meant to be seen, or that are read apart.
const HIDDEN: &[&str] = &["click", "metadata", "style", "display", "selectMode", "ref", "titles"];

/// The texts of this object itself: not of what lies inside it.
pub(super) fn own_texts(object: &Object<String, Value>) -> Vec<String> {
    let words = TEXTS.iter().filter_map(|key| said(object.get(*key)?));
    // A web address that a person can follow gets its scheme; anything else is shown as it came.
    let addresses = ADDRESSES.iter().filter_map(|key| {
        let address = said_text(object.get(*key)?)?;
        Some(Link::parse(address).map_or_else(|_| address.to_owned(), String::from))
    });
    let rows = said_row(object, "key", "value").into_iter();
    let headings = listed(object.get("titles")).iter().filter_map(|title| match title {
        Value::Object(title) => said_row(title, "name", "additional"),
        _ => said(title),
    });
    let mut texts: Vec<String> = Vec::new();
    for text in rows.chain(words).chain(headings).chain(addresses) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// The objects inside this one, in which elements may be.
pub(super) fn inside(object: &Object<String, Value>) -> impl Iterator<Item = &Value> {
    object
        .iter()
        .filter(|(key, _)| !HIDDEN.contains(&key.as_str()))
        .flat_map(|(_, value)| listed(Some(value)))
        .filter(|value| value.is_object() || value.is_array())
}

/// All texts of a value, of whatever form, and the addresses of its clicks. Not recursive: the value may be of any depth.
pub(super) fn texts(value: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(object) => {
                texts.extend(own_texts(object));
                texts.extend(click_addresses(object));
                open.extend(inside_all(object).rev());
            }
            Value::Array(values) => open.extend(values.iter().rev()),
            Value::String(_) => texts.extend(said(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    texts
}

fn inside_all(object: &Object<String, Value>) -> impl DoubleEndedIterator<Item = &Value> {
    object
        .iter()
        .filter(|(key, value)| {
            let key = key.as_str();
            !HIDDEN.contains(&key) && (value.is_object() || value.is_array() || key == "resp")
        })
        .map(|(_, value)| value)
}

fn click_addresses(object: &Object<String, Value>) -> impl Iterator<Item = String> {
    listed(object.get("click").and_then(|click| click.get("actions")))
        .iter()
        .filter_map(|action| Link::parse(action.get("uri")?.as_str()?).ok())
        .map(String::from)
}

/// A row of a table, or the heading of a section that folds out.
fn said_row(object: &Object<String, Value>, first: &str, second: &str) -> Option<String> {
    match [first, second].map(|key| object.get(key).and_then(said)) {
        [Some(first), Some(second)] => Some(format!("{first}: {second}")),
        [first, second] => first.or(second),
    }
}

fn said_text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.trim().is_empty())
}

fn said(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        _ => said_text(value).map(str::to_owned),
    }
}
