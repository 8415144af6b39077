//! The types of files, with LivePerson's names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The largest picture, in bytes: 3 MB (Connector API, Send API examples). Read as 3,000,000 bytes, the smaller meaning of MB.
pub const LARGEST_PICTURE: u64 = 3_000_000;

/// The largest document, in bytes: 5 MB (File Sharing pages, for agents and for the mobile SDK from 4.1). Read as 5,000,000 bytes.
pub const LARGEST_DOCUMENT: u64 = 5_000_000;

/// The type of a hosted file (`fileType`). `Debug` hides an unknown name.
///
/// Pictures are documented for connectors, documents for agents and the mobile SDK.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FileType {
    /// A picture: `JPG`.
    Jpg,
    /// The same picture format with its longer name: `JPEG`.
    Jpeg,
    /// A picture: `PNG`.
    Png,
    /// A picture, possibly animated: `GIF`.
    Gif,
    /// A document: `PDF`.
    Pdf,
    /// A text document: `DOCX`.
    Docx,
    /// A presentation: `PPTX`.
    Pptx,
    /// A spreadsheet: `XLSX`.
    Xlsx,
    /// Plain text: `TXT`.
    Txt,
    /// Any other name, unchanged.
    Other(String),
}

/// All known types, with name and media type.
const KNOWN: [(FileType, &str, &str); 9] = [
    (FileType::Jpg, "JPG", "image/jpeg"),
    (FileType::Jpeg, "JPEG", "image/jpeg"),
    (FileType::Png, "PNG", "image/png"),
    (FileType::Gif, "GIF", "image/gif"),
    (FileType::Pdf, "PDF", "application/pdf"),
    (FileType::Docx, "DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (FileType::Pptx, "PPTX", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    (FileType::Xlsx, "XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (FileType::Txt, "TXT", "text/plain"),
];

impl FileType {
    /// Reads a name in any case.
    pub fn from_name(name: &str) -> Self {
        KNOWN
            .into_iter()
            .find(|(_, known, _)| known.eq_ignore_ascii_case(name.trim()))
            .map_or_else(|| Self::Other(name.to_owned()), |(file_type, ..)| file_type)
    }

    /// The name on the wire.
    pub fn name(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => KNOWN.iter().find(|(file_type, ..)| file_type == known).map_or("", |(_, name, _)| name),
        }
    }

    /// Reads a media type such as `image/png`, with or without parameters. `None` if LivePerson has no name for it.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        KNOWN.into_iter().find(|(_, _, known)| known.eq_ignore_ascii_case(essence)).map(|(file_type, ..)| file_type)
    }

    /// The media type. `None` for [`FileType::Other`].
    pub fn content_type(&self) -> Option<&'static str> {
        KNOWN.into_iter().find(|(file_type, ..)| file_type == self).map(|(_, _, content_type)| content_type)
    }

    /// Whether it is a picture.
    pub const fn is_picture(&self) -> bool {
        matches!(self, Self::Jpg | Self::Jpeg | Self::Png | Self::Gif)
    }

    /// The largest file of this type that LivePerson accepts, in bytes.
    pub const fn largest(&self) -> u64 {
        if self.is_picture() { LARGEST_PICTURE } else { LARGEST_DOCUMENT }
    }

    /// Detects the type by the first bytes of a file. `None` if they don't identify it, as with plain text.
    ///
    /// A few hundred bytes are enough for pictures and PDF. Office documents are ZIP archives that are identified by the names of their
    /// first entries: some kilobytes may be needed.
    pub fn sniff(head: &[u8]) -> Option<Self> {
        // Written by hand: the crate `infer` accepts every ZIP archive whose first entry is in a folder `word/`, and rejects a document
        // whose third entry is not in the application's folder.
        const SIGNATURES: [(&[u8], FileType); 5] = [
            (b"\xFF\xD8\xFF", FileType::Jpeg),
            (b"\x89PNG\r\n\x1A\n", FileType::Png),
            (b"GIF87a", FileType::Gif),
            (b"GIF89a", FileType::Gif),
            (b"%PDF-", FileType::Pdf),
        ];
        SIGNATURES
            .into_iter()
            .find(|(signature, _)| head.starts_with(signature))
            .map(|(_, file_type)| file_type)
            .or_else(|| detect_office(head))
    }
}

const ZIP_ENTRY: &[u8] = b"PK\x03\x04";

