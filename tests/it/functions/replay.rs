//! Captured requests that are sent again later. Their signatures are valid.

use connector::{
    app::replay::OLDEST,
    port::{Clock, QueueMessage},
};
use connector_lab::events::fresh;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Deployment, empty, know_anna};
use crate::events::{self, CLIENT_SECRET, CONVERSATION};

const SEND: &str = "LiveEngage SEND";
const SMS: &str = "SMS gateway send";

/// Builds SQS's event from queued messages.
fn batch(messages: &[QueueMessage]) -> Value {
    let record = |(number, message): (usize, &QueueMessage)| {
        json!({
            "messageId": format!("m-{number}"), "receiptHandle": format!("r-{number}"), "body": message.body,
            "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": message.group},
            "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": "eu-central-1",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:111122223333:queue.fifo",
        })
    };
    json!({"Records": messages.iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// Gives a worker everything that was ever queued. SQS itself recognizes a repetition for five minutes only.
async fn deliver(connector: &Deployment) {
    let sent = connector.queue.sent();
    let to_liveengage = sent.iter().filter(|message| message.body.contains("channel_event_v1")).cloned();
    let to_channel = sent.iter().filter(|message| message.body.contains("liveengage_change_v1")).cloned();
    let (to_liveengage, to_channel): (Vec<_>, Vec<_>) = (to_liveengage.collect(), to_channel.collect());
    let (one_way, other_way) = (connector.to_liveengage(), connector.to_channel());
    for _ in 0..3 {
        let mut again = connector.run(&one_way, &batch(&to_liveengage)).await;
        again.extend(connector.run(&other_way, &batch(&to_channel)).await);
        if again.is_empty() {
            return;
        }
        // A late message may wait for an earlier one.
        connector.clock.advance(SignedDuration::from_secs(5));
    }
    panic!("something comes again and again");
}

fn count(connector: &Deployment, call: &str) -> usize {
    connector.calls().iter().filter(|name| **name == call).count()
}

#[tokio::test]
async fn a_captured_sms_arrives_once_and_is_refused_after_five_minutes() {
    let connector = Deployment::new().await;
    let event = events::event("inbound-text.json");
    for status in [200, 200, 401] {
        assert_eq!(connector.call_inbound(&event).await, empty(status));
        deliver(&connector).await;
        assert_eq!(count(&connector, SEND), 1);
        connector.clock.advance(SignedDuration::from_mins(4));
    }
}

/// Opens Anna's conversation, so that an agent's text in it is delivered to her.
async fn in_conversation() -> Deployment {
    let connector = Deployment::new().await;
    know_anna(&connector.store).await;
    let opened = events::event("to-channel-batch.json");
    let opening = json!({"Records": [opened["Records"][0]]});
    assert_eq!(connector.run(&connector.to_channel(), &opening).await, [""; 0]);
    connector
}

#[tokio::test]
async fn a_captured_notification_arrives_once_and_is_refused_before_it_is_forgotten() {
    let event = events::event("webhook-text.json");
    let connector = in_conversation().await;
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    // LiveEngage repeats a webhook for three days.
    let hours = |hours: i64| SignedDuration::from_hours(hours);
    for (passed, status) in
        [(days(0), 200), (days(3), 200), (days(9), 200), (hours(23), 200), (hours(2), 401), (days(300), 401)]
    {
        connector.clock.advance(passed);
        assert_eq!(connector.call_webhook(&event).await, empty(status), "after {passed:#} more");
        deliver(&connector).await;
        assert_eq!(count(&connector, SMS), 1);
    }
    assert_eq!(connector.queue.sent().len(), 4);

    // A connector that has forgotten the message would send the text again.
    let forgetful = in_conversation().await;
    forgetful.clock.advance(OLDEST + days(1));
    assert_eq!(forgetful.call_webhook(&event).await, empty(401));
    deliver(&forgetful).await;
    assert_eq!(count(&forgetful, SMS), 0);
}

fn change(sequence: u64, age: SignedDuration, event: &Value) -> Value {
    json!({
        "sequence": sequence, "originatorMetadata": {"id": "a", "role": "ASSIGNED_AGENT"}, "conversationId": CONVERSATION,
        "dialogId": CONVERSATION, "serverTimestamp": (events::now() - age).as_millisecond(), "event": event,
    })
}

#[tokio::test]
async fn what_is_new_is_taken_from_a_notification_beside_what_is_too_old() {
    let old = OLDEST + SignedDuration::from_mins(1);
    let text = |text: &str| json!({"type": "ContentEvent", "contentType": "text/plain", "message": text});
    let read = json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [1]});
    let mut without_time = change(5, old, &text("no time at all"));
    without_time.as_object_mut().unwrap().remove("serverTimestamp");
    let mut in_seconds = change(6, old, &text("a time in seconds"));
    in_seconds["serverTimestamp"] = json!((events::now() - old).as_second());
    for (what, changes, status, queued) in [
        ("old and new", vec![change(1, old, &text("old")), change(2, SignedDuration::ZERO, &text("new"))], 401, 1),
        ("an old status alone is no news", vec![change(3, old, &read)], 200, 0),
        ("just not too old", vec![change(4, OLDEST, &text("late"))], 200, 1),
        ("a missing or misread time loses no text", vec![without_time, in_seconds], 200, 2),
        ("a clock that is ahead", vec![change(7, -old, &text("early"))], 200, 1),
    ] {
        let connector = Deployment::new().await;
        let body = json!({"type": "ms.MessagingEventNotification", "body": {"changes": changes}}).to_string();
        let event = events::webhook_with(body.as_bytes(), CLIENT_SECRET);
        assert_eq!(connector.call_webhook(&event).await, empty(status), "{what}");
        assert_eq!(connector.tasks().len(), queued, "{what}");
    }
}

