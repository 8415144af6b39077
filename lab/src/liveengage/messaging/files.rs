//! Requests for upload and download URLs, and the rules for file messages.

use http::{Method, StatusCode};
use serde_json::Value;

use super::Envelope;
use super::error::{RequestError, refuse};
use crate::liveengage::backend::{Backend, now_ms};
use crate::liveengage::endpoint::{ServiceAnswer, ServiceCall};
use crate::liveengage::event::{Content, Event};
use crate::liveengage::files::FileOwner;
use crate::liveengage::tokens::ConsumerIdentity;

/// The largest preview in bytes: "30 KB" is documented, and not whether of the picture or of its data URI. This is the picture, whose data URI
/// is a third larger, so that no documented preview is refused.
const MAX_PREVIEW_BYTES: usize = 30 * 1024;

/// `ms.GenerateURLForUploadFile`. It is not documented whether it requires an open conversation, but it is useless
/// without one.
pub(super) fn upload_url(
    backend: &Backend,
    call: &ServiceCall,
    consumer: &ConsumerIdentity,
    envelope: &Envelope,
) -> ServiceAnswer {
    let length = match envelope.body.get("fileSize") {
        Some(Value::String(length)) => length.parse::<u64>().ok(),
        Some(Value::Number(length)) => length.as_u64(),
        _ => None,
    };
    let (Some(length), Some(file_type)) = (length, envelope.text("fileType")) else {
        return refuse(envelope, RequestError::Malformed);
    };
    if !backend.has_open_conversation(call.account_id(), &consumer.id) {
        return refuse(envelope, RequestError::Closed);
    }
    let documents = backend.features(call.account_id()).file_sharing;
    let mut files = backend.files();
    match files.reserve(owner(call, consumer), file_type, length, documents) {
        Some(relative_path) => {
            let url = files.url(&Method::PUT, &relative_path, now_ms());
            ServiceAnswer::new(StatusCode::OK, envelope.ok(&url))
        }
        None => refuse(envelope, RequestError::Malformed),
    }
}

/// `ms.GenerateURLForDownloadFile`, which requires no open conversation.
pub(super) fn download_url(
    backend: &Backend,
    call: &ServiceCall,
    consumer: &ConsumerIdentity,
    envelope: &Envelope,
) -> ServiceAnswer {
    let files = backend.files();
    let readable = |path: &&str| files.is_readable(owner(call, consumer), path);
    match envelope.text("relativePath").filter(readable) {
        Some(relative_path) => {
            let url = files.url(&Method::GET, relative_path, now_ms());
            ServiceAnswer::new(StatusCode::OK, envelope.ok(&url))
        }
        None => refuse(envelope, RequestError::Malformed),
    }
}

/// Whether the file of an event, if it has one, was uploaded as declared.
pub(super) fn is_as_uploaded(
    backend: &Backend,
    call: &ServiceCall,
    consumer: &ConsumerIdentity,
    event: &Event,
) -> bool {
    let Event::Content(Content::File { message }) = event else { return true };
    let preview_is_sound = |preview: &String| {
        let picture = preview.strip_prefix("data:image/").and_then(|rest| rest.split_once(','));
        // Base64 writes three bytes as four characters.
        picture.is_some_and(|(_, base64)| base64.trim_end_matches('=').len() * 3 / 4 <= MAX_PREVIEW_BYTES)
    };
    message.preview.as_ref().is_none_or(preview_is_sound)
        && backend.files().is_publishable(owner(call, consumer), &message.relative_path, &message.file_type)
}

fn owner<'a>(call: &'a ServiceCall, consumer: &'a ConsumerIdentity) -> FileOwner<'a> {
    FileOwner { account_id: call.account_id(), consumer_id: &consumer.id }
}
