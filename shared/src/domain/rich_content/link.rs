//! Addresses that a person can be sent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An address that a person can follow: `http`, `https`, `tel`, `mailto` or `sms`. `Debug` hides it: signed links are secrets.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Link(String);

/// An address that is no [`Link`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an address that starts with http, https, tel, mailto or sms")]
pub struct NotALink;

impl Link {
    /// Reads an address as a sender wrote it: without a scheme it gets `https://`, and spaces inside become `%20`. Otherwise it
    /// stays as it is.
    ///
    /// # Errors
    /// [`NotALink`] for any other scheme (`javascript:` above all), and for what no browser would take.
    pub fn parse(address: &str) -> Result<Self, NotALink> {
        let address = address.trim();
        // Browsers drop line breaks and tabs inside an address: `java\nscript:` would be a scheme that no check has seen.
        if address.is_empty() || address.chars().any(char::is_control) {
            return Err(NotALink);
        }
        let address = address.replace(char::is_whitespace, "%20");
        let whole = match Self::scheme(&address) {
            Some(scheme) if ["tel", "mailto", "sms"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                return (address.len() > scheme.len() + 1).then_some(Self(address)).ok_or(NotALink);
            }
            Some(scheme) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
                if address.get(scheme.len()..).is_none_or(|rest| !rest.starts_with("://")) {
                    return Err(NotALink);
                }
                address
            }
            Some(_) => return Err(NotALink),
            None => match address.strip_prefix("//") {
                Some(rest) => format!("https://{rest}"),
                None if address.starts_with(['/', '#', '?', '.', '\\']) => return Err(NotALink),
                None => format!("https://{address}"),
            },
        };
        match url::Url::parse(&whole) {
            Ok(url) if url.has_host() => Ok(Self(whole)),
            _ => Err(NotALink),
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

    /// The address, for the wire only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Link {
    type Error = NotALink;

    fn try_from(address: String) -> Result<Self, NotALink> {
        Self::parse(&address)
    }
}

impl From<Link> for String {
    fn from(link: Link) -> Self {
        link.0
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({} chars)", self.0.chars().count())
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
    fn what_a_person_can_not_or_must_not_follow_is_no_link() {
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
            assert_eq!(Link::parse(written), Err(NotALink), "{written}");
        }
        assert!(serde_json::from_value::<Link>(json!("javascript:alert(1)")).is_err());
    }
}
