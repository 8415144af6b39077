//! Tests of the functions that a queue or the schedule invokes.

use connector::{
    app::token_refresh::HORIZON,
    domain::delivery::ConversationOwner,
    port::{Consumers, Tokens},
};
use connector_liveengage::id::{AccountId, ConversationId};
use connector_message::http::{HttpCall, HttpReply};
use jiff::SignedDuration;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};

use super::{Deployment, accept, know_anna, reply};
use crate::events::{self, ACCOUNT, ANNA, UNKNOWN_CONVERSATION};

const SEND: &str = "LiveEngage SEND";
const SMS: &str = "SMS gateway send";

fn texts(connector: &Deployment) -> Vec<String> {
    let bodies = connector.bodies(SEND);
    bodies.iter().map(|body| body["body"]["event"]["message"].as_str().unwrap().to_owned()).collect()
}

/// A gateway or LiveEngage that answers 503 to calls whose body contains `word`.
fn failing_at(word: &'static str) -> impl Fn(&HttpCall) -> Result<HttpReply, connector_message::http::HttpFailure> {
    move |call| {
        let fails = String::from_utf8_lossy(&call.body).contains(word);
        Ok(if fails { reply(503, &json!({})) } else { accept(call) })
    }
}

#[tokio::test]
async fn a_batch_of_two_people_opens_two_conversations_and_sends_three_texts() {
    let connector = Deployment::new().await;
    let batch = events::event("to-liveengage-batch.json");
    let function = connector.to_liveengage();
    assert_eq!(connector.run(&function, &batch).await, [""; 0]);
    assert_eq!(texts(&connector), ["Hi, where is my parcel? 🙂", "It is order 5521", "Please call me back"]);
    let first_person =
        ["LiveEngage Domain API", "LiveEngage Sentinel", "LiveEngage IDP", "LiveEngage CONVERSATION", SEND];
    let calls = connector.calls();
    assert_eq!(calls[..5], first_person);
    assert_eq!(calls[5..], [SEND, "LiveEngage IDP", "LiveEngage CONVERSATION", SEND]);
    let conversations: Vec<_> =
        connector.bodies(SEND).iter().map(|body| body["body"]["conversationId"].clone()).collect();
    assert_eq!(conversations[0], conversations[1]);
    assert_ne!(conversations[0], conversations[2]);
    assert!(connector.postponed().is_empty());

    // SQS may deliver the batch again. Nothing is sent twice.
    assert_eq!(connector.run(&function, &batch).await, [""; 0]);
    assert_eq!(connector.calls().len(), calls.len());
}

#[tokio::test]
async fn a_failure_stops_only_its_own_person_and_the_order_is_kept() {
    let connector = Deployment::answering(failing_at("where is my parcel")).await;
    let batch = events::event("to-liveengage-batch.json");
    let id = |index: usize| batch["Records"][index]["messageId"].as_str().unwrap().to_owned();
    let failed = connector.run(&connector.to_liveengage(), &batch).await;
    assert_eq!(failed, [id(0), id(2)]);
    assert_eq!(connector.postponed(), [("AQEBevents01".to_owned(), 5), ("AQEBevents03".to_owned(), 5)]);
    assert_eq!(texts(&connector), ["Hi, where is my parcel? 🙂", "Please call me back"], "the third was not tried");
}

