//! The interface of a channel's simulator.

mod profile;
#[cfg(test)]
pub(crate) mod test_receiver;
pub(crate) mod webhook_post;

use std::any::Any;
use std::fmt;

use async_trait::async_trait;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast;
use url::Url;

pub use profile::{Channel, ChannelOptions, ChannelProfile};

use crate::action::{ActionError, Media, UploadedFile};
use crate::phone::{Location, PhoneChange, PhoneMessage};

/// The running simulator of a channel: the consumers' phones, and the vendor between them and the connector. A
/// simulator doesn't implement what its channel doesn't support.
#[async_trait]
pub trait ChannelSimulator: Any + fmt::Debug + Send + Sync {
    /// The address of the vendor's API, without a trailing slash.
    fn url(&self) -> String;
    /// Sets the address for webhooks, after the vendor's handshake if there is one. Then waiting webhooks are sent.
    ///
    /// # Errors
    /// [`SubscribeError`] if the answer to the handshake was wrong.
    async fn subscribe_webhook(&self, url: Url) -> Result<(), SubscribeError>;
    /// Whether the connector has not accepted or refused a consumer's message yet.
    fn has_pending_webhooks(&self) -> bool;

    /// The features of the phones in addition to texts.
    fn features(&self) -> PhoneFeatures;
    /// Whether a message in the state [`Sent`](crate::phone::MessageState::Sent) was accepted by the vendor, so that it
    /// has its first tick.
    fn ticks_when_sent(&self) -> bool;
    /// The numbers of all phones, in the order in which they became known.
    fn phones(&self) -> Vec<String>;
    /// The transcript of the phone, oldest first; empty for an unknown phone.
    fn transcript(&self, phone: &str) -> Vec<PhoneMessage>;
    /// Follows the phones from now on.
    fn subscribe(&self) -> broadcast::Receiver<PhoneChange>;
    /// Until when the phone shows that the other side is typing; `None` if it doesn't.
    fn typing_until(&self, _phone: &str) -> Option<Timestamp> {
        None
    }
    /// A file of a transcript; `None` for an unknown id.
    fn file(&self, _id: &str) -> Option<Media> {
        None
    }

    /// Sends a text from the consumer. Returns the message's id. An unknown phone is created.
    ///
    /// # Errors
    /// [`ActionError`] when the phone can't send this.
    fn send_text(&self, phone: &str, text: &str) -> Result<String, ActionError>;
    /// Sends a file from the consumer, with or without a text. An unknown phone is created.
    ///
    /// # Errors
    /// [`ActionError`] when the phone can't send this.
    fn send_file(&self, _phone: &str, _file: UploadedFile) -> Result<String, ActionError> {
        Err(ActionError::unsupported("this channel", "files"))
    }
    /// Sends a location from the consumer. An unknown phone is created.
    ///
    /// # Errors
    /// [`ActionError`] when the phone can't send this.
    fn send_place(&self, _phone: &str, _place: Location) -> Result<String, ActionError> {
        Err(ActionError::unsupported("this channel", "places"))
    }
    /// Taps a choice of a message: a button, or a row of a list.
    ///
    /// # Errors
    /// [`ActionError`] when the phone doesn't have the message, or the message doesn't have the choice.
    fn tap(&self, _phone: &str, _message: &str, _choice: &str) -> Result<String, ActionError> {
        Err(ActionError::unsupported("this channel", "buttons"))
    }
    /// Opens the chat, so that the consumer reads all of it.
    ///
    /// # Errors
    /// [`ActionError`] when the phone is unknown.
    fn read(&self, _phone: &str) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this channel", "read receipts"))
    }
    /// Starts or stops typing.
    ///
    /// # Errors
    /// [`ActionError`] when the phone is unknown.
    fn types(&self, _phone: &str, _typing: bool) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this channel", "typing indicators"))
    }
}

/// The features of a channel's phones in addition to texts. The page shows controls for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PhoneFeatures {
    /// The longest text in characters; `None` for no limit on the page.
    pub longest_text: Option<usize>,
    /// [`ChannelSimulator::send_file`] works.
    pub files: bool,
    /// [`ChannelSimulator::send_place`] works.
    pub places: bool,
    /// [`ChannelSimulator::read`] works.
    pub read_receipts: bool,
    /// [`ChannelSimulator::types`] works.
    pub typing: bool,
}

/// Why an address was refused for webhooks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// There was no HTTP answer: the connection was refused or reset, or the call timed out.
    #[error("the callback URL could not be validated: {0}")]
    NoAnswer(String),
    /// The answer was not 200. The verify token may differ.
    #[error("the callback URL could not be validated: it answered {}", .0.as_u16())]
    Refused(StatusCode),
    /// The answer's body was not exactly the challenge.
    #[error("the callback URL could not be validated: it did not answer with the challenge")]
    WrongChallenge,
}

/// The connector's answer to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// An HTTP answer.
    Status(StatusCode),
    /// No answer: the connection was refused or reset, or the call timed out.
    NoAnswer(String),
}

/// Why a simulator failed to start.
#[derive(Debug, thiserror::Error)]
pub enum ChannelStartError {
    /// The port is in use or not allowed.
    #[error("the {0} simulator cannot listen on 127.0.0.1: {1}")]
    Listen(&'static str, std::io::Error),
    /// The HTTP client for webhooks could not be created.
    #[error("the {0} simulator could not create its HTTP client: {1}")]
    Client(&'static str, reqwest::Error),
}
