//! The webhooks of an app install: the queues of its conversations, and the state that decides what may be sent.
//!
//! LivePerson's retry by time to live has one state for the whole install. When one endpoint fails, the notifications
//! of all endpoints are stored; see [`InstallState`].

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;
use url::Url;

use super::delivery::{DeliveryStage, WebhookDelivery};
use super::latency::AnswerTimes;
use super::settings::WebhookSettings;
use crate::journal::Journal;

/// The maximum number of retries of a key. LivePerson refuses an install with more.
pub(super) const MAX_RETRIES: u8 = 5;

/// The states of an app install's webhooks, as in LivePerson's retry policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallState {
    /// All endpoints answer, and each notification is sent at once.
    Up,
    /// At least one endpoint has failed. The notifications of all endpoints and conversations are stored, including
    /// those for healthy endpoints. Only the failed endpoints are retried, each with its oldest stored notification.
    Failed,
    /// All endpoints answer again. The stored notifications are sent in order within each conversation. For
    /// conversations without stored ones, notifications are sent directly; for the others they are stored behind.
    InTransition,
    /// The notifications that were stored during the failure are sent, and those that were stored during the transition
    /// are being sent. A new notification of such a conversation waits for them, but not longer than
    /// [`WebhookSettings::drain_wait`].
    Recovered,
    /// An endpoint was too slow for too long ([`super::SlowRule`]). Nothing is sent until the install is enabled by
    /// hand.
    Disabled,
}

impl InstallState {
    /// The name in LivePerson's retry policy, which has none for `Disabled`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "Up",
            Self::Failed => "Failed",
            Self::InTransition => "In Transition",
            Self::Recovered => "Recovered",
            Self::Disabled => "Disabled",
        }
    }
}

/// What happens to a notification that its endpoint did not accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetryDecision {
    Drop,
    /// It is retried this number of times at this interval, while later notifications continue.
    RetryByNumber(u8, Duration),
    /// It waits at the head of its conversation. The install fails if it has not failed yet.
    Store,
}

/// The queue of a conversation. One of its notifications is in progress at a time.
#[derive(Debug)]
struct ConversationQueue {
    /// The position in the order of first notifications.
    number: u64,
    /// The number of its notifications so far.
    count: u64,
    /// The stages never decrease from front to back: backlog, drain, direct.
    notifications: VecDeque<WebhookDelivery>,
    /// The stage of the notification in progress.
    sending: Option<DeliveryStage>,
    wake: Arc<Notify>,
    /// The next notification waits this long to be overtaken.
    hold_next: Option<Duration>,
}

impl ConversationQueue {
    fn numbered(number: usize) -> Self {
        Self {
            number: number as u64,
            count: 0,
            notifications: VecDeque::new(),
            sending: None,
            wake: Arc::default(),
            hold_next: None,
        }
    }

    fn holds(&self, stage: DeliveryStage) -> bool {
        self.sending == Some(stage) || self.notifications.front().is_some_and(|first| first.stage == stage)
    }
}

#[derive(Debug)]
pub(super) struct Install {
    pub(super) settings: WebhookSettings,
    pub(super) state: InstallState,
    /// Whether the install is enabled and not deleted. Otherwise nothing new is sent.
    pub(super) enabled: bool,
    account_id: String,
    journal: Journal,
    queues: HashMap<String, ConversationQueue>,
    /// The endpoints that have failed and not answered since.
    failing: BTreeSet<Url>,
    answer_times: BTreeMap<Url, AnswerTimes>,
}

impl Install {
    pub(super) fn new(account_id: &str, settings: WebhookSettings, journal: Journal) -> Self {
        Self {
            settings,
            state: InstallState::Up,
            enabled: true,
            account_id: account_id.to_owned(),
            journal,
            queues: HashMap::new(),
            failing: BTreeSet::new(),
            answer_times: BTreeMap::new(),
        }
    }

    /// Creates the conversation's queue if it is new. The caller must then run it.
    pub(super) fn new_queue(&mut self, conversation_id: &str) -> Option<Arc<Notify>> {
        if self.queues.contains_key(conversation_id) {
            return None;
        }
        let queue = ConversationQueue::numbered(self.queues.len());
        let wake = Arc::clone(&queue.wake);
        self.queues.insert(conversation_id.to_owned(), queue);
        Some(wake)
    }

