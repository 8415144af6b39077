//! The core: ids, messages, the conversation's state machine. No IO, no clock: time is an argument.

pub mod breaker;
pub mod conversation;
pub mod delivery;
pub mod digest;
pub mod id;
pub mod menu;
pub mod message_key;
pub mod order;
pub mod pointer;
pub mod progress;
pub mod receipt;
pub mod retry;
pub mod uncertain;
