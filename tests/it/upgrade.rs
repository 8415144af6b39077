//! Checks that this version processes the messages and items of an older version. Nothing is lost, done twice, or parked as unreadable.
//!
//! The recordings are in `upgrade/recorded/`, one folder for each version. The README there says how they were made.

use std::{num::NonZeroU16, time::Duration};

use aws_sdk_dynamodb::Client;
use connector::{
    app::redrive::{RedriveOutcome, Selection, WorkerQueues, plan_parked, redrive_parked},
    domain::id::Owner,
    port::{Clock, ParkedMessages, Tokens},
    queue_message::wire::{decode, encode},
};
use connector_aws::{DynamoDbStore, ParkedTable, SqsQueue, SystemClock, lambda::config};
use connector_lab::{
    aws::{AwsStandInOptions, AwsStandIns, TO_CHANNEL, TO_LIVEENGAGE},
    functions::{Functions, FunctionsOptions},
    journal::Journal,
};
use connector_liveengage::id::AccountId;
use jiff::SignedDuration;
use serde_json::{Value, json};

mod items;
mod outside;
mod record;
mod recorded;

use crate::silence::{Kind, Watch};
use outside::Outside;
use recorded::{MOMENTS, Recording};

const ACCOUNT: &str = "47110815";
const SMS: &str = "sms-lab";
const WHATSAPP: &str = "whatsapp-lab";

/// This version, running on a recording. Everything stops when this is dropped.
struct Upgraded {
    outside: Outside,
    aws: AwsStandIns,
    functions: Functions,
    _watch: Watch,
}

impl Upgraded {
    /// Starts this version's functions on a recording, shifted to the current time, and lets them work until nothing is left.
    async fn from(recording: &Recording) -> Self {
        Self::after(recording, MOMENTS).await
    }

    async fn after(recording: &Recording, age: SignedDuration) -> Self {
        let watch = Watch::begin();
        let outside = Outside::start().await;
        let options =
            AwsStandInOptions { shorten_waits_by: NonZeroU16::new(10).unwrap(), ..AwsStandInOptions::default() };
        let aws = AwsStandIns::start(options).await.unwrap();
        recording.aged(age).load(&aws, &watch).await;
        secrets(&aws, &outside, &watch).await;
        let environment = [
            (config::ACCOUNTS, ACCOUNT.to_owned()),
            (config::LINES, format!("{SMS},{WHATSAPP}")),
            (config::SECRET_PREFIX, "connector".to_owned()),
            (config::TABLE, aws.table_name().to_owned()),
            (config::TO_LIVEENGAGE_QUEUE_URL, aws.queue_url(TO_LIVEENGAGE)),
            (config::TO_CHANNEL_QUEUE_URL, aws.queue_url(TO_CHANNEL)),
        ];
        let variable =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let options = FunctionsOptions {
            api_port: 0,
            lambda_port: 0,
            time_scale: NonZeroU16::MIN,
            aws: aws.endpoints().clone(),
            fault_plan: None,
        };
        let functions = Functions::start(&aws, &variable, &options, &Journal::default()).await.unwrap();
        let upgraded = Self { outside, aws, functions, _watch: watch };
        upgraded.idle().await;
        upgraded
    }

    async fn idle(&self) {
        let idle = tokio::time::timeout(Duration::from_secs(60), self.functions.idle()).await;
        let left = [TO_LIVEENGAGE, TO_CHANNEL].map(|name| self.aws.queue(name).unwrap().peek());
        let left: Vec<_> = left.iter().flatten().map(|message| &message.body).collect();
        assert!(idle.is_ok(), "messages of an older version come again and again: {left:?}");
    }

    fn parked(&self) -> ParkedTable {
        ParkedTable::new(Client::new(self.aws.sdk_config()), self.aws.table_name())
    }

    /// Returns the reasons of the parked messages.
    async fn reasons(&self) -> Vec<String> {
        let list = self.parked().parked().await.unwrap();
        assert_eq!(list.unreadable, 0);
        list.messages.into_iter().map(|message| message.parked.reason).collect()
    }

