//! Tests of sending parked messages and dead letters again: the table's part on DynamoDB's protocol, and end to end in the lab.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use connector::{
    app::redrive::{
        RedriveOutcome, Redriven, Selection, WorkerQueues, look, plan_parked, redrive_dead_letters, redrive_parked,
        regroup,
    },
    domain::{
        delivery::{Acquired, Lease, Parked},
        id::{LineId, Owner},
        message_key::MessageKey,
        progress::Step,
        uncertain::UncertainOutcome,
    },
    port::{Clock, DeadLetters, Messages, ParkedMessage, ParkedMessages, Queue, QueueMessage, Reopened},
};
use connector_aws::{DeadLetterQueue, DynamoDbStore, ParkedTable, SqsQueue, SystemClock};
use connector_lab::{
    Lab,
    aws::{AwsStandInOptions, AwsStandIns, TO_CHANNEL, TO_LIVEENGAGE, TO_LIVEENGAGE_DEAD_LETTERS},
    liveengage::Service,
    sms_gateway::{MessageState, PhoneMessage},
};
use connector_testing::fifo::ReceiveOptions;
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    events,
    silence::{Kind, Watch},
    steps::{HELLO, PHONE, consumer_texts, desk, lab, opened, received, settled, soon},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}
fn line() -> LineId {
    LineId::new("sms-main").unwrap()
}
fn lease(id: &str, by: &str) -> Lease {
    let message = MessageKey::FromChannel { line: line(), name: id.to_owned() };
    Lease { message, owner: Owner::new(by).unwrap() }
}

struct Table {
    _aws: AwsStandIns,
    store: DynamoDbStore,
    parked: ParkedTable,
    watch: Watch,
}

impl Table {
    async fn new() -> Self {
        let watch = Watch::begin();
        let aws = AwsStandIns::start(AwsStandInOptions::default()).await.unwrap();
        let client = Client::new(aws.sdk_config());
        let (store, parked) =
            (DynamoDbStore::new(client.clone(), aws.table_name()), ParkedTable::new(client, aws.table_name()));
        Self { _aws: aws, store, parked, watch }
    }

    async fn acquire(&self, id: &str, by: &str, second: i64) -> Acquired {
        self.store.acquire(&lease(id, by), at(second), at(second + 60)).await.unwrap()
    }

    /// Parks a message after one of its steps.
    async fn park(&self, id: &str, line: Option<LineId>, second: i64) {
        self.watch.plant(Kind::Text, &format!("task of {id}"));
        self.acquire(id, "worker", second).await;
        self.store.step_done(&lease(id, "worker"), 0, &Step::ReasonSent, None).await.unwrap();
        let reason = "refused".to_owned();
        let parked =
            Parked { at: at(second), reason, permanent: true, line, conversation: None, body: format!("task of {id}") };
        self.store.park(&lease(id, "worker"), &parked, &UncertainOutcome::default()).await.unwrap();
    }

