#![doc = include_str!("../README.md")]

pub mod added_text;
mod capabilities;
pub mod choice;
mod contract;
mod fields;
pub mod id;
pub mod left_out;
pub mod message;
pub mod plain_text;
mod proof;
mod registration;
pub mod rendering;
mod request;
pub mod setting;
mod settings;
pub mod sms;
pub mod whatsapp;

pub use capabilities::*;
pub use contract::*;
pub use registration::*;
pub use request::*;

/// All channels, in the order of the documentation.
pub const ALL: &[&dyn Channel] = &[&sms::Sms, &whatsapp::WhatsApp];

/// Returns the channel with this name. The field `channel` of a line's secret names it (`"channel": "sms"`).
pub fn by_name(name: &str) -> Option<&'static dyn Channel> {
    ALL.iter().copied().find(|channel| channel.name() == name)
}
