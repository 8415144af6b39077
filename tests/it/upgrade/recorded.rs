//! Recordings of an older version's table and queues.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use aws_sdk_dynamodb::types::AttributeValue;
use connector::{app::redrive::regroup, port::Clock};
use connector_aws::SystemClock;
use connector_lab::aws::{AwsStandIns, TO_CHANNEL, TO_LIVEENGAGE};
use connector_testing::fifo::NewMessage;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::silence::Watch;

/// The age of a recording when the functions start. Leases have ended by then.
pub(super) const MOMENTS: SignedDuration = SignedDuration::from_mins(2);

/// A value this close to the time of the recording is a time.
const AROUND: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Where the recordings are: one folder for each version.
pub(super) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("it/upgrade/recorded")
}

/// Returns every recording of this name, from all versions that have one.
pub(super) fn all(name: &str) -> Vec<Recording> {
    let mut versions: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    versions.sort();
    let found: Vec<_> =
        versions.iter().map(|version| version.join(format!("{name}.json"))).filter(|path| path.exists()).collect();
    assert!(!found.is_empty(), "no version has a recording {name}");
    found.iter().map(|path| Recording::read(path)).collect()
}

/// Returns the names of all recordings of all versions, without the list of tasks.
pub(super) fn situations() -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = files.flat_map(|version| fs::read_dir(version).unwrap().map(|entry| entry.unwrap().path()));
    let mut names: Vec<_> = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| name != "tasks");
    names
}

/// A recording with its original times.
pub(super) struct Recording {
    value: Value,
}

impl Recording {
    pub(super) fn read(path: &Path) -> Self {
        Self { value: serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() }
    }

    fn list(&self, name: &str) -> Vec<Value> {
        self.value.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
    }

