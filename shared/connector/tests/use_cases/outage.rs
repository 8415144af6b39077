//! The other side is down: messages wait, and few calls are made.

use serde_json::json;

use super::world::{ANNA, Fault, SEND, SENTINEL, SMS, World, again, agent_says, attempt, from_consumer};
use connector::{app::delivery::RetryLater, port::Tokens};

/// A consumer of these tests.
fn consumer(number: i64) -> String {
    format!("+4917139300{number:02}")
}

/// Returns a world with this many consumers in conversations.
async fn with_consumers(count: i64) -> World {
    let world = World::new().await;
    let workers = world.workers();
    for number in 0..count {
        let task = from_consumer(&format!("mo-first-{number}"), &consumer(number), "hello");
        workers.to_liveengage.work(&task, &attempt(format!("first-{number}"), -600)).await.unwrap();
    }
    world.other().texts.clear();
    world
}

fn text_of(number: i64, name: &str) -> String {
    from_consumer(&format!("mo-{name}-{number}"), &consumer(number), name)
}

#[tokio::test]
async fn while_liveengage_is_down_messages_wait_without_a_call_each() {
    let world = with_consumers(5).await;
    let worker = world.workers().to_liveengage;
    for _ in 0..6 {
        world.fault(SEND, Fault::Answer(503, json!({})));
    }
    for number in 0..5 {
        assert_eq!(worker.work(&text_of(number, "one"), &attempt(number, 1)).await, again(5));
    }
    let calls = world.count(SEND);
    for number in 0..20 {
        let task = text_of(number % 4, &format!("held-{number}"));
        assert_eq!(worker.work(&task, &attempt(format!("h{number}"), 2)).await, again(9), "until the pause is over");
    }
    assert_eq!(world.count(SEND), calls);
    // One call is tried and fails, and the next pause is longer.
    assert_eq!(worker.work(&text_of(0, "one"), &attempt("trial", 11)).await, again(10));
    assert_eq!(worker.work(&text_of(1, "one"), &attempt("held", 12)).await, again(19));
    assert_eq!(world.count(SEND), calls + 1);
    // Another consumer's call than the last time.
    assert_eq!(worker.work(&text_of(0, "one"), &attempt("again", 31)).await, again(10));
    // It is up again: everything is delivered.
    worker.work(&text_of(1, "one"), &attempt("back", 31)).await.unwrap();
    worker.work(&text_of(0, "one"), &attempt("next", 31)).await.unwrap();
    assert_eq!(world.other().texts.len(), 2);
    assert!(world.store.parked().is_empty());
}

#[tokio::test]
async fn a_service_that_is_down_does_not_hold_back_calls_to_another() {
    let world = with_consumers(1).await;
    let worker = world.workers().to_liveengage;
    let new = |number: i64| from_consumer(&format!("mo-new-{number}"), &format!("+4917139311{number:02}"), "hello");
    for second in (1..10_000).step_by(100) {
        // Ten new consumers, whose identities IDP must provide.
        for number in 0..10 {
            world.fault("LiveEngage IDP", Fault::Answer(503, json!({})));
            worker.work(&new(number), &attempt(format!("new-{second}-{number}"), second)).await.unwrap_err();
        }
        let text = text_of(0, &format!("text-{second}"));
        worker.work(&text, &attempt(format!("text-{second}"), second + 1)).await.unwrap();
    }
    assert_eq!(world.other().texts.len(), 100, "at once, every one of them");
    assert!(world.count("LiveEngage IDP") < 500, "and IDP is left alone: {}", world.count("LiveEngage IDP"));
}

#[tokio::test]
async fn numbers_for_which_a_gateway_always_fails_do_not_hold_back_others() {
    let world = with_consumers(12).await;
    let worker = world.workers().to_channel;
    // The calls of ten always fail. Those of the eleventh and the twelfth don't.
    let bad = |second: i64, number: i64| {
        (agent_says(&format!("c{}", number + 1), 1, "failed"), format!("b{second}-{number}"))
    };
    let mut due = [1_i64; 10];
    let mut waited = 0;
    let mut waiting: Option<(i64, i64, String)> = None;
    for second in 1..1200 {
        for (number, due) in (0..).zip(&mut due) {
            if *due > second {
                continue;
            }
            let before = world.count(SMS);
            world.fault(SMS, Fault::Answer(503, json!({})));
            let (task, name) = bad(second, number);
            *due = second + worker.work(&task, &attempt(name, second)).await.unwrap_err().after.as_secs();
            if world.count(SMS) == before {
                // It was held back, and the fault is still there.
                world.other().faults.clear();
            }
        }
        if waiting.is_none() && second % 60 == 2 {
            waiting = Some((
                second,
                second,
                agent_says(["c11", "c12"][usize::from(second % 120 == 2)], second as u64, "well"),
            ));
        }
        if let Some((since, due, task)) = waiting.clone().filter(|(_, due, _)| *due <= second) {
            waiting = match worker.work(&task, &attempt(format!("well-{second}"), second)).await {
                Ok(()) => None,
                Err(RetryLater { after }) => Some((since, due + after.as_secs(), task)),
            };
            waited = waited.max(second - since);
        }
    }
    assert!(waited <= 60, "{waited} s");
    assert!(world.other().sms_texts().iter().filter(|text| text.ends_with("well")).count() >= 19);
}

#[tokio::test]
async fn a_rejection_is_an_answer_and_opens_no_breaker() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_liveengage;
    for number in 0..8 {
        world.fault(SEND, Fault::Answer(429, json!({})));
        let result = worker.work(&from_consumer(&format!("mo-{number}"), ANNA, "one"), &attempt(number, 1)).await;
        assert!(matches!(result, Err(RetryLater { .. })));
    }
    worker.work(&from_consumer("mo-last", ANNA, "one"), &attempt("last", 2)).await.unwrap();
}

