//! Having an open conversation: asking for one, and finding out what is true where LiveEngage's answers contradict each other.

use jiff::SignedDuration;

use super::{ConsumerSession, DeliveryError, LIVEENGAGE_CALL, record::SAVE_ATTEMPTS};
use crate::{
    app::{delivery::name_of, error::Leased},
    domain::{
        conversation::{Consumer, ConsumerToken, Mutation, OpenLease},
        id::{ConversationId, DialogId},
        retry::Disposition,
    },
    liveengage::{LiveEngageError, messaging::Close},
    port::Saved,
};

/// How long LiveEngage must have said that an open conversation is in the way, before it is taken for one in which a survey runs. News
/// mostly comes within a second.
const UNHEARD_SURVEY_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// At which attempt it counts as known that no conversation was opened by an earlier one whose answer was lost: its news has had half a
/// minute.
const NEWS_HAS_COME: u32 = 4;

impl ConsumerSession<'_> {
    /// The consumer with an identity and an open conversation, opening one if need be.
    pub(super) async fn with_open_conversation(&mut self) -> Result<Consumer, DeliveryError> {
        for _ in 0..SAVE_ATTEMPTS {
            let mut consumer = match self.known.take() {
                Some(known) => known,
                None => self.load().await?,
            };
            if self.identify(&mut consumer).await? == Saved::Conflict {
                continue;
            }
            if consumer.open_conversation().is_none() {
                self.check_time(LIVEENGAGE_CALL)?;
                if let Some(count) = consumer.closed_at_once(&name_of(&self.lease.message), self.attempt.now) {
                    return Err(DeliveryError::ClosedAtOnce { count });
                }
            }
            match consumer.reserve(&self.attempt.owner, self.attempt.now, self.attempt.deadline) {
                OpenLease::Open(_) => return self.with_profile(consumer).await,
                // Messages of one person go one after the other: it is an attempt that has died, or that couldn't give it back. A
                // webhook may tell of the conversation before its lease runs out.
                OpenLease::Busy { until } => {
                    let left = until.duration_since(self.attempt.now);
                    let after = left.clamp(SignedDuration::from_secs(1), SignedDuration::from_secs(10));
                    return Err(DeliveryError::Busy { what: Leased::Conversation, after });
                }
                OpenLease::Reserved => {}
            }
            if self.save(&mut consumer).await? == Saved::Saved {
                return self.open(consumer).await;
            }
        }
        Err(DeliveryError::Contended)
    }

    /// Opens a conversation under the lease that was just saved.
    async fn open(&self, consumer: Consumer) -> Result<Consumer, DeliveryError> {
        let Some(identity) = &consumer.identity else { return Err(DeliveryError::Contended) };
        let error = match self.ask_or_close_survey(&identity.token, &consumer).await {
            Ok(conversation) => return self.attach(&conversation, None).await,
            Err(error) => error,
        };
        let already_open = matches!(error, DeliveryError::LiveEngage(LiveEngageError::AlreadyOpen { .. }));
        if already_open {
            // Texts in it may be waiting to know whose it is.
            self.worker.ports.consumers.note_unattached(&self.settings.account, self.attempt.now).await?;
        }
        let (now, message) = (self.attempt.now, name_of(&self.lease.message));
        let give_up = |consumer: &mut Consumer| {
            let given_up = consumer.give_up(&self.attempt.owner);
            if consumer.open_conversation().is_some() {
                consumer.count_opening(&message, now);
            } else if already_open && consumer.contradicted_since.is_none() {
                consumer.contradicted_since = Some(now);
            } else {
                return given_up;
            }
            Mutation::Changed
        };
        // A webhook may have told of the conversation meanwhile: then it is open, and not ours to give back.
        let consumer = self.update(give_up).await?;
        if consumer.open_conversation().is_some() {
            return Ok(consumer);
        }
        if let DeliveryError::LiveEngage(LiveEngageError::ConsumerJwsRefused { .. }) = &error {
            self.forget_identity(&identity.token).await?;
        }
        Err(error)
    }

    /// Asks to open a conversation, and once more if a survey in the one before was in the way.
    async fn ask_or_close_survey(
        &self,
        token: &ConsumerToken,
        consumer: &Consumer,
    ) -> Result<ConversationId, DeliveryError> {
        let opened = self.ask_to_open(token).await;
        let since = consumer.contradicted_since;
        let for_long = since.is_some_and(|since| self.attempt.now.duration_since(since) >= UNHEARD_SURVEY_AFTER);
        if let (Err(DeliveryError::LiveEngage(LiveEngageError::AlreadyOpen { .. })), Some(previous)) =
            (&opened, consumer.previous_conversation())
            && for_long
            && self.closes_unheard_survey(token, previous).await?
        {
            return self.ask_to_open(token).await;
        }
        opened
    }

    async fn ask_to_open(&self, token: &ConsumerToken) -> Result<ConversationId, DeliveryError> {
        self.check_time(LIVEENGAGE_CALL)?;
        let (request_id, routing) = (self.request_id("open"), &self.settings.routing);
        self.worker.liveengage.open(self.caller(), token, &request_id, routing, &self.profile).await
    }

    /// Notes a conversation that LiveEngage has opened on our call, in place of one that has `ended` meanwhile.
    async fn attach(
        &self,
        conversation: &ConversationId,
        ended: Option<(&ConversationId, &DialogId)>,
    ) -> Result<Consumer, DeliveryError> {
        let (at, profile, message) = (self.attempt.now, self.profile_name(), name_of(&self.lease.message));
        let attach = |consumer: &mut Consumer| {
            if let Some((id, dialog)) = ended
                && consumer.found_closed(id, dialog) == Mutation::Changed
            {
                // Under a lease as ever: news of the old one, by LiveEngage's clock, must not look newer than the new one.
                consumer.reserve(&self.attempt.owner, at, self.attempt.deadline);
            }
            if consumer.attach(conversation, at) == Mutation::Changed {
                consumer.profile = Some(profile.clone());
            }
            consumer.count_opening(&message, at);
            Mutation::Changed
        };
        let consumer = self.update(attach).await?;
        let (correlation, line) = (self.correlation, &self.who.line);
        tracing::info!(%correlation, %line, %conversation, "conversation opened");
        Ok(consumer)
    }

    /// SEND says that the conversation before has closed, CONVERSATION says that the person has an open one, and the news of the one or the
    /// other does not come: a survey of which nothing was heard is open in the conversation before, and
    /// nothing tells its dialog: the conversation is closed whole, because what the person says matters more than the survey.
    ///
    /// # Errors
    /// [`DeliveryError`]. `false`: the conversation before is closed indeed, and the open one is another.
    async fn closes_unheard_survey(
        &self,
        token: &ConsumerToken,
        previous: &ConversationId,
    ) -> Result<bool, DeliveryError> {
        self.check_time(LIVEENGAGE_CALL)?;
        let request_id = self.request_id("close previous");
        let closed =
            self.worker.liveengage.close(self.caller(), token, &request_id, previous, Close::Conversation).await;
        match closed {
            Ok(()) => {
                let (correlation, line) = (self.correlation, &self.who.line);
                tracing::warn!(%correlation, %line, conversation = %previous, count = 1, "a survey that nothing was heard of is closed: the person's text comes first");
                Ok(true)
            }
            Err(DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) => Ok(false),
            Err(error) if error.disposition() == Disposition::Park => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether LiveEngage takes a conversation that the record says is open for closed, asked by opening another one. SEND was refused
    /// there, and the words of a refusal are nothing to rely on.
    pub(super) async fn is_open_no_more(
        &self,
        token: &ConsumerToken,
        conversation: &ConversationId,
        dialog: &DialogId,
    ) -> Result<Option<Consumer>, DeliveryError> {
        match self.ask_to_open(token).await {
            Ok(opened) => self.attach(&opened, Some((conversation, dialog))).await.map(Some),
            Err(DeliveryError::LiveEngage(error @ LiveEngageError::AlreadyOpen { .. })) => {
                // At an attempt in between, it may be one that an attempt before has opened without an answer.
                if self.attempts == 1 || self.attempts >= NEWS_HAS_COME {
                    return Ok(None);
                }
                self.worker.ports.consumers.note_unattached(&self.settings.account, self.attempt.now).await?;
                Err(error.into())
            }
            Err(error) => Err(error),
        }
    }
}
