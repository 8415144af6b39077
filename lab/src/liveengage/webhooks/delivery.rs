//! A notification on its way to its endpoint.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::liveengage::notification::Change;
use crate::liveengage::options::WebhookEvent;

/// Resolves when a notification has been tried once, stored for later or dropped.
pub(in crate::liveengage) type FirstTry = oneshot::Receiver<()>;

/// One notification, from the change that it tells of to its last try.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) account_id: String,
    pub(super) conversation_id: String,
    pub(super) event: WebhookEvent,
    pub(super) payload: Payload,
    /// When it was first queued: the retention counts from here.
    pub(super) since: Instant,
    /// Dropped after the first try, which is what [`FirstTry`] waits for.
    pub(super) first_try: Vec<oneshot::Sender<()>>,
    pub(super) underway: Vec<Underway>,
    pub(super) stage: Stage,
    /// From when on it no longer waits for the stored notifications of its conversation.
    pub(super) overtakes_at: Option<Instant>,
    /// How long it waits, at most, for the next notification of its conversation to overtake it.
    pub(super) hold: Option<Duration>,
    /// How long its first try is put off.
    pub(super) delay: Duration,
}

impl Delivery {
    /// A notification that was queued just now.
    pub(super) fn new(
        (account_id, conversation_id): (&str, &str),
        event: WebhookEvent,
        payload: Payload,
        underway: Underway,
        now: Instant,
    ) -> Self {
        Self {
            account_id: account_id.to_owned(),
            conversation_id: conversation_id.to_owned(),
            event,
            payload,
            since: now,
            first_try: Vec::new(),
            underway: vec![underway],
            stage: Stage::Direct,
            overtakes_at: None,
            hold: None,
            delay: Duration::ZERO,
        }
    }

    /// The same notification once more.
    pub(super) fn twin(&self, now: Instant) -> Self {
        let place = (self.account_id.as_str(), self.conversation_id.as_str());
        // There is always one.
        let underway = self.underway.first().map(Underway::another).unwrap_or_default();
        Self::new(place, self.event, self.payload.clone(), underway, now)
    }

    /// Whether a later notification may travel in this one.
    pub(super) fn may_carry(&self, later: &Self) -> bool {
        matches!((&self.payload, &later.payload), (Payload::Changes(_), Payload::Changes(_)))
            && self.event == later.event
            && self.stage == later.stage
            && later.hold.is_none()
            && later.delay.is_zero()
    }

    /// Takes a later notification in.
    pub(super) fn carry(&mut self, later: Self) {
        if let (Payload::Changes(changes), Payload::Changes(more)) = (&mut self.payload, later.payload) {
            changes.extend(more);
        }
        self.first_try.extend(later.first_try);
        self.underway.extend(later.underway);
    }

    /// Whether it is too old for another try after a pause.
    pub(super) fn outlives(&self, retention: Duration, pause: Duration) -> bool {
        self.since.elapsed() + pause > retention
    }
}

/// What is sent.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    Changes(Vec<Change>),
    /// Written out, as every further try sends it.
    Body(Bytes),
}

/// Why a notification waits, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It goes as soon as its conversation's earlier ones are gone.
    Direct,
    /// Stored while the app install was failed.
    Backlog,
    /// Stored behind the backlog of its conversation while the app install was in transition.
    Drain,
}

/// Counts a notification among those that are queued or under way, until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Underway(Arc<watch::Sender<usize>>);

impl Underway {
    pub(super) fn counted_by(pending: &Arc<watch::Sender<usize>>) -> Self {
        pending.send_modify(|pending| *pending += 1);
        Self(Arc::clone(pending))
    }

    fn another(&self) -> Self {
        Self::counted_by(&self.0)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.send_modify(|pending| *pending = pending.saturating_sub(1));
    }
}
