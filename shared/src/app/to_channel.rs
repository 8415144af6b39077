//! What LiveEngage tells reaches the person. It also learns here of conversations that open and close.
//!
//! Private messages and other channels' conversations end here, cheaply: one read at most. Echoes of the consumer's own words are
//! noted.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    breakers::Breakers,
    delivery::{
        Attempt, Delivered, DeliveryContext, GivenUp, RetryLater, SenderNotice, acquire, end, name_of, park_panicking,
        park_unreadable,
    },
    echo,
    error::DeliveryError,
    liveengage_client::LiveEngage,
    registry::{Lines, Versions},
    settings::LineSettings,
    task::{Said, ToChannel, ToLiveEngage, conversation_group, digest, to_body},
    to_liveengage::{WorkerPorts, update},
    unknown_form,
};
use crate::{
    domain::{
        code::Code,
        delivery::{ConsumerRef, ConversationOwner, Echo, MessageKey},
        id::{AccountId, ConversationId, CorrelationId, LineId, LpConsumerId},
        message::OutboundContent,
        order::{self, EventPosition},
    },
    liveengage::notification::{self, Audience, Change, DialogEvent, EventKind, Role, UnreadableChange},
    port::QueueMessage,
};

mod content;
mod conversation_state;
mod file;
mod indications;
mod sending;

use sending::Outgoing;

/// How long an agent's message waits for its conversation to be known; after this it is taken for another channel's.
///
/// LiveEngage can tell of the message before the answer to our CONVERSATION call has been stored, and before it tells of the
/// conversation. News of conversations travel in queue groups of their own, so that they can't wait behind this message.
pub const UNKNOWN_FOR: SignedDuration = SignedDuration::from_mins(5);

/// How long after a consumer of ours had an open conversation whose id was not known, a conversation that nobody knows may be that one:
/// longer than the longest wait between two attempts to open it.
const UNATTACHED_FOR: SignedDuration = SignedDuration::from_mins(30);

/// The use case.
#[derive(Debug, Clone)]
pub struct DeliverToChannel {
    lines: Arc<Lines>,
    liveengage: Arc<LiveEngage>,
    ports: WorkerPorts,
    breakers: Arc<Breakers<LineId>>,
}

impl DeliverToChannel {
    /// Delivers for `lines`; who can't be delivered for is told over the queue to LiveEngage. LiveEngage itself is asked only for
    /// an agent's file: where it is, and by whose token.
    pub fn new(lines: Arc<Lines>, liveengage: Arc<LiveEngage>, ports: WorkerPorts) -> Self {
        Self { lines, liveengage, ports, breakers: Arc::new(Breakers::new()) }
    }

    /// Works on one queue message.
    ///
    /// An agent's text costs six outside calls: whose conversation, lease, the channel, the step, the menu that it may take
    /// away, finish. An echo costs two (whose conversation, note), another channel's message one.
    ///
    /// # Errors
    /// [`RetryLater`] when the message must stay in the queue.
    pub async fn work(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        let messages = &*self.ports.messages;
        match serde_json::from_str::<ToChannel>(task) {
            Ok(ToChannel::LiveEngageChangeV1 { account, correlation, accepted_at, notification, change }) => {
                let mut context = DeliveryContext {
                    correlation: correlation.as_str().to_owned(),
                    accepted_at: Some(accepted_at),
                    ..DeliveryContext::default()
                };
                let read = notification::read(notification, &change);
                if let Some(after) = self.overtaking(&account, &read, accepted_at, attempt).await {
                    let correlation = correlation.as_str();
                    tracing::info!(
                        correlation,
                        wait_ms = after.as_millis() as i64,
                        count = 1,
                        "late: waits for what it may have overtaken"
                    );
                    return Err(RetryLater { after });
                }
                let key = key(&account, &read, &change);
                let result = self.deliver(&account, read, task, &key, &correlation, attempt, &mut context).await;
                let news = |given_up: &GivenUp| undelivered(&context, &correlation, given_up, attempt);
                let telling = SenderNotice { queue: &*self.ports.to_liveengage, news: &news };
                end(messages, &key, attempt, &context, task, result, Some(telling)).await
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
                self.say(
                    who,
                    Outgoing::FailureNotice(OutboundContent::Text { text }),
                    key,
                    correlation,
                    accepted_at,
                    attempt,
                    task,
                )
                .await
            }
            Ok(ToChannel::SaidV1(Said { line, user, correlation, accepted_at, name, text })) => {
                let key = MessageKey::ByDigest { digest: digest([b"said".as_slice(), name.as_bytes()]) };
                let who = ConsumerRef { line, user };
                self.say(
                    who,
                    Outgoing::Content(OutboundContent::Text { text }),
                    key,
                    correlation,
                    accepted_at,
                    attempt,
                    task,
                )
                .await
            }
            Ok(ToChannel::UnreadableNotificationV1 { correlation, .. }) => {
                let context =
                    DeliveryContext { correlation: correlation.as_str().to_owned(), ..DeliveryContext::default() };
                park_unreadable(messages, attempt, task, "a notification of LiveEngage", context).await
            }
            Err(_) => unknown_form::wait_or_park(messages, attempt, task).await,
        }
    }

