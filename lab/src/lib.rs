//! The lab: everything around the connector, on loopback, in one process, with no account anywhere.

pub mod aws;
pub mod journal;
pub mod liveengage;
pub mod page;
pub mod pump;
pub mod sms_gateway;
