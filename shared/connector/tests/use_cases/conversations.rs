//! A consumer's text reaches its conversation, whatever the order of answers and webhooks.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use futures::FutureExt;
use jiff::SignedDuration;
use serde_json::json;

use super::world::{
    ANNA, CONVERSATION, Fault, SEND, ToChannelWorker, World, account, again, agent_says, at, attempt,
    conversation_change, conversation_id, from_consumer, line, line_secret, owner, reply, who,
};
use connector::{
    app::{delivery::RetryLater, registry::Registry},
    domain::{
        conversation::{Consumer, Conversation, OpenLease},
        retry::RETRY_FOR,
    },
    port::{Consumers, Download, Http, StreamedFile},
};
use connector_channels::FileEnvelope;
use connector_liveengage::id::AccountId;
use connector_message::http::{HttpCall, HttpFailure, HttpReply};
use connector_testing::{MemorySecrets, MemoryStore, ScriptedHttp};

fn texts(world: &World) -> Vec<(String, String)> {
    world.other().texts.clone()
}

fn one(conversation: &str, text: &str) -> Vec<(String, String)> {
    vec![(conversation.to_owned(), text.to_owned())]
}

#[tokio::test]
async fn the_webhook_recovers_from_a_lost_answer_to_conversation() {
    let world = World::new().await;
    world.fault(CONVERSATION, Fault::LoseAnswer);
    let task = from_consumer("mo-1", ANNA, "one");
    let workers = world.workers();
    assert_eq!(workers.to_liveengage.work(&task, &attempt("first", 0)).await, again(5));
    assert_eq!(texts(&world), []);
    world.receive_notification(3).await;
    workers.to_liveengage.work(&task, &attempt("second", 5)).await.unwrap();
    assert_eq!(texts(&world), one("c1", "one"));
    assert_eq!(world.count(CONVERSATION), 1);
}

#[tokio::test]
async fn already_open_is_retried_until_the_webhook_names_the_conversation() {
    let world = World::new().await;
    world.fault(CONVERSATION, Fault::LoseAnswer);
    let task = from_consumer("mo-1", ANNA, "one");
    let workers = world.workers();
    assert_eq!(workers.to_liveengage.work(&task, &attempt("first", 0)).await, again(5));
    // The webhook is late: LiveEngage says that there is a conversation, but not which one.
    for (second, wait) in [(5, 10), (15, 15), (30, 30)] {
        assert_eq!(workers.to_liveengage.work(&task, &attempt(second, second)).await, again(wait));
    }
    assert_eq!((texts(&world), world.count(SEND)), (vec![], 0));
    world.receive_notification(45).await;
    workers.to_liveengage.work(&task, &attempt("last", 60)).await.unwrap();
    assert_eq!(texts(&world), one("c1", "one"));
    assert_eq!(world.other().conversations.len(), 1);
}

/// LiveEngage's webhook of a new conversation is handled before the answer to CONVERSATION is there.
struct Overtaken {
    http: Arc<ScriptedHttp>,
    news: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    worker: OnceLock<ToChannelWorker>,
}

#[async_trait]
impl Http for Overtaken {
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure> {
        let reply = self.http.call(call).await;
        for news in (self.news)() {
            self.worker.get().unwrap().work(&news, &attempt("webhook", 1)).await.unwrap();
        }
        reply
    }
    async fn download(&self, call: HttpCall) -> Result<Download, HttpFailure> {
        self.http.download(call).await
    }
    async fn upload(
        &self,
        call: HttpCall,
        file: StreamedFile,
        envelope: FileEnvelope,
    ) -> Result<HttpReply, HttpFailure> {
        self.http.upload(call, file, envelope).await
    }
}

async fn overtaken(answer_lost: bool) -> Arc<World> {
    let world = Arc::new(World::new().await);
    if answer_lost {
        world.fault(CONVERSATION, Fault::LoseAnswer);
    }
    let behind = Arc::clone(&world);
    let http = Arc::new(Overtaken {
        http: Arc::clone(&world.http),
        news: Box::new(move || std::mem::take(&mut behind.other().news)),
        worker: OnceLock::new(),
    });
    let workers = world.workers_over(Arc::<MemoryStore>::clone(&world.store), Arc::<Overtaken>::clone(&http));
    http.worker.set(world.workers().to_channel).unwrap();
    workers.to_liveengage.work(&from_consumer("mo-1", ANNA, "one"), &attempt("first", 0)).await.unwrap();
    world
}

#[tokio::test]
async fn a_webhook_may_overtake_the_answer() {
    let world = overtaken(false).await;
    assert_eq!(texts(&world), one("c1", "one"));
    assert_eq!(world.count(CONVERSATION), 1);
}

#[tokio::test]
async fn a_webhook_that_overtakes_a_lost_answer_saves_the_attempt() {
    let world = overtaken(true).await;
    assert_eq!(texts(&world), one("c1", "one"));
    assert_eq!(world.count(CONVERSATION), 1);
}

