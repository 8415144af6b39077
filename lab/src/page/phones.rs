//! The consumers' side of the page.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;

use super::view::{ActionError, BubbleView, Media, UploadedFile};

/// The phones of one channel. What a channel does not have, it does not implement: then the page does not offer it, and a
/// request for it is rejected.
#[async_trait]
pub trait Phones: Send + Sync {
    /// What these phones can do beside texts.
    fn features(&self) -> PhoneFeatures {
        PhoneFeatures::default()
    }
    /// All phones that are known, in a stable order.
    async fn phones(&self) -> Vec<PhoneView>;
    /// What the phone shows, oldest first; `None` for a phone that nobody knows.
    async fn transcript(&self, phone: &str) -> Option<Vec<BubbleView>>;
    /// The consumer writes a text. A phone that nobody knows comes into being.
    ///
    /// # Errors
    /// [`ActionError`] when the phone cannot send this.
    async fn send(&self, phone: &str, text: &str) -> Result<(), ActionError>;
    /// The consumer sends a picture or another file. A phone that nobody knows comes into being.
    ///
    /// # Errors
    /// [`ActionError`] when the phone cannot send this.
    async fn send_file(&self, _phone: &str, _file: UploadedFile) -> Result<(), ActionError> {
        Err(lacks("files"))
    }
    /// The consumer sends a place. A phone that nobody knows comes into being.
    ///
    /// # Errors
    /// [`ActionError`] when the phone cannot send this.
    async fn send_place(&self, _phone: &str, _place: Place) -> Result<(), ActionError> {
        Err(lacks("places"))
    }
    /// The consumer taps a choice of a message: a button, or a row of a list.
    ///
    /// # Errors
    /// [`ActionError`] when the phone has no such message, or the message no such choice.
    async fn tap(&self, _phone: &str, _message: &str, _choice: &str) -> Result<(), ActionError> {
        Err(lacks("buttons"))
    }
    /// The consumer opens the chat and sees all of it.
    ///
    /// # Errors
    /// [`ActionError`] when nobody knows the phone.
    async fn read(&self, _phone: &str) -> Result<(), ActionError> {
        Err(lacks("read receipts"))
    }
    /// The consumer begins to type, or stops.
    ///
    /// # Errors
    /// [`ActionError`] when nobody knows the phone.
    async fn typing(&self, _phone: &str, _typing: bool) -> Result<(), ActionError> {
        Err(lacks("typing indicators"))
    }
    /// Until when the phone shows that the other side types, in milliseconds since the epoch; `None` if it does not.
    async fn brand_types_until(&self, _phone: &str) -> Option<i64> {
        None
    }
    /// The bytes behind a [`super::AttachmentView::Picture`] or [`super::AttachmentView::File`]; `None` for an id that
    /// nobody knows.
    async fn media(&self, _id: &str) -> Option<Media> {
        None
    }
}

fn lacks(what: &str) -> ActionError {
    ActionError::Rejected(format!("this channel has no {what}"))
}

/// The phones of one channel under its name.
#[derive(Clone)]
pub struct PhoneChannel {
    /// The channel as people call it, for example `SMS`. A phone is asked for by this name and its number.
    pub name: String,
    /// The phones.
    pub phones: Arc<dyn Phones>,
}

impl fmt::Debug for PhoneChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneChannel").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the phones of a channel can do beside texts: the page shows the controls for these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PhoneFeatures {
    /// The longest text in characters; `None` if the page need not know.
    pub longest_text: Option<usize>,
    /// [`Phones::send_file`] works.
    pub files: bool,
    /// [`Phones::send_place`] works.
    pub places: bool,
    /// [`Phones::read`] works.
    pub read_receipts: bool,
    /// [`Phones::typing`] works.
    pub typing: bool,
}

/// One phone in the list of phones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneView {
    /// The number, which is also what the phone is asked for by within its channel.
    pub number: String,
    /// How many messages its transcript has: the page counts the unread ones with it.
    pub messages: usize,
}

/// A place on a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Degrees north of the equator, -90 to 90.
    pub latitude: f64,
    /// Degrees east of Greenwich, -180 to 180.
    pub longitude: f64,
    /// What it is called.
    pub name: Option<String>,
    /// Where it is, in words.
    pub address: Option<String>,
}
