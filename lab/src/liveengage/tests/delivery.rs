//! Tests of webhook delivery.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use sha1::Sha1;
use sha2::Sha256;

use super::{ACCOUNT, CLIENT_ID, Consumer, ReceivedWebhook, Receiver, SECRET, options, simulator};
use crate::journal::Journal;
use crate::liveengage::simulator::LiveEngageSimulator;
use crate::liveengage::{LiveEngageOptions, WebhookEvent, WebhookSettings};
use crate::liveengage::{SignatureForm, UnknownDelivery};

/// The journal's entries about webhooks.
fn outcomes(journal: &Journal) -> Vec<String> {
    journal
        .entries()
        .unwrap()
        .into_iter()
        .filter(|entry| entry.to == "webhook")
        .map(|entry| entry.what.clone())
        .collect()
}

fn on_all(header: (String, String)) -> BTreeMap<WebhookEvent, Vec<(String, String)>> {
    WebhookEvent::ALL.into_iter().map(|event| (event, vec![header.clone()])).collect()
}

#[tokio::test]
async fn each_signature_form_covers_the_raw_body() {
    let sha1 = |body: &[u8]| {
        Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(body).finalize().into_bytes().to_vec()
    };
    let sha256 = |body: &[u8]| {
        Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap().chain_update(body).finalize().into_bytes().to_vec()
    };
    assert_eq!(SignatureForm::default(), SignatureForm::Sha1Base64);
    for form in
        [SignatureForm::Sha1Base64, SignatureForm::Sha1Hex, SignatureForm::Sha256Base64, SignatureForm::Sha256Hex]
    {
        let mut options = options();
        options.accounts[0].signature = form;
        let simulator = LiveEngageSimulator::start(options).await.unwrap();
        let receiver = Receiver::accepting().await;
        let extra = ("x-shared".to_owned(), "extra".to_owned());
        simulator.set_webhooks(ACCOUNT, WebhookSettings { headers: on_all(extra), ..receiver.settings() });
        let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
        simulator.say(&conversation, "Grüße 👋 \"q\"").unwrap();
        simulator.webhooks_settled().await;
        let received = receiver.received();
        assert_eq!(received.len(), 3);
        for call in received {
            let expected = match form {
                SignatureForm::Sha1Base64 => format!("sha1={}", STANDARD.encode(sha1(&call.body))),
                SignatureForm::Sha1Hex => format!("sha1={}", hex::encode(sha1(&call.body))),
                SignatureForm::Sha256Base64 => format!("sha256={}", STANDARD.encode(sha256(&call.body))),
                SignatureForm::Sha256Hex => format!("sha256={}", hex::encode(sha256(&call.body))),
            };
            assert_eq!(call.header("x-liveperson-signature"), expected);
            assert_eq!(call.header("x-liveperson-account-id"), ACCOUNT);
            assert_eq!(call.header("x-liveperson-client-id"), CLIENT_ID);
            assert_eq!(call.header("x-shared"), "extra");
            assert_eq!(call.header("content-type"), "application/json");
        }
    }
}

#[tokio::test]
async fn only_configured_events_are_sent_each_to_its_endpoint() {
    let simulator = simulator().await;
    let (texts, states) = (Receiver::accepting().await, Receiver::accepting().await);
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let endpoints = BTreeMap::from([
        (WebhookEvent::Content, texts.url.clone()),
        (WebhookEvent::ExConversation, states.url.clone()),
    ]);
    simulator.set_webhooks(ACCOUNT, WebhookSettings { endpoints, ..WebhookSettings::default() });
    consumer.say(&conversation, "Hello").await;
    simulator.read(&conversation).unwrap();
    simulator.typing(&conversation, true).unwrap();
    simulator.close(&conversation).unwrap();
    simulator.webhooks_settled().await;
    assert_eq!(texts.texts(), ["Hello"]);
    assert_eq!(texts.received().len(), 1);
    assert_eq!(states.received().len(), 2, "joined and closed; created came before the endpoint was set");
}

