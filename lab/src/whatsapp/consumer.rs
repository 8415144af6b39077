//! The consumers' actions on their phones. Every number is in E.164 form with the plus. An unknown phone is created.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use connector::port::Clock;
use connector_aws::SystemClock;
use serde_json::{Value, json};

use super::WhatsApp;
use super::account::new_message_id;
use super::phone::{self, Profile};
use crate::action::UploadedFile;
use crate::phone::{Choice, ContactCard, Location, MediaFile, MediaKind, MediaMessage, MessageContent};
use crate::phone::{Direction, MessageState, PhoneMessage, is_e164};

/// The longest text of a consumer in Unicode scalar values. It is longer than that of a business.
const MAX_CONSUMER_TEXT: usize = 65_536;
/// The longest caption in Unicode scalar values.
const MAX_CAPTION: usize = 1024;

/// Why an action on a phone failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhatsAppConsumerError {
    /// The number is not `+` and 7 to 15 digits (E.164).
    #[error("{0:?} is not a phone number: write + and 7 to 15 digits")]
    NotAPhone(String),
    /// The text is empty.
    #[error("a message needs a text")]
    EmptyText,
    /// A text or caption is too long.
    #[error("the text has {length} characters; the limit is {limit}")]
    TextTooLong {
        /// Its length in Unicode scalar values.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The file is empty, too large or of an unsupported type.
    #[error("the file can't be sent: {0}")]
    Media(String),
    /// Degrees out of range.
    #[error("the location {latitude}, {longitude} is out of range")]
    NotAPlace {
        /// Degrees north.
        latitude: String,
        /// Degrees east.
        longitude: String,
    },
    /// The message is not on this phone, or was never sent to the connector.
    #[error("there is no message {0:?}")]
    UnknownMessage(String),
    /// The message has no button or row with this id.
    #[error("the message has no button or row {0:?}")]
    UnknownChoice(String),
    /// A business-scoped user id is two capital letters, a period, and up to 128 letters and digits.
    #[error("{0:?} is not a business-scoped user id, for example US.13491208655302741918")]
    NotAUserId(String),
    /// A number can be hidden only if there is a user id.
    #[error("the phone needs a user id before its number can be hidden")]
    NoUserId,
}

impl WhatsApp {
    /// Sends a text from a consumer. Returns the message id, as all of these functions do.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] when a phone could not send the number or the text.
    pub fn consumer_sends(&self, phone: &str, text: &str) -> Result<String, WhatsAppConsumerError> {
        check_text(text)?;
        let fields = json!({ "type": "text", "text": { "body": text } });
        self.send(phone, MessageContent::Text(text.to_owned()), None, fields)
    }

    /// Sends a text from a consumer that quotes a message of the chat.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] as for [`WhatsApp::consumer_sends`], and when the quoted message is not on the phone.
    pub fn consumer_replies(&self, phone: &str, text: &str, quoted: &str) -> Result<String, WhatsAppConsumerError> {
        check_text(text)?;
        self.find(phone, quoted)?;
        let fields = json!({ "type": "text", "text": { "body": text } });
        self.send(phone, MessageContent::Text(text.to_owned()), Some(quoted), fields)
    }

    /// Sends an image from a consumer: JPEG or PNG, at most 5 MB.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] when a phone could not send the number, the file or the caption.
    pub fn consumer_sends_image(
        &self,
        phone: &str,
        bytes: impl Into<Bytes>,
        mime_type: &str,
        caption: Option<&str>,
    ) -> Result<String, WhatsAppConsumerError> {
        self.send_media(phone, NewMedia { caption, ..NewMedia::new(MediaKind::Image, bytes, mime_type) })
    }

    /// Sends a video from a consumer: MP4 or 3GPP, at most 16 MB.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] as for [`WhatsApp::consumer_sends_image`].
    pub fn consumer_sends_video(
        &self,
        phone: &str,
        bytes: impl Into<Bytes>,
        mime_type: &str,
        caption: Option<&str>,
    ) -> Result<String, WhatsAppConsumerError> {
        self.send_media(phone, NewMedia { caption, ..NewMedia::new(MediaKind::Video, bytes, mime_type) })
    }

    /// Sends a document of any type from a consumer, at most 100 MB.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] as for [`WhatsApp::consumer_sends_image`].
    pub fn consumer_sends_document(
        &self,
        phone: &str,
        document: UploadedFile,
    ) -> Result<String, WhatsAppConsumerError> {
        let UploadedFile { name, content_type, bytes, caption } = document;
        let media = NewMedia::new(MediaKind::Document, bytes, &content_type);
        self.send_media(phone, NewMedia { caption: caption.as_deref(), filename: Some(&name), ..media })
    }

    /// Sends an audio file from a consumer. `voice` marks a voice message, which is `audio/ogg; codecs=opus`.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] as for [`WhatsApp::consumer_sends_image`].
    pub fn consumer_sends_audio(
        &self,
        phone: &str,
        bytes: impl Into<Bytes>,
        mime_type: &str,
        voice: bool,
    ) -> Result<String, WhatsAppConsumerError> {
        self.send_media(phone, NewMedia { voice, ..NewMedia::new(MediaKind::Audio, bytes, mime_type) })
    }

