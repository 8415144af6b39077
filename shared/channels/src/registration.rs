//! How a channel learns the URL of a line's webhook.

use connector_message::http::HttpCall;

/// How a channel learns the URL of a line's webhook.
#[derive(Debug)]
pub enum Registration {
    /// By these calls, in order. Each must succeed before the next is made ([`Line::registered`](crate::Line::registered)). They can be
    /// repeated.
    Calls(Vec<HttpCall>),
    /// By a person, on a page of the vendor.
    Manual {
        /// What to do, in order: one sentence each. A step can name a setting, and never contains the value of a secret.
        steps: Vec<String>,
    },
}
