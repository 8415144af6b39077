//! The table fails to record what was done, or its answer is lost: nothing is repeated that the other side can prove.

use std::sync::Arc;

use futures::FutureExt;
use serde_json::json;

use super::{
    ports::{Moment, Ports},
    world::{ANNA, Fault, SEND, SMS, World, agent_says, at, attempt, from_consumer, line},
};
use connector::{
    app::{delivery::Attempt, registry::Registry},
    domain::message_key::MessageKey,
};
use connector_testing::MemorySecrets;

const MOMENTS: [Moment; 2] = [Moment::Before, Moment::After];

fn failing(world: &World, call: &'static str, moment: Moment) -> Arc<Ports> {
    let ports = world.ports(None);
    ports.fail(call, moment);
    ports
}

fn texts(world: &World) -> Vec<String> {
    world.other().texts.iter().map(|(_, text)| text.clone()).collect()
}

fn count_notices(world: &World, what: &str) -> usize {
    world.news.sent().iter().filter(|message| message.body.contains(what)).count()
}

fn key(id: &str) -> MessageKey {
    MessageKey::FromChannel { line: line(), name: id.to_owned() }
}

#[tokio::test]
async fn a_text_whose_success_was_not_recorded_is_not_sent_again_once_its_echo_has_come() {
    for moment in MOMENTS {
        let world = World::talking(ANNA).await;
        let task = from_consumer("mo-2", ANNA, "two");
        let ports = failing(&world, "complete", moment);
        world.workers_with(&ports).to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
        world.receive_echoes(1).await;
        world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap();
        assert_eq!(texts(&world), ["two"], "{moment:?}");
    }
}

#[tokio::test]
async fn a_line_that_parks_uncertain_messages_does_not_repeat_an_unrecorded_success() {
    for (moment, parked) in MOMENTS.into_iter().zip([1, 0]) {
        let world = World::talking_with(ANNA, &json!({"on_uncertain": "park"})).await;
        let task = from_consumer("mo-2", ANNA, "two");
        let ports = failing(&world, "complete", moment);
        world.workers_with(&ports).to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
        world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap();
        assert_eq!((texts(&world).len(), world.store.parked().len()), (1, parked), "{moment:?}");
        assert_eq!(count_notices(&world, "notice_v1"), parked, "{moment:?}");
    }
}

/// The first part is recorded although the table's answer was lost, so the second one is not uncertain.
#[tokio::test]
async fn a_part_that_is_recorded_late_leaves_the_next_one_certain() {
    for (moment, sent, parked) in [(Moment::Before, 1, 1), (Moment::After, 2, 0)] {
        let world = World::talking_with(ANNA, &json!({"on_uncertain": "park"})).await;
        let (first, second) = ("a".repeat(3200), "b".repeat(20));
        let task = from_consumer("mo-2", ANNA, &format!("{first}{second}"));
        let ports = failing(&world, "step_done", moment);
        world.workers_with(&ports).to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
        world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap();
        assert_eq!((texts(&world).len(), world.store.parked().len()), (sent, parked), "{moment:?}");
    }
}

#[tokio::test]
async fn an_agents_text_whose_success_was_not_recorded_is_looked_up() {
    for (policy, moment, reported, sent, parked) in [
        ("repeat", Moment::Before, true, 1, 0),
        ("repeat", Moment::After, false, 1, 0),
        ("repeat", Moment::Before, false, 2, 0),
        ("park", Moment::Before, false, 1, 1),
        ("park", Moment::Before, true, 1, 0),
        ("park", Moment::After, false, 1, 0),
    ] {
        let settings = json!({"on_uncertain": policy, "sms": {"delivery_reports": true}});
        let world = World::talking_with(ANNA, &settings).await;
        let task = agent_says("c1", 4, "hi");
        let ports = failing(&world, "complete", moment);
        world.workers_with(&ports).to_channel.work(&task, &attempt("a", 0)).await.unwrap_err();
        if reported {
            let report = report(&world, json!({"status": "delivered"}));
            world.workers().to_liveengage.work(&report, &attempt("r", 1)).await.unwrap_err();
        }
        world.workers().to_channel.work(&task, &attempt("b", 5)).await.unwrap();
        let seen = (world.other().sms.len(), world.store.parked().len(), count_notices(&world, "undelivered_v1"));
        assert_eq!(seen, (sent, parked, parked), "{policy} {moment:?} {reported}");
    }
}