#[tokio::test]
async fn while_a_channel_is_down_its_line_gets_no_calls() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_channel;
    for number in 0..5 {
        world.fault(SMS, Fault::NotSent);
        assert_eq!(worker.work(&agent_says("c1", number, "one"), &attempt(number, 1)).await, again(5));
    }
    assert_eq!(worker.work(&agent_says("c1", 9, "held"), &attempt("held", 3)).await, again(8));
    assert_eq!(world.count(SMS), 5);
    worker.work(&agent_says("c1", 9, "held"), &attempt("back", 11)).await.unwrap();
    assert_eq!(world.other().sms_texts(), ["held"]);
}

#[tokio::test]
async fn waiting_for_a_token_does_not_lengthen_a_messages_waits() {
    let world = World::new().await;
    let other_worker = super::world::owner("other");
    let (account, at) = (super::world::account(), super::world::at);
    assert!(world.store.lease_token(&account, &other_worker, at(0), at(60)).await.unwrap());
    let worker = world.workers().to_liveengage;
    let task = from_consumer("mo-1", ANNA, "one");
    for second in 0..=10 {
        assert_eq!(worker.work(&task, &attempt(second, second)).await, again(1));
    }
    world.store.release_token(&account, &other_worker).await.unwrap();
    world.fault(SEND, Fault::Answer(503, json!({})));
    assert_eq!(worker.work(&task, &attempt("first failure", 31)).await, again(5));
    world.fault(SEND, Fault::Answer(503, json!({})));
    assert_eq!(worker.work(&task, &attempt("second failure", 36)).await, again(10));
}

/// A queue message is received 200 times before it is a dead letter.
#[tokio::test]
async fn a_message_that_is_held_back_for_twelve_hours_is_received_fewer_times_than_the_queue_allows() {
    let world = with_consumers(6).await;
    let worker = world.workers().to_liveengage;
    let held = text_of(5, "held");
    let down = || {
        world.other().faults.clear();
        world.fault(SEND, Fault::NotSent);
    };
    let (mut received, mut due) = (0, 1_i64);
    for now in (1..12 * 3600).step_by(15) {
        // Another consumer's message takes every trial that is due, and fails.
        for number in 0..5 {
            down();
            let _ = worker.work(&text_of(number, "one"), &attempt(format!("o{now}-{number}"), now)).await;
        }
        if now >= due {
            received += 1;
            down();
            let wait = worker.work(&held, &attempt(format!("h{now}"), now)).await.unwrap_err();
            due = now + wait.after.as_secs();
        }
    }
    assert!(received < 150, "{received}");
    assert!(received > 40, "it does ask: {received}");
}

#[tokio::test]
async fn a_message_that_waits_for_a_token_for_twelve_hours_is_received_fewer_times_than_the_queue_allows() {
    let world = World::new().await;
    let worker = world.workers().to_liveengage;
    let task = from_consumer("mo-1", ANNA, "one");
    let (account, other_worker) = (super::world::account(), super::world::owner("other"));
    let (mut received, mut now) = (0, 1_i64);
    while now < 12 * 3600 {
        // Sentinel hangs, and another worker always holds the lease on the token.
        let (from, until) = (super::world::at(now), super::world::at(now + 8));
        assert!(world.store.lease_token(&account, &other_worker, from, until).await.unwrap());
        received += 1;
        now += worker.work(&task, &attempt(received, now)).await.unwrap_err().after.as_secs();
    }
    assert!(received < 150, "{received}");
    assert_eq!(world.count(SENTINEL), 0);
}

#[tokio::test]
async fn while_sentinel_is_down_it_gets_no_calls() {
    let world = World::new().await;
    let worker = world.workers().to_liveengage;
    for number in 0..5 {
        world.fault(SENTINEL, Fault::LoseAnswer);
        let task = from_consumer(&format!("mo-{number}"), ANNA, "one");
        assert_eq!(worker.work(&task, &attempt(number, 1)).await, again(5));
    }
    for number in 0..20 {
        let task = from_consumer(&format!("mo-held-{number}"), ANNA, "held");
        assert_eq!(worker.work(&task, &attempt(format!("h{number}"), 2)).await, again(9));
    }
    assert_eq!(world.count(SENTINEL), 5);
    worker.work(&from_consumer("mo-0", ANNA, "one"), &attempt("back", 11)).await.unwrap();
    assert_eq!(world.other().texts.len(), 1);
}

/// The workers did not run overnight, so the messages that they find then were never tried.
#[tokio::test]
async fn a_message_that_is_old_at_its_first_attempt_is_not_parked_after_one_rejection() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_liveengage;
    let task = from_consumer("mo-1", ANNA, "one");
    let morning = 13 * 3600;
    for _ in 0..5 {
        world.fault(SEND, Fault::Answer(429, json!({})));
    }
    let mut now = morning;
    for number in 0..5 {
        now += worker.work(&task, &attempt(number, now)).await.unwrap_err().after.as_secs();
    }
    worker.work(&task, &attempt("last", now)).await.unwrap();
    assert_eq!((world.other().texts.len(), world.store.parked().len()), (1, 0));
    // But it is not retried for another twelve hours.
    let (task, mut tries) = (from_consumer("mo-2", ANNA, "two"), 0);
    loop {
        world.fault(SEND, Fault::Answer(429, json!({})));
        tries += 1;
        match worker.work(&task, &attempt(format!("t{tries}"), now)).await {
            Err(RetryLater { after }) => now += after.as_secs(),
            Ok(()) => break,
        }
    }
    assert_eq!((tries, world.store.parked().len()), (6, 1));
}