#[tokio::test]
async fn agents_texts_reach_the_person_in_order_and_nothing_else_does() {
    let connector = Deployment::new().await;
    know_anna(&connector.store).await;
    let batch = events::event("to-channel-batch.json");
    let function = connector.to_channel();
    // No notification has reported the conversation of the fourth message yet.
    let unknown = batch["Records"][3]["messageId"].as_str().unwrap();
    assert_eq!(connector.run(&function, &batch).await, [unknown]);
    assert_eq!(connector.postponed(), [("AQEBevents04".to_owned(), 1)]);
    let sent: Vec<_> = connector
        .bodies(SMS)
        .iter()
        .map(|body| (body["to"].as_str().unwrap().to_owned(), body["text"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(
        sent,
        [
            (ANNA.to_owned(), "Good morning! Your parcel is on its way 📦🚚".to_owned()),
            (ANNA.to_owned(), "Anything else?".to_owned()),
        ]
    );

    // 13 minutes after its arrival, the connector presumes that it is another channel's. Sent messages are not affected.
    connector.clock.advance(SignedDuration::from_secs(905));
    assert_eq!(connector.run(&function, &batch).await, [""; 0]);
    assert_eq!(connector.bodies(SMS).len(), 2);
    let owner = connector
        .store
        .conversation_owner(&AccountId::new(ACCOUNT).unwrap(), &ConversationId::new(UNKNOWN_CONVERSATION).unwrap())
        .await;
    assert_eq!(owner.unwrap(), Some(ConversationOwner::PresumedForeign));
}

#[tokio::test]
async fn a_gateway_that_fails_holds_up_one_conversation() {
    let connector = Deployment::answering(failing_at("Good morning")).await;
    know_anna(&connector.store).await;
    let batch = events::event("to-channel-batch.json");
    let failed = connector.run(&connector.to_channel(), &batch).await;
    let ids: Vec<_> = [1, 3, 4].map(|index| batch["Records"][index]["messageId"].as_str().unwrap()).into();
    assert_eq!(failed, ids, "the first was only news, and the third an echo");
    assert_eq!(connector.bodies(SMS).len(), 1);
}

#[tokio::test]
async fn what_no_version_has_written_is_kept_for_a_person_and_blocks_nobody() {
    let connector = Deployment::new().await;
    let mut batch = events::event("to-liveengage-batch.json");
    batch["Records"][0]["body"] = json!("{\"event\":{}}");
    batch["Records"][1]["body"] = json!("nothing like JSON");
    assert_eq!(connector.run(&connector.to_liveengage(), &batch).await, [""; 0]);
    assert_eq!(texts(&connector), ["It is order 5521"]);
    let parked = connector.store.parked();
    assert_eq!(parked.len(), 2);
    assert_eq!(parked[0].reason, "a queue message of another form can't be read");
    assert_eq!(parked[1].body, "nothing like JSON");
}

/// Messages of an entry point of another version: a deployment has replaced it before this worker, or a rollback after it.
#[tokio::test]
async fn a_queue_message_of_a_newer_version_waits_for_its_worker_a_quarter_of_an_hour_with_its_group_behind_it() {
    for (of_a_newer_version, is_liveengage) in [
        (json!({"task": "channel_event_v2", "line": "sms-main"}), true),
        (json!({"task": "liveengage_change_v1", "notification": "ms.OfNextYear", "line": "sms-main"}), false),
    ] {
        let connector = Deployment::new().await;
        know_anna(&connector.store).await;
        let name = if is_liveengage { "to-liveengage-batch.json" } else { "to-channel-batch.json" };
        let function = if is_liveengage { connector.to_liveengage() } else { connector.to_channel() };
        let mut batch = events::event(name);
        // The first message of a group with two messages.
        let first = if is_liveengage { 0 } else { 1 };
        batch["Records"][first]["body"] = json!(of_a_newer_version.to_string());
        let group = batch["Records"][first]["attributes"]["MessageGroupId"].clone();
        let records = batch["Records"].as_array().unwrap().iter();
        let behind: Vec<_> = records
            .skip(first)
            .filter(|record| record["attributes"]["MessageGroupId"] == group)
            .map(|record| record["messageId"].as_str().unwrap().to_owned())
            .collect();
        assert!(behind.len() > 1);
        for _ in 0..15 {
            let failed = connector.run(&function, &batch).await;
            assert!(behind.iter().all(|id| failed.contains(id)), "{failed:?}");
            let waits = connector.postponed();
            assert!(waits.iter().filter(|(_, wait)| *wait == 60).count() >= behind.len(), "{waits:?}");
            assert!(connector.store.parked().is_empty());
            connector.clock.advance(SignedDuration::from_mins(1));
        }
        let failed = connector.run(&function, &batch).await;
        assert!(behind.iter().all(|id| !failed.contains(id)), "the others go on: {failed:?}");
        let parked = connector.store.parked();
        assert_eq!(parked.len(), 1);
        assert_eq!(parked[0].body, of_a_newer_version.to_string());
        assert_eq!(parked[0].line.as_ref().unwrap().as_str(), "sms-main");
        // The webhook comes again, or the queue delivers the message a second time.
        connector.run(&function, &batch).await;
        assert_eq!(connector.store.parked().len(), 1);
    }
}

#[tokio::test]
async fn the_schedule_renews_a_token_before_it_is_due() {
    let connector = Deployment::new().await;
    let function = connector.token_refresh();
    let run = async || {
        let event: Value = events::event("token-refresh-schedule.json");
        function.handle(LambdaEvent::new(event, connector.context())).await
    };
    run().await.unwrap();
    assert_eq!(connector.calls(), ["LiveEngage Domain API", "LiveEngage Sentinel"]);
    let account = AccountId::new(ACCOUNT).unwrap();
    let token = connector.store.token(&account).await.unwrap().unwrap();
    assert_eq!(token.expires_at, events::now() + SignedDuration::from_hours(1));
    // The function runs every ten minutes. It renews a token of one hour if the token is due (five minutes before its end) within the
    // horizon.
    let mut renewed_at = vec![];
    for minutes in (10..=60).step_by(10) {
        connector.clock.advance(SignedDuration::from_mins(10));
        let before = connector.calls().iter().filter(|call| **call == "LiveEngage Sentinel").count();
        run().await.unwrap();
        if connector.calls().iter().filter(|call| **call == "LiveEngage Sentinel").count() > before {
            renewed_at.push(minutes);
        }
    }
    assert_eq!(HORIZON, SignedDuration::from_mins(20));
    assert_eq!(renewed_at, [40]);
}

#[tokio::test]
async fn a_refused_app_install_fails_the_schedule_without_telling_its_secret() {
    let connector = Deployment::answering(|call| {
        Ok(if call.name == "LiveEngage Sentinel" { reply(401, &json!({"error": "no"})) } else { accept(call) })
    })
    .await;
    let event: Value = events::event("token-refresh-schedule.json");
    let error = connector.token_refresh().handle(LambdaEvent::new(event, connector.context())).await.unwrap_err();
    assert_eq!(error.to_string(), "the AppJWTs of 1 account(s) can't be renewed");
    assert_eq!(lambda_runtime::Diagnostic::from(error).error_type, "TokensNotRenewed");
}

#[tokio::test]
async fn a_secret_that_liveperson_has_rotated_is_found_by_sentinels_refusal() {
    let connector = Deployment::answering(|call| {
        let refused = call.name == "LiveEngage Sentinel" && !String::from_utf8_lossy(&call.body).contains("newer");
        Ok(if refused { reply(401, &json!({})) } else { accept(call) })
    })
    .await;
    let account = connector.accounts.ids().next().unwrap();
    connector.accounts.get(account, events::now()).await.unwrap();
    let mut secret = events::account_secret();
    secret["client_secret"] = json!("newer");
    connector.secrets.put(super::ACCOUNT_SECRET, &secret);
    connector.clock.advance(SignedDuration::from_mins(1));
    let event: Value = events::event("token-refresh-schedule.json");
    connector.token_refresh().handle(LambdaEvent::new(event, connector.context())).await.unwrap();
    let sentinel = connector.calls().iter().filter(|call| **call == "LiveEngage Sentinel").count();
    assert_eq!(sentinel, 2, "one refused, one accepted");
}

#[tokio::test]
async fn a_look_for_lost_webhooks_without_evidence_calls_nobody() {
    let connector = Deployment::new().await;
    let event: Value = events::event("reconcile-schedule.json");
    connector.reconcile().handle(LambdaEvent::new(event, connector.context())).await.unwrap();
    assert!(connector.calls().is_empty() && connector.queue.sent().is_empty());
}

#[tokio::test]
async fn an_unreadable_notification_is_parked_whole() {
    let connector = Deployment::new().await;
    let event = events::webhook_with(b"no notification", events::CLIENT_SECRET);
    assert_eq!(connector.call_webhook(&event).await, super::empty(200));
    let mut batch = events::event("to-channel-batch.json");
    let record = &mut batch["Records"].as_array_mut().unwrap();
    record.truncate(1);
    record[0]["body"] = json!(connector.queue.sent()[0].body);
    for _ in 0..2 {
        assert_eq!(connector.run(&connector.to_channel(), &batch).await, [""; 0]);
        connector.clock.advance(SignedDuration::from_mins(10));
    }
    let parked = connector.store.parked();
    assert_eq!(parked.len(), 1);
    let kept: Value = serde_json::from_str(&parked[0].body).unwrap();
    assert_eq!(kept, connector.tasks()[0]);
}
