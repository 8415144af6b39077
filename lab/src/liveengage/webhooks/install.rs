//! The webhooks of one app install: what its conversations have queued, and the state that decides what may be sent.
//!
//! LivePerson's retry by time to live has one state for the whole install. A failure of one endpoint stores the notifications
//! of all of them; see [`InstallState`].

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;
use url::Url;

use super::delivery::{Delivery, Stage};
use super::latency::AnswerTimes;
use crate::journal::Journal;
use crate::liveengage::options::WebhookSettings;

/// The most retries that a key can have; LivePerson refuses an install with more.
const MOST_RETRIES: u8 = 5;

/// The states of an app install's webhooks, after LivePerson's retry policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallState {
    /// All endpoints answer; each notification goes at once.
    Up,
    /// At least one endpoint has failed. The notifications of all endpoints and conversations are stored, also those for healthy
    /// endpoints. Only the failed endpoints are tried again, each with the oldest notification stored for it.
    Failed,
    /// All endpoints answer again. The stored notifications are sent, conversation by conversation in order. Conversations that
    /// have none stored are served directly; what the others have to tell is stored behind.
    InTransition,
    /// All that was stored during the failure is sent; what was stored during the transition is being sent. Another notification
    /// of such a conversation waits for it, but not for longer than [`WebhookSettings::drain_wait`].
    Recovered,
    /// An endpoint was too slow for too long ([`super::SlowRule`]). Nothing is sent until somebody enables the install.
    Disabled,
}

impl InstallState {
    /// The name in LivePerson's retry policy; `Disabled` has none there.
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

/// What becomes of a notification that its endpoint did not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Drop,
    /// It is tried again so often, so far apart, while the others go on.
    RetryByNumber(u8, Duration),
    /// It waits at the head of its conversation. The install fails if it has not yet.
    Store,
}

/// The queue of one conversation. One notification of it is under way at a time.
#[derive(Debug)]
struct Lane {
    /// The place in the order of first notifications.
    number: u64,
    /// How many notifications it has had.
    count: u64,
    /// The stages in it only ever rise from the front on: backlog, drain, direct.
    queue: VecDeque<Delivery>,
    /// The stage of the one under way.
    sending: Option<Stage>,
    wake: Arc<Notify>,
    /// The next notification lets the one after it go first, if that comes within this time.
    hold_next: Option<Duration>,
}

impl Lane {
    fn numbered(number: usize) -> Self {
        Self {
            number: number as u64,
            count: 0,
            queue: VecDeque::new(),
            sending: None,
            wake: Arc::default(),
            hold_next: None,
        }
    }

    fn holds(&self, stage: Stage) -> bool {
        self.sending == Some(stage) || self.queue.front().is_some_and(|first| first.stage == stage)
    }
}

#[derive(Debug)]
pub(super) struct Install {
    pub(super) settings: WebhookSettings,
    pub(super) state: InstallState,
    account_id: String,
    journal: Journal,
    lanes: HashMap<String, Lane>,
    /// The endpoints that have failed and not answered since.
    failing: BTreeSet<Url>,
    answer_times: BTreeMap<Url, AnswerTimes>,
}

impl Install {
    pub(super) fn new(account_id: &str, settings: WebhookSettings, journal: Journal) -> Self {
        Self {
            settings,
            state: InstallState::Up,
            account_id: account_id.to_owned(),
            journal,
            lanes: HashMap::new(),
            failing: BTreeSet::new(),
            answer_times: BTreeMap::new(),
        }
    }

    /// The conversation's lane, if it is a new one: somebody has to run it.
    pub(super) fn new_lane(&mut self, conversation_id: &str) -> Option<Arc<Notify>> {
        if self.lanes.contains_key(conversation_id) {
            return None;
        }
        let lane = Lane::numbered(self.lanes.len());
        let wake = Arc::clone(&lane.wake);
        self.lanes.insert(conversation_id.to_owned(), lane);
        Some(wake)
    }

    /// Queues a notification in its conversation's lane. Says whether it is stored for later.
    pub(super) fn enqueue(&mut self, mut delivery: Delivery, now: Instant) -> bool {
        let Some(lane) = self.lanes.get_mut(&delivery.conversation_id) else { return false };
        match self.state {
            InstallState::Failed => delivery.stage = Stage::Backlog,
            InstallState::InTransition if lane.holds(Stage::Backlog) || lane.holds(Stage::Drain) => {
                delivery.stage = Stage::Drain;
            }
            InstallState::Recovered if lane.holds(Stage::Drain) => {
                delivery.overtakes_at = Some(now + self.settings.drain_wait);
            }
            _ => {}
        }
        let stored = delivery.stage != Stage::Direct;
        if stored {
            delivery.first_try.clear();
        }
        let failure = self.settings.chaos.map(|chaos| chaos.befalls(lane.number, lane.count)).unwrap_or_default();
        lane.count += 1;
        delivery.hold = lane.hold_next.take().or(failure.hold);
        delivery.delay = failure.delay;
        let twin = failure.duplicate.then(|| Delivery { stage: delivery.stage, ..delivery.twin(now) });
        lane.queue.push_back(delivery);
        lane.queue.extend(twin);
        lane.wake.notify_one();
        stored
    }

