//! Messages to a person, and indications.
//!
//! A message is a row of calls that is made anew for every call: the same message gives the same row, and the receipts say how
//! far it got.

use serde_json::{Map, Value, json};

use super::{
    BUTTONS, LONGEST_CAPTION, LONGEST_INTERACTIVE_TEXT, LONGEST_TEXT, ROWS, address::receiver, graph::Graph, media,
};
use crate::{
    channel::{ChannelCall, Receipt, SendFailure},
    domain::{
        code::Code,
        http::HttpCall,
        id::CallReference,
        message::{Indication, OutboundContent, OutboundFile, OutboundMessage, RichMessage},
        text::split,
    },
};

/// One message in WhatsApp's terms: its `type`, and the object under the field of that name.
pub(super) struct Part {
    kind: &'static str,
    content: Value,
}

/// The next call of a message.
///
/// # Errors
/// [`SendFailure::Refused`] for a message that WhatsApp can't show, before anything of it was sent.
pub(super) fn next_call(
    graph: &Graph,
    list_button: &str,
    message: &OutboundMessage,
    done: &[Receipt],
) -> Result<Option<ChannelCall>, SendFailure> {
    let parts = match &message.content {
        OutboundContent::Text { text } => texts(text.as_str()),
        OutboundContent::Rich { messages } => {
            let parts: Result<Vec<_>, _> = messages.iter().map(|rich| rich_parts(rich, list_button)).collect();
            parts?.into_iter().flatten().collect()
        }
        OutboundContent::File(file) => match done.split_first() {
            None => return media::upload(graph, &message.reference, file).map(Some),
            Some((upload, sent)) => {
                let parts = file_parts(file, upload)?;
                return Ok(parts.get(sent.len()).map(|part| post(graph, message, done.len(), part)));
            }
        },
    };
    Ok(parts.get(done.len()).map(|part| post(graph, message, done.len(), part)))
}

fn post(graph: &Graph, message: &OutboundMessage, number: usize, part: &Part) -> ChannelCall {
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
    body.insert(part.kind.to_owned(), part.content.clone());
    ChannelCall::message(graph.post_message("WhatsApp send", &Value::Object(body)), reference)
}

/// An object with one field more.
fn with(mut object: Value, field: &str, value: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
    object
}

fn characters(text: &str) -> usize {
    text.chars().count()
}

/// A text in pieces of at most `longest` characters. WhatsApp refuses blank ones, and nothing is lost with them.
fn pieces(text: &str, longest: usize) -> Vec<&str> {
    split(text, longest, characters).into_iter().filter(|piece| !piece.trim().is_empty()).collect()
}

fn texts(text: &str) -> Vec<Part> {
    pieces(text, LONGEST_TEXT)
        .into_iter()
        .map(|piece| Part { kind: "text", content: json!({"body": piece, "preview_url": false}) })
        .collect()
}

fn refused(code: &'static str) -> SendFailure {
    SendFailure::Refused { status: 0, code: Code::ours(code) }
}

/// The messages that show one rich message. A text that is too long for its place goes ahead of it, piece by piece, so that the
/// buttons stand below its end.
fn rich_parts(rich: &RichMessage, list_button: &str) -> Result<Vec<Part>, SendFailure> {
    let text = rich.text.as_ref().map_or("", |text| text.as_str());
    let picture = rich.picture.as_ref().map(|link| json!({"link": link.as_str()}));
    let Some((kind, action)) = action(rich, list_button)? else {
        return Ok(plain(picture, text));
    };
    let mut ahead = pieces(text, LONGEST_INTERACTIVE_TEXT);
    let body = ahead.pop().ok_or_else(|| refused("choices_without_text"))?;
    let mut interactive = json!({"type": kind, "body": {"text": body}, "action": action});
    let mut parts = Vec::new();
    if let Some(picture) = picture {
        // The header of a list is a text or nothing.
        if kind == "list" || !ahead.is_empty() {
            parts.push(Part { kind: "image", content: picture });
        } else {
            interactive = with(interactive, "header", json!({"type": "image", "image": picture}));
        }
    }
    parts.extend(ahead.into_iter().flat_map(texts));
    parts.push(Part { kind: "interactive", content: interactive });
    Ok(parts)
}

