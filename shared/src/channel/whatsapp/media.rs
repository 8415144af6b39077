//! Files: an agent's is uploaded and then sent by its id; a person's is asked for by its id and then fetched.

use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::Value;
use url::Url;

use super::{FILES, answer, graph::Graph};
use crate::{
    channel::{ChannelCall, Effect, FileEnvelope, MediaCall, SendFailure},
    domain::{
        code::Code,
        http::{HttpReply, InvalidHeader},
        message::{InboundMedia, OutboundFile},
    },
};

/// The largest film or sound that is shown as one, in bytes.
const LARGEST_FILM: u64 = 16_000_000;

/// What a file is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    Video,
    Audio,
    Document,
}

impl Kind {
    /// Its name as a type of message.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Document => "document",
        }
    }

    /// Whether a text can stand below it.
    pub(super) const fn has_caption(self) -> bool {
        !matches!(self, Self::Audio)
    }
}

/// What a file is sent as: as itself where WhatsApp shows its type and size, and as a document otherwise.
pub(super) fn kind(file: &OutboundFile) -> Kind {
    match file.content_type {
        "image/jpeg" | "image/png" if file.size <= FILES.largest_picture => Kind::Image,
        "video/mp4" | "video/3gpp" if file.size <= LARGEST_FILM => Kind::Video,
        "audio/aac" | "audio/amr" | "audio/mpeg" | "audio/mp4" | "audio/ogg" if file.size <= LARGEST_FILM => {
            Kind::Audio
        }
        _ => Kind::Document,
    }
}

/// The call that uploads a file. Its boundary comes from the message's reference, so that every attempt is the same.
///
/// # Errors
/// [`SendFailure::Refused`] for a file that is larger than any WhatsApp takes.
pub(super) fn upload(graph: &Graph, reference: &str, file: &OutboundFile) -> Result<ChannelCall, SendFailure> {
    if FILES.largest_document.is_some_and(|largest| file.size > largest) {
        return Err(SendFailure::Refused { status: 0, code: Code::ours("file_too_large") });
    }
    // A boundary has at most 70 characters.
    let boundary: String = reference.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let boundary = format!("file-{boundary}");
    let field = |name: &str, value: &str| {
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let before = format!(
        "{}{}--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
        field("messaging_product", "whatsapp"),
        field("type", file.content_type),
        quoted(&file.name),
        file.content_type,
    );
    let mut call = graph.upload();
    let content_type = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"))
        .map_err(|_| InvalidHeader { name: header::CONTENT_TYPE })?;
    call.headers.insert(header::CONTENT_TYPE, content_type);
    let after = Bytes::from(format!("\r\n--{boundary}--\r\n"));
    Ok(ChannelCall { call, file: Some(FileEnvelope { before: before.into(), after }), effect: Effect::Upload })
}

/// A file name as browsers write it into a form.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// The call that asks where a person's file is, and then the one that fetches it: with the token, and therefore only from the API
/// itself and the hosts that are known for Meta's.
///
/// # Errors
/// [`SendFailure`]. Meta forgets a file after a week.
pub(super) fn fetch(
    graph: &Graph,
    hosts: &[String],
    media: &InboundMedia,
    asked: Option<&HttpReply>,
) -> Result<MediaCall, SendFailure> {
    let refused = |status: u16, code: &'static str| SendFailure::Refused { status, code: Code::ours(code) };
    let Some(reply) = asked else {
        let id = media.reference.as_str();
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(refused(0, "media_id"));
        }
        return Ok(MediaCall::Ask(graph.ask_media(id)));
    };
    let status = reply.status.as_u16();
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    if !reply.status.is_success() {
        // About a file, "no such object, or not for you" means that it is gone.
        let gone = body.pointer("/error/code").and_then(Value::as_i64) == Some(100);
        return Err(if gone { refused(status, "100") } else { answer::failure(reply) });
    }
    let url = body.get("url").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
    let url = url.ok_or(SendFailure::Unreadable { status })?;
    if !may_see_token(graph, hosts, &url) {
        return Err(refused(status, "media_host"));
    }
    Ok(MediaCall::Fetch(graph.fetch_media(url)))
}

fn may_see_token(graph: &Graph, hosts: &[String], url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let is_below =
        |known: &String| host == known || host.strip_suffix(known.as_str()).is_some_and(|sub| sub.ends_with('.'));
    graph.is_origin_of(url) || (url.scheme() == "https" && hosts.iter().any(is_below))
}