#[tokio::test]
async fn only_200_and_201_are_success_and_a_retry_is_the_same_notification() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.join(&conversation).unwrap();
    let receiver = Receiver::answering(|before, _| {
        let failures =
            [StatusCode::ACCEPTED, StatusCode::NO_CONTENT, StatusCode::FOUND, StatusCode::INTERNAL_SERVER_ERROR];
        failures.get(before.len()).copied().unwrap_or(StatusCode::CREATED)
    })
    .await;
    let first_retry_after = Duration::from_millis(5);
    simulator.set_webhooks(ACCOUNT, WebhookSettings { first_retry_after, ..receiver.settings() });
    simulator.say(&conversation, "Hello").unwrap();
    simulator.webhooks_settled().await;

    let received = receiver.received();
    assert_eq!(received.len(), 5, "four failures, and 201");
    assert!(received.iter().all(|call| call.body == received[0].body));
    assert!(received.iter().all(|call| call.path == "/hooks"), "redirects are not followed");
    assert_eq!(simulator.delivered_webhooks().len(), 1);
}

#[tokio::test]
async fn the_delay_between_attempts_doubles() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    let receiver =
        Receiver::answering(|before, _| if before.len() < 3 { StatusCode::BAD_GATEWAY } else { StatusCode::OK }).await;
    let first_retry_after = Duration::from_millis(50);
    simulator.set_webhooks(ACCOUNT, WebhookSettings { first_retry_after, ..receiver.settings() });
    simulator.join(&conversation).unwrap();
    simulator.webhooks_settled().await;
    let received = receiver.received();
    assert_eq!(received.len(), 4);
    let pauses: Vec<Duration> = received.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    for (pause, least) in pauses.iter().zip([50, 100, 200]) {
        assert!(*pause >= Duration::from_millis(least), "{pauses:?}");
    }
    assert_eq!(WebhookSettings::default().first_retry_after, Duration::from_secs(2));
    assert_eq!(WebhookSettings::default().retention, Some(Duration::from_secs(259_200)));
}

#[tokio::test]
async fn without_retention_a_failed_event_is_dropped() {
    let journal = Journal::default();
    let simulator =
        LiveEngageSimulator::start(LiveEngageOptions { journal: journal.clone(), ..options() }).await.unwrap();
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    let receiver =
        Receiver::answering(|before, _| if before.len() == 1 { StatusCode::BAD_GATEWAY } else { StatusCode::OK }).await;
    simulator.set_webhooks(ACCOUNT, WebhookSettings { retention: None, ..receiver.settings() });
    simulator.say(&conversation, "lost").unwrap();
    simulator.say(&conversation, "kept").unwrap();
    simulator.webhooks_settled().await;
    assert_eq!(receiver.texts(), ["kept"]);
    assert_eq!(
        outcomes(&journal),
        ["POST ExConversationChange -> 200", "POST ContentEvent -> 502, dropped", "POST ContentEvent -> 200"]
    );
}