    /// Adds a notification to its conversation's queue. Returns whether it is stored for later.
    pub(super) fn enqueue(&mut self, mut delivery: WebhookDelivery, now: Instant) -> bool {
        let Some(queue) = self.queues.get_mut(&delivery.conversation_id) else { return false };
        match self.state {
            InstallState::Failed => delivery.stage = DeliveryStage::Backlog,
            InstallState::InTransition if queue.holds(DeliveryStage::Backlog) || queue.holds(DeliveryStage::Drain) => {
                delivery.stage = DeliveryStage::Drain;
            }
            InstallState::Recovered if queue.holds(DeliveryStage::Drain) => {
                delivery.overtakes_at = Some(now + self.settings.drain_wait);
            }
            _ => {}
        }
        let stored = delivery.stage != DeliveryStage::Direct;
        if stored {
            delivery.first_attempt.clear();
        }
        let failure = self.settings.chaos.map(|chaos| chaos.failure_for(queue.number, queue.count)).unwrap_or_default();
        queue.count += 1;
        delivery.hold = queue.hold_next.take().or(failure.hold);
        delivery.delay = failure.delay;
        let duplicate = failure.duplicate.then(|| WebhookDelivery { stage: delivery.stage, ..delivery.duplicate(now) });
        queue.notifications.push_back(delivery);
        queue.notifications.extend(duplicate);
        queue.wake.notify_one();
        stored
    }

    /// Makes the next notification of a conversation wait to be overtaken.
    pub(super) fn hold_next(&mut self, conversation_id: &str, longest: Duration) {
        if let Some(queue) = self.queues.get_mut(conversation_id) {
            queue.hold_next = Some(longest);
        }
    }

    /// Takes the conversation's next notification, if it may be sent now.
    pub(super) fn take(&mut self, conversation_id: &str, now: Instant) -> Option<WebhookDelivery> {
        let queue = self.queues.get_mut(conversation_id)?;
        let place = match self.state {
            InstallState::Failed | InstallState::Disabled => return None,
            InstallState::InTransition if queue.notifications.front()?.stage == DeliveryStage::Drain => return None,
            InstallState::Up | InstallState::InTransition => 0,
            InstallState::Recovered => {
                let due = |delivery: &WebhookDelivery| delivery.overtakes_at.is_some_and(|at| at <= now);
                queue.notifications.iter().position(due).unwrap_or(0)
            }
        };
        let delivery = queue.notifications.remove(place)?;
        queue.sending = Some(delivery.stage);
        Some(delivery)
    }

    /// Swaps a notification that was taken with the conversation's next one. Returns whether it did: there may be no
    /// next one, or it may not be sent yet.
    pub(super) fn swap(&mut self, held: &mut WebhookDelivery) -> bool {
        let Some(queue) = self.queues.get_mut(&held.conversation_id) else { return false };
        if queue.notifications.front().is_none_or(|next| next.stage != held.stage) {
            return false;
        }
        let Some(mut next) = queue.notifications.pop_front() else { return false };
        next.hold = None;
        queue.notifications.push_front(std::mem::replace(held, next));
        true
    }

    /// Merges following notifications into one that was taken, as far as possible. Returns whether another one follows.
    pub(super) fn fill(&mut self, delivery: &mut WebhookDelivery) -> bool {
        let Some(queue) = self.queues.get_mut(&delivery.conversation_id) else { return false };
        while queue.notifications.front().is_some_and(|next| delivery.can_merge(next)) {
            if let Some(next) = queue.notifications.pop_front() {
                delivery.merge(next);
            }
        }
        !queue.notifications.is_empty()
    }

    /// Called when the conversation's notification in progress was delivered or dropped.
    pub(super) fn done(&mut self, conversation_id: &str) {
        if let Some(queue) = self.queues.get_mut(conversation_id) {
            queue.sending = None;
        }
        self.advance();
    }

    /// What happens to a notification after a failed attempt, its first or one after it was stored.
    pub(super) fn retry_decision(&self, delivery: &WebhookDelivery) -> RetryDecision {
        if self.state == InstallState::Disabled {
            return RetryDecision::Drop;
        }
        let max_retries = self.settings.max_retries.get(&delivery.event).copied();
        let Some(retention) = self.settings.retention else {
            return match max_retries.unwrap_or(0).min(MAX_RETRIES) {
                0 => RetryDecision::Drop,
                retries => RetryDecision::RetryByNumber(retries, self.settings.retry_gap),
            };
        };
        let exempt = max_retries == Some(0) && self.state != InstallState::Failed;
        let too_old = delivery.will_expire(retention, self.settings.first_retry_after);
        if exempt || too_old { RetryDecision::Drop } else { RetryDecision::Store }
    }

    /// Stores a failed notification at the head of its conversation. Returns whether this makes the install fail.
    pub(super) fn store(&mut self, delivery: WebhookDelivery, endpoint: Url) -> bool {
        self.put_back(delivery);
        self.failing.insert(endpoint);
        if self.state == InstallState::Failed {
            return false;
        }
        for delivery in self.queues.values_mut().flat_map(|queue| queue.notifications.iter_mut()) {
            delivery.stage = DeliveryStage::Backlog;
            delivery.overtakes_at = None;
            delivery.first_attempt.clear();
        }
        self.become_state(InstallState::Failed);
        true
    }

    pub(super) fn put_back(&mut self, mut delivery: WebhookDelivery) {
        let Some(queue) = self.queues.get_mut(&delivery.conversation_id) else { return };
        delivery.stage = DeliveryStage::Backlog;
        delivery.overtakes_at = None;
        queue.notifications.push_front(delivery);
        queue.sending = None;
    }

