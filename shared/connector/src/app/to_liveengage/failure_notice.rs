//! Notifies an agent that a message did not reach the consumer.

use super::DeliverToLiveEngage;
use crate::{
    app::{
        consumer_session::ConsumerSession,
        delivery::{Begin, Claimed, Delivered, Delivery},
        error::DeliveryError,
    },
    domain::{
        delivery::ConsumerRef,
        message_key::MessageKey,
        progress::{FailureNoticeProgress, Step},
    },
    log_event,
};
use connector_liveengage::{
    LiveEngageError,
    id::Sequence,
    messaging::{AcceptStatus, DialogRef, Event},
};
use connector_message::Disposition;

/// A notice that an agent's message did not reach the consumer.
pub(super) struct FailureNotice<'a> {
    pub(super) consumer: &'a ConsumerRef,
    pub(super) dialog: &'a DialogRef,
    pub(super) sequence: Option<Sequence>,
    pub(super) reason: &'a str,
    pub(super) may_have_arrived: bool,
}

/// Whether the agent got the notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AgentNotice {
    Now,
    Before,
    /// The agent can't get it, because the conversation has ended.
    ConversationEnded,
}

impl From<AgentNotice> for Delivered {
    fn from(notice: AgentNotice) -> Self {
        match notice {
            AgentNotice::Now => Self::Sent,
            AgentNotice::Before => Self::Nothing("notified before"),
            AgentNotice::ConversationEnded => Self::Nothing("the conversation has ended"),
        }
    }
}

impl DeliverToLiveEngage {
    /// Marks the agent's message as not received, and publishes the reason in the conversation. If the conversation has ended, no other one
    /// is opened for it.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn notify_agent(
        &self,
        notice: &FailureNotice<'_>,
        delivery: &mut Delivery<'_>,
    ) -> Result<AgentNotice, DeliveryError> {
        if delivery.begin().await? == Begin::DoneBefore {
            return Ok(AgentNotice::Before);
        }
        let settings = self.worker.settings(&notice.consumer.line, delivery.attempt).await?;
        let mut session = self.worker.session(delivery.attempt, &settings, notice.consumer.clone());
        match self.mark_and_explain(notice, &mut session, delivery).await {
            Err(DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) => {
                // Don't complete it: the caller parks the message in this case, and may be stopped before.
                delivery.release(true).await;
                return Ok(AgentNotice::ConversationEnded);
            }
            other => other?,
        }
        delivery.complete(None).await?;
        let (correlation, line) = (delivery.context.correlation_text(), notice.consumer.line.as_str());
        log_event!(NACK_SENT, correlation, line, conversation = %notice.dialog.conversation);
        Ok(AgentNotice::Now)
    }

    async fn mark_and_explain(
        &self,
        notice: &FailureNotice<'_>,
        session: &mut ConsumerSession<'_>,
        delivery: &mut Delivery<'_>,
    ) -> Result<(), DeliveryError> {
        if FailureNoticeProgress::of(delivery.steps()) == FailureNoticeProgress::NotStarted {
            mark(notice, session, delivery).await?;
            delivery.step_done(Step::NackSent, None).await?;
        }
        if FailureNoticeProgress::of(delivery.steps()) == FailureNoticeProgress::Marked {
            explain(notice, session, delivery).await?;
            delivery.step_done(Step::ReasonSent, None).await?;
        }
        Ok(())
    }
}

/// Marks the message as not received. A mark that LiveEngage rejects is left out, because the text says more.
async fn mark(
    notice: &FailureNotice<'_>,
    session: &mut ConsumerSession<'_>,
    delivery: &Delivery<'_>,
) -> Result<(), DeliveryError> {
    let Some(sequence) = notice.sequence else { return Ok(()) };
    let sequences = [sequence];
    let nack = Event::Status(AcceptStatus::Nack, &sequences);
    match session.publish(&delivery.key.request_id("nack"), notice.dialog, nack.into()).await {
        Ok(_) => Ok(()),
        Err(error @ DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) => Err(error),
        Err(error) if error.disposition() == Disposition::Park => {
            log_event!(NACK_REFUSED, correlation = delivery.context.correlation_text(), %error);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Publishes the reason, at most once an hour in a conversation: a bot may answer it, and its answer may be undeliverable, too.
async fn explain(
    notice: &FailureNotice<'_>,
    session: &mut ConsumerSession<'_>,
    delivery: &Delivery<'_>,
) -> Result<(), DeliveryError> {
    let hour = delivery.accepted_at().as_second() / 3600;
    let claim = delivery.claim(MessageKey::of_failure_reason(&notice.dialog.conversation, hour));
    if claim.acquire(delivery.attempt).await? == Claimed::Others {
        return Ok(());
    }
    let what = if notice.may_have_arrived { "Delivery not confirmed" } else { "Not delivered" };
    let text = format!("[{what}: {}]", notice.reason);
    match session.publish(&delivery.key.request_id("reason"), notice.dialog, Event::Text(&text).into()).await {
        Ok(_) => claim.complete().await,
        Err(error) => {
            claim.release().await;
            Err(error)
        }
    }
}
