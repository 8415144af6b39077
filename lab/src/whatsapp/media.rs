//! The account's files: which may be stored, and how long a link to one is valid.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use crate::phone::MediaKind;

/// The MIME types that the Cloud API supports, with how each is shown and its largest size in bytes (Meta, "Media",
/// supported media types). A WebP is accepted up to the size of an animated sticker.
const SUPPORTED: &[(&str, MediaKind, usize)] = &[
    ("image/jpeg", MediaKind::Image, 5 * MEGABYTE),
    ("image/png", MediaKind::Image, 5 * MEGABYTE),
    ("image/webp", MediaKind::Sticker, 500 * 1024),
    ("video/mp4", MediaKind::Video, 16 * MEGABYTE),
    ("video/3gpp", MediaKind::Video, 16 * MEGABYTE),
    ("audio/aac", MediaKind::Audio, 16 * MEGABYTE),
    ("audio/amr", MediaKind::Audio, 16 * MEGABYTE),
    ("audio/mpeg", MediaKind::Audio, 16 * MEGABYTE),
    ("audio/mp4", MediaKind::Audio, 16 * MEGABYTE),
    ("audio/ogg", MediaKind::Audio, 16 * MEGABYTE),
    ("text/plain", MediaKind::Document, MAX_FILE),
    ("application/pdf", MediaKind::Document, MAX_FILE),
    ("application/msword", MediaKind::Document, MAX_FILE),
    ("application/vnd.ms-excel", MediaKind::Document, MAX_FILE),
    ("application/vnd.ms-powerpoint", MediaKind::Document, MAX_FILE),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", MediaKind::Document, MAX_FILE),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", MediaKind::Document, MAX_FILE),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", MediaKind::Document, MAX_FILE),
];
/// A megabyte as Meta counts the limits, in bytes.
const MEGABYTE: usize = 1024 * 1024;
/// The largest file, a document, in bytes.
pub(super) const MAX_FILE: usize = 100 * MEGABYTE;

/// A stored file.
#[derive(Debug, Clone)]
pub(super) struct StoredMedia {
    pub(super) id: String,
    pub(super) mime_type: String,
    pub(super) bytes: Bytes,
    /// Of the bytes, not encoded as hex or Base64.
    pub(super) sha256: [u8; 32],
}

/// Why a file is not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum MediaRefusal {
    #[error("Received file of type '{0}'")]
    Type(String),
    #[error("a file of type {mime_type} has at most {limit} bytes; this one has {size}")]
    Size { mime_type: String, limit: usize, size: usize },
    #[error("the file is empty")]
    Empty,
}

/// The files, and the links that were issued for them.
#[derive(Debug, Default)]
pub(super) struct MediaStore {
    files: HashMap<String, StoredMedia>,
    links: HashMap<String, MediaLink>,
}

#[derive(Debug)]
struct MediaLink {
    media_id: String,
    ends: Instant,
}

impl MediaStore {
    /// Adds a file that the connector uploads.
    pub(super) fn add_upload(&mut self, mime_type: &str, bytes: Bytes) -> Result<StoredMedia, MediaRefusal> {
        let (_, limit) = supported(mime_type).ok_or_else(|| MediaRefusal::Type(mime_type.to_owned()))?;
        self.add(mime_type, limit, bytes)
    }

    /// Adds a file that a phone sends. There a document can be of any type.
    pub(super) fn add_from_phone(
        &mut self,
        kind: MediaKind,
        mime_type: &str,
        bytes: Bytes,
    ) -> Result<StoredMedia, MediaRefusal> {
        let limit = match supported(mime_type) {
            _ if kind == MediaKind::Document => MAX_FILE,
            Some((fitting, limit)) if fitting == kind => limit,
            _ => return Err(MediaRefusal::Type(mime_type.to_owned())),
        };
        self.add(mime_type, limit, bytes)
    }

    fn add(&mut self, mime_type: &str, limit: usize, bytes: Bytes) -> Result<StoredMedia, MediaRefusal> {
        if bytes.is_empty() {
            return Err(MediaRefusal::Empty);
        }
        if bytes.len() > limit {
            return Err(MediaRefusal::Size { mime_type: mime_type.to_owned(), limit, size: bytes.len() });
        }
        let media = StoredMedia {
            id: new_media_id(),
            mime_type: mime_type.to_owned(),
            sha256: Sha256::digest(&bytes).into(),
            bytes,
        };
        self.files.insert(media.id.clone(), media.clone());
        Ok(media)
    }

