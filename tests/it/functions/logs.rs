//! Checks that no phone number, text or secret is in a log. Runs everything that the functions do, with success and with failures, with all
//! logs at TRACE, and searches for planted values.

use connector_message::http::HttpFailure;
use connector_testing::MemoryQueue;
use jiff::SignedDuration;
use lambda_runtime::LambdaEvent;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{ACCOUNT_SECRET, Deployment, LINE_SECRET, accept, know_anna, reply};
use crate::{
    events::{
        self, ACCOUNT, ANNA, BEARER_TOKEN, BEN, CLIENT_ID, CLIENT_SECRET, CONSUMER_ID_KEY, CONVERSATION, WEBHOOK_SECRET,
    },
    silence::capture,
};

/// A word that is in every text, header and path of a stranger.
const CANARY: &str = "c4nary";

fn assert_silent(logs: &str, also_expected: &[&str]) {
    for line in logs.lines() {
        for planted in [
            CANARY,
            "491713920017",
            "491713920034",
            "parcel",
            "call me back",
            "order 5521",
            "forged",
            CLIENT_SECRET,
            WEBHOOK_SECRET,
            BEARER_TOKEN,
            CONSUMER_ID_KEY,
            "events-app-jwt",
            "events-consumer-jws",
            "c2ln",
            events::NUMBER,
        ] {
            assert!(!line.contains(planted), "{planted} is in the log line {line}");
        }
    }
    for expected in also_expected {
        assert!(logs.contains(expected), "nothing was captured of {expected:?}: {logs}");
    }
}

fn webhook_saying(text: &str) -> Vec<u8> {
    let change = json!({
        "sequence": 9, "originatorMetadata": {"id": "a", "role": "ASSIGNED_AGENT"}, "conversationId": CONVERSATION,
        "dialogId": CONVERSATION, "event": {"type": "ContentEvent", "contentType": "text/plain", "message": text},
    });
    json!({"type": "ms.MessagingEventNotification", "body": {"changes": [change]}}).to_string().into_bytes()
}

#[tokio::test]
async fn the_webhook_function_logs_no_content() {
    let captured = capture();
    let connector = Deployment::new().await;
    for name in ["webhook-text.json", "webhook-batch.json", "webhook-closed.json", "webhook-wrong-signature.json"] {
        connector.call_webhook(&events::event(name)).await;
    }
    for body in [CANARY, "{\"c4nary\":1}", "{\"type\":\"c4nary\",\"body\":{\"c4nary\":1}}"] {
        connector.call_webhook(&events::webhook_with(body.as_bytes(), CLIENT_SECRET)).await;
    }
    let mut stranger = events::event("webhook-text.json");
    for header in ["x-liveperson-account-id", "x-liveperson-client-id", "x-liveperson-signature"] {
        let mut event = stranger.clone();
        event["headers"][header] = json!(CANARY);
        connector.call_webhook(&event).await;
    }
    stranger["headers"]["user-agent"] = json!(CANARY);
    connector.call_webhook(&stranger).await;
    connector.call_webhook(&events::webhook_with(&vec![b'x'; 5 * 1024 * 1024], CLIENT_SECRET)).await;
    connector.queue.fail(true);
    connector.call_webhook(&events::webhook_with(&webhook_saying(CANARY), CLIENT_SECRET)).await;
    // A new version of the secret that can't be read.
    connector
        .secrets
        .put(ACCOUNT_SECRET, &json!({"account_id": ACCOUNT, "client_id": CLIENT_ID, "client_secret": [CANARY]}));
    connector.clock.advance(SignedDuration::from_mins(6));
    connector.call_webhook(&events::event("webhook-text.json")).await;
    assert_silent(
        &captured.text(),
        &[
            "webhook.accepted",
            "webhook.refused",
            "signature wrong",
            "unknown account or client id",
            "webhook.unreadable",
            "webhook.not_queued",
            "too large",
            "secret.reload_failed",
        ],
    );
}