/// Returns the gateway's report of the last text that it accepted.
fn report(world: &World, status: serde_json::Value) -> String {
    let reference = world.other().sms.last().unwrap().1.clone();
    let id = format!("mt-{}", world.other().sms.len());
    json!({
        "task": "reports_v1", "line": "sms-main", "user": ANNA, "correlation": "r-rep", "accepted_at": at(1),
        "status": status, "messages": [id], "references": [[id, reference]],
    })
    .to_string()
}

/// The worker was stopped before it recorded the success, and the text can't be delivered: that the channel accepted it is no proof then.
#[tokio::test]
async fn a_report_of_failure_is_no_proof_and_the_agent_is_notified() {
    let world = World::talking_with(ANNA, &json!({"sms": {"delivery_reports": true}})).await;
    let task = agent_says("c1", 4, "hi");
    world.fault(SMS, Fault::LoseAnswer);
    world.workers().to_channel.work(&task, &attempt("a", 0)).await.unwrap_err();
    let failed = report(&world, json!({"status": "failed", "code": "absent_subscriber"}));
    for (received, second) in (1..).zip([1, 2, 4, 8, 16, 32, 64]) {
        let attempt = Attempt { received, ..attempt("r", second) };
        world.workers().to_liveengage.work(&failed, &attempt).await.unwrap_err();
    }
    world.workers().to_liveengage.work(&failed, &Attempt { received: 8, ..attempt("r", 122) }).await.unwrap();
    world.fault(SMS, Fault::Answer(422, json!({"error": {"code": "absent_subscriber"}})));
    world.workers().to_channel.work(&task, &attempt("b", 361)).await.unwrap();
    assert_eq!((world.store.parked().len(), count_notices(&world, "undelivered_v1")), (1, 1));
}

#[tokio::test]
async fn an_uncertain_outcome_outlives_an_attempt_whose_acquire_got_no_answer() {
    for (policy, has_echo, sent, parked) in [("repeat", true, 1, 0), ("park", true, 1, 0), ("park", false, 1, 1)] {
        for moment in MOMENTS {
            let world = World::talking_with(ANNA, &json!({"on_uncertain": policy})).await;
            let task = from_consumer("mo-2", ANNA, "two");
            world.fault(SEND, Fault::LoseAnswer);
            world.workers().to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
            if has_echo {
                world.receive_echoes(1).await;
            }
            let ports = failing(&world, "acquire", moment);
            world.workers_with(&ports).to_liveengage.work(&task, &attempt("b", 5)).await.unwrap_err();
            world.workers().to_liveengage.work(&task, &attempt("c", 40)).await.unwrap();
            assert_eq!(
                (texts(&world).len(), world.store.parked().len()),
                (sent, parked),
                "{policy} {has_echo} {moment:?}"
            );
        }
    }
}

