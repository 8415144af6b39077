//! Parts of an SMS: GSM-7 or UCS-2 (3GPP TS 23.038), and concatenation (3GPP TS 23.040).
//!
//! A single part has 160 septets or 70 UTF-16 units. In a part of a longer text, the concatenation header takes 7 septets or 3 units.

use connector_message::text::split;

const SINGLE_SEPTETS: usize = 160;
const PART_SEPTETS: usize = 153;
const SINGLE_UNITS: usize = 70;
const PART_UNITS: usize = 67;

/// The GSM 7-bit default alphabet, without the escape character.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// The extension table. Each character takes two septets.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// The encoding of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// All characters are in the GSM 7-bit default alphabet or its extension table.
    Gsm7,
    /// UTF-16 units, for any other text. An emoji has two or more units.
    Ucs2,
}

/// The encoding that `text` requires.
fn encoding(text: &str) -> Encoding {
    if text.chars().all(|c| BASIC.contains(c) || EXTENSION.contains(c)) { Encoding::Gsm7 } else { Encoding::Ucs2 }
}

fn septets(text: &str) -> usize {
    text.chars().map(|c| if EXTENSION.contains(c) { 2 } else { 1 }).sum()
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The number of parts of a text, which is what a gateway bills. 1 for an empty text.
pub fn parts(text: &str) -> usize {
    let (single, part, length): (usize, usize, usize) = match encoding(text) {
        Encoding::Gsm7 => (SINGLE_SEPTETS, PART_SEPTETS, septets(text)),
        Encoding::Ucs2 => (SINGLE_UNITS, PART_UNITS, units(text)),
    };
    if length <= single {
        return 1;
    }
    // A character of two septets or units is not divided between two parts: a part can have one unused unit at its end.
    let measure: fn(&str) -> usize = match encoding(text) {
        Encoding::Gsm7 => septets,
        Encoding::Ucs2 => units,
    };
    let (mut count, mut filled) = (1, 0);
    let mut buffer = [0; 4];
    for c in text.chars() {
        let size = measure(c.encode_utf8(&mut buffer));
        if filled + size > part {
            count += 1;
            filled = 0;
        }
        filled += size;
    }
    count
}

/// Splits a text between graphemes, and if possible at a space, into messages of at most `most_parts` parts each.
///
/// Concatenated, the messages are the text. If the text requires UCS-2, every message is measured in UCS-2. This can give one message more
/// than necessary, but never one that is too long.
pub fn messages(text: &str, most_parts: usize) -> Vec<&str> {
    if parts(text) <= most_parts {
        return if text.is_empty() { vec![] } else { vec![text] };
    }
    // One unit less per part, because a character of two units can leave one unit unused.
    match encoding(text) {
        Encoding::Gsm7 => split(text, most_parts * (PART_SEPTETS - 1), septets),
        Encoding::Ucs2 => split(text, most_parts * (PART_UNITS - 1), units),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_alphabet_has_127_characters_and_ten_extensions() {
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(EXTENSION.chars().count(), 10);
    }

    #[test]
    fn parts_are_counted_as_gateways_bill_them() {
        for (text, expected) in [
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // 76 two-septet characters fit into a part of 153: one septet stays empty.
            ("€".repeat(152), 2),
            ("€".repeat(153), 3),
            ("я".repeat(70), 1),
            ("я".repeat(71), 2),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
            (String::new(), 1),
        ] {
            assert_eq!(parts(&text), expected, "{} x {}", text.chars().count(), text.chars().next().unwrap_or(' '));
        }
    }

    #[test]
    fn one_character_outside_the_alphabet_makes_it_ucs2() {
        assert_eq!(encoding("Grüße, 5 € für {alle}"), Encoding::Gsm7);
        assert_eq!(encoding("ça va"), Encoding::Ucs2);
        assert_eq!(encoding("it’s"), Encoding::Ucs2);
    }

    proptest! {
        #[test]
        fn no_message_has_too_many_parts_and_nothing_is_lost(text in "[a-z€{😀👩‍🚀é ]{0,400}", most in 1usize..4) {
            let pieces = messages(&text, most);
            prop_assert_eq!(pieces.concat(), text.clone());
            for piece in pieces {
                prop_assert!(parts(piece) <= most, "{} parts", parts(piece));
            }
        }
    }
}
