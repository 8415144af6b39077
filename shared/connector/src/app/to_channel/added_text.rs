//! What the connector adds to an agent's or bot's message: their name, and that the message is old.

use jiff::SignedDuration;

use super::{DeliverToChannel, content::Offer};
use crate::app::{delivery::Delivery, liveengage_client::Keeper, settings::LineSettings};
use connector_channels::added_text::{AddedText, age_text};
use connector_liveengage::{id::AgentId, notification::Role};

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
        let age = self.age(settings, offer, delivery).await;
        age.unwrap_or_default().around(&name.unwrap_or_default())
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
