//! Searches log lines for planted values in every form in which they could be logged.

use std::{collections::BTreeSet, fmt};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use serde_json::Value;

/// The kind of a value that must not be logged. It decides how the search looks for the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A phone number. Searched: its digits anywhere, and its last four or more digits as a separate word.
    Number,
    /// A text of a person. Searched: a text of at least eight characters anywhere, also cut off; a shorter one as the whole value of a
    /// field.
    Text,
    /// A sentence in a request or an answer. Searched: the whole sentence, anywhere.
    Sentence,
    /// A person's name. Searched: the whole name, and every part of at least five characters.
    Name,
    /// A secret or a token. Searched: the whole value, its beginning and its end.
    Secret,
}

/// A planted value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Canary {
    pub(super) kind: Kind,
    pub(super) value: String,
}

/// A planted value that was found in a log line.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    /// The form in which it was found.
    pub(super) form: &'static str,
    /// The event's target, file and line.
    pub(super) place: String,
    line: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({}) logged by {}: {}", self.kind, self.form, self.place, self.line.trim_end())
    }
}

/// The shortest text that is searched anywhere.
const SHORTEST_TEXT: usize = 8;
/// The shortest part of a name that is searched.
const SHORTEST_NAME: usize = 5;
/// The length of the beginning and of the end of a long value that are searched.
const CUT: usize = 12;
/// The minimum number of digits that reveal a phone number.
const FEWEST_DIGITS: usize = 4;

/// Whether this could be a sentence of a person, and is no id or keyword.
pub(super) fn is_sentence(text: &str) -> bool {
    // The connector's own texts at the desk are in brackets.
    text.trim().contains(char::is_whitespace) && text.chars().count() >= SHORTEST_TEXT && !text.starts_with('[')
}

/// Whether a field of this name holds a secret or a token.
pub(super) fn is_secrets_name(name: &str) -> bool {
    ["client_secret", "webhook_secret", "app_secret", "consumer_id_key", "bearer_token", "access_token", "verify_token"]
        .contains(&name)
}

/// Returns the texts that are searched anywhere in a line, each with the name of its form.
fn needles(canary: &Canary) -> Vec<(&'static str, String)> {
    let value = canary.value.as_str();
    match canary.kind {
        Kind::Number => {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            if digits.len() < 7 { vec![] } else { encoded(&digits) }
        }
        Kind::Text if value.chars().count() < SHORTEST_TEXT => vec![],
        Kind::Sentence => encoded(value),
        Kind::Name => {
            let parts = value.split_whitespace().filter(|part| {
                // The lab gives everybody this name.
                part.chars().count() >= SHORTEST_NAME && *part != "Consumer"
            });
            encoded(value).into_iter().chain(parts.map(|part| ("a part", part.to_owned()))).collect()
        }
        Kind::Text | Kind::Secret => encoded(value).into_iter().chain(ends(value)).collect(),
    }
}

fn ends(value: &str) -> Vec<(&'static str, String)> {
    let count = value.chars().count();
    if count < CUT + 4 {
        return vec![];
    }
    let (begin, end) = (value.chars().take(CUT).collect(), value.chars().skip(count - CUT).collect());
    vec![("the beginning", begin), ("the end", end)]
}

/// Returns a value unchanged, and in the forms of JSON, `Debug`, Base64 and hexadecimal. The lines themselves are percent-decoded.
fn encoded(value: &str) -> Vec<(&'static str, String)> {
    let mut forms = vec![("as it is", value.to_owned())];
    forms.push(("in Debug", value.escape_debug().to_string()));
    let quoted = Value::from(value).to_string();
    let json = quoted.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&quoted);
    forms.push(("in JSON", json.to_owned()));
    forms.push(("in JSON of ASCII", json.encode_utf16().map(ascii_unit).collect()));
    forms.push(("in hexadecimal", value.bytes().map(|byte| format!("{byte:02x}")).collect()));
    // The characters at both ends depend on the neighbors of the value.
    for (offset, begin) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&vec![0; offset], value.as_bytes()].concat();
        for encoded in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            let end = encoded.len() - usize::from(bytes.len() % 3 != 0);
            forms.push(("in Base64", encoded[begin..end].to_owned()));
        }
    }
    let mut seen = BTreeSet::new();
    forms.retain(|(_, form)| seen.insert(form.clone()));
    forms
}

