//! The gateway's phones as the page shows them.

use async_trait::async_trait;

use crate::page::{
    ActionError, AttachmentView, BubbleState, BubbleView, Media, PhoneFeatures, PhoneView, Phones, Side, UploadedFile,
};

use super::phone::{Direction, MessageState, PhoneMedia, PhoneMessage};
use super::{ConsumerError, MAX_TEXT_CHARS, MmsFile, SmsGateway, lock};

#[async_trait]
impl Phones for SmsGateway {
    fn features(&self) -> PhoneFeatures {
        PhoneFeatures {
            longest_text: Some(MAX_TEXT_CHARS),
            files: true,
            read_receipts: self.account.options.delivery_reports,
            typing: true,
            ..PhoneFeatures::default()
        }
    }

    async fn phones(&self) -> Vec<PhoneView> {
        let view = |number: String| {
            let transcript = self.transcript(&number);
            PhoneView { number, messages: transcript.len() }
        };
        SmsGateway::phones(self).into_iter().map(view).collect()
    }

    async fn transcript(&self, phone: &str) -> Option<Vec<BubbleView>> {
        let transcript = SmsGateway::transcript(self, phone);
        (!transcript.is_empty()).then(|| transcript.into_iter().map(BubbleView::from).collect())
    }

    async fn send(&self, phone: &str, text: &str) -> Result<(), ActionError> {
        self.consumer_sends(phone, text).map(drop).map_err(ActionError::from)
    }

    async fn send_file(&self, phone: &str, file: UploadedFile) -> Result<(), ActionError> {
        let UploadedFile { name, content_type, bytes, caption } = file;
        let file = MmsFile { bytes, content_type, name: Some(name) };
        self.consumer_sends_files(phone, vec![file], caption.as_deref()).map(drop).map_err(ActionError::from)
    }

    async fn read(&self, phone: &str) -> Result<(), ActionError> {
        if !self.account.options.delivery_reports {
            return Err(ActionError::Rejected("this gateway account has no delivery reports".to_owned()));
        }
        self.known(phone)?;
        self.consumer_reads(phone);
        Ok(())
    }

    async fn typing(&self, phone: &str, typing: bool) -> Result<(), ActionError> {
        self.known(phone)?;
        self.consumer_types(phone, typing).map_err(ActionError::from)
    }

    async fn media(&self, id: &str) -> Option<Media> {
        let (content_type, bytes) = lock(&self.account.media).get(id)?;
        Some(Media { content_type: content_type.to_str().unwrap_or_default().to_owned(), bytes })
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

impl From<PhoneMessage> for BubbleView {
    fn from(message: PhoneMessage) -> Self {
        let (state, note) = match message.state {
            MessageState::Sent => (BubbleState::Pending, None),
            MessageState::Accepted => (BubbleState::Accepted, None),
            MessageState::Delivered => (BubbleState::Delivered, None),
            MessageState::Read => (BubbleState::Read, None),
            MessageState::Failed(reason) => (BubbleState::Failed, Some(reason)),
        };
        let side = match message.direction {
            Direction::FromPhone => Side::Consumer,
            Direction::ToPhone => Side::Agent,
        };
        let attachments = message.media.into_iter().map(attachment).collect();
        Self {
            state: Some(state),
            note,
            attachments,
            ..Self::text(message.id, side, message.text, message.at.as_millisecond())
        }
    }
}

fn attachment(file: PhoneMedia) -> AttachmentView {
    let PhoneMedia { id, content_type, name, size } = file;
    // What browsers cannot draw is a download.
    match content_type.split(';').next().unwrap_or_default().trim() {
        "image/gif" | "image/jpeg" | "image/png" | "image/webp" => {
            AttachmentView::Picture { media: id, alt: name.unwrap_or_else(|| "picture".to_owned()) }
        }
        _ => {
            AttachmentView::File { name: name.unwrap_or(content_type), media: Some(id), size: u64::try_from(size).ok() }
        }
    }
}

impl From<ConsumerError> for ActionError {
    fn from(error: ConsumerError) -> Self {
        match error {
            ConsumerError::UnknownMessage(_) => Self::NotFound(error.to_string()),
            _ => Self::Rejected(error.to_string()),
        }
    }
}
