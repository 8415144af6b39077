//! Tests of the function `webhook`.

use base64::{Engine, engine::general_purpose::STANDARD};
use connector::domain::digest::digest;
use connector_aws::lambda::http::LARGEST_BODY;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{ACCOUNT_SECRET, Deployment, empty};
use crate::events::{self, ACCOUNT, CLIENT_SECRET, CONVERSATION, UNKNOWN_CONVERSATION};

fn group(conversation: &str) -> String {
    digest([ACCOUNT.as_bytes(), conversation.as_bytes()])
}

/// A notification with one agent's text.
fn notification(text: &str) -> Vec<u8> {
    let change = json!({
        "sequence": 9, "originatorMetadata": {"id": "a", "role": "ASSIGNED_AGENT"}, "conversationId": CONVERSATION,
        "dialogId": CONVERSATION, "event": {"type": "ContentEvent", "contentType": "text/plain", "message": text},
    });
    json!({"type": "ms.MessagingEventNotification", "body": {"changes": [change]}}).to_string().into_bytes()
}

fn account_with_secret(client_secret: &str) -> Value {
    let mut secret = events::account_secret();
    secret["client_secret"] = json!(client_secret);
    secret
}

#[tokio::test]
async fn a_text_is_queued_as_it_came() {
    let connector = Deployment::new().await;
    let event = events::event("webhook-text.json");
    assert_eq!(connector.call_webhook(&event).await, empty(200));
    let tasks = connector.tasks();
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0]["task"], "liveengage_change_v1");
    assert_eq!(tasks[0]["account"], ACCOUNT);
    assert_eq!(tasks[0]["notification"], "ms.MessagingEventNotification");
    assert_eq!(tasks[0]["correlation"], event["requestContext"]["requestId"]);
    assert_eq!(tasks[0]["accepted_at"], "2026-06-15T09:30:00Z");
    assert_eq!(tasks[0]["change"]["event"]["message"], "Good morning! Your parcel is on its way 📦🚚");
    assert_eq!(connector.queue.sent()[0].group, group(CONVERSATION));
    assert!(connector.calls().is_empty());
}

#[tokio::test]
async fn a_body_that_is_not_in_base64_is_the_same_body() {
    let connector = Deployment::new().await;
    let mut event = events::event("webhook-text.json");
    event["body"] = json!(String::from_utf8(events::body(&event)).unwrap());
    event["isBase64Encoded"] = json!(false);
    assert_eq!(connector.call_webhook(&event).await, empty(200));
    assert_eq!(connector.tasks()[0]["change"]["event"]["message"], "Good morning! Your parcel is on its way 📦🚚");
}