    /// Sends a sticker from a consumer: WebP, at most 500 KB.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] as for [`WhatsApp::consumer_sends_image`].
    pub fn consumer_sends_sticker(
        &self,
        phone: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<String, WhatsAppConsumerError> {
        self.send_media(phone, NewMedia::new(MediaKind::Sticker, bytes, "image/webp"))
    }

    /// Sends a location from a consumer: its degrees, and optionally its name and address.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] when the number is not a phone's, or the degrees are out of range.
    pub fn consumer_sends_location(&self, phone: &str, place: Location) -> Result<String, WhatsAppConsumerError> {
        let Location { latitude, longitude, name, address } = &place;
        if !(-90.0..=90.0).contains(latitude) || !(-180.0..=180.0).contains(longitude) {
            let (latitude, longitude) = (latitude.to_string(), longitude.to_string());
            return Err(WhatsAppConsumerError::NotAPlace { latitude, longitude });
        }
        let location = json!({ "latitude": latitude, "longitude": longitude, "name": name, "address": address });
        let fields = json!({ "type": "location", "location": location });
        self.send(phone, MessageContent::Location(place), None, fields)
    }

    /// Sends a contact card from a consumer: a full name and a number.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] when the sender's number is not a phone's, or the card has no name.
    pub fn consumer_sends_contact(
        &self,
        phone: &str,
        name: &str,
        number: &str,
    ) -> Result<String, WhatsAppConsumerError> {
        check_text(name)?;
        let wa_id = phone::normalized(number).map(|number| number.trim_start_matches('+').to_owned());
        let entry = json!({ "phone": number, "type": "Mobile", "wa_id": wa_id });
        let first_name = name.split_whitespace().next().unwrap_or(name);
        let fields = json!({
            "type": "contacts",
            "contacts": [{ "name": { "formatted_name": name, "first_name": first_name }, "phones": [entry] }],
        });
        let card = ContactCard { name: name.to_owned(), phones: vec![number.to_owned()] };
        self.send(phone, MessageContent::Contacts(vec![card]), None, fields)
    }

    /// Taps a reply button of a message, or chooses a row of its list. As on a real phone, this can be repeated.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError`] when the message is not on the phone or has no such button or row.
    pub fn consumer_taps(
        &self,
        phone: &str,
        message_id: &str,
        choice_id: &str,
    ) -> Result<String, WhatsAppConsumerError> {
        let message = self.find(phone, message_id)?;
        let choice = match &message.content {
            MessageContent::Buttons(buttons) => {
                let button = buttons.buttons.iter().find(|button| button.id == choice_id);
                button.map(|button| (button.title.clone(), None, false))
            }
            MessageContent::List(list) => {
                let row = list.sections.iter().flat_map(|section| &section.rows).find(|row| row.id == choice_id);
                row.map(|row| (row.title.clone(), row.description.clone(), true))
            }
            _ => None,
        };
        let Some((title, description, from_list)) = choice else {
            return Err(WhatsAppConsumerError::UnknownChoice(choice_id.to_owned()));
        };
        let reply = if from_list { "list_reply" } else { "button_reply" };
        let chosen = json!({ "id": choice_id, "title": title, "description": description });
        let fields = json!({ "type": "interactive", "interactive": { "type": reply, reply: chosen } });
        let content = MessageContent::Choice(Choice { id: choice_id.to_owned(), title, description, from_list });
        self.send(phone, content, Some(message_id), fields)
    }

    /// Sends a kind of message from a consumer that the Cloud API doesn't pass on. `kind` is Meta's name for it, for
    /// example `poll_creation`.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError::NotAPhone`].
    pub fn consumer_sends_unsupported(&self, phone: &str, kind: &str) -> Result<String, WhatsAppConsumerError> {
        let fields = json!({
            "type": "unsupported",
            "unsupported": { "type": kind },
            "errors": [{
                "code": 131_051, "title": "Message type unknown", "message": "Message type unknown",
                "error_data": { "details": "Message type is currently not supported." },
            }],
        });
        self.send(phone, MessageContent::Unsupported(kind.to_owned()), None, fields)
    }

    /// Sets the consumer's profile name for future webhooks.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError::NotAPhone`], or [`WhatsAppConsumerError::EmptyText`] for an empty name.
    pub fn set_profile_name(&self, phone: &str, name: &str) -> Result<(), WhatsAppConsumerError> {
        check_text(name)?;
        self.change_profile(phone, |profile| profile.name = name.to_owned())
    }

    /// Sets the consumer's username for future webhooks; `None` removes it.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError::NotAPhone`].
    pub fn set_username(&self, phone: &str, username: Option<&str>) -> Result<(), WhatsAppConsumerError> {
        self.change_profile(phone, |profile| profile.username = username.map(str::to_owned))
    }

    /// Sets the consumer's business-scoped user id for future webhooks, for example `US.13491208655302741918`. The
    /// connector can write to it.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError::NotAPhone`] or [`WhatsAppConsumerError::NotAUserId`].
    pub fn set_user_id(&self, phone: &str, user_id: &str) -> Result<(), WhatsAppConsumerError> {
        if !phone::is_user_id(user_id) {
            return Err(WhatsAppConsumerError::NotAUserId(user_id.to_owned()));
        }
        self.change_profile(phone, |profile| profile.user_id = Some(user_id.to_owned()))
    }

    /// Makes future webhooks identify the consumer by the number alone, as Meta's did until April 2026.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError::NotAPhone`].
    pub fn forget_user_id(&self, phone: &str) -> Result<(), WhatsAppConsumerError> {
        self.change_profile(phone, |profile| profile.user_id = None)
    }

    /// Makes future webhooks identify the consumer by the user id alone, as for a consumer with a username.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError::NotAPhone`], or [`WhatsAppConsumerError::NoUserId`] when there is no user id.
    pub fn hide_phone_number(&self, phone: &str) -> Result<(), WhatsAppConsumerError> {
        let has_user_id = self.account.phonebook().get(phone).is_some_and(|phone| phone.profile.user_id.is_some());
        if !has_user_id {
            return Err(WhatsAppConsumerError::NoUserId);
        }
        self.change_profile(phone, |profile| profile.is_number_hidden = true)
    }

    fn change_profile(&self, phone: &str, change: impl FnOnce(&mut Profile)) -> Result<(), WhatsAppConsumerError> {
        check_number(phone)?;
        change(&mut self.account.phonebook().entry(phone).profile);
        self.account.notify(phone, None);
        Ok(())
    }

    /// A message on the phone.
    pub(super) fn find(&self, phone: &str, message_id: &str) -> Result<PhoneMessage, WhatsAppConsumerError> {
        let phonebook = self.account.phonebook();
        let message = phonebook.get(phone).and_then(|phone| phone.message(message_id));
        let is_shown = |message: &&PhoneMessage| {
            message.direction == Direction::FromPhone
                || matches!(message.state, MessageState::Delivered | MessageState::Read)
        };
        message.filter(is_shown).cloned().ok_or_else(|| WhatsAppConsumerError::UnknownMessage(message_id.to_owned()))
    }

    fn send_media(&self, phone: &str, media: NewMedia<'_>) -> Result<String, WhatsAppConsumerError> {
        let NewMedia { kind, bytes, mime_type, caption, filename, voice } = media;
        check_number(phone)?;
        if let Some(caption) = caption {
            check_length(caption, MAX_CAPTION)?;
        }
        let stored = self.account.media.lock().add_from_phone(kind, mime_type, bytes);
        let stored = stored.map_err(|refusal| WhatsAppConsumerError::Media(refusal.to_string()))?;
        let file = json!({
            "id": stored.id,
            "mime_type": stored.mime_type,
            // Webhooks have it in Base64, as in Meta's examples. The answer about a file has it in hex.
            "sha256": STANDARD.encode(stored.sha256),
            "caption": caption,
            "filename": filename,
            "voice": (kind == MediaKind::Audio).then_some(voice),
            "animated": (kind == MediaKind::Sticker).then_some(false),
        });
        let content = MessageContent::Media(MediaMessage {
            kind,
            file: MediaFile::Stored { id: stored.id, mime_type: stored.mime_type, bytes: stored.bytes },
            caption: caption.map(str::to_owned),
            filename: filename.map(str::to_owned),
            voice,
        });
        self.send(phone, content, None, json!({ "type": kind.name(), kind.name(): file }))
    }

    pub(super) fn send(
        &self,
        phone: &str,
        content: MessageContent,
        quotes: Option<&str>,
        fields: Value,
    ) -> Result<String, WhatsAppConsumerError> {
        check_number(phone)?;
        let id = new_message_id();
        let message = PhoneMessage {
            quotes: quotes.map(str::to_owned),
            ..PhoneMessage::from_phone(id.clone(), content, SystemClock.now())
        };
        self.account.add_from_phone(phone, message, fields);
        Ok(id)
    }
}

/// A file that a phone sends.
struct NewMedia<'a> {
    kind: MediaKind,
    bytes: Bytes,
    mime_type: &'a str,
    caption: Option<&'a str>,
    filename: Option<&'a str>,
    voice: bool,
}

impl<'a> NewMedia<'a> {
    fn new(kind: MediaKind, bytes: impl Into<Bytes>, mime_type: &'a str) -> Self {
        Self { kind, bytes: bytes.into(), mime_type, caption: None, filename: None, voice: false }
    }
}

fn check_number(phone: &str) -> Result<(), WhatsAppConsumerError> {
    if is_e164(phone) { Ok(()) } else { Err(WhatsAppConsumerError::NotAPhone(phone.to_owned())) }
}

pub(super) fn check_text(text: &str) -> Result<(), WhatsAppConsumerError> {
    if text.trim().is_empty() {
        return Err(WhatsAppConsumerError::EmptyText);
    }
    check_length(text, MAX_CONSUMER_TEXT)
}

fn check_length(text: &str, limit: usize) -> Result<(), WhatsAppConsumerError> {
    let length = text.chars().count();
    if length > limit { Err(WhatsAppConsumerError::TextTooLong { length, limit }) } else { Ok(()) }
}
