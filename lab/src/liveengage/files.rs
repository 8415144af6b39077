//! The file storage (service `swift`): its files, and the signed URLs that are valid for a minute.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Method;
use serde::Serialize;
use serde_json::{Value, json};
use sha1::Sha1;
use uuid::Uuid;

/// The types that a connector can always send, by LivePerson's names.
const IMAGES: [&str; 4] = ["JPG", "JPEG", "PNG", "GIF"];
/// The additional types for an account with file sharing.
const DOCUMENTS: [&str; 5] = ["PDF", "DOCX", "PPTX", "XLSX", "TXT"];
/// The largest image in bytes. "3 MB" is documented; this is the stricter reading.
const MAX_IMAGE_BYTES: u64 = 3_000_000;
/// The largest file of an account with file sharing in bytes. "5 MB" is documented.
const MAX_DOCUMENT_BYTES: u64 = 5_000_000;
/// The first bytes that identify a file's type, regardless of its declared type.
const MAGIC_BYTES: [(&str, &[u8]); 5] = [
    ("JPEG", &[0xff, 0xd8, 0xff]),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("GIF", b"GIF87a"),
    ("GIF", b"GIF89a"),
    ("PDF", b"%PDF-"),
];

/// A stored file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// The `Content-Type` of its upload.
    pub content_type: String,
    /// Its declared type, for example `PNG`.
    pub file_type: String,
    /// The content.
    pub bytes: Bytes,
}

/// A file that an agent sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its type by LivePerson's name, for example `JPG` or `PDF`: 1 to 8 letters and digits. Agents may send types that
    /// connectors can't.
    pub file_type: String,
    /// The content; not empty.
    pub bytes: Bytes,
    /// The caption.
    pub caption: Option<String>,
}

impl NewFile {
    /// A file without a caption.
    pub fn new(file_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self { file_type: file_type.to_owned(), bytes: bytes.into(), caption: None }
    }

    /// Adds a caption.
    #[must_use]
    pub fn captioned(self, caption: &str) -> Self {
        Self { caption: Some(caption.to_owned()), ..self }
    }

    pub(super) fn is_image(&self) -> bool {
        IMAGES.contains(&self.file_type.as_str())
    }

    /// Why it is invalid, if it is.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let sound_type = (1..=8).contains(&self.file_type.len())
            && self.file_type.chars().all(|character| character.is_ascii_alphanumeric());
        if !sound_type {
            return Some("a file type has 1 to 8 letters and digits");
        }
        self.bytes.is_empty().then_some("the file is empty")
    }
}

/// A file in a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileView {
    /// Its path in the storage.
    pub relative_path: String,
    /// Its type in the message.
    pub file_type: String,
    /// The caption.
    pub caption: Option<String>,
}

/// Why the storage refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StorageRefusal {
    /// The URL is not signed for this request, or has expired.
    NotSigned,
    Empty,
    TooLong,
    Missing,
}

/// A reserved slot for a file.
#[derive(Debug)]
struct Slot {
    account_id: String,
    /// The consumer whose conversation it belongs to.
    consumer_id: String,
    file_type: String,
    declared_length: u64,
    content: Option<(String, Bytes)>,
}

/// The file storage of a simulator.
#[derive(Debug)]
pub(super) struct Files {
    key: Uuid,
    url_lifetime: Duration,
    slots: HashMap<String, Slot>,
}

/// The owner of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileOwner<'a> {
    pub(super) account_id: &'a str,
    pub(super) consumer_id: &'a str,
}

impl Files {
    pub(super) fn new(url_lifetime: Duration) -> Self {
        Self { key: Uuid::new_v4(), url_lifetime, slots: HashMap::new() }
    }

    /// Reserves a slot for a file of this type and length; `None` if the account doesn't accept such a file.
    pub(super) fn reserve(
        &mut self,
        owner: FileOwner<'_>,
        file_type: &str,
        length: u64,
        documents: bool,
    ) -> Option<String> {
        let known = IMAGES.contains(&file_type) || (documents && DOCUMENTS.contains(&file_type));
        let longest = if documents { MAX_DOCUMENT_BYTES } else { MAX_IMAGE_BYTES };
        if !known || !(1..=longest).contains(&length) {
            return None;
        }
        Some(self.slot(owner, file_type, length, None))
    }

    /// Stores a file of an agent. Returns its path.
    pub(super) fn add(&mut self, owner: FileOwner<'_>, file: &NewFile) -> String {
        let length = u64::try_from(file.bytes.len()).unwrap_or(u64::MAX);
        let content = (content_type(&file.file_type).to_owned(), file.bytes.clone());
        self.slot(owner, &file.file_type, length, Some(content))
    }

    /// A URL for a connector: the path and its signature, in the format of OpenStack's temporary URLs.
    pub(super) fn url(&self, method: &Method, relative_path: &str, now_ms: i64) -> Value {
        let lifetime_ms = i64::try_from(self.url_lifetime.as_millis()).unwrap_or(i64::MAX);
        let expires = now_ms.saturating_add(lifetime_ms) / 1000;
        let signature = hex::encode(self.signed(method, relative_path, expires).finalize().into_bytes());
        json!({
            "relativePath": relative_path,
            "queryParams": { "temp_url_sig": signature, "temp_url_expires": expires.to_string() },
        })
    }

