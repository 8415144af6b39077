#![doc = include_str!("../README.md")]

mod error;
mod tolerant;

pub mod client_properties;
pub mod domain_api;
pub mod event;
pub mod files;
pub mod id;
pub mod identity;
pub mod idp;
pub mod manifest;
pub mod messaging;
pub mod messaging_window;
pub mod notification;
pub mod profile;
pub mod sentinel;
pub mod signature;
pub mod structured_content;

pub use error::LiveEngageError;
