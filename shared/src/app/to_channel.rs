//! What LiveEngage tells reaches the person: the only caller of a channel. It also learns here of conversations that open and
//! close.
//!
//! Echoes of the consumer's own words, private messages and other channels' conversations end here, cheaply: one read at most.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    delivery::{About, Attempt, CHANNEL_CALL, ComeAgain, Delivered, Telling, begin, end, park_unreadable},
    error::DeliveryError,
    registry::{Lines, Versions},
    settings::LineSettings,
    task::{ToChannel, ToLiveEngage, digest, to_body},
    to_liveengage::update,
};
use crate::{
    channel::text_floor,
    domain::{
        conversation::Consumer,
        delivery::{ConsumerRef, ConversationOwner, MessageKey, Step},
        id::{AccountId, CorrelationId},
        menu::{ANSWERED_WITHIN, Menu},
        message::{MessageText, OutboundContent, OutboundMessage},
    },
    liveengage::notification::{
        self, Audience, Change, ConversationChange, DialogEvent, EventKind, Role, Structured, UnreadableChange,
    },
    liveengage::structured_content,
    port::{Clock, Consumers, Http, Messages, Queue, QueueMessage},
};

/// How long an agent's message waits for its conversation to be known; after this it is taken for another channel's.
///
/// LiveEngage can tell of the message before the answer to our CONVERSATION call has been stored, and before it tells of the
/// conversation. News of conversations travel in queue groups of their own, so that they can't wait behind this message.
pub const UNKNOWN_FOR: SignedDuration = SignedDuration::from_mins(5);

/// The use case.
#[derive(Clone)]
pub struct DeliverToChannel {
    lines: Arc<Lines>,
    http: Arc<dyn Http>,
    consumers: Arc<dyn Consumers>,
    messages: Arc<dyn Messages>,
    to_liveengage: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for DeliverToChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeliverToChannel")
    }
}

impl DeliverToChannel {
    /// Delivers for `lines`; who can't be delivered for is told over the queue to LiveEngage.
    pub fn new(
        lines: Arc<Lines>,
        http: Arc<dyn Http>,
        consumers: Arc<dyn Consumers>,
        messages: Arc<dyn Messages>,
        to_liveengage: Arc<dyn Queue>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { lines, http, consumers, messages, to_liveengage, clock }
    }

    /// Works on one queue message.
    ///
    /// An agent's text costs six outside calls: whose conversation, lease, the channel, the step, the menu that it may take
    /// away, finish. An echo costs none, another channel's message one.
    ///
    /// # Errors
    /// [`ComeAgain`] when the message must stay in the queue.
    pub async fn work(&self, task: &str, attempt: &Attempt) -> Result<(), ComeAgain> {
        let (account, correlation, accepted_at, notification, change) = match serde_json::from_str::<ToChannel>(task) {
            Ok(ToChannel::LiveEngageChangeV1 { account, correlation, accepted_at, notification, change }) => {
                (account, correlation, accepted_at, notification, change)
            }
            Ok(ToChannel::NoticeV1 { line, user, correlation, accepted_at, text }) => {
                let key = MessageKey::ByDigest {
                    // One an hour for a person: another machine may answer it, and after an outage there are many.
                    digest: digest([
                        b"notice".as_slice(),
                        line.as_str().as_bytes(),
                        user.as_str().as_bytes(),
                        &(accepted_at.as_second() / 3600).to_be_bytes(),
                    ]),
                };
                let mut about = About {
                    line: Some(line.clone()),
                    correlation: correlation.as_str().to_owned(),
                    accepted_at: Some(accepted_at),
                    ..About::default()
                };
                let content = OutboundContent::Text { text };
                let result = self.send(&ConsumerRef { line, user }, content, None, &key, attempt, &mut about).await;
                // Nobody is told that nobody could be told: it is parked.
                return end(&*self.messages, &key, attempt, &about, task, result, None).await;
            }
            Ok(ToChannel::UnreadableNotificationV1 { correlation, .. }) => {
                let about = About { correlation: correlation.as_str().to_owned(), ..About::default() };
                return park_unreadable(&*self.messages, attempt, task, "a notification of LiveEngage", about).await;
            }
            Err(_) => {
                return park_unreadable(
                    &*self.messages,
                    attempt,
                    task,
                    "a queue message of another form",
                    About::default(),
                )
                .await;
            }
        };
        let mut about =
            About { correlation: correlation.as_str().to_owned(), accepted_at: Some(accepted_at), ..About::default() };
        let read = notification::read(notification, &change);
        let key = key(&account, &read, &change);
        let result = self.deliver(&account, read, &key, accepted_at, attempt, &mut about).await;
        let news = |reason: &str| undelivered(&about, &correlation, reason, attempt);
        let telling = Telling { queue: &*self.to_liveengage, news: &news };
        end(&*self.messages, &key, attempt, &about, task, result, Some(telling)).await
    }