    /// Whether the query of a storage call has a valid signature for the method and path.
    pub(super) fn is_authorized(
        &self,
        method: &Method,
        relative_path: &str,
        query: &HashMap<String, String>,
        now_s: i64,
    ) -> Result<(), StorageRefusal> {
        let expires = query.get("temp_url_expires").and_then(|expires| expires.parse::<i64>().ok());
        let signature = query.get("temp_url_sig").and_then(|signature| hex::decode(signature).ok());
        let (Some(expires), Some(signature)) = (expires, signature) else { return Err(StorageRefusal::NotSigned) };
        let genuine = self.signed(method, relative_path, expires).verify_slice(&signature).is_ok();
        if genuine && now_s < expires { Ok(()) } else { Err(StorageRefusal::NotSigned) }
    }

    pub(super) fn put(
        &mut self,
        relative_path: &str,
        content_type: Option<&str>,
        bytes: Bytes,
    ) -> Result<(), StorageRefusal> {
        let slot = self.slots.get_mut(relative_path).ok_or(StorageRefusal::Missing)?;
        if bytes.is_empty() {
            return Err(StorageRefusal::Empty);
        }
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > slot.declared_length {
            return Err(StorageRefusal::TooLong);
        }
        slot.content = Some((content_type.unwrap_or("application/octet-stream").to_owned(), bytes));
        Ok(())
    }

    pub(super) fn stored(&self, relative_path: &str) -> Option<StoredFile> {
        let slot = self.slots.get(relative_path)?;
        let (content_type, bytes) = slot.content.clone()?;
        Some(StoredFile { content_type, file_type: slot.file_type.clone(), bytes })
    }

    /// Whether there is a file at the path that this consumer may read.
    pub(super) fn is_readable(&self, owner: FileOwner<'_>, relative_path: &str) -> bool {
        self.slot_of(owner, relative_path).is_some_and(|slot| slot.content.is_some())
    }

    /// Whether a consumer may publish the file at the path with this type. It must be uploaded, have the declared
    /// length and type, and must not be recognizable as another type. LivePerson's own sample requests a PNG and
    /// publishes a JPEG, so pictures are interchangeable.
    pub(super) fn is_publishable(&self, owner: FileOwner<'_>, relative_path: &str, file_type: &str) -> bool {
        let Some(slot) = self.slot_of(owner, relative_path) else { return false };
        let Some((_, bytes)) = &slot.content else { return false };
        let (declared, published) = (canonical_type(&slot.file_type), canonical_type(file_type));
        let is_image = |name: &str| IMAGES.contains(&name);
        let goes_for = |name: &str, other: &str| name == other || (is_image(name) && is_image(other));
        let looks_like = MAGIC_BYTES.iter().find(|(_, beginning)| bytes.starts_with(beginning)).map(|(name, _)| *name);
        u64::try_from(bytes.len()).is_ok_and(|length| length == slot.declared_length)
            && goes_for(published, declared)
            && looks_like.is_none_or(|name| goes_for(name, declared))
    }

    fn slot_of(&self, owner: FileOwner<'_>, relative_path: &str) -> Option<&Slot> {
        self.slots
            .get(relative_path)
            .filter(|slot| slot.account_id == owner.account_id && slot.consumer_id == owner.consumer_id)
    }

    fn slot(
        &mut self,
        owner: FileOwner<'_>,
        file_type: &str,
        declared_length: u64,
        content: Option<(String, Bytes)>,
    ) -> String {
        let FileOwner { account_id, consumer_id } = owner;
        let path = format!("/v1/AUTH_async-images/{account_id}/{consumer_id}_uuid_{}.{file_type}", Uuid::new_v4());
        let slot = Slot {
            account_id: account_id.to_owned(),
            consumer_id: consumer_id.to_owned(),
            file_type: file_type.to_owned(),
            declared_length,
            content,
        };
        self.slots.insert(path.clone(), slot);
        path
    }

    fn signed(&self, method: &Method, relative_path: &str, expires: i64) -> Hmac<Sha1> {
        // HMAC pads a short key with zeros. So this is the same key with a length that is never refused.
        let mut key = [0; 64];
        key.iter_mut().zip(self.key.as_bytes()).for_each(|(place, byte)| *place = *byte);
        Hmac::<Sha1>::new((&key).into()).chain_update(format!("{method}\n{expires}\n{relative_path}"))
    }
}

/// JPG and JPEG are the same type.
fn canonical_type(file_type: &str) -> &str {
    if file_type == "JPG" { "JPEG" } else { file_type }
}

fn content_type(file_type: &str) -> &'static str {
    match file_type {
        "JPG" | "JPEG" => "image/jpeg",
        "PNG" => "image/png",
        "GIF" => "image/gif",
        "PDF" => "application/pdf",
        "TXT" => "text/plain",
        "DOCX" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "PPTX" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "XLSX" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}
