//! The lab: everything around the connector, on loopback, in one process, with no account anywhere.
//!
//! The LiveEngage simulator and the SMS gateway simulator stand at the two ends; DynamoDB, SQS and Secrets Manager are stand-ins that
//! the real AWS SDK talks to; an event source mapping and an API front turn their traffic into Lambda's events; and the five functions in between
//! are the connector's own handlers.

pub mod api_gateway;
pub mod aws;
pub mod drill;
pub mod event_source_mapping;
pub mod events;
pub mod functions;
pub mod headless;
mod installation;
pub mod journal;
mod lab;
pub mod liveengage;
mod loopback;
pub mod page;
pub mod sms_gateway;
pub mod whatsapp;

pub use installation::{Installation, InstallationError};
pub use lab::{ACCOUNT, LINE, Lab, LabError, LabOptions, NUMBER, WHATSAPP_LINE};
