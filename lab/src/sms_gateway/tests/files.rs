//! Tests of the consumers' pictures and other files.

use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0picture";

fn file(content_type: &str, name: Option<&str>) -> MmsFile {
    MmsFile { bytes: PNG.into(), content_type: content_type.to_owned(), name: name.map(str::to_owned) }
}

async fn fetch(url: &str, token: &str) -> (u16, HeaderMap, Bytes) {
    let response = webhook_post::client(webhook::TIMEOUT).unwrap().get(url).bearer_auth(token).send().await.unwrap();
    (response.status().as_u16(), response.headers().clone(), response.bytes().await.unwrap())
}

#[tokio::test]
async fn a_picture_is_announced_by_its_address_and_fetched_with_the_token() {
    let connector = SmsConnector::start(&[]).await;
    let gateway = gateway_with(&connector).await;
    let id = gateway.consumer_sends_picture(PHONE, PNG, "image/jpeg", Some("look 👀")).unwrap();
    let messages = settled(&gateway, PHONE).await;
    assert_eq!((messages[0].state.clone(), messages[0].text()), (MessageState::Accepted, "look 👀"));
    assert_eq!(gateway.media(&messages[0].files()[0].id).unwrap(), PNG);

    let body = &connector.bodies()[0];
    assert_eq!((&body["type"], &body["id"], &body["from"]), (&json!("message"), &json!(id), &json!(PHONE)));
    assert_eq!((&body["to"], &body["text"]), (&json!("+4930901820"), &json!("look 👀")));
    let url = format!("{}/media/{}", gateway.url(), messages[0].files()[0].id);
    assert_eq!(body["media"], json!([{ "url": url, "content_type": "image/jpeg", "name": "IMG_0001.jpg" }]));

    let (status, headers, bytes) = fetch(&url, TOKEN).await;
    assert_eq!((status, &headers["content-type"], &bytes[..]), (200, &"image/jpeg".parse().unwrap(), PNG));
}

#[tokio::test]
async fn several_files_are_sent_in_one_message_without_a_text() {
    let connector = SmsConnector::start(&[503]).await;
    let gateway = gateway_with(&connector).await;
    let files = vec![file("image/png", Some("a.png")), file("text/vcard; charset=utf-8", None)];
    let id = gateway.consumer_sends_files(PHONE, files, None).unwrap();
    settled(&gateway, PHONE).await;
    gateway.repeat(&id, 1).await.unwrap();
    let bodies = connector.bodies();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| *body == bodies[0]), "a retry and a repetition have the same files");
    assert!(bodies[0].get("text").is_none());
    let media = bodies[0]["media"].as_array().unwrap();
    assert_eq!((media.len(), &media[0]["name"], media[1].get("name")), (2, &json!("a.png"), None));
    assert_ne!(media[0]["url"], media[1]["url"]);
    let (_, headers, _) = fetch(media[1]["url"].as_str().unwrap(), TOKEN).await;
    assert_eq!(headers["content-type"], "text/vcard; charset=utf-8");
}

#[tokio::test]
async fn a_file_is_served_with_a_valid_token_only() {
    let gateway = SmsGateway::start(options()).await.unwrap();
    gateway.consumer_sends_picture(PHONE, PNG, "image/png", None).unwrap();
    let url = format!("{}/media/{}", gateway.url(), gateway.transcript(PHONE)[0].files()[0].id);
    for token in ["", "wrong"] {
        let (status, _, bytes) = fetch(&url, token).await;
        assert_eq!(status, 401);
        assert!(String::from_utf8_lossy(&bytes).contains("unauthorized"));
    }
    assert_eq!(webhook_post::client(webhook::TIMEOUT).unwrap().get(&url).send().await.unwrap().status(), 401);
    assert_eq!(fetch(&format!("{}/media/none", gateway.url()), TOKEN).await.0, 404);
    let posted = webhook_post::client(webhook::TIMEOUT).unwrap().post(&url).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!((posted.status().as_u16(), &posted.headers()["allow"]), (405, &"GET".parse().unwrap()));
}

#[tokio::test]
async fn scripted_faults_of_files_come_in_turn() {
    let gateway = SmsGateway::start(options()).await.unwrap();
    gateway.consumer_sends_picture(PHONE, PNG, "image/png", None).unwrap();
    let url = format!("{}/media/{}", gateway.url(), gateway.transcript(PHONE)[0].files()[0].id);
    gateway.fail_next_media(StatusCode::NOT_FOUND);
    gateway.fail_next_media(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(call(&gateway, TOKEN, message("hi")).await.0, 201, "texts have their own faults");
    for status in [404, 503, 200] {
        assert_eq!(fetch(&url, TOKEN).await.0, status);
    }
}

#[tokio::test]
async fn files_that_no_phone_can_attach_are_refused() {
    let gateway = SmsGateway::start(options()).await.unwrap();
    let send = |files: Vec<MmsFile>, text| gateway.consumer_sends_files(PHONE, files, text);
    assert_eq!(send(vec![], Some("text")), Err(SmsConsumerError::WrongFileCount(0)));
    assert_eq!(send(vec![file("image/png", None); 11], None), Err(SmsConsumerError::WrongFileCount(11)));
    assert_eq!(send(vec![file("image/png", None)], Some(" ")), Err(SmsConsumerError::EmptyText));
    let nonsense = vec![file("image/png", None), file("nonsense", None)];
    assert_eq!(send(nonsense, None), Err(SmsConsumerError::NotAContentType("nonsense".to_owned())));
    let picture = |phone, bytes: &'static [u8]| gateway.consumer_sends_picture(phone, bytes, "image/png", None);
    assert_eq!(picture(PHONE, b""), Err(SmsConsumerError::EmptyFile));
    assert_eq!(picture("ACME", PNG), Err(SmsConsumerError::NotAPhone("ACME".to_owned())));
    assert_eq!(gateway.phones(), Vec::<String>::new());
    assert!(send(vec![file("image/png", None); 10], None).is_ok());
}

#[tokio::test]
async fn the_wire_log_names_the_files_and_has_neither_bytes_nor_token() {
    let connector = SmsConnector::start(&[]).await;
    let gateway = gateway_with(&connector).await;
    gateway.consumer_sends_picture(PHONE, "the-bytes", "image/png", Some("caption")).unwrap();
    settled(&gateway, PHONE).await;
    let id = gateway.transcript(PHONE)[0].files()[0].id.clone();
    fetch(&format!("{}/media/{id}", gateway.url()), TOKEN).await;
    fetch(&format!("{}/media/{id}", gateway.url()), "stolen-token").await;
    let entries = gateway.account.options.journal.entries().unwrap();
    let lines: Vec<_> = entries.iter().map(|entry| entry.what.clone()).collect();
    assert_eq!(
        lines,
        [
            format!("MMS from {PHONE}"),
            "POST /channels/sms-lab -> 200".to_owned(),
            format!("GET /media/{id} -> 200"),
            format!("GET /media/{id} -> 401"),
        ]
    );
    let log = serde_json::to_string(&entries).unwrap();
    assert!(log.contains("caption") && log.contains("IMG_0001.png"));
    for secret in [TOKEN, SECRET, "stolen-token", "the-bytes", "Bearer"] {
        assert!(!log.contains(secret), "{secret}");
    }
}
