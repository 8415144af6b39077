//! File uploads from the browser: JSON with the bytes in Base64, so that the guard and the errors are the same as for
//! all requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::action::{ActionError, UploadedFile};

/// The largest file in bytes.
pub(super) const LARGEST_FILE: usize = 6 * 1024 * 1024;
/// The largest request with a file: Base64 encodes three bytes as four, and the other members need space.
pub(super) const LARGEST_UPLOAD: usize = LARGEST_FILE.div_ceil(3) * 4 + 64 * 1024;
/// The longest file name in characters. File systems allow 255 bytes.
const MAX_NAME_CHARACTERS: usize = 255;

/// A file in a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileUpload {
    name: String,
    /// Browsers send an empty type if it is unknown.
    content_type: String,
    /// The bytes in Base64, standard alphabet with padding.
    data: String,
    caption: Option<String>,
}

impl FileUpload {
    /// Decodes the file.
    ///
    /// # Errors
    /// [`ActionError::Rejected`] when it is not Base64, too large or empty, or has no usable name.
    pub(super) fn into_file(self) -> Result<UploadedFile, ActionError> {
        let rejected = |why: &str| Err(ActionError::Rejected(why.to_owned()));
        if self.data.len() > LARGEST_FILE.div_ceil(3) * 4 {
            return rejected(TOO_LARGE);
        }
        let Ok(bytes) = STANDARD.decode(&self.data) else { return rejected("the file's data is not Base64") };
        match bytes.len() {
            0 => return rejected("the file is empty"),
            1..=LARGEST_FILE => {}
            _ => return rejected(TOO_LARGE),
        }
        // Browsers send the bare name. A path could only lead out of a folder.
        let name = self.name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARACTERS || name.chars().any(char::is_control) {
            return rejected("the file needs a name of at most 255 characters");
        }
        let content_type = match self.content_type.trim() {
            "" => "application/octet-stream",
            content_type => content_type,
        };
        Ok(UploadedFile {
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            bytes: bytes.into(),
            caption: self.caption.filter(|caption| !caption.trim().is_empty()),
        })
    }
}

const TOO_LARGE: &str = "the file is larger than 6 MiB";

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(name: &str, content_type: &str, bytes: &[u8], caption: Option<&str>) -> FileUpload {
        FileUpload {
            name: name.to_owned(),
            content_type: content_type.to_owned(),
            data: STANDARD.encode(bytes),
            caption: caption.map(str::to_owned),
        }
    }

    #[test]
    fn an_uploaded_file_keeps_its_bytes_but_not_its_folder() {
        let file = upload("C:\\fakepath\\map.png", "image/png", b"\x89PNG", Some("here")).into_file().unwrap();
        assert_eq!((file.name.as_str(), file.content_type.as_str()), ("map.png", "image/png"));
        assert_eq!((&file.bytes[..], file.caption.as_deref()), (&b"\x89PNG"[..], Some("here")));
        let plain = upload("../notes", "", b"x", Some("  ")).into_file().unwrap();
        assert_eq!((plain.name.as_str(), plain.content_type.as_str()), ("notes", "application/octet-stream"));
        assert_eq!(plain.caption, None);
    }

    #[test]
    fn an_invalid_upload_is_explained() {
        let why = |upload: FileUpload| upload.into_file().unwrap_err().to_string();
        assert!(why(upload("a.txt", "text/plain", b"", None)).contains("empty"));
        for name in ["", "  ", "folder/", "a\nb", &"x".repeat(256)] {
            assert!(why(upload(name, "text/plain", b"x", None)).contains("name"), "{name:?}");
        }
        let broken = FileUpload { data: "no base64!".to_owned(), ..upload("a", "", b"x", None) };
        assert!(why(broken).contains("Base64"));
    }

    #[test]
    fn the_largest_file_passes_and_one_byte_more_does_not() {
        let size = |bytes: usize| upload("a", "", &vec![7; bytes], None).into_file().map(|file| file.bytes.len());
        assert_eq!(size(LARGEST_FILE), Ok(LARGEST_FILE));
        assert!(size(LARGEST_FILE + 1).unwrap_err().to_string().contains("6 MiB"));
        assert!(size(LARGEST_FILE + 3).unwrap_err().to_string().contains("6 MiB"));
    }
}
