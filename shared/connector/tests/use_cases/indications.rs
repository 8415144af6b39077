//! Typing and reports: from the channel to the agent.

use serde_json::{Value, json};

use super::world::{ANNA, BEN, Fault, SMS, World, again, agent_says, at, attempt, from_channel};
use connector::{domain::receipt::ReceiptName, port::Ledger};
use connector_channels::id::ProviderMessageId;

/// Returns the events that were published, without their dialogs.
fn events(world: &World) -> Vec<Value> {
    world.other().requests.iter().map(|request| request["body"]["event"].clone()).collect()
}

fn typing(id: &str, accepted: i64, typing: bool) -> String {
    from_channel(id, ANNA, accepted, &json!({"kind": "typing", "typing": typing}))
}

fn state(state: &str) -> Value {
    json!({"type": "ChatStateEvent", "chatState": state})
}

#[tokio::test]
async fn typing_is_shown_and_ended_by_the_channel() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_liveengage;
    assert_eq!(worker.work(&typing("t-1", 20, true), &attempt("a", 20)).await, again(10));
    worker.work(&typing("t-2", 23, false), &attempt("b", 23)).await.unwrap();
    assert_eq!(events(&world), [state("COMPOSING"), state("ACTIVE")]);
    // The first message is delivered again, and no typing is left to end.
    worker.work(&typing("t-1", 20, true), &attempt("a", 30)).await.unwrap();
    assert_eq!(events(&world).len(), 2);
    assert_eq!(world.consumer(ANNA).await.composing, None);
}

#[tokio::test]
async fn typing_without_an_end_is_ended_after_ten_seconds() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_liveengage;
    assert_eq!(worker.work(&typing("t-1", 20, true), &attempt("a", 20)).await, again(10));
    assert_eq!(worker.work(&typing("t-1", 20, true), &attempt("a", 26)).await, again(4));
    worker.work(&typing("t-1", 20, true), &attempt("a", 30)).await.unwrap();
    assert_eq!(events(&world), [state("COMPOSING"), state("ACTIVE")]);
}

#[tokio::test]
async fn the_text_ends_the_typing_before_it() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_liveengage;
    worker.work(&typing("t-1", 20, true), &attempt("a", 20)).await.unwrap_err();
    worker
        .work(&from_channel("mo-2", ANNA, 22, &json!({"kind": "text", "text": "here I am"})), &attempt("b", 22))
        .await
        .unwrap();
    let text = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "here I am"});
    assert_eq!(events(&world), [state("COMPOSING"), text, state("ACTIVE")]);
}

#[tokio::test]
async fn typing_is_sent_at_most_every_five_seconds_and_never_late_or_without_a_conversation() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_liveengage;
    worker.work(&typing("t-1", 20, true), &attempt("a", 20)).await.unwrap_err();
    worker.work(&typing("t-2", 24, true), &attempt("b", 24)).await.unwrap();
    assert_eq!(events(&world).len(), 1, "too soon");
    assert_eq!(worker.work(&typing("t-3", 25, true), &attempt("c", 25)).await, again(10));
    assert_eq!(events(&world).len(), 2);
    worker.work(&typing("t-4", 40, true), &attempt("d", 50)).await.unwrap();
    assert_eq!(events(&world).len(), 2, "ten seconds late");
    let stranger = from_channel("t-5", BEN, 60, &json!({"kind": "typing", "typing": true}));
    worker.work(&stranger, &attempt("e", 60)).await.unwrap();
    assert_eq!(events(&world).len(), 2, "typing opens no conversation");
}

#[tokio::test]
async fn typing_that_fails_is_forgotten() {
    let world = World::talking(ANNA).await;
    world.fault(super::world::SEND, Fault::Answer(429, json!({})));
    world.workers().to_liveengage.work(&typing("t-1", 20, true), &attempt("a", 20)).await.unwrap();
    assert!(world.store.parked().is_empty());
}

/// A world in which Anna received `texts`, as `mt-1`, `mt-2` ... with the sequences 4, 5 ...
async fn shown(texts: &[&str]) -> World {
    let world = World::talking_with(ANNA, &json!({"sms": {"delivery_reports": true}})).await;
    for (index, text) in texts.iter().enumerate() {
        let sequence = 4 + index as u64;
        world.workers().to_channel.work(&agent_says("c1", sequence, text), &attempt("out", 10)).await.unwrap();
    }
    assert!(world.count(SMS) >= texts.len());
    world
}

fn report(status: &Value, messages: &[&str], accepted: i64) -> String {
    json!({
        "task": "reports_v1", "line": "sms-main", "user": ANNA, "correlation": "r-report", "accepted_at": at(accepted),
        "status": status, "messages": messages,
    })
    .to_string()
}

