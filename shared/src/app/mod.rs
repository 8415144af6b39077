//! The use cases: what the five functions do, over ports. Nothing here names an AWS, Lambda or HTTP-client crate.

mod breakers;
pub mod bundle;
pub mod delivery;
mod echo;
pub mod error;
mod files;
pub mod inbound;
pub mod liveengage_client;
pub mod policy;
pub mod redrive;
pub mod registry;
pub mod replay;
pub mod secret_change;
pub mod settings;
pub mod task;
pub mod to_channel;
pub mod to_liveengage;
pub mod token_refresh;
pub mod tokens;
mod unknown_form;
pub mod webhook;

#[cfg(test)]
mod tests;
