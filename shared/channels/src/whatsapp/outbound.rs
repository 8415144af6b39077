//! Builds calls for messages and indications.
//!
//! A message is a sequence of calls. It is built again for every call: the same message gives the same sequence, and the receipts determine
//! the next call.

use serde_json::{Map, Value, json};

use super::{
    BUTTONS, LONGEST_CAPTION, LONGEST_INTERACTIVE_TEXT, LONGEST_TEXT, ROWS, address::receiver, graph::Graph, media,
};
use crate::{
    ChannelCall, Receipt, SendFailure,
    id::CallReference,
    message::{Indication, OutboundContent, OutboundFile, OutboundMessage, RichMessage},
};
use connector_message::{code::Code, http::HttpCall, text::split};

/// The body of a WhatsApp message: its `type`, and the object in the field of that name.
pub(super) struct MessageBody {
    kind: &'static str,
    content: Value,
}

/// Returns the next call of a message.
///
/// # Errors
/// [`SendFailure::Refused`] for a message that WhatsApp can't show. Checked before the first call.
pub(super) fn next_call(
    graph: &Graph,
    list_button: &str,
    message: &OutboundMessage,
    done: &[Receipt],
) -> Result<Option<ChannelCall>, SendFailure> {
    let part = match &message.content {
        OutboundContent::Text { text } => texts(text.as_str()).nth(done.len()),
        OutboundContent::Rich { messages } => {
            let parts: Result<Vec<_>, _> = messages.iter().map(|rich| rich_parts(rich, list_button)).collect();
            parts?.into_iter().flatten().nth(done.len())
        }
        OutboundContent::File(file) => match done.split_first() {
            None => return media::upload(graph, &message.reference, file).map(Some),
            Some((upload, sent)) => file_parts(file, upload)?.into_iter().nth(sent.len()),
        },
    };
    Ok(part.map(|part| post(graph, message, done.len(), part)))
}

fn post(graph: &Graph, message: &OutboundMessage, number: usize, part: MessageBody) -> ChannelCall {
    let (field, address) = receiver(&message.to);
    let reference = CallReference::of(&message.reference, number);
    let mut body = Map::new();
    for (name, value) in [
        ("messaging_product", "whatsapp"),
        ("recipient_type", "individual"),
        (field, address),
        ("type", part.kind),
        ("biz_opaque_callback_data", reference.as_ref().map_or(&message.reference, CallReference::as_str)),
    ] {
        body.insert(name.to_owned(), value.into());
    }
    body.insert(part.kind.to_owned(), part.content);
    ChannelCall::message(graph.post_message("WhatsApp send", &Value::Object(body)), reference)
}

/// Adds a field to an object.
fn with(mut object: Value, field: &str, value: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
    object
}

fn characters(text: &str) -> usize {
    text.chars().count()
}

/// Splits a text into pieces of at most `longest` characters. Leaves out blank pieces, which WhatsApp rejects.
fn pieces(text: &str, longest: usize) -> impl Iterator<Item = &str> {
    split(text, longest, characters).filter(|piece| !piece.trim().is_empty())
}

fn texts(text: &str) -> impl Iterator<Item = MessageBody> {
    pieces(text, LONGEST_TEXT)
        .map(|piece| MessageBody { kind: "text", content: json!({"body": piece, "preview_url": false}) })
}

fn refused(code: &'static str) -> SendFailure {
    SendFailure::Refused { status: 0, code: Code::internal(code) }
}

/// Returns the messages for one rich message. A text that is too long is divided, and its first pieces are sent before the message, so that
/// the buttons are below the end of the text.
fn rich_parts(rich: &RichMessage, list_button: &str) -> Result<Vec<MessageBody>, SendFailure> {
    let text = rich.text.as_ref().map_or("", |text| text.as_str());
    let picture = rich.picture.as_ref().map(|link| json!({"link": link.as_str()}));
    let Some((kind, action)) = action(rich, list_button)? else {
        return Ok(plain(picture, text));
    };
    let mut leading: Vec<_> = pieces(text, LONGEST_INTERACTIVE_TEXT).collect();
    let body = leading.pop().ok_or_else(|| refused("choices_without_text"))?;
    let mut interactive = json!({"type": kind, "body": {"text": body}, "action": action});
    let mut parts = Vec::new();
    if let Some(picture) = picture {
        // The header of a list can't be a picture.
        if kind == "list" || !leading.is_empty() {
            parts.push(MessageBody { kind: "image", content: picture });
        } else {
            interactive = with(interactive, "header", json!({"type": "image", "image": picture}));
        }
    }
    parts.extend(leading.into_iter().flat_map(texts));
    parts.push(MessageBody { kind: "interactive", content: interactive });
    Ok(parts)
}

