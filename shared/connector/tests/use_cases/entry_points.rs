//! The two entry points: what they queue, and with which group and deduplication id.

use std::{collections::HashSet, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use super::world::{ANNA, BEN, World, at, event, line, line_secret, who};
use connector::{
    app::{
        inbound::{self, AcceptChannelRequest},
        webhook::{self, AcceptWebhook},
    },
    domain::id::CorrelationId,
    port::QueueMessage,
    queue_message::consumer_group,
};
use connector_channels::{ChannelRequest, VerifyError, left_out::LeftOut};
use connector_testing::MemoryQueue;

pub(super) fn correlation(text: &str) -> CorrelationId {
    CorrelationId::new(text).unwrap()
}

pub(super) fn signed(secret: &str, body: &str, signed_at: Timestamp) -> ChannelRequest {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{body}.nonce.{}", signed_at.as_second()).as_bytes());
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: String| headers.insert(name, HeaderValue::from_str(&value).unwrap());
    put("x-sinch-webhook-signature", STANDARD.encode(mac.finalize().into_bytes()));
    put("x-sinch-webhook-signature-nonce", "nonce".to_owned());
    put("x-sinch-webhook-signature-timestamp", signed_at.as_second().to_string());
    ChannelRequest { method: Method::POST, headers, query: vec![], body: body.to_owned().into() }
}

pub(super) fn sms(id: &str, from: &str, text: &str) -> String {
    json!({"id": id, "from": from, "to": "+493023125042", "text": text}).to_string()
}

async fn notify(world: &World, request: &str, changes: &[Value]) -> Vec<QueueMessage> {
    let body = json!({"type": "ms.MessagingEventNotification", "body": {"changes": changes}});
    let (outcome, sent) = notified(world, request, &body).await;
    assert!(matches!(outcome, webhook::WebhookOutcome::Accepted { .. }), "{outcome:?}");
    sent
}

/// A notification of LiveEngage, signed with this secret of the app install.
pub(super) fn signed_notification(secret: &str, body: &Value) -> (HeaderMap, Bytes) {
    let body = body.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", STANDARD.encode(mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert("x-liveperson-account-id", HeaderValue::from_static("72419083"));
    headers.insert("x-liveperson-client-id", HeaderValue::from_static("5b8e1f40"));
    headers.insert("x-liveperson-signature", HeaderValue::from_str(&signature).unwrap());
    (headers, Bytes::from(body))
}

async fn notified(world: &World, request: &str, body: &Value) -> (webhook::WebhookOutcome, Vec<QueueMessage>) {
    let (headers, body) = signed_notification("client-s3cret", body);
    let queue = Arc::new(MemoryQueue::default());
    let accept = AcceptWebhook::new(Arc::clone(&world.accounts), Arc::<MemoryQueue>::clone(&queue));
    let outcome = accept.accept(&headers, &body, &correlation(request), at(0)).await;
    (outcome, queue.sent())
}

pub(super) fn text(conversation: &str, sequence: u64, text: &str) -> Value {
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
    event(conversation, sequence, "ASSIGNED_AGENT", "ALL", &content)
}

#[tokio::test]
async fn a_repeated_notification_has_the_same_deduplication_ids() {
    let world = World::new().await;
    let changes = [text("c1", 1, "a"), text("c1", 2, "a"), text("c2", 1, "a")];
    let (first, again) = (notify(&world, "r1", &changes).await, notify(&world, "r2", &changes).await);
    let ids = |messages: &[QueueMessage]| messages.iter().map(|m| m.deduplication.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first), ids(&again));
    assert_eq!(ids(&first).iter().collect::<HashSet<_>>().len(), 3, "three events, three ids");
    // Other kinds of events with the same number are different events.
    let read = event("c1", 1, "ASSIGNED_AGENT", "ALL", &json!({"type": "AcceptStatusEvent", "status": "READ"}));
    assert_ne!(notify(&world, "r3", &[read]).await[0].deduplication, first[0].deduplication);
}

#[tokio::test]
async fn typing_is_sent_once_in_five_seconds_and_waits_for_no_message() {
    let world = World::new().await;
    let state =
        |state: &str| event("c1", 0, "ASSIGNED_AGENT", "ALL", &json!({"type": "ChatStateEvent", "chatState": state}));
    let (first, again) = (
        notify(&world, "r1", &[state("COMPOSING"), state("ACTIVE"), text("c1", 1, "a")]).await,
        notify(&world, "r2", &[state("COMPOSING")]).await,
    );
    assert_eq!(first[0].deduplication, again[0].deduplication);
    assert_ne!(first[0].deduplication, first[1].deduplication, "the end is another event");
    assert_ne!(first[0].group, first[2].group, "a text doesn't wait behind it");
}