#[tokio::test]
async fn after_the_retention_a_notification_is_dropped() {
    let journal = Journal::default();
    let simulator =
        LiveEngageSimulator::start(LiveEngageOptions { journal: journal.clone(), ..options() }).await.unwrap();
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    let receiver = Receiver::answering(|_, _| StatusCode::INTERNAL_SERVER_ERROR).await;
    let retention = Some(Duration::from_millis(150));
    simulator.set_webhooks(ACCOUNT, WebhookSettings { retention, ..receiver.settings() });
    simulator.join(&conversation).unwrap();
    simulator.webhooks_settled().await;
    let outcomes = outcomes(&journal);
    assert_eq!(outcomes.first().map(String::as_str), Some("POST ExConversationChange -> 500, again in 20ms"));
    assert_eq!(outcomes.last().map(String::as_str), Some("POST ExConversationChange -> 500, dropped"));
    assert!(simulator.delivered_webhooks().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_or_listen_has_failed() {
    let journal = Journal::default();
    let webhook_timeout = Duration::from_millis(100);
    let options = LiveEngageOptions { journal: journal.clone(), webhook_timeout, ..options() };
    let simulator = LiveEngageSimulator::start(options).await.unwrap();
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    // A listener that accepts connections but never reads.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/", silent.local_addr().unwrap()).parse().unwrap();
    simulator.set_webhooks(ACCOUNT, WebhookSettings { retention: None, ..WebhookSettings::to(&endpoint) });
    simulator.join(&conversation).unwrap();
    simulator.webhooks_settled().await;
    drop(silent);
    simulator.close(&conversation).unwrap();
    simulator.webhooks_settled().await;
    assert_eq!(
        outcomes(&journal),
        ["POST ExConversationChange -> timeout, dropped", "POST ExConversationChange -> no connection, dropped"]
    );
}

#[tokio::test]
async fn a_retry_uses_the_current_endpoint() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    let broken = Receiver::answering(|_, _| StatusCode::INTERNAL_SERVER_ERROR).await;
    let mut seen = broken.grown.subscribe();
    simulator.set_webhooks(ACCOUNT, broken.settings());
    simulator.say(&conversation, "Hello").unwrap();
    seen.wait_for(|calls| *calls > 0).await.unwrap();
    let repaired = Receiver::accepting().await;
    simulator.set_webhooks(ACCOUNT, repaired.settings());
    simulator.webhooks_settled().await;
    assert_eq!(repaired.texts(), ["Hello"]);
}

#[tokio::test]
async fn changes_within_the_batch_window_are_sent_together() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.join(&conversation).unwrap();
    let batch_window = Some(Duration::from_millis(500));
    simulator.set_webhooks(ACCOUNT, WebhookSettings { batch_window, ..receiver.settings() });
    for text in ["one", "two", "three"] {
        simulator.say(&conversation, text).unwrap();
    }
    simulator.typing(&conversation, true).unwrap();
    simulator.say(&conversation, "four").unwrap();
    simulator.webhooks_settled().await;
    let received = receiver.received();
    let batches: Vec<Vec<String>> = received.iter().map(ReceivedWebhook::texts).collect();
    assert_eq!(batches, [vec!["one", "two", "three"], vec![], vec!["four"]]);
}

#[tokio::test]
async fn a_delivered_notification_can_be_sent_again() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.join(&conversation).unwrap();
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.say(&conversation, "once").unwrap();
    simulator.say(&conversation, "twice").unwrap();
    simulator.webhooks_settled().await;
    let delivered = simulator.delivered_webhooks();
    assert_eq!(delivered.len(), 2);
    assert_eq!((delivered[1].event, &delivered[1].conversation_id), (WebhookEvent::Content, &conversation));

    simulator.redeliver(delivered[1].number).unwrap();
    simulator.webhooks_settled().await;
    let received = receiver.received();
    assert_eq!(receiver.texts(), ["once", "twice", "twice"]);
    assert_eq!(received[1].body, received[2].body);
    assert_eq!(received[1].header("x-liveperson-signature"), received[2].header("x-liveperson-signature"));
    assert_eq!(simulator.redeliver(9), Err(UnknownDelivery(9)));
}

#[tokio::test]
async fn webhooks_can_be_made_to_overtake_the_response() {
    let receiver = Receiver::accepting().await;
    let mut options = LiveEngageOptions { webhooks_before_response: true, ..options() };
    options.accounts[0].webhooks = receiver.settings();
    let simulator = LiveEngageSimulator::start(options).await.unwrap();
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let received = receiver.received();
    assert_eq!(received.len(), 1, "the notification came before the answer");
    assert_eq!(received[0].change()["result"]["convId"], conversation.as_str());
    consumer.say(&conversation, "Hello").await;
    assert_eq!(receiver.texts(), ["Hello"]);
}

#[tokio::test]
async fn deliveries_stop_with_the_last_handle() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    let receiver = Receiver::answering(|_, _| StatusCode::INTERNAL_SERVER_ERROR).await;
    let mut calls = receiver.grown.subscribe();
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.join(&conversation).unwrap();
    let before = *calls.wait_for(|calls| *calls > 0).await.unwrap();
    drop(simulator);
    // One call may be in progress. Retries after 20, 40, 80 and 160 ms would make more.
    let more = calls.wait_for(|calls| *calls > before + 1);
    assert!(tokio::time::timeout(Duration::from_millis(500), more).await.is_err());
}
