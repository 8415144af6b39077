//! The Messaging Window API: a consumer's WebSocket at the service `asyncMessagingEnt` (Messaging Window API pages).
//!
//! The module does no IO: a client sends the frames that [`Request::frame`] builds, and reads what arrives with [`Frame::read`].
//!
//! A connector doesn't need this API, because the Send API and webhooks replace it. It is the shortest way to write to an account as a
//! consumer.
//!
//! - [`Handshake`]: the address, and the token in a header or in the first message.
//! - [`Request`], [`RequestKind`], [`PendingRequests`]: requests, and which response belongs to which.
//! - [`Frame`], [`Response`]: what arrives. Notifications have the form of webhooks and are read by [`crate::notification`].
//! - [`CloseReason`]: why LiveEngage closed the connection, and what to do then.
//! - [`DialogPositions`]: where to resume, and which events are copies.

use std::time::Duration;

mod close;
mod frame;
mod handshake;
mod pending;
mod position;
mod request;
#[cfg(test)]
mod tests;

pub use close::{CloseReason, Reaction};
pub use frame::{Answer, Frame, Response};
pub use handshake::{Handshake, HandshakeError, LONGEST_TOKEN};
pub use pending::PendingRequests;
pub use position::DialogPositions;
pub use request::{ConversationFilter, Names, Request, RequestId, RequestKind, SubscriptionId};

/// The name of the API's requests in logs and errors.
pub const CALL: &str = "LiveEngage Messaging Window";

/// How often a client sends `.GetClock` or a ping: every 30 s, the shorter of the two documented intervals (Retry and Keepalive page: 30 s;
/// Messaging Window API tutorial: 60 s).
pub const KEEP_ALIVE: Duration = Duration::from_secs(30);
