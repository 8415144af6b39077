#![doc = include_str!("../README.md")]

pub mod code;
mod disposition;
pub mod http;
pub mod id;
pub mod json;
mod message_text;
pub mod rich_content;
pub mod settings;
pub mod text;

pub use disposition::Disposition;
pub use message_text::MessageText;
