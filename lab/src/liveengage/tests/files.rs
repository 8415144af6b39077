//! Tests of files: URLs, storage, and file messages.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{ACCOUNT, BAD, CLOSED, Consumer, Receiver, options, refusal, request, simulator};
use crate::journal::Journal;
use crate::liveengage::options::LiveEngageOptions;
use crate::liveengage::simulator::LiveEngageSimulator;
use crate::liveengage::{AcceptStatus, DeskError, NewFile, Service};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot much of a picture";

fn wanted(kind: &str, body: Value) -> Value {
    json!({ "kind": "req", "id": "file", "type": kind, "body": body })
}

async fn upload_url(consumer: &Consumer<'_>, length: Value, file_type: &str) -> (u16, Value) {
    let body = json!({ "fileSize": length, "fileType": file_type });
    consumer.send(&wanted("ms.GenerateURLForUploadFile", body)).await
}

async fn download_url(consumer: &Consumer<'_>, relative_path: &str) -> (u16, Value) {
    consumer.send(&wanted("ms.GenerateURLForDownloadFile", json!({ "relativePath": relative_path }))).await
}

fn path_of(answer: &Value) -> String {
    answer["body"]["relativePath"].as_str().unwrap().to_owned()
}

/// The URL in an answer.
fn url(simulator: &LiveEngageSimulator, answer: &Value) -> String {
    let query = |name: &str| answer["body"]["queryParams"][name].as_str().unwrap().to_owned();
    let (signature, expires) = (query("temp_url_sig"), query("temp_url_expires"));
    format!("{}{}?temp_url_sig={signature}&temp_url_expires={expires}", simulator.base_url(), path_of(answer))
}

async fn put(simulator: &LiveEngageSimulator, answer: &Value, bytes: &'static [u8]) -> u16 {
    request(Method::PUT, &url(simulator, answer), &[("content-type", "image/png")], bytes).await.0
}

/// Uploads a picture and returns its path.
async fn uploaded(simulator: &LiveEngageSimulator, consumer: &Consumer<'_>, bytes: &'static [u8]) -> String {
    let (status, answer) = upload_url(consumer, json!(bytes.len()), "PNG").await;
    assert_eq!((status, put(simulator, &answer, bytes).await), (200, 201));
    path_of(&answer)
}

fn file_event(relative_path: &str, file_type: &str) -> Value {
    let message = json!({ "caption": "Our garden", "relativePath": relative_path, "fileType": file_type });
    json!({ "type": "ContentEvent", "contentType": "hosted/file", "message": message })
}

#[tokio::test]
async fn a_consumers_picture_is_uploaded_and_published() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    let (status, answer) = upload_url(&consumer, json!(PNG.len().to_string()), "PNG").await;
    assert_eq!((status, &answer["code"], &answer["reqId"]), (200, &json!("OK"), &json!("file")));
    let path = path_of(&answer);
    assert!(path.starts_with(&format!("/v1/AUTH_async-images/{ACCOUNT}/")) && path.ends_with(".PNG"), "{path}");
    assert_eq!(answer["body"]["queryParams"]["temp_url_sig"].as_str().unwrap().len(), 40);
    assert_eq!(refusal(&consumer.publish(&conversation, &file_event(&path, "PNG")).await), BAD, "not uploaded yet");
    assert_eq!(simulator.stored_file(&path), None);

    assert_eq!(put(&simulator, &answer, PNG).await, 201);
    let stored = simulator.stored_file(&path).unwrap();
    assert_eq!((stored.content_type.as_str(), stored.file_type.as_str(), &stored.bytes[..]), ("image/png", "PNG", PNG));
    assert_eq!(consumer.publish(&conversation, &file_event(&path, "PNG")).await.1["body"]["sequence"], 0);
    simulator.webhooks_settled().await;
    assert_eq!(receiver.received()[0].change()["event"], file_event(&path, "PNG"));
    let line = simulator.conversation(&conversation).unwrap().transcript.remove(0);
    let file = line.file.unwrap();
    assert_eq!((file.relative_path, file.file_type.as_str(), line.text.as_str()), (path, "PNG", "Our garden"));
    let calls = simulator.calls();
    assert_eq!((calls.of(Service::FileUpload), calls.of(Service::FileDownload)), (1, 0));
}

