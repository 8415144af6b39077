//! The consumers' actions on their phones.

use std::sync::Arc;

use bytes::Bytes;
use connector::port::Clock;
use connector_aws::SystemClock;
use serde_json::json;
use uuid::Uuid;

use super::media::{CheckedFile, MAX_FILES, MmsFile, picture_name};
use super::outbox::{PendingWebhook, WebhookPurpose};
use super::{MAX_TEXT_CHARS, SmsGateway, WebhookAnswer, payload};
use crate::phone::{AttachedFile, Direction, FilesMessage, MessageContent, PhoneMessage, is_e164};

/// Why a phone could not send a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SmsConsumerError {
    /// The number is not `+` and 7 to 15 digits (E.164).
    #[error("{0:?} is not a phone number: write + and 7 to 15 digits")]
    NotAPhone(String),
    /// The text is empty.
    #[error("an SMS needs a text")]
    EmptyText,
    /// The text is longer than [`MAX_TEXT_CHARS`].
    #[error("the text has {0} characters; the limit is {MAX_TEXT_CHARS}")]
    TextTooLong(usize),
    /// A message with files has no file, or more than [`MAX_FILES`].
    #[error("the message has {0} files; an MMS can have 1 to {MAX_FILES}")]
    WrongFileCount(usize),
    /// A file is empty.
    #[error("the file is empty")]
    EmptyFile,
    /// A file's content type is not of the form `type/subtype`.
    #[error("{0:?} is not a content type, for example image/jpeg")]
    NotAContentType(String),
    /// No phone has sent a message with this id.
    #[error("no phone has sent a message {0:?}")]
    UnknownMessage(String),
}

impl SmsGateway {
    /// Sends a text from a consumer. It appears on the phone as [`Sent`](crate::phone::MessageState::Sent), and its
    /// webhook is queued behind the phone's earlier ones. Returns the message id.
    ///
    /// # Errors
    /// [`SmsConsumerError`] when a phone could not send the number or the text.
    pub fn consumer_sends(&self, phone: &str, text: &str) -> Result<String, SmsConsumerError> {
        check(phone, text)?;
        Ok(self.write(phone, text, Vec::new()))
    }

    /// Sends a picture from a consumer, with or without a text (MMS). The webhook contains its address, where it can be
    /// fetched with the account's bearer token. Otherwise like [`SmsGateway::consumer_sends`].
    ///
    /// # Errors
    /// [`SmsConsumerError`] when a phone could not send the number, the file or the text.
    pub fn consumer_sends_picture(
        &self,
        phone: &str,
        bytes: impl Into<Bytes>,
        content_type: &str,
        text: Option<&str>,
    ) -> Result<String, SmsConsumerError> {
        let file = MmsFile {
            bytes: bytes.into(),
            content_type: content_type.to_owned(),
            name: Some(picture_name(content_type)),
        };
        self.consumer_sends_files(phone, vec![file], text)
    }

    /// Sends 1 to [`MAX_FILES`] files from a consumer in one message, with or without a text. Like
    /// [`SmsGateway::consumer_sends_picture`].
    ///
    /// # Errors
    /// [`SmsConsumerError`] when a phone could not send the number, a file or the text. Then nothing is stored.
    pub fn consumer_sends_files(
        &self,
        phone: &str,
        files: Vec<MmsFile>,
        text: Option<&str>,
    ) -> Result<String, SmsConsumerError> {
        check_phone(phone)?;
        text.map_or(Ok(()), check_text)?;
        if !(1..=MAX_FILES).contains(&files.len()) {
            return Err(SmsConsumerError::WrongFileCount(files.len()));
        }
        let files = files.into_iter().map(CheckedFile::try_from).collect::<Result<Vec<_>, _>>()?;
        let media = {
            let mut store = self.account.media.lock();
            files.into_iter().map(|file| store.add(file)).collect()
        };
        Ok(self.write(phone, text.unwrap_or_default(), media))
    }

