//! That a person is typing: best effort, never in the way of a text.

use jiff::SignedDuration;

use super::{
    Attempt, Caller, ConsumerRef, DeliverToLiveEngage, DeliveryContext, DeliveryError, RetryLater, digest, update,
};
use crate::{
    app::delivery::name_of,
    domain::{
        conversation::{COMPOSING_FOR, Composing, Consumer, Mutation},
        id::LineId,
        message::InboundEvent,
    },
    liveengage::messaging::{ChatState, Event, Place, SEND},
};

impl DeliverToLiveEngage {
    /// Tells LiveEngage that a person begins or stops to type. The message of a beginning comes again when nobody can still be
    /// typing, and ends it unless something newer has.
    ///
    /// # Errors
    /// [`RetryLater`] for that.
    pub(super) async fn typing(
        &self,
        line: &LineId,
        event: &InboundEvent,
        typing: bool,
        attempt: &Attempt,
        context: &DeliveryContext,
    ) -> Result<(), RetryLater> {
        let (correlation, line_name) = (context.correlation.as_str(), line.as_str());
        match self.tell_typing(line, event, typing, attempt, context).await {
            Ok(None) => {
                tracing::debug!(correlation, line = line_name, typing, "typing");
                Ok(())
            }
            Ok(Some(after)) => Err(RetryLater { after }),
            Err(error) => {
                tracing::debug!(correlation, line = line_name, %error, "typing was not told");
                Ok(())
            }
        }
    }

    async fn tell_typing(
        &self,
        line: &LineId,
        event: &InboundEvent,
        typing: bool,
        attempt: &Attempt,
        context: &DeliveryContext,
    ) -> Result<Option<SignedDuration>, DeliveryError> {
        let settings = self.settings(line, attempt).await?;
        let settings = &settings.current;
        let who = ConsumerRef { line: line.clone(), user: event.user.clone() };
        let caller = Self::caller(settings, attempt, &who);
        let Some(consumer) = self.ports.consumers.consumer(&who).await? else { return Ok(None) };
        if consumer.account != settings.account {
            return Ok(None);
        }
        let name = name_of(&event.key(line));
        let id = |state: &str| digest([state.as_bytes(), name.as_bytes()]);
        let request_id = |state: &str| id(state).chars().take(32).collect::<String>();
        // Only over what was read: something newer must not be forgotten, or nobody would end it.
        let before = consumer.composing.clone();
        let save = |composing: Option<Composing>| {
            let (consumers, account) = (&*self.ports.consumers, settings.account.clone());
            let (who, before) = (&who, &before);
            async move {
                update(
                    consumers,
                    who,
                    || account.clone(),
                    |consumer| {
                        if consumer.composing != *before {
                            return Mutation::Unchanged;
                        }
                        consumer.composing.clone_from(&composing);
                        Mutation::Changed
                    },
                )
                .await
            }
        };
        let shown = consumer.composing.as_ref();
        let ended = shown.filter(|shown| !typing || shown.event == event.id);
        if let Some(shown) = ended {
            let since = attempt.now.duration_since(shown.since);
            if typing && since < COMPOSING_FOR {
                return Ok(Some(COMPOSING_FOR - since));
            }
            save(None).await?;
            self.chat_state(caller, &consumer, ChatState::Active, &request_id("active")).await?;
            return Ok(None);
        }
        let age = context.accepted_at.map_or(SignedDuration::ZERO, |at| attempt.now.duration_since(at));
        if !typing || age >= COMPOSING_FOR || !consumer.may_compose(attempt.now) || consumer.active_dialog().is_none() {
            return Ok(None);
        }
        // Saved first: what is shown and not noted would never be ended.
        save(Some(Composing { event: event.id.clone(), since: attempt.now })).await?;
        match self.chat_state(caller, &consumer, ChatState::Composing, &request_id("composing")).await {
            // It may be shown although no answer came: it is ended all the same.
            Err(error) if error.carried_out(SEND).is_none() => Err(error),
            Ok(()) | Err(_) => Ok(Some(COMPOSING_FOR)),
        }
    }

    /// Publishes a chat state in the main dialog: a survey takes none.
    pub(super) async fn chat_state(
        &self,
        caller: Caller<'_>,
        consumer: &Consumer,
        state: ChatState,
        request_id: &str,
    ) -> Result<(), DeliveryError> {
        let (Some(identity), Some((conversation, dialog)), None) =
            (&consumer.identity, consumer.active_dialog(), consumer.survey())
        else {
            return Ok(());
        };
        let place = Place { conversation, dialog: &dialog };
        let event = Event::ChatState(state);
        self.liveengage.publish(caller, &identity.token, request_id, place, event, None).await.map(drop)
    }
}
