//! What a person wrote reaches LiveEngage: the only caller of the Send API.
//!
//! Lease the message, know the consumer, have an open conversation, send piece by piece, note every step. A crash between any
//! two calls leaves a state from which the next attempt goes on.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    delivery::{About, Attempt, ComeAgain, Delivered, LIVEENGAGE_CALL, Telling, begin, end, park_unreadable},
    error::DeliveryError,
    liveengage_client::{Caller, LiveEngage},
    registry::Lines,
    settings::LineSettings,
    task::{ToChannel, ToLiveEngage, digest, to_body},
};
use crate::{
    domain::{
        conversation::{Change, Consumer, ConsumerToken, Reserve},
        delivery::{Begin, ConsumerRef, Lease, MessageKey, Step},
        id::{ConversationId, CorrelationId, DialogId, LineId, Sequence},
        menu::Chosen,
        message::{InboundContent, InboundEvent, MessageText},
        retry::Disposition,
    },
    liveengage::{
        LiveEngageError,
        messaging::{Event, Place, text_pieces},
    },
    port::{Clock, Consumers, Messages, Queue, QueueMessage, Saved},
};

/// How often a save is tried when others write the same record: they are one webhook worker and one inbound worker at most.
const SAVE_ATTEMPTS: usize = 5;

/// The use case.
#[derive(Clone)]
pub struct DeliverToLiveEngage {
    lines: Arc<Lines>,
    liveengage: Arc<LiveEngage>,
    consumers: Arc<dyn Consumers>,
    messages: Arc<dyn Messages>,
    to_channel: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for DeliverToLiveEngage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeliverToLiveEngage")
    }
}

impl DeliverToLiveEngage {
    /// Delivers for `lines`; who can't be delivered for is told over the queue to the channels.
    pub fn new(
        lines: Arc<Lines>,
        liveengage: Arc<LiveEngage>,
        consumers: Arc<dyn Consumers>,
        messages: Arc<dyn Messages>,
        to_channel: Arc<dyn Queue>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { lines, liveengage, consumers, messages, to_channel, clock }
    }

    /// Works on one queue message. In the steady state four outside calls: lease, consumer, SEND, finish (and one more to note
    /// each further piece of a long text).
    ///
    /// # Errors
    /// [`ComeAgain`] when the message must stay in the queue.
    pub async fn work(&self, task: &str, attempt: &Attempt) -> Result<(), ComeAgain> {
        match serde_json::from_str::<ToLiveEngage>(task) {
            Ok(ToLiveEngage::ChannelEventV1 { line, correlation, accepted_at, event }) => {
                let mut about = About {
                    line: Some(line.clone()),
                    correlation: correlation.as_str().to_owned(),
                    accepted_at: Some(accepted_at),
                    ..About::default()
                };
                let key = MessageKey::FromChannel { line: line.clone(), id: event.id.clone() };
                let result = self.deliver(&line, &event, &key, attempt, &mut about).await;
                let notice = match self.lines.get(&line, attempt.now).await {
                    Some(settings) => settings.current.not_delivered_notice.clone(),
                    None => None,
                };
                let news = |_: &str| notice_of(&line, &event, &correlation, notice.clone()?, attempt);
                let telling = Telling { queue: &*self.to_channel, news: &news };
                end(&*self.messages, &key, attempt, &about, task, result, Some(telling)).await
            }
            Ok(ToLiveEngage::UndeliveredV1 {
                line,
                user,
                correlation,
                accepted_at,
                conversation,
                dialog,
                sequence,
                reason,
            }) => {
                let mut about = About {
                    line: Some(line.clone()),
                    conversation: Some(conversation.clone()),
                    correlation: correlation.as_str().to_owned(),
                    accepted_at: Some(accepted_at),
                    ..About::default()
                };
                let key = MessageKey::ByDigest {
                    digest: digest([
                        b"undelivered".as_slice(),
                        line.as_str().as_bytes(),
                        dialog.as_str().as_bytes(),
                        sequence.map_or_else(|| correlation.as_str().to_owned(), |n| n.0.to_string()).as_bytes(),
                    ]),
                };
                let undelivered = Undelivered {
                    who: ConsumerRef { line, user },
                    place: Place { conversation: &conversation, dialog: &dialog },
                    sequence,
                    reason: &reason,
                };
                let result = self.tell_agent(undelivered, &key, attempt, &mut about).await;
                // Nobody is told that nobody could be told: it is parked.
                end(&*self.messages, &key, attempt, &about, task, result, None).await
            }
            Err(_) => {
                park_unreadable(&*self.messages, attempt, task, "a queue message of another form", About::default())
                    .await
            }
        }
    }