#[tokio::test]
async fn the_inbound_function_logs_no_content() {
    let captured = capture();
    let connector = Deployment::new().await;
    for name in ["inbound-text.json", "inbound-unsigned.json"] {
        connector.call_inbound(&events::event(name)).await;
    }
    for body in [CANARY.to_owned(), json!({"id": [CANARY], "from": ANNA}).to_string()] {
        connector.call_inbound(&events::inbound_with(body.as_bytes(), WEBHOOK_SECRET, events::now())).await;
    }
    let mut stranger = events::event("inbound-text.json");
    stranger["pathParameters"]["line"] = json!(format!("{CANARY}{ANNA}"));
    connector.call_inbound(&stranger).await;
    stranger["pathParameters"]["line"] = json!(CANARY);
    connector.call_inbound(&stranger).await;
    connector.call_inbound(&events::inbound_with(b"forged", CANARY, events::now())).await;
    connector.queue.fail(true);
    connector.call_inbound(&events::event("inbound-text.json")).await;
    let mut secret = events::line_secret();
    secret["sms"]["bearer_token"] = json!("c4nary\nc4nary");
    connector.secrets.put(LINE_SECRET, &secret);
    connector.clock.advance(SignedDuration::from_mins(6));
    connector.call_inbound(&events::event("inbound-text.json")).await;
    assert_silent(
        &captured.text(),
        &[
            "channel_request.accepted",
            "channel_request.unreadable",
            "channel_request.not_queued",
            "unknown line",
            "unsigned",
            "stale",
            "sms.bearer_token",
        ],
    );
}

/// Error bodies as LivePerson and gateways send them, with ids, numbers and texts.
fn talkative_error() -> Value {
    json!({
        "code": format!("call {ANNA}"), "internalErrorCode": CANARY,
        "error": {"code": format!("{CANARY} {ANNA}"), "message": format!("{CANARY}: {BEN}")},
        "body": {"msg": format!("User {ANNA} said {CANARY}"), "title": CANARY, "errorCode": format!("to {BEN}")},
    })
}

#[tokio::test]
async fn the_workers_log_no_content_whatever_the_other_side_answers() {
    let captured = capture();
    for status in [0_u16, 1, 200, 302, 400, 401, 403, 404, 422, 429, 451, 500] {
        for failing in [
            "none",
            "LiveEngage Domain API",
            "LiveEngage Sentinel",
            "LiveEngage IDP",
            "LiveEngage CONVERSATION",
            "LiveEngage SEND",
            "SMS gateway send",
        ] {
            let connector = Deployment::answering(move |call| match status {
                _ if call.name != failing => Ok(accept(call)),
                0 => Err(HttpFailure::NotSent),
                1 => Err(HttpFailure::Unanswered),
                status => Ok(reply(status, &talkative_error())),
            })
            .await;
            let schedule = LambdaEvent::new(events::event("token-refresh-schedule.json"), connector.context());
            // The result does not matter. The test checks only what is logged.
            let _ = connector.token_refresh().handle(schedule).await;
            connector.run(&connector.to_liveengage(), &events::event("to-liveengage-batch.json")).await;
            know_anna(&connector.store).await;
            let mut batch = events::event("to-channel-batch.json");
            connector.run(&connector.to_channel(), &batch).await;
            for record in batch["Records"].as_array_mut().unwrap() {
                record["body"] = json!(CANARY);
            }
            connector.run(&connector.to_channel(), &batch).await;
            connector.run(&connector.to_liveengage(), &batch).await;
            // After half a day, everything that could not be delivered is parked. This is logged, too.
            connector.clock.advance(SignedDuration::from_hours(13));
            connector.run(&connector.to_liveengage(), &events::event("to-liveengage-batch.json")).await;
        }
    }
    assert_silent(
        &captured.text(),
        &[
            "message.delivered",
            "message.retry_scheduled",
            "message.parked",
            "conversation.opened",
            "app_jwt.renewed",
            "app_jwt.renewal_failed",
        ],
    );
}

#[tokio::test]
async fn debug_of_what_holds_content_shows_none() {
    let connector = Deployment::new().await;
    connector.call_webhook(&events::event("webhook-text.json")).await;
    connector.call_inbound(&events::event("inbound-text.json")).await;
    connector.run(&connector.to_liveengage(), &events::event("to-liveengage-batch.json")).await;
    let queue: &MemoryQueue = &connector.queue;
    let account = connector.accounts.ids().next().unwrap();
    let account = connector.accounts.get(account, events::now()).await.unwrap();
    assert_eq!(account.client_secret.expose_secret(), CLIENT_SECRET);
    let line = connector.lines.get(connector.lines.ids().next().unwrap(), events::now()).await.unwrap();
    let shown = format!(
        "{:?} {account:?} {line:?} {:?} {:?} {:?}",
        queue.sent(),
        connector.http.calls(),
        connector.accounts,
        connector.webhook()
    );
    // A line's own number is public, so it is no secret.
    assert_silent(&shown.replace(events::NUMBER, ""), &["QueueMessage", "HttpCall", "72419083"]);
}
