//! Tests of the function `inbound`.

use connector_aws::lambda::http::LARGEST_BODY;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Deployment, LINE_SECRET, empty};
use crate::events::{self, ANNA, LINE, WEBHOOK_SECRET};

fn sms(text: &str) -> Vec<u8> {
    json!({"id": "mo-1", "from": ANNA, "to": events::NUMBER, "text": text}).to_string().into_bytes()
}

fn signed(body: &[u8]) -> Value {
    events::inbound_with(body, WEBHOOK_SECRET, events::now())
}

fn line_with_secret(webhook_secret: &str) -> Value {
    let mut secret = events::line_secret();
    secret["sms"]["webhook_secret"] = json!(webhook_secret);
    secret
}

#[tokio::test]
async fn a_text_is_queued() {
    let connector = Deployment::new().await;
    let event = events::event("inbound-text.json");
    assert_eq!(connector.call_inbound(&event).await, empty(200));
    assert_eq!(
        connector.tasks(),
        [json!({
            "task": "channel_event_v1", "line": LINE, "correlation": event["requestContext"]["requestId"],
            "accepted_at": "2026-06-15T09:30:00Z",
            "event": {
                "id": "mo-8f31c2", "part": 0, "user": ANNA, "at": "2026-06-15T09:29:58Z",
                "content": {"kind": "text", "text": "Hi, where is my parcel? 🙂"},
            },
        })]
    );
    assert!(connector.calls().is_empty());
}

#[tokio::test]
async fn whatsapps_handshake_is_answered_and_its_text_is_queued() {
    let connector = Deployment::new().await;
    let handshake = events::event("inbound-whatsapp-handshake.json");
    assert_eq!(connector.call_inbound(&handshake).await, (200, "5819203746".to_owned()));
    assert!(connector.tasks().is_empty());

    assert_eq!(connector.call_inbound(&events::event("inbound-whatsapp-text.json")).await, empty(200));
    let tasks = connector.tasks();
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0]["line"], events::WHATSAPP_LINE);
    assert_eq!(tasks[0]["event"]["content"], json!({"kind": "text", "text": "Is the shop open today? 🕘"}));
}

#[tokio::test]
async fn a_whatsapp_text_for_a_number_of_no_line_is_404_so_that_meta_sends_it_again() {
    let connector = Deployment::new().await;
    let body = String::from_utf8(events::body(&events::event("inbound-whatsapp-text.json"))).unwrap();
    let misdirected = body.replace("117305528841906", "117305528841907");
    assert_ne!(misdirected, body);
    assert_eq!(connector.call_inbound(&events::whatsapp_with(misdirected.as_bytes())).await, empty(404));
    assert!(connector.tasks().is_empty());
}

#[tokio::test]
async fn a_message_in_another_gateways_form_is_accepted_and_kept() {
    let connector = Deployment::new().await;
    let sinch = json!({"type": "mo_text", "id": "mo-1", "from": ANNA, "to": events::NUMBER, "body": "Hi"}).to_string();
    assert_eq!(connector.call_inbound(&signed(sinch.as_bytes())).await, empty(200));
    let tasks = connector.tasks();
    assert_eq!((tasks.len(), &tasks[0]["task"]), (1, &json!("unreadable_message_v1")));
}

