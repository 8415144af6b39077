//! What an operator finds a message by in the logs: its correlation id, its line and its conversation.

use serde_json::json;

use super::world::{ANNA, Fault, SMS, World, agent_says, attempt, from_consumer};
use connector_testing::logged;

/// Returns the log event with this name, without its text for people.
fn named(lines: &[String], name: &str) -> String {
    let name = format!("event=\"{name}\"");
    let lines: Vec<_> = lines.iter().filter_map(|line| Some(line.split_once(&name)?.1.trim().to_owned())).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].clone()
}

const ANSWER: &str = r#"correlation="r-le" line="sms-main" conversation="c1""#;

#[tokio::test]
async fn an_answer_that_must_wait_and_is_delivered_is_found_by_its_ids() {
    let world = World::talking(ANNA).await;
    let (workers, answer) = (world.workers(), agent_says("c1", 4, "hi"));
    world.fault(SMS, Fault::Answer(503, json!({})));
    let (waits, lines) = logged(workers.to_channel.work(&answer, &attempt("a", 2))).await;
    waits.unwrap_err();
    let why = r#"error=the channel asks for a later attempt (HTTP 503) class="channel" attempt=1 retry_in_s=5"#;
    assert_eq!(named(&lines, "message.retry_scheduled"), format!("{ANSWER} {why}"));
    let (delivered, lines) = logged(workers.to_channel.work(&answer, &attempt("b", 7))).await;
    delivered.unwrap();
    assert_eq!(named(&lines, "message.delivered"), format!("{ANSWER} waited_ms=7000 attempt=2"));
}

#[tokio::test]
async fn a_text_is_found_by_its_ids() {
    let world = World::talking(ANNA).await;
    let text = from_consumer("mo-2", ANNA, "two");
    let (delivered, lines) = logged(world.workers().to_liveengage.work(&text, &attempt("a", 3))).await;
    delivered.unwrap();
    let ids = r#"correlation="r-mo-2" line="sms-main" conversation="c1""#;
    assert_eq!(named(&lines, "message.delivered"), format!("{ids} waited_ms=3000 attempt=1"));
}

#[tokio::test]
async fn an_answer_that_is_parked_is_found_by_its_ids() {
    let world = World::talking(ANNA).await;
    world.fault(SMS, Fault::Answer(422, json!({"error": {"code": "opted_out"}})));
    let answer = agent_says("c1", 4, "hi");
    let (parked, lines) = logged(world.workers().to_channel.work(&answer, &attempt("a", 2))).await;
    parked.unwrap();
    let why = "error=the channel can't reach this person (HTTP 422, code opted_out)";
    assert_eq!(named(&lines, "message.parked"), format!("{ANSWER} {why}"));
}

#[tokio::test]
async fn an_answer_without_anything_to_deliver_is_logged_with_the_reason() {
    let world = World::talking(ANNA).await;
    let nothing = agent_says("c1", 4, "");
    let (skipped, lines) = logged(world.workers().to_channel.work(&nothing, &attempt("a", 2))).await;
    skipped.unwrap();
    assert_eq!(named(&lines, "message.skipped"), format!(r#"{ANSWER} reason="empty text""#));
}
