//! Where a call has reached the simulator: plain HTTP, or TLS.

use std::sync::Arc;

/// An address of the simulator.
#[derive(Debug, Clone)]
pub(super) struct ServedAt {
    scheme: &'static str,
    /// Host and port.
    authority: Arc<str>,
}

impl ServedAt {
    /// Plain HTTP.
    pub(super) fn plain(authority: &str) -> Self {
        Self { scheme: "http", authority: authority.into() }
    }

    /// TLS.
    pub(super) fn tls(authority: &str) -> Self {
        Self { scheme: "https", authority: authority.into() }
    }

    /// The address with its scheme, without a trailing slash.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The base URI of all services in the Domain API's answers.
    ///
    /// LivePerson's are bare hosts, before which a client puts `https://` or
    /// `wss://`. Over plain HTTP this would call a port that speaks no TLS, so there the base URI includes the scheme, unless
    /// [`Forms::bare_hosts`](super::Forms::bare_hosts) is set.
    pub(super) fn base_uri(&self) -> String {
        if self.scheme == "https" { self.authority.as_ref().to_owned() } else { self.url() }
    }
}
