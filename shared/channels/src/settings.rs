//! Checks of settings that several channels need.

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use url::Host;

use connector_message::settings::{WrongField, is_empty};

/// The checks of the settings of one channel: errors start with the channel's name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checks(pub(crate) &'static str);

impl Checks {
    /// The error for a field. `rule` is part of a sentence that starts with the field's path.
    pub(crate) fn wrong(self, field: &str, rule: &str) -> WrongField {
        WrongField { field: format!("{}.{field}", self.0), rule: rule.to_owned() }
    }

    /// Rejects empty secrets.
    ///
    /// # Errors
    /// [`WrongField`] for the first empty secret.
    pub(crate) fn not_empty<'s>(
        self,
        secrets: impl IntoIterator<Item = (&'static str, &'s SecretString)>,
    ) -> Result<(), WrongField> {
        match secrets.into_iter().find(|(_, secret)| is_empty(secret)) {
            Some((field, _)) => Err(self.wrong(field, "must not be empty")),
            None => Ok(()),
        }
    }

    /// The value of an `Authorization` header with a bearer token. Marked as sensitive.
    ///
    /// # Errors
    /// [`WrongField`] for a token that can't be sent in a header.
    pub(crate) fn bearer(self, field: &str, token: &SecretString) -> Result<HeaderValue, WrongField> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
            .map_err(|_| self.wrong(field, "must be characters that an HTTP header can carry"))?;
        authorization.set_sensitive(true);
        Ok(authorization)
    }

    /// Normalizes hosts as URLs write them: in lower case, and international names in ASCII.
    ///
    /// # Errors
    /// [`WrongField`] for the first host that isn't a bare host name or address.
    pub(crate) fn hosts(self, field: &str, hosts: &[String]) -> Result<Vec<String>, WrongField> {
        let host = |(index, host): (usize, &String)| match Host::parse(host) {
            Ok(host) => Ok(host.to_string()),
            Err(_) => {
                Err(self.wrong(&format!("{field}[{index}]"), "must be a host name without scheme, port and path"))
            }
        };
        hosts.iter().enumerate().map(host).collect()
    }
}
