//! Reads members of elements and actions.

use serde_json::{Map as Object, Value};

use super::{Reader, message_text};
use connector_message::{
    MessageText,
    rich_content::{Click, Coordinates, Link, Metadata},
};

/// Members that every element may have. Members for styles are known and not used.
///
/// Maintained by hand: `serde_ignored` reports the members that a `Deserialize` implementation skips, but this reader walks the JSON
/// itself, to keep the texts of unknown elements. The members for styles would have to be listed for `serde_ignored` as well.
const MEMBERS: &[&str] = &[
    "type",
    "tooltip",
    "rtl",
    "style",
    "click",
    "alt",
    "tag",
    "metadata",
    "display",
    "class",
    "border",
    "borderLine",
    "borderColor",
];

impl Reader {
    /// Counts the members that are neither in [`MEMBERS`] nor `known`.
    pub(super) fn count_members(&mut self, object: &Object<String, Value>, known: &[&str]) {
        let unknown = object.keys().filter(|key| !MEMBERS.contains(&key.as_str()) && !known.contains(&key.as_str()));
        self.ignored.members = self.ignored.members.saturating_add(u32::try_from(unknown.count()).unwrap_or(u32::MAX));
    }

    /// Reads a text. A number or a boolean is converted to a text. `None` for a blank text.
    pub(super) fn text(&mut self, object: &Object<String, Value>, key: &str) -> Option<MessageText> {
        match object.get(key)? {
            Value::String(text) => message_text(text),
            Value::Number(number) => Some(MessageText::new(number.to_string())),
            Value::Bool(flag) => Some(MessageText::new(flag.to_string())),
            Value::Null => None,
            Value::Array(_) | Value::Object(_) => {
                self.ignored.members += 1;
                None
            }
        }
    }

    /// Reads an address. Counts an invalid one.
    pub(super) fn link(&mut self, object: &Object<String, Value>, key: &str) -> Option<Link> {
        let address = self.text(object, key)?;
        let link = Link::parse(address.as_str()).ok();
        self.ignored.places += u32::from(link.is_none());
        link
    }

    /// Reads coordinates: `la` is the latitude and `lo` the longitude. Counts missing and invalid ones.
    pub(super) fn coordinates(&mut self, object: &Object<String, Value>) -> Option<Coordinates> {
        let degrees = |key| match object.get(key)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let place = degrees("la").zip(degrees("lo")).and_then(|(la, lo)| Coordinates::new(la, lo));
        self.ignored.places += u32::from(place.is_none());
        place
    }

    /// Reads metadata. Counts metadata of a wrong form, unless it is empty.
    pub(super) fn metadata(&mut self, object: &Object<String, Value>) -> Option<Metadata> {
        let value = object.get("metadata")?;
        let metadata = Metadata::new(value);
        let is_present = !value.is_null() && value.as_array().is_none_or(|entries| !entries.is_empty());
        self.ignored.members += u32::from(metadata.is_none() && is_present);
        metadata
    }

    /// Reads the click of an element. Counts one of a wrong form.
    pub(super) fn click(&mut self, object: &Object<String, Value>) -> Option<Click> {
        match object.get("click")? {
            Value::Object(click) => self.read_click(click),
            Value::Null => None,
            _ => {
                self.ignored.members += 1;
                None
            }
        }
    }
}
