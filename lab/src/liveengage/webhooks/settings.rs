//! The webhook settings of an app install.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use url::Url;

use super::{SlowRule, WebhookChaos};
use crate::liveengage::terms::WebhookEvent;

/// The longest retention of an app install: 3 days.
const MAX_RETENTION: Duration = Duration::from_secs(259_200);

/// The webhook settings of an app install.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// The endpoint of each event. An event without an endpoint is not sent.
    pub endpoints: BTreeMap<WebhookEvent, Url>,
    /// Constant headers on each call, as name and value.
    pub headers: Vec<(String, String)>,
    /// How long a failed notification is retried (`retention_time`); `None` to use [`max_retries`](Self::max_retries).
    /// Without either, LivePerson drops it after the first failure. A failure holds back all notifications of the
    /// install, see [`super::InstallState`]. Documented range: 2 s to 259200 s.
    pub retention: Option<Duration>,
    /// How often a failed notification is retried, by event: `max_retries`, 0 to 5; higher values count as 5. A missing
    /// event has no retries. Each notification is retried independently, so that later ones may overtake it.
    ///
    /// With a [`retention`](Self::retention) it has no effect, except that 0 exempts the event: its failure doesn't
    /// fail the install, and it is dropped. While the install has failed, it is stored like all others.
    pub max_retries: BTreeMap<WebhookEvent, u8>,
    /// The delay before each retry by `max_retries`. LivePerson documents 30 s.
    pub retry_gap: Duration,
    /// The delay before the first retry within the retention. LivePerson documents 2, 4, 8 ... s.
    pub first_retry_after: Duration,
    /// The maximum of this delay, which doubles with every failure. LivePerson documents 5 minutes.
    pub longest_retry_pause: Duration,
    /// How long a notification waits for the stored ones of its conversation while the install is
    /// [`super::InstallState::Recovered`]. Then it is sent before them. LivePerson documents 4 s.
    pub drain_wait: Duration,
    /// When an endpoint is so slow that the app install is disabled; `None` for never.
    pub slow_endpoint: Option<SlowRule>,
    /// Disorder for a drill: duplicated, swapped or late notifications.
    pub chaos: Option<WebhookChaos>,
    /// The time for which following changes of the same event and conversation are collected into one notification;
    /// `None` sends each change alone. LivePerson documents that a notification may contain several changes, but not
    /// when.
    pub batch_window: Option<Duration>,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            endpoints: BTreeMap::new(),
            headers: Vec::new(),
            retention: Some(MAX_RETENTION),
            max_retries: BTreeMap::new(),
            retry_gap: Duration::from_secs(30),
            first_retry_after: Duration::from_secs(2),
            longest_retry_pause: Duration::from_secs(300),
            drain_wait: Duration::from_secs(4),
            slow_endpoint: None,
            chaos: None,
            batch_window: None,
        }
    }
}

impl WebhookSettings {
    /// All events to one endpoint, with the longest retention.
    pub fn to(endpoint: &Url) -> Self {
        let endpoints = WebhookEvent::ALL.into_iter().map(|event| (event, endpoint.clone())).collect();
        Self { endpoints, ..Self::default() }
    }

    /// These settings as `capabilities.webhooks` of the app install's record.
    pub(in crate::liveengage) fn to_record(&self) -> Value {
        let mut webhooks: Map<String, Value> = self
            .endpoints
            .iter()
            .map(|(event, endpoint)| (event.key().to_owned(), json!({ "endpoint": endpoint.as_str() })))
            .collect();
        for (event, retries) in &self.max_retries {
            if let Some(Value::Object(webhook)) = webhooks.get_mut(event.key()) {
                webhook.insert("max_retries".to_owned(), (*retries).into());
            }
        }
        if let Some(retention) = self.retention {
            webhooks.insert("retry".to_owned(), json!({ "retention_time": retention.as_secs() }));
        }
        Value::Object(webhooks)
    }

    /// Takes the endpoints, the retries and the retention from `capabilities.webhooks` of a record. The rest stays.
    pub(in crate::liveengage) fn set_record(&mut self, webhooks: &Value) {
        let of = |event: WebhookEvent, field: &str| webhooks.get(event.key()).and_then(|webhook| webhook.get(field));
        let events = WebhookEvent::ALL.into_iter();
        let endpoint = |event| Some((event, of(event, "endpoint")?.as_str()?.parse().ok()?));
        self.endpoints = events.clone().filter_map(endpoint).collect();
        let retries = |event| Some((event, of(event, "max_retries")?.as_u64()?.try_into().unwrap_or(u8::MAX)));
        self.max_retries = events.filter_map(retries).collect();
        let retention = webhooks.pointer("/retry/retention_time").and_then(Value::as_u64);
        self.retention = retention.map(|seconds| Duration::from_secs(seconds).min(MAX_RETENTION));
    }
}
