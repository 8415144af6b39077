//! Bodies and headers that are too large, too deep or broken. They are refused, accepted or parked, but never answered 500 again and again.

use base64::{Engine, engine::general_purpose::STANDARD};
use connector::{
    port::QueueMessage,
    queue_message::{LARGEST_BODY as LARGEST_QUEUE_BODY, parts},
};
use connector_aws::lambda::http::LARGEST_BODY;
use serde_json::{Value, json};

use super::{Deployment, empty};
use crate::events::{self, ANNA, CLIENT_SECRET, CONVERSATION, WEBHOOK_SECRET};

fn change(sequence: u64, conversation: &str, text: &str) -> Value {
    json!({
        "sequence": sequence, "originatorMetadata": {"id": "a", "role": "ASSIGNED_AGENT"}, "conversationId": conversation,
        "dialogId": conversation, "event": {"type": "ContentEvent", "contentType": "text/plain", "message": text},
    })
}

fn notification(changes: &[Value]) -> Value {
    let body = json!({"type": "ms.MessagingEventNotification", "body": {"changes": changes}}).to_string();
    events::webhook_with(body.as_bytes(), CLIENT_SECRET)
}

fn sms(body: &[u8]) -> Value {
    events::inbound_with(body, WEBHOOK_SECRET, events::now())
}

/// JSON of the greatest possible depth. A recursive reader would crash the process.
fn deep() -> Vec<Vec<u8>> {
    let depth = 2_000_000;
    vec![
        b"[".repeat(depth),
        [b"[".repeat(depth / 2), b"]".repeat(depth / 2)].concat(),
        b"{\"a\":".repeat(depth / 5),
        [b"{\"type\":\"message\",\"id\":\"mo-1\",\"from\":\"+491713920017\",\"text\":".as_slice(), &b"[".repeat(depth)]
            .concat(),
    ]
}

#[tokio::test]
async fn json_of_any_depth_is_an_error_and_no_crash() {
    for body in deep() {
        let connector = Deployment::new().await;
        assert_eq!(connector.call_inbound(&sms(&body)).await, empty(400));
        assert!(connector.tasks().is_empty());
        assert_eq!(connector.call_webhook(&events::webhook_with(&body, CLIENT_SECRET)).await, empty(200));
        assert_eq!(connector.tasks()[0]["task"], "unreadable_notification_v1");
    }
}

#[tokio::test]
async fn of_an_unreadable_notification_that_fits_into_no_queue_the_beginning_is_kept() {
    let connector = Deployment::new().await;
    let body = b"<!doctype html> ".repeat(LARGEST_BODY / 16);
    let event = events::webhook_with(&body, CLIENT_SECRET);
    assert_eq!(connector.call_webhook(&event).await, empty(200));
    assert_eq!(connector.call_webhook(&event).await, empty(200));
    let sent = connector.queue.sent();
    assert!(sent[0].body.len() <= LARGEST_QUEUE_BODY, "{} bytes", sent[0].body.len());
    assert_eq!(sent[0].deduplication, sent[1].deduplication);
    let kept = STANDARD.decode(connector.tasks()[0]["body"].as_str().unwrap()).unwrap();
    assert!(kept.len() >= 100 * 1024 && body.starts_with(&kept), "{} bytes", kept.len());
    // Two bodies that differ only in the part that is cut off are two messages.
    let mut other = body;
    *other.last_mut().unwrap() = b'.';
    assert_eq!(connector.call_webhook(&events::webhook_with(&other, CLIENT_SECRET)).await, empty(200));
    assert_ne!(connector.queue.sent()[2].deduplication, sent[0].deduplication);
}

#[tokio::test]
async fn thousands_of_changes_are_all_queued_and_in_order() {
    let connector = Deployment::new().await;
    let changes: Vec<Value> = (0..5000_u64).map(|n| change(n, &format!("c-{}", n % 50), "and another text")).collect();
    assert_eq!(connector.call_webhook(&notification(&changes)).await, empty(200));
    let numbers: Vec<u64> = connector.tasks().iter().map(|task| task["change"]["sequence"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..5000).collect::<Vec<_>>());
}

