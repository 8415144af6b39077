//! What webhooks have lost is found in LiveEngage's history.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    entry_points::correlation,
    world::{
        ANNA, BEN, Fault, HISTORY, HISTORY_CONVERSATIONS, World, account, agent_says, at, attempt, change, event,
        from_consumer, owner,
    },
};
use connector::{
    app::{
        delivery::{Attempt, TimeScale},
        liveengage_client::LiveEngage,
        reconcile::{NotReconciled, Reconcile, ReconcilePorts, Reconciled, Scope},
    },
    domain::conversation::Conversation,
    port::{Clock, Conversations},
};
use connector_liveengage::id::AccountId;
use connector_testing::{ManualClock, MemoryQueue, MemoryStore, ScriptedHttp, logged};

type Run = Result<Vec<(AccountId, Reconciled)>, Vec<(AccountId, NotReconciled)>>;

/// Ten minutes after the first text: its echo should have come long ago.
const LATER: i64 = 600;

impl World {
    /// Runs `reconcile` at `second` with a clock that stays there.
    async fn reconcile(&self, scope: Scope, second: i64) -> Run {
        self.reconcile_at(scope, second, Arc::new(ManualClock::at(at(second)))).await
    }

    async fn reconcile_at(&self, scope: Scope, second: i64, clock: Arc<dyn Clock>) -> Run {
        let (store, http) = (Arc::clone(&self.store), Arc::<ScriptedHttp>::clone(&self.http));
        let liveengage = LiveEngage::new(Arc::clone(&self.accounts), Arc::<MemoryStore>::clone(&store), http);
        let ports = ReconcilePorts {
            conversations: Arc::<MemoryStore>::clone(&store),
            consumers: Arc::<MemoryStore>::clone(&store),
            messages: Arc::<MemoryStore>::clone(&store),
            ledger: store,
            to_channel: Arc::<MemoryQueue>::clone(&self.news),
            clock,
        };
        let reconcile = Reconcile::new(Arc::clone(&self.accounts), Arc::new(liveengage), ports);
        let attempt = Attempt {
            owner: owner("run"),
            now: at(second),
            deadline: at(second + 60),
            received: 1,
            time_scale: TimeScale::TEMPLATE,
        };
        reconcile.run(scope, &correlation("run-1"), &attempt).await
    }

    /// Puts an agent's text of `second` into the history.
    fn agent_said(&self, conversation: &str, sequence: u64, second: i64, text: &str) {
        let record = record(sequence, "agent-1", second, text);
        self.other().history.entry(conversation.to_owned()).or_default().push(record);
    }

    /// Delivers the queue messages of the runs so far. Late events wait for three seconds after a run.
    async fn deliver_found(&self, run: i64) {
        let second = run + 3;
        for (number, message) in self.news.sent().into_iter().enumerate() {
            let attempt = attempt(format!("found-{number}-{second}"), second);
            self.workers().to_channel.work(&message.body, &attempt).await.unwrap();
        }
    }
}

/// A record of the history in the documented form: without dialog, role and audience.
fn record(sequence: u64, originator: &str, second: i64, text: &str) -> Value {
    json!({
        "sequence": sequence, "originatorId": originator, "serverTimestamp": at(second).as_millisecond(),
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": text},
    })
}

fn only(run: Run) -> Reconciled {
    match run.unwrap().as_slice() {
        [(of, reconciled)] if *of == account() => *reconciled,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_whose_webhook_was_lost_reaches_the_consumer() {
    let world = World::talking(ANNA).await;
    world.agent_said("c1", 4, 30, "two");
    world.agent_said("c1", 3, 20, "one");
    let reconciled = only(world.reconcile(Scope::Suspicious, LATER).await);
    assert_eq!(reconciled, Reconciled { compared: 1, missing: 2, ..Reconciled::default() });
    world.deliver_found(LATER).await;
    assert_eq!(world.other().sms_texts(), ["one", "two"]);
}

#[tokio::test]
async fn a_webhook_that_comes_after_all_shows_nothing_twice() {
    let world = World::talking(ANNA).await;
    world.agent_said("c1", 3, 20, "one");
    only(world.reconcile(Scope::Suspicious, LATER).await);
    let found = world.news.sent();
    world.deliver_found(LATER).await;
    let late = agent_says("c1", 3, "one");
    world.workers().to_channel.work(&late, &attempt("late", LATER + 60)).await.unwrap();
    assert_eq!(world.other().sms_texts(), ["one"]);

    // And the other way round: what is delivered is not missing.
    let recent = only(world.reconcile(Scope::Recent, LATER + 120).await);
    assert_eq!((recent.compared, recent.missing), (1, 0));
    assert_eq!(world.news.sent().len(), found.len());
}

#[tokio::test]
async fn the_queue_recognizes_an_event_that_comes_by_both_ways() {
    use connector::queue_message::Received;
    let world = World::talking(ANNA).await;
    world.agent_said("c1", 3, 20, "one");
    only(world.reconcile(Scope::Suspicious, LATER).await);
    let found = &world.news.sent()[0];
    let webhook = Received::one(agent_says("c1", 3, "one")).message.unwrap().queued().unwrap();
    assert_eq!((&found.group, &found.deduplication), (&webhook.group, &webhook.deduplication));
}

#[tokio::test]
async fn without_evidence_liveengage_is_not_asked() {
    let world = World::talking(ANNA).await;
    world.agent_said("c1", 3, 20, "one");
    assert_eq!(world.reconcile(Scope::Suspicious, 60).await, Ok(vec![]), "the echo may still come");

    let echo = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "hello"});
    let echo = change("ms.MessagingEventNotification", 0, &event("c1", 1, "CONSUMER", "ALL", &echo));
    world.workers().to_channel.work(&echo, &attempt("echo", 61)).await.unwrap();
    assert_eq!(world.reconcile(Scope::Suspicious, LATER).await, Ok(vec![]));
    assert_eq!(world.count(HISTORY), 0);

    let recent = only(world.reconcile(Scope::Recent, LATER).await);
    assert_eq!(recent.missing, 1, "a daily run needs no evidence");
}

