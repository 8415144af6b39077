//! The connector's common crate.

pub mod channel;
pub mod domain;
pub mod liveengage;
pub mod port;
