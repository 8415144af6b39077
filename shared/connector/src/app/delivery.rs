//! One attempt to deliver one queue message: its lease, its steps, what is uncertain, and how it ends.
//!
//! A use case gets a `&mut Delivery`, works step by step, and returns what came of it. `Delivery::end` does what
//! `policy::decide` says: nothing overrules it.

mod attempt;
mod claim;
mod context;
mod parking;

pub use attempt::{Attempt, RetryLater, TimeScale};
pub(super) use claim::{Claim, Claimed};
pub use context::DeliveryContext;
pub(super) use context::NoticeTo;

use jiff::{SignedDuration, Timestamp};

use super::{
    error::{DeliveryError, Leased},
    policy::{Decision, History, Importance, LONGEST_LEASE_WAIT, LeaseEnd, decide, wait_for_lease},
};
use crate::{
    domain::{
        delivery::{Acquired, Lease},
        id::LineId,
        message_key::MessageKey,
        progress::Step,
        receipt::LedgerEntry,
        uncertain::{CarriedOut, UncertainOutcome},
    },
    log_event,
    port::{Clock, Messages, Queue, StoreError},
    queue_message::Envelope,
};
use connector_liveengage::{
    id::ConversationId,
    messaging::{DialogRef, SEND},
};

/// The result of a delivery that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivered {
    /// The message reached the other side.
    Sent,
    /// There was nothing to deliver. The reason is for the log.
    Nothing(&'static str),
}

/// The result of [`Delivery::begin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// This attempt has the lease.
    Started,
    /// The message was delivered or parked before.
    DoneBefore,
}

/// Whether this attempt has the lease of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeaseState {
    /// It has not tried to acquire it, or another attempt has it.
    NotHeld,
    /// It tried to acquire it, and the table didn't answer.
    Unanswered,
    /// It has it.
    Held {
        /// How often the message was started, this time included.
        attempts: u32,
    },
}

/// The ports of a delivery.
#[derive(Clone, Copy)]
pub(super) struct DeliveryPorts<'a> {
    /// Leases and steps.
    pub(super) messages: &'a dyn Messages,
    /// The time.
    pub(super) clock: &'a dyn Clock,
    /// The queue for the notice to the sender if the message can't be delivered.
    pub(super) notices: &'a dyn Queue,
}

/// One attempt to deliver one queue message.
pub(super) struct Delivery<'a> {
    ports: DeliveryPorts<'a>,
    /// The attempt at the queue message.
    pub(super) attempt: &'a Attempt,
    /// The key of the message's record.
    pub(super) key: MessageKey,
    /// The queue message, for parking it.
    body: &'a str,
    /// What is known about the message.
    pub(super) context: DeliveryContext,
    /// Whom a notice goes to if the message can't be delivered.
    pub(super) notice_to: NoticeTo,
    /// Whether the message may be dropped.
    pub(super) importance: Importance,
    lease: LeaseState,
    steps: Vec<Step>,
    uncertain: UncertainOutcome,
}

impl<'a> Delivery<'a> {
    /// Creates a delivery that has no lease yet.
    pub(super) fn new(
        ports: DeliveryPorts<'a>,
        attempt: &'a Attempt,
        key: MessageKey,
        body: &'a str,
        context: DeliveryContext,
    ) -> Self {
        Self {
            ports,
            attempt,
            key,
            body,
            context,
            notice_to: NoticeTo::Nobody,
            importance: Importance::Required,
            lease: LeaseState::NotHeld,
            steps: vec![],
            uncertain: UncertainOutcome::default(),
        }
    }

    /// Creates the delivery of a part of this message that has a record of its own.
    pub(super) fn part(&self, key: MessageKey) -> Self {
        Self::new(self.ports, self.attempt, key, self.body, self.context.clone())
    }

