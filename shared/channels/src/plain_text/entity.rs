//! Decodes HTML entities, which LiveEngage's editors write into texts.

use std::borrow::Cow;

/// The longest reference in bytes, without `&` and `;`: `#1114111` with some leading zeros.
const MOST_BYTES: usize = 12;

/// Decodes numeric references and the five names of XML. Anything else is not changed. Decodes only once: `&amp;lt;` becomes `&lt;`.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let reference = after.split_once(';').filter(|(name, _)| name.len() <= MOST_BYTES);
        match reference.and_then(|(name, behind)| Some((character(name)?, behind))) {
            Some((character, behind)) => {
                decoded.push(character);
                rest = behind;
            }
            None => {
                decoded.push('&');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let number = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            char::from_u32(number.ok()?).filter(|c| !c.is_control() || *c == '\n')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn only_references_are_decoded() {
        for (written, read) in [
            ("&#x1F449; here", "👉 here"),
            ("&#128073;&#10;below", "👉\nbelow"),
            ("fish &amp; chips &lt;3 &quot;really&quot; it&apos;s", "fish & chips <3 \"really\" it's"),
            ("&amp;lt; twice", "&lt; twice"),
            ("R&D; Q&A &nope; &", "R&D; Q&A &nope; &"),
            ("&#0; &#7; &#xD800; &#x110000; &#; &#x;", "&#0; &#7; &#xD800; &#x110000; &#; &#x;"),
            ("&&amp;", "&&"),
            ("a & b; c", "a & b; c"),
        ] {
            assert_eq!(decode(written), read, "{written}");
        }
    }
}
