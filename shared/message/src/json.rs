//! Tolerant reading of JSON that other systems write: one bad character must not make a whole document unreadable.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The UTF-8 byte order mark, which some systems write at the start.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a document of another system. Replaces an unpaired surrogate by U+FFFD, and skips a byte order mark.
///
/// # Errors
/// The error of serde for a document that is not JSON or not of the expected form. [`serde_json::Error::is_eof`] is true for a truncated
/// document.
pub fn read<T: DeserializeOwned>(document: &[u8]) -> Result<T, serde_json::Error> {
    let document = document.strip_prefix(BYTE_ORDER_MARK).unwrap_or(document);
    serde_json::from_slice(document).or_else(|_| serde_json::from_slice(&replace_unpaired_surrogates(document)))
}

/// The elements of a list, or a bare value as a list of one. A missing value and `null` are an empty list.
///
/// Written by hand: `serde_with::OneOrMany` would copy the elements.
pub fn one_or_many(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(elements)) => elements,
        None | Some(Value::Null) => &[],
        Some(bare) => std::slice::from_ref(bare),
    }
}

/// Replaces every unpaired surrogate by the replacement character. JavaScript writes an emoji that was cut in two as `\\ud83d`, and most
/// JSON readers reject the whole document for it.
fn replace_unpaired_surrogates(body: &[u8]) -> Vec<u8> {
    let unit = |at: usize| {
        let escape = body.get(at..at + 6)?;
        if escape.get(..2)? != b"\\u" {
            return None;
        }
        u16::from_str_radix(std::str::from_utf8(escape.get(2..)?).ok()?, 16).ok()
    };
    let mut replaced = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        let length = match (byte, unit(at)) {
            (b'\\', Some(0xD800..=0xDBFF)) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => 12,
            (b'\\', Some(0xD800..=0xDFFF)) => {
                replaced.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            (b'\\', Some(_)) => 6,
            // Skip two bytes, so that an escaped backslash doesn't start another escape.
            (b'\\', None) => 2,
            _ => 1,
        };
        replaced.extend_from_slice(body.get(at..at + length).unwrap_or(body.get(at..).unwrap_or_default()));
        at += length;
    }
    replaced
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_unpaired_surrogate_is_replaced() {
        for (escaped, text) in [
            (r"a \ud83d", "a \u{fffd}"),
            (r"\ude00 b", "\u{fffd} b"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\\ud83d \ud83d", "\\ud83d \u{fffd}"),
            (r"\uD83D\uDE00", "😀"),
        ] {
            let document = format!(r#"{{"text":"{escaped}"}}"#);
            assert_eq!(read::<Value>(document.as_bytes()).unwrap(), json!({"text": text}), "{escaped}");
        }
    }

    #[test]
    fn a_bare_value_is_a_list_of_one() {
        let document = json!({"list": [1, null], "bare": {"a": 1}, "nothing": null});
        let read = |field: &str| one_or_many(document.get(field));
        assert_eq!((read("list"), read("bare")), (&[json!(1), json!(null)][..], &[json!({"a": 1})][..]));
        assert!(read("nothing").is_empty() && read("missing").is_empty());
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert_eq!(read::<Value>("\u{feff}{\"id\":7}".as_bytes()).unwrap(), json!({"id": 7}));
    }

    #[test]
    fn a_truncated_document_is_distinguished_from_one_that_is_not_json() {
        for cut_off in ["", " ", "{", r#"{"id":"mt-"#, r#"{"id":"\ud8"#, r#"{"id":"\ud83d"#] {
            assert!(read::<Value>(cut_off.as_bytes()).unwrap_err().is_eof(), "{cut_off}");
        }
        for other in ["OK", "<html>", "{} {}", "{'id'}"] {
            assert!(!read::<Value>(other.as_bytes()).unwrap_err().is_eof(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn valid_json_is_not_changed(texts in prop::collection::vec(any::<String>(), 0..4)) {
            let document = json!(texts).to_string();
            prop_assert_eq!(replace_unpaired_surrogates(document.as_bytes()), document.into_bytes());
        }

        #[test]
        fn no_input_causes_a_panic(document in prop::collection::vec(prop::sample::select(b"\\ud8Dcf0\"{".to_vec()), 0..40)) {
            let _ = replace_unpaired_surrogates(&document);
        }
    }
}
