//! JSON as others write it: read also where a strict reader refuses the whole of it for one character.

use serde::de::DeserializeOwned;

/// The byte order mark that some writers put in front.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a document of another system. Half an emoji in it becomes U+FFFD, and a byte order mark is passed over.
///
/// # Errors
/// serde's, for what is no JSON or not of the wanted form; [`serde_json::Error::is_eof`] for one that breaks off.
pub fn read<T: DeserializeOwned>(document: &[u8]) -> Result<T, serde_json::Error> {
    let document = document.strip_prefix(MARK).unwrap_or(document);
    serde_json::from_slice(document).or_else(|_| serde_json::from_slice(&without_halves(document)))
}

/// The document with every half of a surrogate pair (an emoji that somebody cut in two) replaced by the replacement character:
/// JavaScript writes such halves as `\\ud83d`, and JSON readers other than JavaScript's refuse the whole document.
fn without_halves(body: &[u8]) -> Vec<u8> {
    let unit = |at: usize| {
        let escape = body.get(at..at + 6)?;
        if escape.get(..2)? != b"\\u" {
            return None;
        }
        u16::from_str_radix(std::str::from_utf8(escape.get(2..)?).ok()?, 16).ok()
    };
    let mut whole = Vec::with_capacity(body.len());
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        let length = match (byte, unit(at)) {
            (b'\\', Some(0xD800..=0xDBFF)) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => 12,
            (b'\\', Some(0xD800..=0xDFFF)) => {
                whole.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            (b'\\', Some(_)) => 6,
            // Two, so that an escaped backslash does not begin another escape.
            (b'\\', None) => 2,
            _ => 1,
        };
        whole.extend_from_slice(body.get(at..at + length).unwrap_or(body.get(at..).unwrap_or_default()));
        at += length;
    }
    whole
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn half_an_emoji_becomes_the_replacement_character_and_nothing_else_changes() {
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
    fn a_byte_order_mark_is_passed_over() {
        assert_eq!(read::<Value>("\u{feff}{\"id\":7}".as_bytes()).unwrap(), json!({"id": 7}));
    }

    #[test]
    fn a_document_that_breaks_off_is_told_from_one_that_is_no_json() {
        for cut_off in ["", " ", "{", r#"{"id":"mt-"#, r#"{"id":"\ud8"#, r#"{"id":"\ud83d"#] {
            assert!(read::<Value>(cut_off.as_bytes()).unwrap_err().is_eof(), "{cut_off}");
        }
        for other in ["OK", "<html>", "{} {}", "{'id'}"] {
            assert!(!read::<Value>(other.as_bytes()).unwrap_err().is_eof(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn good_json_is_left_as_it_is_by_the_mending(texts in prop::collection::vec(any::<String>(), 0..4)) {
            let document = json!(texts).to_string();
            prop_assert_eq!(without_halves(document.as_bytes()), document.into_bytes());
        }

        #[test]
        fn no_bytes_make_the_mending_panic(document in prop::collection::vec(prop::sample::select(b"\\ud8Dcf0\"{".to_vec()), 0..40)) {
            let _ = without_halves(&document);
        }
    }
}
