//! The use cases: what the six functions do, over ports. Nothing here names an AWS, Lambda or HTTP-client crate.

pub mod agent_names;
mod consumer_session;
pub mod delivery;
mod echo;
pub mod error;
mod files;
mod fitting;
mod guarded_http;
pub mod inbound;
pub mod liveengage_client;
mod not_needed;
mod owners;
pub mod policy;
pub mod reconcile;
pub mod redrive;
pub mod registry;
pub mod replay;
pub mod secret_change;
pub mod settings;
mod single_flight;
pub mod to_channel;
pub mod to_liveengage;
pub mod token_refresh;
mod tokens;
mod unreadable;
pub mod webhook;
pub mod worker;
