//! The difference between two records, field by field, without anything secret.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Map, Value, json};
use url::Url;

/// The fields whose texts and numbers are shown: those of a manifest. Others may be secret, for example in a webhook that somebody else made.
const SHOWN: [&str; 13] = [
    "client_name",
    "display_name",
    "description",
    "grant_types",
    "scope",
    "endpoint",
    "max_retries",
    "retention_time",
    "entry_point",
    "visitor_behavior",
    "target_audience",
    "goal",
    "consumer_identity",
];

/// Words in the path of a field whose value is not shown.
const HIDDEN: [&str; 6] = ["secret", "password", "token", "authorization", "headers", "api_key"];

/// A field that would change. Its values are those to be shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// The path of the field, joined by dots.
    pub(super) field: String,
    /// The installed value; `None` if there is none.
    pub(super) installed: Option<Value>,
    /// The wanted value; `None` if the field is removed.
    pub(super) wanted: Option<Value>,
}

impl Change {
    pub(super) fn to_json(&self) -> Value {
        json!({ "field": self.field, "installed": self.installed, "wanted": self.wanted })
    }
}

/// The fields in which two records differ, by path. A list is one field.
pub(super) fn changes(installed: &Map<String, Value>, wanted: &Map<String, Value>) -> Vec<Change> {
    let mut found = Vec::new();
    let names: BTreeSet<&String> = installed.keys().chain(wanted.keys()).collect();
    for name in names {
        compare(name, installed.get(name), wanted.get(name), &mut found);
    }
    found
}

fn compare(path: &str, installed: Option<&Value>, wanted: Option<&Value>, found: &mut Vec<Change>) {
    if installed == wanted {
        return;
    }
    let fields = |value: Option<&Value>| value.map_or_else(|| Some(Map::new()), |value| value.as_object().cloned());
    match (fields(installed), fields(wanted)) {
        (Some(one), Some(other)) if !(one.is_empty() && other.is_empty()) => {
            for name in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
                compare(&format!("{path}.{name}"), one.get(name), other.get(name), found);
            }
        }
        _ => {
            let shown = |value: Option<&Value>| value.map(|value| shown(path, value));
            found.push(Change { field: path.to_owned(), installed: shown(installed), wanted: shown(wanted) });
        }
    }
}

/// A value as it may be shown.
fn shown(path: &str, value: &Value) -> Value {
    let lower = path.to_ascii_lowercase();
    let is_known = || lower.rsplit('.').next().is_some_and(|field| SHOWN.contains(&field));
    match value {
        _ if HIDDEN.iter().any(|word| lower.contains(word)) => Value::from("(hidden)"),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), shown(&format!("{path}.{name}"), value))).collect()
        }
        Value::Array(elements) => elements.iter().map(|element| shown(path, element)).collect(),
        Value::Null | Value::Bool(_) => value.clone(),
        Value::String(text) if is_known() => Value::from(shown_text(text)),
        Value::Number(_) if is_known() => value.clone(),
        Value::String(_) | Value::Number(_) => Value::from("(hidden)"),
    }
}

/// A text as it may be shown: a URL without its query, fragment, user and password, which may be secret.
pub(super) fn shown_text(text: &str) -> String {
    match text.parse::<Url>() {
        Ok(mut url) if has_hidden_part(&url) => {
            url.set_query(None);
            url.set_fragment(None);
            // These fail only for a URL that can't have them.
            let _ = url.set_password(None);
            let _ = url.set_username("");
            format!("{url} (query, fragment and user hidden)")
        }
        _ => text.to_owned(),
    }
}

fn has_hidden_part(url: &Url) -> bool {
    url.query().is_some() || url.fragment().is_some() || url.password().is_some() || !url.username().is_empty()
}

/// The changes as lines.
pub(super) fn text(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes {
        let _ = writeln!(text, "  {}", change.field);
        for (sign, value) in [('-', &change.installed), ('+', &change.wanted)] {
            if let Some(value) = value {
                let _ = writeln!(text, "    {sign} {value}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use connector_liveengage::manifest::{Indications, manifest};

    use super::*;

    fn of(installed: &Value, wanted: &Value) -> Vec<Change> {
        changes(installed.as_object().unwrap(), wanted.as_object().unwrap())
    }

    #[test]
    fn fields_that_differ_are_named_by_their_path() {
        let installed = json!({"a": {"max_retries": 1, "same": [1]}, "gone": true, "grant_types": ["x", "y"]});
        let wanted = json!({"a": {"max_retries": 2, "same": [1], "new": {"scope": "x"}}, "grant_types": ["x"]});
        let change = |field: &str, installed: Option<Value>, wanted: Option<Value>| Change {
            field: field.to_owned(),
            installed,
            wanted,
        };
        assert_eq!(
            of(&installed, &wanted),
            [
                change("a.max_retries", Some(json!(1)), Some(json!(2))),
                change("a.new.scope", None, Some(json!("x"))),
                change("gone", Some(json!(true)), None),
                change("grant_types", Some(json!(["x", "y"])), Some(json!(["x"]))),
            ]
        );
        assert_eq!(of(&wanted, &wanted), []);
        assert_eq!(
            text(&of(&json!({"scope": "old"}), &json!({"scope": "new"}))),
            "  scope\n    - \"old\"\n    + \"new\"\n"
        );
    }

    #[test]
    fn an_empty_object_is_a_value() {
        let change = Change { field: "a".to_owned(), installed: Some(json!({})), wanted: None };
        assert_eq!(of(&json!({"a": {}}), &json!({})), [change]);
        assert_eq!(of(&json!({"a": 1}), &json!({"a": {"b": 2}})).len(), 1, "a value becomes an object");
    }

    #[test]
    fn no_secret_is_shown() {
        let installed = json!({
            "client_secret": "canary", "hook": {"endpoint": "https://canary:canary@old.example/hook?key=canary#canary"},
            "webhook": {"headers": [{"name": "authorization", "value": "canary"}]}, "fragment": {"endpoint": "https://a.example/#canary"},
            "lists": {"auth": [{"token": "canary"}, {"pin": "canary", "scope": "seen", "on": true}, ["canary"], "canary", 734_912]},
        });
        let found = of(&installed, &json!({"hook": {"endpoint": "https://new.example/hook"}}));
        let printed = text(&found) + &Value::from_iter(found.iter().map(Change::to_json)).to_string();
        assert!(!printed.contains("canary"), "{printed}");
        assert!(printed.contains("https://old.example/hook (query, fragment and user hidden)"), "{printed}");
        assert!(printed.contains("https://a.example/ (query, fragment and user hidden)"), "{printed}");
        let lists = found.iter().find(|change| change.field == "lists.auth").unwrap();
        let hidden = json!("(hidden)");
        let elements =
            json!([{"token": hidden}, {"pin": hidden, "scope": "seen", "on": true}, [hidden], hidden, hidden]);
        assert_eq!(lists.installed, Some(elements));
        assert_eq!(found.len(), 5);
    }

    #[test]
    fn every_value_of_a_manifest_is_shown() {
        let webhook = "https://new.example/webhooks/liveengage".parse().unwrap();
        let manifest = manifest(&webhook, "SMS", "Words", Indications::ALL).unwrap();
        let printed = text(&of(&json!({}), &manifest));
        assert!(printed.contains("SMS") && printed.contains("purchase_total"), "{printed}");
        assert!(!printed.contains("hidden"), "{printed}");
    }
}