#[tokio::test]
async fn unknown_parts_of_a_notification_are_left_out_and_counted_by_kind() {
    let world = World::new().await;
    let hologram = event("c1", 3, "ASSIGNED_AGENT", "ALL", &json!({"type": "HologramEvent"}));
    let events = json!({"type": "ms.MessagingEventNotification", "body": {"changes": [hologram.clone(), hologram]}});
    let deleted = json!({"type": "cqm.ExConversationChangeNotification", "body": {"changes": [{"type": "DELETE"}]}});
    let routing = json!({"type": "routing.RoutingTaskNotification", "body": {"changes": [{}, {}, {}]}});
    for (body, kind, count) in [
        (events, "event of an unknown type", 2),
        (deleted, "change of an unknown type", 1),
        (routing, "notification of an unknown type", 3),
    ] {
        let (outcome, sent) = notified(&world, "r1", &body).await;
        assert_eq!(
            outcome,
            webhook::WebhookOutcome::Accepted { queued: 0, left_out: LeftOut::of(kind, count), not_needed: 0 }
        );
        assert!(sent.is_empty());
    }
}

#[tokio::test]
async fn events_from_which_nothing_follows_are_not_queued() {
    let world = World::new().await;
    let mark =
        event("c1", 2, "CONSUMER", "ALL", &json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [1]}));
    let note = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "call back"});
    let note = event("c1", 3, "ASSIGNED_AGENT", "AGENTS_AND_MANAGERS", &note);
    let changes = [mark, text("c1", 4, "hello"), note];
    let body = json!({"type": "ms.MessagingEventNotification", "body": {"changes": changes}});
    let (outcome, sent) = notified(&world, "r1", &body).await;
    assert_eq!(outcome, webhook::WebhookOutcome::Accepted { queued: 1, left_out: LeftOut::default(), not_needed: 2 });
    let [only] = sent.as_slice() else { panic!("{sent:?}") };
    assert!(only.body.contains("hello"), "{only:?}");
}

#[tokio::test]
async fn reports_of_one_status_travel_together_and_never_before_a_text() {
    let world = World::new().await;
    let queue = Arc::new(MemoryQueue::default());
    let accept = AcceptChannelRequest::new(Arc::clone(&world.lines), Arc::<MemoryQueue>::clone(&queue));
    for (id, status) in [("mt-1", "delivered"), ("mt-1", "delivered"), ("mt-1", "read")] {
        let body = json!({"type": "report", "message_id": id, "to": ANNA, "status": status}).to_string();
        let request = signed("webhook-s3cret", &body, at(0));
        let outcome = accept.accept("sms-main", &request, &correlation("r"), at(0)).await;
        assert!(matches!(outcome, inbound::InboundOutcome::Accepted { queued: 1, .. }), "{outcome:?}");
    }
    let sent = queue.sent();
    assert_eq!(sent[0].deduplication, sent[1].deduplication);
    assert_ne!(sent[0].deduplication, sent[2].deduplication);
    assert_ne!(sent[0].group, consumer_group(&who(ANNA)));
    let task: Value = serde_json::from_str(&sent[2].body).unwrap();
    assert_eq!((&task["task"], &task["messages"]), (&json!("reports_v1"), &json!(["mt-1"])));
}

/// SQS compares a deduplication id within its group only.
#[tokio::test]
async fn a_consumers_typing_is_queued_once_in_five_seconds_however_often_the_channel_repeats_it() {
    let world = World::new().await;
    let queue = Arc::new(MemoryQueue::default());
    let accept = AcceptChannelRequest::new(Arc::clone(&world.lines), Arc::<MemoryQueue>::clone(&queue));
    for (id, typing, from, second) in [
        ("t-1", true, ANNA, 0),
        ("t-2", true, ANNA, 4),
        ("t-3", true, ANNA, 5),
        ("t-4", false, ANNA, 5),
        ("t-5", true, BEN, 5),
    ] {
        let body = json!({"type": "typing", "id": id, "from": from, "typing": typing}).to_string();
        let now = at(second);
        accept.accept("sms-main", &signed("webhook-s3cret", &body, now), &correlation(id), now).await;
    }
    let sent = queue.sent();
    let taken: HashSet<_> = sent.iter().map(|message| (&message.group, &message.deduplication)).collect();
    assert_eq!((sent.len(), taken.len()), (5, 4), "the second repeats the first");
    let groups: HashSet<_> = sent.iter().map(|message| &message.group).collect();
    assert_eq!(groups.len(), 4, "and none waits behind another");
}

