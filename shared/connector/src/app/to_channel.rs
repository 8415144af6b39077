//! Delivers LiveEngage's messages to the consumer, and records conversations that open and close.
//!
//! Private messages and other channels' conversations end here, at the cost of at most one read. Echoes of the consumer's own messages are
//! recorded.

use std::sync::Arc;

use jiff::SignedDuration;

use super::{
    delivery::{Attempt, Begin, Delivered, Delivery, DeliveryContext, NoticeTo, RetryLater},
    echo,
    error::DeliveryError,
    liveengage_client::LiveEngage,
    not_needed::not_needed,
    policy::{CONVERSATION_UNKNOWN_FOR, LONGEST_LOOKUP_WAIT, UNATTACHED_FOR, wait_as_long_again},
    registry::Lines,
    unreadable::{park_panicking, park_unreadable, wait_or_park},
    worker::{WorkerContext, WorkerPorts},
};
use crate::{
    domain::{
        delivery::{ConsumerRef, ConversationOwner},
        order,
        receipt::Echo,
    },
    log_event,
    queue_message::{LiveEngageChange, Message, QueueIdentity, Received, ToChannel},
};
use connector_channels::message::OutboundContent;
use connector_liveengage::{
    id::{AccountId, ConversationId, LpConsumerId},
    messaging::DialogRef,
    notification::{Audience, Change, DialogEvent, EventKind, Role},
};
use connector_message::code::Code;

mod added_text;
mod content;
mod conversation_state;
mod file;
mod indications;
mod sending;

use sending::{Outgoing, OutgoingContent};

/// The use case of the function `to-channel`.
#[derive(Debug, Clone)]
pub struct DeliverToChannel {
    worker: Arc<WorkerContext>,
}

impl DeliverToChannel {
    /// Creates the use case for `lines`. If an agent's message can't be delivered, a notice goes to the queue to LiveEngage. LiveEngage
    /// itself is called only for an agent's file.
    pub fn new(lines: Arc<Lines>, liveengage: Arc<LiveEngage>, ports: WorkerPorts) -> Self {
        Self { worker: Arc::new(WorkerContext::new(lines, liveengage, ports)) }
    }

    /// Makes one attempt at a queue message.
    ///
    /// In the steady state an agent's text takes four outside calls in three steps: lease and consumer, whose menu it may replace, channel,
    /// and end (and one more call to record each further part of a long text). An echo takes one. The first message of a conversation takes
    /// one more, for its owner, and so does another channel's. On a line that shows names, an agent's name takes one more an hour, and an old
    /// text may take one for LivePerson's clock.
    ///
    /// # Errors
    /// [`RetryLater`] if the message must stay in the queue.
    pub async fn work(&self, received: &Received, attempt: &Attempt) -> Result<(), RetryLater> {
        let ports = self.worker.delivery_ports(&*self.worker.to_liveengage);
        let Ok(message @ Message::ToChannel(task)) = &received.message else {
            return wait_or_park(ports, received, attempt).await;
        };
        let context = DeliveryContext::of(message);
        let mut delivery = Delivery::new(ports, attempt, message.identity().key(), &received.body, context);
        let result = match task {
            ToChannel::Change(change) => {
                if let Some(after) = self.overtaking(change, attempt).await {
                    let correlation = delivery.context.correlation_text();
                    log_event!(EVENT_HELD_BACK, correlation, wait_ms = after.as_millis() as i64);
                    return Err(RetryLater { after });
                }
                self.deliver(change, &mut delivery).await
            }
            // A notice or an announcement that can't be delivered causes no further notice. It is parked.
            ToChannel::Notice(notice) => {
                let content = OutgoingContent::FailureNotice(OutboundContent::Text { text: notice.text.clone() });
                self.send(&notice.consumer, Outgoing { content, offer: None }, &mut delivery).await
            }
            ToChannel::Announcement(announcement) => {
                let content = OutgoingContent::Message(OutboundContent::Text { text: announcement.text.clone() });
                self.send(&announcement.consumer, Outgoing { content, offer: None }, &mut delivery).await
            }
            ToChannel::Unreadable(_) => park_unreadable("a notification of LiveEngage", &mut delivery).await,
        };
        delivery.end(result).await
    }

