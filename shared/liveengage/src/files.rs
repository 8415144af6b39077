//! Files. LivePerson's storage (service `swift`) holds them, and a message refers to them by a path (Connector API, Send API examples).
//!
//! To send a file, request an upload URL, upload the bytes, and publish the [`HostedFile`]. To receive a file, request a download URL and
//! download the bytes. Such a URL expires after about one minute.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

use connector_message::{MessageText, id::InvalidId};

mod file_type;
mod transfer;

pub use file_type::{FileType, LARGEST_DOCUMENT, LARGEST_PICTURE};
pub use transfer::{
    TemporaryUrl, download_call, download_url_request, downloaded, temporary_url_answer, upload_call,
    upload_url_request, uploaded,
};
pub(crate) use transfer::{download_url_body, temporary_url, upload_url_body};

/// A file in LivePerson's storage, as a message refers to it. `Debug` hides the path and the caption.
///
/// The documented member `preview`, a picture of up to 30 KB in the JSON, is never sent, because a request has at most 5000 characters. It
/// is ignored in what arrives, because the file itself can be downloaded.
#[skip_serializing_none]
#[derive(derive_more::Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[debug("HostedFile({file_type:?}, hidden)")]
#[serde(rename_all = "camelCase")]
pub struct HostedFile {
    /// The path in the storage.
    pub relative_path: RelativePath,
    /// The type.
    pub file_type: FileType,
    /// The text below the file.
    pub caption: Option<MessageText>,
}

impl HostedFile {
    /// Reads the `message` of a ContentEvent of `hosted/file`. `None` without a usable path. Without a `fileType`, the type is read from
    /// the path's extension.
    pub(super) fn read(message: &Value) -> Option<Self> {
        let text = |key: &str| message.get(key).and_then(Value::as_str);
        let relative_path = RelativePath::new(text("relativePath")?).ok()?;
        let file_type = match text("fileType").filter(|name| !name.trim().is_empty()) {
            Some(name) => FileType::from_name(name),
            None => FileType::from_name(relative_path.extension().unwrap_or_default()),
        };
        let caption = text("caption").filter(|caption| !caption.trim().is_empty()).map(MessageText::new);
        Some(Self { relative_path, file_type, caption })
    }
}

/// The most characters of a path. Documented paths have about 200.
const LONGEST_PATH: usize = 1024;

const PATH_RULE: &str = "1 to 1024 characters that begin with one '/', without '..', a part '.', '?', '#', '\\', spaces and control characters";

/// A path in LivePerson's storage. `Debug` hides it.
#[derive(derive_more::Debug, derive_more::Into, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[debug("RelativePath(hidden)")]
#[serde(try_from = "String", into = "String")]
pub struct RelativePath(String);

impl RelativePath {
    /// Checks a path. It becomes part of a URL, and must not lead to another host or path.
    ///
    /// # Errors
    /// [`InvalidId`] with the rule.
    pub fn new(path: impl Into<String>) -> Result<Self, InvalidId> {
        let path = path.into();
        let is_valid = path.starts_with('/')
            && !path.starts_with("//")
            && path.chars().count() <= LONGEST_PATH
            && !path.contains("..")
            // URLs remove a segment `.`, and the URL's signature would then be for another path.
            && !path.split('/').any(|part| part == ".")
            // Encoded dots count as dots in URLs.
            && !path.to_ascii_lowercase().contains("%2e")
            && !path.contains(|c: char| matches!(c, '?' | '#' | '\\') || c.is_whitespace() || c.is_control());
        if is_valid { Ok(Self(path)) } else { Err(InvalidId { kind: "relative path", rule: PATH_RULE }) }
    }

    /// The path. Only for the wire format.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn extension(&self) -> Option<&str> {
        let name = self.0.rsplit('/').next()?;
        name.rsplit_once('.').map(|(_, extension)| extension)
    }
}

impl TryFrom<String> for RelativePath {
    type Error = InvalidId;

    fn try_from(path: String) -> Result<Self, InvalidId> {
        Self::new(path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use url::Url;

    use super::*;

    const PATH: &str = "/v1/AUTH_async-images/72419083/9c41aa_uuid_0d7e_03-02-2026_10-11-12-013.PDF";

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        assert!(RelativePath::new(PATH).is_ok());
        let long = format!("/{}", "x".repeat(1024));
        for bad in [
            "",
            "v1/x",
            "//evil.example/x",
            "/a/../b",
            "/./a",
            "/a/.",
            "/a/%2E%2e/b",
            "/a?x=1",
            "/a#b",
            "/\\evil",
            "/a b",
            "/a\n",
            &long,
        ] {
            assert!(RelativePath::new(bad).is_err(), "{bad}");
            assert!(serde_json::from_value::<RelativePath>(json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_is_written_without_a_preview_and_read_with_one() {
        let file = HostedFile {
            relative_path: RelativePath::new(PATH).unwrap(),
            file_type: FileType::Pdf,
            caption: Some(MessageText::new("the bill")),
        };
        let wire = json!({"relativePath": PATH, "fileType": "PDF", "caption": "the bill"});
        assert_eq!(serde_json::to_value(&file).unwrap(), wire);
        let mut sent = wire;
        sent["preview"] = json!("data:image/png;base64,AAAA");
        assert_eq!(HostedFile::read(&sent), Some(file));
    }

    #[test]
    fn an_empty_caption_is_none_and_a_missing_type_is_read_from_the_path() {
        for message in [
            json!({"relativePath": PATH, "fileType": "", "caption": " "}),
            json!({"relativePath": PATH, "caption": null}),
        ] {
            let file = HostedFile::read(&message).unwrap();
            assert_eq!((file.caption, file.file_type), (None, FileType::Pdf));
        }
        let unknown = HostedFile::read(&json!({"relativePath": "/v1/x", "fileType": "HOLO"})).unwrap();
        assert_eq!(unknown.file_type.name(), "HOLO");
        let nothing = HostedFile::read(&json!({"relativePath": "/v1/x"})).unwrap();
        assert_eq!(nothing.file_type.name(), "");
    }

    #[test]
    fn without_a_usable_path_there_is_no_file() {
        for message in [json!({"fileType": "PNG"}), json!({"relativePath": "//evil.example/x"}), json!("text")] {
            assert_eq!(HostedFile::read(&message), None, "{message}");
        }
    }

    #[test]
    fn debug_shows_neither_path_nor_caption() {
        let file = HostedFile::read(&json!({"relativePath": PATH, "caption": "secret words"})).unwrap();
        let shown = format!("{file:?} {:?}", file.relative_path);
        assert!(!shown.contains("secret") && !shown.contains("72419083"), "{shown}");
    }

    proptest! {
        #[test]
        fn a_path_never_leaves_the_host_or_itself(path in "[/.%2eEa\\\\?#@:é ]{0,12}") {
            if let Ok(path) = RelativePath::new(format!("/{path}")) {
                let mut url: Url = "https://swift.example".parse().unwrap();
                url.set_path(path.as_str());
                prop_assert_eq!(url.host_str(), Some("swift.example"));
                prop_assert_eq!((url.query(), url.fragment()), (None, None));
                prop_assert_eq!(url.path().matches('/').count(), path.as_str().matches('/').count());
            }
        }
    }
}
