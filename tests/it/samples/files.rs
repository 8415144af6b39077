//! Files: the upload's URL, the upload, the message, and the download.

use connector_lab::liveengage::NewFile;
use http::Method;
use serde_json::{Value, json};

use super::{Consumer, Sample, publish};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nthe rest of a sample's picture";

/// Asks for a URL, checks the form of the answer, and returns the path and the URL's path with its query.
async fn signed(consumer: &Consumer<'_>, request: &Value) -> (String, String) {
    let answer = consumer.send(request).await.of_status(200);
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    let (path, signature) = (text("/body/relativePath"), text("/body/queryParams/temp_url_sig"));
    let expires = text("/body/queryParams/temp_url_expires");
    let documented = json!({
        "code": "OK", "reqId": "3",
        "body": {"relativePath": path, "queryParams": {"temp_url_sig": signature, "temp_url_expires": expires}},
    });
    assert_eq!(answer, documented);
    assert!(path.starts_with("/v1/AUTH_async-images/"), "{path}");
    let url = format!("{path}?temp_url_sig={signature}&temp_url_expires={expires}");
    (path, url)
}

fn upload(size: &Value, file_type: &str) -> Value {
    let body = json!({"fileSize": size, "fileType": file_type});
    json!({"kind": "req", "id": 3, "body": body, "type": "ms.GenerateURLForUploadFile"})
}

#[tokio::test]
async fn a_picture_is_asked_for_as_png_and_published_as_jpeg_with_a_preview_of_30_kb() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let conversation = consumer.open().await;
    // The connector's page has the size as a text, the page of web messaging as a number.
    for size in [json!(PNG.len().to_string()), json!(PNG.len())] {
        let (path, url) = signed(&consumer, &upload(&size, "PNG")).await;
        assert_eq!(sample.call(Method::PUT, &url, &[], PNG).await.status, 201);
        let preview = format!("data:image/png;base64,{}", "iVBORw0K".repeat(30 * 1024 / 6));
        let message = json!({"caption": "Our logo", "relativePath": path, "fileType": "JPEG", "preview": preview});
        let event = json!({"type": "ContentEvent", "message": message, "contentType": "hosted/file"});
        let answer = consumer.send(&publish(&conversation, &event)).await.of_status(200);
        assert!(answer["body"]["sequence"].is_u64(), "{answer}");
        assert_eq!(sample.simulator.stored_file(&path).unwrap().bytes, PNG);
    }
}

#[tokio::test]
async fn each_documented_type_gets_a_url_and_others_are_refused() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    consumer.open().await;
    for file_type in ["JPG", "JPEG", "PNG", "GIF"] {
        signed(&consumer, &upload(&json!("1000"), file_type)).await;
    }
    let refused = json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}, "reqId": "3"});
    for (size, file_type) in [("1000", "EXE"), ("0", "PNG"), ("3000001", "PNG"), ("many", "PNG")] {
        let answer = consumer.send(&upload(&json!(size), file_type)).await.of_status(400);
        assert_eq!(answer, refused, "{size} {file_type}");
    }
}

#[tokio::test]
async fn a_file_that_was_not_uploaded_is_not_published_and_a_changed_url_is_refused() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let conversation = consumer.open().await;
    let (path, url) = signed(&consumer, &upload(&json!(PNG.len()), "PNG")).await;
    assert_eq!(
        sample.call(Method::PUT, &url.replace("temp_url_expires=", "temp_url_expires=9"), &[], PNG).await.status,
        401
    );
    let message = json!({"relativePath": path, "fileType": "PNG"});
    let event = json!({"type": "ContentEvent", "message": message, "contentType": "hosted/file"});
    assert_eq!(consumer.send(&publish(&conversation, &event)).await.status, 400);
}

#[tokio::test]
async fn an_agents_file_is_downloaded_even_after_the_conversation_is_closed() {
    let sample = Sample::start().await;
    let consumer = sample.consumer("ines").await;
    let conversation = consumer.open().await;
    sample.simulator.say_file(&conversation, NewFile::new("PNG", PNG)).unwrap();
    sample.simulator.close(&conversation).unwrap();
    let file = sample.simulator.conversation(&conversation).unwrap().transcript[0].file.clone().unwrap();
    let request = json!({
        "kind": "req", "id": "3", "body": {"relativePath": file.relative_path}, "type": "ms.GenerateURLForDownloadFile",
    });
    let (path, url) = signed(&consumer, &request).await;
    assert_eq!(path, file.relative_path);
    let download = sample.http.get(format!("{}{url}", sample.simulator.base_url())).send().await.unwrap();
    assert_eq!(download.bytes().await.unwrap(), PNG);
}
