//! Parts of an SMS: GSM-7 or UCS-2 (3GPP TS 23.038), and concatenation (3GPP TS 23.040).
//!
//! A single part has 160 septets or 70 UTF-16 units. In a part of a longer text, the concatenation header takes 7 septets or 3 units.

use connector_message::text::split;

/// The encoding of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// All characters are in the GSM 7-bit default alphabet or its extension table.
    Gsm7,
    /// UTF-16 units, for any other text. An emoji has two or more units.
    Ucs2,
}

impl Encoding {
    /// The septets or units of a single part.
    const fn single(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// The septets or units of a part of a longer text.
    const fn part(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    /// The septets or units of a character.
    fn size(self, c: char) -> usize {
        match self {
            // Never `None`: a text with any other character is UCS-2.
            Self::Gsm7 => septets(c).unwrap_or(1),
            Self::Ucs2 => c.len_utf16(),
        }
    }

    /// The septets or units of a text.
    fn length(self, text: &str) -> usize {
        text.chars().map(|c| self.size(c)).sum()
    }
}

/// The encoding that `text` requires.
fn encoding(text: &str) -> Encoding {
    if text.chars().all(|c| septets(c).is_some()) { Encoding::Gsm7 } else { Encoding::Ucs2 }
}

/// The septets of a character: one in the GSM 7-bit default alphabet, two in its extension table, `None` in neither.
const fn septets(c: char) -> Option<usize> {
    match c {
        '\n' | '\r' | ' '..='Z' | '_' | 'a'..='z' => Some(1),
        '\u{c}' | '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' | '€' => Some(2),
        '£' | '¥' | '¤' | '¡' | '¿' | '§' | 'Δ' | 'Φ' | 'Γ' | 'Λ' | 'Ω' | 'Π' | 'Ψ' | 'Σ' | 'Θ' | 'Ξ' => {
            Some(1)
        }
        'è' | 'é' | 'ù' | 'ì' | 'ò' | 'à' | 'Ç' | 'Ø' | 'ø' | 'Å' | 'å' | 'Æ' | 'æ' | 'ß' | 'É' => {
            Some(1)
        }
        'Ä' | 'Ö' | 'Ñ' | 'Ü' | 'ä' | 'ö' | 'ñ' | 'ü' => Some(1),
        _ => None,
    }
}

/// The number of parts of a text, which is what a gateway bills. 1 for an empty text.
pub fn parts(text: &str) -> usize {
    parts_in(encoding(text), text)
}

fn parts_in(encoding: Encoding, text: &str) -> usize {
    if encoding.length(text) <= encoding.single() {
        return 1;
    }
    // A character of two septets or units is not divided between two parts: a part can have one unused unit at its end.
    let (mut count, mut filled) = (1, 0);
    for size in text.chars().map(|c| encoding.size(c)) {
        if filled + size > encoding.part() {
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
pub fn messages(text: &str, most_parts: usize) -> impl Iterator<Item = &str> {
    let encoding = encoding(text);
    let limit = if parts_in(encoding, text) <= most_parts {
        usize::MAX
    } else {
        // One unit less per part, because a character of two units can leave one unit unused.
        most_parts * (encoding.part() - 1)
    };
    split(text, limit, move |piece| encoding.length(piece))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The GSM 7-bit default alphabet, without the escape character.
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    /// The extension table. Each character takes two septets.
    const EXTENSION: &str = "\u{c}^{}\\[~]|€";

    fn messages(text: &str, most_parts: usize) -> Vec<&str> {
        super::messages(text, most_parts).collect()
    }

    #[test]
    fn the_alphabet_has_127_characters_and_ten_extensions() {
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(EXTENSION.chars().count(), 10);
    }

    #[test]
    fn every_character_has_the_septets_of_its_table() {
        for c in '\0'..=char::MAX {
            let expected = if EXTENSION.contains(c) { Some(2) } else { BASIC.contains(c).then_some(1) };
            assert_eq!(septets(c), expected, "{c:?}");
        }
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