#[tokio::test]
async fn what_is_not_the_gateways_is_refused_with_an_empty_body() {
    let good = events::event("inbound-text.json");
    let with = |header: &str, value: &str| {
        let mut event = good.clone();
        event["headers"][header] = json!(value);
        event
    };
    let mut get = events::event("inbound-unsigned.json");
    get["requestContext"]["http"]["method"] = json!("GET");
    get["body"] = json!(null);
    for (what, event) in [
        ("the unsigned fixture", events::event("inbound-unsigned.json")),
        ("a GET", get),
        ("another nonce", with("x-sinch-webhook-signature-nonce", "another")),
        ("another time", with("x-sinch-webhook-signature-timestamp", "1781515801")),
        ("no time", with("x-sinch-webhook-signature-timestamp", "soon")),
        ("another algorithm", with("x-sinch-webhook-signature-algorithm", "none")),
        ("no base64", with("x-sinch-webhook-signature", "***")),
        ("another secret", events::inbound_with(&sms("hi"), "another", events::now())),
        ("the empty secret", events::inbound_with(&sms("hi"), "", events::now())),
        ("another body", {
            let mut event = good.clone();
            events::set_body(&mut event, &sms("forged"));
            event
        }),
    ] {
        let connector = Deployment::new().await;
        assert_eq!(connector.call_inbound(&event).await, empty(401), "{what}");
        assert!(connector.tasks().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn a_request_is_good_for_five_minutes() {
    let event = events::event("inbound-text.json");
    for (seconds, status) in [(-301, 401), (-300, 200), (300, 200), (301, 401), (86_400, 401)] {
        let connector = Deployment::new().await;
        connector.clock.advance(SignedDuration::from_secs(seconds));
        assert_eq!(connector.call_inbound(&event).await, empty(status), "{seconds} s");
    }
}

#[tokio::test]
async fn an_unknown_line_is_404_and_costs_no_outside_call() {
    let connector = Deployment::new().await;
    let reads = connector.secrets.reads();
    let mut event = events::event("inbound-text.json");
    for line in ["sms-two", "../account/72419083", "", "SMS-MAIN"] {
        event["pathParameters"]["line"] = json!(line);
        connector.clock.advance(SignedDuration::from_hours(1));
        assert_eq!(connector.call_inbound(&event).await, empty(404), "{line:?}");
    }
    event.as_object_mut().unwrap().remove("pathParameters");
    assert_eq!(connector.call_inbound(&event).await, empty(404));
    assert_eq!(connector.secrets.reads(), reads);
    assert!(connector.tasks().is_empty());
}

#[tokio::test]
async fn a_signed_body_that_is_no_message_is_400() {
    for body in ["", "not json", "[]", "{}", "{\"id\":1,\"from\":\"x\"}", "{\"id\":\"\",\"from\":\"x\"}", "\u{0}"] {
        let connector = Deployment::new().await;
        assert_eq!(connector.call_inbound(&signed(body.as_bytes())).await, empty(400), "{body:?}");
        assert!(connector.tasks().is_empty(), "{body:?}");
    }
}

#[tokio::test]
async fn a_message_without_a_text_is_queued_as_a_placeholder() {
    let connector = Deployment::new().await;
    let body = json!({"id": "mo-1", "from": ANNA, "sticker": "thumbs up"}).to_string();
    assert_eq!(connector.call_inbound(&signed(body.as_bytes())).await, empty(200));
    assert_eq!(
        connector.tasks()[0]["event"]["content"],
        json!({"kind": "unsupported", "label": "message without text"})
    );
}

#[tokio::test]
async fn a_body_is_taken_up_to_4_mib() {
    let around = sms("").len();
    let fitting = sms(&"x".repeat(LARGEST_BODY - around));
    let connector = Deployment::new().await;
    assert_eq!(connector.call_inbound(&signed(&fitting)).await, empty(200));
    let larger = sms(&"x".repeat(LARGEST_BODY - around + 1));
    assert_eq!(connector.call_inbound(&signed(&larger)).await, empty(413));
    assert_eq!(connector.tasks().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_queued_is_500_so_that_the_gateway_sends_it_again() {
    let connector = Deployment::new().await;
    connector.queue.fail(true);
    let event = events::event("inbound-text.json");
    assert_eq!(connector.call_inbound(&event).await, empty(500));
    connector.queue.fail(false);
    assert_eq!(connector.call_inbound(&event).await, empty(200));
    assert_eq!(connector.tasks().len(), 1);
}

#[tokio::test]
async fn a_repeated_request_has_the_same_deduplication_id() {
    let connector = Deployment::new().await;
    let event = events::event("inbound-text.json");
    for _ in 0..2 {
        assert_eq!(connector.call_inbound(&event).await, empty(200));
        connector.clock.advance(SignedDuration::from_secs(20));
    }
    let sent = connector.queue.sent();
    assert_eq!(sent[0].deduplication, sent[1].deduplication);
    assert_eq!(sent[0].group, sent[1].group);
}

#[tokio::test]
async fn a_rotated_secret_is_found_by_the_first_failure_and_looked_for_once_a_minute() {
    let connector = Deployment::new().await;
    connector.secrets.put(LINE_SECRET, &line_with_secret("newer"));
    let started_with = connector.secrets.reads();
    connector.clock.advance(SignedDuration::from_secs(60));
    for (secret, status) in [("newer", 200), (WEBHOOK_SECRET, 200), ("another", 401), ("another", 401)] {
        let event = events::inbound_with(&sms(secret), secret, events::now());
        assert_eq!(connector.call_inbound(&event).await, empty(status), "{secret}");
    }
    assert_eq!(connector.secrets.reads(), started_with + 1);
}
