//! Having an open conversation: asking for one, and finding out what is true where LiveEngage's answers contradict each other.

use jiff::SignedDuration;

use super::{DeliveryError, LIVEENGAGE_CALL, Way, record::SAVE_ATTEMPTS};
use crate::{
    app::{delivery::name_of, error::Leased},
    domain::{
        conversation::{Change, Consumer, ConsumerToken, MOST_OPENINGS, Reserve},
        id::{ConversationId, DialogId},
        retry::Disposition,
    },
    liveengage::{LiveEngageError, messaging::Close},
    port::Saved,
};

/// From which attempt on an open conversation that nothing tells the id of is taken for one in which a survey runs: half a minute after
/// the first, and news mostly comes within a second.
const UNHEARD_SURVEY_AFTER: u32 = 4;

impl Way<'_> {
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
                let count = consumer.openings_for(&name_of(&self.lease.message), self.attempt.now);
                if count >= MOST_OPENINGS {
                    return Err(DeliveryError::ClosedAtOnce { count });
                }
            }
            match consumer.reserve(&self.attempt.owner, self.attempt.now, self.attempt.deadline) {
                Reserve::Open(_) => return self.with_profile(consumer).await,
                // Messages of one person go one after the other: it is an attempt that has died, or that couldn't give it back. A
                // webhook may tell of the conversation before its lease runs out.
                Reserve::Busy { until } => {
                    let left = until.duration_since(self.attempt.now);
                    let after = left.clamp(SignedDuration::from_secs(1), SignedDuration::from_secs(10));
                    return Err(DeliveryError::Busy { what: Leased::Conversation, after });
                }
                Reserve::Reserved => {}
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
        match self.ask_or_close_survey(&identity.token, consumer.previous_conversation()).await {
            Ok(conversation) => self.attach(&conversation).await,
            Err(error) => {
                if let DeliveryError::LiveEngage(LiveEngageError::AlreadyOpen { .. }) = &error {
                    // Texts in it may be waiting to know whose it is.
                    self.worker.ports.consumers.note_unattached(&self.settings.account, self.attempt.now).await?;
                }
                // A webhook may have told of the conversation meanwhile: then it is open, and not ours to give back.
                let consumer = self.update(|consumer| consumer.give_up(&self.attempt.owner)).await?;
                if consumer.open_conversation().is_some() {
                    return Ok(consumer);
                }
                if let DeliveryError::LiveEngage(LiveEngageError::ConsumerJwsRefused { .. }) = &error {
                    self.forget_identity(&identity.token).await?;
                }
                Err(error)
            }
        }
    }

    /// Asks to open a conversation, and once more if a survey in the one before was in the way.
    async fn ask_or_close_survey(
        &self,
        token: &ConsumerToken,
        previous: Option<&ConversationId>,
    ) -> Result<ConversationId, DeliveryError> {
        let opened = self.ask_to_open(token).await;
        if let (Err(DeliveryError::LiveEngage(LiveEngageError::AlreadyOpen { .. })), Some(previous)) =
            (&opened, previous)
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

    /// Notes a conversation that LiveEngage has opened on our call.
    async fn attach(&self, conversation: &ConversationId) -> Result<Consumer, DeliveryError> {
        let (at, profile, message) = (self.attempt.now, self.profile_name(), name_of(&self.lease.message));
        let attach = |consumer: &mut Consumer| {
            if consumer.attach(conversation, at) == Change::Changed {
                consumer.profile = Some(profile.clone());
            }
            consumer.count_opening(&message, at);
            Change::Changed
        };
        let consumer = self.update(attach).await?;
        let (correlation, line) = (self.correlation, &self.who.line);
        tracing::info!(%correlation, %line, %conversation, "conversation opened");
        Ok(consumer)
    }

    /// SEND says that the conversation before has closed, CONVERSATION says that the person has an open one. Mostly the news of the one
    /// or the other is on its way. When it does not come, a survey of which nothing was heard is open in the conversation before, and
    /// nothing tells its dialog: the conversation is closed whole, because what the person says matters more than the survey.
    ///
    /// # Errors
    /// [`DeliveryError`]. `false`: it is not time yet, or the conversation before is closed indeed and the open one is another.
    async fn closes_unheard_survey(
        &self,
        token: &ConsumerToken,
        previous: &ConversationId,
    ) -> Result<bool, DeliveryError> {
        if self.attempts < UNHEARD_SURVEY_AFTER {
            return Ok(false);
        }
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
            Ok(opened) => {
                self.update(|consumer| consumer.found_closed(conversation, dialog)).await?;
                self.attach(&opened).await.map(Some)
            }
            Err(DeliveryError::LiveEngage(LiveEngageError::AlreadyOpen { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
