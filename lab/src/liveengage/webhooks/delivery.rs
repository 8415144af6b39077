//! A notification that is not delivered yet.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::liveengage::notification::Change;
use crate::liveengage::terms::WebhookEvent;

/// Resolves when a notification has been attempted once, stored for later or dropped.
pub(in crate::liveengage) type FirstAttempt = oneshot::Receiver<()>;

/// A notification, from its change to its last attempt.
#[derive(Debug)]
pub(super) struct WebhookDelivery {
    pub(super) account_id: String,
    pub(super) conversation_id: String,
    pub(super) event: WebhookEvent,
    pub(super) payload: Payload,
    /// When it was first queued. The retention starts here.
    pub(super) since: Instant,
    /// Dropped after the first attempt, which [`FirstAttempt`] waits for.
    pub(super) first_attempt: Vec<oneshot::Sender<()>>,
    pub(super) underway: Vec<PendingGuard>,
    pub(super) stage: DeliveryStage,
    /// When it stops waiting for the stored notifications of its conversation.
    pub(super) overtakes_at: Option<Instant>,
    /// The longest time for which it waits to be overtaken by the next notification of its conversation.
    pub(super) hold: Option<Duration>,
    /// The delay of its first attempt.
    pub(super) delay: Duration,
}

impl WebhookDelivery {
    /// A new notification.
    pub(super) fn new(
        (account_id, conversation_id): (&str, &str),
        event: WebhookEvent,
        payload: Payload,
        underway: PendingGuard,
        now: Instant,
    ) -> Self {
        Self {
            account_id: account_id.to_owned(),
            conversation_id: conversation_id.to_owned(),
            event,
            payload,
            since: now,
            first_attempt: Vec::new(),
            underway: vec![underway],
            stage: DeliveryStage::Direct,
            overtakes_at: None,
            hold: None,
            delay: Duration::ZERO,
        }
    }

    /// A duplicate of the notification.
    pub(super) fn duplicate(&self, now: Instant) -> Self {
        let place = (self.account_id.as_str(), self.conversation_id.as_str());
        // There is always at least one.
        let underway = self.underway.first().map(PendingGuard::another).unwrap_or_default();
        Self::new(place, self.event, self.payload.clone(), underway, now)
    }

    /// Whether a later notification may be merged into this one.
    pub(super) fn can_merge(&self, later: &Self) -> bool {
        matches!((&self.payload, &later.payload), (Payload::Changes(_), Payload::Changes(_)))
            && self.event == later.event
            && self.stage == later.stage
            && later.hold.is_none()
            && later.delay.is_zero()
    }

    /// Merges a later notification into this one.
    pub(super) fn merge(&mut self, later: Self) {
        if let (Payload::Changes(changes), Payload::Changes(more)) = (&mut self.payload, later.payload) {
            changes.extend(more);
        }
        self.first_attempt.extend(later.first_attempt);
        self.underway.extend(later.underway);
    }

    /// Whether it will be too old for another attempt after a pause.
    pub(super) fn will_expire(&self, retention: Duration, pause: Duration) -> bool {
        self.since.elapsed() + pause > retention
    }
}

/// The payload.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    Changes(Vec<Change>),
    /// Serialized. Every further attempt sends the same bytes.
    Body(Bytes),
}

/// Whether and why a notification waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeliveryStage {
    /// Sent as soon as the earlier ones of its conversation are done.
    Direct,
    /// Stored while the app install was failed.
    Backlog,
    /// Stored behind the backlog of its conversation while the app install was in transition.
    Drain,
}

/// Counts a notification as queued or in transit until it is dropped.
#[derive(Debug, Default)]
pub(super) struct PendingGuard(Arc<watch::Sender<usize>>);

impl PendingGuard {
    pub(super) fn counted_by(pending: &Arc<watch::Sender<usize>>) -> Self {
        pending.send_modify(|pending| *pending += 1);
        Self(Arc::clone(pending))
    }

    fn another(&self) -> Self {
        Self::counted_by(&self.0)
    }
}

impl Drop for PendingGuard {
    fn drop(&mut self) {
        self.0.send_modify(|pending| *pending = pending.saturating_sub(1));
    }
}
