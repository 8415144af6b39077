//! LiveEngage: the wire formats of the APIs that a connector needs, as functions that build a call and read its answer.
//!
//! No IO: a use case hands the calls to a port. Everything here is written from LivePerson's Connector API documentation; where
//! that contradicts itself, requests take the newest form and answers are read in every form.

mod error;
mod tolerant;

pub mod client_properties;
pub mod domain_api;
pub mod event;
pub mod files;
pub mod idp;
pub mod manifest;
pub mod messaging;
pub mod notification;
pub mod profile;
pub mod sentinel;
pub mod signature;
pub mod structured_content;

pub use error::LiveEngageError;