    /// Sends parked messages again, as an operator does.
    async fn redrive(&self) {
        let queue = |name| SqsQueue::new(aws_sdk_sqs::Client::new(self.aws.sdk_config()), self.aws.queue_url(name));
        let (to_liveengage, to_channel) = (queue(TO_LIVEENGAGE), queue(TO_CHANNEL));
        let plan = plan_parked(self.parked().parked().await.unwrap().messages, &Selection::default());
        let queues = WorkerQueues { to_liveengage: &to_liveengage, to_channel: &to_channel };
        let redriven = redrive_parked(&plan, &self.parked(), queues, false, SystemClock.now()).await;
        assert!(redriven.iter().all(|one| one.outcome == RedriveOutcome::Sent) && redriven.len() == 1, "{redriven:?}");
        self.idle().await;
    }
}

async fn secrets(aws: &AwsStandIns, outside: &Outside, watch: &Watch) {
    let secret = |name: &str| {
        let value = format!("upgrade-{name}-7d1c9e44");
        watch.plant(Kind::Secret, &value);
        value
    };
    let line = |id: &str, channel: &str, settings: Value| {
        json!({
            "line_id": id, "account_id": ACCOUNT, "channel": channel, "consumer_id_key": "k".repeat(64), channel: settings,
            "satisfaction": {"question": "Are you content, from 1 to 5?", "resolved_question": "Is it settled?", "thanks": "We thank you!"},
        })
    };
    let account = json!({
        "account_id": ACCOUNT, "client_id": "an-app-of-an-upgrade", "client_secret": secret("client"), "domain_api": outside.url(),
    });
    let sms = json!({
        "from": "+4930555010", "send_url": format!("{}/sms/send", outside.url()), "bearer_token": secret("bearer"),
        "webhook_secret": secret("webhook"), "delivery_reports": true,
    });
    let whatsapp = json!({
        "phone_number_id": "104432", "access_token": secret("access"), "app_secret": secret("app"),
        "verify_token": secret("verify"), "api_base": outside.url(),
    });
    for (name, value) in [
        (format!("connector/account/{ACCOUNT}"), account),
        (format!("connector/line/{SMS}"), line(SMS, "sms", sms)),
        (format!("connector/line/{WHATSAPP}"), line(WHATSAPP, "whatsapp", whatsapp)),
    ] {
        aws.put_secret(&name, &value.to_string()).await.unwrap();
    }
}

/// Returns a text without the spaces at which it may be split.
fn letters(texts: &[String]) -> String {
    texts.concat().split_whitespace().collect()
}