    /// Marks the agent's message as not received, and says why in the conversation. A conversation that has ended has nobody to
    /// tell: none is opened for this.
    async fn tell_agent(
        &self,
        undelivered: Undelivered<'_>,
        key: &MessageKey,
        attempt: &Attempt,
        about: &mut About,
    ) -> Result<Delivered, DeliveryError> {
        let Some((lease, steps)) = begin(&*self.messages, key.clone(), attempt, about).await? else {
            return Ok(Delivered::Nothing("told before"));
        };
        let unknown = || DeliveryError::UnknownLine { line: undelivered.who.line.clone() };
        let settings = self.lines.get(&undelivered.who.line, attempt.now).await.ok_or_else(unknown)?;
        let settings = &settings.current;
        let caller = Caller { account: &settings.account, owner: &attempt.owner, now: attempt.now };
        let record = self.consumers.consumer(&undelivered.who).await?;
        let known = record.filter(|record| record.account == settings.account).and_then(|record| record.identity);
        let mut identity = match known {
            Some(identity) => identity,
            None => self.liveengage.identify(caller, &settings.ext_consumer_id(&undelivered.who.user)?).await?,
        };
        // One line an hour in a conversation: a bot may answer it, and its answer may be undeliverable too.
        let hour = about.accepted_at.map_or(0, |at| at.as_second() / 3600);
        let line_key = MessageKey::ByDigest {
            digest: digest([
                b"undelivered line".as_slice(),
                undelivered.place.conversation.as_str().as_bytes(),
                &hour.to_be_bytes(),
            ]),
        };
        let text = format!("[Not delivered: {}]", undelivered.reason);
        let mut mended = false;
        let mut step = steps.len();
        while step < 2 {
            attempt.check_time(&*self.clock, LIVEENGAGE_CALL)?;
            let line = Lease { message: line_key.clone(), owner: attempt.owner.clone() };
            let event = match (step, undelivered.sequence) {
                (0, Some(sequence)) => Some(Event::NotReceived(sequence)),
                (0, None) => None,
                _ => match self.messages.begin(&line, attempt.now, attempt.deadline).await? {
                    Begin::Started { .. } => Some(Event::Text(&text)),
                    Begin::Done | Begin::Busy { .. } => None,
                },
            };
            let mut request_id = digest([format!("{key:?} {step}").as_bytes()]);
            request_id.truncate(32);
            let sent = match event {
                Some(event) => {
                    let (token, place) = (&identity.token, undelivered.place);
                    self.liveengage.publish(caller, token, &request_id, place, event, None).await
                }
                None => Ok(None),
            };
            match sent {
                Ok(sequence) => {
                    if step == 1 && event.is_some() {
                        self.messages.finish(&line).await?;
                    }
                    let reference = sequence.map(|sequence| sequence.0.to_string());
                    self.messages.step_done(&lease, step, &Step::done(reference)).await?;
                    step += 1;
                }
                Err(DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) => {
                    self.messages.finish(&lease).await?;
                    return Ok(Delivered::Nothing("the conversation has ended"));
                }
                Err(DeliveryError::LiveEngage(LiveEngageError::ConsumerJwsRefused { .. })) if !mended => {
                    mended = true;
                    let name = settings.ext_consumer_id(&undelivered.who.user)?;
                    identity = self.liveengage.identify(caller, &name).await?;
                }
                Err(error) => {
                    if step == 1 {
                        let _ = self.messages.release(&line).await;
                    }
                    return Err(error);
                }
            }
        }
        self.messages.finish(&lease).await?;
        Ok(Delivered::Sent)
    }