    /// Sends texts from a consumer whose webhooks are posted at the same time, bypassing the phone's queue, as if two
    /// gateway nodes raced. Returns the message ids in the order of the texts. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`SmsConsumerError`] as for [`SmsGateway::consumer_sends`]. Then nothing is sent.
    pub fn consumer_sends_at_once(&self, phone: &str, texts: &[&str]) -> Result<Vec<String>, SmsConsumerError> {
        for text in texts {
            check(phone, text)?;
        }
        let mut ids = Vec::new();
        let mut postings = Vec::new();
        for text in texts {
            let (message, webhook) = self.compose(phone, text, Vec::new());
            ids.push(message.id.clone());
            postings.push(webhook);
            self.account.add(phone, message, None);
        }
        for webhook in postings {
            self.account.unsettled.send_modify(|count| *count += 1);
            let account = Arc::clone(&self.account);
            self.spawn(async move { account.deliver(&webhook).await });
        }
        Ok(ids)
    }

    /// Starts or stops typing. As with RCS, the gateway posts a separate webhook, in order with the phone's messages.
    /// It is posted once, without a retry, and is not shown on the phone.
    ///
    /// # Errors
    /// [`SmsConsumerError::NotAPhone`].
    pub fn consumer_types(&self, phone: &str, typing: bool) -> Result<(), SmsConsumerError> {
        check_phone(phone)?;
        let what = if typing { "types" } else { "stops typing" };
        self.account.options.journal.record("phone", "gateway", format!("{phone} {what}"), None);
        let id = format!("ty-{}", Uuid::new_v4());
        self.account.post_later(PendingWebhook {
            phone: phone.to_owned(),
            purpose: WebhookPurpose::Typing,
            body: payload::typing(&id, phone, typing),
        });
        Ok(())
    }

    /// Posts the webhook of an earlier message again, `times` times at once, each with a new nonce and timestamp. It is
    /// not retried, and the message's state on the phone stays unchanged.
    ///
    /// # Errors
    /// [`SmsConsumerError::UnknownMessage`] when no phone has sent the message.
    pub async fn repeat(&self, message_id: &str, times: u32) -> Result<Vec<WebhookAnswer>, SmsConsumerError> {
        let body = self
            .account
            .phonebook
            .lock()
            .with_message(message_id)
            .and_then(|phone| Some((phone, phone.message(message_id)?)))
            .filter(|(_, message)| message.direction == Direction::FromPhone)
            .map(|(phone, message)| self.account.message_body(&phone.number, message))
            .ok_or_else(|| SmsConsumerError::UnknownMessage(message_id.to_owned()))?;
        Ok(self.post_raw_body(&body, times).await)
    }

    fn write(&self, phone: &str, text: &str, media: Vec<AttachedFile>) -> String {
        let (message, webhook) = self.compose(phone, text, media);
        let id = message.id.clone();
        self.account.add(phone, message, Some(webhook));
        id
    }

    fn compose(&self, phone: &str, text: &str, media: Vec<AttachedFile>) -> (PhoneMessage, PendingWebhook) {
        let (kind, shown) =
            if media.is_empty() { ("SMS", text.into()) } else { ("MMS", json!({ "text": text, "files": media })) };
        self.account.options.journal.record("phone", "gateway", format!("{kind} from {phone}"), Some(shown));
        let message = from_phone(format!("mo-{}", Uuid::new_v4()), text, media);
        let webhook = PendingWebhook {
            phone: phone.to_owned(),
            purpose: WebhookPurpose::Message { id: message.id.clone() },
            body: self.account.message_body(phone, &message),
        };
        (message, webhook)
    }
}

/// A message that was just sent from a phone.
pub(super) fn from_phone(id: String, text: &str, files: Vec<AttachedFile>) -> PhoneMessage {
    let text = text.to_owned();
    let content =
        if files.is_empty() { MessageContent::Text(text) } else { MessageContent::Files(FilesMessage { text, files }) };
    PhoneMessage::from_phone(id, content, SystemClock.now())
}

fn check(phone: &str, text: &str) -> Result<(), SmsConsumerError> {
    check_phone(phone)?;
    check_text(text)
}

fn check_phone(phone: &str) -> Result<(), SmsConsumerError> {
    if is_e164(phone) { Ok(()) } else { Err(SmsConsumerError::NotAPhone(phone.to_owned())) }
}

fn check_text(text: &str) -> Result<(), SmsConsumerError> {
    if text.trim().is_empty() {
        return Err(SmsConsumerError::EmptyText);
    }
    match text.chars().count() {
        0..=MAX_TEXT_CHARS => Ok(()),
        length => Err(SmsConsumerError::TextTooLong(length)),
    }
}
