//! The calls of one delivery: knowing the consumer, having an open conversation, sending in it.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    Attempt, Caller, DeliverToLiveEngage, DeliveryContext, DeliveryError, LIVEENGAGE_CALL, LineSettings, digest,
    record::{SAVE_ATTEMPTS, update},
};
use crate::{
    app::delivery::name_of,
    domain::{
        conversation::{Consumer, ConsumerToken, Identity, Mutation},
        delivery::{
            CarriedOut, ConsumerRef, DialogRef, InboundReceipt, Lease, LedgerEntry, MessageKey, Step, UncertainOutcome,
        },
        id::{ConversationId, CorrelationId, DialogId, Sequence},
        menu::Chosen,
        message::InboundEvent,
        retry::Disposition,
    },
    liveengage::{
        LiveEngageError,
        messaging::{AcceptStatus, ChatState, Event, Place, SEND, UserProfile},
    },
    port::Saved,
};

/// Where something was said, and as which number.
pub(super) struct Published {
    pub(super) conversation: ConversationId,
    pub(super) dialog: DialogId,
    pub(super) sequence: Option<Sequence>,
}

/// Takes a refused token out of the record, unless there is a newer one already.
pub(super) fn without(consumer: &mut Consumer, refused: &ConsumerToken) -> Mutation {
    match &consumer.identity {
        Some(identity) if identity.token == *refused => {
            consumer.identity = None;
            Mutation::Changed
        }
        _ => Mutation::Unchanged,
    }
}

fn dialog_ref(place: Place<'_>) -> DialogRef {
    DialogRef { conversation: place.conversation.clone(), dialog: place.dialog.clone() }
}

/// The calls of one delivery.
pub(super) struct ConsumerSession<'a> {
    pub(super) worker: &'a DeliverToLiveEngage,
    pub(super) settings: &'a LineSettings,
    pub(super) attempt: &'a Attempt,
    pub(super) lease: &'a Lease,
    pub(super) who: &'a ConsumerRef,
    /// Follows the message through the logs.
    pub(super) correlation: &'a CorrelationId,
    /// What the agent is to know of the person, and whether the channel has said anything with this very message.
    pub(super) profile: UserProfile,
    profile_is_said: bool,
    /// How often the message was started.
    pub(super) attempts: u32,
    /// The consumer's record as it was last read or written here.
    pub(super) known: Option<Consumer>,
    /// Whether an attempt has done the next step without noting it.
    pub(super) uncertain: UncertainOutcome,
}

impl<'a> ConsumerSession<'a> {
    pub(super) fn new(
        worker: &'a DeliverToLiveEngage,
        settings: &'a LineSettings,
        attempt: &'a Attempt,
        lease: &'a Lease,
        who: &'a ConsumerRef,
        (event, correlation): (&InboundEvent, &'a CorrelationId),
        (attempts, uncertain): (u32, UncertainOutcome),
    ) -> Self {
        let language = settings.routing.language.as_deref();
        let capabilities = settings.line.capabilities();
        let profile = settings.profile.profile(&capabilities, &who.user, event.person.as_ref(), language);
        let profile_is_said = event.person.is_some();
        Self {
            worker,
            settings,
            attempt,
            lease,
            who,
            correlation,
            profile,
            profile_is_said,
            attempts,
            known: None,
            uncertain,
        }
    }

    pub(super) fn caller(&self) -> Caller<'a> {
        DeliverToLiveEngage::caller(self.settings, self.attempt, self.who)
    }

    /// Names a request: the same at every attempt, at most 60 characters.
    pub(super) fn request_id(&self, step: &str) -> String {
        let MessageKey::FromChannel { line, name } = &self.lease.message else { return digest([step.as_bytes()]) };
        let mut id = digest([line.as_str().as_bytes(), name.as_bytes(), step.as_bytes()]);
        id.truncate(32);
        id
    }

    pub(super) fn check_time(&self, needed: SignedDuration) -> Result<(), DeliveryError> {
        self.attempt.check_time(&*self.worker.ports.clock, needed)
    }

    /// The consumer's record, read once.
    pub(super) async fn consumer(&mut self) -> Result<&Consumer, DeliveryError> {
        let consumer = match self.known.take() {
            Some(known) => known,
            None => self.load().await?,
        };
        Ok(self.known.insert(consumer))
    }

    /// Has the record read again: it was changed.
    pub(super) fn forget(&mut self) {
        self.known = None;
    }

