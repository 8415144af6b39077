//! Actions on a phone or at the desk, by the page or by a test, and their errors.

use bytes::Bytes;

/// Why an action failed, for the user of the page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// The phone or conversation doesn't exist (404).
    #[error("{0}")]
    NotFound(String),
    /// The input or the state doesn't allow the action (422).
    #[error("{0}")]
    Rejected(String),
    /// The simulator behind the page failed (502).
    #[error("{0}")]
    Failed(String),
}

impl ActionError {
    /// The error of a channel or desk that doesn't support an action.
    pub(crate) fn unsupported(owner: &str, what: &str) -> Self {
        Self::Rejected(format!("{owner} doesn't support {what}"))
    }
}

/// A file to send.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
pub struct UploadedFile {
    /// Its name without a folder.
    pub name: String,
    /// Its content type as the browser knows it; `application/octet-stream` if unknown.
    pub content_type: String,
    /// Its content.
    #[debug("{} bytes", bytes.len())]
    pub bytes: Bytes,
    /// A caption.
    #[debug(skip)]
    pub caption: Option<String>,
}

impl UploadedFile {
    /// A file with this name, content type and content.
    pub fn new(name: &str, content_type: &str, bytes: impl Into<Bytes>, caption: Option<&str>) -> Self {
        Self {
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            bytes: bytes.into(),
            caption: caption.map(str::to_owned),
        }
    }
}

/// The file of a picture or document in a transcript.
#[derive(Clone, PartialEq, Eq, derive_more::Debug)]
pub struct Media {
    /// Its content type, as its sender declared it.
    pub content_type: String,
    /// Its content.
    #[debug("{} bytes", bytes.len())]
    pub bytes: Bytes,
}
