//! What a lab holds at one moment: all items of the table, and all messages of both queues.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use connector::port::Clock;
use connector_aws::SystemClock;
use connector_lab::{
    Lab,
    aws::{TO_CHANNEL, TO_LIVEENGAGE},
    phone::Direction,
};
use connector_testing::fifo::ReceivedMessage;
use serde_json::{Map, Value, json};

use crate::steps::{consumer_texts, soon};

type Item = HashMap<String, AttributeValue>;

/// What is to be left of a lab's work.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Left {
    /// How many messages are in the queue to LiveEngage.
    pub(super) to_liveengage: usize,
    /// How many messages are in the queue to the channels.
    pub(super) to_channel: usize,
    /// How many of them an attempt has failed for, and its lease was given back.
    pub(super) tried: usize,
    /// The beginning of the key of an item that is noted by then.
    pub(super) noted: &'static str,
}

impl Left {
    /// Whether no attempt is running, and the table has what it is to have.
    fn is_in(&self, table: &[Item]) -> bool {
        let is_working = |item: &&Item| text(item, "sk") == "MSG" && text(item, "status") == "working";
        let working: Vec<_> = table.iter().filter(is_working).collect();
        let given_back = AttributeValue::N("0".to_owned());
        working.len() == self.tried
            && working.iter().all(|item| item.get("lease_until") == Some(&given_back))
            && table.iter().any(|item| text(item, "pk").starts_with(self.noted))
    }
}

/// What one lab has left.
pub(super) struct Recorded {
    /// The recording.
    pub(super) file: Value,
    /// The bodies of all messages that were in its queues, in order, some of them more than once.
    pub(super) messages: Vec<Value>,
}

/// Waits until that is left, and records it.
pub(super) async fn record(lab: &Lab, left: Left) -> Recorded {
    reached(lab, left).await;
    let table = scan(lab).await;
    assert!(left.is_in(&table), "the next attempt has begun: {left:?}");
    recorded(lab, table)
}

/// Records what is there at this moment.
pub(super) async fn record_now(lab: &Lab) -> Recorded {
    recorded(lab, scan(lab).await)
}

/// Waits until that is left.
pub(super) async fn reached(lab: &Lab, left: Left) {
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    soon(&format!("this is left: {left:?}"), async {
        loop {
            pause.tick().await;
            // First the table: what led to this has its webhooks on their way or in the queues by then.
            let is_in_table = left.is_in(&scan(lab).await);
            lab.liveengage().webhooks_settled().await;
            let counts = [TO_LIVEENGAGE, TO_CHANNEL].map(|queue| queued(lab, queue).len());
            if is_in_table && !lab.has_pending_channel_webhooks() && counts == [left.to_liveengage, left.to_channel] {
                return;
            }
        }
    })
    .await;
}

fn recorded(lab: &Lab, mut table: Vec<Item>) -> Recorded {
    table.sort_by_key(|item| (text(item, "pk"), text(item, "sk")));
    let tokens: Vec<_> = table.iter_mut().filter_map(replace_token).collect();
    let (mut desk, mut phone) = (vec![], vec![]);
    for conversation in lab.liveengage().conversations() {
        desk.extend(consumer_texts(&conversation).into_iter().map(str::to_owned));
    }
    for simulator in lab.channels().iter().map(|channel| &channel.simulator) {
        let messages = simulator.phones().into_iter().flat_map(|phone| simulator.transcript(&phone));
        let to_phone = messages.filter(|message| message.direction == Direction::ToPhone);
        phone.extend(to_phone.map(|message| message.text().to_owned()));
    }
    let file = json!({
        "recorded_at": SystemClock.now(), "desk": desk, "phone": phone,
        "table": table.iter().map(json_of_item).collect::<Vec<_>>(),
        "to_liveengage": queued(lab, TO_LIVEENGAGE).iter().map(json_of_message).collect::<Vec<_>>(),
        "to_channel": queued(lab, TO_CHANNEL).iter().map(json_of_message).collect::<Vec<_>>(),
    });
    let recorded = file.to_string();
    assert!(tokens.iter().all(|token| !token.is_empty() && !recorded.contains(token)), "a token is in the recording");
    let handled = lab.journal().entries().unwrap().into_iter().filter(|entry| entry.from == "queue");
    let handled = handled.filter_map(|entry| entry.detail.as_ref()?.as_array().cloned()).flatten();
    // A worker is noted when it has ended.
    let left = [TO_LIVEENGAGE, TO_CHANNEL].into_iter().flat_map(|queue| queued(lab, queue));
    let left = left.map(|message| serde_json::from_str(&message.body).unwrap());
    let messages = handled.chain(left).collect();
    Recorded { file, messages }
}

/// The messages in a queue, also those that a worker has.
pub(super) fn queued(lab: &Lab, queue: &str) -> Vec<ReceivedMessage> {
    lab.aws().queue(queue).unwrap().peek()
}

async fn scan(lab: &Lab) -> Vec<Item> {
    let client = aws_sdk_dynamodb::Client::new(lab.aws().sdk_config());
    let scan = client.scan().table_name(lab.aws().table_name()).consistent_read(true).send().await.unwrap();
    assert!(scan.last_evaluated_key().is_none(), "a recording fits into one page");
    scan.items.unwrap_or_default()
}

fn text(item: &Item, name: &str) -> String {
    item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}

fn field<'a>(value: &'a mut AttributeValue, path: &[&str]) -> Option<&'a mut AttributeValue> {
    path.iter().try_fold(value, |value, name| match value {
        AttributeValue::M(fields) => fields.get_mut(*name),
        _ => None,
    })
}

/// Puts something else in the place of an item's token, which is the answer.
fn replace_token(item: &mut Item) -> Option<String> {
    let user = item.get_mut("record").and_then(|record| field(record, &["user"])).and_then(|user| user.as_s().ok());
    let of = user.map(|user| user.chars().skip(user.chars().count().saturating_sub(4)).collect::<String>());
    let of_consumer = item.get_mut("record").and_then(|record| field(record, &["identity", "token"]));
    let (place, replacement) = match (of_consumer, of) {
        (Some(token), Some(of)) => (token, format!("recorded-consumer-jws-of-{of}")),
        _ => (item.get_mut("token").and_then(|token| field(token, &["token"]))?, "recorded-app-jwt".to_owned()),
    };
    std::mem::replace(place, AttributeValue::S(replacement)).as_s().ok().cloned()
}

fn json_of_item(item: &Item) -> Value {
    Value::Object(item.iter().map(|(name, value)| (name.clone(), json_of(value))).collect())
}

/// DynamoDB's JSON of one value.
fn json_of(value: &AttributeValue) -> Value {
    let (kind, value) = match value {
        AttributeValue::S(text) => ("S", json!(text)),
        AttributeValue::N(number) => ("N", json!(number)),
        AttributeValue::Bool(flag) => ("BOOL", json!(flag)),
        AttributeValue::Null(_) => ("NULL", json!(true)),
        AttributeValue::L(list) => ("L", list.iter().map(json_of).collect()),
        AttributeValue::M(fields) => ("M", json_of_item(fields)),
        other => panic!("the table has a value of another kind: {other:?}"),
    };
    Value::Object(Map::from_iter([(kind.to_owned(), value)]))
}

fn json_of_message(message: &ReceivedMessage) -> Value {
    let body: Value = serde_json::from_str(&message.body).unwrap();
    json!({"group": message.group, "deduplication": message.deduplication_id, "body": body})
}
