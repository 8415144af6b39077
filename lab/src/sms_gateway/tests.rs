mod files;
mod page;
mod reports;

use std::collections::HashMap;
use std::ops::Deref;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::MethodRouter;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use connector::port::Clock;
use connector_aws::SystemClock;

use super::*;
use crate::channel::test_receiver::WebhookReceiver;

const PHONE: &str = "+12025550143";
const TOKEN: &str = "lab-token-71f";
const SECRET: &str = "lab-webhook-secret";

/// A connector with the route of the lab's SMS line.
#[derive(Debug, Clone)]
struct SmsConnector(WebhookReceiver);

impl Deref for SmsConnector {
    type Target = WebhookReceiver;

    fn deref(&self) -> &WebhookReceiver {
        &self.0
    }
}

impl SmsConnector {
    async fn start(script: &[u16]) -> Self {
        Self(WebhookReceiver::start("/channels/sms-lab", MethodRouter::new(), script).await)
    }

    fn texts(&self) -> Vec<String> {
        self.bodies().iter().map(|body| body["text"].as_str().unwrap().to_owned()).collect()
    }
}

fn options() -> SmsGatewayOptions {
    SmsGatewayOptions {
        port: 0,
        number: "+4930901820".to_owned(),
        api_token: TOKEN.into(),
        webhook_secret: SECRET.into(),
        retry_delay: Duration::from_millis(10),
        delivery_reports: false,
        journal: Journal::default(),
    }
}

async fn gateway_with(connector: &SmsConnector) -> SmsGateway {
    let gateway = SmsGateway::start(options()).await.unwrap();
    gateway.set_webhook_url(connector.url());
    gateway
}

async fn settled(gateway: &SmsGateway, phone: &str) -> Vec<PhoneMessage> {
    let done = gateway.wait_for(phone, |messages| messages.iter().all(|message| message.state != MessageState::Sent));
    with_timeout(done).await
}

async fn with_timeout<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap()
}

