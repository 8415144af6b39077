use super::{outbound::message, *};
use crate::Effect;
use crate::message::{MediaKind, OutboundContent, OutboundFile};
use connector_message::MessageText;
use connector_message::code::Code;

fn file(content_type: &'static str, name: &str, caption: Option<&str>) -> OutboundFile {
    OutboundFile { content_type, name: name.to_owned(), caption: caption.map(MessageText::new), size: 40_000 }
}

fn uploaded() -> Receipt {
    Receipt { provider_id: Some("77120035".to_owned()), is_message: false }
}

/// The bodies of the calls after the upload.
fn after_upload(file: &OutboundFile) -> Vec<Value> {
    let message = message(OutboundContent::File(file.clone()));
    let (line, mut done, mut bodies) = (line(), vec![uploaded()], Vec::new());
    while let Some(call) = line.next_call(&message, &done).unwrap() {
        assert!(call.file.is_none());
        bodies.push(serde_json::from_slice(&call.call.body).unwrap());
        done.push(Receipt { provider_id: None, is_message: true });
    }
    bodies
}

#[test]
fn a_file_is_uploaded_as_a_form_that_is_the_same_at_every_attempt() {
    let message = message(OutboundContent::File(file("image/png", "Ma\"ß\r\n.png", Some("unten"))));
    let upload = || line().next_call(&message, &[]).unwrap().unwrap();
    let ChannelCall { call, file, effect } = upload();
    assert_eq!(effect, Effect::Upload);
    assert_eq!(call.url.as_str(), "https://graph.facebook.com/v26.0/118240097715334/media");
    assert_eq!((call.method, call.body.len()), (Method::POST, 0));
    assert_eq!(call.headers.get("content-type").unwrap(), "multipart/form-data; boundary=file-5d0c41f7");
    assert!(call.headers.get("authorization").unwrap().is_sensitive());
    let file = file.unwrap();
    assert_eq!(
        std::str::from_utf8(&file.before).unwrap(),
        "--file-5d0c41f7\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
         --file-5d0c41f7\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nimage/png\r\n\
         --file-5d0c41f7\r\nContent-Disposition: form-data; name=\"file\"; filename=\"Ma%22ß%0D%0A.png\"\r\n\
         Content-Type: image/png\r\n\r\n"
    );
    assert_eq!(&file.after[..], b"\r\n--file-5d0c41f7--\r\n");
    assert_eq!(upload().file, Some(file));
}

#[test]
fn a_boundary_is_never_too_long() {
    let mut message = message(OutboundContent::File(file("image/png", "a.png", None)));
    message.reference = "f".repeat(64);
    let call = line().next_call(&message, &[]).unwrap().unwrap().call;
    let boundary =
        call.headers.get("content-type").unwrap().to_str().unwrap().split_once("boundary=").unwrap().1.to_owned();
    assert_eq!((boundary.len(), boundary.ends_with('f')), (69, true));
}

#[test]
fn an_uploaded_file_is_sent_by_its_id() {
    let pdf = file("application/pdf", "Rechnung.pdf", Some("Ihre Rechnung"));
    snapshot("file_document", &after_upload(&pdf));
    snapshot("file_picture", &after_upload(&file("image/jpeg", "b.jpg", Some("unten"))));
    snapshot("file_audio_with_caption", &after_upload(&file("audio/ogg", "a.ogg", Some("hören Sie"))));
}

#[test]
fn a_file_is_sent_with_the_message_type_of_its_media_type() {
    for (content_type, size, kind) in [
        ("image/jpeg", 5_000_000, "image"),
        ("image/png", 5_000_001, "document"),
        ("image/gif", 10, "document"),
        ("image/webp", 10, "document"),
        ("video/mp4", 16_000_000, "video"),
        ("video/mp4", 16_000_001, "document"),
        ("audio/mpeg", 10, "audio"),
        ("text/plain", 10, "document"),
    ] {
        let body = after_upload(&OutboundFile { size, ..file(content_type, "x", None) }).remove(0);
        assert_eq!(body["type"], kind, "{content_type} of {size}");
        assert_eq!(body[kind]["id"], "77120035");
    }
}

#[test]
fn a_long_caption_is_a_text_after_the_file() {
    let caption = "c".repeat(LONGEST_CAPTION + 1);
    let bodies = after_upload(&file("application/pdf", "a.pdf", Some(&caption)));
    assert_eq!(bodies[0]["document"].get("caption"), None);
    assert_eq!((&bodies[1]["type"], &bodies[1]["text"]["body"]), (&json!("text"), &json!(caption)));
    assert_eq!(bodies[1]["biz_opaque_callback_data"], "5d0c41f7.2");
}

