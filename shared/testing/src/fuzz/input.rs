//! Builds inputs for the bodies from arbitrary bytes.

use serde_json::{Map, Number, Value};

/// The maximum depth of a generated document. No reader follows a document to this depth.
const MOST_DEPTH: usize = 24;

/// Splits the bytes at the first line break.
pub(super) fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// Returns a number that depends on every byte (FNV-1a). It selects the bit to flip and the limits that apply.
pub(super) fn number(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// Returns `number` as an index below `count`. `count` must not be 0.
pub(super) fn index(number: u64, count: usize) -> usize {
    usize::try_from(number % count as u64).unwrap_or_default()
}

/// Returns the bytes with one bit flipped, or `None` if there are no bytes.
pub(super) fn flipped(data: &[u8], number: u64) -> Option<Vec<u8>> {
    let mut flipped = data.to_vec();
    *flipped.get_mut(index(number >> 3, data.len().max(1)))? ^= 1 << (number % 8);
    Some(flipped)
}

/// Returns similar but different bytes: with a flipped bit, cut off, doubled, or longer by one.
pub(super) fn changed(data: &[u8], number: u64) -> Vec<Vec<u8>> {
    let mut all = vec![[data, b" "].concat()];
    if !data.is_empty() {
        all.extend(flipped(data, number));
        all.push(data.iter().copied().take(index(number, data.len())).collect());
        all.push([data, data].concat());
    }
    all
}

/// Returns a text that does not occur in the bytes.
pub(super) fn canary(data: &[u8]) -> String {
    let data = String::from_utf8_lossy(data);
    (0..).map(|number: u32| format!("canary{number:06}")).find(|canary| !data.contains(canary.as_str())).unwrap()
}

/// Inserts a text somewhere into the bytes.
pub(super) fn with_inside(data: &[u8], number: u64, text: &str) -> Vec<u8> {
    let (before, after) = data.split_at(index(number, data.len() + 1));
    [before, text.as_bytes(), after].concat()
}

/// Returns the document with `text` in place of every string under one of these names. Spaces separate the names.
pub(super) fn with_texts(value: &Value, names: &str, text: &str) -> Value {
    match value {
        Value::Object(members) => {
            let replaced = |(name, value): (&String, &Value)| {
                let value = match value {
                    Value::String(_) if names.split(' ').any(|known| known == name) => text.into(),
                    value => with_texts(value, names, text),
                };
                (name.clone(), value)
            };
            members.iter().map(replaced).collect::<Map<_, _>>().into()
        }
        Value::Array(values) => values.iter().map(|value| with_texts(value, names, text)).collect(),
        value => value.clone(),
    }
}

/// Returns the document with `text` in place of one of its strings, which `number` selects. The names stay the same.
pub(super) fn with_one_text(value: &Value, number: u64, text: &str) -> Value {
    fn count(value: &Value) -> usize {
        match value {
            Value::Object(members) => members.values().map(count).sum(),
            Value::Array(values) => values.iter().map(count).sum(),
            value => usize::from(value.is_string()),
        }
    }
    fn replace(value: &mut Value, left: &mut usize, text: &str) {
        match value {
            Value::Object(members) => members.values_mut().for_each(|value| replace(value, left, text)),
            Value::Array(values) => values.iter_mut().for_each(|value| replace(value, left, text)),
            Value::String(found) => {
                if *left == 0 {
                    text.clone_into(found);
                }
                *left = left.wrapping_sub(1);
            }
            _ => {}
        }
    }
    let mut replaced = value.clone();
    replace(&mut replaced, &mut index(number, count(value).max(1)), text);
    replaced
}

/// Returns the bytes themselves, and a document generated from them. The document uses the words that the reader knows, so that bytes that
/// are not JSON also reach the reader.
pub(super) fn documents(data: &[u8], words: &str) -> [Vec<u8>; 2] {
    [data.to_vec(), grown(data, words).to_string().into_bytes()]
}

/// Generates a document with these words as names, and with texts and numbers from the bytes. Spaces separate the words.
pub(super) fn grown(data: &[u8], words: &str) -> Value {
    Grower { data, words: &words.split(' ').collect::<Vec<_>>() }.value(0)
}

struct Grower<'a> {
    data: &'a [u8],
    words: &'a [&'a str],
}

impl Grower<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.data.split_first().unwrap_or((&0, &[]));
        self.data = rest;
        *first
    }

    fn bytes(&mut self) -> [u8; 8] {
        std::array::from_fn(|_| self.byte())
    }

    fn word(&mut self) -> String {
        let number = u64::from(self.byte());
        self.words.get(index(number, self.words.len().max(1))).copied().unwrap_or_default().to_owned()
    }

    fn text(&mut self) -> String {
        let (text, rest) = self.data.split_at(usize::from(self.byte() % 48).min(self.data.len()));
        self.data = rest;
        String::from_utf8_lossy(text).into_owned()
    }

    fn value(&mut self, depth: usize) -> Value {
        if depth > MOST_DEPTH {
            return Value::Null;
        }
        match self.byte() % 16 {
            0 => Value::Null,
            1 => (self.byte() > 127).into(),
            2 => i8::from_be_bytes([self.byte()]).into(),
            3 => i64::from_be_bytes(self.bytes()).into(),
            4 => Number::from_f64(f64::from_be_bytes(self.bytes())).map_or(Value::Null, Value::Number),
            5..=7 => self.word().into(),
            8 => self.text().into(),
            9 => self.byte().to_string().into(),
            10 | 11 => (0..self.byte() % 5).map(|_| self.value(depth + 1)).collect(),
            _ => {
                let members = (0..self.byte() % 9).map(|_| (self.word(), self.value(depth + 1)));
                members.collect::<Map<_, _>>().into()
            }
        }
    }
}

/// Panics if a text of the other side is in what would be logged.
pub(super) fn hides(shown: &str, canary: &str) {
    assert!(!shown.contains(canary), "{shown}");
}
