//! A worker whose calls are slow stops before a call that it could not see the end of, and the next one goes on from there.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::world::{
    ANNA, CONVERSATION, SEND, SMS, World, again, agent_says, at, attempt, conversation_id, from_person,
};
use crate::{
    app::{delivery::Attempt, to_channel::DeliverToChannel, to_liveengage::DeliverToLiveEngage},
    channel::FileEnvelope,
    domain::http::{HttpCall, HttpFailure, HttpReply},
    port::{Download, Http, StreamedFile},
    testing::{ManualClock, MemoryStore, ScriptedHttp},
};

/// Every call takes twelve seconds of the sixty.
struct Slow {
    http: Arc<ScriptedHttp>,
    clock: Arc<ManualClock>,
}

#[async_trait]
impl Http for Slow {
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure> {
        self.clock.advance(SignedDuration::from_secs(12));
        self.http.call(call).await
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

/// A worker that begins at `second`.
pub(super) fn slow(world: &World, second: i64) -> (DeliverToLiveEngage, DeliverToChannel) {
    let clock = Arc::new(ManualClock::at(at(second)));
    let http = Arc::new(Slow { http: Arc::clone(&world.http), clock: Arc::clone(&clock) });
    let workers = world.workers_at(Arc::<MemoryStore>::clone(&world.store), http, clock);
    (workers.to_liveengage, workers.to_channel)
}

/// As long as the template lets a worker run.
fn a_minute(process: &str, second: i64) -> Attempt {
    Attempt { deadline: at(second + 60), ..attempt(process, second) }
}

#[tokio::test]
async fn a_first_text_stops_before_the_call_that_would_end_too_late() {
    let world = World::new().await;
    let task = from_person("mo-1", ANNA, "one");
    // Hosts, token and consumer take 36 s: the 24 s that are left could be too few to open a conversation.
    assert_eq!(slow(&world, 0).0.work(&task, &a_minute("a", 0)).await, again(0));
    assert_eq!((world.count(CONVERSATION), world.count(SEND)), (0, 0));
    assert_eq!(world.consumer(ANNA).await.open_conversation(), None);
    // The token and the consumer are kept. This process asks for the hosts, and has time for the rest.
    slow(&world, 60).0.work(&task, &a_minute("b", 60)).await.unwrap();
    assert_eq!(world.other().texts, [("c1".to_owned(), "one".to_owned())]);
    assert_eq!((world.count("LiveEngage IDP"), world.count(CONVERSATION)), (1, 1));
}

#[tokio::test]
async fn a_long_text_goes_on_with_the_part_that_there_was_no_time_for() {
    let world = World::talking(ANNA).await;
    let mut parts = ["a", "b", "c", "d", "e", "f", "g"].map(|letter| letter.repeat(1520));
    parts[6].truncate(20);
    let task = agent_says("c1", 4, &parts.concat());
    // At 48 s there is time for a fifth call, at 60 s there is none.
    assert_eq!(slow(&world, 0).1.work(&task, &a_minute("a", 0)).await, again(0));
    assert_eq!(world.count(SMS), 5);
    slow(&world, 60).1.work(&task, &a_minute("b", 60)).await.unwrap();
    assert_eq!(world.other().sms_texts(), parts);
}

#[tokio::test]
async fn running_out_of_time_leaves_no_lease_behind() {
    let world = World::new().await;
    let task = from_person("mo-1", ANNA, "one");
    assert_eq!(slow(&world, 0).0.work(&task, &a_minute("a", 0)).await, again(0));
    // At once, while the first one's deadline is still to come, and by a worker that is not slow.
    world.workers().to_liveengage.work(&task, &a_minute("b", 37)).await.unwrap();
    assert_eq!(world.consumer(ANNA).await.open_conversation(), Some(&conversation_id("c1")));
}