    /// Makes the next notification of a conversation wait to be overtaken.
    pub(super) fn hold_next(&mut self, conversation_id: &str, longest: Duration) {
        if let Some(lane) = self.lanes.get_mut(conversation_id) {
            lane.hold_next = Some(longest);
        }
    }

    /// Takes the conversation's next notification, if it may be sent now.
    pub(super) fn take(&mut self, conversation_id: &str, now: Instant) -> Option<Delivery> {
        let lane = self.lanes.get_mut(conversation_id)?;
        let place = match self.state {
            InstallState::Failed | InstallState::Disabled => return None,
            InstallState::InTransition if lane.queue.front()?.stage == Stage::Drain => return None,
            InstallState::Up | InstallState::InTransition => 0,
            InstallState::Recovered => {
                let due = |delivery: &Delivery| delivery.overtakes_at.is_some_and(|at| at <= now);
                lane.queue.iter().position(due).unwrap_or(0)
            }
        };
        let delivery = lane.queue.remove(place)?;
        lane.sending = Some(delivery.stage);
        Some(delivery)
    }

    /// Lets the conversation's next notification go before this one, which was taken already, and puts it in its place. Says
    /// whether it did: there may be no next one yet, or it may not be sent.
    pub(super) fn swap(&mut self, held: &mut Delivery) -> bool {
        let Some(lane) = self.lanes.get_mut(&held.conversation_id) else { return false };
        if lane.queue.front().is_none_or(|next| next.stage != held.stage) {
            return false;
        }
        let Some(mut next) = lane.queue.pop_front() else { return false };
        next.hold = None;
        lane.queue.push_front(std::mem::replace(held, next));
        true
    }

    /// Puts what follows into a notification that was taken, as far as it fits. Says whether something else follows.
    pub(super) fn fill(&mut self, delivery: &mut Delivery) -> bool {
        let Some(lane) = self.lanes.get_mut(&delivery.conversation_id) else { return false };
        while lane.queue.front().is_some_and(|next| delivery.may_carry(next)) {
            if let Some(next) = lane.queue.pop_front() {
                delivery.carry(next);
            }
        }
        !lane.queue.is_empty()
    }

    /// The notification that the conversation had under way is delivered or dropped.
    pub(super) fn done(&mut self, conversation_id: &str) {
        if let Some(lane) = self.lanes.get_mut(conversation_id) {
            lane.sending = None;
        }
        self.advance();
    }

    /// What becomes of a notification after a failed try, its first or one after it was stored.
    pub(super) fn verdict(&self, delivery: &Delivery) -> Verdict {
        if self.state == InstallState::Disabled {
            return Verdict::Drop;
        }
        let max_retries = self.settings.max_retries.get(&delivery.event).copied();
        let Some(retention) = self.settings.retention else {
            return match max_retries.unwrap_or(0).min(MOST_RETRIES) {
                0 => Verdict::Drop,
                retries => Verdict::RetryByNumber(retries, self.settings.retry_gap),
            };
        };
        let exempt = max_retries == Some(0) && self.state != InstallState::Failed;
        let too_old = delivery.outlives(retention, self.settings.first_retry_after);
        if exempt || too_old { Verdict::Drop } else { Verdict::Store }
    }

    /// Stores a failed notification at the head of its conversation. Says whether the install fails with it.
    pub(super) fn store(&mut self, delivery: Delivery, endpoint: Url) -> bool {
        self.put_back(delivery);
        self.failing.insert(endpoint);
        if self.state == InstallState::Failed {
            return false;
        }
        for delivery in self.lanes.values_mut().flat_map(|lane| lane.queue.iter_mut()) {
            delivery.stage = Stage::Backlog;
            delivery.overtakes_at = None;
            delivery.first_try.clear();
        }
        self.become_state(InstallState::Failed);
        true
    }

    pub(super) fn put_back(&mut self, mut delivery: Delivery) {
        let Some(lane) = self.lanes.get_mut(&delivery.conversation_id) else { return };
        delivery.stage = Stage::Backlog;
        delivery.overtakes_at = None;
        lane.queue.push_front(delivery);
        lane.sending = None;
    }

