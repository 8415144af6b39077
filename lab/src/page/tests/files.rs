//! Tests of the pictures and files of the transcripts.

use super::*;

/// The address for each side, up to the id.
const SIDES: [&str; 2] = ["api/phones/media?channel=Chat&id=", "api/desk/media?id="];

#[tokio::test]
async fn a_picture_is_shown_but_cannot_run_scripts() {
    let lab = PageFixture::start().await;
    for side in SIDES {
        let response = lab.get(&format!("{side}picture")).await;
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "image/png");
        assert_eq!(header("content-disposition"), "inline");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(header("cache-control"), "no-store");
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
        assert!(!policy.contains("allow-"), "{policy}");
        assert_eq!(&response.bytes().await.unwrap()[..], PICTURE.1);
        let response = lab.get(&format!("{side}picture/with%20parameters")).await;
        assert_eq!(response.headers()["content-type"], "image/jpeg");
    }
}

#[tokio::test]
async fn every_other_file_is_a_download_regardless_of_its_type() {
    let lab = PageFixture::start().await;
    for side in SIDES {
        for id in ["drawing", "page", "odd"] {
            let response = lab.get(&format!("{side}{id}")).await;
            assert_eq!(response.status(), 200, "{id}");
            assert_eq!(response.headers()["content-type"], "application/octet-stream", "{id}");
            assert_eq!(response.headers()["content-disposition"], "attachment", "{id}");
            assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{id}");
            assert!(!response.headers().contains_key("set-cookie"), "{id}");
        }
    }
}

#[tokio::test]
async fn missing_media_is_not_found() {
    let lab = PageFixture::start().await;
    for path in [
        "api/phones/media?channel=Chat&id=nothing",
        "api/phones/media?channel=Plain&id=picture",
        "api/phones/media?channel=Pigeon&id=picture",
        "api/desk/media?id=nothing",
    ] {
        assert_eq!(lab.get(path).await.status(), 404, "{path}");
    }
    for path in ["api/phones/media?id=picture", "api/desk/media", "api/desk/media?id=picture&as=html"] {
        assert_eq!(lab.get(path).await.status(), 400, "{path}");
    }
}
