//! The log for the tests of queries and metrics: in a lab, everything that a query asks for happens once.

use std::num::NonZeroU16;

use connector_lab::{LabOptions, liveengage::Service};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::read;
use crate::{
    silence::{Recording, WatchedLab, record},
    steps::{HELLO, PHONE, consumer_texts, desk, opened, opened_on_whatsapp, received, settled, soon},
};

/// The lab's log, and the ids in it.
pub(super) struct Played {
    /// A lab's log as Lambda receives it.
    pub(super) events: Vec<Value>,
    /// The SMS conversation.
    pub(super) conversation: String,
}

impl Played {
    pub(super) fn records(&self) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(|event| event.get("_aws").is_none())
    }

    pub(super) fn metrics(&self) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(|event| event.get("_aws").is_some())
    }

    /// Returns this field of the records of this event.
    pub(super) fn of(&self, event: &str, field: &str) -> Vec<String> {
        self.records()
            .filter(|record| record["fields"]["event"] == event)
            .filter_map(|event| event["fields"][field].as_str())
            .map(str::to_owned)
            .collect()
    }
}

fn events(recording: &Recording) -> Vec<Value> {
    recording.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until there is such a record.
async fn logged(recording: &Recording, part: &str) {
    soon(part, async {
        let mut pause = tokio::time::interval(std::time::Duration::from_millis(20));
        while !recording.lines().iter().any(|line| line.contains(part)) {
            pause.tick().await;
        }
    })
    .await;
}

/// Plays once everything that a query asks for: texts in both directions on two channels, a retry, a text that the gateway refuses, one
/// that LiveEngage refuses, strangers, a message for a number of no line, an unusable change, a comparison with LiveEngage's history, and a
/// gateway that is down.
pub(super) async fn play() -> Played {
    let recording = record();
    // Waits between attempts last a twelfth.
    let lab = WatchedLab::start(LabOptions { time_scale: NonZeroU16::new(12), ..LabOptions::default() }).await;
    logged(&recording, "app_jwt.all_fresh").await;
    let conversation = opened(&lab, PHONE).await;
    lab.liveengage().say(&conversation, "how can I help?").unwrap();
    received(&lab, PHONE, 1).await;
    settled(&lab).await;
    opened_on_whatsapp(&lab, "+4915155002").await;
    settled(&lab).await;

    retried_and_refused(&lab, &recording, &conversation).await;

    let both =
        desk(&lab, "a second conversation", |all| all.len() == 2 && all.iter().all(|one| !one.transcript.is_empty()));
    let on_whatsapp = both.await.into_iter().find(|one| one.id != conversation).unwrap().id;
    settled(&lab).await;
    lab.liveengage().say(&on_whatsapp, "welcome here").unwrap();
    logged(&recording, "message.reported").await;
    settled(&lab).await;

    strangers(&lab).await;
    lab.reconcile(json!({"scope": "recent"})).await.unwrap();
    gateway_down(&lab, &recording, [&conversation, &on_whatsapp]).await;
    says_nothing(&recording);
    Played { events: events(&recording), conversation }
}

/// A retry, a text that the gateway refuses, and one that LiveEngage refuses.
async fn retried_and_refused(lab: &WatchedLab, recording: &Recording, conversation: &str) {
    lab.liveengage().fail_next(Service::Send, StatusCode::SERVICE_UNAVAILABLE, "");
    lab.gateway().consumer_sends(PHONE, "anybody?").unwrap();
    desk(lab, "it comes all the same", |all| all.iter().any(|one| consumer_texts(one).contains(&"anybody?"))).await;
    settled(lab).await;

    let opted_out = r#"{"error":{"code":"opted_out"}}"#;
    lab.gateway().fail_next(StatusCode::UNPROCESSABLE_ENTITY, HeaderMap::new(), opted_out);
    lab.liveengage().say(conversation, "this one is refused").unwrap();
    logged(recording, "nack.sent").await;
    settled(lab).await;

    lab.liveengage().fail_next(Service::Send, StatusCode::FORBIDDEN, "");
    lab.gateway().consumer_sends(PHONE, "this one, too").unwrap();
    received(lab, PHONE, 2).await;
    settled(lab).await;
}

/// Requests of strangers, a message for a number of no line, and an unusable change.
async fn strangers(lab: &WatchedLab) {
    let client = connector_aws::outgoing_http::client().unwrap();
    for path in ["/webhooks/liveengage", "/webhooks/liveengage", "/channels/sms-lab", "/channels/nobodys"] {
        client.post(format!("{}{path}", lab.api_url())).body("{}").send().await.unwrap();
    }
    let message = json!({"id": "wamid.M1", "from": "4915155002", "type": "text", "text": {"body": "anybody?"}});
    let value = json!({"metadata": {"phone_number_id": "999"}, "messages": [message]});
    let change = json!({"field": "messages", "value": value});
    let misdirected = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]});
    lab.whatsapp().post_raw(&misdirected, 1).await;
    let change = json!({"field": "account_update", "value": {"event": "PARTNER_ADDED"}});
    let left_out = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]});
    lab.whatsapp().post_raw(&left_out, 1).await;
}

