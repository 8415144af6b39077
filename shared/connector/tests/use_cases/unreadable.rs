//! An unreadable message of WhatsApp is parked, and doesn't delay others.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use super::world::{PHONE_NUMBER_ID, World, at, attempt, line};
use connector::{
    app::{
        inbound::{AcceptChannelRequest, InboundOutcome},
        redrive::{Facts, QueueKind, regroup},
    },
    domain::id::CorrelationId,
    port::QueueMessage,
    queue_message::LARGEST_BODY,
};
use connector_channels::{Answer, ChannelRequest, left_out::LeftOut};
use connector_testing::MemoryQueue;

/// Returns what the entry point queues for these messages of Meta, and its outcome.
async fn received(world: &World, messages: &[Value]) -> (InboundOutcome, Vec<QueueMessage>) {
    let value = json!({"metadata": {"phone_number_id": PHONE_NUMBER_ID}, "messages": messages});
    let entry = json!({"id": "1", "changes": [{"field": "messages", "value": value}]});
    let body = json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"app-s3cret").unwrap();
    mac.update(body.as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert("x-hub-signature-256", HeaderValue::from_str(&signature).unwrap());
    let request = ChannelRequest { method: Method::POST, headers, query: vec![], body: body.into() };
    let queue = Arc::new(MemoryQueue::default());
    let accept = AcceptChannelRequest::new(Arc::clone(&world.lines), Arc::<MemoryQueue>::clone(&queue));
    let outcome = accept.accept(line().as_str(), &request, &CorrelationId::new("r1").unwrap(), at(0)).await;
    (outcome, queue.sent())
}

fn text_entry(id: &str, text: &str) -> Value {
    json!({"from": "4915209988771", "id": id, "timestamp": at(0).as_second().to_string(), "type": "text", "text": {"body": text}})
}

fn without(mut message: Value, field: &str) -> Value {
    message.as_object_mut().unwrap().remove(field);
    message
}

fn accepted(queued: usize) -> InboundOutcome {
    InboundOutcome::Accepted { answer: Answer::empty(StatusCode::OK), queued, left_out: LeftOut::default() }
}

#[tokio::test]
async fn a_message_without_a_sender_or_an_id_is_queued_and_kept_by_its_line() {
    let world = World::on_whatsapp().await;
    let unreadable = [without(text_entry("wamid.1", "who am I?"), "from"), text_entry(&"x".repeat(257), "endless")];
    let messages = [unreadable[0].clone(), unreadable[1].clone(), text_entry("wamid.3", "hello")];
    let (outcome, sent) = received(&world, &messages).await;
    assert_eq!(outcome, accepted(3));
    for message in &sent {
        world.workers().to_liveengage.work(&message.body, &attempt("a", 1)).await.unwrap();
        assert_eq!(regroup(&message.body), Some((QueueKind::ToLiveEngage, message.group.clone())));
    }
    let texts: Vec<_> = world.other().texts.iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(texts, ["hello"], "the others are not delayed");
    let parked = world.store.parked();
    let kept: Vec<Value> = parked
        .iter()
        .map(|parked| {
            assert_eq!(parked.line, Some(line()));
            assert_eq!(parked.reason, "a message of the channel can't be read");
            assert_eq!(Facts::read(&parked.body).unwrap().kind, "unreadable");
            let task: Value = serde_json::from_str(&parked.body).unwrap();
            serde_json::from_slice(&STANDARD.decode(task["body"].as_str().unwrap()).unwrap()).unwrap()
        })
        .collect();
    assert_eq!(kept.len(), 2);
    assert!(unreadable.iter().all(|message| kept.contains(message)), "as it came");
}

#[tokio::test]
async fn the_same_unreadable_message_has_one_deduplication_id_and_no_queue_field_shows_it() {
    let world = World::on_whatsapp().await;
    let nameless = without(text_entry("wamid.1", "private words"), "id");
    let (_, first) = received(&world, &[nameless.clone(), without(text_entry("wamid.2", "others"), "from")]).await;
    let (_, again) = received(&world, &[nameless]).await;
    assert_eq!((first.len(), again.len()), (2, 1));
    let of = |message: &QueueMessage| (message.group.clone(), message.deduplication.clone());
    assert!(first.iter().any(|message| of(message) == of(&again[0])));
    assert_ne!(first[0].group, first[1].group, "one waits for no other");
    for message in &first {
        let shown = format!("{message:?} {:?}", Facts::read(&message.body));
        assert!(!shown.contains("private") && !shown.contains("4915"), "{shown}");
    }
}

#[tokio::test]
async fn of_an_unreadable_message_that_is_too_large_for_the_queue_the_beginning_is_kept() {
    let world = World::on_whatsapp().await;
    let (outcome, sent) = received(&world, &[without(text_entry("wamid.1", &"a".repeat(300_000)), "from")]).await;
    assert_eq!(outcome, accepted(1));
    assert!(sent[0].body.len() <= LARGEST_BODY);
    assert_eq!(regroup(&sent[0].body), Some((QueueKind::ToLiveEngage, sent[0].group.clone())));
}

#[tokio::test]
async fn a_message_whose_time_is_missing_or_unreadable_is_delivered() {
    let world = World::on_whatsapp().await;
    let mut soon = text_entry("wamid.2", "two");
    soon["timestamp"] = json!("soon");
    let (outcome, sent) = received(&world, &[without(text_entry("wamid.1", "one"), "timestamp"), soon]).await;
    assert_eq!(outcome, accepted(2));
    for message in &sent {
        world.workers().to_liveengage.work(&message.body, &attempt("a", 1)).await.unwrap();
    }
    let texts: Vec<_> = world.other().texts.iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(texts, ["one", "two"]);
}
