//! Reading LivePerson's JSON as its documentation asks: unknown fields and values are ignored, a one-element array may come as
//! the bare element, and ids and numbers come as strings or numbers.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// A value of the wanted form, or `None` for anything else: a field nobody needs must not spoil those that are needed.
///
/// # Errors
/// Only for JSON that is broken.
pub(super) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// A string, or a number or boolean as its text; `None` for anything else.
///
/// # Errors
/// Only for JSON that is broken.
pub(super) fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    })
}

/// A whole number, also as a string of digits; `None` for anything else.
///
/// # Errors
/// Only for JSON that is broken.
pub(super) fn lenient_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    })
}

/// A list, or a bare element as a list of one; elements of another form are left out, and nothing at all is an empty list.
///
/// # Errors
/// Only for JSON that is broken.
pub(super) fn one_or_many<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let elements = match Value::deserialize(deserializer)? {
        Value::Array(elements) => elements,
        Value::Null => vec![],
        element => vec![element],
    };
    Ok(elements.into_iter().filter_map(|element| serde_json::from_value(element).ok()).collect())
}

/// The one element of a list of one, and anything else as it is.
pub(super) fn bare(value: Value) -> Value {
    match value {
        Value::Array(mut elements) if elements.len() == 1 => elements.pop().unwrap_or_default(),
        value => value,
    }
}
