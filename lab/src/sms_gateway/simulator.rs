//! Implements the channel interface for the gateway.

use async_trait::async_trait;
use tokio::sync::broadcast;
use url::Url;

use super::{MAX_TEXT_CHARS, MmsFile, SmsConsumerError, SmsGateway};
use crate::action::{ActionError, Media, UploadedFile};
use crate::channel::{ChannelSimulator, PhoneFeatures, SubscribeError};
use crate::phone::{PhoneChange, PhoneMessage};

#[async_trait]
impl ChannelSimulator for SmsGateway {
    fn url(&self) -> String {
        SmsGateway::url(self)
    }

    async fn subscribe_webhook(&self, url: Url) -> Result<(), SubscribeError> {
        self.set_webhook_url(url);
        Ok(())
    }

    fn has_pending_webhooks(&self) -> bool {
        *self.account.unsettled.borrow() > 0
    }

    fn features(&self) -> PhoneFeatures {
        PhoneFeatures {
            longest_text: Some(MAX_TEXT_CHARS),
            files: true,
            read_receipts: self.account.options.delivery_reports,
            typing: true,
            ..PhoneFeatures::default()
        }
    }

    fn ticks_when_sent(&self) -> bool {
        false
    }

    fn phones(&self) -> Vec<String> {
        SmsGateway::phones(self)
    }

    fn transcript(&self, phone: &str) -> Vec<PhoneMessage> {
        SmsGateway::transcript(self, phone)
    }

    fn subscribe(&self) -> broadcast::Receiver<PhoneChange> {
        SmsGateway::subscribe(self)
    }

    fn file(&self, id: &str) -> Option<Media> {
        let (content_type, bytes) = self.account.media.lock().get(id)?;
        Some(Media { content_type: content_type.to_str().unwrap_or_default().to_owned(), bytes })
    }

    fn send_text(&self, phone: &str, text: &str) -> Result<String, ActionError> {
        Ok(self.consumer_sends(phone, text)?)
    }

    fn send_file(&self, phone: &str, file: UploadedFile) -> Result<String, ActionError> {
        let UploadedFile { name, content_type, bytes, caption } = file;
        let file = MmsFile { bytes, content_type, name: Some(name) };
        Ok(self.consumer_sends_files(phone, vec![file], caption.as_deref())?)
    }

    fn read(&self, phone: &str) -> Result<(), ActionError> {
        if !self.account.options.delivery_reports {
            return Err(ActionError::Rejected("this gateway account has no delivery reports".to_owned()));
        }
        self.known(phone)?;
        self.consumer_reads(phone);
        Ok(())
    }

    fn types(&self, phone: &str, typing: bool) -> Result<(), ActionError> {
        self.known(phone)?;
        Ok(self.consumer_types(phone, typing)?)
    }
}

impl SmsGateway {
    fn known(&self, phone: &str) -> Result<(), ActionError> {
        if SmsGateway::transcript(self, phone).is_empty() {
            return Err(ActionError::NotFound(format!("the phone {phone:?} has no messages yet")));
        }
        Ok(())
    }
}

impl From<SmsConsumerError> for ActionError {
    fn from(error: SmsConsumerError) -> Self {
        match error {
            SmsConsumerError::UnknownMessage(_) => Self::NotFound(error.to_string()),
            _ => Self::Rejected(error.to_string()),
        }
    }
}