fn accept_status(status: &str, sequences: &[u64]) -> Value {
    json!({"type": "AcceptStatusEvent", "status": status, "sequenceList": sequences})
}

#[tokio::test]
async fn reports_become_accept_and_read_in_one_request_each() {
    let world = shown(&["one", "two"]).await;
    let worker = world.workers().to_liveengage;
    worker.work(&report(&json!({"status": "delivered"}), &["mt-1", "mt-2"], 20), &attempt("a", 20)).await.unwrap();
    worker.work(&report(&json!({"status": "read"}), &["mt-2"], 21), &attempt("b", 21)).await.unwrap();
    // Late and repeated reports change nothing.
    worker.work(&report(&json!({"status": "delivered"}), &["mt-2", "mt-1"], 22), &attempt("c", 22)).await.unwrap();
    assert_eq!(events(&world), [accept_status("ACCEPT", &[4, 5]), accept_status("READ", &[5])]);
}

#[tokio::test]
async fn a_long_text_is_delivered_with_its_last_part() {
    let world = shown(&[&"long ".repeat(400)]).await;
    assert_eq!(world.count(SMS), 2);
    let worker = world.workers().to_liveengage;
    worker.work(&report(&json!({"status": "delivered"}), &["mt-1"], 20), &attempt("a", 20)).await.unwrap();
    assert_eq!(events(&world), [] as [Value; 0]);
    worker.work(&report(&json!({"status": "delivered"}), &["mt-2"], 21), &attempt("b", 21)).await.unwrap();
    assert_eq!(events(&world), [accept_status("ACCEPT", &[4])]);
}

#[tokio::test]
async fn a_failure_is_a_nack_and_a_line_once() {
    let world = shown(&["one"]).await;
    let worker = world.workers().to_liveengage;
    let failed = json!({"status": "failed", "code": "absent_subscriber"});
    for (process, second) in [("a", 20), ("b", 21)] {
        worker.work(&report(&failed, &["mt-1"], second), &attempt(process, second)).await.unwrap();
    }
    let line = "[Not delivered: the channel reports that it could not be delivered (code absent_subscriber)]";
    let text = json!({"type": "ContentEvent", "contentType": "text/plain", "message": line});
    assert_eq!(events(&world), [accept_status("NACK", &[4]), text]);
}

/// A gateway that answers a send without an id, and then reports by our reference or by an id of its own that is not known.
#[tokio::test]
async fn a_failure_of_a_message_that_the_gateway_gave_no_id_is_a_nack_and_a_line() {
    for by_reference_alone in [true, false] {
        let world = World::talking_with(ANNA, &json!({"sms": {"delivery_reports": true}})).await;
        world.fault(SMS, Fault::CarryOutAndAnswer(204));
        world.workers().to_channel.work(&agent_says("c1", 4, "one"), &attempt("out", 10)).await.unwrap();
        let reference = world.other().sms[0].1.clone();
        let failed = json!({"status": "failed", "code": "absent_subscriber"});
        let mut task: Value = serde_json::from_str(&report(&failed, &[], 20)).unwrap();
        if by_reference_alone {
            task["unnamed"] = json!([reference]);
        } else {
            task["messages"] = json!(["mt-unheard-of"]);
            task["references"] = json!([["mt-unheard-of", reference]]);
        }
        for (process, second) in [("a", 20), ("b", 21)] {
            world.workers().to_liveengage.work(&task.to_string(), &attempt(process, second)).await.unwrap();
        }
        let line = "[Not delivered: the channel reports that it could not be delivered (code absent_subscriber)]";
        let text = json!({"type": "ContentEvent", "contentType": "text/plain", "message": line});
        assert_eq!(events(&world), [accept_status("NACK", &[4]), text], "{by_reference_alone}");
    }
}

#[tokio::test]
async fn of_a_text_in_three_parts_no_tick_follows_the_failure_of_one() {
    let world = shown(&[&"long ".repeat(700), "short"]).await;
    assert_eq!(world.count(SMS), 4);
    let worker = world.workers().to_liveengage;
    let failed = json!({"status": "failed", "code": "absent_subscriber"});
    worker.work(&report(&failed, &["mt-2"], 20), &attempt("a", 20)).await.unwrap();
    let before = events(&world);
    assert_eq!(before[0], accept_status("NACK", &[4]));
    for (status, second) in [("delivered", 21), ("read", 22)] {
        let status = report(&json!({"status": status}), &["mt-1", "mt-3", "mt-4"], second);
        worker.work(&status, &attempt(second, second)).await.unwrap();
    }
    let after = events(&world).split_off(before.len());
    assert_eq!(after, [accept_status("ACCEPT", &[5]), accept_status("READ", &[5])], "of the next text alone");
}