#[tokio::test]
async fn a_text_into_a_closed_conversation_goes_once_into_a_new_one() {
    let world = World::talking(ANNA).await;
    world.other().close("c1");
    let workers = world.workers();
    workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 100)).await.unwrap();
    assert_eq!(texts(&world), one("c2", "two"));
    // The late notification of the first conversation's end changes nothing.
    workers.to_channel.work(&conversation_change("c1", None, "CLOSE", 99), &attempt("news", 101)).await.unwrap();
    assert_eq!(world.consumer(ANNA).await.open_conversation(), Some(&conversation_id("c2")));
}

#[tokio::test]
async fn after_a_known_end_the_next_text_opens_at_once() {
    let world = World::talking(ANNA).await;
    world.other().close("c1");
    let workers = world.workers();
    workers.to_channel.work(&conversation_change("c1", None, "CLOSE", 50), &attempt("news", 51)).await.unwrap();
    workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 100)).await.unwrap();
    assert_eq!(texts(&world), one("c2", "two"));
    // One SEND for hello, one for this text: none into the conversation that is known to have ended.
    assert_eq!(world.count(SEND), 2);
}

#[tokio::test]
async fn a_conversation_presumed_foreign_is_recognized_as_ours_later() {
    let world = World::new().await;
    world.fault(CONVERSATION, Fault::LoseAnswer);
    let workers = world.workers();
    let task = from_consumer("mo-1", ANNA, "one");
    assert_eq!(workers.to_liveengage.work(&task, &attempt("first", 0)).await, again(5));
    // The controller's greeting is there. The notification of the conversation itself comes after more than 13 minutes.
    let greeting = agent_says("c1", 0, "welcome");
    assert_eq!(workers.to_channel.work(&greeting, &attempt("greeting", 1)).await, again(1));
    workers.to_channel.work(&greeting, &attempt("greeting", 901)).await.unwrap();
    world.receive_notification(930).await;
    workers.to_liveengage.work(&task, &attempt("second", 935)).await.unwrap();
    assert_eq!(texts(&world), one("c1", "one"));
}

#[tokio::test]
async fn a_rejected_consumer_token_is_replaced_once() {
    let world = World::talking(ANNA).await;
    let refused = json!({"code": 401, "body": {"title": "Invalid ConsumerJWS", "errorCode": 40103}});
    world.fault(SEND, Fault::Answer(401, refused.clone()));
    let workers = world.workers();
    workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 100)).await.unwrap();
    assert_eq!(texts(&world), one("c1", "two"));
    assert_eq!(world.count("LiveEngage IDP"), 2);

    world.fault(SEND, Fault::Answer(401, refused.clone()));
    world.fault(SEND, Fault::Answer(401, refused));
    assert_eq!(workers.to_liveengage.work(&from_consumer("mo-3", ANNA, "three"), &attempt("b", 200)).await, again(5));
}

#[tokio::test]
async fn a_repeated_message_is_delivered_once() {
    let world = World::new().await;
    let task = from_consumer("mo-1", ANNA, "one");
    for process in 0..3 {
        world.workers().to_liveengage.work(&task, &attempt(process, process * 400)).await.unwrap();
    }
    assert_eq!(texts(&world), one("c1", "one"));
}

#[tokio::test]
async fn a_message_is_parked_after_twelve_hours_and_not_before() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    let task = from_consumer("mo-2", ANNA, "two");
    let hours = RETRY_FOR.as_secs();
    for (second, is_parked) in [0, 30, 60, 120, 300, hours - 1].map(|at| (at, false)).into_iter().chain([(hours, true)])
    {
        world.fault(SEND, Fault::Answer(503, json!({})));
        // Each attempt has its own process, so no breaker has counted failures.
        let result = world.workers().to_liveengage.work(&task, &attempt(second, second)).await;
        assert_eq!(result.is_ok(), is_parked, "{second}");
    }
    let parked = world.store.parked();
    assert_eq!(parked.len(), 1);
    assert!(parked[0].reason.starts_with("LiveEngage SEND: unavailable (HTTP 503)"), "{}", parked[0].reason);
    assert_eq!((parked[0].at, &parked[0].body), (at(hours), &task));
    // Later messages are not delayed.
    workers.to_liveengage.work(&from_consumer("mo-3", ANNA, "three"), &attempt("next", hours + 1)).await.unwrap();
    assert_eq!(texts(&world), one("c1", "three"));
}

#[tokio::test]
async fn a_text_that_liveengage_rejects_is_parked_at_once_and_the_next_one_is_delivered() {
    let world = World::talking(ANNA).await;
    world.fault(SEND, Fault::Answer(400, json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}})));
    let workers = world.workers();
    workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 1)).await.unwrap();
    workers.to_liveengage.work(&from_consumer("mo-3", ANNA, "three"), &attempt("b", 2)).await.unwrap();
    assert_eq!(world.store.parked()[0].reason, "LiveEngage SEND: refused (HTTP 400, code BAD_REQUEST)");
    assert_eq!(texts(&world), one("c1", "three"));
}

