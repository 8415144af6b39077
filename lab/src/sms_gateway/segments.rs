//! The number of SMS for a text (3GPP TS 23.038 and 23.040). It is `parts` in an answer, and a real account is billed
//! by it.

/// The GSM 7-bit default alphabet without the escape character: one septet each.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// The extension table: an escape and a character, two septets that must not be separated.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// The number of SMS for the text: 160 septets or 70 UTF-16 units in one part, 153 or 67 in each of several parts.
pub(super) fn parts(text: &str) -> usize {
    let septets: Option<Vec<usize>> = text.chars().map(septets).collect();
    match septets {
        Some(widths) => count(widths, 160, 153),
        None => count(text.chars().map(char::len_utf16).collect(), 70, 67),
    }
}

fn septets(character: char) -> Option<usize> {
    if BASIC.contains(character) {
        Some(1)
    } else if EXTENSION.contains(character) {
        Some(2)
    } else {
        None
    }
}

/// Fills parts in order, without splitting a character.
fn count(widths: Vec<usize>, alone: usize, each: usize) -> usize {
    if widths.iter().sum::<usize>() <= alone {
        return 1;
    }
    let (parts, _) = widths.into_iter().fold((1, 0), |(parts, filled), width| {
        if filled + width > each { (parts + 1, width) } else { (parts, filled + width) }
    });
    parts
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn gsm_7_segments_hold_160_then_153_characters() {
        assert_eq!(parts("a"), 1);
        assert_eq!(parts(&"a".repeat(160)), 1);
        assert_eq!(parts(&"a".repeat(161)), 2);
        assert_eq!(parts(&"a".repeat(306)), 2);
        assert_eq!(parts(&"a".repeat(307)), 3);
    }

    #[test]
    fn an_extension_character_takes_two_septets_and_is_not_split() {
        assert_eq!(parts(&"€".repeat(80)), 1);
        assert_eq!(parts(&"€".repeat(81)), 2);
        // 76 fit into 153 septets with one left over that no escape pair can use.
        assert_eq!(parts(&"€".repeat(152)), 2);
        assert_eq!(parts(&"€".repeat(153)), 3);
    }

    #[test]
    fn one_character_outside_gsm_7_makes_the_whole_text_ucs_2() {
        assert_eq!(parts(&format!("{}ж", "a".repeat(69))), 1);
        assert_eq!(parts(&format!("{}ж", "a".repeat(70))), 2);
        assert_eq!(parts(&"👋".repeat(35)), 1);
        // 33 emoji fit into 67 units with one left over.
        assert_eq!(parts(&"👋".repeat(66)), 2);
        assert_eq!(parts(&"👋".repeat(67)), 3);
    }
}
