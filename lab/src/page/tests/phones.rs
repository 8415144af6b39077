//! Tests of the consumer's actions on each channel.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::page::upload::LARGEST_FILE;

/// Posts with the channel and the phone in the body.
async fn on_phone(lab: &PageFixture, channel: &str, phone: &str, route: &str, more: &Value) -> (u16, Value) {
    let mut body = more.clone();
    body["channel"] = channel.into();
    body["phone"] = phone.into();
    lab.post(&format!("api/phones/{route}"), body).await
}

#[tokio::test]
async fn the_consumer_taps_reads_types_and_sends_a_location() {
    let lab = PageFixture::start().await;
    let place = json!({ "latitude": 47.5, "longitude": -8.5, "name": "The shop", "address": " " });
    for (route, more, done) in [
        ("tap", json!({ "message": "m7", "choice": "b-1" }), "taps b-1 of m7"),
        ("read", json!({}), "phone reads"),
        ("typing", json!({ "typing": true }), "phone types: true"),
        ("place", place, r#"Location { latitude: 47.5, longitude: -8.5, name: Some("The shop"), address: None }"#),
    ] {
        assert_eq!(on_phone(&lab, CHAT, PHONE, route, &more).await, (204, Value::Null), "{route}");
        assert_eq!(lab.fake.done(), [done]);
        assert_eq!(on_phone(&lab, CHAT, "+1", route, &more).await.0, 404, "{route}");
        let (status, body) = on_phone(&lab, "Pigeon", PHONE, route, &more).await;
        assert_eq!((status, body), (404, json!({ "error": { "message": "there is no channel \"Pigeon\"" } })));
        let (status, body) = on_phone(&lab, PLAIN, PHONE, route, &more).await;
        assert_eq!(status, 422, "{route}");
        assert!(body["error"]["message"].as_str().unwrap().starts_with("this channel doesn't support "), "{body}");
        assert!(lab.fake.done().is_empty(), "{route}");
    }
}

#[tokio::test]
async fn a_text_goes_to_the_named_channel() {
    let lab = PageFixture::start().await;
    let text = json!({ "text": "hi" });
    assert_eq!(on_phone(&lab, PLAIN, PHONE, "send", &text).await.0, 204);
    assert_eq!(lab.fake.bubbles(), []);
    assert_eq!(on_phone(&lab, CHAT, PHONE, "send", &text).await.0, 204);
    assert_eq!(lab.fake.bubbles().len(), 1);
    assert_eq!(on_phone(&lab, CHAT, "x", "send", &text).await.0, 422);
    assert_eq!(on_phone(&lab, "chat", PHONE, "send", &text).await.0, 404);
    assert_eq!(lab.post("api/phones/send", json!({ "phone": PHONE, "text": "hi" })).await.0, 422);
    assert_eq!(lab.fake.bubbles().len(), 1);
}

#[tokio::test]
async fn a_location_must_be_on_the_map() {
    let lab = PageFixture::start().await;
    for (latitude, longitude) in [(90.1, 0.0), (-91.0, 0.0), (0.0, 180.5), (0.0, -181.0)] {
        let place = json!({ "latitude": latitude, "longitude": longitude });
        let (status, body) = on_phone(&lab, CHAT, PHONE, "place", &place).await;
        assert_eq!(status, 422);
        assert!(body["error"]["message"].as_str().unwrap().contains("latitude"), "{body}");
    }
    assert_eq!(on_phone(&lab, CHAT, PHONE, "place", &json!({ "latitude": -90, "longitude": 180 })).await.0, 204);
}

fn file(data: String) -> Value {
    json!({ "file": { "name": "C:\\fakepath\\tent.png", "content_type": "image/png", "data": data } })
}

#[tokio::test]
async fn a_file_arrives_byte_for_byte() {
    let lab = PageFixture::start().await;
    assert_eq!(on_phone(&lab, CHAT, PHONE, "file", &file(STANDARD.encode(PICTURE.1))).await, (204, Value::Null));
    assert_eq!(lab.fake.done(), ["phone sends tent.png"]);
    let sent = lab.fake.files.lock().pop().unwrap();
    assert_eq!((&sent.bytes[..], sent.content_type.as_str(), sent.caption), (PICTURE.1, "image/png", None));
    let (status, body) = on_phone(&lab, PLAIN, PHONE, "file", &file(STANDARD.encode(PICTURE.1))).await;
    assert_eq!((status, body), (422, json!({ "error": { "message": "this channel doesn't support files" } })));
    assert_eq!(on_phone(&lab, CHAT, PHONE, "file", &file("?".to_owned())).await.0, 422);
    assert!(lab.fake.files.lock().is_empty());
}

#[tokio::test]
async fn the_largest_file_is_accepted_and_a_larger_one_refused() {
    let lab = PageFixture::start().await;
    let largest = STANDARD.encode(vec![7; LARGEST_FILE]);
    assert_eq!(on_phone(&lab, CHAT, PHONE, "file", &file(largest)).await, (204, Value::Null));
    assert_eq!(lab.fake.files.lock().pop().unwrap().bytes.len(), LARGEST_FILE);
    let (status, body) = on_phone(&lab, CHAT, PHONE, "file", &file(STANDARD.encode(vec![7; LARGEST_FILE + 1]))).await;
    assert_eq!((status, body), (422, json!({ "error": { "message": "the file is larger than 6 MiB" } })));
    assert!(lab.fake.files.lock().is_empty());
}

#[tokio::test]
async fn an_unsupported_channel_action_is_refused() {
    let file = UploadedFile {
        name: "a.txt".to_owned(),
        content_type: "text/plain".to_owned(),
        bytes: Bytes::from_static(b"a"),
        caption: None,
    };
    let place = Location { latitude: 0.0, longitude: 0.0, name: None, address: None };
    for (outcome, what) in [
        (Phones::send_file(&MinimalChannel, PHONE, file).await, "files"),
        (Phones::send_place(&MinimalChannel, PHONE, place).await, "places"),
        (Phones::tap(&MinimalChannel, PHONE, "m", "c").await, "buttons"),
        (Phones::read(&MinimalChannel, PHONE).await, "read receipts"),
        (Phones::typing(&MinimalChannel, PHONE, true).await, "typing indicators"),
    ] {
        assert_eq!(outcome, Err(ActionError::Rejected(format!("this channel doesn't support {what}"))));
    }
    assert_eq!(Phones::features(&MinimalChannel), PhoneFeatures::default());
    assert_eq!(
        (Phones::brand_types_until(&MinimalChannel, PHONE).await, Phones::media(&MinimalChannel, "p").await),
        (None, None)
    );
}