/// A state change has no time that shows its age, because a conversation may have begun weeks ago.
#[tokio::test]
async fn old_news_of_a_conversation_is_taken_and_changes_nothing_that_is_newer() {
    let connector = in_conversation().await;
    let closed = events::event("webhook-closed.json");
    assert_eq!(connector.call_webhook(&closed).await, empty(200));
    deliver(&connector).await;
    connector.clock.advance(SignedDuration::from_hours(24 * 30));
    // Send the opening again, long after the end.
    let opening = json!({"Records": [events::event("to-channel-batch.json")["Records"][0]]});
    connector.run(&connector.to_channel(), &opening).await;
    connector.run(&connector.to_liveengage(), &events::event("to-liveengage-batch.json")).await;
    assert!(count(&connector, "LiveEngage CONVERSATION") > 0, "Anna's text has opened a conversation of its own");
}

#[tokio::test]
async fn a_recording_that_is_made_fresh_is_taken_as_it_was() {
    let connector = Deployment::new().await;
    connector.clock.advance(SignedDuration::from_hours(24 * 400));
    let secrets = events::event("secrets.json");
    for (name, answered) in [
        ("webhook-text.json", 200),
        ("webhook-batch.json", 200),
        ("webhook-closed.json", 200),
        ("webhook-wrong-signature.json", 401),
        ("inbound-text.json", 200),
        ("inbound-unsigned.json", 401),
        ("inbound-whatsapp-text.json", 200),
    ] {
        let event = fresh(&events::event(name), &secrets, connector.clock.now()).unwrap();
        assert_eq!(event["headers"]["content-length"], json!(events::body(&event).len().to_string()), "{name}");
        let before = connector.tasks().len();
        let is_webhook = name.starts_with("webhook");
        let answer =
            if is_webhook { connector.call_webhook(&event).await } else { connector.call_inbound(&event).await };
        assert_eq!(answer, empty(answered), "{name}");
        assert_eq!(connector.tasks().len() > before, answered == 200, "{name}");
    }
}