    async fn deliver(
        &self,
        line: &LineId,
        event: &InboundEvent,
        key: &MessageKey,
        attempt: &Attempt,
        about: &mut About,
    ) -> Result<Delivered, DeliveryError> {
        let settings =
            self.lines.get(line, attempt.now).await.ok_or_else(|| DeliveryError::UnknownLine { line: line.clone() })?;
        let settings = &settings.current;
        let Some((lease, steps)) = begin(&*self.messages, key.clone(), attempt, about).await? else {
            return Ok(Delivered::Nothing("delivered before"));
        };
        let text = match &event.content {
            InboundContent::Text { text } => text.as_str().to_owned(),
            InboundContent::Unsupported { label } => format!("[{label}: can't be shown here]"),
        };
        let who = ConsumerRef { line: line.clone(), user: event.user.clone() };
        let mut way = Way { worker: self, settings, attempt, lease: &lease, who: &who, known: None };
        // Noted with the first step: the menu may be gone at the next attempt.
        let chosen = match steps.first() {
            Some(step) => step.chosen.clone(),
            None => way.chosen(&text, about.accepted_at.unwrap_or(attempt.now)).await?,
        };
        let mut done = steps.len();
        if let (Some(chosen), 0) = (&chosen, done) {
            let sequence = way.tell_choice(chosen).await?;
            let reference = sequence.map(|sequence| sequence.0.to_string());
            self.messages.step_done(&lease, 0, &Step { reference, chosen: Some(chosen.clone()) }).await?;
            done = 1;
        }
        // An answer's first step is the click, and then comes its text.
        let clicks = usize::from(chosen.is_some());
        let (text, metadata) = match &chosen {
            Some(chosen) => (chosen.text.as_str(), chosen.metadata.as_ref()),
            None => (text.as_str(), None),
        };
        let pieces = text_pieces(text);
        for (index, piece) in pieces.iter().enumerate().skip(done.saturating_sub(clicks)) {
            let (conversation, sequence) = way.send(index, piece, metadata).await?;
            about.conversation = Some(conversation);
            let step = Step::done(sequence.map(|sequence| sequence.to_string()));
            if index + 1 < pieces.len() {
                self.messages.step_done(&lease, index + clicks, &step).await?;
            }
        }
        // The last step and the end are one write: a message of one piece costs one less.
        self.messages.finish(&lease).await?;
        Ok(Delivered::Sent)
    }
}

/// An agent's message that did not reach the person.
struct Undelivered<'a> {
    who: ConsumerRef,
    place: Place<'a>,
    sequence: Option<Sequence>,
    reason: &'a str,
}

/// The news for a person that their message was not delivered.
fn notice_of(
    line: &LineId,
    event: &InboundEvent,
    correlation: &CorrelationId,
    text: MessageText,
    attempt: &Attempt,
) -> Option<QueueMessage> {
    let task = ToChannel::NoticeV1 {
        line: line.clone(),
        user: event.user.clone(),
        correlation: correlation.clone(),
        accepted_at: attempt.now,
        text,
    };
    Some(QueueMessage {
        body: to_body(&task).ok()?,
        group: digest([b"notice".as_slice(), line.as_str().as_bytes(), event.user.as_str().as_bytes()]),
        deduplication: digest([
            b"notice".as_slice(),
            line.as_str().as_bytes(),
            event.user.as_str().as_bytes(),
            &(attempt.now.as_second() / 3600).to_be_bytes(),
        ]),
    })
}

/// The calls of one delivery.
struct Way<'a> {
    worker: &'a DeliverToLiveEngage,
    settings: &'a LineSettings,
    attempt: &'a Attempt,
    lease: &'a Lease,
    who: &'a ConsumerRef,
    /// The consumer's record, read and not yet used.
    known: Option<Consumer>,
}