    async fn deliver(
        &self,
        account: &AccountId,
        read: Result<Change, UnreadableChange>,
        key: &MessageKey,
        accepted_at: Timestamp,
        attempt: &Attempt,
        about: &mut About,
    ) -> Result<Delivered, DeliveryError> {
        let event = match read {
            Ok(Change::Event(event)) => event,
            Ok(Change::Conversation(state)) => {
                about.conversation = Some(state.conversation.clone());
                return self.observe(account, &state, attempt.now).await;
            }
            Ok(Change::Unknown) => return Ok(Delivered::Nothing("unknown change")),
            Err(unreadable) => {
                return match begin(&*self.messages, key.clone(), attempt, about).await? {
                    None => Ok(Delivered::Nothing("parked before")),
                    Some(_) => Err(unreadable.into()),
                };
            }
        };
        about.conversation = Some(event.conversation.clone());
        match (event.role, event.audience, &event.kind) {
            (Role::Consumer, _, _) => return Ok(Delivered::Nothing("echo")),
            (_, Audience::Private, _) => return Ok(Delivered::Nothing("private")),
            (_, _, EventKind::AcceptStatus | EventKind::ChatState | EventKind::Unknown(_)) => {
                return Ok(Delivered::Nothing("not content"));
            }
            (
                Role::Brand | Role::Unsaid,
                Audience::All,
                EventKind::Text(_) | EventKind::OtherContent(_) | EventKind::RichContent(_),
            ) => {}
        }
        match self.consumers.conversation_owner(account, &event.conversation).await? {
            Some(ConversationOwner::Ours(consumer)) => {
                about.line = Some(consumer.line.clone());
                about.person = Some(consumer.clone());
                about.place = Some((event.dialog.clone(), event.sequence));
                if event.role == Role::Unsaid && self.is_by(&consumer, event.originator.as_deref()).await? {
                    return Ok(Delivered::Nothing("echo"));
                }
                self.forward(&consumer, &event, key, attempt, about).await
            }
            Some(ConversationOwner::Foreign | ConversationOwner::PresumedForeign) => {
                Ok(Delivered::Nothing("another channel's"))
            }
            None => {
                let age = attempt.now.duration_since(accepted_at);
                if age < UNKNOWN_FOR {
                    // As long again as it has waited: at once where an answer is on its way, ten looks in all.
                    let after = age.clamp(SignedDuration::from_secs(1), SignedDuration::from_mins(1));
                    return Err(DeliveryError::ConversationUnknown { after });
                }
                self.consumers.presume_foreign(account, &event.conversation, attempt.now).await?;
                tracing::warn!(
                    correlation = about.correlation,
                    conversation = %event.conversation,
                    count = 1,
                    "nobody claims this conversation: taken for another channel's"
                );
                Ok(Delivered::Nothing("another channel's"))
            }
        }
    }

    /// Whether this originator is the consumer.
    async fn is_by(&self, consumer: &ConsumerRef, originator: Option<&str>) -> Result<bool, DeliveryError> {
        let identity = self.consumers.consumer(consumer).await?.and_then(|consumer| consumer.identity);
        Ok(identity.is_some_and(|identity| Some(identity.lp_consumer_id.as_str()) == originator))
    }

