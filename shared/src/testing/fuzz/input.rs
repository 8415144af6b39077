//! What the bodies make of their bytes.

use serde_json::{Map, Number, Value};

/// How deep a grown document may be: deeper than any reader follows it.
const MOST_DEPTH: usize = 24;

/// What stands before the first line break, and what stands after it.
pub(super) fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// A number that depends on every byte (FNV-1a): which bit is flipped, which limits hold.
pub(super) fn number(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// `number` as an index below `count`, which is not 0.
pub(super) fn index(number: u64, count: usize) -> usize {
    usize::try_from(number % count as u64).unwrap_or_default()
}

/// The bytes with one bit flipped; `None` where there is none.
pub(super) fn flipped(data: &[u8], number: u64) -> Option<Vec<u8>> {
    let mut flipped = data.to_vec();
    *flipped.get_mut(index(number >> 3, data.len().max(1)))? ^= 1 << (number % 8);
    Some(flipped)
}

/// Other bytes than these, close to them: a bit flipped, cut off, doubled, longer by one.
pub(super) fn changed(data: &[u8], number: u64) -> Vec<Vec<u8>> {
    let mut all = vec![[data, b" "].concat()];
    if !data.is_empty() {
        all.extend(flipped(data, number));
        all.push(data.iter().copied().take(index(number, data.len())).collect());
        all.push([data, data].concat());
    }
    all
}

/// A text that is nowhere in the bytes.
pub(super) fn canary(data: &[u8]) -> String {
    let data = String::from_utf8_lossy(data);
    (0..).map(|number: u32| format!("canary{number:06}")).find(|canary| !data.contains(canary.as_str())).unwrap()
}

/// The bytes with a text put in somewhere.
pub(super) fn with_inside(data: &[u8], number: u64, text: &str) -> Vec<u8> {
    let (before, after) = data.split_at(index(number, data.len() + 1));
    [before, text.as_bytes(), after].concat()
}

/// The document with `text` in place of every text under one of these names, which blanks part.
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

/// The document with `text` in place of one of its texts, whichever; the names stay as they are.
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

/// The bytes as they are, and a document that grows out of them: with the words that the reader knows, so that bytes which are no
/// JSON reach it as well.
pub(super) fn documents(data: &[u8], words: &str) -> [Vec<u8>; 2] {
    [data.to_vec(), grown(data, words).to_string().into_bytes()]
}

/// A document of these words, which blanks part, and of texts and numbers out of the bytes.
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

/// Whether a text of the other side is in what would be logged.
pub(super) fn hides(shown: &str, canary: &str) {
    assert!(!shown.contains(canary), "{shown}");
}
