use sha2::{Digest as _, Sha256};

use super::*;
use crate::action::UploadedFile;

/// A form with these parts: name, MIME type of a file, value.
fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (name, mime_type, value) in parts {
        let file =
            mime_type.map_or(String::new(), |mime_type| format!("; filename=\"a file\"\r\nContent-Type: {mime_type}"));
        form.extend(format!("--lab-edge\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes());
        form.extend(*value);
        form.extend(b"\r\n");
    }
    form.extend(b"--lab-edge--\r\n");
    form
}

fn upload_of(mime_type: &str, bytes: &[u8]) -> Vec<u8> {
    let product: (&str, Option<&str>, &[u8]) = ("messaging_product", None, b"whatsapp");
    form(&[product, ("type", None, mime_type.as_bytes()), ("file", Some(mime_type), bytes)])
}

async fn upload(whatsapp: &WhatsApp, form: Vec<u8>) -> (u16, Value) {
    let url = format!("{}/v26.0/{NUMBER_ID}/media", whatsapp.url());
    let request = webhook_post::client(delivery::ANSWER_TIMEOUT).unwrap().post(url).bearer_auth(TOKEN).body(form);
    let response = request.header("content-type", "multipart/form-data; boundary=lab-edge").send().await.unwrap();
    (response.status().as_u16(), json_of(response).await)
}

async fn get_with(url: &str, token: &str) -> reqwest::Response {
    webhook_post::client(delivery::ANSWER_TIMEOUT).unwrap().get(url).bearer_auth(token).send().await.unwrap()
}

async fn describe(whatsapp: &WhatsApp, id: &str) -> (u16, Value) {
    let response = get_with(&format!("{}/v26.0/{id}", whatsapp.url()), TOKEN).await;
    (response.status().as_u16(), json_of(response).await)
}

#[tokio::test]
async fn a_file_is_uploaded_sent_described_and_fetched() {
    let whatsapp = simulator_in_chat().await;
    let (status, answer) = upload(&whatsapp, upload_of("image/png", b"\x89PNG\r\n\x1a\n--lab-edge")).await;
    assert_eq!(status, 200, "{answer}");
    let id = answer["id"].as_str().unwrap();
    let body = message(json!({ "type": "image", "image": { "id": id, "caption": "the tent" } }));
    let sent = send_accepted(&whatsapp, &body).await;
    let MessageContent::Media(media) = sent.content else { panic!("{sent:?}") };
    let bytes = Bytes::from_static(b"\x89PNG\r\n\x1a\n--lab-edge");
    let file = MediaFile::Stored { id: id.to_owned(), mime_type: "image/png".to_owned(), bytes: bytes.clone() };
    assert_eq!((media.kind, media.file, media.caption.as_deref()), (MediaKind::Image, file, Some("the tent")));

    let (status, described) = describe(&whatsapp, id).await;
    assert_eq!((status, &described["id"], &described["mime_type"]), (200, &id.into(), &"image/png".into()));
    assert_eq!(described["sha256"], hex::encode(Sha256::digest(&bytes)));
    assert_eq!((&described["file_size"], &described["messaging_product"]), (&bytes.len().into(), &"whatsapp".into()));
    let url = described["url"].as_str().unwrap();
    assert!(url.starts_with(&whatsapp.url()));
    let fetched = get_with(url, TOKEN).await;
    assert_eq!((fetched.status().as_u16(), &fetched.headers()["content-type"]), (200, &"image/png".parse().unwrap()));
    assert_eq!(fetched.bytes().await.unwrap(), bytes);
    assert_eq!(get_with(url, "wrong").await.status(), 401);

    let log = serde_json::to_string(&whatsapp.account.options.journal.entries().unwrap()).unwrap();
    assert!(!log.contains("hash=") && !log.contains("PNG"), "neither links nor files are in the wire log");
}

#[tokio::test]
async fn a_consumers_file_is_fetched_by_the_id_in_the_webhook() {
    let connector = WhatsAppConnector::start(&[]).await;
    let whatsapp = simulator_with(&connector).await;
    whatsapp.consumer_sends_document(PHONE, UploadedFile::new("a.pdf", "application/pdf", "%PDF", None)).unwrap();
    settled(&whatsapp, PHONE).await;
    let id = connector.messages()[0]["document"]["id"].as_str().unwrap().to_owned();
    let (_, described) = describe(&whatsapp, &id).await;
    let fetched = get_with(described["url"].as_str().unwrap(), TOKEN).await;
    assert_eq!(fetched.text().await.unwrap(), "%PDF");
}

#[tokio::test]
async fn a_link_expires_and_a_new_one_is_issued() {
    let whatsapp = simulator_in_chat().await;
    let (_, answer) = upload(&whatsapp, upload_of("text/plain", b"hello")).await;
    let id = answer["id"].as_str().unwrap();
    whatsapp.set_media_url_lifetime(Duration::ZERO);
    let (_, described) = describe(&whatsapp, id).await;
    let late = get_with(described["url"].as_str().unwrap(), TOKEN).await;
    assert_eq!(late.status(), 404);
    assert!(json_of(late).await["error"]["code"].is_number());
    whatsapp.set_media_url_lifetime(Duration::from_secs(300));
    let (_, described) = describe(&whatsapp, id).await;
    assert_eq!(get_with(described["url"].as_str().unwrap(), TOKEN).await.status(), 200);
}

#[tokio::test]
async fn a_deleted_file_is_gone() {
    let whatsapp = simulator_in_chat().await;
    let (_, answer) = upload(&whatsapp, upload_of("text/plain", b"hello")).await;
    let id = answer["id"].as_str().unwrap();
    let url = format!("{}/v26.0/{id}", whatsapp.url());
    let delete = async || {
        json_of(
            webhook_post::client(delivery::ANSWER_TIMEOUT)
                .unwrap()
                .delete(&url)
                .bearer_auth(TOKEN)
                .send()
                .await
                .unwrap(),
        )
        .await
    };
    assert_eq!(delete().await, json!({ "success": true }));
    assert_eq!(delete().await["error"]["error_subcode"], 33);
    assert_eq!(describe(&whatsapp, id).await.1["error"]["code"], 100);
}

#[tokio::test]
async fn a_wrong_upload_is_refused() {
    let whatsapp = simulator_in_chat().await;
    let product: (&str, Option<&str>, &[u8]) = ("messaging_product", None, b"whatsapp");
    let kind: (&str, Option<&str>, &[u8]) = ("type", None, b"image/png");
    let file: (&str, Option<&str>, &[u8]) = ("file", Some("image/png"), b"png");
    let cases = [
        (form(&[kind, file]), 100, "messaging_product"),
        (form(&[product, file]), 100, "type"),
        (form(&[product, kind]), 100, "file"),
        (form(&[product, kind, file, ("cation", None, b"x")]), 100, "cation"),
        (upload_of("application/zip", b"PK"), 100, "application/zip"),
        (b"--other\r\n".to_vec(), 100, ""),
    ];
    for (form, code, word) in cases {
        let (status, answer) = upload(&whatsapp, form).await;
        assert_eq!((status, answer["error"]["code"].as_i64()), (400, Some(code)), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(word), "{answer}");
    }
    for form in [upload_of("image/png", b""), upload_of("image/png", &vec![0; 5 * 1024 * 1024 + 1])] {
        let (status, answer) = upload(&whatsapp, form).await;
        assert_eq!((status, answer["error"]["code"].as_i64()), (400, Some(131_053)), "{answer}");
    }
    let json = call_path(&whatsapp, &format!("/v26.0/{NUMBER_ID}/media"), TOKEN, "{}").await;
    assert_eq!((json.0, json.1["error"]["code"].as_i64()), (400, Some(100)));

    let (_, answer) = upload(&whatsapp, upload_of("application/pdf", b"%PDF")).await;
    let body = message(json!({ "type": "image", "image": { "id": answer["id"] } }));
    let (_, answer) = call(&whatsapp, &body).await;
    assert_eq!(answer["error"]["code"], 131_053, "a PDF is no picture");
}

#[tokio::test]
async fn the_type_of_the_form_applies_to_a_part_without_a_type() {
    let whatsapp = simulator_in_chat().await;
    let parts: [(&str, Option<&str>, &[u8]); 3] =
        [("messaging_product", None, b"whatsapp"), ("type", None, b"text/plain"), ("file", None, b"hello")];
    let (status, answer) = upload(&whatsapp, form(&parts)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(describe(&whatsapp, answer["id"].as_str().unwrap()).await.1["mime_type"], "text/plain");
}
