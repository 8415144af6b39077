//! Opens conversations, and finds out the true state if LiveEngage's answers contradict each other.

use std::borrow::Cow;

use jiff::SignedDuration;
use url::Url;

use super::{ConsumerProfile, ConsumerSession};
use crate::{
    app::{
        delivery::Delivery,
        error::{DeliveryError, Leased},
        policy::{LIVEENGAGE_CALL, NOTIFIED_BY_ATTEMPT, PRESUME_SURVEY_AFTER, SAVE_ATTEMPTS, wait_for_lease},
    },
    domain::conversation::{Consumer, Mutation, OpenLease},
    log_event,
    port::Saved,
};
use connector_liveengage::{
    LiveEngageError,
    id::ConversationId,
    messaging::{self, Close, Credentials, DialogRef, Routing},
};
use connector_message::Disposition;

/// The longest wait for another attempt that opens the consumer's conversation. A consumer's messages are handled one after the other, so
/// that attempt was stopped or could not release the lease. A notification of the conversation may come before the lease ends.
const LONGEST_OPENING_WAIT: SignedDuration = SignedDuration::from_secs(10);

impl ConsumerSession<'_> {
    /// Returns the consumer with an open conversation. Opens one if necessary, and sends a profile that LiveEngage doesn't have yet.
    ///
    /// A new consumer's identity is saved in one write with the lease, which comes before the call: the notification of the new conversation
    /// names the consumer by it.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(in crate::app) async fn open_conversation(
        &mut self,
        delivery: &Delivery<'_>,
        profile: &ConsumerProfile,
    ) -> Result<Consumer, DeliveryError> {
        for _ in 0..SAVE_ATTEMPTS {
            let mut consumer = self.record().await?.clone();
            if consumer.open_conversation().is_none() {
                self.check_time(LIVEENGAGE_CALL)?;
                if let Some(count) = consumer.closed_at_once(&delivery.key.name(), self.attempt.now) {
                    return Err(DeliveryError::ClosedAtOnce { count });
                }
            }
            match consumer.reserve(&self.attempt.owner, self.attempt.now, self.attempt.deadline) {
                OpenLease::Open(_) => return self.with_profile(consumer, delivery, profile).await,
                OpenLease::Busy { until } => {
                    let after = wait_for_lease(until, self.attempt.now, LONGEST_OPENING_WAIT);
                    return Err(DeliveryError::Busy { what: Leased::Conversation, after });
                }
                OpenLease::Reserved => {}
            }
            if consumer.identity.is_none() {
                consumer.identity = Some(self.request_identity().await?);
            }
            if self.save(consumer.clone()).await? == Saved::Saved {
                return self.open(&consumer, delivery, profile).await;
            }
        }
        Err(DeliveryError::Contended)
    }

    /// Opens a conversation under the lease that was just saved.
    async fn open(
        &mut self,
        reserved: &Consumer,
        delivery: &Delivery<'_>,
        profile: &ConsumerProfile,
    ) -> Result<Consumer, DeliveryError> {
        let error = match self.open_or_close_survey(reserved, delivery, profile).await {
            Ok(conversation) => return self.attach(&conversation, None, delivery, profile).await,
            Err(error) => error,
        };
        let already_open = matches!(error, DeliveryError::LiveEngage(LiveEngageError::AlreadyOpen { .. }));
        if already_open {
            // Texts in it may be waiting for its owner.
            self.consumers.note_unattached(self.account, self.attempt.now).await?;
        }
        let (owner, now, message) = (&self.attempt.owner, self.attempt.now, delivery.key.name());
        let give_up = |consumer: &mut Consumer| {
            let given_up = consumer.give_up(owner);
            if already_open {
                consumer.apply_unconfirmed();
            }
            if consumer.open_conversation().is_some() {
                consumer.count_opening(&message, now);
            } else if already_open && consumer.contradicted_since.is_none() {
                consumer.contradicted_since = Some(now);
            } else {
                return given_up;
            }
            Mutation::Changed
        };
        // A notification of the conversation may have come in the meantime. Then it is open, and there is no lease to release.
        let consumer = self.update(give_up).await?;
        if consumer.open_conversation().is_some() { Ok(consumer) } else { Err(error) }
    }

    /// Requests a conversation, and once more after closing the survey of the previous one if that prevented it.
    async fn open_or_close_survey(
        &mut self,
        reserved: &Consumer,
        delivery: &Delivery<'_>,
        profile: &ConsumerProfile,
    ) -> Result<ConversationId, DeliveryError> {
        let opened = self.request_conversation(delivery, profile).await;
        let since = reserved.contradicted_since;
        let for_long = since.is_some_and(|since| self.attempt.now.duration_since(since) >= PRESUME_SURVEY_AFTER);
        if let (Err(DeliveryError::LiveEngage(LiveEngageError::AlreadyOpen { .. })), Some(previous)) =
            (&opened, reserved.previous_conversation())
            && for_long
            && self.closes_silent_survey(previous, delivery).await?
        {
            return self.request_conversation(delivery, profile).await;
        }
        opened
    }

    /// Requests a conversation, and once more as the line says if LiveEngage refuses it with what the Monitoring API has found.
    async fn request_conversation(
        &mut self,
        delivery: &Delivery<'_>,
        profile: &ConsumerProfile,
    ) -> Result<ConversationId, DeliveryError> {
        let routing = self.routing(delivery).await;
        let opened = self.request_routed_conversation(&routing, delivery, profile).await;
        match (opened, routing) {
            (Err(error), Cow::Owned(_)) if error.disposition() == Disposition::Park => {
                log_event!(CAMPAIGN_NOT_USED, correlation = delivery.context.correlation_text(), %error);
                self.request_routed_conversation(&self.settings.routing, delivery, profile).await
            }
            (opened, _) => opened,
        }
    }

    async fn request_routed_conversation(
        &mut self,
        routing: &Routing,
        delivery: &Delivery<'_>,
        profile: &ConsumerProfile,
    ) -> Result<ConversationId, DeliveryError> {
        let request_id = delivery.key.request_id("open");
        let build = |host: &Url, credentials: Credentials<'_>| {
            messaging::open_request(host, credentials, &request_id, routing, &profile.profile)
        };
        self.call(LIVEENGAGE_CALL, build, messaging::open_answer).await
    }

    /// Records a conversation that LiveEngage has opened on our call, in place of one that has `ended` in the meantime.
    async fn attach(
        &mut self,
        conversation: &ConversationId,
        ended: Option<&DialogRef>,
        delivery: &Delivery<'_>,
        profile: &ConsumerProfile,
    ) -> Result<Consumer, DeliveryError> {
        let (attempt, profile, message) = (self.attempt, profile.fingerprint(), delivery.key.name());
        let attach = |consumer: &mut Consumer| {
            if let Some(ended) = ended
                && consumer.found_closed(ended) == Mutation::Changed
            {
                // Use a lease here, too: a notification of the old one, by LiveEngage's clock, must not look newer than the new one.
                consumer.reserve(&attempt.owner, attempt.now, attempt.deadline);
            }
            if consumer.attach(conversation, attempt.now) == Mutation::Changed {
                consumer.profile = Some(profile.clone());
            }
            consumer.count_opening(&message, attempt.now);
        };
        let consumer = self.update_in_any_state(attach).await?;
        let (correlation, line) = (delivery.context.correlation_text(), &self.consumer.line);
        log_event!(CONVERSATION_OPENED, correlation, %line, %conversation);
        Ok(consumer)
    }

    /// Closes the previous conversation if its survey prevents a new one. This is the case if SEND says that it is closed, CONVERSATION
    /// says that the consumer has an open one, and no notification of either came. The survey's dialog is unknown, so the whole
    /// conversation is closed, because the consumer's message matters more than the survey.
    ///
    /// Returns `false` if the previous conversation is closed and the open one is another.
    async fn closes_silent_survey(
        &mut self,
        previous: &ConversationId,
        delivery: &Delivery<'_>,
    ) -> Result<bool, DeliveryError> {
        match self.close(&delivery.key.request_id("close previous"), previous, Close::Conversation).await {
            Ok(()) => {
                let (correlation, line) = (delivery.context.correlation_text(), &self.consumer.line);
                log_event!(SURVEY_CLOSED, correlation, %line, conversation = %previous);
                Ok(true)
            }
            Err(DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) => Ok(false),
            Err(error) if error.disposition() == Disposition::Park => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Checks whether LiveEngage has closed a conversation that is open in the record, by opening another one. Returns the consumer with
    /// the new one. SEND was rejected there, but the text of a rejection is not reliable.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(in crate::app) async fn reopened(
        &mut self,
        dialog: &DialogRef,
        delivery: &Delivery<'_>,
        profile: &ConsumerProfile,
    ) -> Result<Option<Consumer>, DeliveryError> {
        match self.request_conversation(delivery, profile).await {
            Ok(opened) => self.attach(&opened, Some(dialog), delivery, profile).await.map(Some),
            Err(DeliveryError::LiveEngage(error @ LiveEngageError::AlreadyOpen { .. })) => {
                // Before the attempt by which a notification must have come, the open conversation may be one that an earlier attempt has
                // opened without getting an answer.
                if delivery.attempts() == 1 || delivery.attempts() >= NOTIFIED_BY_ATTEMPT {
                    return Ok(None);
                }
                self.consumers.note_unattached(self.account, self.attempt.now).await?;
                Err(error.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Sends the channel's data about the consumer if it is new. If this fails, the text is sent all the same, and the next one tries
    /// again.
    async fn with_profile(
        &mut self,
        consumer: Consumer,
        delivery: &Delivery<'_>,
        profile: &ConsumerProfile,
    ) -> Result<Consumer, DeliveryError> {
        let fingerprint = profile.fingerprint();
        if !profile.is_provided || consumer.profile.as_ref() == Some(&fingerprint) {
            return Ok(consumer);
        }
        let request_id = delivery.key.request_id("profile");
        let build = |host: &Url, credentials: Credentials<'_>| {
            messaging::profile_request(host, credentials, &request_id, &profile.profile)
        };
        if let Err(error) = self.call(LIVEENGAGE_CALL, build, messaging::send_answer).await {
            log_event!(PROFILE_NOT_SENT, correlation = delivery.context.correlation_text(), %error);
            return Ok(consumer);
        }
        self.update(|consumer| {
            consumer.profile = Some(fingerprint.clone());
            Mutation::Changed
        })
        .await
    }
}