    /// For each failed endpoint, the oldest notification that is first in its conversation: the endpoint is retried
    /// with it. An endpoint without one, or one that the install no longer has, no longer counts as failed: its next
    /// notification tries it. `None` if the install has not failed.
    pub(super) fn probes(&mut self) -> Option<Vec<WebhookDelivery>> {
        if self.state != InstallState::Failed {
            return None;
        }
        if self.settings.retention.is_none() {
            self.failing.clear();
        }
        let endpoints = &self.settings.endpoints;
        let mut oldest: BTreeMap<&Url, (Instant, &String)> = BTreeMap::new();
        for (id, queue) in self.queues.iter().filter(|(_, queue)| queue.sending.is_none()) {
            let Some(first) = queue.notifications.front() else { continue };
            let Some(endpoint) = endpoints.get(&first.event).filter(|url| self.failing.contains(*url)) else {
                continue;
            };
            let known = oldest.entry(endpoint).or_insert((first.since, id));
            *known = (*known).min((first.since, id));
        }
        self.failing.retain(|url| oldest.contains_key(url));
        let chosen: Vec<String> = oldest.into_values().map(|(_, id)| id.clone()).collect();
        let mut take = |id: String| {
            let queue = self.queues.get_mut(&id)?;
            queue.sending = Some(DeliveryStage::Backlog);
            queue.notifications.pop_front()
        };
        Some(chosen.into_iter().filter_map(&mut take).collect())
    }

    /// Called when a failed endpoint has answered.
    pub(super) fn answered(&mut self, endpoint: &Url) {
        self.failing.remove(endpoint);
    }

    /// Removes notifications that would be too old after another pause.
    pub(super) fn expire(&mut self, pause: Duration) -> Vec<WebhookDelivery> {
        let Some(retention) = self.settings.retention else { return Vec::new() };
        let mut expired = Vec::new();
        for queue in self.queues.values_mut() {
            let (old, kept) = std::mem::take(&mut queue.notifications)
                .into_iter()
                .partition::<Vec<_>, _>(|delivery| delivery.will_expire(retention, pause));
            expired.extend(old);
            queue.notifications = kept.into();
        }
        expired.sort_by_key(|delivery| delivery.since);
        expired
    }

    /// Called after the failed endpoints were retried: leaves the failed state if all have answered. Returns whether it
    /// did.
    pub(super) fn leave_failure(&mut self) -> bool {
        if self.state != InstallState::Failed {
            return true;
        }
        if self.failing.is_empty() {
            self.become_state(InstallState::InTransition);
            self.advance();
            return true;
        }
        // If all notifications are too old, none is left to try the endpoints with. The next notification tries them.
        let nothing_left = self.queues.values().all(|queue| queue.sending.is_none() && queue.notifications.is_empty());
        if nothing_left {
            self.failing.clear();
            self.become_state(InstallState::Up);
        }
        nothing_left
    }

    /// Records the answer time of an endpoint. If it is too slow, disables the install and returns what was queued.
    pub(super) fn record_answer_time(
        &mut self,
        endpoint: &Url,
        ended: Instant,
        took: Duration,
    ) -> Vec<WebhookDelivery> {
        let Some(rule) = self.settings.slow_endpoint else { return Vec::new() };
        let too_slow = self.answer_times.entry(endpoint.clone()).or_default().record(rule, ended, took);
        if !too_slow || self.state == InstallState::Disabled {
            return Vec::new();
        }
        self.become_state(InstallState::Disabled);
        self.queues.values_mut().flat_map(|queue| std::mem::take(&mut queue.notifications)).collect()
    }

    /// Ends [`InstallState::Disabled`].
    pub(super) fn enable(&mut self) {
        if self.state == InstallState::Disabled {
            self.failing.clear();
            self.answer_times.clear();
            self.become_state(InstallState::Up);
        }
    }

    /// Enters the next state when a stage is sent completely.
    fn advance(&mut self) {
        let none_of =
            |queues: &HashMap<String, ConversationQueue>, stage| !queues.values().any(|queue| queue.holds(stage));
        if self.state == InstallState::InTransition && none_of(&self.queues, DeliveryStage::Backlog) {
            self.become_state(InstallState::Recovered);
        }
        if self.state == InstallState::Recovered && none_of(&self.queues, DeliveryStage::Drain) {
            self.become_state(InstallState::Up);
        }
    }

    fn become_state(&mut self, state: InstallState) {
        let waiting: usize = self.queues.values().map(|queue| queue.notifications.len()).sum();
        let what =
            format!("app install of {}: {} -> {}, {waiting} waiting", self.account_id, self.state.name(), state.name());
        self.journal.record("liveengage", "liveengage", what, None);
        self.state = state;
        for queue in self.queues.values() {
            queue.wake.notify_one();
        }
    }
}