    /// How long an event that the person is to see must wait, because it may have overtaken another one. One that looks late may only
    /// come from a clock that is behind.
    async fn overtaking(
        &self,
        account: &AccountId,
        read: &Result<Change, UnreadableChange>,
        accepted_at: Timestamp,
        attempt: &Attempt,
    ) -> Option<SignedDuration> {
        let Ok(Change::Event(event)) = read else { return None };
        let is_shown = event.role != Role::Consumer && event.audience == Audience::All && event.kind.is_content();
        let late = attempt.time_scale.of(order::LATE);
        if !is_shown || event.sequence.is_none() || !order::looks_late(event.at, accepted_at, late) {
            return None;
        }
        let behind = self.liveengage.clock_behind(account).await;
        order::wait(event.at, accepted_at, attempt.now, behind, |time| attempt.time_scale.of(time))
    }

    /// Where an event stands in its dialog; `None` for anything that has no number, or that can't be read.
    pub fn place(task: &str) -> Option<EventPosition> {
        let Ok(ToChannel::LiveEngageChangeV1 { notification, change, .. }) = serde_json::from_str(task) else {
            return None;
        };
        match notification::read(notification, &change) {
            Ok(Change::Event(DialogEvent { dialog, sequence: Some(sequence), .. })) => {
                Some(EventPosition { dialog, sequence })
            }
            _ => None,
        }
    }

    /// Counts an attempt that has panicked, and keeps the message for a person when no attempt survives it.
    ///
    /// # Errors
    /// [`RetryLater`] until then.
    pub async fn give_up(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        park_panicking(&*self.ports.messages, attempt, task).await
    }

