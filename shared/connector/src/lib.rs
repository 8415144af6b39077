#![doc = include_str!("../README.md")]

pub mod app;
pub mod domain;
pub mod log_event;
pub mod port;
pub mod queue_message;