#[tokio::test]
async fn a_report_by_our_reference_alone_is_queued_once() {
    let world = World::new().await;
    let queue = Arc::new(MemoryQueue::default());
    let accept = AcceptChannelRequest::new(Arc::clone(&world.lines), Arc::<MemoryQueue>::clone(&queue));
    for reference in ["0a1b.0", "0a1b.0", "0a1b.1"] {
        let body = json!({"type": "report", "client_reference": reference, "to": ANNA, "status": "failed"}).to_string();
        let outcome =
            accept.accept("sms-main", &signed("webhook-s3cret", &body, at(0)), &correlation("r"), at(0)).await;
        assert!(matches!(outcome, inbound::InboundOutcome::Accepted { queued: 1, .. }), "{outcome:?}");
    }
    let sent = queue.sent();
    assert_eq!(sent[0].deduplication, sent[1].deduplication);
    assert_ne!(sent[0].deduplication, sent[2].deduplication);
    let task: Value = serde_json::from_str(&sent[2].body).unwrap();
    assert_eq!((&task["messages"], &task["unnamed"]), (&json!([]), &json!(["0a1b.1"])));
}

#[tokio::test]
async fn a_conversation_is_one_group_in_order() {
    let world = World::new().await;
    let sent = notify(&world, "r1", &[text("c1", 1, "a"), text("c2", 1, "b"), text("c1", 2, "c")]).await;
    assert_eq!(sent[0].group, sent[2].group);
    assert_ne!(sent[0].group, sent[1].group);
    let texts: Vec<_> = sent
        .iter()
        .map(|message| {
            let task: Value = serde_json::from_str(&message.body).unwrap();
            task["change"]["event"]["message"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(texts, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_consumer_is_one_group_and_no_queue_field_shows_a_number() {
    let world = World::new().await;
    let queue = Arc::new(MemoryQueue::default());
    let accept = AcceptChannelRequest::new(Arc::clone(&world.lines), Arc::<MemoryQueue>::clone(&queue));
    for (id, from) in [("mo-1", ANNA), ("mo-2", BEN), ("mo-3", ANNA), ("mo-1", ANNA)] {
        let request = signed("webhook-s3cret", &sms(id, from, "hi"), at(0));
        let outcome = accept.accept("sms-main", &request, &correlation(id), at(0)).await;
        assert!(matches!(outcome, inbound::InboundOutcome::Accepted { queued: 1, .. }), "{outcome:?}");
    }
    let sent = queue.sent();
    assert_eq!(sent[0].group, sent[2].group);
    assert_ne!(sent[0].group, sent[1].group);
    assert_eq!(sent[0].group, consumer_group(&who(ANNA)));
    assert_eq!(sent[0].deduplication, sent[3].deduplication, "the same message");
    for message in &sent {
        let shown = format!("{message:?}");
        assert!(!shown.contains("4917") && !shown.contains("hi"), "{shown}");
        assert!(!message.group.contains("4917") && !message.deduplication.contains("mo-"));
    }
}

#[tokio::test]
async fn a_stale_request_is_called_stale_also_while_two_secrets_are_live() {
    let world = World::new().await;
    world.secrets.put("connector/line/sms-main", &line_secret("newer-s3cret"));
    world.lines.get(&line(), at(300)).await.unwrap();
    assert!(world.lines.previous(&line(), at(300)).await.unwrap().is_some());
    let accept = AcceptChannelRequest::new(Arc::clone(&world.lines), Arc::new(MemoryQueue::default()));
    let reads = world.secrets.reads();
    for secret in ["newer-s3cret", "webhook-s3cret"] {
        let request = signed(secret, &sms("mo-1", ANNA, "hi"), at(0));
        let outcome = accept.accept("sms-main", &request, &correlation("r"), at(599)).await;
        assert_eq!(outcome, inbound::InboundOutcome::Refused(VerifyError::Stale), "{secret}");
    }
    assert_eq!(world.secrets.reads(), reads, "an old request is no sign of a newer secret");
}
