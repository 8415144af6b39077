//! The static description of a channel and its settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{ChannelSimulator, ChannelStartError};
use crate::faults::ChannelFaults;
use crate::journal::Journal;

/// A channel that the lab can simulate.
#[async_trait]
pub trait Channel: fmt::Debug + Send + Sync {
    /// The properties that all simulators of the channel share.
    fn profile(&self) -> &'static ChannelProfile;
    /// The channel's settings for the secret of a line, with new secrets.
    fn new_settings(&self) -> Value;
    /// The signature of a webhook with this body, in the form of its header. `header` reads the webhook's other
    /// headers. `None` if one of them is missing.
    fn sign(&self, key: &[u8], body: &[u8], header: &dyn Fn(&str) -> Option<String>) -> Option<String>;
    /// Starts the channel's simulator.
    ///
    /// # Errors
    /// [`ChannelStartError`].
    async fn start(&self, options: ChannelOptions<'_>) -> Result<Arc<dyn ChannelSimulator>, ChannelStartError>;
}

/// The properties that all simulators of a channel share.
#[derive(Debug)]
pub struct ChannelProfile {
    /// The channel's name in secrets: the value of `channel`, and the name of the member with the channel's settings.
    pub name: &'static str,
    /// The channel's display name, for example `SMS`.
    pub title: &'static str,
    /// The display name of the simulator.
    pub simulator: &'static str,
    /// The command line option for the simulator's port, without dashes.
    pub port_option: &'static str,
    /// The id of the lab's own line.
    pub line: &'static str,
    /// The required texts of a line's secret, as JSON pointers.
    pub required: &'static [&'static str],
    /// The channel's setting for the vendor's address, and the path that follows the simulator's address in it.
    pub address: (&'static str, &'static str),
    /// The longest text of one message to a phone, in characters.
    pub longest_text: usize,
    /// The header with the webhook's signature.
    pub signature_header: &'static str,
    /// The signature's key in a line's secret, as a JSON pointer.
    pub signature_key: &'static str,
    /// The header with the signed time in seconds, if there is one.
    pub signed_time_header: Option<&'static str>,
    /// The vendor's error answers.
    pub faults: ChannelFaults,
}

/// The options of a channel's simulator.
#[derive(Debug)]
pub struct ChannelOptions<'a> {
    /// The port on 127.0.0.1; 0 for a free port.
    pub port: u16,
    /// The channel's settings in the secret of its line.
    pub settings: &'a Value,
    /// The delay before the first retry of a webhook.
    pub retry_delay: Duration,
    /// The wire log.
    pub journal: Journal,
}

impl ChannelOptions<'_> {
    /// A text setting; empty if there is none.
    pub fn setting(&self, name: &str) -> String {
        self.settings.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}
