//! Reads fields of a channel's JSON. A field of an undocumented form counts as missing.

use serde_json::Value;

/// The elements of an array. Empty if it is missing.
pub(crate) fn array<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A text that is not blank, or a number as text, in the field at the end of `path`.
///
/// Written by hand: `Value::pointer` allocates for each step.
pub(crate) fn text(value: &Value, path: &[&str]) -> Option<String> {
    match path.iter().try_fold(value, |value, field| value.get(field))? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