fn ascii_unit(unit: u16) -> String {
    match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    }
}

/// A parsed line.
struct Parts {
    place: String,
    /// All keys and values, unchanged and percent-decoded.
    text: String,
    values: Vec<String>,
}

impl Parts {
    fn of(line: &str) -> Self {
        let parsed: Value = serde_json::from_str(line).unwrap_or_else(|_| Value::from(line));
        let field = |name: &str| parsed.get(name).map(ToString::to_string).unwrap_or_default();
        let place = format!("{} ({}:{})", field("target"), field("filename"), field("line_number")).replace('"', "");
        let mut values = Vec::new();
        match &parsed {
            Value::Object(fields) => {
                let own = ["level", "target", "filename", "line_number"];
                fields
                    .iter()
                    .filter(|(name, _)| !own.contains(&name.as_str()))
                    .for_each(|(_, value)| leaves(value, &mut values));
            }
            other => leaves(other, &mut values),
        }
        let decoded: Vec<String> =
            values.iter().filter(|value| value.contains('%')).map(|value| percent_decoded(value)).collect();
        let text = values.iter().chain(&decoded).map(String::as_str).collect::<Vec<_>>().join("\u{1}");
        Self { place, text, values }
    }

    /// Returns the words that consist of digits only.
    fn words_of_digits(&self) -> impl Iterator<Item = &str> {
        // Characters that replace hidden digits don't belong to the word.
        let is_mask = |c: char| matches!(c, 'x' | 'X' | '*' | '.' | '…' | '•');
        self.values
            .iter()
            .flat_map(|value| {
                value.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '*' | '…' | '•')))
            })
            .map(move |word| word.trim_matches(is_mask))
            .filter(|word| word.len() >= FEWEST_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

fn leaves(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        // Short numbers are counts and times. A number with this many digits could be a phone number.
        Value::Number(number) if number.to_string().len() >= 9 => into.push(number.to_string()),
        Value::Array(elements) => elements.iter().for_each(|element| leaves(element, into)),
        Value::Object(fields) => {
            for (name, value) in fields {
                into.push(name.clone());
                leaves(value, into);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn percent_decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, behind @ ..] = rest {
        let code = if *first == b'%' { behind.get(..2).and_then(|code| std::str::from_utf8(code).ok()) } else { None };
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Finds a JWT, or an id of WhatsApp, which contains a phone number. These need not be planted.
fn unplanted(text: &str) -> Option<(Kind, &'static str)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.split("eyJ").skip(1).any(|behind| behind.chars().take_while(|c| is_token(*c)).count() >= 8) {
        return Some((Kind::Secret, "a JWT"));
    }
    text.contains("wamid.").then_some((Kind::Number, "an id of WhatsApp's"))
}

/// Returns every occurrence of a planted value in `lines`.
pub(super) fn search<'a>(lines: impl Iterator<Item = &'a str>, planted: &[Canary]) -> Vec<Finding> {
    let wanted: Vec<(Kind, Vec<(&'static str, String)>)> =
        planted.iter().map(|canary| (canary.kind, needles(canary))).collect();
    let short: BTreeSet<&str> = planted
        .iter()
        .filter(|canary| canary.kind == Kind::Text && canary.value.chars().count() < SHORTEST_TEXT)
        .map(|canary| canary.value.as_str())
        .collect();
    let numbers: Vec<String> = planted
        .iter()
        .filter(|canary| canary.kind == Kind::Number)
        .map(|canary| canary.value.chars().filter(char::is_ascii_digit).collect())
        .collect();
    let mut findings = Vec::new();
    for line in lines {
        let parts = Parts::of(line);
        let mut found = |kind, form| {
            findings.push(Finding { kind, form, place: parts.place.clone(), line: line.to_owned() });
        };
        for (kind, forms) in &wanted {
            if let Some((form, _)) = forms.iter().find(|(_, form)| parts.text.contains(form.as_str())) {
                found(*kind, *form);
            }
        }
        if parts.values.iter().any(|value| short.contains(value.trim())) {
            found(Kind::Text, "a short text, as a whole value");
        }
        if parts
            .words_of_digits()
            .any(|word| numbers.iter().any(|number| number.len() > word.len() && number.ends_with(word)))
        {
            found(Kind::Number, "its last digits");
        }
        if let Some((kind, form)) = unplanted(&parts.text) {
            found(kind, form);
        }
    }
    findings
}
