//! Splitting text without cutting a visible character in two.

use std::iter;

use unicode_segmentation::UnicodeSegmentation;

/// Splits `text` into pieces that each measure at most `limit`.
///
/// Cuts on grapheme boundaries, and at a space or line break if there is one in the second half of a piece. Concatenated, the pieces are
/// the unchanged text. There are none only for an empty text. Each is found when it is asked for, so that a caller who needs one doesn't
/// pay for those after it.
///
/// `measure` returns the length of a string in the receiver's unit (septets, UTF-16 units, bytes of escaped JSON). It must be additive over
/// concatenation. A grapheme that is longer than the limit (many combining marks) is cut between its characters, because leaving it out
/// would lose text.
pub fn split(text: &str, limit: usize, measure: impl Fn(&str) -> usize + Copy) -> impl Iterator<Item = &str> {
    // Finding graphemes takes most of the time, so a text that fits isn't searched for them.
    let searched = if measure(text) <= limit { "" } else { text };
    let mut units = searched
        .graphemes(true)
        .flat_map(move |grapheme| {
            let is_too_long = measure(grapheme) > limit;
            grapheme.split_inclusive(move |_| is_too_long)
        })
        .peekable();
    let (mut start, mut at, mut length, mut last_space) = (0, 0, 0, None);
    iter::from_fn(move || {
        while let Some(unit) = units.peek() {
            let size = measure(unit);
            if length > 0 && length + size > limit {
                let cut = last_space.take().filter(|&(_, measured)| measured * 2 >= limit).map_or(at, |(cut, _)| cut);
                let piece = text.get(start..cut);
                start = cut;
                length = text.get(start..at).map_or(0, measure);
                return piece;
            }
            length += size;
            at += unit.len();
            if unit.chars().all(char::is_whitespace) {
                last_space = Some((at, length));
            }
            units.next();
        }
        let rest = text.get(start..).filter(|rest| !rest.is_empty());
        start = text.len();
        rest
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn split(text: &str, limit: usize, measure: impl Fn(&str) -> usize + Copy) -> Vec<&str> {
        super::split(text, limit, measure).collect()
    }

    fn utf16(text: &str) -> usize {
        text.encode_utf16().count()
    }

    #[test]
    fn prefers_a_space_and_keeps_it() {
        assert_eq!(split("hello brave world", 12, utf16), ["hello brave ", "world"]);
    }

    #[test]
    fn a_grapheme_is_not_cut() {
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(split(&family.repeat(3), 20, utf16), [family, family, family]);
    }

    #[test]
    fn a_grapheme_longer_than_the_limit_is_cut_and_not_lost() {
        let marks = format!("a{}", "\u{301}".repeat(30));
        let pieces = split(&marks, 10, utf16);
        assert_eq!(pieces.concat(), marks);
        assert!(pieces.iter().all(|p| utf16(p) <= 10));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_piece_is_too_long(text in "[\\PC \n👩‍🚀é]{0,200}", limit in 2usize..40) {
            let pieces = split(&text, limit, utf16);
            prop_assert_eq!(pieces.concat(), text.clone());
            for piece in &pieces {
                prop_assert!(!piece.is_empty() && utf16(piece) <= limit);
            }
        }
    }
}
