//! What LiveEngage tells reaches the person. It also learns here of conversations that open and close.
//!
//! Echoes of the consumer's own words, private messages and other channels' conversations end here, cheaply: one read at most.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    breakers::Breakers,
    delivery::{About, Attempt, ComeAgain, Delivered, Telling, begin, end, park_panicking, park_unreadable},
    error::DeliveryError,
    liveengage_client::LiveEngage,
    registry::{Lines, Versions},
    settings::LineSettings,
    task::{Said, ToChannel, ToLiveEngage, digest, to_body},
    to_liveengage::{WorkerPorts, update},
};
use crate::{
    domain::{
        delivery::{ConsumerRef, ConversationOwner, MessageKey},
        id::{AccountId, CorrelationId, LineId},
        message::OutboundContent,
    },
    liveengage::notification::{self, Audience, Change, DialogEvent, EventKind, Role, UnreadableChange},
    port::QueueMessage,
};

mod content;
mod file;
mod indications;
mod observing;
mod sending;

use sending::Outgoing;

/// How long an agent's message waits for its conversation to be known; after this it is taken for another channel's.
///
/// LiveEngage can tell of the message before the answer to our CONVERSATION call has been stored, and before it tells of the
/// conversation. News of conversations travel in queue groups of their own, so that they can't wait behind this message.
pub const UNKNOWN_FOR: SignedDuration = SignedDuration::from_mins(5);

/// The use case.
#[derive(Debug, Clone)]
pub struct DeliverToChannel {
    lines: Arc<Lines>,
    liveengage: Arc<LiveEngage>,
    ports: WorkerPorts,
    breakers: Arc<Breakers<LineId>>,
}

impl DeliverToChannel {
    /// Delivers for `lines`; who can't be delivered for is told over the queue to LiveEngage. LiveEngage itself is asked only where
    /// an agent's file is.
    pub fn new(lines: Arc<Lines>, liveengage: Arc<LiveEngage>, ports: WorkerPorts) -> Self {
        Self { lines, liveengage, ports, breakers: Arc::new(Breakers::new("the channel")) }
    }

    /// Works on one queue message.
    ///
    /// An agent's text costs six outside calls: whose conversation, lease, the channel, the step, the menu that it may take
    /// away, finish. An echo costs none, another channel's message one.
    ///
    /// # Errors
    /// [`ComeAgain`] when the message must stay in the queue.
    pub async fn work(&self, task: &str, attempt: &Attempt) -> Result<(), ComeAgain> {
        let messages = &*self.ports.messages;
        match serde_json::from_str::<ToChannel>(task) {
            Ok(ToChannel::LiveEngageChangeV1 { account, correlation, accepted_at, notification, change }) => {
                let mut about = About {
                    correlation: correlation.as_str().to_owned(),
                    accepted_at: Some(accepted_at),
                    ..About::default()
                };
                let read = notification::read(notification, &change);
                let key = key(&account, &read, &change);
                let result = self.deliver(&account, read, &key, &correlation, attempt, &mut about).await;
                let news = |reason: &str| undelivered(&about, &correlation, reason, attempt);
                let telling = Telling { queue: &*self.ports.to_liveengage, news: &news };
                end(messages, &key, attempt, &about, task, result, Some(telling)).await
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
                let who = ConsumerRef { line, user };
                self.say(who, OutboundContent::Text { text }, key, correlation, accepted_at, attempt, task).await
            }
            Ok(ToChannel::SaidV1(Said { line, user, correlation, accepted_at, name, text })) => {
                let key = MessageKey::ByDigest { digest: digest([b"said".as_slice(), name.as_bytes()]) };
                let who = ConsumerRef { line, user };
                self.say(who, OutboundContent::Text { text }, key, correlation, accepted_at, attempt, task).await
            }
            Ok(ToChannel::UnreadableNotificationV1 { correlation, .. }) => {
                let about = About { correlation: correlation.as_str().to_owned(), ..About::default() };
                park_unreadable(messages, attempt, task, "a notification of LiveEngage", about).await
            }
            Err(_) => {
                let what = "a queue message of another form";
                park_unreadable(messages, attempt, task, what, About::default()).await
            }
        }
    }

    /// Counts an attempt that has panicked, and keeps the message for a person when no attempt survives it.
    ///
    /// # Errors
    /// [`ComeAgain`] until then.
    pub async fn give_up(&self, task: &str, attempt: &Attempt) -> Result<(), ComeAgain> {
        park_panicking(&*self.ports.messages, attempt, task).await
    }

