//! Different messages that channels give the same id.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Value, json};

use super::{
    entry_points::{correlation, signed},
    world::{ANNA, BEN, World, at, attempt},
};
use connector::{
    app::inbound::{AcceptChannelRequest, InboundOutcome},
    port::QueueMessage,
};
use connector_testing::MemoryQueue;

/// Returns what the entry point queues for these bodies of the gateway.
async fn posted(world: &World, bodies: &[Value]) -> Vec<QueueMessage> {
    let queue = Arc::new(MemoryQueue::default());
    let accept = AcceptChannelRequest::new(Arc::clone(&world.lines), Arc::<MemoryQueue>::clone(&queue));
    for body in bodies {
        let request = signed("webhook-s3cret", &body.to_string(), at(0));
        let outcome = accept.accept("sms-main", &request, &correlation("r1"), at(0)).await;
        assert!(matches!(outcome, InboundOutcome::Accepted { .. }), "{outcome:?}");
    }
    queue.sent()
}

/// Handles messages as a FIFO queue delivers them: each deduplication id once.
async fn work(world: &World, messages: &[QueueMessage]) {
    let mut known = HashSet::new();
    for message in messages.iter().filter(|message| known.insert(&message.deduplication)) {
        world.workers().to_liveengage.work(&message.body, &attempt("a", 1)).await.unwrap();
    }
}

fn texts(world: &World) -> Vec<(String, String)> {
    world.other().texts.clone()
}

#[tokio::test]
async fn two_consumers_whose_messages_have_the_same_id_both_reach_the_agent() {
    let world = World::new().await;
    let message = |from, text| json!({"id": "4711", "from": from, "text": text});
    let bodies = [message(ANNA, "anna here"), message(BEN, "ben here"), message(ANNA, "anna here")];
    work(&world, &posted(&world, &bodies).await).await;
    let texts = texts(&world);
    let expected = [("c1", "anna here"), ("c2", "ben here")].map(|(id, text)| (id.to_owned(), text.to_owned()));
    assert_eq!(texts, expected, "and what was repeated is delivered once");
}

#[tokio::test]
async fn a_text_with_the_id_of_another_messages_second_picture_is_delivered() {
    let world = World::new().await;
    for path in ["/media/1", "/media/2"] {
        world.other().files.insert(path.to_owned(), b"\x89PNG\r\n\x1A\nx".to_vec());
    }
    let file = |number: u8| json!({"url": format!("https://gateway.example/media/{number}")});
    let bodies = [
        json!({"id": "4711", "from": ANNA, "media": [file(1), file(2)]}),
        json!({"id": "4711.1", "from": ANNA, "text": "did you get both?"}),
    ];
    work(&world, &posted(&world, &bodies).await).await;
    assert_eq!(world.count("LiveEngage file upload"), 2);
    assert_eq!(texts(&world), [("c1".to_owned(), "did you get both?".to_owned())]);
}

#[tokio::test]
async fn a_consumer_is_notified_of_each_picture_that_could_not_be_shown() {
    let world = World::new().await;
    for path in ["/media/1", "/media/2"] {
        world.other().files.insert(path.to_owned(), b"not a picture".to_vec());
    }
    let file = |number: u8| json!({"url": format!("https://gateway.example/media/{number}")});
    let album = json!({"id": "4711", "from": ANNA, "media": [file(1), file(2)]});
    work(&world, &posted(&world, &[album]).await).await;
    let notices: HashSet<_> = world.news.sent().into_iter().map(|message| message.deduplication).collect();
    assert_eq!(notices.len(), 2);
}

#[tokio::test]
async fn a_read_receipt_names_the_channels_own_id() {
    let world = World::new().await;
    world.other().files.insert("/media/2".to_owned(), b"\x89PNG\r\n\x1A\nx".to_vec());
    let file = |number: u8| json!({"url": format!("https://gateway.example/media/{number}")});
    let album = json!({"id": "4711", "from": ANNA, "media": [file(1), file(2)]});
    work(&world, &posted(&world, &[album]).await).await;
    let last = connector::port::Ledger::last_inbound(&*world.store, &super::world::who(ANNA)).await.unwrap().unwrap();
    assert_eq!(last.id.as_str(), "4711");
}