    async fn all(&self) -> Vec<ParkedMessage> {
        let list = self.parked.parked().await.unwrap();
        assert_eq!(list.unreadable, 0);
        list.messages
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_parked_is_listed_whatever_its_line() {
    let table = Table::new().await;
    table.park("mo-1", Some(line()), 0).await;
    table.park("mo-2", Some(line()), 1).await;
    table.park("mo-3", Some(LineId::new("sms-other").unwrap()), 2).await;
    table.park("mo-4", None, 3).await;
    let all = table.all().await;
    let mut found: Vec<_> = all.iter().map(|one| (one.parked.body.as_str(), one.parked.line.clone())).collect();
    found.sort();
    let other = LineId::new("sms-other").unwrap();
    assert_eq!(
        found,
        [
            ("task of mo-1", Some(line())),
            ("task of mo-2", Some(line())),
            ("task of mo-3", Some(other)),
            ("task of mo-4", None)
        ]
    );
    assert!(all.iter().any(|one| one.message == lease("mo-1", "x").message));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_is_read_to_its_end() {
    let table = Table::new().await;
    // More than the megabyte of one answer.
    let task = "x".repeat(200_000);
    for n in 0..7 {
        let lease = lease(&format!("mo-{n}"), "worker");
        table.store.acquire(&lease, at(n), at(n + 60)).await.unwrap();
        let reason = "refused".to_owned();
        let parked =
            Parked { at: at(n), reason, permanent: true, line: Some(line()), conversation: None, body: task.clone() };
        table.store.park(&lease, &parked, &UncertainOutcome::default()).await.unwrap();
    }
    assert_eq!(table.all().await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reopened_message_goes_on_after_its_last_step() {
    let table = Table::new().await;
    table.park("mo-1", Some(line()), 0).await;
    assert_eq!(table.acquire("mo-1", "early", 1).await, Acquired::Done);
    let parked = table.all().await.remove(0);
    assert_eq!(table.parked.reopen(&parked, at(100)).await.unwrap(), Reopened::Reopened);
    let steps = vec![Step::ReasonSent];
    assert_eq!(
        table.acquire("mo-1", "again", 101).await,
        Acquired::Started { steps, attempts: 1, uncertain: UncertainOutcome::default() }
    );
    let noted = table.all().await.remove(0);
    assert_eq!(noted.begun, Some(at(100)), "it stays parked until it is forgotten");
    table.parked.forget(&noted.id).await.unwrap();
    table.parked.forget(&noted.id).await.unwrap();
    assert!(table.all().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_message_is_reopened_once() {
    let table = Table::new().await;
    table.park("mo-1", Some(line()), 0).await;
    let parked = table.all().await.remove(0);
    assert_eq!(table.parked.reopen(&parked, at(100)).await.unwrap(), Reopened::Reopened);
    table.acquire("mo-1", "again", 101).await;
    table.store.complete(&lease("mo-1", "again"), None).await.unwrap();
    // Another operator uses an outdated list.
    assert_eq!(table.parked.reopen(&parked, at(102)).await.unwrap(), Reopened::Taken);
    assert_eq!(table.acquire("mo-1", "third", 103).await, Acquired::Done, "delivered stays delivered");
    table.parked.forget(&parked.id).await.unwrap();
    assert_eq!(table.parked.reopen(&parked, at(104)).await.unwrap(), Reopened::Taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_being_worked_on_is_left_alone() {
    let table = Table::new().await;
    table.park("mo-1", Some(line()), 0).await;
    let parked = table.all().await.remove(0);
    // TTL has deleted the settled message, and the channel has sent it once more.
    let client = Client::new(table._aws.sdk_config());
    let key = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
    let delete = client.delete_item().table_name(table._aws.table_name()).key("pk", key("MSG#in#sms-main#mo-1"));
    delete.key("sk", key("MSG")).send().await.unwrap();
    table.acquire("mo-1", "worker", 100).await;
    assert_eq!(table.parked.reopen(&parked, at(101)).await.unwrap(), Reopened::Busy);
    assert_eq!(table.all().await[0].begun, None);
    let held = table.acquire("mo-1", "other", 102).await;
    assert!(matches!(held, Acquired::Busy { .. }), "{held:?}");
    // Its lease has run out.
    assert_eq!(table.parked.reopen(&parked, at(200)).await.unwrap(), Reopened::Reopened);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_read_is_counted() {
    let table = Table::new().await;
    table.park("mo-1", Some(line()), 0).await;
    let client = Client::new(table._aws.sdk_config());
    let text = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
    let put = client.put_item().table_name(table._aws.table_name()).item("pk", text("PARKED#sms-main"));
    put.item("sk", text("9#x")).item("form", text("new")).send().await.unwrap();
    let list = table.parked.parked().await.unwrap();
    assert_eq!((list.messages.len(), list.unreadable), (1, 1));
}

#[test]
fn the_queue_fixtures_are_regrouped_as_they_were() {
    for name in ["to-liveengage-batch.json", "to-channel-batch.json"] {
        for record in events::event(name)["Records"].as_array().unwrap() {
            let (queue, group) = regroup(record["body"].as_str().unwrap()).unwrap();
            assert!(name.starts_with(queue.name()), "{name}");
            assert_eq!(record["attributes"]["MessageGroupId"], group, "{name}");
        }
    }
}

/// Uses the library's code over the lab's stand-ins.
struct Operator {
    store: ParkedTable,
    to_liveengage: SqsQueue,
    to_channel: SqsQueue,
}

impl Operator {
    fn of(lab: &Lab) -> Self {
        let aws = lab.aws();
        let queue = |name| SqsQueue::new(aws_sdk_sqs::Client::new(aws.sdk_config()), aws.queue_url(name));
        Self {
            store: ParkedTable::new(Client::new(aws.sdk_config()), aws.table_name()),
            to_liveengage: queue(TO_LIVEENGAGE),
            to_channel: queue(TO_CHANNEL),
        }
    }

    async fn redrive(&self, wanted: &Selection) -> Vec<Redriven> {
        let plan = plan_parked(self.store.parked().await.unwrap().messages, wanted);
        let queues = WorkerQueues { to_liveengage: &self.to_liveengage, to_channel: &self.to_channel };
        redrive_parked(&plan, &self.store, queues, false, SystemClock.now()).await
    }
}

fn all_sent(redriven: &[Redriven], count: usize) {
    assert_eq!(redriven.len(), count, "{redriven:?}");
    assert!(redriven.iter().all(|one| one.outcome == RedriveOutcome::Sent), "{redriven:?}");
}

fn refuse(lab: &Lab, times: usize) {
    for _ in 0..times {
        let body = r#"{"error":{"code":"blocked_words"}}"#;
        lab.gateway().fail_next(StatusCode::BAD_REQUEST, HeaderMap::new(), body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_answers_arrive_once_and_in_order_when_the_gateway_is_mended() {
    let lab = lab().await;
    let conversation = opened(&lab, PHONE).await;
    refuse(&lab, 3);
    for text in ["one", "two", "three"] {
        lab.liveengage().say(&conversation, text).unwrap();
    }
    settled(&lab).await;
    lab.liveengage().say(&conversation, "meanwhile").unwrap();
    settled(&lab).await;
    let operator = Operator::of(&lab);
    let before = operator.store.parked().await.unwrap().messages;
    all_sent(&operator.redrive(&Selection::default()).await, 3);
    settled(&lab).await;
    lab.liveengage().say(&conversation, "later").unwrap();
    let wanted = ["meanwhile", "one", "two", "three", "later"];
    assert_eq!(received(&lab, PHONE, 5).await, wanted);

    // Somebody still uses the outdated list.
    let queues = WorkerQueues { to_liveengage: &operator.to_liveengage, to_channel: &operator.to_channel };
    let plan = plan_parked(before, &Selection::default());
    let again = redrive_parked(&plan, &operator.store, queues, false, SystemClock.now()).await;
    assert!(!again.iter().any(|one| one.outcome == RedriveOutcome::Sent), "{again:?}");
    assert!(operator.redrive(&Selection::default()).await.is_empty());
    settled(&lab).await;
    assert_eq!(received(&lab, PHONE, 5).await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_text_of_a_person_arrives_before_those_written_later() {
    let lab = lab().await;
    opened(&lab, PHONE).await;
    settled(&lab).await;
    for _ in 0..2 {
        lab.liveengage().fail_next(Service::Send, StatusCode::FORBIDDEN, "");
    }
    for text in ["one", "two"] {
        lab.gateway().consumer_sends(PHONE, text).unwrap();
        let accepted =
            |all: &[PhoneMessage]| all.iter().any(|one| one.text() == text && one.state == MessageState::Accepted);
        soon("the connector has taken it over", lab.gateway().wait_for(PHONE, accepted)).await;
    }
    settled(&lab).await;
    let of_line = Selection { line: Some(LineId::new(connector_lab::LINE).unwrap()), ..Selection::default() };
    all_sent(&Operator::of(&lab).redrive(&of_line).await, 2);
    lab.gateway().consumer_sends(PHONE, "three").unwrap();
    let all = desk(&lab, "the last text is at the desk", |all| consumer_texts(&all[0]).contains(&"three")).await;
    assert_eq!(consumer_texts(&all[0]), [HELLO, "one", "two", "three"]);
}

fn text(id: &str, user: &str, text: &str) -> Value {
    let now = SystemClock.now();
    json!({
        "task": "channel_event_v1", "line": connector_lab::LINE, "correlation": format!("r-{id}"), "accepted_at": now,
        "event": {"id": id, "part": 0, "user": user, "at": now, "content": {"kind": "text", "text": text}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_arrive_once_and_in_order() {
    let lab = lab().await;
    let client = aws_sdk_sqs::Client::new(lab.aws().sdk_config());
    let queue = |name| SqsQueue::new(client.clone(), lab.aws().queue_url(name));
    let (dead, source) = (queue(TO_LIVEENGAGE_DEAD_LETTERS), queue(TO_LIVEENGAGE));
    // More messages than SQS shows of a group at a time.
    let texts: Vec<String> = (0..23).map(|n| format!("text {n:02}")).collect();
    for (n, said) in texts.iter().enumerate() {
        let body = text(&format!("mo-{n}"), PHONE, said).to_string();
        let (_, group) = regroup(&body).unwrap();
        dead.send(vec![QueueMessage { body, group, deduplication: n.to_string() }]).await.unwrap();
    }
    let dead = DeadLetterQueue::new(client.clone(), lab.aws().queue_url(TO_LIVEENGAGE_DEAD_LETTERS));
    let (redriven, result) = redrive_dead_letters(&dead, &source, &Selection::default(), None).await;
    result.unwrap();
    all_sent(&redriven, 23);
    assert_eq!(dead.count().await.unwrap(), 0);
    settled(&lab).await;
    let all = lab.liveengage().conversations();
    assert_eq!(consumer_texts(&all[0]), texts);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_queue_gives_up_is_seen_and_goes_back_into_its_group() {
    let watch = Watch::begin();
    watch.plant_all(Kind::Text, ["anna", "ben"]);
    let options = AwsStandInOptions { max_receive_count: 1, ..AwsStandInOptions::default() };
    let aws = AwsStandIns::start(options).await.unwrap();
    let client = aws_sdk_sqs::Client::new(aws.sdk_config());
    let source = SqsQueue::new(client.clone(), aws.queue_url(TO_LIVEENGAGE));
    for (n, user) in ["anna", "ben", "anna"].into_iter().enumerate() {
        let body = text(&n.to_string(), user, "x").to_string();
        source.send(vec![QueueMessage { body, group: user.to_owned(), deduplication: n.to_string() }]).await.unwrap();
    }
    let queue = aws.queue(TO_LIVEENGAGE).unwrap();
    let at_once = ReceiveOptions { max: 10, visibility_timeout: Some(Duration::ZERO), ..ReceiveOptions::default() };
    assert_eq!(queue.receive(&at_once).unwrap().len(), 3);
    assert!(queue.receive(&at_once).unwrap().is_empty(), "given up");

    let dead = DeadLetterQueue::new(client, aws.queue_url(TO_LIVEENGAGE_DEAD_LETTERS));
    for _ in 0..2 {
        let seen: Vec<_> = look(&dead).await.unwrap().into_iter().map(|letter| letter.group).collect();
        assert_eq!(seen.len(), 3, "looking leaves them there: {seen:?}");
        assert_eq!(dead.count().await.unwrap(), 3);
    }
    let later =
        Selection { until: SystemClock.now().checked_sub(SignedDuration::from_hours(1)).ok(), ..Selection::default() };
    assert!(redrive_dead_letters(&dead, &source, &later, None).await.0.is_empty());
    let (redriven, result) = redrive_dead_letters(&dead, &source, &Selection::default(), None).await;
    result.unwrap();
    all_sent(&redriven, 3);
    let back: Vec<(String, Value)> = queue
        .peek()
        .into_iter()
        .map(|message| (message.group, serde_json::from_str::<Value>(&message.body).unwrap()["event"]["id"].take()))
        .collect();
    let of = |user: &str| back.iter().filter(|(group, _)| group == user).map(|(_, id)| id.clone()).collect::<Vec<_>>();
    assert_eq!((of("anna"), of("ben")), (vec![json!("0"), json!("2")], vec![json!("1")]));
}
