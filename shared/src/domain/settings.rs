//! Reading JSON settings so that an error names the wrong field and never shows a value: the settings are secrets.

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::{Host, Url};

/// A field that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct WrongField {
    /// The path of the field.
    pub field: String,
    /// What is wrong with it.
    pub rule: String,
}

/// How a rule of our own readers begins: it is shown, because it never holds the value. No message of serde's begins so.
const RULE: &str = "must be ";

/// Reads a value; `under` is the path of the value itself, empty for the top.
///
/// # Errors
/// [`WrongField`].
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
        // serde's other messages quote the value.
        let known = message.strip_prefix("unknown variant `").and_then(|rest| rest.rsplit_once("`, expected "));
        let rule = if ["missing field `", "unknown field `", RULE].iter().any(|start| message.starts_with(start)) {
            message
        } else if let Some((_, expected)) = known {
            format!("{RULE}{expected}")
        } else {
            "has the wrong type or form".to_owned()
        };
        WrongField { field, rule }
    })
}

/// Whether a URL may carry secrets: https, or http to this machine (the lab).
pub fn is_https_or_loopback(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        ("http", Some(Host::Domain(name))) => name == "localhost",
        _ => false,
    }
}

/// Whether a secret is empty: an HMAC with an empty key would let everybody in.
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
