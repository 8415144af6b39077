//! The simulator's HTTP servers: plain, and with TLS if it is wanted.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::serve::Listener;
use connector::port::Clock as _;
use connector_aws::SystemClock;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::backend::Backend;
use super::router;
use super::served_at::ServedAt;
use super::start_error::StartError;
use crate::tls::{Authority, TlsListener};

/// The address of a simulator's services over TLS.
#[derive(Debug, Clone)]
pub struct TlsAddress {
    /// Host and port, for example `localhost:49153`: the Domain API's host, and the base URI of every service.
    pub host: String,
    /// The certificate of the authority that clients must trust, in PEM. It is made at the start, for `localhost` and `127.0.0.1` only.
    pub authority_pem: String,
}

/// Ports that are open and not served yet.
pub(super) struct Ports {
    plain: TcpListener,
    pub(super) plain_at: ServedAt,
    tls: Option<(TcpListener, Authority)>,
    pub(super) tls_address: Option<TlsAddress>,
}

impl Ports {
    /// Opens the ports on loopback; 0 for free ones.
    pub(super) async fn open(port: u16, tls_port: Option<u16>) -> Result<Self, StartError> {
        let (plain, own) = bind(port).await?;
        let plain_at = ServedAt::plain(&format!("127.0.0.1:{own}"));
        let Some(tls_port) = tls_port else { return Ok(Self { plain, plain_at, tls: None, tls_address: None }) };
        let (listener, own) = bind(tls_port).await?;
        let today = SystemClock.now().to_zoned(TimeZone::UTC).date();
        let authority = Authority::generate(today).map_err(|error| StartError::Tls(error.to_string()))?;
        let address = TlsAddress { host: format!("localhost:{own}"), authority_pem: authority.certificate_pem.clone() };
        Ok(Self { plain, plain_at, tls: Some((listener, authority)), tls_address: Some(address) })
    }

    /// Serves the services on the ports until the simulator ends.
    pub(super) fn serve(self, backend: &Arc<Backend>) {
        let router = |served_at| router::router(Arc::clone(backend), served_at);
        spawn(self.plain, router(self.plain_at), backend.end.clone());
        if let (Some((listener, authority)), Some(address)) = (self.tls, self.tls_address) {
            let journal = backend.journal.clone();
            let listener = TlsListener::new(listener, authority.server, move |error| {
                journal.record("client", "liveengage", format!("TLS handshake failed: {error}"), None);
            });
            spawn(listener, router(ServedAt::tls(&address.host)), backend.end.clone());
        }
    }
}

async fn bind(port: u16) -> Result<(TcpListener, u16), StartError> {
    let error = |cause| StartError::Listen { port, cause };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(error)?;
    let own = listener.local_addr().map_err(error)?.port();
    Ok((listener, own))
}

fn spawn<L: Listener>(listener: L, router: axum::Router, mut end: watch::Receiver<()>)
where
    L::Addr: std::fmt::Debug,
{
    tokio::spawn(async move {
        let ended = async move { while end.changed().await.is_ok() {} };
        // The server ends with the simulator and doesn't fail earlier: axum accepts again after every error.
        let _ = axum::serve(listener, router).with_graceful_shutdown(ended).await;
    });
}
