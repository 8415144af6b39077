//! Reads a message request, checks the documented limits, and converts it to the content of a phone's message.
//!
//! Fields that Meta doesn't document are refused, so that a misspelled one is noticed.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::super::media::{MediaStore, fits};
use super::super::{MAX_TEXT_CHARS, graph::GraphError};
use super::interactive;
use crate::phone::{ContactCard, Location, MediaFile, MediaKind, MediaMessage, MessageContent, Reaction};

/// The longest caption in Unicode scalar values.
const MAX_CAPTION: usize = 1024;
/// The longest `biz_opaque_callback_data` in Unicode scalar values.
const MAX_CALLBACK_DATA: usize = 512;
/// The supported types of messages.
const TYPES: &[&str] =
    &["text", "image", "video", "audio", "document", "sticker", "interactive", "location", "contacts", "reaction"];

/// A message with its common fields. The fields of its type stay JSON until the type is known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SendRequest {
    messaging_product: Option<String>,
    recipient_type: Option<String>,
    /// A phone number. Takes precedence over `recipient`.
    pub(super) to: Option<String>,
    /// A business-scoped user id.
    pub(super) recipient: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    context: Option<Context>,
    pub(super) biz_opaque_callback_data: Option<String>,
    text: Option<Value>,
    image: Option<Value>,
    video: Option<Value>,
    audio: Option<Value>,
    document: Option<Value>,
    sticker: Option<Value>,
    interactive: Option<Value>,
    location: Option<Value>,
    contacts: Option<Value>,
    reaction: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    message_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextPart {
    body: String,
    #[serde(default, rename = "preview_url")]
    _preview_url: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LocationPart {
    latitude: Coordinate,
    longitude: Coordinate,
    name: Option<String>,
    address: Option<String>,
}

/// Meta's examples write degrees as numbers and as strings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Coordinate {
    Number(f64),
    Text(String),
}

#[derive(Deserialize)]
struct ContactPart {
    name: ContactName,
    #[serde(default)]
    phones: Vec<ContactPhone>,
}

#[derive(Deserialize)]
struct ContactName {
    formatted_name: String,
}

#[derive(Deserialize)]
struct ContactPhone {
    phone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReactionPart {
    message_id: String,
    emoji: String,
}

/// A file, by id or by link, with fields that only some kinds have.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePart {
    id: Option<String>,
    link: Option<String>,
    caption: Option<String>,
    filename: Option<String>,
    voice: Option<bool>,
}

impl SendRequest {
    pub(super) fn read(body: Value) -> Result<Self, GraphError> {
        let request: Self = part("body", body)?;
        check_product(request.messaging_product.as_deref())?;
        if request.recipient_type.as_deref().is_some_and(|kind| kind != "individual") {
            return Err(GraphError::invalid_parameter("Param recipient_type must be 'individual'"));
        }
        if let Some(data) = &request.biz_opaque_callback_data {
            at_most("biz_opaque_callback_data", data, MAX_CALLBACK_DATA)?;
        }
        Ok(request)
    }

    /// The message that this one quotes.
    pub(super) fn quoted(&self) -> Option<&str> {
        self.context.as_ref().map(|context| context.message_id.as_str())
    }

    /// The content of the message.
    pub(super) fn content(&mut self, media: &MediaStore) -> Result<MessageContent, GraphError> {
        let kind = self.kind.as_deref().unwrap_or("text");
        let Some(kind) = TYPES.iter().find(|known| **known == kind) else {
            return Err(GraphError::new(131_051, format!("'{kind}' is none of {}", TYPES.join(", "))));
        };
        let fields = match *kind {
            "image" => self.image.take(),
            "video" => self.video.take(),
            "audio" => self.audio.take(),
            "document" => self.document.take(),
            "sticker" => self.sticker.take(),
            "interactive" => self.interactive.take(),
            "location" => self.location.take(),
            "contacts" => self.contacts.take(),
            "reaction" => self.reaction.take(),
            _ => self.text.take(),
        };
        let fields = fields.ok_or_else(|| GraphError::missing(kind))?;
        match *kind {
            "image" => file(MediaKind::Image, fields, media),
            "video" => file(MediaKind::Video, fields, media),
            "audio" => file(MediaKind::Audio, fields, media),
            "document" => file(MediaKind::Document, fields, media),
            "sticker" => file(MediaKind::Sticker, fields, media),
            "interactive" => interactive::content(fields, media),
            "location" => location(part(kind, fields)?),
            "contacts" => contacts(part(kind, fields)?),
            "reaction" => Ok(reaction(part(kind, fields)?)),
            _ => text(part(kind, fields)?),
        }
    }
}