#[tokio::test]
async fn evidence_is_followed_once() {
    let world = World::talking(ANNA).await;
    only(world.reconcile(Scope::Suspicious, LATER).await);
    assert_eq!(world.store.past_runs(&account()).await.unwrap().complete, Some(at(LATER)));
    assert_eq!(world.reconcile(Scope::Suspicious, LATER + 600).await, Ok(vec![]));
    let more = from_consumer("mo-2", ANNA, "hello?");
    world.workers().to_liveengage.work(&more, &attempt("more", LATER + 900)).await.unwrap();
    only(world.reconcile(Scope::Suspicious, LATER + 1500).await);
}

#[tokio::test]
async fn a_run_that_did_not_look_at_everything_is_made_again() {
    let world = World::talking(ANNA).await;
    world.fault(HISTORY, Fault::Answer(503, json!({})));
    let reconciled = only(world.reconcile(Scope::Suspicious, LATER).await);
    assert_eq!((reconciled.compared, reconciled.failed), (0, 1));
    assert_eq!(world.store.past_runs(&account()).await.unwrap().complete, None);
    assert_eq!(only(world.reconcile(Scope::Suspicious, LATER + 600).await).compared, 1);
}

#[tokio::test]
async fn a_run_ends_before_its_time_is_over() {
    let world = World::talking(ANNA).await;
    let late = Arc::new(ManualClock::at(at(LATER + 58)));
    let reconciled = only(world.reconcile_at(Scope::Suspicious, LATER, late).await);
    assert_eq!((reconciled.compared, reconciled.left), (0, 1));
    assert_eq!(world.count(HISTORY), 0);
}