/// A gateway that is down.
async fn gateway_down(lab: &WatchedLab, recording: &Recording, known: [&String; 2]) {
    // The gateway fails for one consumer, and then for four more, so the breaker opens.
    let more = ["+4915155011", "+4915155012", "+4915155013", "+4915155014"];
    for phone in more {
        lab.gateway().consumer_sends(phone, HELLO).unwrap();
    }
    let all =
        desk(lab, "four more conversations", |all| all.len() == 6 && all.iter().all(|one| !one.transcript.is_empty()));
    let others: Vec<String> = all.await.into_iter().map(|one| one.id).filter(|id| !known.contains(&id)).collect();
    settled(lab).await;
    for _ in 0..60 {
        lab.gateway().fail_next(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), "");
    }
    lab.liveengage().say(known[0], "is it still there?").unwrap();
    logged(recording, r#""attempt":4"#).await;
    for other in &others {
        lab.liveengage().say(other, "and for you?").unwrap();
    }
    logged(recording, "is down: no call is made for a moment").await;
}

/// Checks that no record holds anybody's words or number.
fn says_nothing(recording: &Recording) {
    for line in recording.lines() {
        let said = [
            "how can I help?",
            "welcome here",
            "anybody?",
            "this one",
            "still there",
            "and for you",
            "491515501",
            HELLO,
            "4915155001",
            "4915155002",
        ];
        assert!(!said.iter().any(|said| line.contains(said)), "somebody's words or number: {line}");
    }
}

/// Lambda's records in the documented form ("platform" events of the Telemetry API), and an access log in the template's form.
pub(super) fn of_aws() -> Vec<Value> {
    let report = |group: &str, status: &str, init: Option<f64>| {
        let mut metrics =
            json!({"durationMs": 31.5, "billedDurationMs": 32, "memorySizeMB": 256, "maxMemoryUsedMB": 41});
        if let Some(init) = init {
            metrics["initDurationMs"] = json!(init);
        }
        json!({
            "@log": format!("419083552716:/aws/lambda/prod-{group}"), "time": "2026-06-15T09:30:00.120Z", "type": "platform.report",
            "record": {"requestId": "6f0c2f3e-52a1-4c1c-9d6e-0d7a3a9f1b55", "metrics": metrics, "status": status},
        })
    };
    let template = read("template.yaml");
    let format = template.lines().find(|line| line.trim_start().starts_with(r#"{"requestId":"$context"#)).unwrap();
    let answered = |status: &str, latency: &str| {
        let line = format
            .replace("$context.routeKey", "POST /webhooks/liveengage")
            .replace("$context.status", status)
            .replace("$context.responseLatency", latency);
        serde_json::from_str(&line).unwrap()
    };
    vec![
        report("webhook", "success", Some(184.2)),
        report("webhook", "success", None),
        report("to-channel", "timeout", None),
        answered("200", "17"),
        answered("200", "42"),
        answered("401", "9"),
    ]
}