    fn texts(&self, name: &str) -> Vec<String> {
        self.list(name).iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// Returns what the desk showed of the consumer at the time of the recording.
    pub(super) fn desk(&self) -> Vec<String> {
        self.texts("desk")
    }

    /// Returns what the phone showed at that time.
    pub(super) fn phone(&self) -> Vec<String> {
        self.texts("phone")
    }

    /// Returns the items as the SDK's types.
    pub(super) fn items(&self) -> Vec<HashMap<String, AttributeValue>> {
        self.list("table").iter().map(item).collect()
    }

    /// Returns the bodies in a queue, or in the list of tasks.
    pub(super) fn bodies(&self, queue: &str) -> Vec<Value> {
        let body = |message: Value| if message.get("group").is_some() { message["body"].clone() } else { message };
        self.list(queue).into_iter().map(body).collect()
    }

    /// Returns a list of tasks as messages in their queues. The table knows only the owners of the conversations.
    pub(super) fn as_queued(&self) -> Self {
        let mut value = self.value.clone();
        for queue in ["to_liveengage", "to_channel"] {
            let messages = self.bodies(queue).into_iter().enumerate().map(|(number, body)| {
                let group = regroup(&body.to_string()).map_or_else(|| number.to_string(), |(_, group)| group);
                json!({"group": group, "deduplication": number.to_string(), "body": body})
            });
            value[queue] = messages.collect();
        }
        let of_events = self.bodies("to_channel").into_iter();
        let conversations =
            of_events.filter_map(|task| Some(task.pointer("/change/conversationId")?.as_str()?.to_owned()));
        value["table"] = conversations
            .collect::<BTreeSet<_>>()
            .iter()
            .map(|id| {
                let text = |text: &str| json!({"S": text});
                let pk = format!("LECONV#{}#{id}", super::ACCOUNT);
                json!({
                    "pk": text(&pk), "sk": text("LECONV"), "schema_version": {"N": "1"},
                    "line": text(super::SMS), "user": text("+4915155001"),
                })
            })
            .collect();
        Self { value }
    }

    /// Returns the same recording as if it had been made this long ago.
    pub(super) fn aged(&self, age: SignedDuration) -> Self {
        let recorded_at: Timestamp = self.value["recorded_at"].as_str().unwrap().parse().unwrap();
        let by = SystemClock.now().duration_since(recorded_at) - age;
        Self { value: moved(&self.value, recorded_at, by) }
    }

    /// Puts all items and messages into the table and the queues.
    pub(super) async fn load(&self, aws: &AwsStandIns, watch: &Watch) {
        let client = aws_sdk_dynamodb::Client::new(aws.sdk_config());
        for item in self.list("table") {
            watch.plant_json(&Value::Object(
                item.as_object().unwrap().iter().map(|(k, v)| (k.clone(), plain(v))).collect(),
            ));
            client.put_item().table_name(aws.table_name()).set_item(Some(self::item(&item))).send().await.unwrap();
        }
        for (list, queue) in [("to_liveengage", TO_LIVEENGAGE), ("to_channel", TO_CHANNEL)] {
            for message in self.list(list) {
                watch.plant_json(&message["body"]);
                let part = |name: &str| message[name].as_str().unwrap().to_owned();
                let message = NewMessage::new(part("group"), part("deduplication"), message["body"].to_string());
                aws.queue(queue).unwrap().send(message).unwrap();
            }
        }
    }
}

/// Shifts all times in a value: texts, seconds, milliseconds, and times in JSON inside texts.
fn moved(value: &Value, around: Timestamp, by: SignedDuration) -> Value {
    let near = |at: Timestamp| at.duration_since(around).abs() < AROUND;
    let number = |number: i64| {
        let (ms, s) = (Timestamp::from_millisecond(number).ok(), Timestamp::from_second(number).ok());
        match (ms.is_some_and(near), s.is_some_and(near)) {
            (true, _) => Some(number + by.as_millis() as i64),
            (_, true) => Some(number + by.as_secs()),
            _ => None,
        }
    };
    match value {
        Value::Array(list) => list.iter().map(|value| moved(value, around, by)).collect(),
        Value::Object(fields) => {
            let field =
                |(name, value): (&String, &Value)| match (name.as_str(), value.as_str().and_then(|n| n.parse().ok())) {
                    // A number in DynamoDB's JSON.
                    ("N", Some(n)) => (name.clone(), Value::String(number(n).unwrap_or(n).to_string())),
                    _ => (name.clone(), moved(value, around, by)),
                };
            Value::Object(fields.iter().map(field).collect())
        }
        Value::Number(n) => n.as_i64().and_then(number).map_or_else(|| value.clone(), Value::from),
        Value::String(text) => match (text.parse::<Timestamp>(), serde_json::from_str::<Map<String, Value>>(text)) {
            (Ok(at), _) if near(at) => Value::String((at + by).to_string()),
            (_, Ok(inner)) => Value::String(moved(&Value::Object(inner), around, by).to_string()),
            _ => value.clone(),
        },
        Value::Null | Value::Bool(_) => value.clone(),
    }
}

fn item(value: &Value) -> HashMap<String, AttributeValue> {
    value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// Converts DynamoDB's JSON of one value into the SDK's type.
fn attribute(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => AttributeValue::S(text.clone()),
        ("N", Value::String(number)) => AttributeValue::N(number.clone()),
        ("BOOL", Value::Bool(flag)) => AttributeValue::Bool(*flag),
        ("NULL", _) => AttributeValue::Null(true),
        ("L", Value::Array(list)) => AttributeValue::L(list.iter().map(attribute).collect()),
        ("M", Value::Object(_)) => AttributeValue::M(item(value)),
        other => panic!("no value of DynamoDB: {other:?}"),
    }
}

/// Converts the same into plain JSON.
fn plain(value: &Value) -> Value {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match (kind.as_str(), value) {
        ("NULL", _) => Value::Null,
        (_, Value::Array(list)) => list.iter().map(plain).collect(),
        (_, Value::Object(fields)) => fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        _ => value.clone(),
    }
}
