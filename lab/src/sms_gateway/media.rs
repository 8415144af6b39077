//! The files of the consumers: what phones attach to a message (MMS), and the way to fetch it: `GET /media/{id}`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::Refusal;
use super::phone::PhoneMedia;
use super::{Account, ConsumerError, lock};

/// The most files in one message. Twilio documents 10.
pub const MAX_FILES: usize = 10;

/// A file that a consumer attaches to a message. The gateway takes any size: what is too large for the rest of the road is not
/// its business.
#[derive(Clone, PartialEq, Eq)]
pub struct MmsFile {
    /// What is in it; not empty.
    pub bytes: Bytes,
    /// Its content type, `type/subtype` with or without parameters. Nobody looks whether the bytes are of it.
    pub content_type: String,
    /// Its name, where the phone gives one.
    pub name: Option<String>,
}

impl fmt::Debug for MmsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MmsFile")
            .field("content_type", &self.content_type)
            .field("name", &self.name)
            .field("size", &self.bytes.len())
            .finish()
    }
}

/// The bytes of all files under their ids, with their content types.
#[derive(Debug, Default)]
pub(super) struct MediaStore {
    files: HashMap<String, (HeaderValue, Bytes)>,
}

impl MediaStore {
    pub(super) fn add(&mut self, file: CheckedFile) -> PhoneMedia {
        let CheckedFile { file: MmsFile { bytes, content_type, name }, header } = file;
        let id = Uuid::new_v4().simple().to_string();
        let media = PhoneMedia { id: id.clone(), content_type, name, size: bytes.len() };
        self.files.insert(id, (header, bytes));
        media
    }

    pub(super) fn get(&self, id: &str) -> Option<(HeaderValue, Bytes)> {
        self.files.get(id).cloned()
    }
}

/// A file that can be stored, with its content type as a header.
pub(super) struct CheckedFile {
    file: MmsFile,
    header: HeaderValue,
}

impl TryFrom<MmsFile> for CheckedFile {
    type Error = ConsumerError;

    fn try_from(file: MmsFile) -> Result<Self, ConsumerError> {
        if file.bytes.is_empty() {
            return Err(ConsumerError::EmptyFile);
        }
        match HeaderValue::from_str(&file.content_type) {
            Ok(header) if is_content_type(&file.content_type) => Ok(Self { file, header }),
            _ => Err(ConsumerError::NotAContentType(file.content_type)),
        }
    }
}

/// Two tokens with a slash between them (RFC 9110, 8.3.1); the parameters are not looked at.
fn is_content_type(content_type: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim_end();
    essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// The name that a phone gives a picture of this content type.
pub(super) fn picture_name(content_type: &str) -> String {
    let subtype = content_type.split(';').next().unwrap_or_default().trim().rsplit('/').next().unwrap_or_default();
    let extension = match subtype {
        "jpeg" => "jpg",
        subtype => subtype.split('+').next().unwrap_or_default(),
    };
    format!("IMG_0001.{extension}")
}

impl Account {
    pub(super) fn media_url(&self, id: &str) -> String {
        format!("{}/media/{id}", self.base_url.get().map_or("", String::as_str))
    }

    fn open_media(&self, id: &str, headers: &HeaderMap) -> Result<(HeaderValue, Bytes), Refusal> {
        if let Some(status) = lock(&self.media_faults).pop_front() {
            return Err(Refusal::new(status, "scripted", "the gateway was told to answer like this"));
        }
        self.authorize(headers)?;
        lock(&self.media)
            .get(id)
            .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "unknown_media", "there is no file with this id"))
    }
}

/// `GET /media/{id}`
pub(super) async fn download(
    State(account): State<Arc<Account>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let (status, shown, response) = match account.open_media(&id, &headers) {
        Ok((content_type, bytes)) => {
            let shown: Value = json!({ "content_type": content_type.to_str().ok(), "bytes": bytes.len() });
            (StatusCode::OK, shown, ([(header::CONTENT_TYPE, content_type)], bytes).into_response())
        }
        Err(refusal) => (refusal.status, json!({ "answer": refusal.body() }), refusal.into_response()),
    };
    account.options.journal.record(
        "to-liveengage",
        "gateway",
        format!("GET /media/{id} -> {}", status.as_u16()),
        Some(shown),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::{CheckedFile, ConsumerError, MmsFile, picture_name};

    fn checked(content_type: &str) -> Result<(), ConsumerError> {
        let file = MmsFile { bytes: "x".into(), content_type: content_type.to_owned(), name: None };
        CheckedFile::try_from(file).map(drop)
    }

    #[test]
    fn a_content_type_has_two_parts() {
        for content_type in ["image/jpeg", "image/svg+xml", "text/vcard; charset=utf-8", "application/vnd.ms-excel"] {
            assert_eq!(checked(content_type), Ok(()), "{content_type}");
        }
        for content_type in ["", "image", "image/", "/png", "image/p ng", "image/png\r\nx: y", "image/png;\n", "a/b/c"]
        {
            assert_eq!(checked(content_type), Err(ConsumerError::NotAContentType(content_type.to_owned())));
        }
    }

    #[test]
    fn a_picture_has_the_usual_ending_of_its_type() {
        assert_eq!(picture_name("image/jpeg"), "IMG_0001.jpg");
        assert_eq!(picture_name("image/png; x=y"), "IMG_0001.png");
        assert_eq!(picture_name("image/svg+xml"), "IMG_0001.svg");
    }
}