impl FilePart {
    /// The file, which must be showable as `kind`. `param` is its path in the request.
    pub(super) fn file(&self, param: &str, kind: MediaKind, media: &MediaStore) -> Result<MediaFile, GraphError> {
        match (&self.id, &self.link) {
            (Some(_), Some(_)) => Err(GraphError::invalid_parameter(format_args!(
                "Param {param} must have either 'id' or 'link', not both"
            ))),
            (None, None) => Err(GraphError::missing(&format!("{param}['id'] or {param}['link']"))),
            (Some(id), None) => {
                let Some(stored) = media.get(id) else {
                    return Err(GraphError::invalid_parameter(format_args!(
                        "Param {param}['id'] is not a valid whatsapp business account media attachment ID"
                    )));
                };
                if !fits(kind, &stored.mime_type) {
                    let details = format!("a file of type {} can't be sent as {}", stored.mime_type, kind.name());
                    return Err(GraphError::new(131_053, details));
                }
                Ok(MediaFile::Stored {
                    id: stored.id.clone(),
                    mime_type: stored.mime_type.clone(),
                    bytes: stored.bytes.clone(),
                })
            }
            (None, Some(link)) => {
                check_url(&format!("{param}['link']"), link)?;
                Ok(MediaFile::Link(link.clone()))
            }
        }
    }
}

fn text(part: TextPart) -> Result<MessageContent, GraphError> {
    if part.body.trim().is_empty() {
        return Err(GraphError::missing("text['body']"));
    }
    at_most("text['body']", &part.body, MAX_TEXT_CHARS)?;
    Ok(MessageContent::Text(part.body))
}

fn file(kind: MediaKind, fields: Value, media: &MediaStore) -> Result<MessageContent, GraphError> {
    let name = kind.name();
    let part: FilePart = part(name, fields)?;
    let has_caption = matches!(kind, MediaKind::Image | MediaKind::Video | MediaKind::Document);
    for (field, is_there, belongs) in [
        ("caption", part.caption.is_some(), has_caption),
        ("filename", part.filename.is_some(), kind == MediaKind::Document),
        ("voice", part.voice.is_some(), kind == MediaKind::Audio),
    ] {
        if is_there && !belongs {
            let message = format_args!("Unexpected key \"{field}\" on param \"{name}\"");
            return Err(GraphError::invalid_parameter(message));
        }
    }
    if let Some(caption) = &part.caption {
        at_most(&format!("{name}['caption']"), caption, MAX_CAPTION)?;
    }
    let file = part.file(name, kind, media)?;
    let FilePart { caption, filename, voice, .. } = part;
    Ok(MessageContent::Media(MediaMessage { kind, file, caption, filename, voice: voice.unwrap_or_default() }))
}

fn location(part: LocationPart) -> Result<MessageContent, GraphError> {
    let degrees = |name: &str, degrees: Coordinate, limit: f64| {
        let degrees = match degrees {
            Coordinate::Number(degrees) => Some(degrees),
            Coordinate::Text(text) => text.trim().parse().ok(),
        };
        let on_map = degrees.filter(|degrees: &f64| (-limit..=limit).contains(degrees));
        on_map.ok_or_else(|| GraphError::invalid_value(format!("location['{name}'] must be -{limit} to {limit}")))
    };
    Ok(MessageContent::Location(Location {
        latitude: degrees("latitude", part.latitude, 90.0)?,
        longitude: degrees("longitude", part.longitude, 180.0)?,
        name: part.name,
        address: part.address,
    }))
}

fn contacts(parts: Vec<ContactPart>) -> Result<MessageContent, GraphError> {
    if parts.is_empty() {
        return Err(GraphError::missing("contacts"));
    }
    let card = |contact: ContactPart| ContactCard {
        name: contact.name.formatted_name,
        phones: contact.phones.into_iter().filter_map(|entry| entry.phone).collect(),
    };
    Ok(MessageContent::Contacts(parts.into_iter().map(card).collect()))
}

fn reaction(part: ReactionPart) -> MessageContent {
    let emoji = Some(part.emoji).filter(|emoji| !emoji.is_empty());
    MessageContent::Reaction(Reaction { message_id: part.message_id, emoji })
}

/// Reads a part of the request. `name` is its path.
pub(super) fn part<T: DeserializeOwned>(name: &str, fields: Value) -> Result<T, GraphError> {
    serde_json::from_value(fields).map_err(|error| GraphError::new(100, format!("Param {name}: {error}")))
}

pub(super) fn check_product(product: Option<&str>) -> Result<(), GraphError> {
    match product {
        Some("whatsapp") => Ok(()),
        Some(_) => Err(GraphError::invalid_parameter("Param messaging_product must be one of {WHATSAPP}")),
        None => Err(GraphError::invalid_parameter("The parameter messaging_product is required.")),
    }
}

pub(super) fn check_url(param: &str, url: &str) -> Result<(), GraphError> {
    let is_web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_web { Ok(()) } else { Err(GraphError::invalid_value(format!("{param} is not an http or https URL"))) }
}

fn at_most(param: &str, text: &str, limit: usize) -> Result<(), GraphError> {
    if text.chars().count() > limit {
        return Err(GraphError::invalid_parameter(format_args!(
            "Param {param} must be at most {limit} characters long."
        )));
    }
    Ok(())
}
