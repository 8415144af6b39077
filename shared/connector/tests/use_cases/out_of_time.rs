//! A worker whose calls are slow stops before a call that could exceed its deadline, and the next one continues from there.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::SignedDuration;

use super::world::{
    ANNA, CONVERSATION, SEND, SMS, ToChannelWorker, ToLiveEngageWorker, World, again, agent_says, at, attempt,
    conversation_id, from_consumer,
};
use connector::{
    app::delivery::Attempt,
    port::{Download, Http, StreamedFile},
};
use connector_channels::FileEnvelope;
use connector_message::http::{HttpCall, HttpFailure, HttpReply};
use connector_testing::{ManualClock, MemoryStore, ScriptedHttp};

/// Calls and downloads that take some of the function's sixty seconds.
pub(super) struct Slow {
    pub(super) http: Arc<ScriptedHttp>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) call: SignedDuration,
    pub(super) download: SignedDuration,
}

#[async_trait]
impl Http for Slow {
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure> {
        self.clock.advance(self.call);
        self.http.call(call).await
    }
    async fn download(&self, call: HttpCall) -> Result<Download, HttpFailure> {
        self.clock.advance(self.download);
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

/// A worker that begins at `second`. Each of its calls takes twelve seconds.
pub(super) fn slow(world: &World, second: i64) -> (ToLiveEngageWorker, ToChannelWorker) {
    let clock = Arc::new(ManualClock::at(at(second)));
    let http = Arc::new(Slow {
        http: Arc::clone(&world.http),
        clock: Arc::clone(&clock),
        call: SignedDuration::from_secs(12),
        download: SignedDuration::ZERO,
    });
    let workers = world.workers_at(Arc::<MemoryStore>::clone(&world.store), http, clock);
    (workers.to_liveengage, workers.to_channel)
}

/// The template's timeout of a worker.
fn a_minute(process: &str, second: i64) -> Attempt {
    Attempt { deadline: at(second + 60), ..attempt(process, second) }
}

#[tokio::test]
async fn a_first_text_stops_before_the_call_that_would_end_too_late() {
    let world = World::new().await;
    let task = from_consumer("mo-1", ANNA, "one");
    // Hosts, token and consumer take 36 s. The remaining 24 s may be too little to open a conversation.
    assert_eq!(slow(&world, 0).0.work(&task, &a_minute("a", 0)).await, again(0));
    assert_eq!((world.count(CONVERSATION), world.count(SEND)), (0, 0));
    assert_eq!(world.consumer(ANNA).await.open_conversation(), None);
    // The token and the consumer are saved. This process requests the hosts, and has time for the rest.
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
    // At 48 s there is time for a fifth call. At 60 s there is none.
    assert_eq!(slow(&world, 0).1.work(&task, &a_minute("a", 0)).await, again(0));
    assert_eq!(world.count(SMS), 5);
    slow(&world, 60).1.work(&task, &a_minute("b", 60)).await.unwrap();
    assert_eq!(world.other().sms_texts(), parts);
}

#[tokio::test]
async fn running_out_of_time_leaves_no_lease_behind() {
    let world = World::new().await;
    let task = from_consumer("mo-1", ANNA, "one");
    assert_eq!(slow(&world, 0).0.work(&task, &a_minute("a", 0)).await, again(0));
    // At once, before the first one's deadline, by a worker whose calls are fast.
    world.workers().to_liveengage.work(&task, &a_minute("b", 37)).await.unwrap();
    assert_eq!(world.consumer(ANNA).await.open_conversation(), Some(&conversation_id("c1")));
}
