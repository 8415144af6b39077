//! What is right in form, and hardly what was meant. A placeholder is refused: it is public, and as a signing key it would let anybody in.
//! Of anything else the operator is warned.

use connector::app::secret_change::SecretOwner;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{
    check::Problem,
    reference::{at, channel_of, is_listed, paths, reference},
};

/// The fields that are copied from elsewhere, or made up.
const COPIED: [&str; 7] =
    ["client_id", "client_secret", "bearer_token", "access_token", "app_secret", "webhook_secret", "verify_token"];

/// Those of them that webhooks are signed with.
const SIGNING: [&str; 3] = ["client_secret", "app_secret", "webhook_secret"];

/// Those of them that are sent as `Authorization: Bearer`.
const TOKENS: [&str; 2] = ["bearer_token", "access_token"];

/// A key with fewer characters is cut off, or made up by hand and can be guessed.
const SHORTEST: usize = 16;

/// The fields that still hold what an example or the template has in them.
pub(crate) fn placeholders(owner: &SecretOwner, value: &Value) -> Vec<Problem> {
    let right = reference(owner, channel_of(value));
    // Which fields of such a channel are secrets is not known, so that none of them may be a placeholder.
    let unlisted = value.get("channel").and_then(Value::as_str).filter(|channel| !is_listed(channel));
    let is_unlisted = |path: &str| path.split_once('.').is_some_and(|(first, _)| Some(first) == unlisted);
    let placeholder = |path: String| {
        let text = at(value, &path)?.as_str()?;
        let hint = at(&right, &path).and_then(Value::as_str).unwrap_or("a value of your own");
        let is_copied = COPIED.contains(&path.rsplit('.').next()?) || is_unlisted(&path);
        (is_copied && (text == hint || is_placeholder(text))).then(|| Problem {
            field: path,
            wrong: "is an example's placeholder".to_owned(),
            expected: hint.to_owned(),
        })
    };
    paths(value).into_iter().filter_map(placeholder).collect()
}

/// A sentence for each field that looks unmeant and is none of the problems. None holds a value.
pub(crate) fn doubts(secret: &SecretString, problems: &[Problem]) -> Vec<String> {
    // What is no JSON is a problem, and has no fields.
    let value: Value = serde_json::from_str(secret.expose_secret()).unwrap_or_default();
    let doubt = |path: String| {
        let text = at(&value, &path)?.as_str()?;
        let doubt = doubt(path.rsplit('.').next()?, text)?;
        (!problems.iter().any(|problem| problem.field == path)).then(|| format!("{path} {doubt}"))
    };
    paths(&value).into_iter().filter_map(doubt).collect()
}

/// What is doubtful about the text of a field, and what to do.
fn doubt(field: &str, text: &str) -> Option<&'static str> {
    if !COPIED.contains(&field) {
        return None;
    }
    if TOKENS.contains(&field) && text.starts_with("Bearer ") {
        return Some("begins with `Bearer `: take that out, the connector puts it in front by itself.");
    }
    if text.trim() != text {
        return Some("begins or ends with a blank or a line break: take it out.");
    }
    if SIGNING.contains(&field) && text.chars().count() < SHORTEST {
        return Some(if field == "webhook_secret" {
            "has fewer than 16 characters and can be guessed: take 64 hexadecimal digits, as of `openssl rand -hex 32`."
        } else {
            "has fewer than 16 characters: copy it again, and all of it."
        });
    }
    None
}

/// What the README's examples, and people, put where a value belongs.
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

    use connector::domain::id::{AccountId, LineId};
    use serde_json::json;

    use super::*;

    fn of(secret: &Value) -> Vec<String> {
        doubts(&SecretString::from(secret.to_string()), &[])
    }

    #[test]
    fn what_was_meant_is_not_doubted() {
        let account = json!({"account_id": "x", "client_id": "0f6c2a9e", "client_secret": "0123456789abcdef"});
        assert_eq!(of(&account), [""; 0]);
        let line = json!({
            "consumer_id_key": "YOUR-",
            "sms": {"bearer_token": "b34rer", "webhook_secret": "0123456789abcdef"},
            "whatsapp": {"access_token": "EAA.x-X*", "app_secret": "0123456789abcdef", "verify_token": "v"},
        });
        assert_eq!(of(&line), [""; 0]);
    }

    #[test]
    fn each_field_is_doubted_once_and_without_its_value() {
        let bearer = "begins with `Bearer `: take that out, the connector puts it in front by itself.";
        let blank = "begins or ends with a blank or a line break: take it out.";
        let short = "has fewer than 16 characters: copy it again, and all of it.";
        let guessed = "has fewer than 16 characters and can be guessed: take 64 hexadecimal digits, as of `openssl rand -hex 32`.";
        for (field, value, doubt) in [
            ("bearer_token", "Bearer canary", bearer),
            ("access_token", "Bearer canary", bearer),
            ("client_id", "canary ", blank),
            ("webhook_secret", "canary-canary-canary\n", blank),
            ("verify_token", "\tcanary", blank),
            ("client_secret", "canary-15-chars", short),
            ("app_secret", "canary", short),
            ("webhook_secret", "canary", guessed),
        ] {
            assert_eq!(of(&json!({"any": {field: value}})), [format!("any.{field} {doubt}")], "{value}");
        }
    }

    #[test]
    fn a_placeholder_is_found_in_every_field_that_is_copied_from_elsewhere() {
        let owner = SecretOwner::Line(LineId::new("sms-main").unwrap());
        let found = |secret: &Value| placeholders(&owner, secret).into_iter().map(|problem| problem.field).collect();
        for text in
            ["YOUR-CLIENT-ID", "THE-TOKEN", " YOUR-SECRET\n", "...", "…", "xxxx-XXXX", "****", "(by Meta)", "<token>"]
        {
            let fields: Vec<String> =
                found(&json!({"sms": {"bearer_token": text, "webhook_secret": text, "from": text}}));
            assert_eq!(fields, ["sms.bearer_token", "sms.webhook_secret"], "{text}");
        }
        let meant: Vec<String> =
            found(&json!({"sms": {"bearer_token": "b34rer", "webhook_secret": "0123456789abcdef"}}));
        assert_eq!(meant, [""; 0]);
    }

    #[test]
    fn no_field_of_a_channel_without_a_list_of_fields_may_hold_a_placeholder() {
        let owner = SecretOwner::Line(LineId::new("fax-main").unwrap());
        let settings = json!({"api_key": "xxxx", "webhook": {"key": "THE-KEY"}, "from": "+4930555123"});
        let secret = json!({"channel": "fax", "fax": settings, "sms": {"from": "..."}, "not_delivered_notice": "..."});
        let problems = placeholders(&owner, &secret);
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["fax.api_key", "fax.webhook.key"]);
        assert!(problems.iter().all(|problem| problem.expected == "a value of your own"));
    }

    /// What `template` prints beside a field.
    #[test]
    fn a_hint_is_a_placeholder() {
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
    fn what_is_wrong_is_not_doubted_as_well() {
        let problem = Problem {
            field: "sms.webhook_secret".to_owned(),
            wrong: "must not be empty".to_owned(),
            expected: String::new(),
        };
        let secret = SecretString::from(json!({"sms": {"webhook_secret": "", "bearer_token": "a "}}).to_string());
        assert_eq!(doubts(&secret, &[problem]).len(), 1);
        assert!(doubts(&SecretString::from("{"), &[]).is_empty());
    }
}
