//! Records that a conversation is open or has ended, and asks the consumer about one that has ended.

use super::DeliverToChannel;
use crate::{
    app::{
        consumer_session::update,
        delivery::{Delivered, Delivery},
        error::DeliveryError,
        policy::SATISFACTION_ANSWERED_WITHIN,
    },
    domain::{
        conversation::{AskedSatisfaction, Consumer, Mutation},
        delivery::{ConsumerRef, ConversationOwner},
    },
    log_event,
    queue_message::{Announcement, Message},
};
use connector_liveengage::{
    id::AccountId,
    notification::{AgentPresence, ConversationChange},
};
use connector_message::MessageText;

impl DeliverToChannel {
    /// Records that a conversation is open or has ended. This also recovers a conversation if the worker that opened it was stopped.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn observe(
        &self,
        account: &AccountId,
        state: &ConversationChange,
        delivery: &Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        let consumers = &*self.worker.consumers;
        let Some(consumer) = self.owner(account, state, delivery).await? else {
            return Ok(Delivered::Nothing("another channel's"));
        };
        if state.closed {
            self.ask_satisfaction(account, state, &consumer, delivery).await?;
        }
        let change = |record: &mut Consumer| match (record.account == *account, state.closed) {
            (true, false) => record.apply_opened(&state.conversation, state.survey.as_ref(), state.as_of),
            (true, true) => record.apply_closed(&state.conversation, state.as_of),
            // The line has another account by now, so the old account's conversations no longer matter.
            (false, _) => Mutation::Unchanged,
        };
        update(consumers, &consumer, || account.clone(), change).await?;
        Ok(Delivered::Nothing(if state.closed { "conversation closed" } else { "conversation open" }))
    }

    /// Returns the conversation's consumer. `None` for another channel's.
    async fn owner(
        &self,
        account: &AccountId,
        state: &ConversationChange,
        delivery: &Delivery<'_>,
    ) -> Result<Option<ConsumerRef>, DeliveryError> {
        let consumers = &*self.worker.consumers;
        let presumed = match self.worker.owners.of(account, &state.conversation).await? {
            Some(ConversationOwner::Ours(consumer) | ConversationOwner::OurSurvey(consumer, _)) => {
                return Ok(Some(consumer));
            }
            Some(ConversationOwner::Foreign) => return Ok(None),
            // It was presumed foreign when a text had waited too long. The consumer's id decides.
            Some(ConversationOwner::PresumedForeign) => true,
            None => false,
        };
        let Some(id) = &state.consumer else { return Ok(None) };
        let Some(consumer) = consumers.consumer_by_lp_id(account, id).await? else {
            // Every consumer of ours is recorded before a conversation is opened for them, so this one is not ours.
            consumers.mark_foreign(account, &state.conversation, delivery.attempt.now).await?;
            return Ok(None);
        };
        // Record the owner now, because the consumer's record may stay unchanged, and texts in the conversation may be waiting.
        consumers.claim_conversation(account, &state.conversation, &consumer).await?;
        if presumed {
            let (correlation, line) = (delivery.context.correlation_text(), &consumer.line);
            log_event!(CONVERSATION_FOUND_OURS, correlation, %line, conversation = %state.conversation);
        }
        Ok(Some(consumer))
    }

    /// Asks the consumer how satisfied they were with a conversation that has just ended, if the line has such a question. It is queued
    /// before the end is recorded, so that no crash can lose the question, and in the conversation's group, after the messages there.
    async fn ask_satisfaction(
        &self,
        account: &AccountId,
        state: &ConversationChange,
        consumer: &ConsumerRef,
        delivery: &Delivery<'_>,
    ) -> Result<(), DeliveryError> {
        let now = delivery.attempt.now;
        let settings = match self.worker.settings(&consumer.line, delivery.attempt).await {
            Err(DeliveryError::UnknownLine { .. }) => return Ok(()),
            settings => settings?,
        };
        let Some(satisfaction) = &settings.satisfaction else { return Ok(()) };
        // A conversation is not rated if no agent answered in it, or if it was rated in a survey.
        if state.agent != AgentPresence::Joined || state.csat_filled {
            return Ok(());
        }
        let asked = AskedSatisfaction {
            conversation: state.conversation.clone(),
            asked_at: now,
            until: now.checked_add(SATISFACTION_ANSWERED_WITHIN).unwrap_or(now),
            rate: None,
        };
        let is_current =
            |record: &Consumer| record.account == *account && record.open_conversation() == Some(&state.conversation);
        let ask = |record: &mut Consumer| {
            let was_asked = record.satisfaction.as_ref().is_some_and(|old| old.conversation == asked.conversation);
            if !is_current(record) || was_asked {
                return Mutation::Unchanged;
            }
            record.satisfaction = Some(asked.clone());
            Mutation::Changed
        };
        let record = update(&*self.worker.consumers, consumer, || account.clone(), ask).await?;
        let (true, Some(envelope)) = (is_current(&record), delivery.envelope()) else { return Ok(()) };
        let question = Message::from(Announcement {
            envelope,
            consumer: consumer.clone(),
            name: Announcement::question_name(&state.conversation),
            after: Some((account.clone(), state.conversation.clone())),
            text: MessageText::new(satisfaction.question.clone()),
        });
        let queued = question.queued().map_err(|_| DeliveryError::UnreadableTask { what: "an announcement" })?;
        Ok(self.worker.to_channel.send(vec![queued]).await?)
    }
}
