//! TLS on loopback, for clients that insist on HTTPS: a certificate authority of this process, and a listener.

mod authority;
mod listener;

pub(crate) use authority::Authority;
pub(crate) use listener::TlsListener;
