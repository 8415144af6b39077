//! Publishes a consumer's typing: best effort, without delaying a text.

use jiff::SignedDuration;

use super::DeliverToLiveEngage;
use crate::{
    app::{
        consumer_session::ConsumerSession,
        delivery::{Delivery, RetryLater},
        error::DeliveryError,
    },
    domain::conversation::{COMPOSING_FOR, Composing, Consumer, Mutation},
    log_event,
    queue_message::ChannelEvent,
};
use connector_liveengage::messaging::{ChatState, Event, SEND};

impl DeliverToLiveEngage {
    /// Publishes that a consumer begins or stops typing. The message of a beginning is retried after
    /// [`COMPOSING_FOR`](crate::domain::conversation::COMPOSING_FOR), and then ends the typing unless a newer event has.
    ///
    /// # Errors
    /// [`RetryLater`] until then.
    pub(super) async fn typing(
        &self,
        message: &ChannelEvent,
        typing: bool,
        delivery: &Delivery<'_>,
    ) -> Result<(), RetryLater> {
        let (correlation, line) = (delivery.context.correlation_text(), message.line.as_str());
        match self.publish_typing(message, typing, delivery).await {
            Ok(None) => {
                log_event!(TYPING_SENT, correlation, line, typing);
                Ok(())
            }
            Ok(Some(after)) => Err(RetryLater { after }),
            Err(error) => {
                log_event!(TYPING_FAILED, correlation, line, %error);
                Ok(())
            }
        }
    }

    async fn publish_typing(
        &self,
        message: &ChannelEvent,
        typing: bool,
        delivery: &Delivery<'_>,
    ) -> Result<Option<SignedDuration>, DeliveryError> {
        let (attempt, event) = (delivery.attempt, &message.event);
        let settings = self.worker.settings(&message.line, attempt).await?;
        let mut session = self.worker.session(attempt, &settings, message.consumer());
        let Some(consumer) = self.worker.consumers.consumer(&session.consumer).await? else { return Ok(None) };
        if consumer.account != *session.account {
            return Ok(None);
        }
        session.known = Some(consumer.clone());
        // Replace only what was read: if a newer event were overwritten, its typing would never end.
        let before = consumer.composing.clone();
        let shown = before.as_ref().filter(|shown| !typing || shown.event == event.id);
        if let Some(shown) = shown {
            let since = attempt.now.duration_since(shown.since);
            if typing && since < COMPOSING_FOR {
                return Ok(Some(COMPOSING_FOR - since));
            }
            session.update(replaced(&before, None)).await?;
            session.publish_chat_state(&delivery.key.request_id("active"), ChatState::Active).await?;
            return Ok(None);
        }
        let is_over = delivery.age() >= COMPOSING_FOR || !consumer.may_compose(attempt.now);
        if !typing || is_over || consumer.active_dialog().is_none() {
            return Ok(None);
        }
        // Save it first: typing that is shown but not recorded would never end.
        let composing = Composing { event: event.id.clone(), since: attempt.now };
        session.update(replaced(&before, Some(composing))).await?;
        match session.publish_chat_state(&delivery.key.request_id("composing"), ChatState::Composing).await {
            // It may be shown although no answer came, so it is ended all the same.
            Err(error) if error.carried_out(SEND).is_none() => Err(error),
            Ok(()) | Err(_) => Ok(Some(COMPOSING_FOR)),
        }
    }
}

/// Replaces the record of the consumer's typing if it is still `before`.
fn replaced(before: &Option<Composing>, composing: Option<Composing>) -> impl Fn(&mut Consumer) -> Mutation {
    let before = before.clone();
    move |consumer| {
        if consumer.composing != before {
            return Mutation::Unchanged;
        }
        consumer.composing.clone_from(&composing);
        Mutation::Changed
    }
}

impl ConsumerSession<'_> {
    /// Publishes a chat state in the main dialog of the open conversation. A survey accepts none.
    pub(super) async fn publish_chat_state(&mut self, request_id: &str, state: ChatState) -> Result<(), DeliveryError> {
        let consumer = self.record().await?;
        let (Some(_), Some(dialog), None) = (&consumer.identity, consumer.active_dialog(), consumer.survey()) else {
            return Ok(());
        };
        self.publish(request_id, &dialog, Event::ChatState(state).into()).await.map(drop)
    }
}
