//! Tests of an app install's retries: by time to live with its states, by numbers, and the rule against slow endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, timeout};

use super::{ACCOUNT, Consumer, Receiver, options};
use crate::journal::Journal;
use crate::liveengage::simulator::LiveEngageSimulator;
use crate::liveengage::{InstallState, SlowRule};
use crate::liveengage::{LiveEngageOptions, WebhookEvent, WebhookSettings};

/// A simulator with its journal.
struct Drill {
    simulator: LiveEngageSimulator,
    journal: Journal,
}

impl Drill {
    async fn start() -> Self {
        let journal = Journal::default();
        let options = LiveEngageOptions { journal: journal.clone(), ..options() };
        Self { simulator: LiveEngageSimulator::start(options).await.unwrap(), journal }
    }

    /// Opens a conversation that the agent has accepted.
    async fn conversation(&self, external_id: &str) -> String {
        let id = Consumer::new(&self.simulator, external_id).await.open().await;
        self.simulator.join(&id).unwrap();
        id
    }

    fn say(&self, conversation: &str, texts: &[&str]) {
        for text in texts {
            self.simulator.say(conversation, text).unwrap();
        }
    }

    fn state(&self) -> InstallState {
        self.simulator.webhook_state(ACCOUNT).unwrap()
    }

    async fn reaches(&self, state: InstallState) {
        let mut changes = self.journal.follow();
        while self.state() != state {
            timeout(Duration::from_secs(10), changes.recv()).await.expect("the state comes in time").unwrap();
        }
    }

    /// The state changes in the journal.
    fn changes(&self) -> Vec<String> {
        let told = self.journal.entries().unwrap().into_iter().filter_map(|entry| {
            let change = entry.what.strip_prefix(&format!("app install of {ACCOUNT}: "))?.to_owned();
            Some(change.split_once(',').unwrap().0.to_owned())
        });
        told.collect()
    }

    fn says(&self, what: &str) -> usize {
        self.journal.entries().unwrap().iter().filter(|entry| entry.what == what).count()
    }
}