    /// Acquires the lease on the message, and reads what earlier attempts have done.
    ///
    /// # Errors
    /// [`DeliveryError::Busy`] if another attempt has it.
    pub(super) async fn begin(&mut self) -> Result<Begin, DeliveryError> {
        let (lease, Attempt { now, deadline, .. }) = (self.lease(), self.attempt);
        match self.ports.messages.acquire(&lease, *now, *deadline).await {
            Ok(Acquired::Started { steps, attempts, uncertain }) => {
                self.lease = LeaseState::Held { attempts };
                self.uncertain = UncertainOutcome { steps: Some(steps.len()), ..uncertain };
                self.steps = steps;
                Ok(Begin::Started)
            }
            Ok(Acquired::Done) => Ok(Begin::DoneBefore),
            Ok(Acquired::Busy { until }) => {
                let after = wait_for_lease(until, *now, LONGEST_LEASE_WAIT);
                Err(DeliveryError::Busy { what: Leased::Message, after })
            }
            Err(error) => {
                if let StoreError::Unavailable { .. } = error {
                    self.lease = LeaseState::Unanswered;
                }
                Err(error.into())
            }
        }
    }

    /// Returns the steps that are done.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns what may have happened to the next step.
    pub(super) const fn uncertain(&self) -> &UncertainOutcome {
        &self.uncertain
    }

    /// Returns how often the message was started, this time included.
    pub(super) const fn attempts(&self) -> u32 {
        match self.lease {
            LeaseState::Held { attempts } => attempts,
            LeaseState::NotHeld | LeaseState::Unanswered => self.attempt.received,
        }
    }

    /// Returns how long ago the connector accepted the message.
    pub(super) fn age(&self) -> SignedDuration {
        self.context.accepted_at.map_or(SignedDuration::ZERO, |at| self.attempt.now.duration_since(at))
    }

    /// Returns when the connector accepted the message, or the operator who sent it again did.
    pub(super) fn accepted_at(&self) -> Timestamp {
        self.context.accepted_at.unwrap_or(self.attempt.now)
    }

    /// Returns when the connector first accepted the message: the best known time of writing.
    pub(super) fn written_at(&self) -> Timestamp {
        self.context.first_accepted_at.unwrap_or_else(|| self.accepted_at())
    }

    /// Creates the envelope of a message that this delivery queues.
    pub(super) fn envelope(&self) -> Option<Envelope> {
        Some(Envelope::new(self.context.correlation.as_ref()?, self.attempt.now))
    }

    /// Checks that there is time for one more call, which takes at most `needed`.
    ///
    /// # Errors
    /// [`DeliveryError::OutOfTime`].
    pub(super) fn check_time(&self, needed: SignedDuration) -> Result<(), DeliveryError> {
        self.attempt.check_time(self.ports.clock, needed)
    }

    /// Records a step as done, with the entry of the ledger in the same write. Then nothing is uncertain.
    ///
    /// # Errors
    /// [`DeliveryError::Store`].
    pub(super) async fn step_done(&mut self, step: Step, entry: Option<&LedgerEntry>) -> Result<(), DeliveryError> {
        self.ports.messages.step_done(&self.lease(), self.steps.len(), &step, entry).await?;
        self.steps.push(step);
        self.uncertain = UncertainOutcome::none_after(self.steps.len());
        Ok(())
    }

    /// Records the message as delivered, with the entry of the ledger in the same write.
    ///
    /// # Errors
    /// [`DeliveryError::Store`].
    pub(super) async fn complete(&self, entry: Option<&LedgerEntry>) -> Result<(), DeliveryError> {
        Ok(self.ports.messages.complete(&self.lease(), entry).await?)
    }

    /// Notes that a call was accepted whose step is not recorded yet. If the step can't be recorded, its outcome is uncertain for the next
    /// attempt. `dialog` is where the call published, if it did.
    pub(super) fn note_accepted(&mut self, dialog: Option<&DialogRef>) {
        self.uncertain.add(CarriedOut::Possibly, dialog.cloned());
    }

    /// Notes whether the failed call of this name may have been carried out.
    pub(super) fn note_failed(&mut self, error: &DeliveryError, call: &str, dialog: Option<&DialogRef>) {
        if let Some(carried_out) = error.carried_out(call) {
            self.uncertain.add(carried_out, dialog.cloned());
        }
    }

    /// Notes the result of a SEND.
    pub(super) fn note_sent<T>(&mut self, result: &Result<T, DeliveryError>, dialog: &DialogRef) {
        match result {
            Ok(_) => self.note_accepted(Some(dialog)),
            Err(error) => self.note_failed(error, SEND, Some(dialog)),
        }
    }

