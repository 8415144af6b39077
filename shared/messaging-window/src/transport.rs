//! The WebSocket over TCP or TLS.

use std::{io, sync::Arc};

use connector_liveengage::messaging_window::Handshake;
use rustls::{ClientConfig, pki_types::ServerName};
use rustls_platform_verifier::ConfigVerifierExt;
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, client::IntoClientRequest, http::HeaderValue},
};

/// A connection, with or without TLS.
pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// What a WebSocket needs below it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why there is no connection. Contains neither the token nor the path.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address has no host, or the token can't be sent in a header.
    #[error("the address or the token can't be used")]
    Unusable,
    /// The network, or TLS.
    #[error("the network failed: {0}")]
    Network(#[from] io::Error),
    /// The machine's root certificates can't be read.
    #[error("the root certificates can't be used: {0}")]
    Roots(#[from] rustls::Error),
    /// The other side is not a WebSocket, or not this one.
    #[error("the service refused the connection (HTTP {status})")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The other side doesn't follow the protocol.
    #[error("the other side doesn't follow the WebSocket protocol")]
    Protocol,
    /// It took too long.
    #[error("no connection in time")]
    Timeout,
}

/// Connects, and sends the headers of the handshake.
pub(crate) async fn connect(handshake: &Handshake) -> Result<Socket, ConnectError> {
    let mut request = handshake.url.as_str().into_client_request().map_err(|_| ConnectError::Unusable)?;
    let header = |value: &str| HeaderValue::from_str(value).map_err(|_| ConnectError::Unusable);
    let mut token = header(handshake.authorization().expose_secret())?;
    token.set_sensitive(true);
    request.headers_mut().insert("authorization", token);
    request.headers_mut().insert("client-properties", header(handshake.client_properties())?);

    let host = handshake.url.host_str().ok_or(ConnectError::Unusable)?;
    let port = handshake.url.port_or_known_default().ok_or(ConnectError::Unusable)?;
    let tcp = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    // Frames are small, and people wait for them.
    tcp.set_nodelay(true)?;
    let stream: Box<dyn Stream> = if handshake.url.scheme() == "wss" {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Unusable)?;
        let config = ClientConfig::with_platform_verifier()?;
        Box::new(TlsConnector::from(Arc::new(config)).connect(name, tcp).await?)
    } else {
        Box::new(tcp)
    };
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => Err(ConnectError::Refused { status: response.status().as_u16() }),
        Err(tungstenite::Error::Io(error)) => Err(ConnectError::Network(error)),
        Err(_) => Err(ConnectError::Protocol),
    }
}