    /// Tells LiveEngage that the person chose something. Bots act on this, so it is not told again when its echo has come; a
    /// conversation that has ended needs it no more.
    pub(super) async fn tell_choice(
        &mut self,
        chosen: &Chosen,
        written_at: Timestamp,
    ) -> Result<Option<Sequence>, DeliveryError> {
        self.check_time(LIVEENGAGE_CALL)?;
        let request_id = self.request_id("choice");
        let consumer = self.consumer().await?.clone();
        let (Some(identity), Some(conversation)) = (&consumer.identity, consumer.open_conversation()) else {
            return Ok(None);
        };
        let place = Place { conversation, dialog: &chosen.dialog };
        let sequences = [chosen.sequence];
        let (event, metadata) = (Event::Status(AcceptStatus::Action, &sequences), chosen.metadata.as_ref());
        match self.published_before(&event, Some(dialog_ref(place)), written_at).await {
            Ok(Some(told)) => return Ok(told.sequence),
            Ok(None) => {}
            // Its text carries the metadata, too.
            Err(DeliveryError::Uncertain) => {
                tracing::warn!(correlation = %self.correlation, count = 1, "a click may have been told before; its text is sent without it");
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let liveengage = &self.worker.liveengage;
        let told = liveengage.publish(self.caller(), &identity.token, &request_id, place, event, metadata).await;
        match &told {
            Ok(_) => self.note_published(place),
            Err(error) => self.note_uncertain(error, place),
        }
        match told {
            // The text finds out by itself, and mends it.
            Err(DeliveryError::LiveEngage(
                LiveEngageError::ConversationClosed { .. } | LiveEngageError::ConsumerJwsRefused { .. },
            )) => Ok(None),
            // The text matters more than the click.
            Err(error) if error.disposition() == Disposition::Park => {
                tracing::warn!(correlation = %self.correlation, %error, count = 1, "a click was refused; its text is sent all the same");
                Ok(None)
            }
            other => other,
        }
    }

    /// Notes a step, and with it that nothing of it is in doubt.
    pub(super) async fn step_done(
        &mut self,
        done: usize,
        step: &Step,
        entry: Option<&LedgerEntry>,
    ) -> Result<(), DeliveryError> {
        self.worker.ports.messages.step_done(self.lease, done, step, entry).await?;
        self.uncertain = UncertainOutcome::none_after(done + 1);
        Ok(())
    }

    /// Notes whether a SEND there may have been carried out although it failed.
    pub(super) fn note_uncertain(&mut self, error: &DeliveryError, place: Place<'_>) {
        if let Some(carried_out) = error.carried_out(SEND) {
            self.uncertain.add(carried_out, Some(dialog_ref(place)));
        }
    }

    /// Notes that something was published there which the table doesn't know yet: should it not take the note, the next attempt asks.
    pub(super) fn note_published(&mut self, place: Place<'_>) {
        self.uncertain.add(CarriedOut::Perhaps, Some(dialog_ref(place)));
    }

    /// Sends one piece, in a new conversation if the one it was meant for has ended. Nothing is sent that an earlier attempt has
    /// published.
    pub(super) async fn send(
        &mut self,
        index: usize,
        event: Event<'_>,
        metadata: Option<&Value>,
        context: &DeliveryContext,
    ) -> Result<Published, DeliveryError> {
        if let Some(told) = self.published_before(&event, None, self.written_at(context)).await? {
            return Ok(told);
        }
        let mut mended = (false, false);
        let request_id = self.request_id(&format!("send {index}"));
        loop {
            let consumer = self.with_open_conversation().await?;
            let (Some(identity), Some((conversation, dialog))) = (&consumer.identity, consumer.active_dialog()) else {
                return Err(DeliveryError::Contended);
            };
            self.check_time(LIVEENGAGE_CALL)?;
            let place = Place { conversation, dialog: &dialog };
            let liveengage = &self.worker.liveengage;
            match liveengage.publish(self.caller(), &identity.token, &request_id, place, event, metadata).await {
                Ok(sequence) => {
                    self.note_published(place);
                    let told = Published { conversation: conversation.clone(), dialog, sequence };
                    self.known = Some(consumer);
                    return Ok(told);
                }
                Err(DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) if !mended.0 => {
                    mended.0 = true;
                    let ended = conversation.clone();
                    let (message, now) = (name_of(&self.lease.message), self.attempt.now);
                    let found = |consumer: &mut Consumer| {
                        let change = consumer.found_closed(&ended, &dialog);
                        if change == Mutation::Changed {
                            consumer.count_closed(&message, now);
                        }
                        change
                    };
                    self.known = Some(self.update(found).await?);
                }
                Err(DeliveryError::LiveEngage(LiveEngageError::ConsumerJwsRefused { .. })) if !mended.1 => {
                    mended.1 = true;
                    self.forget_identity(&identity.token).await?;
                }
                Err(refused @ DeliveryError::LiveEngage(LiveEngageError::Refused { .. })) if !mended.0 => {
                    mended.0 = true;
                    match self.is_open_no_more(&identity.token, conversation, &dialog).await? {
                        Some(reopened) => self.known = Some(reopened),
                        None => return Err(refused),
                    }
                }
                Err(error) => {
                    self.note_uncertain(&error, place);
                    return Err(error);
                }
            }
        }
    }

    /// What the ledger notes of a message that was told. Only channels that show what was read ask for its place.
    pub(super) fn heard(&self, told: &Published, event: &InboundEvent) -> Option<LedgerEntry> {
        Some(LedgerEntry::InboundReceipt(InboundReceipt {
            account: self.settings.account.clone(),
            dialog: told.dialog.clone(),
            sequence: told.sequence?,
            consumer: self.who.clone(),
            id: event.id.clone(),
            at: self.attempt.now,
            by_position: self.settings.line.capabilities().mark_read,
        }))
    }

    /// Ends what LiveEngage shows of the person's typing: the text alone doesn't. Best effort.
    pub(super) async fn end_typing(&mut self) {
        let Some(consumer) = self.known.take() else { return };
        if consumer.composing.is_none() {
            return;
        }
        let told =
            self.worker.chat_state(self.caller(), &consumer, ChatState::Active, &self.request_id("active")).await;
        let cleared = self
            .update(|consumer| match consumer.composing.take() {
                Some(_) => Mutation::Changed,
                None => Mutation::Unchanged,
            })
            .await;
        if let Err(error) = told.and(cleared.map(drop)) {
            tracing::debug!(correlation = %self.correlation, %error, "typing was not ended");
        }
    }

    /// Asks who the consumer is at LivePerson, if that is not known. Saved before anything is opened, with the pointer from
    /// lp_consumer_id: the webhook that tells of a new conversation names the consumer by it, and can come before the answer to our
    /// call.
    pub(super) async fn identify(&self, consumer: &mut Consumer) -> Result<Saved, DeliveryError> {
        if consumer.identity.is_some() {
            return Ok(Saved::Saved);
        }
        self.check_time(LIVEENGAGE_CALL)?;
        let name = self.settings.ext_consumer_id(&self.who.user)?;
        consumer.identity = Some(self.worker.liveengage.identify(self.caller(), &name).await?);
        self.save(consumer).await
    }

    /// The consumer's record with an identity, whether a conversation is open or not.
    pub(super) async fn identified(&mut self) -> Result<(Consumer, Identity), DeliveryError> {
        for _ in 0..SAVE_ATTEMPTS {
            let mut consumer = self.consumer().await?.clone();
            if self.identify(&mut consumer).await? == Saved::Saved
                && let Some(identity) = consumer.identity.clone()
            {
                self.known = Some(consumer.clone());
                return Ok((consumer, identity));
            }
            self.forget();
        }
        Err(DeliveryError::Contended)
    }

    /// Tells the agent what the channel says about the person, if it says something new. The text matters more: what fails here is
    /// told with the next one.
    pub(super) async fn with_profile(&self, consumer: Consumer) -> Result<Consumer, DeliveryError> {
        let name = self.profile_name();
        let known = consumer.profile.as_ref() == Some(&name);
        let (Some(identity), true) = (&consumer.identity, self.profile_is_said && !known) else { return Ok(consumer) };
        let request_id = self.request_id("profile");
        let told = self.worker.liveengage.set_profile(self.caller(), &identity.token, &request_id, &self.profile).await;
        if let Err(error) = told {
            tracing::warn!(correlation = %self.correlation, %error, count = 1, "what the channel says about a person can't be told");
            return Ok(consumer);
        }
        self.update(|consumer| {
            consumer.profile = Some(name.clone());
            Mutation::Changed
        })
        .await
    }

    pub(super) fn profile_name(&self) -> String {
        digest([serde_json::to_vec(&self.profile).unwrap_or_default().as_slice()])
    }

    /// Passes a result on. If it is that the consumer's token was refused, the next attempt asks IDP again.
    pub(super) async fn mending<T>(
        &self,
        token: &ConsumerToken,
        result: Result<T, DeliveryError>,
    ) -> Result<T, DeliveryError> {
        if let Err(DeliveryError::LiveEngage(LiveEngageError::ConsumerJwsRefused { .. })) = &result {
            self.forget_identity(token).await?;
        }
        result
    }

    /// The next attempt asks IDP again.
    pub(super) async fn forget_identity(&self, refused: &ConsumerToken) -> Result<(), DeliveryError> {
        self.update(|consumer| without(consumer, refused)).await.map(drop)
    }

    pub(super) async fn load(&self) -> Result<Consumer, DeliveryError> {
        let mut consumer = self.worker.ports.consumers.consumer(self.who).await?.unwrap_or_else(|| {
            Consumer::new(self.who.line.clone(), self.who.user.clone(), self.settings.account.clone())
        });
        consumer.move_to(&self.settings.account);
        Ok(consumer)
    }

    pub(super) async fn save(&self, consumer: &mut Consumer) -> Result<Saved, DeliveryError> {
        let saved = self.worker.ports.consumers.save_consumer(consumer).await?;
        if saved == Saved::Saved {
            consumer.version += 1;
        }
        Ok(saved)
    }

    pub(super) async fn update(&self, change: impl Fn(&mut Consumer) -> Mutation) -> Result<Consumer, DeliveryError> {
        update(&*self.worker.ports.consumers, self.who, || self.settings.account.clone(), change).await
    }

    /// When the person wrote, as far as it is known: when the connector first took the message over.
    pub(super) fn written_at(&self, context: &DeliveryContext) -> Timestamp {
        context.first_accepted_at.or(context.accepted_at).unwrap_or(self.attempt.now)
    }
}