impl Way<'_> {
    fn caller(&self) -> Caller<'_> {
        Caller { account: &self.settings.account, owner: &self.attempt.owner, now: self.attempt.now }
    }

    /// Names a request: the same at every attempt, at most 60 characters.
    fn request_id(&self, step: &str) -> String {
        let MessageKey::FromChannel { line, id } = &self.lease.message else { return digest([step.as_bytes()]) };
        let mut id = digest([line.as_str().as_bytes(), id.as_str().as_bytes(), step.as_bytes()]);
        id.truncate(32);
        id
    }

    /// What the text chooses of the menu that the person was last shown.
    async fn chosen(&mut self, text: &str, written_at: Timestamp) -> Result<Option<Chosen>, DeliveryError> {
        let consumer = self.load().await?;
        let chosen = match (&consumer.menu, consumer.open_conversation()) {
            (Some(menu), Some(conversation)) => menu.chosen(text, conversation, written_at),
            _ => None,
        };
        self.known = Some(consumer);
        Ok(chosen)
    }

    /// Tells LiveEngage that the person chose something. Bots act on this; a conversation that has ended needs it no more.
    async fn tell_choice(&mut self, chosen: &Chosen) -> Result<Option<Sequence>, DeliveryError> {
        let consumer = self.load().await?;
        let (Some(identity), Some(conversation)) = (&consumer.identity, consumer.open_conversation()) else {
            return Ok(None);
        };
        self.attempt.check_time(&*self.worker.clock, LIVEENGAGE_CALL)?;
        let place = Place { conversation, dialog: &chosen.dialog };
        let (event, metadata) = (Event::Chosen(chosen.sequence), chosen.metadata.as_ref());
        let told = self
            .worker
            .liveengage
            .publish(self.caller(), &identity.token, &self.request_id("choice"), place, event, metadata)
            .await;
        match told {
            // The text finds out by itself, and mends it.
            Err(DeliveryError::LiveEngage(
                LiveEngageError::ConversationClosed { .. } | LiveEngageError::ConsumerJwsRefused { .. },
            )) => Ok(None),
            // The text matters more than the click.
            Err(error) if error.disposition() == Disposition::Park => {
                tracing::warn!(%error, count = 1, "a click was refused; its text is sent all the same");
                Ok(None)
            }
            other => {
                self.known = Some(consumer);
                other
            }
        }
    }

    /// Sends one piece, in a new conversation if the one it was meant for has ended.
    async fn send(
        &mut self,
        index: usize,
        piece: &str,
        metadata: Option<&Value>,
    ) -> Result<(ConversationId, Option<u64>), DeliveryError> {
        let mut mended = (false, false);
        loop {
            let consumer = self.with_open_conversation().await?;
            let (Some(identity), Some(conversation)) = (&consumer.identity, consumer.open_conversation()) else {
                return Err(DeliveryError::Contended);
            };
            self.attempt.check_time(&*self.worker.clock, LIVEENGAGE_CALL)?;
            let request_id = self.request_id(&format!("send {index}"));
            let dialog = DialogId::main_of(conversation);
            let place = Place { conversation, dialog: &dialog };
            let sent = self
                .worker
                .liveengage
                .publish(self.caller(), &identity.token, &request_id, place, Event::Text(piece), metadata)
                .await;
            match sent {
                Ok(sequence) => return Ok((conversation.clone(), sequence.map(|sequence| sequence.0))),
                Err(DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) if !mended.0 => {
                    mended.0 = true;
                    let (ended, now) = (conversation.clone(), self.attempt.now);
                    self.update(|consumer| consumer.observe_closed(&ended, now)).await?;
                }
                Err(DeliveryError::LiveEngage(LiveEngageError::ConsumerJwsRefused { .. })) if !mended.1 => {
                    mended.1 = true;
                    self.forget_identity(&identity.token).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The consumer with an identity and an open conversation, opening one if need be.
    async fn with_open_conversation(&mut self) -> Result<Consumer, DeliveryError> {
        for _ in 0..SAVE_ATTEMPTS {
            let mut consumer = match self.known.take() {
                Some(known) => known,
                None => self.load().await?,
            };
            if consumer.identity.is_none() {
                self.attempt.check_time(&*self.worker.clock, LIVEENGAGE_CALL)?;
                let name = self.settings.ext_consumer_id(&self.who.user)?;
                consumer.identity = Some(self.worker.liveengage.identify(self.caller(), &name).await?);
                // Saved before anything is opened, with the pointer from lp_consumer_id: the webhook that tells of a new
                // conversation names the consumer by it, and can come before the answer to our call.
                if self.save(&mut consumer).await? == Saved::Conflict {
                    continue;
                }
            }
            if consumer.open_conversation().is_none() {
                self.attempt.check_time(&*self.worker.clock, LIVEENGAGE_CALL)?;
            }
            match consumer.reserve(&self.attempt.owner, self.attempt.now, self.attempt.deadline) {
                Reserve::Open(_) => return Ok(consumer),
                Reserve::Busy { .. } => {
                    return Err(DeliveryError::Busy { what: "the conversation", after: SignedDuration::from_secs(1) });
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
        let request_id = self.request_id("open");
        let opened =
            self.worker.liveengage.open(self.caller(), &identity.token, &request_id, &self.settings.routing).await;
        match opened {
            Ok(conversation) => {
                let at = self.attempt.now;
                let consumer = self.update(|consumer| consumer.attach(&conversation, at)).await?;
                tracing::info!(conversation = %conversation, line = %self.who.line, "conversation opened");
                Ok(consumer)
            }
            Err(error) => {
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

    /// The next attempt asks IDP again.
    async fn forget_identity(&self, refused: &ConsumerToken) -> Result<(), DeliveryError> {
        self.update(|consumer| match &consumer.identity {
            Some(identity) if identity.token == *refused => {
                consumer.identity = None;
                Change::Changed
            }
            _ => Change::Unchanged,
        })
        .await?;
        Ok(())
    }

    async fn load(&self) -> Result<Consumer, DeliveryError> {
        let mut consumer = self.worker.consumers.consumer(self.who).await?.unwrap_or_else(|| {
            Consumer::new(self.who.line.clone(), self.who.user.clone(), self.settings.account.clone())
        });
        consumer.move_to(&self.settings.account);
        Ok(consumer)
    }

    async fn save(&self, consumer: &mut Consumer) -> Result<Saved, DeliveryError> {
        let saved = self.worker.consumers.save_consumer(consumer).await?;
        if saved == Saved::Saved {
            consumer.version += 1;
        }
        Ok(saved)
    }

    async fn update(&self, change: impl Fn(&mut Consumer) -> Change) -> Result<Consumer, DeliveryError> {
        update(&*self.worker.consumers, self.who, || self.settings.account.clone(), change).await
    }
}

/// Changes a consumer's record over its newest version, again when somebody else was faster.
///
/// # Errors
/// [`DeliveryError::Contended`] after five times.
pub(super) async fn update(
    consumers: &dyn Consumers,
    who: &ConsumerRef,
    account: impl Fn() -> crate::domain::id::AccountId,
    change: impl Fn(&mut Consumer) -> Change,
) -> Result<Consumer, DeliveryError> {
    for _ in 0..SAVE_ATTEMPTS {
        let mut consumer = consumers
            .consumer(who)
            .await?
            .unwrap_or_else(|| Consumer::new(who.line.clone(), who.user.clone(), account()));
        if change(&mut consumer) == Change::Unchanged {
            return Ok(consumer);
        }
        if consumers.save_consumer(&consumer).await? == Saved::Saved {
            consumer.version += 1;
            return Ok(consumer);
        }
    }
    Err(DeliveryError::Contended)
}
