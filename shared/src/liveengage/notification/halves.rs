//! Half an emoji in a body.

/// The body with every half of a surrogate pair (an emoji that somebody cut in two) replaced by the replacement character:
/// JavaScript writes such halves as `\\ud83d`, and JSON readers other than JavaScript's refuse the whole body.
pub(super) fn without_halves(body: &[u8]) -> Vec<u8> {
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
