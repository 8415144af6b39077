//! Headers that name hosts and addresses have no effect on whether a request is accepted.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;
use sha2::Sha256;

use super::world::{ANNA, World, at, event, line};
use connector::{
    app::{
        inbound::{self, AcceptChannelRequest},
        webhook::{self, AcceptWebhook},
    },
    domain::id::CorrelationId,
};
use connector_channels::{ChannelRequest, VerifyError};
use connector_liveengage::signature;
use connector_testing::MemoryQueue;

const HEADERS: &[&str] = &[
    "host",
    "x-forwarded-host",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
    "x-real-ip",
    "forwarded",
    "via",
    "origin",
    "referer",
];
const VALUES: &[&str] = &[
    "localhost",
    "127.0.0.1",
    "169.254.169.254",
    "liveperson.net",
    "gateway.example",
    "abc.execute-api.eu-central-1.amazonaws.com",
    "a.example:99999",
    "for=127.0.0.1;host=localhost;proto=https",
    "https,http",
    "",
];

fn correlation() -> CorrelationId {
    CorrelationId::new("r1").unwrap()
}

fn mac(secret: &str, signed: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn with(headers: &[(&'static str, String)], name: &'static str, value: &'static str) -> HeaderMap {
    let mut all: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect();
    all.insert(name, HeaderValue::from_static(value));
    all
}

#[tokio::test]
async fn no_header_that_names_a_host_lets_a_webhook_in_or_keeps_it_out() {
    let world = World::new().await;
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "hi"});
    let change = event("c1", 4, "ASSIGNED_AGENT", "ALL", &content);
    let body = json!({"type": "ms.MessagingEventNotification", "body": {"changes": [change]}}).to_string();
    for (name, value) in HEADERS.iter().flat_map(|name| VALUES.iter().map(move |value| (*name, *value))) {
        for (secret, is_theirs) in [("client-s3cret", true), ("f0rged", false)] {
            let headers = [
                ("x-liveperson-account-id", "72419083".to_owned()),
                ("x-liveperson-client-id", "5b8e1f40".to_owned()),
                ("x-liveperson-signature", format!("sha256={}", mac(secret, &body))),
            ];
            let queue = Arc::new(MemoryQueue::default());
            let accept = AcceptWebhook::new(Arc::clone(&world.accounts), Arc::<MemoryQueue>::clone(&queue));
            let headers = with(&headers, name, value);
            let outcome = accept.accept(&headers, &Bytes::from(body.clone()), &correlation(), at(0)).await;
            let is_as_ever = match outcome {
                webhook::WebhookOutcome::Accepted { queued: 1, .. } => is_theirs,
                webhook::WebhookOutcome::Refused(signature::VerifyError::Wrong) => !is_theirs,
                _ => false,
            };
            assert!(is_as_ever, "{name}: {value}: {outcome:?}");
            assert_eq!(queue.sent().len(), usize::from(is_theirs), "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn no_header_that_names_a_host_lets_a_channels_request_in_or_keeps_it_out() {
    let world = World::new().await;
    let body = json!({"id": "mo-1", "from": ANNA, "to": "+493023125042", "text": "hi"}).to_string();
    for (name, value) in HEADERS.iter().flat_map(|name| VALUES.iter().map(move |value| (*name, *value))) {
        for (secret, is_theirs) in [("webhook-s3cret", true), ("f0rged", false)] {
            let signed_at = at(0).as_second().to_string();
            let headers = [
                ("x-sinch-webhook-signature", mac(secret, &format!("{body}.nonce.{signed_at}"))),
                ("x-sinch-webhook-signature-nonce", "nonce".to_owned()),
                ("x-sinch-webhook-signature-timestamp", signed_at),
            ];
            let headers = with(&headers, name, value);
            let request = ChannelRequest { method: Method::POST, headers, query: vec![], body: body.clone().into() };
            let queue = Arc::new(MemoryQueue::default());
            let accept = AcceptChannelRequest::new(Arc::clone(&world.lines), Arc::<MemoryQueue>::clone(&queue));
            let outcome = accept.accept(line().as_str(), &request, &correlation(), at(0)).await;
            let is_as_ever = match outcome {
                inbound::InboundOutcome::Accepted { queued: 1, .. } => is_theirs,
                inbound::InboundOutcome::Refused(VerifyError::Wrong) => !is_theirs,
                _ => false,
            };
            assert!(is_as_ever, "{name}: {value}: {outcome:?}");
            assert_eq!(queue.sent().len(), usize::from(is_theirs), "{name}: {value}");
        }
    }
}