#[tokio::test]
async fn a_failed_part_is_reported_although_the_last_one_has_arrived() {
    let world = shown(&[&"long ".repeat(400)]).await;
    let worker = world.workers().to_liveengage;
    worker.work(&report(&json!({"status": "delivered"}), &["mt-2"], 20), &attempt("a", 20)).await.unwrap();
    let failed = json!({"status": "failed", "code": "x"});
    worker.work(&report(&failed, &["mt-1"], 21), &attempt("b", 21)).await.unwrap();
    assert_eq!(events(&world)[..2], [accept_status("ACCEPT", &[4]), accept_status("NACK", &[4])]);
}

/// Also in the form that an older version queued.
#[tokio::test]
async fn an_error_code_that_holds_the_consumers_number_is_not_shown() {
    let world = shown(&["one"]).await;
    let failed = json!({"status": "failed", "code": "unreachable_491713920017"});
    world.workers().to_liveengage.work(&report(&failed, &["mt-1"], 20), &attempt("a", 20)).await.unwrap();
    let line = "[Not delivered: the channel reports that it could not be delivered (code none)]";
    assert_eq!(events(&world)[1]["message"], line);
}

#[tokio::test]
async fn a_rejected_nack_stops_neither_the_notice_nor_the_next_message() {
    let world = shown(&["one", "two"]).await;
    let worker = world.workers().to_liveengage;
    let refused = json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}});
    world.fault(super::world::SEND, Fault::Answer(400, refused));
    let failed = json!({"status": "failed", "code": "x"});
    worker.work(&report(&failed, &["mt-1", "mt-2"], 20), &attempt("a", 20)).await.unwrap();
    let line = "[Not delivered: the channel reports that it could not be delivered (code x)]";
    let text = json!({"type": "ContentEvent", "contentType": "text/plain", "message": line});
    // One notice per hour and conversation. The second message is only marked.
    assert_eq!(events(&world), [text, accept_status("NACK", &[5])]);
}

#[tokio::test]
async fn a_failure_without_a_recipient_for_the_notice_is_parked() {
    let world = shown(&["one", "two"]).await;
    let refused = json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}});
    for _ in 0..4 {
        world.fault(super::world::SEND, Fault::Answer(400, refused.clone()));
    }
    let failed = json!({"status": "failed", "code": "x"});
    let worker = world.workers().to_liveengage;
    worker.work(&report(&failed, &["mt-1", "mt-2"], 20), &attempt("a", 20)).await.unwrap();
    assert_eq!(world.store.parked().len(), 1);
}

#[tokio::test]
async fn a_failure_after_the_end_of_its_conversation_is_parked() {
    let world = shown(&["last words"]).await;
    world.other().close("c1");
    let failed = report(&json!({"status": "failed", "code": "131026"}), &["mt-1"], 20);
    for name in ["a", "again"] {
        world.workers().to_liveengage.work(&failed, &attempt(name, 20)).await.unwrap();
    }
    let parked = world.store.parked();
    assert_eq!(parked.len(), 1);
    assert!(parked[0].reason.contains("131026") && parked[0].reason.contains("has ended"), "{}", parked[0].reason);
}

#[tokio::test]
async fn a_report_that_overtakes_the_answer_waits_and_one_of_nothing_is_dropped() {
    let world = shown(&["one"]).await;
    let worker = world.workers().to_liveengage;
    let unknown = report(&json!({"status": "delivered"}), &["mt-9"], 20);
    assert_eq!(worker.work(&unknown, &attempt("a", 20)).await, again(1));
    assert_eq!(worker.work(&unknown, &attempt("a", 50)).await, again(30));
    worker.work(&unknown, &attempt("a", 140)).await.unwrap();
    assert_eq!(events(&world), [] as [Value; 0]);
    assert!(world.store.parked().is_empty());
}

#[tokio::test]
async fn a_report_is_tried_again_in_an_outage() {
    let world = shown(&["one"]).await;
    let worker = world.workers().to_liveengage;
    world.fault(super::world::SEND, Fault::Answer(429, json!({})));
    let delivered = report(&json!({"status": "delivered"}), &["mt-1"], 20);
    assert_eq!(worker.work(&delivered, &attempt("a", 20)).await, again(5));
    worker.work(&delivered, &attempt("a", 25)).await.unwrap();
    assert_eq!(events(&world), [accept_status("ACCEPT", &[4])]);
}

#[tokio::test]
async fn a_line_without_reports_keeps_no_ledger() {
    let world = World::talking(ANNA).await;
    world.workers().to_channel.work(&agent_says("c1", 4, "one"), &attempt("out", 10)).await.unwrap();
    let id = ReceiptName::Id(ProviderMessageId::new("mt-1").unwrap());
    assert_eq!(world.store.outbound_receipt(&super::world::line(), &id).await.unwrap(), None);
}
