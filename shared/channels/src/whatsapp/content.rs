//! Reads the content of a message.

use serde_json::Value;

use crate::fields::{array, text};
use crate::message::{ContactCard, InboundContent, InboundMedia, Location, MediaKind};
use connector_message::{MessageText, code::Code, rich_content::Coordinates};

/// The longest label of unsupported content, in characters.
const LONGEST_LABEL: usize = 40;

/// The content of a message.
#[derive(Debug)]
pub(super) enum MessageContent {
    /// The content of one or more events.
    Events(Vec<InboundContent>),
    /// Nothing that an agent should see, for example a removed reaction.
    Nothing,
}

/// Reads the content of a message. Unsupported content becomes a label, so that the agent gets a placeholder.
pub(super) fn contents(message: &Value) -> MessageContent {
    let kind = match text(message, &["type"]) {
        // Meta sends edits if the brand also uses the WhatsApp Business app.
        Some(kind) if kind == "edit" => match message.pointer("/edit/message") {
            Some(edited) if text(edited, &["type"]).is_some_and(|kind| kind != "edit") => {
                return match contents(edited) {
                    MessageContent::Events(contents) => {
                        MessageContent::Events(contents.into_iter().map(as_edited).collect())
                    }
                    MessageContent::Nothing => MessageContent::Nothing,
                };
            }
            _ => return MessageContent::Events(vec![unsupported("edited message")]),
        },
        Some(kind) => kind,
        None => return MessageContent::Events(vec![unsupported("message")]),
    };
    let content = match kind.as_str() {
        "text" => text_content(message, &["text", "body"]),
        "image" => media(message, "image", MediaKind::Picture),
        "video" => media(message, "video", MediaKind::Video),
        // Older API versions have the type `voice` for voice messages. Newer ones have a flag.
        "audio" => media(message, "audio", MediaKind::Audio),
        "voice" => media(message, "voice", MediaKind::Audio),
        "document" => media(message, "document", MediaKind::Document),
        "sticker" => media(message, "sticker", MediaKind::Sticker),
        "location" => location(message.get("location").unwrap_or(&Value::Null)),
        "contacts" => match array(message, "contacts") {
            [] => unsupported("contact"),
            cards => return MessageContent::Events(cards.iter().map(card).collect()),
        },
        "interactive" => interactive(message),
        // The answer to a template. Its payload is from the template, and not an id of the connector.
        "button" => text_content(message, &["button", "text"]),
        // Only the emoji, without words that the consumer didn't write. A removed reaction has no emoji.
        "reaction" => match text(message, &["reaction", "emoji"]) {
            Some(emoji) => InboundContent::Text { text: MessageText::new(emoji) },
            None => return MessageContent::Nothing,
        },
        "revoke" => InboundContent::Deleted,
        // A chat that was opened without a message.
        "request_welcome" => return MessageContent::Nothing,
        "system" => match text(message, &["system", "type"]).as_deref() {
            Some("user_changed_number" | "customer_changed_number") => unsupported("change of the phone number"),
            Some("user_changed_user_id") => unsupported("change of the WhatsApp account"),
            _ => unsupported("system message"),
        },
        "unsupported" | "unknown" => match text(message, &["unsupported", "type"]) {
            Some(kind) if kind != "unknown" => unsupported(&label(&kind)),
            _ => unsupported("message of a kind that WhatsApp doesn't pass on"),
        },
        other => unsupported(&label(other)),
    };
    MessageContent::Events(vec![content])
}

/// The content of an edit. Anything but a text is forwarded as a new message.
fn as_edited(content: InboundContent) -> InboundContent {
    match content {
        InboundContent::Text { text } => InboundContent::Edited { text },
        other => other,
    }
}

/// A text, or the label of a message without text.
fn text_content(message: &Value, path: &[&str]) -> InboundContent {
    match text(message, path) {
        Some(text) => InboundContent::Text { text: MessageText::new(text) },
        None => unsupported("message without text"),
    }
}

fn interactive(message: &Value) -> InboundContent {
    let kind = text(message, &["interactive", "type"]).unwrap_or_default();
    if kind == "nfm_reply" {
        return unsupported("form");
    }
    let field = |name: &str| text(message, &["interactive", &kind, name]);
    match (kind.as_str(), field("id"), field("title")) {
        ("button_reply" | "list_reply", Some(id), Some(title)) => {
            InboundContent::Choice { id, title: MessageText::new(title) }
        }
        ("button_reply" | "list_reply", None, Some(title)) => InboundContent::Text { text: MessageText::new(title) },
        _ => unsupported(&label(if kind.is_empty() { "interactive" } else { &kind })),
    }
}

fn media(message: &Value, field: &str, kind: MediaKind) -> InboundContent {
    let of_media = |name: &str| text(message, &[field, name]);
    let Some(id) = of_media("id") else { return unsupported(kind.label()) };
    let is_media_type = |name: &String| name.len() <= 128 && name.contains('/') && name.is_ascii();
    InboundContent::Media(InboundMedia {
        kind,
        reference: MessageText::new(id),
        content_type: of_media("mime_type").filter(is_media_type),
        name: of_media("filename").map(MessageText::new),
        caption: of_media("caption").map(MessageText::new),
    })
}

fn location(location: &Value) -> InboundContent {
    let degrees = |field: &str| match location.get(field)? {
        Value::String(text) => text.parse().ok(),
        number => number.as_f64(),
    };
    let place = degrees("latitude").zip(degrees("longitude"));
    InboundContent::Location(Location {
        place: place.and_then(|(latitude, longitude)| Coordinates::new(latitude, longitude)),
        name: text(location, &["name"]).map(MessageText::new),
        address: text(location, &["address"]).map(MessageText::new),
    })
}

fn card(card: &Value) -> InboundContent {
    let phone = |phone: &Value| text(phone, &["phone"]).or_else(|| Some(format!("+{}", text(phone, &["wa_id"])?)));
    InboundContent::Contact(ContactCard {
        name: text(card, &["name", "formatted_name"])
            .or_else(|| text(card, &["name", "first_name"]))
            .map(MessageText::new),
        phones: array(card, "phones").iter().filter_map(phone).map(MessageText::new).collect(),
        emails: array(card, "emails")
            .iter()
            .filter_map(|email| text(email, &["email"]))
            .map(MessageText::new)
            .collect(),
    })
}

fn unsupported(label: &str) -> InboundContent {
    InboundContent::Unsupported { label: label.to_owned() }
}

/// Converts Meta's name of a type to words: `call_permission_reply` becomes "call permission reply".
fn label(kind: &str) -> String {
    let words: String = Code::read(kind).map_or_else(String::new, |kind| kind.as_str().replace('_', " "));
    if words.trim().is_empty() { "message".to_owned() } else { words.chars().take(LONGEST_LABEL).collect() }
}