    /// Sends what was said.
    async fn forward(
        &self,
        consumer: &ConsumerRef,
        event: &DialogEvent,
        key: &MessageKey,
        attempt: &Attempt,
        about: &mut About,
    ) -> Result<Delivered, DeliveryError> {
        let content = match &event.kind {
            EventKind::Text(text) if event.quick_replies.is_none() => {
                let offer = Some(Offer { event, menu: None });
                let content = OutboundContent::Text { text: text.clone() };
                return self.send(consumer, content, offer, key, attempt, about).await;
            }
            EventKind::Text(_) => Value::Null,
            EventKind::RichContent(Structured(content)) => content.clone(),
            EventKind::OtherContent(content) => {
                return self.refuse(key, attempt, about, DeliveryError::Unsupported { content: content.clone() }).await;
            }
            EventKind::AcceptStatus | EventKind::ChatState | EventKind::Unknown(_) => {
                return Ok(Delivered::Nothing("not content"));
            }
        };
        let settings = self.settings(consumer, attempt).await?;
        let (content, ignored) =
            structured_content::read(&content, event.quick_replies.as_ref().map(|Structured(replies)| replies));
        if ignored.total() > 0 {
            tracing::warn!(
                correlation = about.correlation,
                count = ignored.total(),
                "parts of structured content are not known"
            );
        }
        let floor = text_floor::render(&content, &settings.current.wording);
        if floor.text.is_empty() && matches!(event.kind, EventKind::RichContent(_)) {
            let error = DeliveryError::Unsupported { content: "structured content without any text".to_owned() };
            return self.refuse(key, attempt, about, error).await;
        }
        let offered = !floor.choices.is_empty();
        let menu = event.sequence.filter(|_| offered).and_then(|sequence| {
            Menu {
                conversation: event.conversation.clone(),
                dialog: event.dialog.clone(),
                sequence,
                shown_at: attempt.now,
                until: attempt.now.checked_add(ANSWERED_WITHIN).unwrap_or(attempt.now),
                choices: floor.choices,
            }
            .bounded()
        });
        if offered && menu.is_none() {
            tracing::warn!(
                correlation = about.correlation,
                count = 1,
                "a menu is too large to be kept; answers are plain texts"
            );
        }
        // A text is plain: only what was offered with it was structured.
        let text = match &event.kind {
            EventKind::Text(text) if floor.text.is_empty() => text.as_str().to_owned(),
            EventKind::Text(text) => format!("{}\n\n{}", text.as_str().trim_end(), floor.text),
            _ => floor.text,
        };
        let content = OutboundContent::Text { text: MessageText::new(text) };
        self.send(consumer, content, Some(Offer { event, menu }), key, attempt, about).await
    }

    async fn settings(
        &self,
        consumer: &ConsumerRef,
        attempt: &Attempt,
    ) -> Result<Arc<Versions<LineSettings>>, DeliveryError> {
        let unknown = || DeliveryError::UnknownLine { line: consumer.line.clone() };
        self.lines.get(&consumer.line, attempt.now).await.ok_or_else(unknown)
    }

    /// Fails a message that was not failed before.
    async fn refuse(
        &self,
        key: &MessageKey,
        attempt: &Attempt,
        about: &mut About,
        error: DeliveryError,
    ) -> Result<Delivered, DeliveryError> {
        match begin(&*self.messages, key.clone(), attempt, about).await? {
            None => Ok(Delivered::Nothing("parked before")),
            Some(_) => Err(error),
        }
    }

    /// Sends content to a person, call by call, and notes every one of them.
    async fn send(
        &self,
        consumer: &ConsumerRef,
        content: OutboundContent,
        offer: Option<Offer<'_>>,
        key: &MessageKey,
        attempt: &Attempt,
        about: &mut About,
    ) -> Result<Delivered, DeliveryError> {
        let Some((lease, mut steps)) = begin(&*self.messages, key.clone(), attempt, about).await? else {
            return Ok(Delivered::Nothing("delivered before"));
        };
        let settings = self.settings(consumer, attempt).await?;
        let line = &settings.current.line;
        let mut reference = key_digest(key);
        reference.truncate(32);
        let message = OutboundMessage { to: consumer.user.clone(), reference, content };
        // Before it is shown: an answer can be faster than what comes after.
        if let Some(Offer { event, menu }) = offer {
            let change = |consumer: &mut Consumer| {
                consumer.offer((&event.conversation, &event.dialog), event.sequence, menu.clone())
            };
            update(&*self.consumers, consumer, || settings.current.account.clone(), change).await?;
        }
        loop {
            let done: Vec<_> =
                steps.iter().map(|step| crate::channel::Receipt { provider_id: step.reference.clone() }).collect();
            let Some(call) = line.next_call(&message, &done)? else { break };
            attempt.check_time(&*self.clock, CHANNEL_CALL)?;
            let name = call.name;
            let reply = self.http.call(call).await.map_err(|failure| DeliveryError::Http { call: name, failure })?;
            let receipt = line.receipt(&reply)?;
            let step = Step::done(receipt.provider_id);
            self.messages.step_done(&lease, steps.len(), &step).await?;
            steps.push(step);
        }
        self.messages.finish(&lease).await?;
        Ok(if steps.is_empty() { Delivered::Nothing("empty text") } else { Delivered::Sent })
    }

