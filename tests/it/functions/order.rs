//! Notifications that overtake each other.

use connector::{
    domain::{delivery::ConsumerRef, id::LineId},
    port::Consumers,
};
use connector_channels::id::ChannelUserId;
use connector_liveengage::id::{AccountId, ConversationId};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Deployment, empty, know_anna};
use crate::events::{self, ACCOUNT, ANNA, CLIENT_SECRET, CONVERSATION, LINE};

const SMS: &str = "SMS gateway send";

/// Anna has an open conversation.
async fn talking(connector: &Deployment) {
    know_anna(&connector.store).await;
    let anna = ConsumerRef { line: LineId::new(LINE).unwrap(), user: ChannelUserId::new(ANNA).unwrap() };
    let (account, conversation) = (AccountId::new(ACCOUNT).unwrap(), ConversationId::new(CONVERSATION).unwrap());
    connector.store.claim_conversation(&account, &conversation, &anna).await.unwrap();
}

/// Calls the webhook with one agent's text that LiveEngage accepted this long ago.
fn call(sequence: u64, text: &str, age: SignedDuration) -> Value {
    let change = json!({
        "sequence": sequence, "originatorMetadata": {"id": "a", "role": "ASSIGNED_AGENT"}, "conversationId": CONVERSATION,
        "dialogId": CONVERSATION, "serverTimestamp": (events::now() - age).as_millisecond(),
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": text},
    });
    let body = json!({"type": "ms.MessagingEventNotification", "body": {"changes": [change]}});
    events::webhook_with(body.to_string().as_bytes(), CLIENT_SECRET)
}

/// Returns the messages in the queue as one batch of their group.
fn batch(connector: &Deployment) -> Value {
    let records: Vec<_> = (1..)
        .zip(connector.queue.sent())
        .map(|(number, message)| {
            json!({
                "messageId": format!("m{number}"), "receiptHandle": format!("r{number}"), "body": message.body,
                "attributes": {"MessageGroupId": message.group, "ApproximateReceiveCount": "1"},
                "messageAttributes": {}, "eventSource": "aws:sqs",
            })
        })
        .collect();
    json!({"Records": records})
}

fn shown(connector: &Deployment) -> Vec<String> {
    connector.bodies(SMS).iter().map(|body| body["text"].as_str().unwrap().to_owned()).collect()
}

/// While LiveEngage recovers, a new event waits 4 s and then overtakes the stored ones.
#[tokio::test]
async fn webhook_calls_that_overtake_each_other_are_shown_by_number() {
    let connector = Deployment::new().await;
    talking(&connector).await;
    let late = SignedDuration::from_secs(4);
    assert_eq!(connector.call_webhook(&call(12, "the third", late)).await, empty(200));
    let function = connector.to_channel();
    assert_eq!(connector.run(&function, &batch(&connector)).await, ["m1"]);
    assert_eq!(connector.postponed(), [("r1".to_owned(), 3)], "it waits for what it may have overtaken");
    connector.clock.advance(SignedDuration::from_secs(2));
    for (sequence, text) in [(10, "the first one"), (11, "the second")] {
        assert_eq!(connector.call_webhook(&call(sequence, text, late * 2)).await, empty(200));
    }
    assert_eq!(connector.run(&function, &batch(&connector)).await, ["m1", "m2", "m3"], "and so do these");
    assert_eq!(shown(&connector), [""; 0]);
    connector.clock.advance(SignedDuration::from_secs(3));
    assert_eq!(connector.run(&function, &batch(&connector)).await, [""; 0]);
    assert_eq!(shown(&connector), ["the first one", "the second", "the third"]);
}

#[tokio::test]
async fn a_late_text_that_nothing_follows_is_shown_after_three_seconds() {
    let connector = Deployment::new().await;
    talking(&connector).await;
    let stored = SignedDuration::from_hours(2);
    assert_eq!(connector.call_webhook(&call(12, "after the outage", stored)).await, empty(200));
    let function = connector.to_channel();
    assert_eq!(connector.run(&function, &batch(&connector)).await, ["m1"]);
    connector.clock.advance(SignedDuration::from_secs(3));
    assert_eq!(connector.run(&function, &batch(&connector)).await, [""; 0]);
    assert_eq!(shown(&connector), ["after the outage"]);
}

#[tokio::test]
async fn a_text_that_comes_at_once_never_waits() {
    let connector = Deployment::new().await;
    talking(&connector).await;
    assert_eq!(connector.call_webhook(&call(12, "at once", SignedDuration::from_millis(200))).await, empty(200));
    assert_eq!(connector.run(&connector.to_channel(), &batch(&connector)).await, [""; 0]);
    assert_eq!(shown(&connector), ["at once"]);
}

/// During a deployment, one of the entry points has queued in a form that this worker can't read yet. Its number is unknown.
#[tokio::test]
async fn no_text_overtakes_one_of_a_newer_version() {
    let connector = Deployment::new().await;
    talking(&connector).await;
    for (sequence, text) in [(9, "the first one"), (12, "the fourth"), (10, "the second"), (11, "the third")] {
        assert_eq!(connector.call_webhook(&call(sequence, text, SignedDuration::ZERO)).await, empty(200));
    }
    let (function, read) = (connector.to_channel(), batch(&connector));
    let mut of_a_newer_version = read.clone();
    let body = read["Records"][1]["body"].as_str().unwrap();
    of_a_newer_version["Records"][1]["body"] = json!(body.replace("liveengage_change_v1", "liveengage_change_v2"));
    assert_eq!(
        connector.run(&function, &of_a_newer_version).await,
        ["m2", "m3", "m4"],
        "what came after it waits for it"
    );
    assert_eq!(shown(&connector), ["the first one"]);
    // The worker of that version.
    assert_eq!(connector.run(&function, &read).await, [""; 0]);
    assert_eq!(shown(&connector), ["the first one", "the second", "the third", "the fourth"]);
}
