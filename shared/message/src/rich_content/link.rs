//! Addresses that are safe to send to a consumer.

use serde::{Deserialize, Serialize};

/// An address that a consumer can open: `http`, `https`, `tel`, `mailto` or `sms`. `Debug` hides it, because signed links are secrets.
#[derive(derive_more::Debug, derive_more::Into, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[debug("Link({} chars)", _0.chars().count())]
#[serde(try_from = "String", into = "String")]
pub struct Link(String);

/// An address that is not a [`Link`]. Doesn't hold the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address that starts with http, https, tel, mailto or sms")]
pub struct InvalidLink;

impl Link {
    /// Reads an address as a sender wrote it. Adds `https://` if the scheme is missing, and replaces spaces inside by `%20`. Changes
    /// nothing else.
    ///
    /// # Errors
    /// [`InvalidLink`] for any other scheme (in particular `javascript:`), and for an address that browsers reject.
    pub fn parse(address: &str) -> Result<Self, InvalidLink> {
        let address = address.trim();
        // Browsers remove line breaks and tabs from an address: `java\nscript:` would pass the check of the scheme below.
        if address.is_empty() || address.chars().any(char::is_control) {
            return Err(InvalidLink);
        }
        let address = address.replace(char::is_whitespace, "%20");
        let absolute = match Self::scheme(&address) {
            Some(scheme) if ["tel", "mailto", "sms"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                return (address.len() > scheme.len() + 1).then_some(Self(address)).ok_or(InvalidLink);
            }
            Some(scheme) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                if address.get(scheme.len()..).is_none_or(|rest| !rest.starts_with("://")) {
                    return Err(InvalidLink);
                }
                address
            }
            Some(_) => return Err(InvalidLink),
            None => match address.strip_prefix("//") {
                Some(rest) => format!("https://{rest}"),
                None if address.starts_with(['/', '#', '?', '.', '\\']) => return Err(InvalidLink),
                None => format!("https://{address}"),
            },
        };
        match url::Url::parse(&absolute) {
            Ok(url) if url.has_host() => Ok(Self(absolute)),
            _ => Err(InvalidLink),
        }
    }

    fn scheme(address: &str) -> Option<&str> {
        let (scheme, rest) = address.split_once(':')?;
        let well_formed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        // `shop.example:8443/offers` has a port and no scheme.
        let port = scheme.contains('.') && rest.starts_with(|c: char| c.is_ascii_digit());
        (well_formed && !port).then_some(scheme)
    }

    /// The address. Only for the wire format.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Link {
    type Error = InvalidLink;

    fn try_from(address: String) -> Result<Self, InvalidLink> {
        Self::parse(&address)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_without_a_scheme_is_https() {
        for (written, link) in [
            ("www.shop.example", "https://www.shop.example"),
            ("shop.example:8443/offers", "https://shop.example:8443/offers"),
            ("//cdn.example/a.png", "https://cdn.example/a.png"),
            ("  http://shop.example/a b?q=1&c=2 ", "http://shop.example/a%20b?q=1&c=2"),
            ("HTTPS://Shop.example/X", "HTTPS://Shop.example/X"),
            ("tel:+4930555123", "tel:+4930555123"),
            ("mailto:help@shop.example", "mailto:help@shop.example"),
            ("sms:+4930555123", "sms:+4930555123"),
            ("bücher.example/ü", "https://bücher.example/ü"),
        ] {
            assert_eq!(Link::parse(written).map(String::from).as_deref(), Ok(link), "{written}");
        }
    }

    #[test]
    fn unsafe_and_broken_addresses_are_rejected() {
        for written in [
            "",
            " ",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            " java\nscript:alert(1)",
            "javascript.x:alert(1)",
            "data:text/html,hello",
            "vbscript:x",
            "file:///etc/passwd",
            "shopapp://cart",
            "/offers",
            "#top",
            "https:",
            "http:evil",
            "https://",
            "tel:",
            "open this in the app",
        ] {
            assert_eq!(Link::parse(written), Err(InvalidLink), "{written}");
        }
        assert!(serde_json::from_value::<Link>(json!("javascript:alert(1)")).is_err());
    }
}