#[tokio::test]
async fn only_what_is_for_the_consumer_and_recent_is_missing() {
    let world = World::talking(ANNA).await;
    let lp = world.consumer(ANNA).await.identity.unwrap().lp_consumer_id;
    let private = json!({"messageAudience": "AGENTS_AND_MANAGERS"});
    let mut note = record(4, "agent-1", 30, "internal");
    note.as_object_mut().unwrap().extend(private.as_object().unwrap().clone());
    let read = json!({
        "originatorId": "agent-1", "serverTimestamp": at(40).as_millisecond(),
        "event": {"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [1]},
    });
    let history = vec![record(1, lp.as_str(), 0, "hello"), record(2, "agent-1", -90_000, "old"), note, read];
    world.other().history.insert("c1".to_owned(), history);
    assert_eq!(only(world.reconcile(Scope::Recent, LATER).await).missing, 0);
    let since = at(-100_000);
    assert_eq!(only(world.reconcile(Scope::Since(since), LATER).await).missing, 1, "the old one");
}

#[tokio::test]
async fn an_event_of_which_the_dialog_is_unclear_is_left_out_and_counted() {
    let world = World::talking(ANNA).await;
    world.agent_said("c1", 3, 20, "main");
    world.agent_said("c1", 3, 25, "survey");
    world.agent_said("c1", 4, 30, "next");
    let (run, lines) = logged(world.reconcile(Scope::Suspicious, LATER)).await;
    assert_eq!(only(run).missing, 1);
    let ignored: Vec<_> = lines.iter().filter(|line| line.contains("history.part_ignored")).collect();
    assert!(ignored.len() == 1 && ignored[0].contains("count=2"), "{lines:?}");
}

#[tokio::test]
async fn a_history_that_refuses_the_consumers_is_asked_a_few_times_and_named() {
    let world = World::talking(ANNA).await;
    let text = from_consumer("mo-ben", BEN, "hello");
    world.workers().to_liveengage.work(&text, &attempt("ben", 0)).await.unwrap();
    for _ in 0..9 {
        world.fault(HISTORY, Fault::Answer(401, json!({})));
    }
    let (run, lines) = logged(world.reconcile(Scope::Suspicious, LATER)).await;
    assert_eq!(run, Err(vec![(account(), NotReconciled::SourceRefused)]));
    assert_eq!(world.count(HISTORY), 2, "one call a consumer, and no new token");
    assert!(lines.iter().any(|line| line.contains("history.refused")), "{lines:?}");
    assert_eq!(world.count("LiveEngage IDP"), 2);

    for later in [600, 3_500] {
        let run = world.reconcile(Scope::Suspicious, LATER + later).await;
        assert_eq!(run, Err(vec![(account(), NotReconciled::SourceRefused)]));
        assert_eq!(world.count(HISTORY), 2, "no call within the hour");
    }
    for (scope, calls) in [(Scope::Since(at(0)), 4), (Scope::Recent, 6)] {
        world.reconcile(scope, LATER + 3_510).await.unwrap_err();
        assert_eq!(world.count(HISTORY), calls, "the daily run and an operator's ask");
    }
    world.reconcile(Scope::Suspicious, LATER + 3_600).await.unwrap_err();
    assert_eq!(world.count(HISTORY), 6, "an hour from the last refusal");
    world.reconcile(Scope::Suspicious, LATER + 7_200).await.unwrap_err();
    assert_eq!(world.count(HISTORY), 8);
    world.other().faults.clear();
    assert_eq!(only(world.reconcile(Scope::Since(at(0)), LATER + 7_210).await).compared, 2);
    assert_eq!(only(world.reconcile(Scope::Suspicious, LATER + 7_220).await).compared, 2, "it was accepted");
}

#[tokio::test]
async fn the_end_of_a_conversation_that_was_missed_is_applied_after_an_hour() {
    let world = World::talking(ANNA).await;
    let ended = json!({
        "convId": "c1", "state": "CLOSE", "startTs": at(0).as_millisecond(), "endTs": at(300).as_millisecond(),
    });
    world.other().ended.push(ended);
    assert_eq!(only(world.reconcile(Scope::Recent, 3_000).await).closed, 0, "the webhook may still come");
    let reconciled = only(world.reconcile(Scope::Recent, 4_000).await);
    assert_eq!((reconciled.closed, reconciled.missing), (1, 0));
    world.deliver_found(4_000).await;
    assert!(matches!(world.consumer(ANNA).await.conversation, Conversation::Closed { .. }));
    let calls = world.count(HISTORY_CONVERSATIONS);
    assert_eq!(only(world.reconcile(Scope::Recent, 4_100).await).closed, 0);
    assert_eq!(world.count(HISTORY_CONVERSATIONS), calls, "a closed conversation needs no such call");
}

#[tokio::test]
async fn no_event_is_taken_from_before_the_memory_of_deliveries() {
    let world = World::talking(ANNA).await;
    let fourteen_days = SignedDuration::from_hours(14 * 24);
    world.agent_said("c1", 3, -fourteen_days.as_secs(), "ancient");
    let everything = Scope::Since(Timestamp::UNIX_EPOCH);
    assert_eq!(only(world.reconcile(everything, LATER).await).missing, 0);
    assert_eq!(world.store.past_runs(&account()).await.unwrap().complete, Some(at(LATER)));
}

/// The documented record has no dialog. A survey's numbers begin again, and one of them can be unused in the main dialog.
#[tokio::test]
async fn a_text_of_a_survey_that_was_delivered_is_not_sent_again() {
    let world = World::talking(ANNA).await;
    world.agent_said("c1", 5, 20, "It has arrived");
    world.agent_said("c1", 2, 30, "How was it?");
    let lost = only(world.reconcile(Scope::Recent, LATER).await);
    assert_eq!(lost.missing, 1, "the one of the main dialog");
    world.deliver_found(LATER).await;
    assert_eq!(world.other().sms_texts(), ["It has arrived"]);
}

/// A worker that is down for hours must not find each message many times.
#[tokio::test]
async fn what_a_complete_run_has_queued_is_not_queued_by_the_next_evidence() {
    let world = World::talking(ANNA).await;
    world.agent_said("c1", 3, 20, "one");
    assert_eq!(only(world.reconcile(Scope::Suspicious, 5_000).await).missing, 1);
    let more = from_consumer("mo-2", ANNA, "hello?");
    world.workers().to_liveengage.work(&more, &attempt("more", LATER + 7_000)).await.unwrap();
    world.agent_said("c1", 4, LATER + 7_050, "two");
    let next = only(world.reconcile(Scope::Suspicious, LATER + 7_600).await);
    assert_eq!((next.compared, next.missing), (1, 1), "the newer one");
    assert_eq!(only(world.reconcile(Scope::Recent, LATER + 7_700).await).missing, 2, "the daily run looks at all");
}
