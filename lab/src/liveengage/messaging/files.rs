//! The requests about files: URLs to upload and download, and what a file message must keep to.

use http::{Method, StatusCode};
use serde_json::Value;

use super::Envelope;
use super::refusal::{No, refuse};
use crate::liveengage::endpoint::{Answer, Call};
use crate::liveengage::event::{Content, Event};
use crate::liveengage::files::Owner;
use crate::liveengage::tokens::ConsumerIdentity;
use crate::liveengage::world::{World, now_ms};

/// The longest preview, in bytes of its data URI: "30 KB" is documented.
const LONGEST_PREVIEW: usize = 30_000;

/// `ms.GenerateURLForUploadFile`. Whether it needs an open conversation is not documented; it is of no use without one.
pub(super) fn upload_url(world: &World, call: &Call, consumer: &ConsumerIdentity, envelope: &Envelope) -> Answer {
    let length = match envelope.body.get("fileSize") {
        Some(Value::String(length)) => length.parse::<u64>().ok(),
        Some(Value::Number(length)) => length.as_u64(),
        _ => None,
    };
    let (Some(length), Some(file_type)) = (length, envelope.text("fileType")) else {
        return refuse(envelope, No::Malformed);
    };
    if !world.has_open_conversation(call.account_id(), &consumer.id) {
        return refuse(envelope, No::Closed);
    }
    let documents = world.features(call.account_id()).file_sharing;
    let mut files = world.files();
    match files.reserve(owner(call, consumer), file_type, length, documents) {
        Some(relative_path) => {
            let url = files.url(&Method::PUT, &relative_path, now_ms());
            Answer::new(StatusCode::OK, envelope.ok(&url))
        }
        None => refuse(envelope, No::Malformed),
    }
}

/// `ms.GenerateURLForDownloadFile`, which needs no open conversation.
pub(super) fn download_url(world: &World, call: &Call, consumer: &ConsumerIdentity, envelope: &Envelope) -> Answer {
    let files = world.files();
    let readable = |path: &&str| files.is_readable(owner(call, consumer), path);
    match envelope.text("relativePath").filter(readable) {
        Some(relative_path) => {
            let url = files.url(&Method::GET, relative_path, now_ms());
            Answer::new(StatusCode::OK, envelope.ok(&url))
        }
        None => refuse(envelope, No::Malformed),
    }
}

/// Whether the file of an event, if it has one, was uploaded as the event says.
pub(super) fn is_as_uploaded(world: &World, call: &Call, consumer: &ConsumerIdentity, event: &Event) -> bool {
    let Event::Content(Content::File { message }) = event else { return true };
    let preview_is_sound = message
        .preview
        .as_ref()
        .is_none_or(|preview| preview.starts_with("data:image/") && preview.len() <= LONGEST_PREVIEW);
    preview_is_sound && world.files().is_publishable(owner(call, consumer), &message.relative_path, &message.file_type)
}

fn owner<'a>(call: &'a Call, consumer: &'a ConsumerIdentity) -> Owner<'a> {
    Owner { account_id: call.account_id(), consumer_id: &consumer.id }
}