    /// Counts an attempt that has panicked, and parks the message if every attempt panics.
    ///
    /// # Errors
    /// [`RetryLater`] until then.
    pub async fn give_up(&self, body: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        park_panicking(self.worker.delivery_ports(&*self.worker.to_liveengage), body, attempt).await
    }

    /// Returns how long an event for the consumer must wait, because it may have overtaken another one. An event can also look late because
    /// LivePerson's clock is behind.
    async fn overtaking(&self, change: &LiveEngageChange, attempt: &Attempt) -> Option<SignedDuration> {
        let (event, accepted_at) = (change.event()?, change.envelope().accepted_at);
        let is_shown = event.role != Role::Consumer && event.audience == Audience::All && event.kind.is_content();
        let late = attempt.time_scale.of(order::LATE);
        if !is_shown || event.sequence.is_none() || !order::looks_late(event.at, accepted_at, late) {
            return None;
        }
        let behind = self.worker.liveengage.clock_behind(change.account()).await;
        order::wait(event.at, accepted_at, attempt.now, behind, |time| attempt.time_scale.of(time))
    }

    async fn deliver(
        &self,
        change: &LiveEngageChange,
        delivery: &mut Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        let event = match change.change() {
            Ok(Change::Event(event)) => event,
            Ok(Change::Conversation(state)) => return self.observe(change.account(), state, delivery).await,
            Ok(Change::Unknown) => return Ok(Delivered::Nothing("unknown change")),
            Err(unreadable) => return refuse((*unreadable).into(), delivery).await,
        };
        if let Some(reason) = not_needed(event) {
            return Ok(Delivered::Nothing(reason));
        }
        match (event.role, &event.kind) {
            (Role::Consumer, _) => self.note_echo(change.account(), event, delivery).await,
            (_, EventKind::AcceptStatus { .. } | EventKind::ChatState(_)) => {
                Ok(self.indicate(change.account(), event, delivery).await)
            }
            (Role::Brand | Role::Controller | Role::Unknown, _) => self.forward_if_ours(change, event, delivery).await,
        }
    }

    async fn forward_if_ours(
        &self,
        change: &LiveEngageChange,
        event: &DialogEvent,
        delivery: &mut Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        let account = change.account();
        delivery.notice_to = NoticeTo::NotKnownYet;
        let consumer = match self.worker.owners.of(account, &event.conversation).await? {
            Some(ConversationOwner::Ours(consumer)) => consumer,
            // It is in a group named after the dialog, so it could overtake the agent's last message.
            Some(ConversationOwner::OurSurvey(_, conversation)) => return self.regroup(change, &conversation).await,
            Some(ConversationOwner::Foreign | ConversationOwner::PresumedForeign) => {
                return Ok(Delivered::Nothing("another channel's"));
            }
            None => return self.unknown_conversation(account, event, delivery).await,
        };
        delivery.context.line = Some(consumer.line.clone());
        let dialog = DialogRef { conversation: event.conversation.clone(), dialog: event.dialog.clone() };
        delivery.notice_to = NoticeTo::Agent { consumer: consumer.clone(), dialog, sequence: event.sequence };
        if event.role == Role::Unknown && self.is_by(account, &consumer, event.originator.as_deref()).await? {
            return self.note_own(account, event, delivery).await;
        }
        if event.audience == Audience::Unknown {
            let content = Code::internal("a message for an audience that is not known (messageAudience)");
            return refuse(DeliveryError::Unsupported { content }, delivery).await;
        }
        self.forward(account, &consumer, event, delivery).await
    }

