//! The core: ids, messages, the conversation's state machine. No IO, no clock: time is an argument.

pub mod breaker;
pub mod code;
pub mod conversation;
pub mod delivery;
pub mod digest;
pub mod http;
pub mod id;
pub mod json;
pub mod left_out;
pub mod menu;
pub mod message;
pub mod order;
pub mod retry;
pub mod rich_content;
pub mod settings;
pub mod text;