#[tokio::test]
async fn an_agents_file_is_fetched_from_the_storage() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    let file = NewFile::new("PDF", &b"%PDF-1.7 terms"[..]).captioned("The terms");
    assert_eq!(simulator.say_file(&conversation, file), Ok(0));
    assert_eq!(simulator.say_file(&conversation, NewFile::new("PNG", PNG)), Ok(1));
    simulator.webhooks_settled().await;
    let events: Vec<Value> = receiver.received()[1..].iter().map(|call| call.change()["event"].clone()).collect();
    assert_eq!((&events[0]["contentType"], &events[0]["message"]["fileType"]), (&json!("hosted/file"), &json!("PDF")));
    assert!(events[0]["message"].get("preview").is_none() && events[1]["message"]["preview"].is_string());
    let path = events[0]["message"]["relativePath"].as_str().unwrap().to_owned();

    // A download requires no open conversation.
    simulator.close(&conversation).unwrap();
    let (status, answer) = download_url(&consumer, &path).await;
    assert_eq!((status, path_of(&answer)), (200, path.clone()));
    let fetched = request(Method::GET, &url(&simulator, &answer), &[], "").await;
    assert_eq!(fetched, (200, json!("%PDF-1.7 terms")));
    let line = simulator.conversation(&conversation).unwrap().transcript.remove(1);
    assert_eq!((line.text.as_str(), line.file.unwrap().caption), ("(PNG file)", None));
    assert_eq!(simulator.stored_file(&path).unwrap().content_type, "application/pdf");
}

#[tokio::test]
async fn a_consumer_cannot_fetch_the_files_of_another() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let path = uploaded(&simulator, &consumer, PNG).await;
    assert_eq!(download_url(&consumer, &path).await.0, 200);
    let stranger = Consumer::new(&simulator, "phone-8").await;
    let other = stranger.open().await;
    assert_eq!(refusal(&download_url(&stranger, &path).await), BAD);
    assert_eq!(refusal(&stranger.publish(&other, &file_event(&path, "PNG")).await), BAD);
    assert_eq!(refusal(&download_url(&consumer, "/v1/AUTH_async-images/1/nothing.PNG").await), BAD);
    let (_, reserved) = upload_url(&consumer, json!(5), "PNG").await;
    assert_eq!(refusal(&download_url(&consumer, &path_of(&reserved)).await), BAD, "nothing lies there yet");
    assert_eq!(consumer.publish(&conversation, &file_event(&path, "PNG")).await.0, 200);
}

#[tokio::test]
async fn types_and_lengths_have_their_limits() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    assert_eq!(refusal(&upload_url(&consumer, json!(10), "PNG").await), CLOSED, "there is nothing to put it in");
    consumer.open().await;
    let status = async |length: Value, file_type: &str| upload_url(&consumer, length, file_type).await.0;
    for file_type in ["JPG", "JPEG", "PNG", "GIF"] {
        assert_eq!(status(json!(3_000_000), file_type).await, 200, "{file_type}");
    }
    for (length, file_type) in [
        (json!(3_000_001), "PNG"),
        (json!(0), "PNG"),
        (json!(-5), "PNG"),
        (json!("many"), "PNG"),
        (json!(null), "PNG"),
        (json!(10), "png"),
        (json!(10), "PDF"),
        (json!(10), "WEBP"),
    ] {
        assert_eq!(refusal(&upload_url(&consumer, length.clone(), file_type).await), BAD, "{length} {file_type}");
    }
    simulator.set_file_sharing(ACCOUNT, true);
    for file_type in ["PNG", "PDF", "DOCX", "PPTX", "XLSX", "TXT"] {
        assert_eq!(status(json!("5000000"), file_type).await, 200, "{file_type}");
        assert_eq!(status(json!("5000001"), file_type).await, 400, "{file_type}");
    }
    assert_eq!(status(json!(10), "WEBP").await, 400);
}