/// The table has granted the lease, and nothing was done under it.
#[tokio::test]
async fn an_acquire_without_an_answer_leaves_no_uncertain_outcome() {
    for moment in MOMENTS {
        let world = World::talking_with(ANNA, &json!({"on_uncertain": "park"})).await;
        for task in [from_consumer("mo-2", ANNA, "two"), agent_says("c1", 4, "hi")] {
            let ports = failing(&world, "acquire", moment);
            let (unanswered, next) = (world.workers_with(&ports), world.workers());
            let (a, b) = (attempt("a", 0), attempt("b", 5));
            if task.contains("liveengage_change") {
                unanswered.to_channel.work(&task, &a).await.unwrap_err();
                next.to_channel.work(&task, &b).await.unwrap();
            } else {
                unanswered.to_liveengage.work(&task, &a).await.unwrap_err();
                next.to_liveengage.work(&task, &b).await.unwrap();
            }
        }
        assert_eq!((texts(&world).len(), world.other().sms.len(), world.store.parked().len()), (1, 1, 0), "{moment:?}");
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_written_over_when_its_message_is_parked() {
    let world = World::talking(ANNA).await;
    let task = from_consumer("mo-2", ANNA, "two");
    let late = Attempt { received: 60, ..attempt("late", 13 * 60 * 60) };
    let ports = world.ports(None);
    ports.unreadable("acquire", 2);
    world.workers_with(&ports).to_liveengage.work(&task, &late).await.unwrap();
    assert_eq!((world.store.parked().len(), count_notices(&world, "notice_v1")), (1, 1));
}

#[tokio::test]
async fn an_uncertain_outcome_outlives_the_parking_of_a_message_that_could_not_be_started() {
    let mut world = World::talking(ANNA).await;
    let task = from_consumer("mo-2", ANNA, "two");
    world.fault(SEND, Fault::LoseAnswer);
    world.workers().to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
    world.receive_echoes(1).await;
    // The line isn't configured until the message is too old.
    let none = Arc::new(MemorySecrets::default());
    let without_lines = Registry::new(none, "connector", &[]);
    let lines = std::mem::replace(&mut world.lines, Arc::new(without_lines));
    let late = Attempt { received: 60, ..attempt("b", 13 * 60 * 60) };
    world.workers().to_liveengage.work(&task, &late).await.unwrap();
    assert_eq!(world.store.parked().len(), 1);
    world.lines = lines;
    world.store.reopen(&key("mo-2"));
    world.workers().to_liveengage.work(&task, &attempt("c", 13 * 60 * 60 + 100)).await.unwrap();
    assert_eq!(texts(&world), ["two"]);
}

/// The last attempt has delivered it, and the table's answer to `complete` was lost.
#[tokio::test]
async fn a_delivered_message_is_not_parked_and_no_notice_is_sent() {
    let world = World::talking(ANNA).await;
    let task = from_consumer("mo-2", ANNA, "two");
    for second in [0, 10, 40, 80, 150, 300] {
        world.fault(SEND, Fault::Answer(503, json!({})));
        world.workers().to_liveengage.work(&task, &attempt(second, second)).await.unwrap_err();
    }
    let ports = failing(&world, "complete", Moment::After);
    world.workers_with(&ports).to_liveengage.work(&task, &attempt("last", 13 * 60 * 60)).await.unwrap();
    assert_eq!(texts(&world), ["two"]);
    assert_eq!((world.store.parked().len(), count_notices(&world, "notice_v1")), (0, 0));
}

/// Each attempt has sent it, and was stopped before it recorded that.
#[tokio::test]
async fn each_of_several_crashed_attempts_adds_an_uncertain_outcome() {
    for (policy, sent) in [("repeat_once", 2), ("park", 1)] {
        let world = World::talking_with(ANNA, &json!({"on_uncertain": policy})).await;
        let task = from_consumer("mo-2", ANNA, "two");
        for second in [0, 40, 80, 120] {
            let ports = world.ports(None);
            ports.crash_before("complete");
            let worker = world.workers_with(&ports);
            let _ = worker.to_liveengage.work(&task, &attempt(second, second)).now_or_never();
        }
        world.workers().to_liveengage.work(&task, &attempt("last", 200)).await.unwrap();
        assert_eq!((texts(&world).len(), world.store.parked().len()), (sent, 1), "{policy}");
    }
}

/// It could never be sent, and the table is slow again when it is to be parked.
#[tokio::test]
async fn a_failed_parking_leaves_no_uncertain_outcome() {
    for (call, moment) in [("acquire", Moment::After), ("park", Moment::Before)] {
        let mut world = World::talking_with(ANNA, &json!({"on_uncertain": "park"})).await;
        let task = from_consumer("mo-2", ANNA, "two");
        let none = Arc::new(MemorySecrets::default());
        let without_lines = Registry::new(none, "connector", &[]);
        let lines = std::mem::replace(&mut world.lines, Arc::new(without_lines));
        let late = |second: i64| Attempt { received: 60, ..attempt(second, 13 * 60 * 60 + second) };
        let ports = failing(&world, call, moment);
        world.workers_with(&ports).to_liveengage.work(&task, &late(0)).await.unwrap_err();
        world.lines = lines;
        world.workers().to_liveengage.work(&task, &late(100)).await.unwrap();
        assert_eq!((texts(&world).len(), world.store.parked().len()), (1, 0), "{call}");
    }
}

/// No worker is sending it, so the agent must see why.
#[tokio::test]
async fn the_agents_notice_is_published_after_an_acquire_without_an_answer() {
    for moment in MOMENTS {
        let world = World::talking(ANNA).await;
        let task = agent_says("c1", 4, "hi");
        world.fault(SMS, Fault::Answer(422, json!({"error": {"code": "opted_out"}})));
        world.workers().to_channel.work(&task, &attempt("a", 0)).await.unwrap();
        let news = world.news.sent().into_iter().find(|message| message.body.contains("undelivered_v1")).unwrap();
        let ports = world.ports(None);
        // The first call is for the notice itself.
        ports.pass("acquire");
        ports.fail("acquire", moment);
        world.workers_with(&ports).to_liveengage.work(&news.body, &attempt("b", 1)).await.unwrap_err();
        world.workers().to_liveengage.work(&news.body, &attempt("c", 6)).await.unwrap();
        assert_eq!(texts(&world).iter().filter(|text| text.starts_with("[Not delivered")).count(), 1, "{moment:?}");
    }
}