    /// Says something of the connector's own. Nobody is told that nobody could be told: it is parked.
    #[expect(clippy::too_many_arguments, reason = "the parts of a queue message, taken apart")]
    async fn say(
        &self,
        who: ConsumerRef,
        said: Outgoing<'_>,
        key: MessageKey,
        correlation: CorrelationId,
        accepted_at: Timestamp,
        attempt: &Attempt,
        task: &str,
    ) -> Result<(), RetryLater> {
        let mut context = DeliveryContext {
            line: Some(who.line.clone()),
            correlation: correlation.as_str().to_owned(),
            accepted_at: Some(accepted_at),
            ..DeliveryContext::default()
        };
        let result = self.send(&who, said, None, &key, attempt, &mut context).await;
        end(&*self.ports.messages, &key, attempt, &context, task, result, None).await
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a queue message, taken apart")]
    async fn deliver(
        &self,
        account: &AccountId,
        read: Result<Change, UnreadableChange>,
        task: &str,
        key: &MessageKey,
        correlation: &CorrelationId,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Result<Delivered, DeliveryError> {
        let event = match read {
            Ok(Change::Event(event)) => event,
            Ok(Change::Conversation(state)) => {
                context.conversation = Some(state.conversation.clone());
                return self.observe(account, &state, correlation, attempt.now).await;
            }
            Ok(Change::Unknown) => return Ok(Delivered::Nothing("unknown change")),
            Err(unreadable) => {
                return match acquire(&*self.ports.messages, key.clone(), attempt, context).await? {
                    None => Ok(Delivered::Nothing("parked before")),
                    Some(_) => Err(unreadable.into()),
                };
            }
        };
        context.conversation = Some(event.conversation.clone());
        match (event.role, event.audience, &event.kind) {
            (Role::Consumer, _, _) => self.note_echo(account, &event, context.accepted_at.unwrap_or(attempt.now)).await,
            (_, Audience::Private, _) => Ok(Delivered::Nothing("private")),
            (_, _, EventKind::AcceptStatus { .. } | EventKind::ChatState(_)) => {
                Ok(self.indicate(account, &event, attempt, context).await)
            }
            (_, _, EventKind::Unknown(_)) => Ok(Delivered::Nothing("not content")),
            (
                Role::Brand | Role::Unsaid,
                Audience::All | Audience::Unknown,
                EventKind::Text(_) | EventKind::File(_) | EventKind::OtherContent(_) | EventKind::RichContent(_),
            ) => self.forward_if_ours(account, event, task, key, attempt, context).await,
        }
    }

    async fn forward_if_ours(
        &self,
        account: &AccountId,
        event: DialogEvent,
        task: &str,
        key: &MessageKey,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Result<Delivered, DeliveryError> {
        let consumer = match self.ports.consumers.conversation_owner(account, &event.conversation).await? {
            Some(ConversationOwner::Ours(consumer)) => consumer,
            // In the group of the dialog's name, where it could overtake what the agent said last.
            Some(ConversationOwner::OurSurvey(_, conversation)) => return self.regroup(task, &conversation, key).await,
            Some(ConversationOwner::Foreign | ConversationOwner::PresumedForeign) => {
                return Ok(Delivered::Nothing("another channel's"));
            }
            None => return self.nobodys(account, &event, attempt.now, context).await,
        };
        context.line = Some(consumer.line.clone());
        context.person = Some(consumer.clone());
        context.position = Some((event.dialog.clone(), event.sequence));
        if event.role == Role::Unsaid && self.is_by(account, &consumer, event.originator.as_deref()).await? {
            return self.note_own(account, &event, context.accepted_at.unwrap_or(attempt.now)).await;
        }
        if event.audience == Audience::Unknown {
            let content = Code::ours("a message for an audience that is not known (messageAudience)");
            return self.refuse(key, attempt, context, DeliveryError::Unsupported { content }).await;
        }
        self.forward(account, &consumer, &event, key, attempt, context).await
    }

    /// Puts an event of a survey that doesn't name its conversation behind what was said in the conversation, with the name filled in.
    async fn regroup(
        &self,
        task: &str,
        conversation: &ConversationId,
        key: &MessageKey,
    ) -> Result<Delivered, DeliveryError> {
        let unreadable = |_| DeliveryError::UnreadableTask { what: "a survey's event" };
        let mut task: ToChannel = serde_json::from_str(task).map_err(unreadable)?;
        if let ToChannel::LiveEngageChangeV1 { account, change, .. } = &mut task
            && let Some(fields) = change.as_object_mut()
        {
            fields.insert("conversationId".to_owned(), conversation.as_str().into());
            let group = conversation_group(account, conversation.as_str());
            let deduplication = digest([b"survey".as_slice(), name_of(key).as_bytes()]);
            let body = to_body(&task).map_err(unreadable)?;
            self.ports.to_channel.send(vec![QueueMessage { body, group, deduplication }]).await?;
        }
        Ok(Delivered::Nothing("moved behind what was said in its conversation"))
    }

    /// A consumer's message comes back. One of ours is noted: should the answer to its SEND be lost, this proves that it was published.
    async fn note_echo(
        &self,
        account: &AccountId,
        event: &DialogEvent,
        at: Timestamp,
    ) -> Result<Delivered, DeliveryError> {
        if echo::of_notification(&event.kind).is_none() {
            return Ok(Delivered::Nothing("echo"));
        }
        match self.ports.consumers.conversation_owner(account, &event.conversation).await? {
            Some(ConversationOwner::Ours(_) | ConversationOwner::OurSurvey(..)) => {
                self.note_own(account, event, at).await
            }
            // Nothing is sent before the conversation is noted as ours.
            Some(ConversationOwner::Foreign | ConversationOwner::PresumedForeign) | None => {
                Ok(Delivered::Nothing("another channel's echo"))
            }
        }
    }

    async fn note_own(
        &self,
        account: &AccountId,
        event: &DialogEvent,
        at: Timestamp,
    ) -> Result<Delivered, DeliveryError> {
        if let (Some(sequence), Some(digest)) = (event.sequence, echo::of_notification(&event.kind)) {
            let echo = Echo { sequence, digest, at };
            self.ports.ledger.note_echo(account, &event.dialog, &echo).await?;
        }
        Ok(Delivered::Nothing("echo"))
    }

    /// A message of a conversation that nothing is known of: it may be one of ours that is just being opened.
    async fn nobodys(
        &self,
        account: &AccountId,
        event: &DialogEvent,
        now: Timestamp,
        context: &DeliveryContext,
    ) -> Result<Delivered, DeliveryError> {
        // Since somebody could look: before that, the table or the workers may have been out of order, and the news with them.
        let since = self.ports.consumers.unknown_since(account, &event.conversation, now).await?;
        let looked = now.duration_since(since);
        if looked < UNKNOWN_FOR {
            // As long again as it has waited: at once where an answer is on its way, ten looks in all.
            let after = looked.clamp(SignedDuration::from_secs(1), SignedDuration::from_mins(1));
            return Err(DeliveryError::ConversationUnknown { after });
        }
        // It may be the one that LiveEngage says is open for a consumer of ours, without saying which it is.
        let opening = self.ports.consumers.unattached_at(account).await?;
        if opening.is_some_and(|at| now.duration_since(at) < UNATTACHED_FOR) {
            return Err(DeliveryError::PerhapsOurs);
        }
        self.ports.consumers.presume_foreign(account, &event.conversation, now).await?;
        tracing::warn!(
            correlation = context.correlation,
            conversation = %event.conversation,
            count = 1,
            "nobody claims this conversation: taken for another channel's"
        );
        Ok(Delivered::Nothing("another channel's"))
    }

    /// Whether this originator is the consumer: by the pointer from their name at LivePerson, which outlives their token.
    async fn is_by(
        &self,
        account: &AccountId,
        consumer: &ConsumerRef,
        originator: Option<&str>,
    ) -> Result<bool, DeliveryError> {
        let Some(Ok(id)) = originator.map(LpConsumerId::new) else { return Ok(false) };
        Ok(self.ports.consumers.consumer_by_lp_id(account, &id).await?.as_ref() == Some(consumer))
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
        context: &mut DeliveryContext,
        error: DeliveryError,
    ) -> Result<Delivered, DeliveryError> {
        match acquire(&*self.ports.messages, key.clone(), attempt, context).await? {
            None => Ok(Delivered::Nothing("parked before")),
            Some(_) => Err(error),
        }
    }
}

/// The news for an agent that their message did not reach the person.
fn undelivered(
    context: &DeliveryContext,
    correlation: &CorrelationId,
    given_up: &GivenUp,
    attempt: &Attempt,
) -> Option<QueueMessage> {
    let (person, (dialog, sequence)) = (context.person.clone()?, context.position.clone()?);
    let place = sequence.map_or_else(|| context.correlation.clone(), |sequence| sequence.0.to_string());
    let deduplication = digest([b"undelivered".as_slice(), dialog.as_str().as_bytes(), place.as_bytes()]);
    // A group of its own: the person's next text must not wait behind this.
    let group = digest([b"undelivered".as_slice(), person.line.as_str().as_bytes(), person.user.as_str().as_bytes()]);
    let task = ToLiveEngage::UndeliveredV1 {
        line: person.line,
        user: person.user,
        correlation: correlation.clone(),
        accepted_at: attempt.now,
        conversation: context.conversation.clone()?,
        dialog,
        sequence,
        reason: given_up.reason.clone(),
        may_have_arrived: given_up.may_have_arrived,
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
