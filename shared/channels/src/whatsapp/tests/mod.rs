use serde_json::{Value, json};

use super::*;

mod files;
mod inbound;
mod outbound;
mod properties;

const PHONE_NUMBER_ID: &str = "118240097715334";
const SECRETS: [&str; 3] = ["EAAtok3n", "app-s3cret", "v3rify"];

fn settings() -> Value {
    json!({
        "phone_number_id": PHONE_NUMBER_ID,
        "access_token": SECRETS[0],
        "app_secret": SECRETS[1],
        "verify_token": SECRETS[2],
    })
}

fn line() -> Box<dyn Line> {
    WhatsApp.line(&settings()).unwrap()
}

#[test]
fn the_channel_shows_what_its_lines_show() {
    let capabilities = line().capabilities();
    assert_eq!(
        (WhatsApp.shows_typing(), WhatsApp.shows_read_marks()),
        (capabilities.typing.is_some(), capabilities.mark_read)
    );
}

fn request(method: Method, query: &[(&str, &str)], body: &str) -> ChannelRequest {
    let query = query.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    ChannelRequest { method, headers: http::HeaderMap::new(), query, body: body.to_owned().into() }
}

fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
}

fn snapshot(name: &str, bodies: &[Value]) {
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../snapshots"}, {
        insta::assert_json_snapshot!(name, bodies);
    });
}

#[test]
fn the_handshake_is_answered_with_its_challenge() {
    let query = [("hub.mode", "subscribe"), ("hub.challenge", "1158201444"), ("hub.verify_token", "v3rify")];
    let request = request(Method::GET, &query, "");
    assert_eq!(line().verify(&request, Timestamp::UNIX_EPOCH), Ok(()));
    let reception = line().receive(&request).unwrap();
    assert!(reception.events.is_empty());
    assert_eq!(
        reception.answer,
        Answer { status: StatusCode::OK, content_type: Some("text/plain"), body: "1158201444".to_owned() }
    );
}

#[test]
fn a_verify_token_verifies_only_the_handshake() {
    let query = [("hub.mode", "subscribe"), ("hub.challenge", "1"), ("hub.verify_token", "v3rify")];
    for method in [Method::POST, Method::PUT, Method::HEAD] {
        let request = request(method, &query, "{}");
        assert_eq!(line().verify(&request, Timestamp::UNIX_EPOCH), Err(VerifyError::Unsigned));
    }
    assert!(line().receive(&request(Method::PUT, &query, "{}")).is_err());
    assert!(line().receive(&request(Method::GET, &query[..1], "")).is_err());
}

#[test]
fn debug_of_a_line_holds_no_secret() {
    let shown = format!("{:?}", line());
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{shown}");
    }
}