#[tokio::test]
async fn a_failed_opening_gives_its_lease_back() {
    for fault in [Fault::NotSent, Fault::Answer(503, json!({}))] {
        let world = World::new().await;
        world.fault(CONVERSATION, fault);
        let workers = world.workers();
        assert_eq!(workers.to_liveengage.work(&from_consumer("mo-1", ANNA, "one"), &attempt("a", 0)).await, again(5));
        assert_eq!(world.consumer(ANNA).await.conversation, Conversation::None);
        // Another message of the same consumer needn't wait for the end of the lease.
        workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("b", 1)).await.unwrap();
        assert_eq!(texts(&world), one("c1", "two"));
    }
}

#[tokio::test]
async fn a_retry_after_of_liveengage_is_kept_to() {
    let world = World::talking(ANNA).await;
    let http = Arc::new(ScriptedHttp::new({
        let behind = Arc::clone(&world.http);
        move |call| match call.name {
            SEND => Ok(HttpReply { retry_after: Some(SignedDuration::from_secs(77)), ..reply(429, &json!({})) }),
            _ => behind.call(call.clone()).now_or_never().unwrap(),
        }
    }));
    let workers = world.workers_over(Arc::<MemoryStore>::clone(&world.store), http);
    let result = workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 1)).await;
    assert_eq!(result, again(77));
}

#[tokio::test]
async fn a_queue_message_of_another_form_waits_for_a_deployment_and_is_then_parked() {
    let world = World::new().await;
    let workers = world.workers();
    let (newer, alien) = ("{\"task\":\"channel_event_v9\"}", "not json");
    for name in ["a", "b"] {
        workers.to_liveengage.work(alien, &attempt(name, 0)).await.unwrap();
    }
    for look in 0..15 {
        assert_eq!(workers.to_liveengage.work(newer, &attempt(look, look * 60)).await, again(60));
    }
    for name in ["last", "once more"] {
        workers.to_liveengage.work(newer, &attempt(name, 900)).await.unwrap();
    }
    let parked: Vec<_> = world.store.parked().into_iter().map(|parked| parked.body).collect();
    assert_eq!(parked, [alien, newer], "once each");
    assert!(world.calls().is_empty());
}

/// For example, a transfer of the old conversation while the consumer writes in the new one.
#[tokio::test]
async fn news_of_the_account_that_a_line_fed_before_changes_nothing() {
    for stage in ["OPEN", "CLOSE"] {
        let mut world = World::talking(ANNA).await;
        let other = AccountId::new("55120938").unwrap();
        let secret = json!({"account_id": other.as_str(), "client_id": "8d11", "client_secret": "another-s3cret"});
        world.secrets.put("connector/account/55120938", &secret);
        let mut moved = line_secret("webhook-s3cret");
        moved["account_id"] = json!(other.as_str());
        world.secrets.put("connector/line/sms-main", &moved);
        let secrets = || Arc::<MemorySecrets>::clone(&world.secrets);
        let accounts = Registry::new(secrets(), "connector", &[account(), other.clone()]);
        let lines = Registry::new(secrets(), "connector", &[line()]);
        (world.accounts, world.lines) = (Arc::new(accounts), Arc::new(lines));
        world.workers().to_liveengage.work(&from_consumer("mo-2", ANNA, "two"), &attempt("a", 10)).await.unwrap();
        let news = conversation_change("c1", None, stage, 20);
        world.workers().to_channel.work(&news, &attempt("b", 20)).await.unwrap();
        let consumer = world.consumer(ANNA).await;
        assert_eq!((consumer.account.clone(), consumer.open_conversation()), (other, Some(&conversation_id("c2"))));
        world.workers().to_liveengage.work(&from_consumer("mo-3", ANNA, "three"), &attempt("c", 30)).await.unwrap();
        let sent: Vec<_> = world.other().texts.iter().map(|(conversation, _)| conversation.clone()).collect();
        assert_eq!(sent, ["c2", "c2"], "{stage}");
    }
}

/// Each lookup is one of the 200 receives that a message has.
#[tokio::test]
async fn an_abandoned_opening_is_awaited_with_few_lookups() {
    let world = World::new().await;
    let mut consumer = Consumer::new(line(), who(ANNA).user, account());
    assert_eq!(consumer.reserve(&owner("ghost"), at(0), at(60)), OpenLease::Reserved);
    world.store.save_consumer(&consumer, &consumer.pointers()).await.unwrap();
    let workers = world.workers();
    let task = from_consumer("mo-1", ANNA, "one");
    let (mut second, mut looks) = (0, 0);
    while let Err(RetryLater { after }) = workers.to_liveengage.work(&task, &attempt(second, second)).await {
        second += after.as_secs();
        looks += 1;
    }
    assert_eq!((second, world.count(CONVERSATION)), (60, 1));
    assert!(looks <= 8, "{looks}");
}