#[test]
fn a_file_that_cannot_be_sent_is_refused() {
    let large =
        message(OutboundContent::File(OutboundFile { size: 100_000_001, ..file("application/pdf", "a.pdf", None) }));
    let failure = line().next_call(&large, &[]).unwrap_err();
    assert_eq!(failure, SendFailure::Refused { status: 0, code: Code::internal("file_too_large") });
    let message = message(OutboundContent::File(file("application/pdf", "a.pdf", None)));
    let failure = line().next_call(&message, &[Receipt { provider_id: None, is_message: true }]).unwrap_err();
    assert_eq!(failure, SendFailure::Refused { status: 0, code: Code::internal("no_media_id") });
}

fn media(reference: &str) -> InboundMedia {
    InboundMedia {
        kind: MediaKind::Picture,
        reference: MessageText::new(reference),
        content_type: None,
        name: None,
        caption: None,
    }
}

fn fetch_from(line: &dyn Line, url: &str) -> Result<MediaCall, SendFailure> {
    line.fetch(&media("640011"), Some(&reply(200, &json!({"url": url, "mime_type": "image/png", "id": "640011"}))))
}

#[test]
fn the_url_of_a_consumers_file_is_requested_and_then_fetched_with_the_token() {
    let MediaCall::Ask(ask) = line().fetch(&media("640011"), None).unwrap() else { panic!() };
    assert_eq!((ask.method, ask.url.as_str()), (Method::GET, "https://graph.facebook.com/v26.0/640011"));
    assert!(ask.headers.get("authorization").unwrap().is_sensitive());
    let address = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=640011&ext=1786&hash=Ab";
    let MediaCall::Fetch(fetch) = fetch_from(&*line(), address).unwrap() else { panic!() };
    assert_eq!((fetch.method, fetch.url.as_str()), (Method::GET, address));
    assert_eq!(fetch.headers.get("authorization").unwrap(), "Bearer EAAtok3n");
    assert!(fetch.headers.contains_key("user-agent"));
}

#[test]
fn the_token_goes_to_known_hosts_only() {
    let may = |line: &dyn Line, url: &str| match fetch_from(line, url) {
        Ok(MediaCall::Fetch(_)) => true,
        Err(SendFailure::Refused { code, .. }) if code.as_str() == "media_host" => false,
        other => panic!("{other:?}"),
    };
    let meta = line();
    for (url, allowed) in [
        ("https://lookaside.fbsbx.com/x", true),
        ("https://eu.lookaside.fbsbx.com/x", true),
        ("https://graph.facebook.com/x", true),
        ("http://lookaside.fbsbx.com/x", false),
        ("https://lookaside.fbsbx.com.attacker.example/x", false),
        ("https://notlookaside.fbsbx.com/x", false),
        ("https://lookaside.fbsbx.com@attacker.example/x", false),
        ("https://attacker.example/?lookaside.fbsbx.com", false),
        ("http://127.0.0.1/x", false),
        ("file:///etc/passwd", false),
        ("data:text/plain,x", false),
    ] {
        assert_eq!(may(&*meta, url), allowed, "{url}");
    }
    let mut settings = settings();
    settings["api_base"] = json!("http://127.0.0.1:4100");
    settings["media_hosts"] = json!(["cdn.example"]);
    let other = WhatsApp.line(&settings).unwrap();
    for (url, allowed) in [
        ("http://127.0.0.1:4100/file/1", true),
        ("http://127.0.0.1:4101/file/1", false),
        ("https://cdn.example/1", true),
        ("https://lookaside.fbsbx.com/x", false),
    ] {
        assert_eq!(may(&*other, url), allowed, "{url}");
    }
}

#[test]
fn a_deleted_file_is_refused_and_an_outage_is_retried() {
    let asked = |status: u16, body: Value| line().fetch(&media("640011"), Some(&reply(status, &body))).unwrap_err();
    let gone = json!({"error": {"code": 100, "error_subcode": 33}});
    assert_eq!(asked(400, gone), SendFailure::Refused { status: 400, code: Code::internal("100") });
    assert_eq!(asked(401, json!({"error": {"code": 190}})), SendFailure::Credentials { status: 401 });
    assert_eq!(asked(503, json!({})), SendFailure::Later { status: 503, after: None });
    for nowhere in [json!({}), json!({"url": "nowhere"}), json!({"url": 5})] {
        assert_eq!(asked(200, nowhere), SendFailure::Unreadable { status: 200 });
    }
}

#[test]
fn a_media_id_cannot_change_the_url() {
    for id in ["", "..", "../me", "1?x=y", "640011/messages", "ü"] {
        let failure = line().fetch(&media(id), None).unwrap_err();
        assert_eq!(failure, SendFailure::Refused { status: 0, code: Code::internal("media_id") }, "{id}");
    }
}