/// Returns the messages for a picture with its text as caption, if it fits, or for a text.
fn plain(picture: Option<Value>, text: &str) -> Vec<MessageBody> {
    let Some(mut picture) = picture else { return texts(text).collect() };
    let fits = characters(text) <= LONGEST_CAPTION;
    if fits && !text.trim().is_empty() {
        picture = with(picture, "caption", text.into());
    }
    let mut parts = vec![MessageBody { kind: "image", content: picture }];
    if !fits {
        parts.extend(texts(text));
    }
    parts
}

/// Returns the type and the action of an interactive message. `None` for a message without choices and link button.
fn action(rich: &RichMessage, list_button: &str) -> Result<Option<(&'static str, Value)>, SendFailure> {
    let limits = if rich.as_list { ROWS } else { BUTTONS };
    let fits = |title: &str, most| (1..=most).contains(&characters(title.trim()));
    if !rich.choices.iter().all(|choice| fits(choice.title.as_str(), limits.longest_title)) {
        return Err(refused("title_length"));
    }
    let shown = || rich.choices.iter().map(|choice| json!({"id": choice.id, "title": choice.title.as_str()}));
    match (rich.choices.len(), rich.links.as_slice()) {
        (0, []) => Ok(None),
        (_, [_, _, ..]) => Err(refused("too_many_links")),
        (0, [button]) if fits(button.title.as_str(), super::LONGEST_BUTTON_TITLE) => {
            let parameters = json!({"display_text": button.title.as_str(), "url": button.link.as_str()});
            Ok(Some(("cta_url", json!({"name": "cta_url", "parameters": parameters}))))
        }
        (0, [_]) => Err(refused("title_length")),
        (_, [_]) => Err(refused("choices_with_link")),
        (count, []) if count > limits.most => Err(refused("too_many_choices")),
        (_, []) if rich.as_list => {
            let sections = json!([{"rows": shown().collect::<Vec<_>>()}]);
            Ok(Some(("list", json!({"button": list_button, "sections": sections}))))
        }
        (_, []) => {
            let buttons: Vec<_> = shown().map(|reply| json!({"type": "reply", "reply": reply})).collect();
            Ok(Some(("button", json!({"buttons": buttons}))))
        }
    }
}

/// Returns the message for an uploaded file. If the caption doesn't fit or isn't allowed, it is a text after the file.
fn file_parts(file: &OutboundFile, upload: &Receipt) -> Result<Vec<MessageBody>, SendFailure> {
    // Without an id the uploaded file can't be sent.
    let id = upload.provider_id.as_deref().ok_or_else(|| refused("no_media_id"))?;
    let kind = media::message_type(file);
    let caption = file.caption.as_ref().map_or("", |caption| caption.as_str());
    let fits = kind.has_caption() && characters(caption) <= LONGEST_CAPTION;
    let mut content = json!({"id": id});
    if fits && !caption.trim().is_empty() {
        content = with(content, "caption", caption.into());
    }
    if kind == media::MessageType::Document {
        content = with(content, "filename", file.name.as_str().into());
    }
    let mut parts = vec![MessageBody { kind: kind.name(), content }];
    if !fits {
        parts.extend(texts(caption));
    }
    Ok(parts)
}

/// Builds the call for an indication. `None` if WhatsApp has no such indication.
pub(super) fn indicate(graph: &Graph, indication: &Indication) -> Option<HttpCall> {
    let (name, message, typing) = match indication {
        Indication::Read { message } => ("WhatsApp read", message, false),
        Indication::Typing { typing: true, last_message: Some(message) } => ("WhatsApp typing", message, true),
        // The typing indicator ends by itself, with the next message or after 25 seconds.
        Indication::Typing { .. } => return None,
    };
    let mut body = json!({"messaging_product": "whatsapp", "status": "read", "message_id": message.as_str()});
    if typing {
        body = with(body, "typing_indicator", json!({"type": "text"}));
    }
    Some(graph.post_message(name, &body))
}
