//! The bodies of the fuzz targets. There is one function for each place that reads bytes from outside.
//!
//! A body accepts any bytes, and panics if one of its assertions fails. `tests/fuzz` runs the bodies under libFuzzer. The tests in this
//! module run them in every test run, over arbitrary bytes, over corrupted valid inputs, and over `tests/fuzz/seeds`.

#![expect(clippy::unwrap_used, reason = "a test suite: what doesn't hold is a panic")]

mod answer;
mod file;
mod function;
mod input;
mod key;
mod limits;
mod line;
mod liveengage;
mod rendering;
mod request;
mod settings;
mod task;
#[cfg(test)]
mod tests;

pub use answer::channel_answer;
pub use file::hosted_file;
pub use function::http_functions;
pub use key::table_key;
pub use liveengage::{liveengage_notification, liveengage_signature};
pub use rendering::{outbound_text, structured_content};
pub use request::{sms_request, whatsapp_request};
pub use settings::settings;
pub use task::queue_task;

/// The body of a target.
pub type Body = fn(&[u8]);

/// Every target by its name. The name is also that of its file in `tests/fuzz/targets` and of its folder in `tests/fuzz/seeds`.
pub const TARGETS: [(&str, Body); 12] = [
    ("channel_answer", channel_answer),
    ("hosted_file", hosted_file),
    ("http_functions", http_functions),
    ("liveengage_notification", liveengage_notification),
    ("liveengage_signature", liveengage_signature),
    ("outbound_text", outbound_text),
    ("queue_task", queue_task),
    ("settings", settings),
    ("sms_request", sms_request),
    ("structured_content", structured_content),
    ("table_key", table_key),
    ("whatsapp_request", whatsapp_request),
];
