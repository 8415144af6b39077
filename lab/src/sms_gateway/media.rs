//! The consumers' files: attachments of messages (MMS), which are fetched with `GET /media/{id}`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::GatewayError;
use super::{GatewayAccount, SmsConsumerError};
use crate::phone::AttachedFile;

/// The maximum number of files of a message. Twilio documents 10.
pub const MAX_FILES: usize = 10;

/// A file that a consumer attaches to a message.
///
/// The gateway accepts any size; the connector has its own limit.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
pub struct MmsFile {
    /// Its content; not empty.
    #[debug("{} bytes", bytes.len())]
    pub bytes: Bytes,
    /// Its content type, `type/subtype` with or without parameters. It is not compared with the bytes.
    pub content_type: String,
    /// Its name, if the phone gives one.
    pub name: Option<String>,
}

/// The files by id, with their content types.
#[derive(Debug, Default)]
pub(super) struct GatewayFiles {
    files: HashMap<String, (HeaderValue, Bytes)>,
}

impl GatewayFiles {
    pub(super) fn add(&mut self, file: CheckedFile) -> AttachedFile {
        let CheckedFile { file: MmsFile { bytes, content_type, name }, header } = file;
        let id = Uuid::new_v4().simple().to_string();
        let media = AttachedFile { id: id.clone(), content_type, name, size: bytes.len() };
        self.files.insert(id, (header, bytes));
        media
    }

    pub(super) fn get(&self, id: &str) -> Option<(HeaderValue, Bytes)> {
        self.files.get(id).cloned()
    }
}

/// A valid file, with its content type as a header.
pub(super) struct CheckedFile {
    file: MmsFile,
    header: HeaderValue,
}

impl TryFrom<MmsFile> for CheckedFile {
    type Error = SmsConsumerError;

    fn try_from(file: MmsFile) -> Result<Self, SmsConsumerError> {
        if file.bytes.is_empty() {
            return Err(SmsConsumerError::EmptyFile);
        }
        match HeaderValue::from_str(&file.content_type) {
            Ok(header) if is_content_type(&file.content_type) => Ok(Self { file, header }),
            _ => Err(SmsConsumerError::NotAContentType(file.content_type)),
        }
    }
}

/// Two tokens with a slash between them (RFC 9110, 8.3.1). The parameters are not checked.
fn is_content_type(content_type: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim_end();
    essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// The name that a phone gives to a picture of this content type.
pub(super) fn picture_name(content_type: &str) -> String {
    let subtype = content_type.split(';').next().unwrap_or_default().trim().rsplit('/').next().unwrap_or_default();
    let extension = match subtype {
        "jpeg" => "jpg",
        subtype => subtype.split('+').next().unwrap_or_default(),
    };
    format!("IMG_0001.{extension}")
}

impl GatewayAccount {
    pub(super) fn media_url(&self, id: &str) -> String {
        format!("{}/media/{id}", self.base_url.get().map_or("", String::as_str))
    }

    fn open_media(&self, id: &str, headers: &HeaderMap) -> Result<(HeaderValue, Bytes), GatewayError> {
        if let Some(status) = self.media_faults.lock().pop_front() {
            return Err(GatewayError::new(status, "scripted", "the gateway was told to answer like this"));
        }
        self.authorize(headers)?;
        self.media
            .lock()
            .get(id)
            .ok_or_else(|| GatewayError::new(StatusCode::NOT_FOUND, "unknown_media", "there is no file with this id"))
    }
}

/// `GET /media/{id}`
pub(super) async fn download(
    State(account): State<Arc<GatewayAccount>>,
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
    use super::{CheckedFile, MmsFile, SmsConsumerError, picture_name};

    fn checked(content_type: &str) -> Result<(), SmsConsumerError> {
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
            assert_eq!(checked(content_type), Err(SmsConsumerError::NotAContentType(content_type.to_owned())));
        }
    }

    #[test]
    fn a_picture_has_the_usual_ending_of_its_type() {
        assert_eq!(picture_name("image/jpeg"), "IMG_0001.jpg");
        assert_eq!(picture_name("image/png; x=y"), "IMG_0001.png");
        assert_eq!(picture_name("image/svg+xml"), "IMG_0001.svg");
    }
}
