//! The Messaging Window API: the consumer's websocket at the service `asyncMessagingEnt`.
//!
//! Requests change the same conversations as those of the Send API, so both kinds of consumers are at one desk.

mod connection;
mod requests;
mod sockets;

pub(super) use connection::connect;
pub(super) use sockets::Sockets;