#[tokio::test]
async fn every_known_change_of_a_batch_is_queued_in_order_and_an_unknown_one_is_left_out() {
    let connector = Deployment::new().await;
    assert_eq!(connector.call_webhook(&events::event("webhook-batch.json")).await, empty(200));
    let sequences: Vec<_> = connector.tasks().iter().map(|task| task["change"]["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, [3, 4, 0], "number 5 is a private note, and number 6 is of a type that doesn't exist yet");
    let groups: Vec<_> = connector.queue.sent().into_iter().map(|message| message.group).collect();
    let echo = digest([ACCOUNT.as_bytes(), CONVERSATION.as_bytes(), b"echo"]);
    assert_eq!(groups, [group(CONVERSATION), echo, group(UNKNOWN_CONVERSATION)]);
}

#[tokio::test]
async fn the_end_of_a_conversation_is_queued() {
    let connector = Deployment::new().await;
    assert_eq!(connector.call_webhook(&events::event("webhook-closed.json")).await, empty(200));
    let tasks = connector.tasks();
    assert_eq!(tasks[0]["notification"], "cqm.ExConversationChangeNotification");
    assert_eq!(tasks[0]["change"]["result"]["conversationDetails"]["stage"], "CLOSE");
    let news = digest([ACCOUNT.as_bytes(), CONVERSATION.as_bytes(), b"state"]);
    assert_eq!(connector.queue.sent()[0].group, news, "it must not wait behind the conversation's texts");
}

#[tokio::test]
async fn what_is_not_liveengages_is_refused_with_an_empty_body() {
    let signed = events::event("webhook-text.json");
    let without = |header: &str| {
        let mut event = signed.clone();
        event["headers"].as_object_mut().unwrap().remove(header);
        event
    };
    let with = |header: &str, value: &str| {
        let mut event = signed.clone();
        event["headers"][header] = json!(value);
        event
    };
    let signature = signed["headers"]["x-liveperson-signature"].as_str().unwrap().to_owned();
    for (what, event) in [
        ("the fixture", events::event("webhook-wrong-signature.json")),
        ("no signature", without("x-liveperson-signature")),
        ("no account", without("x-liveperson-account-id")),
        ("no client id", without("x-liveperson-client-id")),
        ("an empty signature", with("x-liveperson-signature", "")),
        ("no algorithm", with("x-liveperson-signature", signature.strip_prefix("sha1=").unwrap())),
        ("another algorithm", with("x-liveperson-signature", &signature.replace("sha1", "md5"))),
        ("two signatures", with("x-liveperson-signature", &format!("{signature},{signature}"))),
        ("another client id", with("x-liveperson-client-id", "somebody-else")),
        ("another body", {
            let mut event = signed.clone();
            events::set_body(&mut event, &notification("forged"));
            event
        }),
        ("a signature with the empty secret", events::webhook_with(&notification("forged"), "")),
    ] {
        let connector = Deployment::new().await;
        assert_eq!(connector.call_webhook(&event).await, empty(401), "{what}");
        assert!(connector.tasks().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn an_unknown_account_costs_no_outside_call() {
    let connector = Deployment::new().await;
    let reads = connector.secrets.reads();
    let mut event = events::event("webhook-text.json");
    for account in ["99999999", "../line/sms-main", "", "72419083 "] {
        event["headers"]["x-liveperson-account-id"] = json!(account);
        // An hour passes between the calls. Even an old secret is not read again for a stranger.
        connector.clock.advance(SignedDuration::from_hours(1));
        assert_eq!(connector.call_webhook(&event).await, empty(401), "{account:?}");
    }
    assert_eq!(connector.secrets.reads(), reads);
    assert!(connector.tasks().is_empty());
}

#[tokio::test]
async fn a_signed_body_that_is_no_notification_is_kept_for_a_person() {
    for body in ["", "not json", "[]", "{}", "{\"type\":7}", "{\"body\":{\"changes\":[]}}", "\u{feff}{}"] {
        let connector = Deployment::new().await;
        let event = events::webhook_with(body.as_bytes(), CLIENT_SECRET);
        // After any other answer than 200, LiveEngage would send it again and again and hold back later events.
        assert_eq!(connector.call_webhook(&event).await, empty(200), "{body:?}");
        let tasks = connector.tasks();
        assert_eq!(tasks.len(), 1, "{body:?}");
        assert_eq!(tasks[0]["task"], "unreadable_notification_v1");
        assert_eq!(STANDARD.decode(tasks[0]["body"].as_str().unwrap()).unwrap(), body.as_bytes());

        connector.queue.fail(true);
        assert_eq!(connector.call_webhook(&event).await, empty(500), "{body:?}");
    }
}

#[tokio::test]
async fn a_notification_of_an_unknown_type_is_acknowledged_and_left_out() {
    for body in [
        json!({"type": "routing.RingNotification", "body": {"changes": [{"ringId": "1"}]}}),
        json!({"type": "ms.MessagingEventNotification", "body": {"changes": []}}),
        json!({"type": "ms.MessagingEventNotification"}),
        json!({"type": "cqm.ExConversationChangeNotification", "body": {"changes": [{"type": "DELETE"}]}}),
    ] {
        let connector = Deployment::new().await;
        let event = events::webhook_with(body.to_string().as_bytes(), CLIENT_SECRET);
        assert_eq!(connector.call_webhook(&event).await, empty(200), "{body}");
        assert!(connector.tasks().is_empty(), "{body}");
    }
}

#[tokio::test]
async fn a_known_change_that_cannot_be_read_is_queued_for_the_worker_to_keep() {
    let connector = Deployment::new().await;
    let body = json!({"type": "ms.MessagingEventNotification", "body": {"changes": [{"sequence": 4, "event": {}}]}});
    let event = events::webhook_with(body.to_string().as_bytes(), CLIENT_SECRET);
    assert_eq!(connector.call_webhook(&event).await, empty(200));
    assert_eq!(connector.tasks().len(), 1);
}

#[tokio::test]
async fn a_body_is_taken_up_to_4_mib() {
    let fitting = {
        let around = notification("").len();
        notification(&"x".repeat(LARGEST_BODY - around))
    };
    assert_eq!(fitting.len(), LARGEST_BODY);
    let connector = Deployment::new().await;
    assert_eq!(connector.call_webhook(&events::webhook_with(&fitting, CLIENT_SECRET)).await, empty(200));
    let mut larger = fitting;
    larger.push(b' ');
    assert_eq!(connector.call_webhook(&events::webhook_with(&larger, CLIENT_SECRET)).await, empty(413));
    assert_eq!(connector.tasks().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_queued_is_500_so_that_liveengage_sends_it_again() {
    let connector = Deployment::new().await;
    connector.queue.fail(true);
    let event = events::event("webhook-text.json");
    assert_eq!(connector.call_webhook(&event).await, empty(500));
    connector.queue.fail(false);
    assert_eq!(connector.call_webhook(&event).await, empty(200));
    assert_eq!(connector.tasks().len(), 1);
}

#[tokio::test]
async fn while_a_secret_is_rotated_both_versions_verify() {
    let connector = Deployment::new().await;
    connector.secrets.put(ACCOUNT_SECRET, &account_with_secret("newer"));
    connector.clock.advance(SignedDuration::from_mins(5));
    for (secret, status) in [("newer", 200), (CLIENT_SECRET, 200), ("newest", 401)] {
        let event = events::webhook_with(&notification(secret), secret);
        assert_eq!(connector.call_webhook(&event).await, empty(status), "{secret}");
    }
}

#[tokio::test]
async fn a_rotated_secret_is_found_by_the_first_failure_and_looked_for_once_a_minute() {
    let connector = Deployment::new().await;
    assert_eq!(connector.call_webhook(&events::event("webhook-text.json")).await, empty(200));
    connector.secrets.put(ACCOUNT_SECRET, &account_with_secret("newer"));
    let started_with = connector.secrets.reads();
    let newer = events::webhook_with(&notification("hi"), "newer");
    connector.clock.advance(SignedDuration::from_secs(59));
    assert_eq!(connector.call_webhook(&newer).await, empty(401), "it was read less than a minute ago");
    assert_eq!(connector.secrets.reads(), started_with);
    connector.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(connector.call_webhook(&newer).await, empty(200));
    assert_eq!(connector.secrets.reads(), started_with + 1);
    let forged = events::event("webhook-wrong-signature.json");
    for _ in 0..59 {
        assert_eq!(connector.call_webhook(&forged).await, empty(401));
        connector.clock.advance(SignedDuration::from_secs(1));
    }
    assert_eq!(connector.secrets.reads(), started_with + 1, "strangers can cause failures");
    connector.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(connector.call_webhook(&forged).await, empty(401));
    assert_eq!(connector.secrets.reads(), started_with + 2);
}

#[tokio::test]
async fn after_a_rotation_the_old_secret_is_believed_for_a_day() {
    let connector = Deployment::new().await;
    connector.secrets.put(ACCOUNT_SECRET, &account_with_secret("newer"));
    connector.secrets.date(ACCOUNT_SECRET, events::now());
    let old = events::webhook_with(&notification("hi"), CLIENT_SECRET);
    let newer = events::webhook_with(&notification("hi"), "newer");
    connector.clock.advance(SignedDuration::from_mins(23 * 60 + 59));
    assert_eq!(connector.call_webhook(&old).await, empty(200));
    // A version that was read before the end of the day is used for at most five more minutes.
    connector.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(connector.call_webhook(&old).await, empty(401), "it may have been rotated because it leaked");
    assert_eq!(connector.call_webhook(&newer).await, empty(200));
}
