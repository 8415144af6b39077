//! Reading JSON settings. An error names the wrong field and never shows a value, because the settings are secrets.

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::{Host, Url};

/// A field that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct WrongField {
    /// The path of the field, for example `sms.media_hosts[1]`.
    pub field: String,
    /// The rule that it breaks, as part of a sentence.
    pub rule: String,
}

/// The start of an error text of the connector's own deserializers. Such a text is shown, because it never holds the value. No message of
/// serde starts like this.
const OWN_RULE: &str = "must be ";

/// Deserializes a value. `under` is the path of the value itself, and is empty for the top level.
///
/// # Errors
/// [`WrongField`] for the first field that is missing, unknown or wrong.
pub fn read<T: DeserializeOwned>(under: &str, value: &serde_json::Value) -> Result<T, WrongField> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let field = match (under, path.as_str()) {
            ("", ".") => "the secret".to_owned(),
            ("", path) => path.to_owned(),
            (under, ".") => under.to_owned(),
            (under, path) => format!("{under}.{path}"),
        };
        let message = error.into_inner().to_string();
        // Other messages of serde quote the value.
        let known = message.strip_prefix("unknown variant `").and_then(|rest| rest.rsplit_once("`, expected "));
        let rule = if ["missing field `", "unknown field `", OWN_RULE].iter().any(|start| message.starts_with(start)) {
            message
        } else if let Some((_, expected)) = known {
            format!("{OWN_RULE}{expected}")
        } else {
            "has the wrong type or form".to_owned()
        };
        WrongField { field, rule }
    })
}

/// Whether secrets may be sent to a URL: https, or http to a loopback address (the lab).
pub fn is_https_or_loopback(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        ("http", Some(Host::Domain(name))) => name == "localhost",
        _ => false,
    }
}

/// Whether a secret is empty. Settings must reject it: anybody can compute an HMAC with an empty key.
pub fn is_empty(secret: &SecretString) -> bool {
    secret.expose_secret().is_empty()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Sample {
        name: String,
        deep: Option<Vec<Deep>>,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Deep {
        count: u8,
    }

    #[test]
    fn errors_name_the_field_and_hide_the_value() {
        let error = |value| read::<Sample>("", &value).unwrap_err().to_string();
        assert_eq!(error(json!({})), "the secret: missing field `name`");
        assert_eq!(error(json!({"name": ["s3cret"]})), "name: has the wrong type or form");
        assert_eq!(
            error(json!({"name": "x", "deep": [{"count": "s3cret"}]})),
            "deep[0].count: has the wrong type or form"
        );
        assert!(error(json!({"name": "x", "nmae": "s3cret"})).starts_with("nmae: unknown field `nmae`"));
    }

    #[test]
    fn http_is_for_loopback_only() {
        for (url, allowed) in [
            ("https://gateway.example/x", true),
            ("http://127.0.0.1:4000/x", true),
            ("http://[::1]/x", true),
            ("http://localhost:1/x", true),
            ("http://gateway.example/x", false),
            ("http://127.0.0.1.gateway.example/x", false),
            ("ftp://127.0.0.1/x", false),
        ] {
            assert_eq!(is_https_or_loopback(&url.parse().unwrap()), allowed, "{url}");
        }
    }
}