#[tokio::test]
async fn an_upload_must_have_its_declared_length() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let (_, answer) = upload_url(&consumer, json!(6), "PNG").await;
    assert_eq!(put(&simulator, &answer, b"").await, 400);
    assert_eq!(put(&simulator, &answer, b"1234567").await, 413);
    assert_eq!(put(&simulator, &answer, b"12345").await, 201);
    let event = file_event(&path_of(&answer), "PNG");
    assert_eq!(refusal(&consumer.publish(&conversation, &event).await), BAD, "a byte is missing");
    assert_eq!(put(&simulator, &answer, b"123456").await, 201);
    assert_eq!(consumer.publish(&conversation, &event).await.0, 200);

    // The largest document, which is larger than axum's default limit.
    static LONG: [u8; 5_000_000] = [7; 5_000_000];
    simulator.set_file_sharing(ACCOUNT, true);
    let (_, answer) = upload_url(&consumer, json!(LONG.len()), "TXT").await;
    assert_eq!(put(&simulator, &answer, &LONG).await, 201);
    assert_eq!(simulator.stored_file(&path_of(&answer)).unwrap().bytes.len(), LONG.len());
}

#[tokio::test]
async fn a_file_message_is_what_was_uploaded() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let path = uploaded(&simulator, &consumer, PNG).await;
    assert_eq!(refusal(&consumer.publish(&conversation, &file_event(&path, "PDF")).await), BAD, "another type");
    assert_eq!(consumer.publish(&conversation, &file_event(&path, "JPEG")).await.0, 200, "as LivePerson's own sample");
    let mut with_preview = file_event(&path, "PNG");
    with_preview["message"]["preview"] = json!("https://shop.example/preview.png");
    assert_eq!(refusal(&consumer.publish(&conversation, &with_preview).await), BAD, "no data URI");
    with_preview["message"]["preview"] = json!("data:image/png;base64,AAAA");
    assert_eq!(consumer.publish(&conversation, &with_preview).await.0, 200);
    let preview = |bytes: usize| json!(format!("data:image/png;base64,{}", "A".repeat(bytes / 3 * 4)));
    with_preview["message"]["preview"] = preview(30 * 1024);
    assert_eq!(
        consumer.publish(&conversation, &with_preview).await.0,
        200,
        "it is not counted with the 5000 characters"
    );
    with_preview["message"]["preview"] = preview(30 * 1024 + 3);
    assert_eq!(refusal(&consumer.publish(&conversation, &with_preview).await), BAD);
    with_preview["message"]["preview"] = preview(30 * 1024);
    with_preview["message"]["caption"] = "c".repeat(5000).into();
    assert_eq!(consumer.publish(&conversation, &with_preview).await.0, 400, "the rest of it is");
    let mut without_path = file_event(&path, "PNG");
    without_path["message"].as_object_mut().unwrap().remove("relativePath");
    assert_eq!(refusal(&consumer.publish(&conversation, &without_path).await), BAD);

    // A PDF that is declared as a PNG, as by a careless connector.
    let pdf = uploaded(&simulator, &consumer, b"%PDF-1.7 no picture").await;
    assert_eq!(refusal(&consumer.publish(&conversation, &file_event(&pdf, "PNG")).await), BAD);
    let (_, answer) = upload_url(&consumer, json!(5), "JPG").await;
    assert_eq!(put(&simulator, &answer, b"\xff\xd8\xff\xe0.").await, 201);
    let event = file_event(&path_of(&answer), "JPEG");
    assert_eq!(consumer.publish(&conversation, &event).await.0, 200, "JPG and JPEG are one");
}

