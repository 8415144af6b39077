//! Tolerant reading of LivePerson's JSON, as its documentation asks: ignore unknown fields and values, accept a bare element for a list of
//! one, and accept ids and numbers as strings or as numbers.
//!
//! The types are adapters for `#[serde_as(as = "...")]`. None of them fails, except on broken JSON.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_with::{DefaultOnError, DeserializeAs, DisplayFromStr, OneOrMany, PickFirst, Same, VecSkipError};

/// A value of the wanted form. Any other value counts as missing, so that a field that isn't needed can't make the needed ones unreadable.
pub(super) type Lenient = DefaultOnError;

/// An `Option<i64>`: a whole number, also as a string of digits. Any other value is `None`.
pub(super) type LenientNumber = DefaultOnError<Option<PickFirst<(Same, DisplayFromStr)>>>;

/// A `Vec`: a list, or a bare element as a list of one. Elements of another form are left out. Any other value is an empty list.
///
/// The element must not accept `null`: a bare `null` would be a list of one.
pub(super) type LenientList = DefaultOnError<PickFirst<(VecSkipError<Same>, OneOrMany<Same>)>>;

/// An `Option<String>`: a string, or a number or boolean as its text. Any other value is `None`.
///
/// Written by hand: `serde_with` turns a string into a number, but not a number into a string.
pub(super) struct LenientText;

impl<'de> DeserializeAs<'de, Option<String>> for LenientText {
    fn deserialize_as<D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
    }
}

/// Reads a whole number as [`LenientNumber`] does.
pub(super) fn number(value: &Value) -> Option<i64> {
    LenientNumber::deserialize_as(value).ok().flatten()
}

/// Unwraps a list of one element, and returns any other value unchanged.
///
/// Written by hand: a list of several elements must stay a list, so that the caller rejects it.
pub(super) fn unwrap_single(value: Value) -> Value {
    match value {
        Value::Array(mut elements) if elements.len() == 1 => elements.pop().unwrap_or_default(),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use serde_with::serde_as;

    use super::*;

    #[serde_as]
    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct LenientSample {
        #[serde_as(as = "Lenient")]
        id: Option<u8>,
        #[serde_as(as = "LenientText")]
        text: Option<String>,
        #[serde_as(as = "LenientNumber")]
        number: Option<i64>,
        #[serde_as(as = "LenientList")]
        list: Vec<u8>,
    }

    fn read(value: Value) -> LenientSample {
        let from_value: LenientSample = serde_json::from_value(value.clone()).unwrap();
        let from_text: LenientSample = serde_json::from_str(&value.to_string()).unwrap();
        assert_eq!(from_value, from_text);
        from_value
    }

    #[test]
    fn a_value_of_another_form_counts_as_missing() {
        for value in [json!("x"), json!(-1), json!(null), json!([7, 8]), json!({"a": 1})] {
            assert_eq!(read(json!({"id": value})).id, None, "{value}");
        }
        assert_eq!(read(json!({"id": 7})).id, Some(7));
        assert_eq!(read(json!({})), LenientSample::default());
    }

    #[test]
    fn numbers_and_texts_are_read_in_both_forms() {
        for (value, number, text) in [
            (json!("12"), Some(12), Some("12")),
            (json!(12), Some(12), Some("12")),
            (json!(-12), Some(-12), Some("-12")),
            (json!(true), None, Some("true")),
            (json!("a"), None, Some("a")),
            (json!(1.5), None, Some("1.5")),
            (json!(u64::MAX), None, Some("18446744073709551615")),
            (json!(null), None, None),
            (json!([1]), None, None),
            (json!({}), None, None),
        ] {
            let sample = read(json!({"text": value, "number": value}));
            assert_eq!((sample.number, sample.text.as_deref()), (number, text), "{value}");
            assert_eq!(super::number(&value), number, "{value}");
        }
    }

    #[test]
    fn a_list_is_read_from_a_list_or_a_bare_element() {
        for (value, list) in [
            (json!([1, 2]), &[1, 2][..]),
            (json!([1, "x", null, 2]), &[1, 2]),
            (json!(3), &[3]),
            (json!([]), &[]),
            (json!("x"), &[]),
            (json!({}), &[]),
            (json!(null), &[]),
        ] {
            assert_eq!(read(json!({"list": value})).list, list, "{value}");
        }
    }
}
