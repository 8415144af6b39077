//! An HTTP server on loopback that stops with its handle.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A server on 127.0.0.1. When it is dropped, it accepts no more connections, and open ones end after their request.
#[derive(Debug)]
pub(crate) struct LoopbackServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
}

impl LoopbackServer {
    /// Serves the router on the port (0 for a free port). The router gets a signal for responses that would not end by
    /// themselves: it becomes true, or its sender is dropped.
    pub(crate) async fn start(
        port: u16,
        router: impl FnOnce(watch::Receiver<bool>) -> Router,
    ) -> Result<Self, std::io::Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let mut signal = stopped.clone();
        let server = axum::serve(listener, router(stopped)).with_graceful_shutdown(async move {
            let _ = signal.wait_for(|stopped| *stopped).await;
        });
        // Detached on purpose: it ends by itself after the signal, when open requests are answered.
        tokio::spawn(server.into_future());
        Ok(Self { address, stop })
    }

    /// The address without a trailing slash.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for LoopbackServer {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
