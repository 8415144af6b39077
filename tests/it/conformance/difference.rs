//! The differences between the documented JSON and the connector's JSON, and the differences that are allowed.

use std::collections::BTreeMap;

use serde_json::Value;

/// How the connector's JSON differs from the documented JSON at one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Only the connector has a value.
    Added,
    /// Only the document has a value.
    LeftOut,
    /// The values differ.
    Changed,
    /// The document has a number, and the connector has a string with the same digits.
    AsText,
    /// The document has a list of one element, and the connector has the element alone.
    Unwrapped,
    /// The type has a prefix in the document.
    Prefixed,
}

/// An allowed difference: its position (a JSON pointer), and the reason.
pub(super) type Allowance = (Kind, &'static str, &'static str);

/// Returns every difference by its position.
pub(super) fn differences(documented: &Value, ours: &Value) -> BTreeMap<(String, Kind), String> {
    let mut found = BTreeMap::new();
    compare("", documented, ours, &mut found);
    found
}

fn compare(path: &str, documented: &Value, ours: &Value, found: &mut BTreeMap<(String, Kind), String>) {
    let mut note = |path: &str, kind, what: String| {
        found.insert((path.to_owned(), kind), what);
    };
    match (documented, ours) {
        (documented, ours) if documented == ours => {}
        (Value::Object(documented), Value::Object(ours)) => {
            for (key, value) in documented {
                let path = format!("{path}/{key}");
                match ours.get(key) {
                    Some(ours) => compare(&path, value, ours, found),
                    None => {
                        found.insert((path, Kind::LeftOut), value.to_string());
                    }
                }
            }
            for (key, value) in ours.iter().filter(|(key, _)| !documented.contains_key(*key)) {
                found.insert((format!("{path}/{key}"), Kind::Added), value.to_string());
            }
        }
        (Value::Array(documented), Value::Array(ours)) => {
            for (at, value) in documented.iter().enumerate() {
                let path = format!("{path}/{at}");
                match ours.get(at) {
                    Some(ours) => compare(&path, value, ours, found),
                    None => {
                        found.insert((path, Kind::LeftOut), value.to_string());
                    }
                }
            }
            for (at, value) in ours.iter().enumerate().skip(documented.len()) {
                found.insert((format!("{path}/{at}"), Kind::Added), value.to_string());
            }
        }
        (Value::Array(list), ours) if list.len() == 1 => {
            note(path, Kind::Unwrapped, documented.to_string());
            compare(path, &list[0], ours, found);
        }
        (Value::Number(number), Value::String(text)) if number.to_string() == *text => {
            note(path, Kind::AsText, text.clone());
        }
        (Value::String(documented), Value::String(ours))
            if path.ends_with("/type") && documented.starts_with('.') && documented.ends_with(ours.as_str()) =>
        {
            note(path, Kind::Prefixed, documented.clone());
        }
        (documented, ours) => note(path, Kind::Changed, format!("{documented} is {ours}")),
    }
}

/// Checks that all differences are allowed and that every allowed difference exists. An unused allowance would hide a later error.
pub(super) fn settle(documented: &Value, ours: &Value, allowed: &[Allowance]) -> Result<(), String> {
    let found = differences(documented, ours);
    let wrong =
        found.iter().filter(|((path, kind), _)| !allowed.iter().any(|(k, p, _)| (k, *p) == (kind, path.as_str())));
    let stale = allowed.iter().filter(|(kind, path, _)| !found.contains_key(&((*path).to_owned(), *kind)));
    let wrong: Vec<_> = wrong
        .map(|((path, kind), what)| format!("{kind:?} {path}: {what}"))
        .chain(stale.map(|(kind, path, _)| format!("no longer {kind:?} {path}")))
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_difference_is_found_and_can_be_allowed() {
        let documented = json!({"a": 1, "b": 2, "c": 3, "d": [{"x": 1}], "type": ".ams.t", "same": [1, 2]});
        let ours = json!({"b": 9, "c": "3", "d": {"x": 1}, "type": "t", "e": 5, "same": [1, 2]});
        let allowed: &[Allowance] = &[
            (Kind::LeftOut, "/a", ""),
            (Kind::Changed, "/b", ""),
            (Kind::AsText, "/c", ""),
            (Kind::Unwrapped, "/d", ""),
            (Kind::Added, "/e", ""),
            (Kind::Prefixed, "/type", ""),
        ];
        assert_eq!(settle(&documented, &ours, allowed), Ok(()));
        for left_out in 0..allowed.len() {
            let fewer: Vec<_> = allowed.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, a)| *a).collect();
            assert!(settle(&documented, &ours, &fewer).is_err(), "{left_out}");
        }
    }

    #[test]
    fn an_allowance_that_nothing_needs_is_an_error() {
        assert!(settle(&json!({"a": 1}), &json!({"a": 1}), &[(Kind::Changed, "/a", "")]).is_err());
    }
}