/// A picture with its text as the caption where it fits, and a text alone.
fn plain(picture: Option<Value>, text: &str) -> Vec<Part> {
    let Some(mut picture) = picture else { return texts(text) };
    let fits = characters(text) <= LONGEST_CAPTION;
    if fits && !text.trim().is_empty() {
        picture = with(picture, "caption", text.into());
    }
    let mut parts = vec![Part { kind: "image", content: picture }];
    if !fits {
        parts.extend(texts(text));
    }
    parts
}

/// The kind of an interactive message and what can be tapped in it; `None` for a message without anything to tap.
fn action(rich: &RichMessage, list_button: &str) -> Result<Option<(&'static str, Value)>, SendFailure> {
    let limits = if rich.as_list { ROWS } else { BUTTONS };
    let fits = |title: &str, most| (1..=most).contains(&characters(title.trim()));
    if !rich.choices.iter().all(|choice| fits(choice.title.as_str(), limits.longest_title)) {
        return Err(refused("title_length"));
    }
    let shown = || rich.choices.iter().map(|choice| json!({"id": choice.id, "title": choice.title.as_str()}));
    match (rich.choices.len(), &rich.link) {
        (0, None) => Ok(None),
        (0, Some(button)) if fits(button.title.as_str(), super::LONGEST_BUTTON_TITLE) => {
            let parameters = json!({"display_text": button.title.as_str(), "url": button.link.as_str()});
            Ok(Some(("cta_url", json!({"name": "cta_url", "parameters": parameters}))))
        }
        (0, Some(_)) => Err(refused("title_length")),
        (_, Some(_)) => Err(refused("choices_with_link")),
        (count, None) if count > limits.most => Err(refused("too_many_choices")),
        (_, None) if rich.as_list => {
            let sections = json!([{"rows": shown().collect::<Vec<_>>()}]);
            Ok(Some(("list", json!({"button": list_button, "sections": sections}))))
        }
        (_, None) => {
            let buttons: Vec<_> = shown().map(|reply| json!({"type": "reply", "reply": reply})).collect();
            Ok(Some(("button", json!({"buttons": buttons}))))
        }
    }
}

/// The message that shows an uploaded file, and the caption's text after it where it finds no room below the file.
fn file_parts(file: &OutboundFile, upload: &Receipt) -> Result<Vec<Part>, SendFailure> {
    // Without an id the file is lost at Meta, and certainly nothing was shown.
    let id = upload.provider_id.as_deref().ok_or_else(|| refused("no_media_id"))?;
    let kind = media::kind(file);
    let caption = file.caption.as_ref().map_or("", |caption| caption.as_str());
    let fits = kind.has_caption() && characters(caption) <= LONGEST_CAPTION;
    let mut content = json!({"id": id});
    if fits && !caption.trim().is_empty() {
        content = with(content, "caption", caption.into());
    }
    if kind == media::Kind::Document {
        content = with(content, "filename", file.name.as_str().into());
    }
    let mut parts = vec![Part { kind: kind.name(), content }];
    if !fits {
        parts.extend(texts(caption));
    }
    Ok(parts)
}

/// The call that shows an indication.
pub(super) fn indicate(graph: &Graph, indication: &Indication) -> Option<HttpCall> {
    let (name, message, typing) = match indication {
        Indication::Read { message } => ("WhatsApp read", message, false),
        Indication::Typing { typing: true, last_message: Some(message) } => ("WhatsApp typing", message, true),
        // It ends by itself, with the next message or after 25 seconds.
        Indication::Typing { .. } => return None,
    };
    let mut body = json!({"messaging_product": "whatsapp", "status": "read", "message_id": message.as_str()});
    if typing {
        body = with(body, "typing_indicator", json!({"type": "text"}));
    }
    Some(graph.post_message(name, &body))
}
