//! What the connector adds to an agent's or bot's message: their name, and that the message is old.

use jiff::SignedDuration;

use super::{DeliverToChannel, content::Offer};
use crate::app::{delivery::Delivery, liveengage_client::Keeper, settings::LineSettings};
use connector_channels::added_text::{AddedText, age_text};
use connector_liveengage::{
    id::AgentId,
    notification::{DialogEvent, Role},
};

/// The age from which a message says how old it is. Queues and retries delay a message by seconds or a few minutes.
const OLD: SignedDuration = SignedDuration::from_mins(15);

impl DeliverToChannel {
    /// Returns what is added to a message. A later attempt must not decide this anew once a part of the message is sent.
    pub(super) async fn added_text(
        &self,
        settings: &LineSettings,
        offer: &Offer<'_>,
        delivery: &Delivery<'_>,
    ) -> AddedText {
        let name = self.sender_name(settings, offer, delivery).await;
        age(settings, offer.event, delivery).unwrap_or_default().around(&name.unwrap_or_default())
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
}

/// Returns the mark of an old message.
fn age(settings: &LineSettings, event: &DialogEvent, delivery: &Delivery<'_>) -> Option<AddedText> {
    let written_at = event.at.unwrap_or_else(|| delivery.written_at());
    let age = delivery.attempt.now.duration_since(written_at);
    let format = settings.late.as_ref().filter(|_| age >= OLD)?;
    Some(format.filled(&age_text(age)))
}
