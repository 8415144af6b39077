//! That an agent types or has read: best effort, once, and never in the way of a text.

use jiff::SignedDuration;

use super::{Attempt, DeliverToChannel, Delivered, DeliveryContext, DeliveryError};
use crate::{
    channel::Capabilities,
    domain::{
        delivery::{ConsumerRef, ConversationOwner},
        id::{AccountId, Sequence},
        message::Indication,
    },
    liveengage::notification::{AcceptStatus, DialogEvent, EventKind, Role},
};

/// How old the news may be that somebody types.
const TYPING_FOR: SignedDuration = SignedDuration::from_secs(10);

/// What is to be shown, before it is known on which line.
enum Wanted {
    Typing(bool),
    Read(Sequence),
}

impl Wanted {
    /// Whether a line can show it.
    const fn is_shown_by(&self, capabilities: &Capabilities) -> bool {
        match self {
            Self::Typing(_) => capabilities.typing.is_some(),
            Self::Read(_) => capabilities.mark_read,
        }
    }
}

impl DeliverToChannel {
    /// Shows the person that somebody types or has read, if their channel can. Nothing of it is repeated.
    pub(super) async fn indicate(
        &self,
        account: &AccountId,
        event: &DialogEvent,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Delivered {
        match self.try_indicating(account, event, attempt, context).await {
            Ok(delivered) => delivered,
            Err(error) => {
                tracing::debug!(correlation = context.correlation, %error, "an indication is left out");
                Delivered::Nothing("indication failed")
            }
        }
    }

    async fn try_indicating(
        &self,
        account: &AccountId,
        event: &DialogEvent,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Result<Delivered, DeliveryError> {
        let age = context.accepted_at.map_or(SignedDuration::ZERO, |at| attempt.now.duration_since(at));
        let wanted = match &event.kind {
            // Who an originator without a role is takes a read to find out: not for this.
            _ if event.role != Role::Brand => return Ok(Delivered::Nothing("echo")),
            EventKind::ChatState(_) if age >= TYPING_FOR => return Ok(Delivered::Nothing("typing is over")),
            EventKind::ChatState(_) => Wanted::Typing(event.kind.is_composing()),
            EventKind::AcceptStatus { status: Some(AcceptStatus::Read), sequences } => match sequences.iter().max() {
                Some(sequence) => Wanted::Read(*sequence),
                None => return Ok(Delivered::Nothing("nothing was read")),
            },
            _ => return Ok(Delivered::Nothing("not shown")),
        };
        // An account's agents type all day, mostly for other channels: no read for lines that couldn't show it.
        if !self.is_shown_somewhere(account, &wanted, attempt).await {
            return Ok(Delivered::Nothing("not shown"));
        }
        let (consumer, indication) = match wanted {
            Wanted::Read(sequence) => {
                match self.ports.ledger.inbound_receipt(account, &event.dialog, sequence).await? {
                    Some(heard) => (heard.consumer, Indication::Read { message: heard.id }),
                    None => return Ok(Delivered::Nothing("not ours")),
                }
            }
            Wanted::Typing(typing) => {
                match self.ports.consumers.conversation_owner(account, &event.conversation).await? {
                    Some(ConversationOwner::Ours(consumer) | ConversationOwner::OurSurvey(consumer, _)) => {
                        let last_message = self.ports.ledger.last_inbound(&consumer).await?.map(|heard| heard.id);
                        (consumer, Indication::Typing { typing, last_message })
                    }
                    _ => return Ok(Delivered::Nothing("not ours")),
                }
            }
        };
        self.show(&consumer, &indication, attempt, context).await
    }

    async fn show(
        &self,
        consumer: &ConsumerRef,
        indication: &Indication,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Result<Delivered, DeliveryError> {
        context.line = Some(consumer.line.clone());
        let settings = self.settings(consumer, attempt).await?;
        let line = &settings.current.line;
        let Some(call) = line.indicate(&consumer.user, indication) else {
            return Ok(Delivered::Nothing("not shown"));
        };
        let name = call.name;
        let reply = self.ports.http.call(call).await.map_err(|failure| DeliveryError::Http { call: name, failure })?;
        if reply.status.is_success() {
            return Ok(Delivered::Nothing("shown"));
        }
        tracing::debug!(correlation = context.correlation, status = reply.status.as_u16(), "an indication is refused");
        Ok(Delivered::Nothing("indication refused"))
    }

    async fn is_shown_somewhere(&self, account: &AccountId, wanted: &Wanted, attempt: &Attempt) -> bool {
        for line in self.lines.ids() {
            if let Some(settings) = self.lines.get(&line, attempt.now).await
                && settings.current.account == *account
                && wanted.is_shown_by(&settings.current.line.capabilities())
            {
                return true;
            }
        }
        false
    }
}
