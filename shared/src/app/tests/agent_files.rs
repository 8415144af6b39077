//! An agent's file goes from LivePerson's storage to WhatsApp.

use serde_json::{Value, json};

use super::world::{ANNA, Fault, SEND, World, again, attempt, change, event, from_person};
use crate::port::{Consumers, Saved};

const IDP: &str = "LiveEngage IDP";
const DOWNLOAD: &str = "LiveEngage file download";
const PATH: &str = "/v1/files/72419083/photo.PNG";

/// A person on WhatsApp with the open conversation `c1`, and a picture in the storage.
async fn talking() -> World {
    let world = World::on_whatsapp().await;
    world.workers().to_liveengage.work(&from_person("mo-hello", ANNA, "hello"), &attempt("hello", 0)).await.unwrap();
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

async fn forget_identity(world: &World) {
    let mut consumer = world.consumer(ANNA).await;
    consumer.identity = None;
    assert_eq!(world.store.save_consumer(&consumer).await.unwrap(), Saved::Saved);
}

#[tokio::test]
async fn an_agents_picture_reaches_the_person_with_its_caption() {
    let world = talking().await;
    world.workers().to_channel.work(&agent_sends_picture(), &attempt("a", 1)).await.unwrap();
    assert_eq!(captions(&world), ["this one"]);
    assert_eq!(world.count(IDP), 1, "the identity is known");
}

#[tokio::test]
async fn a_refused_consumer_token_is_mended_while_an_agents_file_is_fetched() {
    let world = talking().await;
    world.fault(SEND, consumer_token_refused());
    world.workers().to_channel.work(&agent_sends_picture(), &attempt("a", 1)).await.unwrap();
    assert_eq!((captions(&world), world.count(IDP)), (vec![json!("this one")], 2));
    assert!(world.consumer(ANNA).await.identity.is_some(), "for the next one");
}

#[tokio::test]
async fn a_consumer_token_that_is_refused_at_once_again_waits_for_a_later_attempt() {
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
async fn an_agents_file_for_a_person_whose_identity_was_taken_out_asks_idp() {
    let world = talking().await;
    forget_identity(&world).await;
    world.workers().to_channel.work(&agent_sends_picture(), &attempt("a", 1)).await.unwrap();
    assert_eq!((captions(&world), world.count(IDP)), (vec![json!("this one")], 2));
    assert!(world.consumer(ANNA).await.identity.is_some(), "saved");
    assert!(world.store.parked().is_empty());
}

#[tokio::test]
async fn an_agents_file_waits_while_idp_is_down() {
    let world = talking().await;
    forget_identity(&world).await;
    world.fault(IDP, Fault::Answer(503, json!({})));
    let task = agent_sends_picture();
    assert_eq!(world.workers().to_channel.work(&task, &attempt("a", 1)).await, again(5));
    world.workers().to_channel.work(&task, &attempt("b", 6)).await.unwrap();
    assert_eq!(captions(&world), ["this one"]);
}

#[tokio::test]
async fn a_file_that_the_storage_has_no_more_is_parked_and_told_at_once() {
    for status in [404, 410] {
        let world = talking().await;
        world.fault(DOWNLOAD, Fault::Answer(status, json!({})));
        world.workers().to_channel.work(&agent_sends_picture(), &attempt("a", 1)).await.unwrap();
        let parked = world.store.parked();
        assert_eq!(parked.len(), 1, "{status}");
        assert!(parked[0].reason.contains("a file that is no longer there"), "{}", parked[0].reason);
        assert!(world.news.sent().iter().any(|message| message.body.contains("undelivered_v1")), "the agent is told");
    }
}

#[tokio::test]
async fn a_404_of_the_send_api_says_nothing_about_the_file() {
    let world = talking().await;
    world.fault(SEND, Fault::Answer(404, json!({})));
    let task = agent_sends_picture();
    assert_eq!(world.workers().to_channel.work(&task, &attempt("a", 1)).await, again(5));
    world.workers().to_channel.work(&task, &attempt("b", 6)).await.unwrap();
    assert_eq!(captions(&world), ["this one"]);
}
