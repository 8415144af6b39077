//! Agents' files, from LivePerson's storage to WhatsApp.

use serde_json::{Value, json};

use super::world::{ANNA, Fault, SEND, World, again, attempt, change, event, from_consumer};
use connector::port::{Consumers, Saved};

const IDP: &str = "LiveEngage IDP";
const DOWNLOAD: &str = "LiveEngage file download";
const PATH: &str = "/v1/files/72419083/photo.PNG";

/// A consumer on WhatsApp with the open conversation `c1`, and a picture in the storage.
async fn talking() -> World {
    let world = World::on_whatsapp().await;
    world.workers().to_liveengage.work(&from_consumer("mo-hello", ANNA, "hello"), &attempt("hello", 0)).await.unwrap();
    world.other().files.insert(PATH.to_owned(), b"\x89PNG\r\n\x1A\nx".to_vec());
    world
}

fn agent_sends_picture() -> String {
    let content = json!({"type": "ContentEvent", "contentType": "hosted/file", "message": {
        "relativePath": PATH, "fileType": "PNG", "caption": "this one"}});
    change("ms.MessagingEventNotification", 0, &event("c1", 4, "ASSIGNED_AGENT", "ALL", &content))
}

fn captions(world: &World) -> Vec<Value> {
    world.other().whatsapp.iter().map(|message| message["image"]["caption"].clone()).collect()
}

fn consumer_token_refused() -> Fault {
    Fault::Answer(401, json!({"code": 401, "body": {"title": "Invalid ConsumerJWS", "errorCode": 40_103}}))
}

async fn clear_identity(world: &World) {
    let mut consumer = world.consumer(ANNA).await;
    consumer.identity = None;
    assert_eq!(world.store.save_consumer(&consumer, &consumer.pointers()).await.unwrap(), Saved::Saved);
}

#[tokio::test]
async fn an_agents_picture_reaches_the_consumer_with_its_caption() {
    let world = talking().await;
    world.workers().to_channel.work(&agent_sends_picture(), &attempt("a", 1)).await.unwrap();
    assert_eq!(captions(&world), ["this one"]);
    assert_eq!(world.count(IDP), 1, "the identity is known");
}

#[tokio::test]
async fn a_proxys_page_is_not_sent_as_a_file() {
    let world = talking().await;
    world.fault(DOWNLOAD, Fault::Page);
    let workers = world.workers();
    assert_eq!(workers.to_channel.work(&agent_sends_picture(), &attempt("a", 1)).await, again(5));
    workers.to_channel.work(&agent_sends_picture(), &attempt("b", 6)).await.unwrap();
    assert_eq!(captions(&world), ["this one"]);
}

#[tokio::test]
async fn an_agents_text_file_may_begin_like_a_page() {
    let world = talking().await;
    world.other().files.insert("/v1/files/72419083/page.TXT".to_owned(), b"<html>how to write one</html>".to_vec());
    let content = json!({"type": "ContentEvent", "contentType": "hosted/file", "message": {
        "relativePath": "/v1/files/72419083/page.TXT", "fileType": "TXT", "caption": "read this"}});
    let file = change("ms.MessagingEventNotification", 0, &event("c1", 5, "ASSIGNED_AGENT", "ALL", &content));
    world.workers().to_channel.work(&file, &attempt("a", 1)).await.unwrap();
    assert_eq!(world.other().whatsapp.last().unwrap()["document"]["caption"], "read this");
}

#[tokio::test]
async fn a_rejected_consumer_token_is_replaced_while_an_agents_file_is_fetched() {
    let world = talking().await;
    world.fault(SEND, consumer_token_refused());
    world.workers().to_channel.work(&agent_sends_picture(), &attempt("a", 1)).await.unwrap();
    assert_eq!((captions(&world), world.count(IDP)), (vec![json!("this one")], 2));
    assert!(world.consumer(ANNA).await.identity.is_some(), "for the next one");
}

#[tokio::test]
async fn a_new_consumer_token_that_is_rejected_too_waits_for_a_later_attempt() {
    let world = talking().await;
    world.fault(SEND, consumer_token_refused());
    world.fault(SEND, consumer_token_refused());
    let task = agent_sends_picture();
    assert_eq!(world.workers().to_channel.work(&task, &attempt("a", 1)).await, again(5));
    assert_eq!(world.count(IDP), 2, "once an attempt");
    world.workers().to_channel.work(&task, &attempt("b", 6)).await.unwrap();
    assert_eq!(captions(&world), ["this one"]);
}

#[tokio::test]
async fn an_agents_file_for_a_consumer_whose_identity_was_cleared_requests_it_from_idp() {
    let world = talking().await;
    clear_identity(&world).await;
    world.workers().to_channel.work(&agent_sends_picture(), &attempt("a", 1)).await.unwrap();
    assert_eq!((captions(&world), world.count(IDP)), (vec![json!("this one")], 2));
    assert!(world.consumer(ANNA).await.identity.is_some(), "saved");
    assert!(world.store.parked().is_empty());
}

#[tokio::test]
async fn an_agents_file_waits_while_idp_is_down() {
    let world = talking().await;
    clear_identity(&world).await;
    world.fault(IDP, Fault::Answer(503, json!({})));
    let task = agent_sends_picture();
    assert_eq!(world.workers().to_channel.work(&task, &attempt("a", 1)).await, again(5));
    world.workers().to_channel.work(&task, &attempt("b", 6)).await.unwrap();
    assert_eq!(captions(&world), ["this one"]);
}

#[tokio::test]
async fn a_file_that_was_removed_from_the_storage_is_parked_at_once_with_a_notice() {
    for status in [404, 410] {
        let world = talking().await;
        world.fault(DOWNLOAD, Fault::Answer(status, json!({})));
        world.workers().to_channel.work(&agent_sends_picture(), &attempt("a", 1)).await.unwrap();
        let parked = world.store.parked();
        assert_eq!(parked.len(), 1, "{status}");
        assert!(parked[0].reason.contains("a file that is no longer there"), "{}", parked[0].reason);
        assert!(
            world.news.sent().iter().any(|message| message.body.contains("undelivered_v1")),
            "the agent is notified"
        );
    }
}

#[tokio::test]
async fn a_404_of_the_send_api_does_not_count_as_a_missing_file() {
    let world = talking().await;
    world.fault(SEND, Fault::Answer(404, json!({})));
    let task = agent_sends_picture();
    assert_eq!(world.workers().to_channel.work(&task, &attempt("a", 1)).await, again(5));
    world.workers().to_channel.work(&task, &attempt("b", 6)).await.unwrap();
    assert_eq!(captions(&world), ["this one"]);
}
