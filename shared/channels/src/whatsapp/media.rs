//! Files. An agent's file is uploaded and then sent by its id. For a consumer's file, the URL is requested by its id, and then the file is
//! fetched.

use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::Value;
use url::Url;

use super::{FILES, graph::Graph, reply};
use crate::{
    ChannelCall, Effect, FileEnvelope, MediaCall, SendFailure,
    message::{InboundMedia, OutboundFile},
};
use connector_message::{
    code::Code,
    http::{HttpReply, InvalidHeader},
};

/// The largest video or audio that is sent as such, in bytes: 16 MB (Media page).
const LARGEST_VIDEO: u64 = 16_000_000;

/// The type of the message with which a file is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageType {
    Image,
    Video,
    Audio,
    Document,
}

impl MessageType {
    /// The name on the wire.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Document => "document",
        }
    }

    /// Whether the message can have a caption.
    pub(super) const fn has_caption(self) -> bool {
        !matches!(self, Self::Audio)
    }
}

/// Returns the message type of a file: its own type if WhatsApp supports the media type and size, and otherwise a document.
pub(super) fn message_type(file: &OutboundFile) -> MessageType {
    match file.content_type {
        "image/jpeg" | "image/png" if file.size <= FILES.largest_picture => MessageType::Image,
        "video/mp4" | "video/3gpp" if file.size <= LARGEST_VIDEO => MessageType::Video,
        "audio/aac" | "audio/amr" | "audio/mpeg" | "audio/mp4" | "audio/ogg" if file.size <= LARGEST_VIDEO => {
            MessageType::Audio
        }
        _ => MessageType::Document,
    }
}

/// Builds the call that uploads a file. The boundary is derived from the message's reference, so that all attempts are the same.
///
/// # Errors
/// [`SendFailure::Refused`] for a file that is larger than WhatsApp's limit for documents.
pub(super) fn upload(graph: &Graph, reference: &str, file: &OutboundFile) -> Result<ChannelCall, SendFailure> {
    if FILES.largest_document.is_some_and(|largest| file.size > largest) {
        return Err(SendFailure::Refused { status: 0, code: Code::internal("file_too_large") });
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

/// Escapes a file name in a form as browsers do.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// Builds the call that asks for the URL of a consumer's file, and then the call that fetches it. Both contain the token: therefore only
/// the API and the hosts of the settings are allowed.
///
/// # Errors
/// [`SendFailure::Refused`] for an invalid id, a deleted file (Meta keeps files for a week) or a host that is not allowed. Otherwise by the
/// reply in `asked`.
pub(super) fn fetch(
    graph: &Graph,
    hosts: &[String],
    media: &InboundMedia,
    asked: Option<&HttpReply>,
) -> Result<MediaCall, SendFailure> {
    let refused = |status: u16, code: &'static str| SendFailure::Refused { status, code: Code::internal(code) };
    let Some(answer) = asked else {
        let id = media.reference.as_str();
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return Err(refused(0, "media_id"));
        }
        return Ok(MediaCall::Ask(graph.ask_media(id)));
    };
    let status = answer.status.as_u16();
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if !answer.status.is_success() {
        // For a file, "object doesn't exist or no permission" means that it was deleted.
        let is_gone = body.pointer("/error/code").and_then(Value::as_i64) == Some(100);
        return Err(if is_gone { refused(status, "100") } else { reply::failure(answer) });
    }
    let url = body.get("url").and_then(Value::as_str).and_then(|url| Url::parse(url).ok());
    let url = url.ok_or(SendFailure::Unreadable { status })?;
    if !is_trusted(graph, hosts, &url) {
        return Err(refused(status, "media_host"));
    }
    Ok(MediaCall::Fetch(graph.fetch_media(url)))
}

/// Whether the token may be sent to a URL: it is at the API, or at one of `hosts` or their subdomains.
fn is_trusted(graph: &Graph, hosts: &[String], url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let is_same_or_subdomain =
        |known: &String| host == known || host.strip_suffix(known.as_str()).is_some_and(|sub| sub.ends_with('.'));
    graph.is_origin_of(url) || (url.scheme() == "https" && hosts.iter().any(is_same_or_subdomain))
}
