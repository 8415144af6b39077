//! Finds values that are valid but implausible. A placeholder is an error, because it is public, and a public signing
//! key lets anyone sign webhooks. Every other implausible value gives a warning.

use connector::app::secret_change::SecretOwner;
use connector_channels::{
    self as channel,
    setting::{SecretOrigin, SecretPurpose, SecretValue, SettingValue},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{
    check::Problem,
    reference::{at, channel_of, paths, reference},
};

/// The fields of an account's secret that are copied from elsewhere.
const OF_ACCOUNTS: [(&str, SecretValue); 2] = [
    ("client_id", SecretValue { origin: SecretOrigin::Vendor, purpose: SecretPurpose::Other, hint: "" }),
    ("client_secret", SecretValue { origin: SecretOrigin::Vendor, purpose: SecretPurpose::Proof, hint: "" }),
];

/// The field with this path, if it is copied from elsewhere or made up.
fn copied_field(path: &str) -> Option<SecretValue> {
    let Some((channel, name)) = path.split_once('.') else {
        return OF_ACCOUNTS.iter().find(|(field, _)| *field == path).map(|(_, value)| *value);
    };
    let setting = channel::by_name(channel)?.settings().iter().find(|setting| setting.name == name)?;
    match setting.value {
        SettingValue::Secret(secret) => Some(secret),
        SettingValue::Text(_) | SettingValue::Flag(_) | SettingValue::Texts(_) => None,
    }
}

/// A shorter key is truncated, or made up by hand and can be guessed.
const MIN_KEY_CHARACTERS: usize = 16;

/// The fields that still contain a placeholder from an example or the template.
pub(crate) fn placeholders(owner: &SecretOwner, value: &Value) -> Vec<Problem> {
    let reference_secret = reference(owner, channel_of(value));
    // The secret fields of an unlisted channel are unknown, so none of its fields may be a placeholder.
    let unlisted = value.get("channel").and_then(Value::as_str).filter(|name| channel::by_name(name).is_none());
    let is_unlisted = |path: &str| path.split_once('.').is_some_and(|(first, _)| Some(first) == unlisted);
    let placeholder = |path: String| {
        let text = at(value, &path)?.as_str()?;
        let hint = at(&reference_secret, &path).and_then(Value::as_str).unwrap_or("a value of your own");
        let is_copied = copied_field(&path).is_some() || is_unlisted(&path);
        (is_copied && (text == hint || is_placeholder(text))).then(|| Problem {
            field: path,
            wrong: "is a placeholder from an example".to_owned(),
            expected: hint.to_owned(),
        })
    };
    paths(value).into_iter().filter_map(placeholder).collect()
}

/// A warning for each implausible field that is not among the problems. Contains no value.
pub(crate) fn field_warnings(secret: &SecretString, problems: &[Problem]) -> Vec<String> {
    // Invalid JSON is a problem already, and has no fields.
    let value: Value = serde_json::from_str(secret.expose_secret()).unwrap_or_default();
    let warning = |path: String| {
        let text = at(&value, &path)?.as_str()?;
        let warning = warning(copied_field(&path)?, text)?;
        (!problems.iter().any(|problem| problem.field == path)).then(|| format!("{path} {warning}"))
    };
    paths(&value).into_iter().filter_map(warning).collect()
}

/// What is implausible about the value of a field, and what to do.
fn warning(field: SecretValue, text: &str) -> Option<&'static str> {
    if field.purpose == SecretPurpose::BearerToken && text.starts_with("Bearer ") {
        return Some("begins with `Bearer `: remove it, because the connector adds it.");
    }
    if text.trim() != text {
        return Some("begins or ends with white space: remove it.");
    }
    if field.purpose == SecretPurpose::Proof && text.chars().count() < MIN_KEY_CHARACTERS {
        return Some(match field.origin {
            SecretOrigin::Operator => {
                "has fewer than 16 characters and can be guessed: use 64 hexadecimal digits, such as `openssl rand -hex 32` prints."
            }
            SecretOrigin::Vendor => "has fewer than 16 characters: copy the complete value.",
        });
    }
    None
}