    pub(super) fn get(&self, id: &str) -> Option<&StoredMedia> {
        self.files.get(id)
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        self.files.remove(id).is_some()
    }

    /// A key for the file that is valid for `lifetime`.
    pub(super) fn link(&mut self, media_id: &str, lifetime: Duration) -> String {
        let now = Instant::now();
        self.links.retain(|_, link| link.ends > now);
        let key = Uuid::new_v4().simple().to_string();
        self.links.insert(key.clone(), MediaLink { media_id: media_id.to_owned(), ends: now + lifetime });
        key
    }

    pub(super) fn open(&self, key: &str) -> Option<&StoredMedia> {
        let link = self.links.get(key).filter(|link| link.ends > Instant::now())?;
        self.get(&link.media_id)
    }
}

/// How a file of this MIME type is shown, and its largest size in bytes.
pub(super) fn supported(mime_type: &str) -> Option<(MediaKind, usize)> {
    // Parameters such as `codecs=opus` are ignored.
    let essence = mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    SUPPORTED.iter().find(|(supported, _, _)| *supported == essence).map(|(_, kind, limit)| (*kind, *limit))
}

/// Whether a stored file can be shown as `kind`. Every file can be a document.
pub(super) fn fits(kind: MediaKind, mime_type: &str) -> bool {
    kind == MediaKind::Document || supported(mime_type).is_some_and(|(fitting, _)| fitting == kind)
}

/// The supported MIME types in one line, for an error.
pub(super) fn supported_types() -> String {
    SUPPORTED.iter().map(|(mime_type, _, _)| *mime_type).collect::<Vec<_>>().join(", ")
}

/// Sixteen digits, like Meta's ids.
fn new_media_id() -> String {
    const SMALLEST: u128 = 1_000_000_000_000_000;
    (SMALLEST + Uuid::new_v4().as_u128() % (9 * SMALLEST)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_accepted_up_to_its_limit() {
        let mut store = MediaStore::default();
        let image = store.add_upload("image/png", vec![1; 5 * MEGABYTE].into()).unwrap();
        assert_eq!(image.id.len(), 16);
        assert!(image.id.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(store.get(&image.id).unwrap().bytes.len(), 5 * MEGABYTE);
        for (mime_type, limit) in [("image/jpeg", 5 * MEGABYTE), ("video/mp4", 16 * MEGABYTE), ("image/webp", 512_000)]
        {
            let refusal = store.add_upload(mime_type, vec![0; limit + 1].into()).unwrap_err();
            assert_eq!(refusal, MediaRefusal::Size { mime_type: mime_type.to_owned(), limit, size: limit + 1 });
        }
        assert_eq!(store.add_upload("image/png", Bytes::new()).unwrap_err(), MediaRefusal::Empty);
        let refusal = store.add_upload("application/zip", vec![1].into()).unwrap_err();
        assert_eq!(refusal, MediaRefusal::Type("application/zip".to_owned()));
    }

    #[test]
    fn a_phone_sends_documents_of_any_type_but_no_video_as_a_picture() {
        let mut store = MediaStore::default();
        assert!(store.add_from_phone(MediaKind::Document, "application/zip", "PK".into()).is_ok());
        assert!(store.add_from_phone(MediaKind::Audio, "audio/ogg; codecs=opus", "OggS".into()).is_ok());
        let refusal = store.add_from_phone(MediaKind::Image, "video/mp4", "ftyp".into()).unwrap_err();
        assert_eq!(refusal, MediaRefusal::Type("video/mp4".to_owned()));
    }

    #[test]
    fn parameters_of_a_mime_type_do_not_count() {
        assert_eq!(supported("audio/ogg; codecs=opus"), Some((MediaKind::Audio, 16 * MEGABYTE)));
        assert_eq!(supported("Image/PNG").map(|(kind, _)| kind), Some(MediaKind::Image));
        assert_eq!(supported("audio"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_ends_with_its_lifetime() {
        let mut store = MediaStore::default();
        let media = store.add_upload("text/plain", "hello".into()).unwrap();
        let key = store.link(&media.id, Duration::from_secs(300));
        tokio::time::advance(Duration::from_secs(299)).await;
        assert_eq!(store.open(&key).unwrap().bytes, "hello");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(store.open(&key).is_none());
        let renewed = store.link(&media.id, Duration::from_secs(300));
        assert!(store.open(&renewed).is_some());
        assert!(store.remove(&media.id));
        assert!(store.open(&renewed).is_none(), "a file that was deleted is gone");
        assert!(!store.remove(&media.id));
    }
}
