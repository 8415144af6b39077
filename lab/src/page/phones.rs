//! The consumers' side of the page.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;

use super::view::BubbleView;
use crate::action::{ActionError, Media, UploadedFile};
use crate::channel::PhoneFeatures;
use crate::phone::Location;

/// The phones of a channel. A channel doesn't implement what it doesn't support: the page doesn't offer it, and a
/// request for it is rejected.
#[async_trait]
pub trait Phones: Send + Sync {
    /// The features of the phones in addition to texts.
    fn features(&self) -> PhoneFeatures {
        PhoneFeatures::default()
    }
    /// All known phones, in a stable order.
    async fn phones(&self) -> Vec<PhoneView>;
    /// The transcript of the phone, oldest first; `None` for an unknown phone.
    async fn transcript(&self, phone: &str) -> Option<Vec<BubbleView>>;
    /// Sends a text from the consumer. An unknown phone is created.
    ///
    /// # Errors
    /// [`ActionError`] when the phone can't send this.
    async fn send(&self, phone: &str, text: &str) -> Result<(), ActionError>;
    /// Sends a picture or another file from the consumer. An unknown phone is created.
    ///
    /// # Errors
    /// [`ActionError`] when the phone can't send this.
    async fn send_file(&self, _phone: &str, _file: UploadedFile) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this channel", "files"))
    }
    /// Sends a location from the consumer. An unknown phone is created.
    ///
    /// # Errors
    /// [`ActionError`] when the phone can't send this.
    async fn send_place(&self, _phone: &str, _place: Location) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this channel", "places"))
    }
    /// Taps a choice of a message: a button, or a row of a list.
    ///
    /// # Errors
    /// [`ActionError`] when the phone doesn't have the message, or the message doesn't have the choice.
    async fn tap(&self, _phone: &str, _message: &str, _choice: &str) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this channel", "buttons"))
    }
    /// Opens the chat, so that the consumer reads all of it.
    ///
    /// # Errors
    /// [`ActionError`] when the phone is unknown.
    async fn read(&self, _phone: &str) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this channel", "read receipts"))
    }
    /// Starts or stops typing.
    ///
    /// # Errors
    /// [`ActionError`] when the phone is unknown.
    async fn typing(&self, _phone: &str, _typing: bool) -> Result<(), ActionError> {
        Err(ActionError::unsupported("this channel", "typing indicators"))
    }
    /// Until when the phone shows that the other side is typing, in milliseconds since the epoch; `None` if it doesn't.
    async fn brand_types_until(&self, _phone: &str) -> Option<i64> {
        None
    }
    /// The file of a [`super::AttachmentView::Picture`] or [`super::AttachmentView::File`]; `None` for an unknown id.
    async fn media(&self, _id: &str) -> Option<Media> {
        None
    }
}

/// The phones of a channel, with its name.
#[derive(Clone, derive_more::Debug)]
pub struct PhoneChannel {
    /// The channel's display name, for example `SMS`. Requests identify a phone by this name and its number.
    pub name: String,
    /// The phones.
    #[debug(skip)]
    pub phones: Arc<dyn Phones>,
}

/// A phone in the list of phones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneView {
    /// The number, which identifies the phone within its channel.
    pub number: String,
    /// The number of messages in its transcript. The page uses it to count unread messages.
    pub messages: usize,
}
