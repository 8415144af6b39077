//! The lab runs the connector and everything around it in one process, on loopback, without any account.
//!
//! The LiveEngage simulator and the channels' simulators are at the two ends. DynamoDB, SQS and Secrets Manager are
//! stand-ins that the real AWS SDK calls. An event source mapping and an API gateway turn the traffic into Lambda's
//! events. The six functions in between are the connector's own handlers.

pub mod action;
pub mod api_gateway;
pub mod aws;
mod bounded_log;
pub mod channel;
pub mod channels;
pub mod drill;
pub mod event_source_mapping;
pub mod events;
pub mod faults;
pub mod function;
pub mod functions;
pub mod headless;
mod installation;
pub mod journal;
mod lab;
pub mod lambda_api;
pub mod liveengage;
mod loopback;
pub mod page;
pub mod phone;
pub mod sms_gateway;
mod tls;
pub mod whatsapp;

pub use installation::{ACCOUNT, Installation, InstallationError};
pub use lab::{ADMINISTRATOR, Lab, LabError, LabOptions, RunningChannel};
pub use sms_gateway::{LINE, NUMBER};
pub use whatsapp::LINE as WHATSAPP_LINE;