/// Whether a text is what examples and people write in place of a value.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    let is_filler = |c: char| matches!(c, '.' | '…' | 'x' | 'X' | '*' | '-');
    text.starts_with(['(', '<'])
        || text.starts_with("YOUR-")
        || text.starts_with("THE-")
        || (!text.is_empty() && text.chars().all(is_filler))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use connector::domain::id::LineId;
    use connector_liveengage::id::AccountId;
    use serde_json::json;

    use super::*;

    fn warnings_of(secret: &Value) -> Vec<String> {
        field_warnings(&SecretString::from(secret.to_string()), &[])
    }

    #[test]
    fn plausible_values_give_no_warning() {
        let account = json!({"account_id": "x", "client_id": "0f6c2a9e", "client_secret": "0123456789abcdef"});
        assert_eq!(warnings_of(&account), [""; 0]);
        let line = json!({
            "consumer_id_key": "YOUR-",
            "sms": {"bearer_token": "b34rer", "webhook_secret": "0123456789abcdef"},
            "whatsapp": {"access_token": "EAA.x-X*", "app_secret": "0123456789abcdef", "verify_token": "v"},
        });
        assert_eq!(warnings_of(&line), [""; 0]);
    }

    #[test]
    fn each_field_gives_one_warning_without_its_value() {
        let bearer = "begins with `Bearer `: remove it, because the connector adds it.";
        let blank = "begins or ends with white space: remove it.";
        let short = "has fewer than 16 characters: copy the complete value.";
        let guessed = "has fewer than 16 characters and can be guessed: use 64 hexadecimal digits, such as `openssl rand -hex 32` prints.";
        for (field, value, warning) in [
            ("sms.bearer_token", "Bearer canary", bearer),
            ("whatsapp.access_token", "Bearer canary", bearer),
            ("client_id", "canary ", blank),
            ("sms.webhook_secret", "canary-canary-canary\n", blank),
            ("whatsapp.verify_token", "\tcanary", blank),
            ("client_secret", "canary-15-chars", short),
            ("whatsapp.app_secret", "canary", short),
            ("sms.webhook_secret", "canary", guessed),
        ] {
            let secret = match field.split_once('.') {
                Some((channel, name)) => json!({channel: {name: value}}),
                None => json!({field: value}),
            };
            assert_eq!(warnings_of(&secret), [format!("{field} {warning}")], "{value}");
        }
    }

    #[test]
    fn placeholders_are_found_in_every_copied_field() {
        let owner = SecretOwner::Line(LineId::new("sms-main").unwrap());
        let found = |secret: &Value| placeholders(&owner, secret).into_iter().map(|problem| problem.field).collect();
        for text in
            ["YOUR-CLIENT-ID", "THE-TOKEN", " YOUR-SECRET\n", "...", "…", "xxxx-XXXX", "****", "(by Meta)", "<token>"]
        {
            let fields: Vec<String> =
                found(&json!({"sms": {"bearer_token": text, "webhook_secret": text, "from": text}}));
            assert_eq!(fields, ["sms.bearer_token", "sms.webhook_secret"], "{text}");
        }
        let plausible: Vec<String> =
            found(&json!({"sms": {"bearer_token": "b34rer", "webhook_secret": "0123456789abcdef"}}));
        assert_eq!(plausible, [""; 0]);
    }

    #[test]
    fn an_unlisted_channel_allows_no_placeholder_in_any_field() {
        let owner = SecretOwner::Line(LineId::new("fax-main").unwrap());
        let settings = json!({"api_key": "xxxx", "webhook": {"key": "THE-KEY"}, "from": "+4930555123"});
        let secret = json!({"channel": "fax", "fax": settings, "sms": {"from": "..."}, "not_delivered_notice": "..."});
        let problems = placeholders(&owner, &secret);
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["fax.api_key", "fax.webhook.key"]);
        assert!(problems.iter().all(|problem| problem.expected == "a value of your own"));
    }

    /// `template` prints these hints next to the fields.
    #[test]
    fn template_hints_count_as_placeholders() {
        let account = SecretOwner::Account(AccountId::new("72419083").unwrap());
        let line = SecretOwner::Line(LineId::new("sms-main").unwrap());
        let of_an_account = &["client_id", "client_secret"][..];
        for (owner, channel, fields) in [
            (&account, "", of_an_account),
            (&line, "sms", &["sms.bearer_token", "sms.webhook_secret"]),
            (&line, "whatsapp", &["whatsapp.access_token", "whatsapp.app_secret", "whatsapp.verify_token"]),
        ] {
            let problems = placeholders(owner, &reference(owner, channel));
            let found: BTreeSet<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
            assert_eq!(found, fields.iter().copied().collect());
        }
    }

    #[test]
    fn a_wrong_field_gives_no_additional_warning() {
        let problem = Problem {
            field: "sms.webhook_secret".to_owned(),
            wrong: "must not be empty".to_owned(),
            expected: String::new(),
        };
        let secret = SecretString::from(json!({"sms": {"webhook_secret": "", "bearer_token": "a "}}).to_string());
        assert_eq!(field_warnings(&secret, &[problem]).len(), 1);
        assert!(field_warnings(&SecretString::from("{"), &[]).is_empty());
    }
}