    /// Sends an event of a survey that doesn't name its conversation to the conversation's group, with the name filled in, so that it comes
    /// after the messages there.
    async fn regroup(
        &self,
        change: &LiveEngageChange,
        conversation: &ConversationId,
    ) -> Result<Delivered, DeliveryError> {
        let moved = Message::from(change.moved_to(conversation)).queued();
        let moved = moved.map_err(|_| DeliveryError::UnreadableTask { what: "a survey's event" })?;
        self.worker.to_channel.send(vec![moved]).await?;
        Ok(Delivered::Nothing("moved to the group of its conversation"))
    }

    /// Handles a consumer's own message. An echo of ours is recorded: if the answer to its SEND was lost, it proves that the message was
    /// published.
    async fn note_echo(
        &self,
        account: &AccountId,
        event: &DialogEvent,
        delivery: &Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        match self.worker.owners.of(account, &event.conversation).await? {
            Some(ConversationOwner::Ours(_) | ConversationOwner::OurSurvey(..)) => {
                self.note_own(account, event, delivery).await
            }
            // Nothing is sent before the conversation is recorded as ours, so this can't be an echo.
            Some(ConversationOwner::Foreign | ConversationOwner::PresumedForeign) | None => {
                Ok(Delivered::Nothing("another channel's echo"))
            }
        }
    }

    async fn note_own(
        &self,
        account: &AccountId,
        event: &DialogEvent,
        delivery: &Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        if let (Some(sequence), Some(digest)) = (event.sequence, echo::of_notification(&event.kind)) {
            let echo = Echo { sequence, digest, at: delivery.accepted_at() };
            self.worker.ledger.note_echo(account, &event.dialog, &echo).await?;
        }
        Ok(Delivered::Nothing("echo"))
    }

    /// Handles a message of an unknown conversation, which may be one of ours that is just being opened.
    async fn unknown_conversation(
        &self,
        account: &AccountId,
        event: &DialogEvent,
        delivery: &Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        let (consumers, now) = (&self.worker.consumers, delivery.attempt.now);
        // Count from the first lookup. Before that, the table or the workers may have been down, and the notifications delayed.
        let since = consumers.unknown_since(account, &event.conversation, now).await?;
        let looked = now.duration_since(since);
        if looked < CONVERSATION_UNKNOWN_FOR {
            // Short waits at first, because a conversation that is being opened is recorded soon. 15 lookups in total.
            let after = wait_as_long_again(looked, LONGEST_LOOKUP_WAIT);
            return Err(DeliveryError::ConversationUnknown { after });
        }
        // It may be the open conversation of a consumer of ours that LiveEngage does not name.
        let opening = consumers.unattached_at(account).await?;
        if opening.is_some_and(|at| now.duration_since(at) < UNATTACHED_FOR) {
            return Err(DeliveryError::PossiblyOurs);
        }
        consumers.presume_foreign(account, &event.conversation, now).await?;
        let (correlation, conversation) = (delivery.context.correlation_text(), &event.conversation);
        log_event!(CONVERSATION_NOT_OURS, correlation, %conversation);
        Ok(Delivered::Nothing("another channel's"))
    }

    /// Whether this originator is the consumer, by the pointer from their LivePerson id, which outlives their token.
    async fn is_by(
        &self,
        account: &AccountId,
        consumer: &ConsumerRef,
        originator: Option<&str>,
    ) -> Result<bool, DeliveryError> {
        let Some(Ok(id)) = originator.map(LpConsumerId::new) else { return Ok(false) };
        Ok(self.worker.consumers.consumer_by_lp_id(account, &id).await?.as_ref() == Some(consumer))
    }
}

/// Fails a message with this error, unless it was parked before.
async fn refuse(error: DeliveryError, delivery: &mut Delivery<'_>) -> Result<Delivered, DeliveryError> {
    match delivery.begin().await? {
        Begin::DoneBefore => Ok(Delivered::Nothing("parked before")),
        Begin::Started => Err(error),
    }
}