fn signature_of(headers: &HeaderMap, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    mac.update(b".");
    mac.update(headers["x-sinch-webhook-signature-nonce"].as_bytes());
    mac.update(b".");
    mac.update(headers["x-sinch-webhook-signature-timestamp"].as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

async fn call(gateway: &SmsGateway, token: &str, body: impl Into<reqwest::Body>) -> (u16, HeaderMap, Value) {
    let url = format!("{}/v1/messages", gateway.url());
    let response =
        webhook_post::client(webhook::TIMEOUT).unwrap().post(url).bearer_auth(token).body(body).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    (status, headers, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn message(text: &str) -> String {
    json!({ "from": "+4930901820", "to": PHONE, "text": text, "client_reference": "ref-1" }).to_string()
}

#[tokio::test]
async fn a_text_is_posted_with_a_signature_over_the_exact_body() {
    let connector = SmsConnector::start(&[]).await;
    let gateway = gateway_with(&connector).await;
    let before = SystemClock.now().as_second();
    let id = gateway.consumer_sends(PHONE, "Grüße 👋\n\"quoted\"").unwrap();
    assert_eq!(settled(&gateway, PHONE).await[0].state, MessageState::Accepted);

    let (headers, body) = connector.calls.borrow()[0].clone();
    assert_eq!(headers["x-sinch-webhook-signature"], signature_of(&headers, &body));
    assert_eq!(headers["x-sinch-webhook-signature-algorithm"], "HmacSHA256");
    assert_eq!(headers["content-type"], "application/json");
    let timestamp: i64 = headers["x-sinch-webhook-signature-timestamp"].to_str().unwrap().parse().unwrap();
    assert!((before..before + 20).contains(&timestamp));

    let webhook = &connector.bodies()[0];
    assert_eq!(webhook.as_object().unwrap().len(), 5);
    assert_eq!(webhook["id"], id);
    assert_eq!(webhook["from"], PHONE);
    assert_eq!(webhook["to"], "+4930901820");
    assert_eq!(webhook["text"], "Grüße 👋\n\"quoted\"");
    let received: jiff::Timestamp = webhook["received_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(received, gateway.transcript(PHONE)[0].at);
}

#[tokio::test]
async fn a_refused_connection_a_503_and_a_429_are_retried_until_it_is_accepted() {
    let connector = SmsConnector::start(&[503, 429, 500]).await;
    let gateway = SmsGateway::start(options()).await.unwrap();
    // A port that was free a moment ago, with no listener.
    let closed = LoopbackServer::start(0, |_| Router::new()).await.unwrap().url();
    gateway.set_webhook_url(closed.parse().unwrap());
    gateway.consumer_sends(PHONE, "hello").unwrap();
    let mut lines = gateway.account.options.journal.follow();
    while !lines.recv().await.unwrap().what.contains("no connection") {}
    gateway.set_webhook_url(connector.url());

    assert_eq!(settled(&gateway, PHONE).await[0].state, MessageState::Accepted);
    let calls = connector.calls.borrow().clone();
    assert_eq!(calls.len(), 4);
    assert!(calls.iter().all(|(_, body)| *body == calls[0].1), "the body is the same in every try");
    let nonces: HashMap<_, _> = calls.iter().map(|(h, _)| (h["x-sinch-webhook-signature-nonce"].clone(), ())).collect();
    assert_eq!(nonces.len(), 4);
    assert!(calls.iter().all(|(headers, body)| headers["x-sinch-webhook-signature"] == signature_of(headers, body)));
}

#[tokio::test]
async fn after_the_last_retry_the_message_fails() {
    let connector = SmsConnector::start(&[503; 40]).await;
    let mut options = options();
    options.retry_delay = Duration::ZERO;
    let gateway = SmsGateway::start(options).await.unwrap();
    gateway.set_webhook_url(connector.url());
    gateway.consumer_sends(PHONE, "hello").unwrap();
    let messages = settled(&gateway, PHONE).await;
    assert_eq!(messages[0].state, MessageState::Failed("given up after 16 tries: answered 503".to_owned()));
    assert_eq!(connector.calls.borrow().len(), 16);
}

#[tokio::test]
async fn a_400_is_not_retried_and_shows_on_the_phone() {
    let connector = SmsConnector::start(&[400]).await;
    let gateway = gateway_with(&connector).await;
    gateway.consumer_sends(PHONE, "first").unwrap();
    gateway.consumer_sends(PHONE, "second").unwrap();
    let messages = settled(&gateway, PHONE).await;
    assert_eq!(messages[0].state, MessageState::Failed("refused with 400".to_owned()));
    assert_eq!(messages[1].state, MessageState::Accepted);
    assert_eq!(connector.texts(), ["first", "second"]);
}

#[tokio::test]
async fn the_texts_of_one_phone_are_posted_in_sequence() {
    let connector = SmsConnector::start(&[503, 200, 503]).await;
    let gateway = gateway_with(&connector).await;
    for text in ["one", "two", "three"] {
        gateway.consumer_sends(PHONE, text).unwrap();
    }
    settled(&gateway, PHONE).await;
    assert_eq!(connector.texts(), ["one", "one", "two", "two", "three"]);
}

#[tokio::test]
async fn another_phone_does_not_wait() {
    let connector = SmsConnector::start(&[]).await;
    let mut options = options();
    options.retry_delay = Duration::from_secs(3600);
    let gateway = SmsGateway::start(options).await.unwrap();
    connector.script.lock().push_back(StatusCode::SERVICE_UNAVAILABLE);
    gateway.set_webhook_url(connector.url());
    gateway.consumer_sends(PHONE, "stuck").unwrap();
    connector.calls.subscribe().wait_for(|calls| calls.len() == 1).await.unwrap();
    gateway.consumer_sends("+12125550100", "free").unwrap();
    assert_eq!(settled(&gateway, "+12125550100").await[0].state, MessageState::Accepted);
    assert_eq!(gateway.transcript(PHONE)[0].state, MessageState::Sent);
    assert_eq!(gateway.phones(), [PHONE, "+12125550100"]);
}

#[tokio::test]
async fn texts_sent_at_once_are_posted_concurrently() {
    let connector = SmsConnector::start(&[]).await;
    connector.hold.send_replace(true);
    let gateway = gateway_with(&connector).await;
    let ids = gateway.consumer_sends_at_once(PHONE, &["left", "right"]).unwrap();
    let both = connector.in_flight.subscribe();
    with_timeout(both.clone().wait_for(|count| *count == 2)).await.unwrap();
    connector.hold.send_replace(false);
    let messages = settled(&gateway, PHONE).await;
    assert_eq!(messages.iter().map(|message| message.id.clone()).collect::<Vec<_>>(), ids);
    assert!(messages.iter().all(|message| message.state == MessageState::Accepted));
}

#[tokio::test]
async fn a_repeated_webhook_is_the_same_message_signed_anew() {
    let connector = SmsConnector::start(&[200, 202, 503]).await;
    let gateway = gateway_with(&connector).await;
    let id = gateway.consumer_sends(PHONE, "once").unwrap();
    settled(&gateway, PHONE).await;
    let mut answers = gateway.repeat(&id, 2).await.unwrap();
    answers.sort_by_key(|answer| format!("{answer:?}"));
    assert_eq!(answers, [202, 503].map(|status| WebhookAnswer::Status(StatusCode::from_u16(status).unwrap())));
    let calls = connector.calls.borrow().clone();
    assert_eq!(calls.len(), 3, "a repetition is not retried");
    assert!(calls.iter().all(|(_, body)| *body == calls[0].1));
    assert_ne!(calls[1].0["x-sinch-webhook-signature-nonce"], calls[2].0["x-sinch-webhook-signature-nonce"]);
    assert_eq!(gateway.transcript(PHONE).len(), 1);
    assert_eq!(gateway.repeat("mo-none", 1).await, Err(SmsConsumerError::UnknownMessage("mo-none".to_owned())));
}

#[tokio::test]
async fn a_raw_webhook_is_signed_and_leaves_no_trace_on_a_phone() {
    let connector = SmsConnector::start(&[]).await;
    let gateway = gateway_with(&connector).await;
    let answers = gateway.post_raw("custom-1", "ACME", "", 2).await;
    assert_eq!(answers, [WebhookAnswer::Status(StatusCode::OK), WebhookAnswer::Status(StatusCode::OK)]);
    let (headers, body) = connector.calls.borrow()[0].clone();
    assert_eq!(headers["x-sinch-webhook-signature"], signature_of(&headers, &body));
    assert!(connector.bodies().iter().all(|body| body["id"] == "custom-1" && body["from"] == "ACME"));
    assert_eq!(gateway.phones(), Vec::<String>::new());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let connector = SmsConnector::start(&[307]).await;
    let gateway = gateway_with(&connector).await;
    gateway.consumer_sends(PHONE, "hello").unwrap();
    assert_eq!(settled(&gateway, PHONE).await[0].state, MessageState::Failed("refused with 307".to_owned()));
}

#[tokio::test]
async fn texts_that_no_phone_can_send_are_refused() {
    let gateway = SmsGateway::start(options()).await.unwrap();
    let not_a_phone = Err(SmsConsumerError::NotAPhone("ACME".to_owned()));
    assert_eq!(gateway.consumer_sends("ACME", "hello"), not_a_phone);
    assert_eq!(gateway.consumer_sends(PHONE, " \n"), Err(SmsConsumerError::EmptyText));
    assert_eq!(gateway.consumer_sends(PHONE, &"é".repeat(1601)), Err(SmsConsumerError::TextTooLong(1601)));
    assert_eq!(gateway.consumer_sends_at_once(PHONE, &["good", ""]), Err(SmsConsumerError::EmptyText));
    assert_eq!(gateway.phones(), Vec::<String>::new());
}

#[tokio::test]
async fn a_text_from_the_connector_appears_on_the_phone_and_a_duplicate_appears_twice() {
    let gateway = SmsGateway::start(options()).await.unwrap();
    let mut changes = gateway.subscribe();
    let (status, headers, first) = call(&gateway, TOKEN, message("Hello 👋")).await;
    assert_eq!((status, &headers["content-type"]), (201, &"application/json".parse().unwrap()));
    assert_eq!(first["parts"], 1);
    let (_, _, second) = call(&gateway, TOKEN, message("Hello 👋")).await;
    assert_ne!(first["id"], second["id"]);

    let messages = gateway.transcript(PHONE);
    assert_eq!(messages.len(), 2);
    for (message, answer) in messages.iter().zip([&first, &second]) {
        assert_eq!(message.id, answer["id"].as_str().unwrap());
        assert_eq!(message.direction, Direction::ToPhone);
        assert_eq!(message.state, MessageState::Accepted);
        assert_eq!(message.reference.as_deref(), Some("ref-1"));
    }
    let change = changes.recv().await.unwrap();
    assert_eq!(change, PhoneChange { phone: PHONE.to_owned(), message_id: Some(messages[0].id.clone()) });
}

#[tokio::test]
async fn every_invalid_request_gets_its_own_error() {
    let gateway = SmsGateway::start(options()).await.unwrap();
    let to = |to: &str| json!({ "from": "+4930901820", "to": to, "text": "hi" }).to_string();
    let cases = [
        ("wrong", message("hi"), 401, "unauthorized"),
        ("", message("hi"), 401, "unauthorized"),
        (TOKEN, "{".to_owned(), 400, "malformed_request"),
        (TOKEN, r#"{"from":"+4930901820","text":"hi"}"#.to_owned(), 400, "malformed_request"),
        (TOKEN, message("hi").replace("client_reference", "clientReference"), 400, "malformed_request"),
        (TOKEN, message("hi").replace("+4930901820", ""), 400, "invalid_sender"),
        (TOKEN, message(" "), 400, "empty_text"),
        (TOKEN, message(&"👋".repeat(1601)), 400, "text_too_long"),
        (TOKEN, message(&"a".repeat(40_000)), 413, "unreadable_body"),
        (TOKEN, to("12025550143"), 422, "invalid_recipient"),
        (TOKEN, to("+0"), 422, "invalid_recipient"),
    ];
    for (token, body, expected_status, expected_code) in cases {
        let (status, _, answer) = call(&gateway, token, body).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (expected_status, Some(expected_code)), "{answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    assert_eq!(gateway.phones(), Vec::<String>::new());
    assert_eq!(call(&gateway, TOKEN, message(&"👋".repeat(1600))).await.0, 201);

    let client = webhook_post::client(webhook::TIMEOUT).unwrap();
    let status = async |url: String| client.get(url).send().await.unwrap().status().as_u16();
    assert_eq!(status(format!("{}/v1/messages", gateway.url())).await, 405);
    assert_eq!(status(format!("{}/v2", gateway.url())).await, 404);
}

#[tokio::test]
async fn scripted_faults_come_in_turn() {
    let gateway = SmsGateway::start(options()).await.unwrap();
    let wait = HeaderMap::from_iter([("retry-after".parse().unwrap(), "7".parse().unwrap())]);
    gateway.fail_next(StatusCode::TOO_MANY_REQUESTS, wait, r#"{"error":{"code":"slow_down"}}"#);
    gateway.accept_but_fail_next(StatusCode::BAD_GATEWAY, HeaderMap::new(), "bad gateway");

    let (status, headers, body) = call(&gateway, TOKEN, message("one")).await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(body["error"]["code"], "slow_down");
    assert_eq!(gateway.transcript(PHONE).len(), 0);

    assert_eq!(call(&gateway, "wrong", message("two")).await.0, 401, "the accepting fault waits for a valid request");
    let (status, _, body) = call(&gateway, TOKEN, message("two")).await;
    assert_eq!((status, body), (502, "bad gateway".into()));
    assert_eq!(gateway.transcript(PHONE)[0].text(), "two");

    assert_eq!(call(&gateway, TOKEN, message("three")).await.0, 201);
}

#[tokio::test]
async fn the_wire_log_has_both_directions_and_no_secret() {
    let connector = SmsConnector::start(&[503]).await;
    let gateway = gateway_with(&connector).await;
    gateway.consumer_sends(PHONE, "question").unwrap();
    settled(&gateway, PHONE).await;
    call(&gateway, TOKEN, message("answer")).await;
    call(&gateway, "stolen-token", message("no")).await;

    let entries = gateway.account.options.journal.entries().unwrap();
    let lines: Vec<_> =
        entries.iter().map(|entry| (entry.from.as_str(), entry.to.as_str(), entry.what.as_str())).collect();
    assert_eq!(
        lines,
        [
            ("phone", "gateway", "SMS from +12025550143"),
            ("gateway", "inbound", "POST /channels/sms-lab -> 503"),
            ("gateway", "inbound", "POST /channels/sms-lab -> 200 (try 2)"),
            ("gateway", "phone", "SMS to +12025550143"),
            ("to-channel", "gateway", "POST /v1/messages -> 201"),
            ("to-channel", "gateway", "POST /v1/messages -> 401"),
        ]
    );
    let log = serde_json::to_string(&entries).unwrap();
    let (headers, _) = connector.calls.borrow()[0].clone();
    let signature = headers["x-sinch-webhook-signature"].to_str().unwrap();
    for secret in [TOKEN, SECRET, "stolen-token", signature, "Bearer"] {
        assert!(!log.contains(secret), "{secret}");
    }
    assert!(log.contains("question") && log.contains("answer"));
}

#[tokio::test]
async fn dropping_the_gateway_ends_its_tasks_and_its_server() {
    let connector = SmsConnector::start(&[503; 3]).await;
    let mut options = options();
    options.retry_delay = Duration::from_secs(3600);
    let gateway = SmsGateway::start(options).await.unwrap();
    gateway.set_webhook_url(connector.url());
    gateway.consumer_sends(PHONE, "hello").unwrap();
    connector.calls.subscribe().wait_for(|calls| calls.len() == 1).await.unwrap();

    let account = Arc::downgrade(&gateway.account);
    let url = gateway.url();
    drop(gateway);
    let gone = async {
        while account.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
    assert!(
        webhook_post::client(webhook::TIMEOUT)
            .unwrap()
            .post(format!("{url}/v1/messages"))
            .send()
            .await
            .unwrap_err()
            .is_connect()
    );
}
