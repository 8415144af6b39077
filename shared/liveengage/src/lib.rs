#![doc = include_str!("../README.md")]

mod error;
mod tolerant;

pub mod agent_profile;
pub mod app_install;
pub mod client_properties;
pub mod domain_api;
pub mod event;
pub mod files;
pub mod history;
pub mod id;
pub mod identity;
pub mod idp;
pub mod login;
pub mod manifest;
pub mod messaging;
pub mod messaging_window;
pub mod monitoring;
pub mod notification;
pub mod oauth1;
pub mod profile;
pub mod sentinel;
pub mod signature;
pub mod structured_content;

pub use error::LiveEngageError;