/// Detects an Office Open XML document: a ZIP archive with the entries of the format and a folder of the application.
fn detect_office(head: &[u8]) -> Option<FileType> {
    if !head.starts_with(ZIP_ENTRY) {
        return None;
    }
    let names = || {
        head.windows(ZIP_ENTRY.len())
            .enumerate()
            .filter(|(_, window)| *window == ZIP_ENTRY)
            .filter_map(|(at, _)| entry_name(head, at))
    };
    if !names().any(|name| matches!(name, b"[Content_Types].xml" | b"_rels/.rels")) {
        return None;
    }
    names().find_map(|name| {
        [(&b"word/"[..], FileType::Docx), (b"ppt/", FileType::Pptx), (b"xl/", FileType::Xlsx)]
            .into_iter()
            .find(|(folder, _)| name.starts_with(folder))
            .map(|(_, file_type)| file_type)
    })
}

/// The name in a local file header of a ZIP archive: the length is at offset 26, and the name at 30 (PKWARE APPNOTE.TXT 4.3.7).
fn entry_name(archive: &[u8], at: usize) -> Option<&[u8]> {
    let length = archive.get(at + 26..at + 28)?;
    let length = usize::from(u16::from_le_bytes(length.try_into().ok()?));
    archive.get(at + 30..at + 30 + length)
}

impl From<String> for FileType {
    fn from(name: String) -> Self {
        Self::from_name(&name)
    }
}

impl From<FileType> for String {
    fn from(file_type: FileType) -> Self {
        file_type.name().to_owned()
    }
}

// Written by hand: a derived `Debug` would repeat the names of `KNOWN`.
impl fmt::Debug for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(_) => f.write_str("other"),
            known => f.write_str(known.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A ZIP archive's local file headers, each with a few bytes of content.
    fn archive(names: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for name in names {
            bytes.extend_from_slice(ZIP_ENTRY);
            bytes.extend_from_slice(&[0; 22]);
            bytes.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(&[0, 0]);
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b"some content");
        }
        bytes
    }

    #[test]
    fn names_and_media_types_are_read_back() {
        for (file_type, name, content_type) in KNOWN {
            assert_eq!(FileType::from_name(name), file_type);
            assert_eq!(FileType::from_name(&name.to_lowercase()), file_type);
            assert_eq!(file_type.name(), name);
            assert_eq!(file_type.content_type(), Some(content_type));
            let read = FileType::from_content_type(&format!("{content_type}; x=y")).unwrap();
            assert_eq!(read.content_type(), Some(content_type));
            assert_eq!(file_type.is_picture(), content_type.starts_with("image/"));
        }
        let other = FileType::from_name("IMG");
        assert_eq!((other.name(), other.content_type()), ("IMG", None));
        assert_eq!(FileType::from_content_type("audio/ogg"), None);
        assert_eq!((FileType::Gif.largest(), FileType::Pdf.largest()), (3_000_000, 5_000_000));
    }

    #[test]
    fn the_first_bytes_identify_the_type() {
        for (head, expected) in [
            (&b"\xFF\xD8\xFF\xE0\x00\x10JFIF"[..], Some(FileType::Jpeg)),
            (b"\x89PNG\r\n\x1A\n\x00\x00", Some(FileType::Png)),
            (b"GIF89a\x01", Some(FileType::Gif)),
            (b"GIF87a\x01", Some(FileType::Gif)),
            (b"%PDF-1.7\n", Some(FileType::Pdf)),
            (b"hello", None),
            (b"\xFF\xD8", None),
            (b"", None),
            (b"MZ\x90\x00", None),
        ] {
            assert_eq!(FileType::sniff(head), expected, "{head:?}");
        }
    }

    #[test]
    fn office_documents_are_detected_by_their_folders() {
        for (names, expected) in [
            (&["[Content_Types].xml", "_rels/.rels", "word/document.xml"][..], Some(FileType::Docx)),
            (&["_rels/.rels", "docProps/app.xml", "ppt/presentation.xml"], Some(FileType::Pptx)),
            (&["[Content_Types].xml", "xl/workbook.xml"], Some(FileType::Xlsx)),
            (&["word/holiday.txt"], None),
            (&["[Content_Types].xml"], None),
            (&["setup.exe"], None),
        ] {
            assert_eq!(FileType::sniff(&archive(names)), expected, "{names:?}");
        }
    }

    #[test]
    fn debug_hides_an_unknown_name() {
        assert_eq!(format!("{:?} {:?}", FileType::Other("secret".to_owned()), FileType::Png), "other PNG");
    }

    proptest! {
        #[test]
        fn no_input_causes_a_panic(tail in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..120) {
            let mut head = archive(&["[Content_Types].xml", "word/document.xml"]);
            head.truncate(cut);
            head.extend(tail);
            let _ = FileType::sniff(&head);
        }
    }
}