    /// For each failed endpoint the oldest notification that is first in its conversation: with these the endpoints are tried
    /// again. An endpoint that has none, or is none of the install's any more, no longer counts as failed: it is tried by the next
    /// notification that goes there. `None` if the install is not failed.
    pub(super) fn probes(&mut self) -> Option<Vec<Delivery>> {
        if self.state != InstallState::Failed {
            return None;
        }
        if self.settings.retention.is_none() {
            self.failing.clear();
        }
        let endpoints = &self.settings.endpoints;
        let mut oldest: BTreeMap<&Url, (Instant, &String)> = BTreeMap::new();
        for (id, lane) in self.lanes.iter().filter(|(_, lane)| lane.sending.is_none()) {
            let Some(first) = lane.queue.front() else { continue };
            let Some(endpoint) = endpoints.get(&first.event).filter(|url| self.failing.contains(*url)) else {
                continue;
            };
            let known = oldest.entry(endpoint).or_insert((first.since, id));
            *known = (*known).min((first.since, id));
        }
        self.failing.retain(|url| oldest.contains_key(url));
        let chosen: Vec<String> = oldest.into_values().map(|(_, id)| id.clone()).collect();
        let mut take = |id: String| {
            let lane = self.lanes.get_mut(&id)?;
            lane.sending = Some(Stage::Backlog);
            lane.queue.pop_front()
        };
        Some(chosen.into_iter().filter_map(&mut take).collect())
    }

    /// A failed endpoint has answered.
    pub(super) fn answered(&mut self, endpoint: &Url) {
        self.failing.remove(endpoint);
    }

    /// Takes out what would be too old after another pause.
    pub(super) fn expire(&mut self, pause: Duration) -> Vec<Delivery> {
        let Some(retention) = self.settings.retention else { return Vec::new() };
        let mut expired = Vec::new();
        for lane in self.lanes.values_mut() {
            let (old, kept) = std::mem::take(&mut lane.queue)
                .into_iter()
                .partition::<Vec<_>, _>(|delivery| delivery.outlives(retention, pause));
            expired.extend(old);
            lane.queue = kept.into();
        }
        expired.sort_by_key(|delivery| delivery.since);
        expired
    }

    /// After the failed endpoints were tried again: leaves the failure if all have answered. Says whether it did.
    pub(super) fn leave_failure(&mut self) -> bool {
        if self.state != InstallState::Failed {
            return true;
        }
        if self.failing.is_empty() {
            self.become_state(InstallState::InTransition);
            self.advance();
            return true;
        }
        // With all of it too old, nothing is left to try the endpoints with: the next notification will tell.
        let nothing_left = self.lanes.values().all(|lane| lane.sending.is_none() && lane.queue.is_empty());
        if nothing_left {
            self.failing.clear();
            self.become_state(InstallState::Up);
        }
        nothing_left
    }

    /// Notes how long an endpoint took. If it is too slow, the install is disabled; gives back what was queued.
    pub(super) fn note_answer_time(&mut self, endpoint: &Url, ended: Instant, took: Duration) -> Vec<Delivery> {
        let Some(rule) = self.settings.slow_endpoint else { return Vec::new() };
        let too_slow = self.answer_times.entry(endpoint.clone()).or_default().note(rule, ended, took);
        if !too_slow || self.state == InstallState::Disabled {
            return Vec::new();
        }
        self.become_state(InstallState::Disabled);
        self.lanes.values_mut().flat_map(|lane| std::mem::take(&mut lane.queue)).collect()
    }

    /// Ends [`InstallState::Disabled`].
    pub(super) fn enable(&mut self) {
        if self.state == InstallState::Disabled {
            self.failing.clear();
            self.answer_times.clear();
            self.become_state(InstallState::Up);
        }
    }

    /// Goes on when all of a stage is sent.
    fn advance(&mut self) {
        let none_of = |lanes: &HashMap<String, Lane>, stage| !lanes.values().any(|lane| lane.holds(stage));
        if self.state == InstallState::InTransition && none_of(&self.lanes, Stage::Backlog) {
            self.become_state(InstallState::Recovered);
        }
        if self.state == InstallState::Recovered && none_of(&self.lanes, Stage::Drain) {
            self.become_state(InstallState::Up);
        }
    }

    fn become_state(&mut self, state: InstallState) {
        let waiting: usize = self.lanes.values().map(|lane| lane.queue.len()).sum();
        let what =
            format!("app install of {}: {} -> {}, {waiting} waiting", self.account_id, self.state.name(), state.name());
        self.journal.record("liveengage", "liveengage", what, None);
        self.state = state;
        for lane in self.lanes.values() {
            lane.wake.notify_one();
        }
    }
}
