//! Shows that an agent types or has read: best effort, once, and without delaying a text.

use super::DeliverToChannel;
use crate::{
    app::{
        delivery::{Attempt, Delivered, Delivery},
        error::DeliveryError,
        policy::TYPING_FOR,
    },
    domain::delivery::{ConsumerRef, ConversationOwner},
    log_event,
};
use connector_channels::{Capabilities, message::Indication};
use connector_liveengage::{
    id::{AccountId, Sequence},
    notification::{AcceptStatus, DialogEvent, EventKind, Role},
};

/// What is to be shown, before the line is known.
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
    /// Shows the consumer that an agent types or has read, if their channel can. It is not retried.
    pub(super) async fn indicate(
        &self,
        account: &AccountId,
        event: &DialogEvent,
        delivery: &mut Delivery<'_>,
    ) -> Delivered {
        match self.try_indicating(account, event, delivery).await {
            Ok(delivered) => delivered,
            Err(error) => {
                log_event!(INDICATION_FAILED, correlation = delivery.context.correlation_text(), %error);
                Delivered::Nothing("indication failed")
            }
        }
    }

    async fn try_indicating(
        &self,
        account: &AccountId,
        event: &DialogEvent,
        delivery: &mut Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        let wanted = match &event.kind {
            // An originator without a role would have to be looked up, which an indication isn't worth.
            _ if !matches!(event.role, Role::Brand | Role::Controller) => return Ok(Delivered::Nothing("echo")),
            EventKind::ChatState(_) if delivery.age() >= TYPING_FOR => return Ok(Delivered::Nothing("typing is over")),
            EventKind::ChatState(_) => Wanted::Typing(event.kind.is_composing()),
            EventKind::AcceptStatus { status: Some(AcceptStatus::Read), sequences } => match sequences.iter().max() {
                Some(sequence) => Wanted::Read(*sequence),
                None => return Ok(Delivered::Nothing("nothing was read")),
            },
            _ => return Ok(Delivered::Nothing("not shown")),
        };
        // Agents type often, mostly for other channels, so nothing is read if no line could show it.
        if !self.is_shown_somewhere(account, &wanted, delivery.attempt).await {
            return Ok(Delivered::Nothing("not shown"));
        }
        let (consumer, indication) = match wanted {
            Wanted::Read(sequence) => {
                match self.worker.ledger.inbound_receipt(account, &event.dialog, sequence).await? {
                    Some(heard) => (heard.consumer, Indication::Read { message: heard.id }),
                    None => return Ok(Delivered::Nothing("not ours")),
                }
            }
            Wanted::Typing(typing) => match self.worker.owners.of(account, &event.conversation).await? {
                Some(ConversationOwner::Ours(consumer) | ConversationOwner::OurSurvey(consumer, _)) => {
                    let last_message = self.worker.ledger.last_inbound(&consumer).await?.map(|heard| heard.id);
                    (consumer, Indication::Typing { typing, last_message })
                }
                _ => return Ok(Delivered::Nothing("not ours")),
            },
        };
        self.show(&consumer, &indication, delivery).await
    }

    async fn show(
        &self,
        consumer: &ConsumerRef,
        indication: &Indication,
        delivery: &mut Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        delivery.context.line = Some(consumer.line.clone());
        let settings = self.worker.settings(&consumer.line, delivery.attempt).await?;
        let Some(call) = settings.line.indicate(&consumer.user, indication) else {
            return Ok(Delivered::Nothing("not shown"));
        };
        let reply = self.worker.channel(consumer, delivery.attempt).call(call).await?;
        if reply.status.is_success() {
            return Ok(Delivered::Nothing("shown"));
        }
        let correlation = delivery.context.correlation_text();
        log_event!(INDICATION_FAILED, correlation, status = reply.status.as_u16());
        Ok(Delivered::Nothing("indication refused"))
    }

    async fn is_shown_somewhere(&self, account: &AccountId, wanted: &Wanted, attempt: &Attempt) -> bool {
        for line in self.worker.lines.ids() {
            if let Ok(settings) = self.worker.lines.get(line, attempt.now).await
                && settings.account == *account
                && wanted.is_shown_by(&settings.line.capabilities())
            {
                return true;
            }
        }
        false
    }
}