    /// Creates the claim to something that only one message may do within some time.
    pub(super) fn claim(&self, key: MessageKey) -> Claim<'a> {
        Claim { messages: self.ports.messages, lease: Lease { message: key, owner: self.attempt.owner.clone() } }
    }

    /// Releases the lease, if this attempt has it. A failure is ignored: the lease ends by itself.
    pub(super) async fn release(&self, counts: bool) {
        if let LeaseState::Held { .. } = self.lease {
            let _ = self.ports.messages.release(&self.lease(), counts, &self.uncertain).await;
        }
    }

    /// Releases the lease, and counts the attempt. The message is delivered again after this time.
    pub(super) async fn postpone(self, after: SignedDuration) -> RetryLater {
        self.release(true).await;
        RetryLater { after }
    }

    /// Ends the attempt. Logs a success. After a failure the message is retried, or parked with a notice to its sender, or dropped if nobody
    /// must be told.
    ///
    /// # Errors
    /// [`RetryLater`] if the message must stay in the queue.
    pub(super) async fn end(self, result: Result<Delivered, DeliveryError>) -> Result<(), RetryLater> {
        let error = match result {
            Ok(delivered) => {
                self.log_delivered(delivered);
                return Ok(());
            }
            Err(error) => error,
        };
        match decide(&error, &self.history(), self.key.seed(self.attempts())) {
            Decision::RetryLater { after, lease } => Err(self.retry_later(&error, after, lease).await),
            Decision::Park => self.park(&error).await,
            Decision::Done => {
                let correlation = self.context.correlation_text();
                log_event!(REPORT_REFUSED, correlation, %error);
                self.log_delivered(Delivered::Nothing("report refused"));
                Ok(())
            }
        }
    }

    fn lease(&self) -> Lease {
        Lease { message: self.key.clone(), owner: self.attempt.owner.clone() }
    }

    fn history(&self) -> History {
        let received = self.attempt.received;
        let (attempts, sender_is_known) = (self.attempts(), self.notice_to != NoticeTo::NotKnownYet);
        History { age: self.age(), attempts, received, importance: self.importance, sender_is_known }
    }

    fn names(&self) -> (Option<&str>, Option<&str>, Option<&str>) {
        let DeliveryContext { line, conversation, .. } = &self.context;
        let (line, conversation) =
            (line.as_ref().map(LineId::as_str), conversation.as_ref().map(ConversationId::as_str));
        (self.context.correlation_text(), line, conversation)
    }

    fn log_delivered(&self, delivered: Delivered) {
        let (correlation, line, conversation) = self.names();
        match delivered {
            Delivered::Sent => {
                // Until this attempt. The time of its own calls is in the function's duration.
                let waited_ms = self.context.accepted_at.map(|_| self.age().as_millis() as i64);
                log_event!(MESSAGE_DELIVERED, correlation, line, conversation, waited_ms, attempt = self.attempts());
            }
            Delivered::Nothing(reason) => log_event!(MESSAGE_SKIPPED, correlation, line, conversation, reason),
        }
    }

    async fn retry_later(&self, error: &DeliveryError, after: SignedDuration, lease: LeaseEnd) -> RetryLater {
        let (correlation, line, conversation) = self.names();
        let retry_in_s = after.as_secs();
        if matches!(error, DeliveryError::MessageUnknown { .. }) {
            // It is normal that a report overtakes the answer to the connector's own call.
            log_event!(REPORT_WAITING, correlation, line, %error, retry_in_s);
        } else {
            let (class, attempt) = (error.class(), self.attempts());
            let asked_s = error.asked().map(|asked| asked.as_secs());
            log_event!(MESSAGE_RETRY_SCHEDULED, correlation, line, conversation, %error, class, attempt, retry_in_s, asked_s);
        }
        match (lease, self.lease) {
            (LeaseEnd::Release { counts }, LeaseState::Held { .. }) => self.release(counts).await,
            // The table may have given the lease, and only the answer was lost.
            (_, LeaseState::Unanswered) => {
                let _ = self.ports.messages.abandon(&self.lease()).await;
            }
            (LeaseEnd::Release { .. } | LeaseEnd::Keep, _) => {}
        }
        RetryLater { after }
    }
}
