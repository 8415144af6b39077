//! What the connector adds to an agent's or bot's message: their name, and that the message is old.

use jiff::SignedDuration;

use super::{DeliverToChannel, content::Offer};
use crate::app::{delivery::Delivery, liveengage_client::Keeper, settings::LineSettings};
use connector_channels::{
    Line, Receipt,
    added_text::{AddedText, age_text},
    message::OutboundMessage,
};
use connector_liveengage::{id::AgentId, notification::Role};

/// The age from which a message says how old it is. Queues and retries delay a message by seconds or a few minutes.
const OLD: SignedDuration = SignedDuration::from_mins(15);

impl DeliverToChannel {
    /// Returns the message with what is added to its text, if it is one call with it.
    ///
    /// Another attempt can add something else, because time has passed, or a name is known only then. So nothing may be added to a message of
    /// several calls: it would be cut elsewhere then, and a report of the channel on the first call would prove that another part has arrived.
    /// What is one call with an addition is one call with a shorter one and without.
    pub(super) async fn with_added_text(
        &self,
        settings: &LineSettings,
        offer: &Offer<'_>,
        message: OutboundMessage,
        delivery: &Delivery<'_>,
    ) -> OutboundMessage {
        if (settings.sender.is_none() && settings.late.is_none()) || !is_one_call(&*settings.line, &message) {
            return message;
        }
        let name = self.sender_name(settings, offer, delivery).await.unwrap_or_default();
        let added = self.age(settings, offer, delivery).await.unwrap_or_default().around(&name);
        if added.is_empty() {
            return message;
        }
        let content = added.apply(message.content.clone(), &settings.line.capabilities());
        let with_added = OutboundMessage { content, ..message.clone() };
        if is_one_call(&*settings.line, &with_added) { with_added } else { message }
    }

    async fn sender_name(
        &self,
        settings: &LineSettings,
        offer: &Offer<'_>,
        delivery: &Delivery<'_>,
    ) -> Option<AddedText> {
        let (format, event) = (settings.sender.as_ref()?, offer.event);
        // LiveEngage's own messages have no writer.
        if event.role != Role::Brand {
            return None;
        }
        let agent = AgentId::new(event.originator.as_deref()?).ok()?;
        let attempt = delivery.attempt;
        let caller = Keeper { account: offer.account, owner: &attempt.owner, now: attempt.now };
        let name = self.worker.agent_names.of(&self.worker.liveengage, caller, agent).await?;
        Some(format.filled(name.as_str()))
    }

    /// Returns the mark of an old message. A time by LivePerson's clock makes it look older if that clock is behind ours.
    async fn age(&self, settings: &LineSettings, offer: &Offer<'_>, delivery: &Delivery<'_>) -> Option<AddedText> {
        let format = settings.late.as_ref()?;
        let since = |at| delivery.attempt.now.duration_since(at);
        let age = match offer.event.at.map(since) {
            Some(age) if age >= OLD => age - self.worker.liveengage.clock_behind(offer.account).await,
            Some(age) => age,
            None => since(delivery.written_at()),
        };
        (age >= OLD).then(|| format.filled(&age_text(age)))
    }
}

fn is_one_call(line: &dyn Line, message: &OutboundMessage) -> bool {
    let sent = Receipt { provider_id: None, is_message: true };
    let calls = |done: &[Receipt]| line.next_call(message, done).is_ok_and(|call| call.is_some());
    calls(&[]) && !calls(&[sent])
}