/// A receiver that refuses everything until it is repaired.
async fn broken() -> (Receiver, Arc<AtomicBool>) {
    let repaired = Arc::new(AtomicBool::new(false));
    let answers = Arc::clone(&repaired);
    let answer = move || if answers.load(Ordering::SeqCst) { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
    (Receiver::answering(move |_, _| answer()).await, repaired)
}

fn place(texts: &[String], text: &str) -> usize {
    texts.iter().position(|found| found == text).unwrap_or_else(|| panic!("{text} is not in {texts:?}"))
}

const FULL_RECOVERY: [&str; 4] =
    ["Up -> Failed", "Failed -> In Transition", "In Transition -> Recovered", "Recovered -> Up"];

#[tokio::test]
async fn one_failing_endpoint_holds_back_all_endpoints_and_conversations() {
    let drill = Drill::start().await;
    let (first, second) = (drill.conversation("phone-7").await, drill.conversation("phone-8").await);
    let ((texts, repaired), states) = (broken().await, Receiver::accepting().await);
    let endpoints = BTreeMap::from([
        (WebhookEvent::Content, texts.url.clone()),
        (WebhookEvent::ExConversation, states.url.clone()),
    ]);
    drill.simulator.set_webhooks(ACCOUNT, WebhookSettings { endpoints, ..texts.settings() });
    assert_eq!(drill.state(), InstallState::Up);

    drill.say(&first, &["first 1"]);
    drill.reaches(InstallState::Failed).await;
    drill.say(&first, &["first 2"]);
    drill.say(&second, &["second 1", "second 2"]);
    drill.simulator.close(&second).unwrap();
    let mut tries = texts.grown.subscribe();
    tries.wait_for(|tries| *tries >= 3).await.unwrap();
    assert!(texts.received().iter().all(|call| call.texts() == ["first 1"]), "only what has failed is tried again");
    assert!(states.received().is_empty(), "a healthy endpoint waits with the others");
    assert_eq!(drill.says("ExConversationChange stored, the app install is Failed"), 1);

    repaired.store(true, Ordering::SeqCst);
    drill.simulator.webhooks_settled().await;
    let taken = texts.texts();
    assert!(place(&taken, "first 1") < place(&taken, "first 2"), "{taken:?}");
    assert!(place(&taken, "second 1") < place(&taken, "second 2"), "{taken:?}");
    assert_eq!(taken.len(), 4);
    assert_eq!(states.received().len(), 1);
    assert_eq!(drill.state(), InstallState::Up);
    assert_eq!(drill.changes(), FULL_RECOVERY);
}

#[tokio::test]
async fn in_transition_new_conversations_are_sent_directly_and_others_are_appended() {
    let drill = Drill::start().await;
    let [short, long, new] =
        [drill.conversation("phone-7").await, drill.conversation("phone-8").await, drill.conversation("phone-9").await];
    let (receiver, repaired) = broken().await;
    drill.simulator.set_webhooks(ACCOUNT, receiver.settings());
    drill.say(&short, &["short 1"]);
    drill.reaches(InstallState::Failed).await;
    drill.say(&short, &["short 2"]);
    drill.say(&long, &["long 1", "long 2", "long 3", "long 4"]);
    receiver.held.send_replace(vec!["short 2", "long 2"]);
    repaired.store(true, Ordering::SeqCst);

    drill.reaches(InstallState::InTransition).await;
    drill.say(&short, &["short 3"]);
    drill.say(&new, &["new 1"]);
    let mut calls = receiver.grown.subscribe();
    calls.wait_for(|_| receiver.texts().iter().any(|text| text == "new 1")).await.unwrap();
    receiver.held.send_replace(vec!["long 2"]);
    calls.wait_for(|_| receiver.texts().iter().any(|text| text == "long 2")).await.unwrap();
    assert_eq!(drill.state(), InstallState::InTransition);
    receiver.held.send_replace(Vec::new());
    drill.simulator.webhooks_settled().await;
    let taken = receiver.texts();
    assert!(place(&taken, "new 1") < place(&taken, "long 3"), "a new conversation does not wait: {taken:?}");
    assert_eq!(taken.last().map(String::as_str), Some("short 3"), "the whole backlog goes first: {taken:?}");
    let long: Vec<&String> = taken.iter().filter(|text| text.starts_with("long")).collect();
    assert_eq!(long, ["long 1", "long 2", "long 3", "long 4"]);
    let short: Vec<&String> = taken.iter().filter(|text| text.starts_with("short")).collect();
    assert_eq!(short, ["short 1", "short 2", "short 3"]);
    assert_eq!(drill.says("ContentEvent stored, the app install is In Transition"), 1);
    assert_eq!(drill.changes(), FULL_RECOVERY);
}

/// Brings an install into the drain. The backlog is 1 and 2. Stored in the transition are 3, 4 and 5. 6 arrives while 3
/// is in progress.
async fn texts_of_a_drain(drain_wait: Duration) -> Vec<String> {
    let drill = Drill::start().await;
    let conversation = drill.conversation("phone-7").await;
    let (receiver, repaired) = broken().await;
    drill.simulator.set_webhooks(ACCOUNT, WebhookSettings { drain_wait, ..receiver.settings() });
    drill.say(&conversation, &["1"]);
    drill.reaches(InstallState::Failed).await;
    drill.say(&conversation, &["2"]);
    receiver.held.send_replace(vec!["2", "3"]);
    repaired.store(true, Ordering::SeqCst);
    drill.reaches(InstallState::InTransition).await;
    drill.say(&conversation, &["3", "4", "5"]);
    receiver.held.send_replace(vec!["3"]);
    drill.reaches(InstallState::Recovered).await;
    receiver.grown.subscribe().wait_for(|_| receiver.texts().contains(&"3".to_owned())).await.unwrap();
    drill.say(&conversation, &["6"]);
    receiver.held.send_replace(Vec::new());
    drill.simulator.webhooks_settled().await;
    assert_eq!(drill.changes(), FULL_RECOVERY);
    receiver.texts()
}

#[tokio::test]
async fn in_the_drain_a_new_notification_keeps_the_order_if_the_stored_ones_are_sent_in_time() {
    assert_eq!(texts_of_a_drain(Duration::from_secs(30)).await, ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(WebhookSettings::default().drain_wait, Duration::from_secs(4));
}

#[tokio::test]
async fn in_the_drain_a_new_notification_goes_first_after_its_maximum_wait() {
    assert_eq!(texts_of_a_drain(Duration::ZERO).await, ["1", "2", "3", "6", "4", "5"]);
}

#[tokio::test]
async fn an_install_that_fails_again_keeps_the_order() {
    let drill = Drill::start().await;
    let conversation = drill.conversation("phone-7").await;
    // 1 is refused once, and so is 2 after 1 was accepted.
    let receiver = Receiver::answering(|before, _| match before.len() {
        0 | 2 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    })
    .await;
    drill.simulator.set_webhooks(ACCOUNT, receiver.settings());
    drill.say(&conversation, &["1", "2", "3"]);
    drill.simulator.webhooks_settled().await;
    assert_eq!(receiver.texts(), ["1", "2", "3"]);
    let again = ["Up -> Failed", "Failed -> In Transition", "In Transition -> Failed"];
    assert_eq!(drill.changes(), again.iter().chain(&FULL_RECOVERY[1..]).copied().collect::<Vec<_>>());
}

#[tokio::test]
async fn all_failed_endpoints_have_to_answer_before_anything_else_is_sent() {
    let drill = Drill::start().await;
    let conversation = drill.conversation("phone-7").await;
    let ((texts, texts_repaired), (typing, typing_repaired)) = (broken().await, broken().await);
    let endpoints =
        BTreeMap::from([(WebhookEvent::Content, texts.url.clone()), (WebhookEvent::ChatState, typing.url.clone())]);
    let other = drill.conversation("phone-8").await;
    texts.answer_time.send_replace(Duration::from_millis(50));
    typing.answer_time.send_replace(Duration::from_millis(50));
    drill.simulator.set_webhooks(ACCOUNT, WebhookSettings { endpoints, ..texts.settings() });
    // Both are in progress when the first of them fails.
    drill.say(&conversation, &["1", "2"]);
    drill.simulator.typing(&other, true).unwrap();
    drill.reaches(InstallState::Failed).await;
    let mut calls = texts.grown.subscribe();
    calls.wait_for(|calls| *calls >= 2).await.unwrap();
    texts_repaired.store(true, Ordering::SeqCst);
    calls.wait_for(|_| texts.texts() == ["1"]).await.unwrap();
    let mut calls = typing.grown.subscribe();
    let so_far = *calls.borrow();
    calls.wait_for(|calls| *calls >= so_far + 2).await.unwrap();
    assert_eq!(texts.texts(), ["1"]);
    assert_eq!(drill.state(), InstallState::Failed);

    typing_repaired.store(true, Ordering::SeqCst);
    drill.simulator.webhooks_settled().await;
    assert_eq!(texts.texts(), ["1", "2"]);
    assert_eq!(drill.changes(), FULL_RECOVERY);
}

#[tokio::test]
async fn an_exempt_event_fails_no_install_and_is_stored_once_it_has_failed() {
    let drill = Drill::start().await;
    let conversation = drill.conversation("phone-7").await;
    let (receiver, repaired) = broken().await;
    let max_retries = BTreeMap::from([(WebhookEvent::ChatState, 0)]);
    drill.simulator.set_webhooks(ACCOUNT, WebhookSettings { max_retries, ..receiver.settings() });
    drill.simulator.typing(&conversation, true).unwrap();
    drill.simulator.webhooks_settled().await;
    assert_eq!(drill.state(), InstallState::Up);
    assert_eq!(drill.says("POST ChatStateEvent -> 502, dropped"), 1);

    drill.say(&conversation, &["1"]);
    drill.reaches(InstallState::Failed).await;
    drill.simulator.typing(&conversation, false).unwrap();
    repaired.store(true, Ordering::SeqCst);
    drill.simulator.webhooks_settled().await;
    let taken: Vec<String> =
        receiver.taken().iter().map(|call| call.change()["event"]["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(taken, ["ContentEvent", "ChatStateEvent"]);
}

#[tokio::test]
async fn a_notification_stored_too_long_is_dropped_and_the_next_one_is_attempted() {
    let drill = Drill::start().await;
    let conversation = drill.conversation("phone-7").await;
    let (receiver, repaired) = broken().await;
    let retention = Some(Duration::from_millis(150));
    drill.simulator.set_webhooks(ACCOUNT, WebhookSettings { retention, ..receiver.settings() });
    drill.say(&conversation, &["1", "2"]);
    drill.simulator.webhooks_settled().await;
    let (tried, stored) = ("POST ContentEvent -> 502, dropped", "ContentEvent stored for too long, dropped");
    assert_eq!(drill.says(tried) + drill.says(stored), 2);
    drill.reaches(InstallState::Up).await;
    repaired.store(true, Ordering::SeqCst);
    drill.say(&conversation, &["3"]);
    drill.simulator.webhooks_settled().await;
    assert_eq!(receiver.texts(), ["3"]);
}

#[tokio::test]
async fn an_answer_does_not_wait_for_webhooks_that_are_stored() {
    let (receiver, _) = broken().await;
    let mut options = LiveEngageOptions { webhooks_before_response: true, ..options() };
    options.accounts[0].webhooks =
        WebhookSettings { first_retry_after: Duration::from_secs(60), ..receiver.settings() };
    let simulator = LiveEngageSimulator::start(options).await.unwrap();
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let started = Instant::now();
    consumer.say(&conversation, "Hello").await;
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(simulator.webhook_state(ACCOUNT), Some(InstallState::Failed));
    assert_eq!(simulator.webhook_state("another"), None);
}

#[tokio::test]
async fn with_numbered_retries_each_event_is_retried_alone_and_overtaken() {
    let drill = Drill::start().await;
    let conversation = drill.conversation("phone-7").await;
    let receiver = Receiver::answering(|before, body| {
        let late = body["body"]["changes"][0]["event"]["message"] == "late";
        let tries = before.iter().filter(|call| call.texts() == ["late"]).count();
        if late && tries < 2 { StatusCode::BAD_GATEWAY } else { StatusCode::OK }
    })
    .await;
    let by_numbers = WebhookSettings {
        retention: None,
        max_retries: BTreeMap::from([(WebhookEvent::Content, 2)]),
        retry_gap: Duration::from_millis(100),
        ..receiver.settings()
    };
    drill.simulator.set_webhooks(ACCOUNT, by_numbers);
    drill.say(&conversation, &["late", "early"]);
    drill.simulator.webhooks_settled().await;
    assert_eq!(receiver.texts(), ["early", "late"]);
    let late: Vec<_> = receiver.received().into_iter().filter(|call| call.texts() == ["late"]).collect();
    assert_eq!(late.len(), 3);
    assert!(late.windows(2).all(|pair| pair[0].body == pair[1].body));
    assert!(
        late.windows(2).all(|pair| pair[1].at - pair[0].at >= Duration::from_millis(100)),
        "the gap stays the same"
    );
    assert_eq!(drill.changes(), Vec::<String>::new(), "the install has no states without a retention");
    assert_eq!(WebhookSettings::default().retry_gap, Duration::from_secs(30));
}

#[tokio::test]
async fn with_numbered_retries_an_event_is_dropped_after_at_most_five() {
    for (max_retries, expected) in [(1, 2), (5, 6), (200, 6)] {
        let drill = Drill::start().await;
        let conversation = drill.conversation("phone-7").await;
        let (receiver, _) = broken().await;
        let by_numbers = WebhookSettings {
            retention: None,
            max_retries: BTreeMap::from([(WebhookEvent::Content, max_retries)]),
            retry_gap: Duration::from_millis(5),
            ..receiver.settings()
        };
        drill.simulator.set_webhooks(ACCOUNT, by_numbers);
        drill.say(&conversation, &["1"]);
        drill.simulator.typing(&conversation, true).unwrap();
        drill.simulator.webhooks_settled().await;
        let texts = receiver.received().iter().filter(|call| call.texts() == ["1"]).count();
        assert_eq!(texts, expected);
        assert_eq!(receiver.received().len(), expected + 1, "an event without a number is not retried");
        assert_eq!(drill.says("POST ContentEvent -> 502, dropped"), 1);
    }
}

#[tokio::test]
async fn the_retention_takes_precedence_over_the_number() {
    let drill = Drill::start().await;
    let conversation = drill.conversation("phone-7").await;
    let receiver =
        Receiver::answering(|before, _| if before.len() < 4 { StatusCode::BAD_GATEWAY } else { StatusCode::OK }).await;
    let max_retries = BTreeMap::from([(WebhookEvent::Content, 1)]);
    let first_retry_after = Duration::from_millis(5);
    let both = WebhookSettings { max_retries, first_retry_after, ..receiver.settings() };
    drill.simulator.set_webhooks(ACCOUNT, both);
    drill.say(&conversation, &["1", "2"]);
    drill.simulator.webhooks_settled().await;
    assert_eq!(receiver.texts(), ["1", "2"]);
    assert_eq!(drill.changes(), FULL_RECOVERY);
}

#[tokio::test]
async fn an_install_with_a_slow_endpoint_is_disabled_until_enabled_by_hand() {
    let drill = Drill::start().await;
    let conversation = drill.conversation("phone-7").await;
    let receiver = Receiver::accepting().await;
    receiver.answer_time.send_replace(Duration::from_millis(60));
    let rule = SlowRule { limit: Duration::from_millis(20), window: Duration::from_millis(150) };
    drill.simulator.set_webhooks(ACCOUNT, WebhookSettings { slow_endpoint: Some(rule), ..receiver.settings() });
    let texts: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    drill.say(&conversation, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    drill.simulator.webhooks_settled().await;
    assert_eq!(drill.state(), InstallState::Disabled);
    assert_eq!(drill.changes(), ["Up -> Disabled"]);
    let sent = receiver.received().len();
    assert!((2..=10).contains(&sent), "the window has to be full, and then nothing goes: {sent}");
    assert_eq!(drill.says("ContentEvent not sent, the app install is disabled"), 20 - sent);
    drill.say(&conversation, &["dropped"]);
    drill.simulator.webhooks_settled().await;
    assert_eq!(receiver.received().len(), sent);

    receiver.answer_time.send_replace(Duration::ZERO);
    drill.simulator.enable_webhooks(ACCOUNT);
    drill.say(&conversation, &["back"]);
    drill.simulator.webhooks_settled().await;
    assert_eq!(receiver.texts().last().map(String::as_str), Some("back"));
    assert_eq!(receiver.received().len(), sent + 1);
    assert_eq!(drill.state(), InstallState::Up);
}

#[tokio::test]
async fn without_the_rule_a_slow_endpoint_stays_enabled() {
    let drill = Drill::start().await;
    let conversation = drill.conversation("phone-7").await;
    let receiver = Receiver::accepting().await;
    receiver.answer_time.send_replace(Duration::from_millis(60));
    drill.simulator.set_webhooks(ACCOUNT, receiver.settings());
    drill.say(&conversation, &["1", "2", "3", "4"]);
    drill.simulator.webhooks_settled().await;
    assert_eq!(receiver.texts(), ["1", "2", "3", "4"]);
    assert_eq!(drill.changes(), Vec::<String>::new());
}