/// Each queue message of a group is a separate call, one after the other, and LiveEngage waits only ten seconds.
#[tokio::test]
async fn six_hundred_changes_of_one_conversation_are_a_hundred_queue_messages_in_order() {
    let connector = Deployment::new().await;
    let changes: Vec<Value> = (0..600_u64).map(|n| change(n, CONVERSATION, "and another text")).collect();
    for _ in 0..2 {
        assert_eq!(connector.call_webhook(&notification(&changes)).await, empty(200));
    }
    let sent = connector.queue.sent();
    let (sent, again) = sent.split_at(100);
    assert_eq!((sent.len(), again.len()), (100, 100));
    let names = |sent: &[QueueMessage]| sent.iter().map(|message| message.deduplication.clone()).collect::<Vec<_>>();
    assert_eq!(names(sent), names(again), "the queue knows them again");
    let number = |part: String| serde_json::from_str::<Value>(&part).unwrap()["change"]["sequence"].as_u64().unwrap();
    let numbers: Vec<u64> = sent.iter().flat_map(|message| parts(&message.body).unwrap()).map(number).collect();
    assert_eq!(numbers, (0..600).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_change_that_fits_into_no_queue_is_replaced_by_one_that_the_agent_is_told_of() {
    let connector = Deployment::new().await;
    let large = "x".repeat(LARGEST_QUEUE_BODY);
    let changes =
        [change(1, CONVERSATION, "before"), change(2, CONVERSATION, &large), change(3, CONVERSATION, "after")];
    assert_eq!(connector.call_webhook(&notification(&changes)).await, empty(200));
    let tasks = connector.tasks();
    assert_eq!(tasks.len(), 3, "the others go on");
    for (task, wanted) in tasks.iter().zip(&changes) {
        assert_eq!(task["change"]["sequence"], wanted["sequence"]);
        assert_eq!(task["change"]["conversationId"], CONVERSATION);
    }
    let event = &tasks[1]["change"]["event"];
    assert_eq!(event, &json!({"type": "ContentEvent", "contentType": "content of more than 256 KB"}));
    let sent = connector.queue.sent();
    assert!(sent.iter().all(|message| message.body.len() <= LARGEST_QUEUE_BODY));
    assert_eq!(sent[0].group, sent[1].group);
    assert_ne!(sent[1].deduplication, sent[2].deduplication);

    // If a message can't be made smaller, it is parked like an unreadable one.
    let mut everywhere = change(4, CONVERSATION, "small");
    everywhere["originatorClientProperties"] = json!(large);
    let many: Vec<u64> = (0..100_000).collect();
    let statuses = json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": many});
    let mut read = change(5, CONVERSATION, "");
    read["event"] = statuses;
    assert_eq!(connector.call_webhook(&notification(&[everywhere, read])).await, empty(200));
    let sent = connector.queue.sent();
    assert_eq!(sent.len(), 5);
    for message in &sent[3..] {
        assert!(message.body.len() <= LARGEST_QUEUE_BODY && message.body.contains("unreadable_notification_v1"));
    }
}

#[tokio::test]
async fn a_text_that_fits_into_no_queue_is_replaced_by_a_placeholder() {
    let connector = Deployment::new().await;
    let text = |length: usize| json!({"id": "mo-1", "from": ANNA, "text": "\u{1}".repeat(length)}).to_string();
    // A control character takes six characters in JSON.
    assert_eq!(connector.call_inbound(&sms(text(40_000).as_bytes())).await, empty(200));
    assert_eq!(connector.call_inbound(&sms(text(50_000).as_bytes())).await, empty(200));
    let sent = connector.queue.sent();
    assert_eq!(connector.tasks()[0]["event"]["content"]["kind"], "text");
    let content = json!({"kind": "unsupported", "label": "message of more than 256 KB"});
    assert_eq!(connector.tasks()[1]["event"]["content"], content);
    assert_eq!((connector.tasks()[1]["event"]["user"].as_str(), &sent[0].group), (Some(ANNA), &sent[1].group));
    assert_eq!(sent[0].deduplication, sent[1].deduplication, "the same message");
}

#[tokio::test]
async fn absurd_and_doubled_headers_are_refused() {
    let connector = Deployment::new().await;
    let (text, webhook) = (events::event("inbound-text.json"), events::event("webhook-text.json"));
    for absurd in
        ["=".repeat(1024 * 1024), "A".repeat(1024 * 1024), "9".repeat(1024 * 1024), "\u{fffd}\u{fffd}".to_owned()]
    {
        for header in [
            "x-sinch-webhook-signature",
            "x-sinch-webhook-signature-nonce",
            "x-sinch-webhook-signature-timestamp",
            "x-sinch-webhook-signature-algorithm",
        ] {
            let mut event = text.clone();
            event["headers"][header] = json!(absurd);
            assert_eq!(connector.call_inbound(&event).await, empty(401), "{header}");
        }
        for header in ["x-liveperson-account-id", "x-liveperson-client-id", "x-liveperson-signature"] {
            let mut event = webhook.clone();
            event["headers"][header] = json!(absurd);
            assert_eq!(connector.call_webhook(&event).await, empty(401), "{header}");
        }
    }
    // API Gateway joins the values of a doubled header, whether they are equal or not.
    for header in
        ["x-sinch-webhook-signature", "x-sinch-webhook-signature-nonce", "x-sinch-webhook-signature-timestamp"]
    {
        let value = text["headers"][header].as_str().unwrap();
        for doubled in [format!("{value},{value}"), format!("{value},other"), format!("other,{value}")] {
            let mut event = text.clone();
            event["headers"][header] = json!(doubled);
            assert_eq!(connector.call_inbound(&event).await, empty(401), "{header}");
        }
    }
    for header in ["x-liveperson-account-id", "x-liveperson-client-id", "x-liveperson-signature"] {
        let value = webhook["headers"][header].as_str().unwrap();
        let mut event = webhook.clone();
        event["headers"][header] = json!(format!("{value},{value}"));
        assert_eq!(connector.call_webhook(&event).await, empty(401), "{header}");
    }
    // A hundred other headers of 10 KB have no effect.
    let mut many = text.clone();
    for n in 0..100 {
        many["headers"][format!("x-filling-{n}")] = json!("x".repeat(10_000));
    }
    assert_eq!(connector.call_inbound(&many).await, empty(200));
    assert_eq!(connector.tasks().len(), 1);
}

#[tokio::test]
async fn a_signed_body_that_is_no_utf8_is_unreadable() {
    let mut broken = json!({"id": "mo-1", "from": ANNA, "text": "caf?"}).to_string().into_bytes();
    let question = broken.iter().position(|byte| *byte == b'?').unwrap();
    broken[question] = 0xe9;
    for body in [broken, vec![0xff; 1000], vec![0; 1000], [b"\xff\xfe".as_slice(), &b"{\0}\0".repeat(9)].concat()] {
        let connector = Deployment::new().await;
        assert_eq!(connector.call_inbound(&sms(&body)).await, empty(400));
        assert!(connector.tasks().is_empty());
        assert_eq!(connector.call_webhook(&events::webhook_with(&body, CLIENT_SECRET)).await, empty(200));
        assert_eq!(STANDARD.decode(connector.tasks()[0]["body"].as_str().unwrap()).unwrap(), body, "kept as it came");
    }
}