    /// Says something of the connector's own. Nobody is told that nobody could be told: it is parked.
    #[expect(clippy::too_many_arguments, reason = "the parts of a queue message, taken apart")]
    async fn say(
        &self,
        who: ConsumerRef,
        content: OutboundContent,
        key: MessageKey,
        correlation: CorrelationId,
        accepted_at: Timestamp,
        attempt: &Attempt,
        task: &str,
    ) -> Result<(), ComeAgain> {
        let mut about = About {
            line: Some(who.line.clone()),
            correlation: correlation.as_str().to_owned(),
            accepted_at: Some(accepted_at),
            ..About::default()
        };
        let result = self.send(&who, Outgoing::Content(content), None, &key, attempt, &mut about).await;
        end(&*self.ports.messages, &key, attempt, &about, task, result, None).await
    }

    async fn deliver(
        &self,
        account: &AccountId,
        read: Result<Change, UnreadableChange>,
        key: &MessageKey,
        correlation: &CorrelationId,
        attempt: &Attempt,
        about: &mut About,
    ) -> Result<Delivered, DeliveryError> {
        let event = match read {
            Ok(Change::Event(event)) => event,
            Ok(Change::Conversation(state)) => {
                about.conversation = Some(state.conversation.clone());
                return self.observe(account, &state, correlation, attempt.now).await;
            }
            Ok(Change::Unknown) => return Ok(Delivered::Nothing("unknown change")),
            Err(unreadable) => {
                return match begin(&*self.ports.messages, key.clone(), attempt, about).await? {
                    None => Ok(Delivered::Nothing("parked before")),
                    Some(_) => Err(unreadable.into()),
                };
            }
        };
        about.conversation = Some(event.conversation.clone());
        match (event.role, event.audience, &event.kind) {
            (Role::Consumer, _, _) => Ok(Delivered::Nothing("echo")),
            (_, Audience::Private, _) => Ok(Delivered::Nothing("private")),
            (_, _, EventKind::AcceptStatus { .. } | EventKind::ChatState(_)) => {
                Ok(self.indicate(account, &event, attempt, about).await)
            }
            (_, _, EventKind::Unknown(_)) => Ok(Delivered::Nothing("not content")),
            (
                Role::Brand | Role::Unsaid,
                Audience::All,
                EventKind::Text(_) | EventKind::File(_) | EventKind::OtherContent(_) | EventKind::RichContent(_),
            ) => self.forward_if_ours(account, event, key, attempt, about).await,
        }
    }

    async fn forward_if_ours(
        &self,
        account: &AccountId,
        mut event: DialogEvent,
        key: &MessageKey,
        attempt: &Attempt,
        about: &mut About,
    ) -> Result<Delivered, DeliveryError> {
        let consumer = match self.ports.consumers.conversation_owner(account, &event.conversation).await? {
            Some(ConversationOwner::Ours(consumer)) => consumer,
            Some(ConversationOwner::OurSurvey(consumer, conversation)) => {
                event.conversation = conversation.clone();
                about.conversation = Some(conversation);
                consumer
            }
            Some(ConversationOwner::Foreign | ConversationOwner::PresumedForeign) => {
                return Ok(Delivered::Nothing("another channel's"));
            }
            None => return self.nobodys(account, &event, attempt, about).await,
        };
        about.line = Some(consumer.line.clone());
        about.person = Some(consumer.clone());
        about.place = Some((event.dialog.clone(), event.sequence));
        if event.role == Role::Unsaid && self.is_by(&consumer, event.originator.as_deref()).await? {
            return Ok(Delivered::Nothing("echo"));
        }
        self.forward(account, &consumer, &event, key, attempt, about).await
    }

    /// A message of a conversation that nothing is known of: it may be one of ours that is just being opened.
    async fn nobodys(
        &self,
        account: &AccountId,
        event: &DialogEvent,
        attempt: &Attempt,
        about: &About,
    ) -> Result<Delivered, DeliveryError> {
        let age = about.accepted_at.map_or(UNKNOWN_FOR, |at| attempt.now.duration_since(at));
        if age < UNKNOWN_FOR {
            // As long again as it has waited: at once where an answer is on its way, ten looks in all.
            let after = age.clamp(SignedDuration::from_secs(1), SignedDuration::from_mins(1));
            return Err(DeliveryError::ConversationUnknown { after });
        }
        self.ports.consumers.presume_foreign(account, &event.conversation, attempt.now).await?;
        tracing::warn!(
            correlation = about.correlation,
            conversation = %event.conversation,
            count = 1,
            "nobody claims this conversation: taken for another channel's"
        );
        Ok(Delivered::Nothing("another channel's"))
    }

    /// Whether this originator is the consumer.
    async fn is_by(&self, consumer: &ConsumerRef, originator: Option<&str>) -> Result<bool, DeliveryError> {
        let identity = self.ports.consumers.consumer(consumer).await?.and_then(|consumer| consumer.identity);
        Ok(identity.is_some_and(|identity| Some(identity.lp_consumer_id.as_str()) == originator))
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
        match begin(&*self.ports.messages, key.clone(), attempt, about).await? {
            None => Ok(Delivered::Nothing("parked before")),
            Some(_) => Err(error),
        }
    }
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
