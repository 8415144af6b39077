//! Accepts TLS connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The longest handshake. A client that connects and sends nothing would otherwise hold its task.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A listener whose connections have completed their handshake. Handshakes run beside each other, so that a slow client delays no other.
pub(crate) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Result<(TlsStream<TcpStream>, SocketAddr), io::Error>>,
    /// Told why a handshake failed, for example that the client doesn't trust the certificate.
    on_failure: Box<dyn Fn(&io::Error) + Send>,
}

impl TlsListener {
    pub(crate) fn new(
        tcp: TcpListener,
        config: Arc<ServerConfig>,
        on_failure: impl Fn(&io::Error) + Send + 'static,
    ) -> Self {
        Self { tcp, acceptor: config.into(), handshakes: JoinSet::new(), on_failure: Box::new(on_failure) }
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.tcp) => {
                    let handshake = self.acceptor.accept(stream);
                    self.handshakes.spawn(async move {
                        let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await??;
                        Ok((stream, address))
                    });
                }
                Some(ended) = self.handshakes.join_next() => match ended {
                    Ok(Ok(accepted)) => return accepted,
                    Ok(Err(error)) => (self.on_failure)(&error),
                    // A handshake that panicked has closed its connection.
                    Err(_) => {}
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        TcpListener::local_addr(&self.tcp)
    }
}
