//! The webhook settings of an app install.

use std::collections::BTreeMap;
use std::time::Duration;

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
    /// Constant headers on the calls of an event, as name and value.
    pub headers: BTreeMap<WebhookEvent, Vec<(String, String)>>,
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
    /// The keys of the manifest that the simulator doesn't know, for example `AccpetStatusEvent`, as some of
    /// LivePerson's pages print. Nothing is sent for them.
    pub unknown_keys: Vec<String>,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            endpoints: BTreeMap::new(),
            headers: BTreeMap::new(),
            retention: Some(MAX_RETENTION),
            max_retries: BTreeMap::new(),
            retry_gap: Duration::from_secs(30),
            first_retry_after: Duration::from_secs(2),
            longest_retry_pause: Duration::from_secs(300),
            drain_wait: Duration::from_secs(4),
            slow_endpoint: None,
            chaos: None,
            batch_window: None,
            unknown_keys: Vec::new(),
        }
    }
}

impl WebhookSettings {
    /// All events to one endpoint, with the longest retention.
    pub fn to(endpoint: &Url) -> Self {
        let endpoints = WebhookEvent::ALL.into_iter().map(|event| (event, endpoint.clone())).collect();
        Self { endpoints, ..Self::default() }
    }
}