/// Returns the text of the only message in a queue.
fn words(recording: &Recording, queue: &str, pointer: &str) -> String {
    recording.bodies(queue)[0].pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_in_flight_arrive_once_and_in_order() {
    for recording in recorded::all("texts-in-flight") {
        let upgraded = Upgraded::from(&recording).await;
        assert_eq!(upgraded.outside.desk().await, ["a text in flight", "a text behind it"]);
        assert_eq!(upgraded.outside.phone().await, ["an answer in flight", "an answer behind it"]);
        assert!(upgraded.reasons().await.is_empty());
        assert!(upgraded.outside.bodies("/consumer").await.is_empty(), "who they are is known");
        assert!(upgraded.outside.bodies("/app/token").await.is_empty(), "the token is good for an hour");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_goes_on_after_the_part_that_was_sent() {
    for recording in recorded::all("half-sent-answer") {
        let upgraded = Upgraded::from(&recording).await;
        let whole = words(&recording, "to_channel", "/change/event/message");
        let (before, after) = (recording.phone(), upgraded.outside.phone().await);
        assert!(!before.is_empty() && !after.is_empty());
        assert_eq!(letters(&[before, after].concat()), letters(&[whole]));
        assert!(upgraded.reasons().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_goes_on_after_the_piece_that_was_published() {
    for recording in recorded::all("half-sent-text") {
        let upgraded = Upgraded::from(&recording).await;
        let whole = words(&recording, "to_liveengage", "/event/content/text");
        // The consumer had said hello before.
        let (before, after) = (recording.desk()[1..].to_vec(), upgraded.outside.desk().await);
        assert!(!before.is_empty() && !after.is_empty());
        assert_eq!([before, after].concat().concat(), whole);
        assert!(upgraded.reasons().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_picture_in_the_storage_is_not_brought_there_again() {
    for recording in recorded::all("picture-stored") {
        let upgraded = Upgraded::from(&recording).await;
        let sends = upgraded.outside.bodies("/conversation/send").await;
        assert!(sends.iter().all(|send| send["type"] == "ms.PublishEvent"), "no place for a file is asked for");
        let published = upgraded.outside.published().await;
        assert_eq!(published.len(), 1);
        let message = &published[0]["event"]["message"];
        let items = format!("{:?}", recording.items());
        assert!(items.contains(message["relativePath"].as_str().unwrap()), "the file is the one of before");
        assert_eq!(message["caption"], "the dent in the box");
        assert!(upgraded.reasons().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_picture_at_the_channel_is_not_brought_there_again() {
    for recording in recorded::all("answer-with-picture") {
        let upgraded = Upgraded::from(&recording).await;
        assert!(upgraded.outside.bodies("/media").await.is_empty());
        let messages = upgraded.outside.bodies("/messages").await;
        let pictures: Vec<_> = messages.iter().filter(|message| message["type"] == "image").collect();
        assert_eq!(pictures.len(), 1, "{messages:?}");
        let items = format!("{:?}", recording.items());
        assert!(items.contains(&format!("S(\"{}\")", pictures[0]["image"]["id"].as_str().unwrap())));
        assert_eq!(pictures[0]["image"]["caption"], "the new one");
        assert!(upgraded.reasons().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_still_chooses_from_the_menu_of_before() {
    for (name, clicks) in [("menu-chosen", 1), ("menu-half-told", 0)] {
        for recording in recorded::all(name) {
            let upgraded = Upgraded::from(&recording).await;
            let published = upgraded.outside.published().await;
            let clicked = published.iter().filter(|body| body["event"]["status"] == "ACTION").count();
            assert_eq!(clicked, clicks, "{name}: a click that was told is not told again");
            assert_eq!(upgraded.outside.desk().await, ["Evening, please"], "{name}");
            assert!(upgraded.reasons().await.is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_reaches_the_survey_of_before() {
    for recording in recorded::all("survey-open") {
        let upgraded = Upgraded::from(&recording).await;
        let published = upgraded.outside.published().await;
        let answers: Vec<_> = published.iter().filter(|body| body["event"]["message"] == "3").collect();
        assert_eq!(answers.len(), 1, "{published:?}");
        assert_ne!(answers[0]["dialogId"], answers[0]["conversationId"], "in the survey's dialog");
        assert!(upgraded.outside.bodies("/messaging/consumer/conversation").await.is_empty());
        assert!(upgraded.reasons().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_reported_as_delivered_is_not_sent_again() {
    for recording in recorded::all("answer-reported") {
        // A report doesn't wait for minutes.
        let upgraded = Upgraded::after(&recording, SignedDuration::from_secs(5)).await;
        assert_eq!(recording.phone(), ["an answer without an answer"]);
        assert!(upgraded.outside.phone().await.is_empty());
        let published = upgraded.outside.published().await;
        let statuses: Vec<_> = published.iter().map(|body| &body["event"]["status"]).collect();
        assert_eq!(statuses, ["ACCEPT"], "the agent sees that it has arrived");
        assert!(upgraded.reasons().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_answers_of_one_queue_message_arrive_in_order() {
    for recording in recorded::all("answers-bundled") {
        let upgraded = Upgraded::from(&recording).await;
        assert_eq!(upgraded.outside.phone().await, ["answer 1 of many", "answer 2 of many"]);
        assert!(upgraded.reasons().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_the_line_is_asked_once() {
    for recording in recorded::all("satisfaction-asked") {
        let upgraded = Upgraded::from(&recording).await;
        assert_eq!(upgraded.outside.phone().await, ["Is it settled?"]);
        assert!(upgraded.reasons().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_parked_is_told_of_and_can_be_sent_again() {
    for recording in recorded::all("answer-parked") {
        let upgraded = Upgraded::from(&recording).await;
        let told = upgraded.outside.desk().await;
        assert!(matches!(told.as_slice(), [told] if told.starts_with("[Not delivered: ")), "{told:?}");
        assert_eq!(upgraded.reasons().await.len(), 1);
        upgraded.redrive().await;
        assert_eq!(upgraded.outside.phone().await, ["an answer that was refused"]);
        assert!(upgraded.reasons().await.is_empty());
    }
    for recording in recorded::all("text-parked") {
        let upgraded = Upgraded::from(&recording).await;
        let notice = words(&recording, "to_channel", "/text");
        assert_eq!(upgraded.outside.phone().await, [notice]);
        upgraded.redrive().await;
        assert_eq!(upgraded.outside.desk().await, ["a text that was refused"]);
        assert!(upgraded.reasons().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_could_not_be_opened_before_is_opened_once() {
    for recording in recorded::all("first-text") {
        let upgraded = Upgraded::from(&recording).await;
        assert!(upgraded.outside.bodies("/api/account/47110815/consumer").await.is_empty(), "who they are is known");
        assert_eq!(upgraded.outside.bodies("/messaging/consumer/conversation").await.len(), 1);
        assert_eq!(upgraded.outside.desk().await, ["the very first text"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dead_workers_held_is_taken_over() {
    for recording in recorded::all("dead-workers") {
        let upgraded = Upgraded::from(&recording).await;
        assert_eq!(upgraded.outside.desk().await, ["a text in dead hands"]);
        assert_eq!(upgraded.outside.phone().await, ["an answer in dead hands"]);
        let account = AccountId::new(ACCOUNT).unwrap();
        let owner = Owner::new("somebody").unwrap();
        let (store, now) = (store(&upgraded.aws), SystemClock.now());
        assert!(
            store.lease_token(&account, &owner, now, now + MOMENTS).await.unwrap(),
            "the token's lease has run out"
        );
        assert!(upgraded.reasons().await.is_empty());
    }
}

/// Whether the second value contains everything of the first one.
fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|other| is_within(value, other)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_within(part, whole))
        }
        _ => part == whole,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_queue_message_is_read_whole_and_worked_on() {
    for recording in recorded::all("tasks") {
        for body in recording.bodies("to_liveengage").into_iter().chain(recording.bodies("to_channel")) {
            let written = encode(&decode(&body.to_string()).unwrap()).unwrap();
            assert!(is_within(&body, &serde_json::from_str(&written).unwrap()), "{}", body["task"]);
        }
        // By then, everything that waits for a notification has waited long enough.
        let upgraded = Upgraded::after(&recording.as_queued(), SignedDuration::from_mins(10)).await;
        let mut reasons = upgraded.reasons().await;
        reasons.sort();
        let unreadable = ["a message of the channel can't be read", "a notification of LiveEngage can't be read"];
        let of_sms = "a file can't be carried to this channel";
        assert_eq!(reasons, [of_sms, unreadable[0], unreadable[1]], "those that were recorded so");
        let desk = upgraded.outside.desk().await;
        let said = recording.bodies("to_liveengage");
        let texts = said.iter().filter_map(|task| {
            let content = task.pointer("/event/content")?;
            let mark = if content["kind"] == "edited" { "[edited] " } else { "" };
            Some(format!("{mark}{}", content["text"].as_str()?))
        });
        for text in texts {
            assert_eq!(desk.iter().filter(|shown| **shown == text).count(), 1, "{desk:?}");
        }
        let phone = upgraded.outside.phone().await;
        let said = recording.bodies("to_channel");
        let of_agents = said.iter().filter(|task| task["change"]["originatorMetadata"]["role"] != "CONSUMER");
        let of_agents = of_agents.filter_map(|task| task.pointer("/change/event/message")?.as_str());
        let of_the_connector = said.iter().filter_map(|task| task["text"].as_str());
        for text in of_agents.chain(of_the_connector) {
            let text =
                phone.iter().find(|shown| shown.starts_with(text)).unwrap_or_else(|| panic!("{text}: {phone:?}"));
            assert_eq!(phone.iter().filter(|shown| *shown == text).count(), 1, "{phone:?}");
        }
    }
}

fn store(aws: &AwsStandIns) -> DynamoDbStore {
    DynamoDbStore::new(Client::new(aws.sdk_config()), aws.table_name())
}
