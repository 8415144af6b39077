//! The types of files by their first bytes, and paths in LivePerson's storage.

use bytes::Bytes;
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::json;
use url::Url;

use super::input::{canary, hides, number, with_inside};
use connector_liveengage::files::{FileType, RelativePath, temporary_url_answer};
use connector_message::http::HttpReply;

/// Input: the first bytes of a file. They also serve as its path and as the name of its type.
///
/// Checks that a detected type stays the same however many bytes follow, and that LivePerson and the channels have a media type for it.
/// Checks that an accepted path leads to itself, in the account's own storage.
pub fn hosted_file(data: &[u8]) {
    let told = FileType::sniff(data);
    if let Some(file_type) = &told {
        for more in [&b"PK\x03\x04"[..], data, &[0; 64]] {
            assert_eq!(FileType::sniff(&[data, more].concat()), told);
        }
        let content_type = file_type.content_type().unwrap();
        assert_eq!(FileType::from_content_type(content_type).unwrap().content_type(), Some(content_type));
    }
    let text = String::from_utf8_lossy(data).into_owned();
    let file_type = FileType::from_name(&text);
    assert_eq!(FileType::from_name(file_type.name()), file_type);
    assert!(file_type.content_type().is_some() || file_type.name() == text);

    let hidden = canary(data);
    let error = RelativePath::new(String::from_utf8_lossy(&with_inside(data, number(data), &hidden)));
    hides(&format!("{error:?}"), &hidden);
    if let Ok(path) = RelativePath::new(text.as_str()) {
        stays_at_its_host(&path);
    }
}

fn stays_at_its_host(path: &RelativePath) {
    let swift: Url = "https://storage.example:8443/".parse().unwrap();
    let body = json!({"code": 200, "body": {
        "relativePath": path.as_str(),
        "queryParams": {"temp_url_sig": "5f1e", "temp_url_expires": "1800000060"},
    }});
    let reply =
        HttpReply { status: StatusCode::OK, retry_after: None, body: Bytes::from(body.to_string().into_bytes()) };
    let answer = temporary_url_answer(&reply, &swift).unwrap();
    assert_eq!(answer.url.origin(), swift.origin());
    assert_eq!((answer.url.username(), answer.url.password(), answer.url.fragment()), ("", None, None));
    assert_eq!(answer.url.query(), Some("temp_url_sig=5f1e&temp_url_expires=1800000060"));
    let decoded = |path: &str| percent_decode_str(path).collect::<Vec<_>>();
    assert_eq!(decoded(answer.url.path()), decoded(path.as_str()), "{} of {}", answer.url, path.as_str());
    assert_eq!(&answer.relative_path, path);
}
