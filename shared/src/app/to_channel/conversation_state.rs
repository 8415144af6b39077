//! Learning that a conversation is open or has ended, and asking the person about one that has.

use jiff::{SignedDuration, Timestamp};

use super::{ConsumerRef, DeliverToChannel, Delivered, DeliveryError, Said, digest, update};
use crate::{
    app::task::conversation_group,
    domain::{
        conversation::{AskedSatisfaction, Consumer, Mutation},
        delivery::ConversationOwner,
        id::{AccountId, CorrelationId},
        message::MessageText,
    },
    liveengage::notification::{AgentPresence, ConversationChange},
};

/// How long an answer to the connector's own questions counts.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(1);

impl DeliverToChannel {
    /// Learns that a conversation is open or has ended. This is also what finds a conversation again whose opener died.
    pub(super) async fn observe(
        &self,
        account: &AccountId,
        state: &ConversationChange,
        correlation: &CorrelationId,
        now: Timestamp,
    ) -> Result<Delivered, DeliveryError> {
        let consumers = &*self.ports.consumers;
        let (known, who) = match consumers.conversation_owner(account, &state.conversation).await? {
            known @ Some(ConversationOwner::Ours(_) | ConversationOwner::OurSurvey(..)) => (known, None),
            Some(ConversationOwner::Foreign) => return Ok(Delivered::Nothing("another channel's")),
            // A guess, made when a text had to wait for too long: the consumer's name settles it.
            owner @ (Some(ConversationOwner::PresumedForeign) | None) => match &state.consumer {
                Some(id) => (owner, consumers.consumer_by_lp_id(account, id).await?),
                None => return Ok(Delivered::Nothing("conversation without a consumer")),
            },
        };
        let who = match (known, who) {
            (Some(ConversationOwner::Ours(who) | ConversationOwner::OurSurvey(who, _)), _) => who,
            (known, Some(who)) => {
                // Now, and not only with the record: what the record says of it needn't change, and texts in it may be waiting.
                consumers.claim_conversation(account, &state.conversation, &who).await?;
                if known.is_some() {
                    tracing::error!(
                        %correlation,
                        line = %who.line,
                        conversation = %state.conversation,
                        count = 1,
                        "a conversation that was taken for another channel's is ours: texts in it were not delivered"
                    );
                }
                who
            }
            (_, None) => {
                // Every consumer of ours is noted before a conversation is opened for them, so this one is not ours.
                consumers.mark_foreign(account, &state.conversation, now).await?;
                return Ok(Delivered::Nothing("another channel's"));
            }
        };
        if !state.closed {
            let open = |consumer: &mut Consumer| match consumer.account == *account {
                true => consumer.apply_opened(&state.conversation, state.survey.as_ref(), state.as_of),
                // The line feeds another account by now: what this one tells is over.
                false => Mutation::Unchanged,
            };
            update(consumers, &who, || account.clone(), open).await?;
            return Ok(Delivered::Nothing("conversation open"));
        }
        self.ask_satisfaction(account, state, &who, correlation, now).await?;
        update(
            consumers,
            &who,
            || account.clone(),
            |consumer| match consumer.account == *account {
                true => consumer.apply_closed(&state.conversation, state.as_of),
                false => Mutation::Unchanged,
            },
        )
        .await?;
        Ok(Delivered::Nothing("conversation closed"))
    }

    /// Asks the person how content they were with a conversation that has just ended, where the line wants that. Asked before the
    /// end is noted, so that no crash can lose the question, and queued behind what was said in the conversation.
    async fn ask_satisfaction(
        &self,
        account: &AccountId,
        state: &ConversationChange,
        who: &ConsumerRef,
        correlation: &CorrelationId,
        now: Timestamp,
    ) -> Result<(), DeliveryError> {
        let Some(settings) = self.lines.get(&who.line, now).await else { return Ok(()) };
        let Some(satisfaction) = &settings.current.satisfaction else { return Ok(()) };
        // Nobody rates a conversation in which nobody answered, or one that was rated in a survey.
        if state.agent != AgentPresence::Joined || state.csat_filled {
            return Ok(());
        }
        let asked = AskedSatisfaction {
            conversation: state.conversation.clone(),
            asked_at: now,
            until: now.checked_add(ASKED_FOR).unwrap_or(now),
            rate: None,
        };
        let is_current = |consumer: &Consumer| {
            consumer.account == *account && consumer.open_conversation() == Some(&state.conversation)
        };
        let consumer = update(
            &*self.ports.consumers,
            who,
            || account.clone(),
            |consumer| {
                if !is_current(consumer)
                    || consumer.satisfaction.as_ref().is_some_and(|old| old.conversation == asked.conversation)
                {
                    return Mutation::Unchanged;
                }
                consumer.satisfaction = Some(asked.clone());
                Mutation::Changed
            },
        )
        .await?;
        if !is_current(&consumer) {
            return Ok(());
        }
        let said = Said {
            line: who.line.clone(),
            user: who.user.clone(),
            correlation: correlation.clone(),
            accepted_at: now,
            name: digest([b"satisfaction question".as_slice(), state.conversation.as_str().as_bytes()]),
            text: MessageText::new(satisfaction.question.clone()),
        };
        let group = conversation_group(account, state.conversation.as_str());
        Ok(self.ports.to_channel.send(vec![said.message(group)?]).await?)
    }
}
