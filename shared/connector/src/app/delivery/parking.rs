//! Parks a message, with a notice to its sender.

use super::{Attempt, Delivery, DeliveryError, LeaseState, NoticeTo, RetryLater};
use crate::{
    app::policy::{LONGEST_LEASE_WAIT, wait_for_lease},
    domain::{
        delivery::{Acquired, Parked},
        retry::wait_after,
        uncertain::{CarriedOut, UncertainOutcome},
    },
    log_event,
    port::StoreError,
    queue_message::{Message, Notice, Undelivered},
};

/// Why a message is parked.
struct GivenUp {
    /// Part of a sentence for an operator or an agent. Holds nothing of the message.
    reason: String,
    /// Whether an attempt may have delivered the message nevertheless.
    may_have_arrived: bool,
}

impl GivenUp {
    fn new(error: &DeliveryError, uncertain: &UncertainOutcome) -> Self {
        let reason = match (error, uncertain.exists()) {
            (DeliveryError::Uncertain, _) | (_, false) => error.to_string(),
            (_, true) => format!("{error}; it may have arrived: an earlier attempt had no clear answer"),
        };
        Self { reason, may_have_arrived: uncertain.exists() || *error == DeliveryError::Uncertain }
    }
}

impl Delivery<'_> {
    pub(super) async fn park(&self, error: &DeliveryError) -> Result<(), RetryLater> {
        let Some(uncertain) = self.claim_for_parking(error).await? else { return Ok(()) };
        let (correlation, line, conversation) = self.names();
        let given_up = GivenUp::new(error, &uncertain);
        // The sender is told first: if this attempt is stopped before it parks the message, the next one queues the same notice again.
        if let Some(notice) = self.notice(&given_up)
            && let Ok(notice) = notice.queued()
            && let Err(queue_error) = self.ports.notices.send(vec![notice]).await
        {
            log_event!(NOTICE_NOT_QUEUED, correlation, line, conversation, %error, %queue_error);
            let _ = self.ports.messages.release(&self.lease(), true, &uncertain).await;
            return Err(RetryLater { after: wait_after(self.attempts(), None) });
        }
        let parked = Parked {
            at: self.attempt.now,
            reason: given_up.reason,
            permanent: error.is_permanent(),
            line: self.context.line.clone(),
            conversation: self.context.conversation.clone(),
            body: self.body.to_owned(),
        };
        match self.ports.messages.park(&self.lease(), &parked, &uncertain).await {
            Ok(()) => {
                log_event!(MESSAGE_PARKED, correlation, line, conversation, %error);
                Ok(())
            }
            Err(park_error) => {
                log_event!(MESSAGE_PARK_FAILED, correlation, line, conversation, %error, %park_error);
                // If the message was parked and only the answer was lost, this changes nothing.
                let _ = self.ports.messages.release(&self.lease(), true, &uncertain).await;
                Err(RetryLater { after: wait_after(self.attempt.received, None) })
            }
        }
    }

    /// Makes sure that this attempt has the lease for parking the message. Returns its uncertain outcome, or `None` if the message is done:
    /// the answer to an earlier completion may have been lost. A message that this attempt has not started can have an uncertain outcome.
    async fn claim_for_parking(&self, error: &DeliveryError) -> Result<Option<UncertainOutcome>, RetryLater> {
        let (correlation, line, conversation) = self.names();
        let (lease, Attempt { now, deadline, .. }) = (self.lease(), self.attempt);
        match self.ports.messages.acquire(&lease, *now, *deadline).await {
            Ok(Acquired::Started { .. }) if matches!(self.lease, LeaseState::Held { .. }) => {
                Ok(Some(self.uncertain.clone()))
            }
            Ok(Acquired::Started { uncertain, .. }) => Ok(Some(uncertain)),
            Ok(Acquired::Done) => {
                log_event!(MESSAGE_DUPLICATE, correlation, line);
                Ok(None)
            }
            Ok(Acquired::Busy { until }) => Err(RetryLater { after: wait_for_lease(until, *now, LONGEST_LEASE_WAIT) }),
            // The uncertain outcome can't be read. An operator who sends the message again must know that it may have arrived.
            Err(StoreError::Unreadable { .. }) => {
                let mut uncertain = self.uncertain.clone();
                uncertain.add(CarriedOut::Possibly, None);
                Ok(Some(uncertain))
            }
            Err(park_error) => {
                log_event!(MESSAGE_PARK_FAILED, correlation, line, conversation, %error, %park_error);
                let _ = match self.lease {
                    LeaseState::Held { .. } => self.ports.messages.release(&lease, true, &self.uncertain).await,
                    LeaseState::NotHeld | LeaseState::Unanswered => self.ports.messages.abandon(&lease).await,
                };
                Err(RetryLater { after: wait_after(self.attempt.received, None) })
            }
        }
    }

    /// The notice for the sender.
    fn notice(&self, given_up: &GivenUp) -> Option<Message> {
        let envelope = self.envelope()?;
        Some(match self.notice_to.clone() {
            NoticeTo::Nobody | NoticeTo::NotKnownYet => return None,
            NoticeTo::Consumer { consumer, notice: text } => Notice { envelope, consumer, text }.into(),
            NoticeTo::Agent { consumer, dialog, sequence } => {
                let GivenUp { reason, may_have_arrived } = given_up;
                let (reason, may_have_arrived) = (reason.clone(), *may_have_arrived);
                Undelivered { envelope, consumer, dialog, sequence, reason, may_have_arrived }.into()
            }
        })
    }
}
