//! The connector's common crate.

pub mod app;
pub mod aws;
pub mod channel;
pub mod domain;
pub mod lambda;
pub mod liveengage;
pub mod outgoing_http;
pub mod port;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
