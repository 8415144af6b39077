//! The most copies of a message, whatever the other side answers, and attempts that certainly make none.

use futures::FutureExt;
use serde_json::json;

use super::{
    crashes::LEASE_OVER,
    ports::{Crash, Moment},
    world::{
        ANNA, Fault, SEND, SMS, TheirConversation, Workers, World, agent_says, attempt, conversation_change,
        from_consumer,
    },
};
use connector::{
    app::delivery::{Attempt, RetryLater},
    domain::uncertain::UncertainOutcome,
};

const MOST: usize = UncertainOutcome::MOST_OPEN as usize;

/// Retries an agent's message until it is off the queue.
async fn insist_on_the_channel(workers: &Workers, task: &str) {
    let mut second = 0;
    for received in 1..100 {
        let attempt = Attempt { received, ..attempt(format!("insist-{received}"), second) };
        match workers.to_channel.work(task, &attempt).await {
            Ok(()) => return,
            Err(RetryLater { after }) => second += after.as_secs().max(1),
        }
    }
    panic!("still in the queue");
}

#[tokio::test]
async fn a_gateway_that_takes_everything_and_answers_5xx_shows_a_text_as_often_as_the_setting_says() {
    for (status, setting, copies) in [
        (500, None, 2),
        (502, Some("repeat_once"), 2),
        (504, Some("park"), 1),
        (500, Some("repeat"), MOST),
        (503, None, MOST),
        (503, Some("park"), 1),
        (408, Some("repeat"), MOST),
    ] {
        let settings = setting.map_or(json!({}), |setting| json!({"on_uncertain": setting}));
        let world = World::talking_with(ANNA, &settings).await;
        for _ in 0..100 {
            world.fault(SMS, Fault::CarryOutAndAnswer(status));
        }
        insist_on_the_channel(&world.workers(), &agent_says("c1", 4, "hi")).await;
        assert_eq!(world.other().sms.len(), copies, "{status} {setting:?}");
        let parked = world.store.parked();
        assert_eq!(parked.len(), 1, "{status} {setting:?}");
        assert!(parked[0].reason.contains("may have arrived"), "the parked message says it: {}", parked[0].reason);
        let notices: Vec<_> =
            world.news.sent().into_iter().filter(|news| news.body.contains("undelivered_v1")).collect();
        assert_eq!(notices.len(), 1, "{status} {setting:?}: the agent is notified");
        // And with an error text that leaves it open.
        world.other().requests.clear();
        world.workers().to_liveengage.work(&notices[0].body, &attempt("news", 9000)).await.unwrap();
        let line = world.other().texts.last().unwrap().1.clone();
        assert!(line.starts_with("[Delivery not confirmed: ") && line.contains("may have arrived"), "{line}");
    }
}

/// An account that masks consumers' texts, so that no echo ever matches.
#[tokio::test]
async fn a_liveengage_that_publishes_other_words_and_answers_5xx_publishes_a_text_twice_at_the_most() {
    for (status, copies) in [(500, 2), (502, 2), (504, 2), (503, MOST), (408, MOST)] {
        let world = World::talking(ANNA).await;
        for _ in 0..100 {
            world.fault(SEND, Fault::CarryOutAndAnswer(status));
        }
        world.workers().insist(&world, &from_consumer("mo-2", ANNA, "my card is 4929 1234 1234 1234"), 0).await;
        assert_eq!(world.other().texts.len(), copies, "{status}");
        assert!(world.store.parked()[0].reason.contains("may have arrived"));
    }
}

#[tokio::test]
async fn a_message_parked_after_definite_rejections_is_not_called_uncertain() {
    let world = World::talking(ANNA).await;
    world.fault(SMS, Fault::Answer(422, json!({"error": {"code": "opted_out"}})));
    insist_on_the_channel(&world.workers(), &agent_says("c1", 4, "hi")).await;
    assert!(!world.store.parked()[0].reason.contains("may have arrived"));
}

/// A consumer who writes for the first time, or after the end of their conversation.
async fn without_a_conversation(returning: bool) -> World {
    let settings = json!({"on_uncertain": "park"});
    if !returning {
        return World::with(&settings).await;
    }
    let world = World::talking_with(ANNA, &settings).await;
    // Yesterday.
    let news = conversation_change("c1", None, "CLOSE", -86_400);
    world.workers().to_channel.work(&news, &attempt("news", 0)).await.unwrap();
    world.other().close("c1");
    world
}

/// A worker that was stopped before a conversation was open has published nothing.
#[tokio::test]
async fn a_line_that_parks_uncertain_messages_delivers_those_that_were_certainly_not_sent() {
    let task = from_consumer("mo-2", ANNA, "two");
    for returning in [false, true] {
        let world = without_a_conversation(returning).await;
        let ports = world.ports(None);
        world.workers_with(&ports).to_liveengage.work(&task, &attempt("a", 0)).await.unwrap();
        let calls = ports.calls();
        let send = calls.iter().position(|call| *call == SEND).unwrap();
        assert!(send > 6, "{calls:?}");
        for (call, moment) in (0..send).flat_map(|call| [(call, Moment::Before), (call, Moment::After)]) {
            let world = without_a_conversation(returning).await;
            let ports = world.ports(Some(Crash { call, moment }));
            let ended = world.workers_with(&ports).to_liveengage.work(&task, &attempt("stopped", 0)).now_or_never();
            assert!(ended.is_none(), "it is stopped");
            // LiveEngage has opened a conversation: from here on the outcome is uncertain.
            if world.other().conversations.iter().any(TheirConversation::is_open) {
                continue;
            }
            world.workers().insist(&world, &task, LEASE_OVER).await;
            let texts = world.other().texts.len();
            assert_eq!((texts, world.store.parked().len()), (1, 0), "{} {moment:?} {returning}", calls[call]);
        }
    }
}

/// A failed notice causes no further notice, so the notice is repeated rather than lost.
#[tokio::test]
async fn an_uncertain_failure_notice_is_repeated_whatever_the_lines_setting() {
    for setting in ["repeat_once", "park"] {
        let world = World::talking_with(ANNA, &json!({"on_uncertain": setting})).await;
        let notice = json!({
            "task": "notice_v1", "line": "sms-main", "user": ANNA, "correlation": "r-9", "accepted_at": super::world::at(0),
            "text": "Please try again.",
        });
        for _ in 0..4 {
            world.fault(SMS, Fault::Answer(502, json!({})));
        }
        insist_on_the_channel(&world.workers(), &notice.to_string()).await;
        assert_eq!(
            (world.other().sms_texts(), world.store.parked().len()),
            (vec!["Please try again."], 0),
            "{setting}"
        );
    }
}
