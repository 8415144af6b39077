//! Reports of a failure, and reports that name a message only by our own reference.

use serde_json::json;

use super::{
    ports::Moment,
    world::{ANNA, Fault, SEND, World, agent_says, at, attempt},
};

/// A line whose channel sends reports, and an agent's text that it has accepted as `mt-1`.
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
async fn a_failure_without_a_recipient_is_parked_although_the_first_worker_could_not_park_it() {
    let world = shown().await;
    world.other().close("c1");
    let ports = world.ports(None);
    ports.fail("park", Moment::Before);
    world.workers_with(&ports).to_liveengage.work(&failed(), &attempt("a", 10)).await.unwrap_err();
    assert!(world.store.parked().is_empty());
    world.workers().to_liveengage.work(&failed(), &attempt("b", 20)).await.unwrap();
    assert_eq!(world.store.parked().len(), 1, "no notice was possible, so it is parked");
}

#[tokio::test]
async fn a_failure_notice_is_published_at_the_next_attempt_after_an_outage_of_liveengage() {
    let world = shown().await;
    world.fault(SEND, Fault::Answer(503, json!({})));
    world.workers().to_liveengage.work(&failed(), &attempt("a", 10)).await.unwrap_err();
    world.workers().to_liveengage.work(&failed(), &attempt("b", 15)).await.unwrap();
    let texts = world.other().texts.clone();
    assert_eq!(texts.len(), 1, "not blocked by the record of the attempt before: {texts:?}");
    assert!(texts[0].1.starts_with("[Not delivered: "), "{texts:?}");
}

/// A gateway without ids: its report proves that it accepted the call.
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
