//! Implements the channel interface for WhatsApp.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::broadcast;
use url::Url;

use super::media::supported;
use super::{WhatsApp, WhatsAppConsumerError};
use crate::action::{ActionError, Media, UploadedFile};
use crate::channel::{ChannelSimulator, PhoneFeatures, SubscribeError};
use crate::phone::{Direction, Location, MediaKind, MessageState, PhoneChange, PhoneMessage};

#[async_trait]
impl ChannelSimulator for WhatsApp {
    fn url(&self) -> String {
        WhatsApp::url(self)
    }

    async fn subscribe_webhook(&self, url: Url) -> Result<(), SubscribeError> {
        WhatsApp::subscribe_webhook(self, url).await
    }

    fn has_pending_webhooks(&self) -> bool {
        let is_pending =
            |message: &PhoneMessage| message.direction == Direction::FromPhone && message.state == MessageState::Sent;
        self.account.phonebook().messages().any(is_pending)
    }

    fn features(&self) -> PhoneFeatures {
        // Consumers' phones don't report typing to the business.
        PhoneFeatures { files: true, places: true, read_receipts: true, ..PhoneFeatures::default() }
    }

    fn ticks_when_sent(&self) -> bool {
        true
    }

    fn phones(&self) -> Vec<String> {
        WhatsApp::phones(self)
    }

    fn transcript(&self, phone: &str) -> Vec<PhoneMessage> {
        WhatsApp::transcript(self, phone)
    }

    fn subscribe(&self) -> broadcast::Receiver<PhoneChange> {
        WhatsApp::subscribe(self)
    }

    fn typing_until(&self, phone: &str) -> Option<Timestamp> {
        WhatsApp::typing_until(self, phone)
    }

    fn file(&self, id: &str) -> Option<Media> {
        let phonebook = self.account.phonebook();
        let files = phonebook.messages().filter_map(|message| message.content.media_file());
        files.into_iter().find_map(|file| file.stored_as(id))
    }

    fn send_text(&self, phone: &str, text: &str) -> Result<String, ActionError> {
        Ok(self.consumer_sends(phone, text)?)
    }

    /// Like the WhatsApp app: images, videos and audio files of supported types are shown as such, and any other file
    /// is a document.
    fn send_file(&self, phone: &str, file: UploadedFile) -> Result<String, ActionError> {
        let (bytes, mime_type, caption) = (file.bytes.clone(), file.content_type.as_str(), file.caption.as_deref());
        Ok(match supported(mime_type) {
            Some((MediaKind::Image, _)) => self.consumer_sends_image(phone, bytes, mime_type, caption)?,
            Some((MediaKind::Video, _)) => self.consumer_sends_video(phone, bytes, mime_type, caption)?,
            Some((MediaKind::Audio, _)) if caption.is_none() => {
                self.consumer_sends_audio(phone, bytes, mime_type, false)?
            }
            Some((MediaKind::Sticker, _)) if caption.is_none() => self.consumer_sends_sticker(phone, bytes)?,
            // An audio file or a sticker with a caption can only be sent as a document.
            _ => self.consumer_sends_document(phone, file)?,
        })
    }

    fn send_place(&self, phone: &str, place: Location) -> Result<String, ActionError> {
        Ok(self.consumer_sends_location(phone, place)?)
    }

    fn tap(&self, phone: &str, message: &str, choice: &str) -> Result<String, ActionError> {
        Ok(self.consumer_taps(phone, message, choice)?)
    }

    fn read(&self, phone: &str) -> Result<(), ActionError> {
        if WhatsApp::transcript(self, phone).is_empty() {
            return Err(ActionError::NotFound(format!("the phone {phone:?} has no chat yet")));
        }
        self.consumer_reads(phone);
        Ok(())
    }
}

impl From<WhatsAppConsumerError> for ActionError {
    fn from(error: WhatsAppConsumerError) -> Self {
        match error {
            WhatsAppConsumerError::UnknownMessage(_) | WhatsAppConsumerError::UnknownChoice(_) => {
                Self::NotFound(error.to_string())
            }
            _ => Self::Rejected(error.to_string()),
        }
    }
}
