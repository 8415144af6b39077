//! The signature of API keys: OAuth 1.0a with HMAC-SHA1 (RFC 5849; Getting Started, API keys).
//!
//! **LivePerson has ended it**: logins with API keys on 2026-04-30, and all other use on 2026-05-31. Use [`crate::login`] with the OAuth 2.0
//! credentials of an app install. This module is for proxies and stand-ins that still speak the old form.
//!
//! Only the URL and the query are signed. A JSON body is not, as RFC 5849 says for every body that is not a form.
//!
//! ```
//! use connector_liveengage::oauth1::{ApiKey, authorization};
//!
//! let key = ApiKey {
//!     app_key: "d1e2f3".to_owned(),
//!     secret: "k-s".into(),
//!     access_token: "a1b2c3".to_owned(),
//!     access_token_secret: "t-s".into(),
//! };
//! let url = "https://va.data.liveperson.net/api/account/72419083/x?v=1".parse()?;
//! let header = authorization(&key, &http::Method::GET, &url, "a-nonce", "2020-01-01T00:00:00Z".parse()?)?;
//! assert!(header.to_str()?.starts_with(r#"OAuth oauth_consumer_key="d1e2f3", oauth_nonce="a-nonce", "#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Method, header::AUTHORIZATION};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use url::{Position, Url};

use crate::LiveEngageError;
use connector_message::http::InvalidHeader;

/// What RFC 5849 section 3.6 leaves unescaped: letters, digits, `-`, `.`, `_` and `~`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An API key of an account: four values, which LiveEngage's page shows once. Up to 100 per account.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The app key (`oauth_consumer_key`).
    pub app_key: String,
    /// The secret of the app key.
    pub secret: SecretString,
    /// The access token (`oauth_token`).
    pub access_token: String,
    /// The secret of the access token.
    pub access_token_secret: SecretString,
}

/// Makes the value of the header `Authorization` for a call. The value is marked sensitive.
///
/// `nonce` must be another one for each call of the same second. `at` is the time of the call.
///
/// # Errors
/// [`LiveEngageError::Header`] if the header can't be sent. With the escaping of RFC 5849, every key and nonce can.
pub fn authorization(
    key: &ApiKey,
    method: &Method,
    url: &Url,
    nonce: &str,
    at: Timestamp,
) -> Result<HeaderValue, LiveEngageError> {
    let time = at.as_second().to_string();
    let parameters = [
        ("oauth_consumer_key", key.app_key.as_str()),
        ("oauth_nonce", nonce),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", &time),
        ("oauth_token", &key.access_token),
        ("oauth_version", "1.0"),
    ];
    let signature = sign(&base_string(method, url, &parameters), &key.secret, &key.access_token_secret);
    let signed = parameters.iter().copied().chain([("oauth_signature", signature.as_str())]);
    let pairs: Vec<String> = signed.map(|(name, value)| format!(r#"{name}="{}""#, escape(value))).collect();
    let mut header = HeaderValue::from_str(&format!("OAuth {}", pairs.join(", ")))
        .map_err(|_| InvalidHeader { name: AUTHORIZATION })?;
    header.set_sensitive(true);
    Ok(header)
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The text that is signed (RFC 5849 section 3.4.1): method, URL without its query, and all parameters, sorted.
fn base_string(method: &Method, url: &Url, parameters: &[(&str, &str)]) -> String {
    let given = parameters.iter().map(|(name, value)| (escape(name), escape(value)));
    let in_query = url.query_pairs().map(|(name, value)| (escape(&name), escape(&value)));
    let mut pairs: Vec<_> = given.chain(in_query).collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    // `Url` has made scheme and host lower case, and left out a default port.
    format!("{method}&{}&{}", escape(&url[..Position::AfterPath]), escape(&pairs.join("&")))
}

/// The signature in Base64 (RFC 5849 section 3.4.2).
fn sign(base_string: &str, secret: &SecretString, token_secret: &SecretString) -> String {
    let key = format!("{}&{}", escape(secret.expose_secret()), escape(token_secret.expose_secret()));
    // HMAC takes a key of any length, so this can't fail.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(base_string.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn the_base_string_is_that_of_rfc_5849() {
        // Section 3.4.1.1. The RFC's request has a form body, whose parameters are given here.
        let parameters = [
            ("c2", ""),
            ("a3", "2 q"),
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ];
        let address = url("http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b");
        assert_eq!(
            base_string(&Method::POST, &address, &parameters),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2\
             %3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth\
             _timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn the_address_is_that_of_rfc_5849() {
        // Section 3.4.1.2.
        for (address, expected) in [
            ("HTTP://EXAMPLE.COM:80/r%20v/X?id=123", "GET&http%3A%2F%2Fexample.com%2Fr%2520v%2FX&id%3D123"),
            ("https://www.example.net:8080/?q=1", "GET&https%3A%2F%2Fwww.example.net%3A8080%2F&q%3D1"),
            ("https://www.example.net:443/a?#part", "GET&https%3A%2F%2Fwww.example.net%2Fa&"),
        ] {
            assert_eq!(base_string(&Method::GET, &url(address), &[]), expected);
        }
    }

    #[test]
    fn the_signatures_are_those_of_rfc_5849() {
        // Section 1.2: for the token credentials, and for the photo. The RFC's requests have no `oauth_version`.
        let secret = SecretString::from("kd94hf93k423kf44");
        let credentials = [
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "hh5s93j4hdidpola"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "walatlh"),
            ("oauth_verifier", "hfdp7dh39dks9884"),
        ];
        let base = base_string(&Method::POST, &url("https://photos.example.net/token"), &credentials);
        assert_eq!(
            escape(&sign(&base, &secret, &SecretString::from("hdhd0244k9j7ao03"))),
            "gKgrFCywp7rO0OXSjdot%2FIHF7IU%3D"
        );
        let photo = [
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "nnch734d00sl2jdk"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131202"),
            ("oauth_nonce", "chapoH"),
        ];
        let address = url("http://photos.example.net/photos?file=vacation.jpg&size=original");
        let base = base_string(&Method::GET, &address, &photo);
        assert_eq!(
            escape(&sign(&base, &secret, &SecretString::from("pfkkdhi9sl3r4s00"))),
            "MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"
        );
    }

    fn key() -> ApiKey {
        ApiKey {
            app_key: "d1 e2".to_owned(),
            secret: "k3y-s3cret".into(),
            access_token: "a1/b2".to_owned(),
            access_token_secret: "t0ken-s3cret".into(),
        }
    }

    #[test]
    fn the_header_has_every_parameter_escaped_and_no_secret() {
        let at = Timestamp::from_second(1_577_836_800).unwrap();
        let header = |nonce: &str| {
            let address = url("https://va.data.liveperson.net/api?v=1");
            authorization(&key(), &Method::GET, &address, nonce, at).unwrap()
        };
        let value = header("n\n\"ö");
        assert!(value.is_sensitive());
        let text = value.to_str().unwrap();
        let start = "OAuth oauth_consumer_key=\"d1%20e2\", oauth_nonce=\"n%0A%22%C3%B6\", oauth_signature_method=\"HMAC-SHA1\", \
                     oauth_timestamp=\"1577836800\", oauth_token=\"a1%2Fb2\", oauth_version=\"1.0\", oauth_signature=\"";
        assert!(text.starts_with(start), "{text}");
        assert!(!text.contains("s3cret") && !format!("{:?}", key()).contains("s3cret"));
        assert_ne!(header("1"), header("2"));
    }
}