    /// Learns that a conversation is open or has ended. This is also what finds a conversation again whose opener died.
    async fn observe(
        &self,
        account: &AccountId,
        state: &ConversationChange,
        now: Timestamp,
    ) -> Result<Delivered, DeliveryError> {
        let (presumed, who) = match self.consumers.conversation_owner(account, &state.conversation).await? {
            Some(ConversationOwner::Ours(consumer)) => (false, Some(consumer)),
            Some(ConversationOwner::Foreign) => return Ok(Delivered::Nothing("another channel's")),
            // A guess, made when a text had to wait for too long: the consumer's name settles it.
            owner @ (Some(ConversationOwner::PresumedForeign) | None) => match &state.consumer {
                Some(id) => (owner.is_some(), self.consumers.consumer_by_lp_id(account, id).await?),
                None => return Ok(Delivered::Nothing("conversation without a consumer")),
            },
        };
        let Some(who) = who else {
            // Every consumer of ours is noted before a conversation is opened for them, so this one is not ours.
            self.consumers.mark_foreign(account, &state.conversation, now).await?;
            return Ok(Delivered::Nothing("another channel's"));
        };
        if presumed {
            tracing::error!(
                conversation = %state.conversation,
                count = 1,
                "a conversation that was taken for another channel's is ours: texts in it were not delivered"
            );
        }
        update(
            &*self.consumers,
            &who,
            || account.clone(),
            |consumer| {
                if state.closed {
                    consumer.observe_closed(&state.conversation, state.as_of)
                } else {
                    consumer.observe_open(&state.conversation, state.as_of)
                }
            },
        )
        .await?;
        Ok(Delivered::Nothing(if state.closed { "conversation closed" } else { "conversation open" }))
    }
}

/// What a message offers to choose: nothing, too, takes the place of an older menu.
struct Offer<'a> {
    event: &'a DialogEvent,
    menu: Option<Menu>,
}

/// The news for an agent that their message did not reach the person.
fn undelivered(about: &About, correlation: &CorrelationId, reason: &str, attempt: &Attempt) -> Option<QueueMessage> {
    let (person, (dialog, sequence)) = (about.person.clone()?, about.place.clone()?);
    let place = sequence.map_or_else(|| about.correlation.clone(), |sequence| sequence.0.to_string());
    let deduplication = digest([b"undelivered".as_slice(), dialog.as_str().as_bytes(), place.as_bytes()]);
    // A group of its own: the person's next text must not wait behind this.
    let group = digest([b"undelivered".as_slice(), person.line.as_str().as_bytes(), person.user.as_str().as_bytes()]);
    let task = ToLiveEngage::UndeliveredV1 {
        line: person.line,
        user: person.user,
        correlation: correlation.clone(),
        accepted_at: attempt.now,
        conversation: about.conversation.clone()?,
        dialog,
        sequence,
        reason: reason.to_owned(),
    };
    Some(QueueMessage { body: to_body(&task).ok()?, group, deduplication })
}

/// Names the message: content by its place in the dialog, anything else by its bytes.
fn key(account: &AccountId, read: &Result<Change, UnreadableChange>, change: &Value) -> MessageKey {
    match read {
        Ok(Change::Event(DialogEvent { dialog, sequence: Some(sequence), .. })) => {
            MessageKey::FromLiveEngage { account: account.clone(), dialog: dialog.clone(), sequence: *sequence }
        }
        _ => MessageKey::ByDigest { digest: digest([account.as_str().as_bytes(), change.to_string().as_bytes()]) },
    }
}

fn key_digest(key: &MessageKey) -> String {
    match key {
        MessageKey::FromLiveEngage { account, dialog, sequence } => {
            digest([account.as_str().as_bytes(), dialog.as_str().as_bytes(), &sequence.0.to_be_bytes()])
        }
        MessageKey::FromChannel { line, id } => digest([line.as_str().as_bytes(), id.as_str().as_bytes()]),
        MessageKey::ByDigest { digest } => digest.clone(),
    }
}
