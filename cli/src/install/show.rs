//! The app installs of an account, as an operator may see them.

use std::collections::{BTreeMap, BTreeSet};

use connector_liveengage::{app_install::Installation, id::AccountId};
use serde_json::{Value, json};

use super::changes::shown_text;
use crate::output::{Report, blocks, seconds};

pub(super) fn report(account: &AccountId, installs: &[&Installation], as_json: bool) -> Report {
    let rows: Vec<_> = installs.iter().map(|install| row(install)).collect();
    if as_json {
        return Report::json(&json!({ "account": account.as_str(), "app_installs": rows }));
    }
    if rows.is_empty() {
        return Report::done(format!("Account {account} has no app install.\n"));
    }
    let lines = rows.into_iter().map(|row| match row {
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, in_lines(value))).collect(),
        other => other,
    });
    Report::done(blocks(&lines.collect::<Vec<_>>()))
}

/// A list of texts in one line.
fn in_lines(value: Value) -> Value {
    match value {
        Value::Array(texts) => {
            let texts: Vec<_> = texts.iter().filter_map(Value::as_str).collect();
            Value::from(texts.join(", "))
        }
        other => other,
    }
}

/// What may be shown: no secret, no header of a webhook, and no field that this program doesn't know.
fn row(install: &Installation) -> Value {
    let state = match (install.is_deleted(), install.is_enabled()) {
        (true, _) => "deleted",
        (false, true) => "enabled",
        (false, false) => "disabled",
    };
    let secret = match (install.client_secret(), install.secret_expires_at()) {
        (None, _) => "not shown by LiveEngage".to_owned(),
        (Some(_), None) => "never expires".to_owned(),
        (Some(_), Some(at)) => format!("expires {}", seconds(at)),
    };
    let text = |field: &str| install.record().get(field).and_then(Value::as_str);
    let capabilities = install.record().get("capabilities").and_then(Value::as_object);
    let webhooks = capabilities.and_then(|all| all.get("webhooks"));
    json!({
        "id": install.id().map(|id| id.to_string()),
        "client_id": install.client_id().map(|id| id.to_string()),
        "client_secret": secret,
        "name": install.name(),
        "description": text("description"),
        "state": state,
        "scope": text("scope"),
        "registered": install.issued_at().map(seconds),
        "capabilities": capabilities.map(|all| all.keys().cloned().collect::<Vec<_>>()),
        "webhooks": webhooks.map(endpoints),
        "retention_time": webhooks.and_then(|webhooks| webhooks.pointer("/retry/retention_time")).cloned(),
    })
}

/// Each endpoint with its events.
fn endpoints(webhooks: &Value) -> Vec<String> {
    let mut events: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (event, settings) in webhooks.as_object().into_iter().flatten() {
        if let Some(endpoint) = settings.get("endpoint").and_then(Value::as_str) {
            let name = event.rsplit('.').next().unwrap_or(event);
            events.entry(shown_text(endpoint)).or_default().insert(name);
        }
    }
    let line = |(endpoint, events): (String, BTreeSet<&str>)| {
        format!("{endpoint} ({})", events.into_iter().collect::<Vec<_>>().join(" "))
    };
    events.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use connector_liveengage::app_install::installation_answer;
    use connector_message::http::HttpReply;
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn shown(record: &Value, as_json: bool) -> String {
        let reply = HttpReply { status: StatusCode::OK, retry_after: None, body: record.to_string().into() };
        let install = installation_answer(&reply, &HeaderMap::new()).unwrap();
        report(&AccountId::new("72419083").unwrap(), &[&install], as_json).text
    }

    #[test]
    fn an_install_is_shown_with_its_webhooks_and_without_its_secrets() {
        let record = json!({
            "id": "r-1", "client_id": "c-1", "client_secret": "canary", "client_name": "SMS connector", "enabled": false,
            "client_secret_expires_at": 1_800_000_000, "note": "canary",
            "capabilities": {"webhooks": {
                "ms.MessagingEventNotification.ContentEvent": {"endpoint": "https://a.example/h?k=canary", "headers": ["canary"]},
                "cqm.ExConversationChangeNotification": {"endpoint": "https://b.example/h"},
                "retry": {"retention_time": 3600},
            }},
        });
        for as_json in [false, true] {
            let text = shown(&record, as_json);
            assert!(!text.contains("canary"), "{text}");
            for part in [
                "expires 2027-01-15T08:00:00Z",
                "disabled",
                "https://a.example/h (query, fragment and user hidden) (ContentEvent)",
                "https://b.example/h (ExConversationChangeNotification)",
                "3600",
            ] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
        assert!(shown(&json!({}), false).contains("client_secret: not shown by LiveEngage"));
    }
}
