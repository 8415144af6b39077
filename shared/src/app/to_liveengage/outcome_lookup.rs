//! Whether an earlier attempt has published something already, although no answer came.
//!
//! A person's messages go one after the other, and each notes its number in the dialog when it is done. So an echo with a later
//! number than the last noted one, which came after the message itself, and with the content that is to be sent now, can only be
//! that of an earlier attempt at it: two equal texts in a row are never taken for one another. Only the last number is known, and so
//! for a dialog before that the time alone decides.

use jiff::{SignedDuration, Timestamp};

use super::{ConsumerSession, DeliveryError, consumer_session::Published};
use crate::{
    app::echo,
    domain::{
        conversation::{Consumer, Conversation},
        delivery::{DialogRef, InboundReceipt},
        id::{ConversationId, DialogId},
    },
    liveengage::messaging::Event,
};

impl ConsumerSession<'_> {
    /// Where an earlier attempt has published this, if there is a doubt and LiveEngage's echo resolves it. `at`: where it must have
    /// been, for one that can have gone to one place only.
    ///
    /// # Errors
    /// [`DeliveryError::Uncertain`] when nothing tells, and the line doesn't repeat then.
    pub(super) async fn published_before(
        &mut self,
        event: &Event<'_>,
        at: Option<DialogRef>,
        written_at: Timestamp,
    ) -> Result<Option<Published>, DeliveryError> {
        let (true, Some(digest)) = (self.uncertain.exists(), echo::of_event(event)) else { return Ok(None) };
        let ledger = &self.worker.ports.ledger;
        let last = ledger.last_inbound(self.who).await?.filter(|last| last.account == self.settings.account);
        let mut can_be = true;
        let places = match at {
            Some(place) => vec![place],
            None => {
                let consumer = self.consumer().await?.clone();
                can_be = can_have_published(&self.uncertain.places, &consumer, written_at);
                candidates(&self.uncertain.places, &consumer, last.as_ref())
            }
        };
        for place in places {
            let noted = last.as_ref().filter(|last| last.dialog == place.dialog).map(|last| last.sequence);
            let echoes = ledger.echoes(&self.settings.account, &place.dialog, noted).await?;
            if let Some(echo) = echoes.into_iter().find(|echo| echo.digest == digest && echo.at >= written_at) {
                tracing::info!(correlation = %self.correlation, line = %self.who.line, conversation = %place.conversation, count = 1, "an earlier attempt was published: not sent again");
                let DialogRef { conversation, dialog } = place;
                return Ok(Some(Published { conversation, dialog, sequence: Some(echo.sequence) }));
            }
        }
        if !can_be || self.settings.on_uncertain.repeats(&self.uncertain) {
            Ok(None)
        } else {
            Err(DeliveryError::Uncertain)
        }
    }
}

/// By how much LivePerson's clock may be behind ours at the most, for its times to be compared with ours.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_hours(2);

/// Whether an earlier attempt can have published anything at all: one that died before a conversation was open can't have. In a
/// conversation that ended before the message was written, LiveEngage takes nothing.
fn can_have_published(said: &[DialogRef], consumer: &Consumer, written_at: Timestamp) -> bool {
    let open_since_then = match &consumer.conversation {
        Conversation::Open { .. } => true,
        // By their clock, which may be hours off ours.
        Conversation::Closed { as_of, .. } => as_of.duration_since(written_at) > -CLOCKS_DIFFER,
        Conversation::None | Conversation::Opening { .. } => false,
    };
    open_since_then || !said.is_empty()
}

/// Where an attempt may have published: where it said so, where the person's messages go now, and, as an attempt that died says
/// nothing, where they went before.
fn candidates(said: &[DialogRef], consumer: &Consumer, last: Option<&InboundReceipt>) -> Vec<DialogRef> {
    let main = |conversation: &ConversationId| DialogRef {
        conversation: conversation.clone(),
        dialog: DialogId::main_of(conversation),
    };
    let now =
        consumer.active_dialog().map(|(conversation, dialog)| DialogRef { conversation: conversation.clone(), dialog });
    let before = match &consumer.conversation {
        Conversation::None => None,
        Conversation::Opening { previous, .. } => previous.as_ref().map(main),
        // The survey has begun since.
        Conversation::Open { id, .. } | Conversation::Closed { id, .. } => Some(main(id)),
    };
    // The dialog's name stands in for a conversation that isn't known any more: it is only shown.
    let last = last.and_then(|last| {
        let conversation = ConversationId::new(last.dialog.as_str()).ok()?;
        Some(DialogRef { conversation, dialog: last.dialog.clone() })
    });
    let mut places: Vec<DialogRef> = vec![];
    for place in said.iter().cloned().chain(now).chain(before).chain(last) {
        if places.iter().all(|known| known.dialog != place.dialog) {
            places.push(place);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        delivery::ConsumerRef,
        id::{AccountId, ChannelUserId, LineId, ProviderMessageId, Sequence},
    };

    #[test]
    fn every_dialog_that_it_can_have_gone_to_is_looked_at_once() {
        let id = |name: &str| ConversationId::new(name).unwrap();
        let dialog = |name: &str| DialogId::new(name).unwrap();
        let (line, user) = (LineId::new("sms-main").unwrap(), ChannelUserId::new("+4915112345678").unwrap());
        let account = AccountId::new("72419083").unwrap();
        let mut consumer = Consumer::new(line.clone(), user.clone(), account.clone());
        let dialogs = |consumer: &Consumer, said: &[DialogRef], last: Option<&InboundReceipt>| {
            let places = candidates(said, consumer, last);
            places.iter().map(|place| place.dialog.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(dialogs(&consumer, &[], None), Vec::<String>::new());
        consumer.attach(&id("c1"), Timestamp::UNIX_EPOCH);
        let said = [DialogRef { conversation: id("c0"), dialog: dialog("c0") }];
        assert_eq!(dialogs(&consumer, &said, None), ["c0", "c1"]);
        consumer.apply_opened(&id("c1"), Some(&dialog("s1")), Timestamp::from_second(1).unwrap());
        assert_eq!(dialogs(&consumer, &[], None), ["s1", "c1"], "the survey has begun since");
        consumer.apply_closed(&id("c1"), Timestamp::from_second(2).unwrap());
        let heard = InboundReceipt {
            account,
            dialog: dialog("s1"),
            sequence: Sequence(1),
            consumer: ConsumerRef { line, user },
            id: ProviderMessageId::new("mo-1").unwrap(),
            at: Timestamp::UNIX_EPOCH,
            by_position: false,
        };
        assert_eq!(dialogs(&consumer, &[], Some(&heard)), ["c1", "s1"], "all of it has ended since");
    }
}
