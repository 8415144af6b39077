//! What the consumers do on their phones.

use std::sync::Arc;

use bytes::Bytes;
use connector::port::{Clock, SystemClock};
use serde_json::json;
use uuid::Uuid;

use super::media::{CheckedFile, MAX_FILES, MmsFile, picture_name};
use super::outbox::{Posting, Purpose};
use super::phone::{self, Direction, MessageState, PhoneMedia, PhoneMessage};
use super::{MAX_TEXT_CHARS, SmsGateway, WebhookAnswer, lock, payload};

/// Why a phone's message did not leave the phone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumerError {
    /// The number is not `+` and 7 to 15 digits (E.164).
    #[error("{0:?} is not a phone number: write + and 7 to 15 digits")]
    NotAPhone(String),
    /// There is nothing to send.
    #[error("an SMS needs a text")]
    EmptyText,
    /// The text is longer than [`MAX_TEXT_CHARS`].
    #[error("the text has {0} characters; an SMS takes at most {MAX_TEXT_CHARS}")]
    TextTooLong(usize),
    /// A message with files has none, or more than [`MAX_FILES`].
    #[error("the message has {0} files; an MMS takes 1 to {MAX_FILES}")]
    WrongFileCount(usize),
    /// A file has no bytes.
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
    /// A consumer writes: the text appears on the phone as [`MessageState::Sent`] and its webhook is queued behind the phone's
    /// earlier ones. Answers the message id.
    ///
    /// # Errors
    /// [`ConsumerError`] when the number or the text is not one that a phone could send.
    pub fn consumer_sends(&self, phone: &str, text: &str) -> Result<String, ConsumerError> {
        check(phone, text)?;
        Ok(self.write(phone, text, Vec::new()))
    }

    /// A consumer sends a picture, with or without a text (MMS). The webhook has its address, where it can be fetched with the
    /// account's bearer token. Otherwise as [`SmsGateway::consumer_sends`].
    ///
    /// # Errors
    /// [`ConsumerError`] when the number, the file or the text is not one that a phone could send.
    pub fn consumer_sends_picture(
        &self,
        phone: &str,
        bytes: impl Into<Bytes>,
        content_type: &str,
        text: Option<&str>,
    ) -> Result<String, ConsumerError> {
        let file = MmsFile {
            bytes: bytes.into(),
            content_type: content_type.to_owned(),
            name: Some(picture_name(content_type)),
        };
        self.consumer_sends_files(phone, vec![file], text)
    }

    /// A consumer sends 1 to [`MAX_FILES`] files in one message, with or without a text. As
    /// [`SmsGateway::consumer_sends_picture`].
    ///
    /// # Errors
    /// [`ConsumerError`] when the number, a file or the text is not one that a phone could send; then nothing is stored.
    pub fn consumer_sends_files(
        &self,
        phone: &str,
        files: Vec<MmsFile>,
        text: Option<&str>,
    ) -> Result<String, ConsumerError> {
        check_phone(phone)?;
        text.map_or(Ok(()), check_text)?;
        if !(1..=MAX_FILES).contains(&files.len()) {
            return Err(ConsumerError::WrongFileCount(files.len()));
        }
        let files = files.into_iter().map(CheckedFile::try_from).collect::<Result<Vec<_>, _>>()?;
        let media = {
            let mut store = lock(&self.account.media);
            files.into_iter().map(|file| store.add(file)).collect()
        };
        Ok(self.write(phone, text.unwrap_or_default(), media))
    }

    /// A consumer's texts whose webhooks are posted at the same moment, past the phone's queue: two gateway nodes race.
    /// Answers the message ids in the order of the texts. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ConsumerError`] as for [`SmsGateway::consumer_sends`]; then nothing at all is sent.
    pub fn consumer_sends_at_once(&self, phone: &str, texts: &[&str]) -> Result<Vec<String>, ConsumerError> {
        for text in texts {
            check(phone, text)?;
        }
        let mut ids = Vec::new();
        let mut postings = Vec::new();
        for text in texts {
            let (message, posting) = self.compose(phone, text, Vec::new());
            ids.push(message.id.clone());
            postings.push(posting);
            self.account.add(phone, message, None);
        }
        for posting in postings {
            self.account.unsettled.send_modify(|count| *count += 1);
            let account = Arc::clone(&self.account);
            self.spawn(async move { account.deliver(&posting).await });
        }
        Ok(ids)
    }

    /// A consumer begins to type, or stops: as with RCS, the gateway says so in a webhook of its own, in turn with the phone's
    /// messages. It is posted once, without a retry, and leaves no trace on the phone.
    ///
    /// # Errors
    /// [`ConsumerError::NotAPhone`].
    pub fn consumer_types(&self, phone: &str, typing: bool) -> Result<(), ConsumerError> {
        check_phone(phone)?;
        let what = if typing { "types" } else { "stops typing" };
        self.account.options.journal.record("phone", "gateway", format!("{phone} {what}"), None);
        let id = format!("ty-{}", Uuid::new_v4());
        self.account.post_later(Posting {
            phone: phone.to_owned(),
            purpose: Purpose::Typing,
            body: payload::typing(&id, phone, typing),
        });
        Ok(())
    }

    /// Posts the webhook of an earlier message again, `times` times at once, each with a fresh nonce and timestamp.
    /// There is no retry, and the message's state on the phone stays as it is.
    ///
    /// # Errors
    /// [`ConsumerError::UnknownMessage`] when no phone has sent the message.
    pub async fn repeat(&self, message_id: &str, times: u32) -> Result<Vec<WebhookAnswer>, ConsumerError> {
        let body = lock(&self.account.phonebook)
            .sent_by_phone(message_id)
            .map(|(phone, message)| self.account.message_body(phone, message))
            .ok_or_else(|| ConsumerError::UnknownMessage(message_id.to_owned()))?;
        Ok(self.post_raw_body(&body, times).await)
    }

    fn write(&self, phone: &str, text: &str, media: Vec<PhoneMedia>) -> String {
        let (message, posting) = self.compose(phone, text, media);
        let id = message.id.clone();
        self.account.add(phone, message, Some(posting));
        id
    }

    fn compose(&self, phone: &str, text: &str, media: Vec<PhoneMedia>) -> (PhoneMessage, Posting) {
        let (kind, shown) =
            if media.is_empty() { ("SMS", text.into()) } else { ("MMS", json!({ "text": text, "files": media })) };
        self.account.options.journal.record("phone", "gateway", format!("{kind} from {phone}"), Some(shown));
        let message = from_phone(format!("mo-{}", Uuid::new_v4()), text, media);
        let posting = Posting {
            phone: phone.to_owned(),
            purpose: Purpose::Message { id: message.id.clone() },
            body: self.account.message_body(phone, &message),
        };
        (message, posting)
    }
}

/// A message that has just left a phone.
pub(super) fn from_phone(id: String, text: &str, media: Vec<PhoneMedia>) -> PhoneMessage {
    PhoneMessage {
        id,
        direction: Direction::FromPhone,
        text: text.to_owned(),
        media,
        at: SystemClock.now(),
        state: MessageState::Sent,
        client_reference: None,
    }
}

fn check(phone: &str, text: &str) -> Result<(), ConsumerError> {
    check_phone(phone)?;
    check_text(text)
}

fn check_phone(phone: &str) -> Result<(), ConsumerError> {
    if phone::is_e164(phone) { Ok(()) } else { Err(ConsumerError::NotAPhone(phone.to_owned())) }
}

fn check_text(text: &str) -> Result<(), ConsumerError> {
    if text.trim().is_empty() {
        return Err(ConsumerError::EmptyText);
    }
    match text.chars().count() {
        0..=MAX_TEXT_CHARS => Ok(()),
        length => Err(ConsumerError::TextTooLong(length)),
    }
}
