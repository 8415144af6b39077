//! Several addresses of the brand behind one URL of a channel: which line gets which message.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    entry_points::correlation,
    world::{PHONE_NUMBER_ID, World, at, line},
};
use connector::{
    app::{
        inbound::{AcceptChannelRequest, InboundOutcome},
        registry::Registry,
    },
    domain::id::LineId,
};
use connector_channels::{Answer, ChannelRequest, left_out::LeftOut};
use connector_testing::{MemoryQueue, MemorySecrets};

const OTHER_NUMBER: &str = "206551340129877";
const OTHER_LINE: &str = "whatsapp-two";

/// A world with a second line of WhatsApp, with this app secret.
async fn two_lines(app_secret: &str) -> World {
    let mut world = World::on_whatsapp().await;
    let secret = json!({
        "line_id": OTHER_LINE, "account_id": "72419083", "channel": "whatsapp", "consumer_id_key": "7c".repeat(32),
        "whatsapp": {
            "phone_number_id": OTHER_NUMBER, "access_token": "t", "app_secret": app_secret, "verify_token": "v",
        },
    });
    world.secrets.put(&format!("connector/line/{OTHER_LINE}"), &secret);
    let ids = [line(), LineId::new(OTHER_LINE).unwrap()];
    let secrets = Arc::<MemorySecrets>::clone(&world.secrets);
    let lines = Registry::new(secrets, "connector", &ids);
    world.lines = Arc::new(lines);
    world
}

fn change(number: &str, texts: &[&str]) -> Value {
    let message = |id: &&str| {
        json!({
            "from": "4915209988771", "id": id, "timestamp": at(0).as_second().to_string(), "type": "text",
            "text": {"body": "hello"},
        })
    };
    let messages: Vec<_> = texts.iter().map(message).collect();
    let metadata = if number.is_empty() { json!({}) } else { json!({"phone_number_id": number}) };
    json!({"field": "messages", "value": {"metadata": metadata, "messages": messages}})
}

fn reports(number: &str) -> Value {
    let status = json!({"id": "wamid.OUT1", "status": "delivered", "recipient_id": "4915209988771"});
    json!({"field": "messages", "value": {"metadata": {"phone_number_id": number}, "statuses": [status]}})
}

/// Returns what the entry point does with this request to the first line: the outcome, and the queued messages by line and id.
async fn posted(world: &World, changes: &[Value]) -> (InboundOutcome, Vec<(String, String)>) {
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}).to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"app-s3cret").unwrap();
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert("x-hub-signature-256", HeaderValue::from_str(&signature).unwrap());
    let request = ChannelRequest { method: Method::POST, headers, query: vec![], body: body.into() };
    let queue = Arc::new(MemoryQueue::default());
    let accept = AcceptChannelRequest::new(Arc::clone(&world.lines), Arc::<MemoryQueue>::clone(&queue));
    let outcome = accept.accept(line().as_str(), &request, &correlation("r1"), at(1)).await;
    let sent = queue.sent();
    let queued = sent.iter().map(|message| {
        let task: Value = serde_json::from_str(&message.body).unwrap();
        let field = |pointer: &str| task.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
        (field("/line"), field("/event/id"))
    });
    (outcome, queued.collect())
}

fn of(line: &str, id: &str) -> (String, String) {
    (line.to_owned(), id.to_owned())
}

fn accepted(queued: usize) -> InboundOutcome {
    InboundOutcome::Accepted { answer: Answer::empty(StatusCode::OK), queued, left_out: LeftOut::default() }
}

#[tokio::test]
async fn a_message_for_another_lines_number_goes_to_that_line() {
    let world = two_lines("app-s3cret").await;
    let changes = [change(OTHER_NUMBER, &["wamid.2"]), change(PHONE_NUMBER_ID, &["wamid.1"]), reports(OTHER_NUMBER)];
    let (outcome, queued) = posted(&world, &changes).await;
    assert_eq!(outcome, accepted(3));
    assert_eq!(queued, [of("sms-main", "wamid.1"), of(OTHER_LINE, "wamid.2"), of(OTHER_LINE, "-")]);
}

#[tokio::test]
async fn a_message_for_a_number_without_a_line_is_rejected_so_that_it_comes_again() {
    let world = two_lines("app-s3cret").await;
    let (outcome, queued) = posted(&world, &[change("999", &["wamid.1", "wamid.2"])]).await;
    assert_eq!((outcome, queued), (InboundOutcome::Misdirected { messages: 2 }, vec![]));
    // Our messages are queued at once, and recognized when the request comes again.
    let mixed =
        [change("999", &["wamid.1"]), change(PHONE_NUMBER_ID, &["wamid.3"]), change(OTHER_NUMBER, &["wamid.4"])];
    let (outcome, queued) = posted(&world, &mixed).await;
    assert_eq!(outcome, InboundOutcome::Misdirected { messages: 1 });
    assert_eq!(queued, [of("sms-main", "wamid.3"), of(OTHER_LINE, "wamid.4")]);
}

#[tokio::test]
async fn a_line_with_another_secret_gets_nothing_that_is_not_signed_with_it() {
    let world = two_lines("another-app-s3cret").await;
    let (outcome, queued) = posted(&world, &[change(OTHER_NUMBER, &["wamid.1"])]).await;
    assert_eq!((outcome, queued), (InboundOutcome::Misdirected { messages: 1 }, vec![]));
}

#[tokio::test]
async fn a_report_for_a_number_of_no_line_is_left_out_and_counted() {
    let world = two_lines("app-s3cret").await;
    let (outcome, queued) = posted(&world, &[reports("999")]).await;
    let left_out = LeftOut::of("report for an address of no line", 1);
    assert_eq!(outcome, InboundOutcome::Accepted { answer: Answer::empty(StatusCode::OK), queued: 0, left_out });
    assert!(queued.is_empty());
}

#[tokio::test]
async fn a_message_without_a_number_is_kept_only_by_the_line_in_the_path() {
    let world = two_lines("app-s3cret").await;
    let (outcome, queued) = posted(&world, &[change("", &["wamid.1"]), change(OTHER_NUMBER, &["wamid.2"])]).await;
    assert_eq!(outcome, accepted(2));
    assert_eq!(queued, [of("sms-main", "-"), of(OTHER_LINE, "wamid.2")]);
}
