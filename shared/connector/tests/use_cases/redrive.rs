//! A resent message goes to the group in which the connector first sent it.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use sha2::Sha256;

use super::world::{ANNA, Fault, SEND, SMS, World, agent_says, at, attempt, event, from_consumer};
use connector::{
    app::{
        inbound::{self, AcceptChannelRequest},
        redrive::{Facts, QueueKind, regroup},
        webhook::{self, AcceptWebhook},
    },
    domain::id::{CorrelationId, LineId},
    port::QueueMessage,
};
use connector_channels::ChannelRequest;
use connector_testing::MemoryQueue;

fn header(value: impl AsRef<str>) -> HeaderValue {
    HeaderValue::from_str(value.as_ref()).unwrap()
}

/// Returns what the entry point queues for these bytes of LiveEngage.
async fn notified(world: &World, body: &[u8]) -> Vec<QueueMessage> {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"client-s3cret").unwrap();
    mac.update(body);
    let mut headers = HeaderMap::new();
    headers.insert("x-liveperson-account-id", header("72419083"));
    headers.insert("x-liveperson-client-id", header("5b8e1f40"));
    headers
        .insert("x-liveperson-signature", header(format!("sha256={}", STANDARD.encode(mac.finalize().into_bytes()))));
    let queue = Arc::new(MemoryQueue::default());
    let accept = AcceptWebhook::new(Arc::clone(&world.accounts), Arc::<MemoryQueue>::clone(&queue));
    let correlation = CorrelationId::new("r1").unwrap();
    let outcome = accept.accept(&headers, &Bytes::copy_from_slice(body), &correlation, at(0)).await;
    assert!(
        matches!(outcome, webhook::WebhookOutcome::Accepted { .. } | webhook::WebhookOutcome::Unreadable(_)),
        "{outcome:?}"
    );
    queue.sent()
}

/// Returns what the entry point queues for this request of the gateway.
async fn received(world: &World, body: &Value) -> Vec<QueueMessage> {
    let (body, signed_at) = (body.to_string(), at(0).as_second());
    let mut mac = Hmac::<Sha256>::new_from_slice(b"webhook-s3cret").unwrap();
    mac.update(format!("{body}.nonce.{signed_at}").as_bytes());
    let mut headers = HeaderMap::new();
    headers.insert("x-sinch-webhook-signature", header(STANDARD.encode(mac.finalize().into_bytes())));
    headers.insert("x-sinch-webhook-signature-nonce", header("nonce"));
    headers.insert("x-sinch-webhook-signature-timestamp", header(signed_at.to_string()));
    let queue = Arc::new(MemoryQueue::default());
    let accept = AcceptChannelRequest::new(Arc::clone(&world.lines), Arc::<MemoryQueue>::clone(&queue));
    let request = ChannelRequest { method: Method::POST, headers, query: vec![], body: body.into() };
    let outcome = accept.accept("sms-main", &request, &CorrelationId::new("r1").unwrap(), at(0)).await;
    assert!(matches!(outcome, inbound::InboundOutcome::Accepted { .. }), "{outcome:?}");
    queue.sent()
}

#[tokio::test]
async fn a_notification_goes_where_the_entry_point_put_it() {
    let world = World::new().await;
    let content = |content: Value| event("c1", 3, "ASSIGNED_AGENT", "ALL", &content);
    let events = json!({"type": "ms.MessagingEventNotification", "body": {"changes": [
        content(json!({"type": "ContentEvent", "contentType": "text/plain", "message": "a"})),
        content(json!({"type": "ContentEvent", "contentType": "hosted/file", "message": {"relativePath": "/x"}})),
        content(json!({"type": "ContentEvent", "contentType": "forms/secure", "message": "x"})),
        content(json!({"type": "RichContentEvent", "content": {"type": "text", "text": "a"}})),
        content(json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [1]})),
        content(json!({"type": "ChatStateEvent", "chatState": "COMPOSING"})),
        event("c1", 3, "CONSUMER", "ALL", &json!({"type": "ContentEvent", "contentType": "text/plain", "message": "mine"})),
        json!({"sequence": 4, "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "whose?"}}),
    ]}});
    let state = json!({"type": "cqm.ExConversationChangeNotification", "body": {"changes": [
        {"type": "UPSERT", "result": {"convId": "c1", "conversationDetails": {"stage": "OPEN", "participants": []}}},
    ]}});
    let mut sent = Vec::new();
    for body in [events.to_string(), state.to_string(), "no notification".to_owned()] {
        sent.extend(notified(&world, body.as_bytes()).await);
    }
    let kinds: Vec<_> = sent.iter().map(|message| Facts::read(&message.body).map(|facts| facts.kind)).collect();
    let wanted =
        ["text", "file", "content", "card", "receipt", "typing", "text", "unreadable", "conversation", "unreadable"];
    assert_eq!(kinds, wanted.map(Some));
    for message in sent {
        assert_eq!(regroup(&message.body), Some((QueueKind::ToChannel, message.group)), "{}", message.body);
    }
}

#[tokio::test]
async fn what_a_channel_brought_goes_where_the_entry_point_put_it() {
    let world = World::new().await;
    let mut kinds = Vec::new();
    for body in [
        json!({"id": "mo-1", "from": ANNA, "to": "+493023125042", "text": "hi"}),
        json!({"type": "report", "message_id": "mt-1", "to": ANNA, "status": "delivered"}),
        json!({"type": "typing", "id": "t-1", "from": ANNA, "state": "started"}),
    ] {
        for message in received(&world, &body).await {
            kinds.extend(Facts::read(&message.body).map(|facts| facts.kind));
            assert_eq!(regroup(&message.body), Some((QueueKind::ToLiveEngage, message.group)), "{}", message.body);
        }
    }
    assert_eq!(kinds, ["text", "report", "typing"]);
}

#[tokio::test]
async fn what_the_workers_send_each_other_goes_where_they_put_it() {
    let world = World::talking_with(ANNA, &json!({"not_delivered_notice": "Please try again."})).await;
    let workers = world.workers();
    world.fault(SMS, Fault::Answer(422, json!({"error": {"code": "opted_out"}})));
    workers.to_channel.work(&agent_says("c1", 4, "are you there?"), &attempt("a", 10)).await.unwrap();
    world.fault(SEND, Fault::Answer(400, json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}})));
    workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("b", 11)).await.unwrap();
    let sent = world.news.sent();
    let facts: Vec<_> = sent.iter().map(|message| Facts::read(&message.body).unwrap()).collect();
    assert_eq!(facts.iter().map(|facts| facts.kind).collect::<Vec<_>>(), ["undelivered", "notice"]);
    for (facts, message) in facts.iter().zip(&sent) {
        assert_eq!(facts.group, message.group);
        assert_eq!(facts.consumer.as_ref().map(|consumer| &consumer.line), Some(&LineId::new("sms-main").unwrap()));
    }
    assert_eq!(facts[0].conversation.as_ref().map(|id| id.as_str()), Some("c1"));
}
