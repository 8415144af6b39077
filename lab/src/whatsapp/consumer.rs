//! What consumers do with their phones. Every number is in E.164 form with the plus; a phone that nobody knows comes into being.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use connector::port::{Clock, SystemClock};
use serde_json::{Value, json};

use super::account::new_message_id;
use super::content::{Choice, ContactCard, Location, MediaFile, MediaKind, MediaMessage, MessageContent, Reaction};
use super::phone::{self, Direction, MessageState, PhoneMessage, Profile};
use super::{WhatsApp, lock};

/// Longest text that a person can send, in Unicode scalar values. It is more than a business can.
const MAX_CONSUMER_TEXT: usize = 65_536;
/// Longest caption in Unicode scalar values.
const MAX_CAPTION: usize = 1024;

/// Why a phone did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumerError {
    /// The number is not `+` and 7 to 15 digits (E.164).
    #[error("{0:?} is not a phone number: write + and 7 to 15 digits")]
    NotAPhone(String),
    /// There is nothing to send.
    #[error("a message needs a text")]
    EmptyText,
    /// A text or caption is too long.
    #[error("the text has {length} characters; it can have {limit}")]
    TextTooLong {
        /// How many Unicode scalar values it has.
        length: usize,
        /// How many it can have.
        limit: usize,
    },
    /// The file is empty, too large or of a type that can't be sent like this.
    #[error("the file can't be sent: {0}")]
    Media(String),
    /// Degrees that are on no map.
    #[error("there is no place at {latitude}, {longitude}")]
    NotAPlace {
        /// Degrees north.
        latitude: String,
        /// Degrees east.
        longitude: String,
    },
    /// The message is not on this phone, or was never on its way to the connector.
    #[error("there is no message {0:?}")]
    UnknownMessage(String),
    /// The message has no button or row with this id.
    #[error("the message has no button or row {0:?}")]
    UnknownChoice(String),
    /// A business-scoped user id is two capital letters, a full stop, and up to 128 letters and digits.
    #[error("{0:?} is not a business-scoped user id, for example US.13491208655302741918")]
    NotAUserId(String),
    /// A number can only be hidden behind a user id.
    #[error("the phone needs a user id before its number can be hidden")]
    NoUserId,
}

impl WhatsApp {
    /// A consumer writes. Answers the message id, as do all that send.
    ///
    /// # Errors
    /// [`ConsumerError`] when the number or the text is not one that a phone could send.
    pub fn consumer_sends(&self, phone: &str, text: &str) -> Result<String, ConsumerError> {
        check_text(text)?;
        let fields = json!({ "type": "text", "text": { "body": text } });
        self.send(phone, MessageContent::Text(text.to_owned()), None, fields)
    }

    /// A consumer writes and quotes a message of the chat.
    ///
    /// # Errors
    /// [`ConsumerError`] as for [`WhatsApp::consumer_sends`], and when the quoted message is not on the phone.
    pub fn consumer_replies(&self, phone: &str, text: &str, quoted: &str) -> Result<String, ConsumerError> {
        check_text(text)?;
        self.find(phone, quoted)?;
        let fields = json!({ "type": "text", "text": { "body": text } });
        self.send(phone, MessageContent::Text(text.to_owned()), Some(quoted), fields)
    }

    /// A consumer sends an image: JPEG or PNG, at most 5 MB.
    ///
    /// # Errors
    /// [`ConsumerError`] when the number, the file or the caption is not one that a phone could send.
    pub fn consumer_sends_image(
        &self,
        phone: &str,
        bytes: impl Into<Bytes>,
        mime_type: &str,
        caption: Option<&str>,
    ) -> Result<String, ConsumerError> {
        self.send_media(phone, MediaKind::Image, bytes.into(), mime_type, Extras { caption, ..Extras::default() })
    }

    /// A consumer sends a video: MP4 or 3GPP, at most 16 MB.
    ///
    /// # Errors
    /// [`ConsumerError`] as for [`WhatsApp::consumer_sends_image`].
    pub fn consumer_sends_video(
        &self,
        phone: &str,
        bytes: impl Into<Bytes>,
        mime_type: &str,
        caption: Option<&str>,
    ) -> Result<String, ConsumerError> {
        self.send_media(phone, MediaKind::Video, bytes.into(), mime_type, Extras { caption, ..Extras::default() })
    }

    /// A consumer sends a document of any type, at most 100 MB.
    ///
    /// # Errors
    /// [`ConsumerError`] as for [`WhatsApp::consumer_sends_image`].
    pub fn consumer_sends_document(
        &self,
        phone: &str,
        bytes: impl Into<Bytes>,
        mime_type: &str,
        filename: &str,
        caption: Option<&str>,
    ) -> Result<String, ConsumerError> {
        let extras = Extras { caption, filename: Some(filename), ..Extras::default() };
        self.send_media(phone, MediaKind::Document, bytes.into(), mime_type, extras)
    }

