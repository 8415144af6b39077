//! The websockets at the service `asyncMessagingEnt`: the Messaging Window API for consumers, and the agents' side.
//!
//! Requests change the same conversations as those of the Send API, so both kinds of consumers are at one desk.

mod brand;
mod brand_form;
mod connection;
mod requests;
mod sockets;

pub(super) use connection::connect;
pub(super) use sockets::Sockets;
