//! Reports of a failure, and reports that name a message by our own reference alone.

use serde_json::json;

use super::{
    ports::Moment,
    world::{ANNA, Fault, SEND, World, agent_says, at, attempt},
};

/// A line whose channel reports, and an agent's text that it has taken as `mt-1`.
async fn shown() -> World {
    let world = World::talking_with(ANNA, &json!({"sms": {"delivery_reports": true}})).await;
    world.workers().to_channel.work(&agent_says("c1", 4, "hi"), &attempt("out", 1)).await.unwrap();
    world
}

fn failed() -> String {
    json!({
        "task": "reports_v1", "line": "sms-main", "user": ANNA, "correlation": "r-report", "accepted_at": at(10),
        "status": {"status": "failed", "code": "41"}, "messages": ["mt-1"],
    })
    .to_string()
}

#[tokio::test]
async fn a_failure_that_nobody_can_be_told_of_is_kept_although_the_first_worker_could_not_keep_it() {
    let world = shown().await;
    world.other().close("c1");
    let ports = world.ports(None);
    ports.fail("park", Moment::Before);
    world.mortal(&ports).to_liveengage.work(&failed(), &attempt("a", 10)).await.unwrap_err();
    assert!(world.store.parked().is_empty());
    world.workers().to_liveengage.work(&failed(), &attempt("b", 20)).await.unwrap();
    assert_eq!(world.store.parked().len(), 1, "nobody was told, so an operator is");
}

#[tokio::test]
async fn the_news_of_a_failure_is_told_at_the_next_attempt_when_liveengage_was_down() {
    let world = shown().await;
    world.fault(SEND, Fault::Answer(503, json!({})));
    world.workers().to_liveengage.work(&failed(), &attempt("a", 10)).await.unwrap_err();
    world.workers().to_liveengage.work(&failed(), &attempt("b", 15)).await.unwrap();
    let told = world.other().texts.clone();
    assert_eq!(told.len(), 1, "not held up by the record of the attempt before: {told:?}");
    assert!(told[0].1.starts_with("[Not delivered: "), "{told:?}");
}

/// A gateway that gives no ids: its report proves that the call was accepted.
#[tokio::test]
async fn a_report_by_our_reference_alone_proves_that_a_call_was_accepted() {
    let world = World::talking_with(ANNA, &json!({"sms": {"delivery_reports": true}})).await;
    let task = agent_says("c1", 4, "hi");
    world.fault("SMS gateway send", Fault::LoseAnswer);
    world.workers().to_channel.work(&task, &attempt("a", 0)).await.unwrap_err();
    let reference = world.other().sms.last().unwrap().1.clone();
    let report = json!({
        "task": "reports_v1", "line": "sms-main", "user": ANNA, "correlation": "r-report", "accepted_at": at(1),
        "status": {"status": "delivered"}, "messages": [], "unnamed": [reference],
    });
    world.workers().to_liveengage.work(&report.to_string(), &attempt("r", 1)).await.unwrap_err();
    world.workers().to_channel.work(&task, &attempt("b", 5)).await.unwrap();
    assert_eq!(world.other().sms_texts(), ["hi"]);
}