    /// A consumer sends a sound file; `voice` when it was spoken into the phone, which makes `audio/ogg; codecs=opus`.
    ///
    /// # Errors
    /// [`ConsumerError`] as for [`WhatsApp::consumer_sends_image`].
    pub fn consumer_sends_audio(
        &self,
        phone: &str,
        bytes: impl Into<Bytes>,
        mime_type: &str,
        voice: bool,
    ) -> Result<String, ConsumerError> {
        self.send_media(phone, MediaKind::Audio, bytes.into(), mime_type, Extras { voice, ..Extras::default() })
    }

    /// A consumer sends a sticker: WebP, at most 500 KB.
    ///
    /// # Errors
    /// [`ConsumerError`] as for [`WhatsApp::consumer_sends_image`].
    pub fn consumer_sends_sticker(&self, phone: &str, bytes: impl Into<Bytes>) -> Result<String, ConsumerError> {
        self.send_media(phone, MediaKind::Sticker, bytes.into(), "image/webp", Extras::default())
    }

    /// A consumer sends a place: its degrees, and its name and address where it has them.
    ///
    /// # Errors
    /// [`ConsumerError`] when the number is not a phone's, or there is no such place.
    pub fn consumer_sends_location(
        &self,
        phone: &str,
        latitude: f64,
        longitude: f64,
        name: Option<&str>,
        address: Option<&str>,
    ) -> Result<String, ConsumerError> {
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            let (latitude, longitude) = (latitude.to_string(), longitude.to_string());
            return Err(ConsumerError::NotAPlace { latitude, longitude });
        }
        let location = json!({ "latitude": latitude, "longitude": longitude, "name": name, "address": address });
        let (name, address) = (name.map(str::to_owned), address.map(str::to_owned));
        let content = MessageContent::Location(Location { latitude, longitude, name, address });
        self.send(phone, content, None, json!({ "type": "location", "location": location }))
    }

    /// A consumer sends a card of their address book: a full name and a number.
    ///
    /// # Errors
    /// [`ConsumerError`] when the sender's number is not a phone's, or the card has no name.
    pub fn consumer_sends_contact(&self, phone: &str, name: &str, number: &str) -> Result<String, ConsumerError> {
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

    /// A consumer puts an emoji on a message of the chat, or takes theirs away (`None`).
    ///
    /// # Errors
    /// [`ConsumerError`] when the number is not a phone's, or the message is not on the phone.
    pub fn consumer_reacts(&self, phone: &str, message_id: &str, emoji: Option<&str>) -> Result<String, ConsumerError> {
        self.find(phone, message_id)?;
        let reaction = json!({ "message_id": message_id, "emoji": emoji });
        let content =
            MessageContent::Reaction(Reaction { message_id: message_id.to_owned(), emoji: emoji.map(str::to_owned) });
        self.send(phone, content, None, json!({ "type": "reaction", "reaction": reaction }))
    }

    /// A consumer taps a reply button of a message, or chooses a row of its list. Both can be done again and again, as on a
    /// real phone.
    ///
    /// # Errors
    /// [`ConsumerError`] when the message is not on the phone or has no such button or row.
    pub fn consumer_taps(&self, phone: &str, message_id: &str, choice_id: &str) -> Result<String, ConsumerError> {
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
            return Err(ConsumerError::UnknownChoice(choice_id.to_owned()));
        };
        let reply = if from_list { "list_reply" } else { "button_reply" };
        let chosen = json!({ "id": choice_id, "title": title, "description": description });
        let fields = json!({ "type": "interactive", "interactive": { "type": reply, reply: chosen } });
        let content = MessageContent::Choice(Choice { id: choice_id.to_owned(), title, description, from_list });
        self.send(phone, content, Some(message_id), fields)
    }

    /// A consumer sends something that the Cloud API doesn't hand on; `kind` is Meta's name of it, for example `poll_creation`.
    ///
    /// # Errors
    /// [`ConsumerError::NotAPhone`].
    pub fn consumer_sends_unsupported(&self, phone: &str, kind: &str) -> Result<String, ConsumerError> {
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

    /// Sets the name that the consumer gives themselves, for the webhooks from now on.
    ///
    /// # Errors
    /// [`ConsumerError::NotAPhone`], or [`ConsumerError::EmptyText`] for no name.
    pub fn set_profile_name(&self, phone: &str, name: &str) -> Result<(), ConsumerError> {
        check_text(name)?;
        self.change_profile(phone, |profile| profile.name = name.to_owned())
    }

    /// Sets the consumer's username, for the webhooks from now on; `None` takes it away.
    ///
    /// # Errors
    /// [`ConsumerError::NotAPhone`].
    pub fn set_username(&self, phone: &str, username: Option<&str>) -> Result<(), ConsumerError> {
        self.change_profile(phone, |profile| profile.username = username.map(str::to_owned))
    }

    /// Sets the consumer's business-scoped user id, which is in every webhook from now on, for example
    /// `US.13491208655302741918`. The connector can write to it.
    ///
    /// # Errors
    /// [`ConsumerError::NotAPhone`] or [`ConsumerError::NotAUserId`].
    pub fn set_user_id(&self, phone: &str, user_id: &str) -> Result<(), ConsumerError> {
        if !phone::is_user_id(user_id) {
            return Err(ConsumerError::NotAUserId(user_id.to_owned()));
        }
        self.change_profile(phone, |profile| profile.user_id = Some(user_id.to_owned()))
    }

    /// From now on webhooks name the consumer by the number alone, as Meta's did until April 2026.
    ///
    /// # Errors
    /// [`ConsumerError::NotAPhone`].
    pub fn forget_user_id(&self, phone: &str) -> Result<(), ConsumerError> {
        self.change_profile(phone, |profile| profile.user_id = None)
    }

    /// From now on webhooks name the consumer by the user id alone, as for one who has taken a username.
    ///
    /// # Errors
    /// [`ConsumerError::NotAPhone`], or [`ConsumerError::NoUserId`] when there is no user id yet.
    pub fn hide_phone_number(&self, phone: &str) -> Result<(), ConsumerError> {
        let has_user_id = self.account.phonebook().get(phone).is_some_and(|phone| phone.profile.user_id.is_some());
        if !has_user_id {
            return Err(ConsumerError::NoUserId);
        }
        self.change_profile(phone, |profile| profile.is_number_hidden = true)
    }

    fn change_profile(&self, phone: &str, change: impl FnOnce(&mut Profile)) -> Result<(), ConsumerError> {
        check_number(phone)?;
        change(&mut self.account.phonebook().entry(phone).profile);
        self.account.notify(phone, None);
        Ok(())
    }

    /// A message that the phone shows.
    fn find(&self, phone: &str, message_id: &str) -> Result<PhoneMessage, ConsumerError> {
        let phonebook = self.account.phonebook();
        let message = phonebook.get(phone).and_then(|phone| phone.message(message_id));
        let is_shown = |message: &&PhoneMessage| {
            message.direction == Direction::FromPhone
                || matches!(message.state, MessageState::Delivered | MessageState::Read)
        };
        message.filter(is_shown).cloned().ok_or_else(|| ConsumerError::UnknownMessage(message_id.to_owned()))
    }

    fn send_media(
        &self,
        phone: &str,
        kind: MediaKind,
        bytes: Bytes,
        mime_type: &str,
        extras: Extras<'_>,
    ) -> Result<String, ConsumerError> {
        check_number(phone)?;
        if let Some(caption) = extras.caption {
            check_length(caption, MAX_CAPTION)?;
        }
        let stored = lock(&self.account.media).add_from_phone(kind, mime_type, bytes);
        let stored = stored.map_err(|refusal| ConsumerError::Media(refusal.to_string()))?;
        let file = json!({
            "id": stored.id,
            "mime_type": stored.mime_type,
            // Base64 in webhooks, as in Meta's examples; hex in the answer about a file.
            "sha256": STANDARD.encode(stored.sha256),
            "caption": extras.caption,
            "filename": extras.filename,
            "voice": (kind == MediaKind::Audio).then_some(extras.voice),
            "animated": (kind == MediaKind::Sticker).then_some(false),
        });
        let content = MessageContent::Media(MediaMessage {
            kind,
            file: MediaFile::Stored { id: stored.id, mime_type: stored.mime_type, bytes: stored.bytes },
            caption: extras.caption.map(str::to_owned),
            filename: extras.filename.map(str::to_owned),
            voice: extras.voice,
        });
        self.send(phone, content, None, json!({ "type": kind.name(), kind.name(): file }))
    }

    fn send(
        &self,
        phone: &str,
        content: MessageContent,
        quotes: Option<&str>,
        fields: Value,
    ) -> Result<String, ConsumerError> {
        check_number(phone)?;
        let id = new_message_id();
        let message = PhoneMessage {
            id: id.clone(),
            direction: Direction::FromPhone,
            content,
            at: SystemClock.now(),
            state: MessageState::Sent,
            quotes: quotes.map(str::to_owned),
            addressed_to: None,
            callback_data: None,
        };
        self.account.add_from_phone(phone, message, fields);
        Ok(id)
    }
}

/// What only some files have.
#[derive(Default)]
struct Extras<'a> {
    caption: Option<&'a str>,
    filename: Option<&'a str>,
    voice: bool,
}

fn check_number(phone: &str) -> Result<(), ConsumerError> {
    if phone::is_e164(phone) { Ok(()) } else { Err(ConsumerError::NotAPhone(phone.to_owned())) }
}

fn check_text(text: &str) -> Result<(), ConsumerError> {
    if text.trim().is_empty() {
        return Err(ConsumerError::EmptyText);
    }
    check_length(text, MAX_CONSUMER_TEXT)
}

fn check_length(text: &str, limit: usize) -> Result<(), ConsumerError> {
    let length = text.chars().count();
    if length > limit { Err(ConsumerError::TextTooLong { length, limit }) } else { Ok(()) }
}