#[tokio::test]
async fn a_url_opens_one_path_for_one_purpose_and_a_minute() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    consumer.open().await;
    let path = uploaded(&simulator, &consumer, PNG).await;
    let (_, download) = download_url(&consumer, &path).await;
    let good = url(&simulator, &download);
    assert_eq!(request(Method::GET, &good, &[], "").await.0, 200);
    assert_eq!(request(Method::PUT, &good, &[], "another").await.0, 401, "it was signed for fetching");
    let (_, other) = upload_url(&consumer, json!(5), "PNG").await;
    let elsewhere = good.replace(&path, &path_of(&other));
    let expires = download["body"]["queryParams"]["temp_url_expires"].as_str().unwrap();
    let later = good.replace(expires, &(expires.parse::<i64>().unwrap() + 60).to_string());
    let unsigned = good.split('?').next().unwrap().to_owned();
    for wrong in [elsewhere, later, unsigned] {
        assert_eq!(request(Method::GET, &wrong, &[], "").await, (401, Value::Null), "{wrong}");
    }

    let short_lived = LiveEngageOptions { file_url_lifetime: Duration::ZERO, ..options() };
    let simulator = LiveEngageSimulator::start(short_lived).await.unwrap();
    let consumer = Consumer::new(&simulator, "phone-7").await;
    consumer.open().await;
    let (_, answer) = upload_url(&consumer, json!(5), "PNG").await;
    assert_eq!(put(&simulator, &answer, b"12345").await, 401);
    assert_eq!(simulator.stored_file(&path_of(&answer)), None);
}

#[tokio::test]
async fn a_token_sent_to_the_storage_is_reported() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    consumer.open().await;
    let (_, answer) = upload_url(&consumer, json!(PNG.len()), "PNG").await;
    for header in ["authorization", "x-lp-on-behalf"] {
        let leaking = [(header, consumer.app_token.as_str())];
        assert_eq!(request(Method::PUT, &url(&simulator, &answer), &leaking, PNG).await, (400, Value::Null));
    }
    assert_eq!(simulator.stored_file(&path_of(&answer)), None);
}

#[tokio::test]
async fn the_journal_shows_where_a_file_went_and_no_signature() {
    let journal = Journal::default();
    let simulator =
        LiveEngageSimulator::start(LiveEngageOptions { journal: journal.clone(), ..options() }).await.unwrap();
    let consumer = Consumer::new(&simulator, "phone-7").await;
    consumer.open().await;
    let (_, answer) = upload_url(&consumer, json!(PNG.len()), "PNG").await;
    put(&simulator, &answer, PNG).await;
    simulator.fail_next(Service::FileUpload, http::StatusCode::BAD_GATEWAY, "");
    assert_eq!(put(&simulator, &answer, PNG).await, 502);
    let whats: Vec<String> = journal.entries().unwrap().into_iter().map(|entry| entry.what.clone()).collect();
    assert_eq!(
        whats[whats.len() - 3..],
        ["SEND ms.GenerateURLForUploadFile -> 200", "PUT file -> 201", "PUT file -> 502 (scripted)"]
    );
    let written = serde_json::to_string(&journal.entries().unwrap()).unwrap();
    assert!(written.contains(&path_of(&answer)));
    assert!(!written.contains(answer["body"]["queryParams"]["temp_url_sig"].as_str().unwrap()));
}

#[tokio::test]
async fn unsupported_desk_files_are_refused() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    for file in [NewFile::new("PNG", Bytes::new()), NewFile::new("", PNG), NewFile::new("../PNG", PNG)] {
        assert!(matches!(simulator.say_file(&conversation, file), Err(DeskError::BadFile(_))));
    }
    assert!(!simulator.conversation(&conversation).unwrap().agent_joined);
    simulator.say_file(&conversation, NewFile::new("WEBP", PNG)).unwrap();
    simulator.close(&conversation).unwrap();
    let file = NewFile::new("PNG", PNG);
    assert_eq!(simulator.say_file(&conversation, file), Err(DeskError::Closed(conversation)));
}

#[tokio::test]
async fn an_opened_file_is_a_receipt_like_others() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.say_file(&conversation, NewFile::new("PNG", PNG)).unwrap();
    let receipt = json!({ "type": "AcceptStatusEvent", "status": "ACCESS", "sequenceList": [0] });
    assert_eq!(consumer.publish(&conversation, &receipt).await.0, 200);
    assert_eq!(simulator.conversation(&conversation).unwrap().transcript[0].statuses, [AcceptStatus::Access]);
}
