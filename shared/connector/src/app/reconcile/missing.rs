//! Compares a consumer's conversations with LiveEngage's history, and queues what is missing.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Compared, Comparison, Reconcile};
use crate::{
    app::{error::DeliveryError, fitting::fitting, liveengage_client::HistoryCaller, not_needed::not_needed},
    domain::{
        breaker::Who,
        conversation::{Consumer, Conversation},
        delivery::ConsumerRef,
    },
    log_event,
    port::QueueMessage,
    queue_message::{Envelope, LiveEngageChange, QueueIdentity, bundled},
};
use connector_liveengage::{
    history::{ConversationRecord, HistoryEvent},
    id::{AccountId, ConversationId, LpConsumerId},
    identity::Identity,
    notification::NotificationType,
};

/// For how long a conversation must have ended before its end counts as missed. The webhook can still come, and a survey can be open in it.
pub const CLOSED_FOR: SignedDuration = SignedDuration::from_hours(1);

impl Reconcile {
    /// Compares one consumer's conversations with the history.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn compare(
        &self,
        account: &AccountId,
        who: &ConsumerRef,
        comparison: &Comparison<'_>,
    ) -> Result<Compared, DeliveryError> {
        let Some(consumer) = self.ports.consumers.consumer(who).await? else { return Ok(Compared::default()) };
        let Some(identity) = consumer.identity.clone().filter(|_| consumer.account == *account) else {
            return Ok(Compared::default());
        };
        let caller =
            HistoryCaller { account, who: Who::of(who), owner: &comparison.attempt.owner, now: comparison.attempt.now };
        let conversations = conversations_of(&consumer, comparison.since);
        let (mut messages, mut missing) = (Vec::new(), 0);
        for conversation in &conversations {
            let found = self.missing_events(caller, &identity, conversation, comparison).await?;
            if !found.is_empty() {
                log_event!(EVENTS_RECOVERED, %account, %conversation, count = found.len());
            }
            missing += found.len();
            messages.extend(found);
        }
        let end = self.missed_end(caller, &consumer, &identity, comparison).await?;
        let closed = end.iter().len();
        messages.extend(end);
        if !messages.is_empty() {
            self.ports.to_channel.send(bundled(messages, comparison.correlation)).await?;
        }
        Ok(Compared { conversations: conversations.len(), missing, closed })
    }

    /// Returns the queue messages for the events of a conversation that are for the consumer and that no worker has settled.
    async fn missing_events(
        &self,
        caller: HistoryCaller<'_>,
        identity: &Identity,
        conversation: &ConversationId,
        comparison: &Comparison<'_>,
    ) -> Result<Vec<QueueMessage>, DeliveryError> {
        let history = self.liveengage.history(caller, &identity.token, conversation).await?;
        let found = ForConsumer::of(&history.events, &identity.lp_consumer_id, comparison.since);
        let count = history.unreadable + found.ambiguous;
        if count > 0 {
            log_event!(HISTORY_PART_IGNORED, account = %caller.account, %conversation, count);
        }
        let mut missing = Vec::new();
        for event in found.events {
            let json = event.as_change(conversation, &identity.lp_consumer_id);
            let change = comparison.change(caller.account, NotificationType::MessagingEvent, json);
            let is_needed = change.event().is_some_and(|event| not_needed(event).is_none());
            if is_needed && !self.ports.messages.is_done(&change.key()).await? {
                missing.push(fitting(&change).map_err(|_| unreadable())?);
            }
        }
        Ok(missing)
    }

    /// Returns the queue message for the end of the consumer's conversation, if it ended a while ago and is still recorded as open.
    async fn missed_end(
        &self,
        caller: HistoryCaller<'_>,
        consumer: &Consumer,
        identity: &Identity,
        comparison: &Comparison<'_>,
    ) -> Result<Option<QueueMessage>, DeliveryError> {
        // While a survey is open, the history can list the conversation as ended.
        let (Some(open), None) = (consumer.open_conversation(), consumer.survey()) else { return Ok(None) };
        let ended = self.liveengage.ended_conversations(caller, &identity.token).await?;
        let Some(record) = ended.iter().find(|record| record.id == *open && has_ended(record, caller.now)) else {
            return Ok(None);
        };
        let json = record.as_end(&identity.lp_consumer_id);
        let change = comparison.change(caller.account, NotificationType::ConversationChange, json);
        Ok(Some(change.queued().map_err(|_| unreadable())?))
    }
}

impl Comparison<'_> {
    fn change(&self, account: &AccountId, notification: NotificationType, json: Value) -> LiveEngageChange {
        LiveEngageChange::new(Envelope::new(self.correlation, self.attempt.now), account.clone(), notification, json)
    }
}

const fn unreadable() -> DeliveryError {
    DeliveryError::UnreadableTask { what: "an event of LiveEngage's history" }
}

/// Returns the conversations of a consumer in which something can be missing: the current one, and the one before it if the current one has
/// changed in the time that is looked at.
fn conversations_of(consumer: &Consumer, since: Timestamp) -> Vec<ConversationId> {
    let (current, as_of) = match &consumer.conversation {
        Conversation::Open { id, as_of, .. } | Conversation::Closed { id, as_of } => (id, *as_of),
        Conversation::None | Conversation::Opening { .. } => return vec![],
    };
    let mut conversations = vec![current.clone()];
    if as_of.is_none_or(|as_of| as_of >= since) {
        let earlier = consumer.earlier_dialogs.iter().map(|dialog| &dialog.conversation);
        conversations.extend(earlier.filter(|earlier| *earlier != current).take(1).cloned());
    }
    conversations
}

/// What a conversation's history has for the consumer.
struct ForConsumer<'a> {
    /// The content, in the order of the history.
    events: Vec<&'a HistoryEvent>,
    /// How much of it can't be used, because it isn't known in which dialog it was published.
    ambiguous: usize,
}

impl<'a> ForConsumer<'a> {
    /// Selects the content that others have published since this time. `events` are in the order of their time.
    ///
    /// The record of an event needn't name its dialog. The main dialog comes first, and its numbers rise. Where they begin again, a survey has
    /// begun, whose dialog isn't known.
    fn of(events: &'a [HistoryEvent], consumer: &LpConsumerId, since: Timestamp) -> Self {
        let (mut found, mut highest, mut is_survey) = (Self { events: vec![], ambiguous: 0 }, None, false);
        for event in events.iter().filter(|event| event.kind.is_content() && event.sequence.is_some()) {
            if event.dialog.is_none() {
                is_survey |= highest >= event.sequence;
                highest = highest.max(event.sequence);
            }
            if event.is_by(consumer) || event.at.is_none_or(|at| at < since) {
                continue;
            }
            if event.dialog.is_none() && is_survey {
                found.ambiguous += 1;
            } else {
                found.events.push(event);
            }
        }
        found
    }
}

fn has_ended(record: &ConversationRecord, now: Timestamp) -> bool {
    let ended_long_ago = record.ended_at.is_some_and(|at| now.duration_since(at) >= CLOSED_FOR);
    record.closed == Some(true) && ended_long_ago
}
