//! Looks up whether an earlier attempt has published an event although it got no answer.
//!
//! A consumer's messages are delivered one after the other, and each records its number in the dialog at its end. So an echo with a number
//! after the last recorded one, which came after the message itself and has the content to be sent now, can only be that of an earlier
//! attempt at it. Two equal texts in a row are never confused. Only the last number is known, so for an earlier dialog the time alone
//! decides.

use jiff::{SignedDuration, Timestamp};

use super::{content::EventDelivery, publishing::Published};
use crate::{
    app::{echo, error::DeliveryError, policy::ENVIRONMENTS_DIFFER},
    domain::{
        conversation::{Consumer, Conversation},
        receipt::{Echo, InboundReceipt},
        uncertain::UncertainOutcome,
    },
    log_event,
};
use connector_liveengage::{
    id::ConversationId,
    messaging::{DialogRef, Event},
};

impl EventDelivery<'_, '_> {
    /// Returns where an earlier attempt has published this event, if the outcome is uncertain and LiveEngage's echo resolves it. `at` is
    /// the dialog of an event that can have gone to one dialog only.
    ///
    /// # Errors
    /// [`DeliveryError::Uncertain`] if there is no proof, and the line doesn't resend then. Also for a message that an operator has resent,
    /// if an echo may be its or that of an equal text after it.
    pub(super) async fn published_before(
        &mut self,
        event: &Event<'_>,
        at: Option<&DialogRef>,
    ) -> Result<Option<Published>, DeliveryError> {
        let uncertain = self.delivery.uncertain().clone();
        let (true, Some(digest)) = (uncertain.exists(), echo::of_event(event)) else { return Ok(None) };
        let (ledger, account) = (&self.worker.ledger, &self.settings.account);
        let written_at = self.delivery.written_at();
        let last = ledger.last_inbound(&self.session.consumer).await?.filter(|last| last.account == *account);
        let mut can_be = true;
        let dialogs = match at {
            Some(dialog) => vec![dialog.clone()],
            None => {
                let consumer = self.session.record().await?;
                can_be = can_have_published(&uncertain.dialogs, consumer, written_at);
                candidates(&uncertain, consumer, last.as_ref())
            }
        };
        let (mut may_be_its, is_resent) = (false, uncertain.is_resent());
        for dialog in dialogs {
            let noted = last.as_ref().filter(|last| last.dialog == dialog.dialog).map(|last| last.sequence);
            // Later messages may have been recorded before an operator resent this one.
            let echoes = ledger.echoes(account, &dialog.dialog, noted.filter(|_| !is_resent)).await?;
            let is_alike =
                |echo: &Echo| echo.digest == digest && echo.at.duration_since(written_at) >= -ENVIRONMENTS_DIFFER;
            let (proof, other): (Vec<_>, Vec<_>) = echoes
                .into_iter()
                .filter(is_alike)
                .partition(|echo| !is_resent || last.is_none() || noted.is_some_and(|noted| echo.sequence > noted));
            if let Some(echo) = proof.into_iter().next() {
                let (line, conversation) = (&self.session.consumer.line, &dialog.conversation);
                log_event!(MESSAGE_FOUND_PUBLISHED, correlation = %self.correlation, %line, %conversation);
                return Ok(Some(Published { dialog, sequence: Some(echo.sequence) }));
            }
            may_be_its |= !other.is_empty();
        }
        // Such an echo can also be that of an equal text after it. Neither sending it again nor dropping it would be right.
        if may_be_its {
            return Err(DeliveryError::Uncertain);
        }
        if !can_be || self.settings.on_uncertain.repeats(&uncertain) { Ok(None) } else { Err(DeliveryError::Uncertain) }
    }
}

/// The most that LivePerson's clock may be behind ours for its times to be compared with ours.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_hours(2);

/// Whether an earlier attempt can have published anything at all. An attempt that was stopped before a conversation was open can't have,
/// and LiveEngage accepts nothing in a conversation that ended before the message was written.
fn can_have_published(recorded: &[DialogRef], consumer: &Consumer, written_at: Timestamp) -> bool {
    let open_since_then = match &consumer.conversation {
        Conversation::Open { .. } => true,
        // This time is by LivePerson's clock, which may be hours off ours.
        Conversation::Closed { as_of, .. } => as_of.is_some_and(|at| at.duration_since(written_at) > -CLOCKS_DIFFER),
        Conversation::None | Conversation::Opening { .. } => false,
    };
    open_since_then || !recorded.is_empty()
}

/// Returns the dialogs in which an attempt may have published: those that it recorded, the one to which the consumer's messages go now,
/// and, because an attempt that was stopped records nothing, those to which they went before, back to that of the last message that was
/// recorded. A dialog never opens again, so this message can't be in an earlier one. An equal text there would prove nothing. But later
/// messages may have been recorded before an operator resent this one, so then all known dialogs count.
fn candidates(uncertain: &UncertainOutcome, consumer: &Consumer, last: Option<&InboundReceipt>) -> Vec<DialogRef> {
    let main = DialogRef::main_of;
    let before = match &consumer.conversation {
        Conversation::None => None,
        Conversation::Opening { previous, .. } => previous.as_ref().map(main),
        // The survey may have begun since.
        Conversation::Open { id, .. } | Conversation::Closed { id, .. } => Some(main(id)),
    };
    let latest_first =
        consumer.active_dialog().into_iter().chain(consumer.earlier_dialogs.iter().cloned()).chain(before);
    let is_last = |dialog: &DialogRef| last.is_some_and(|last| last.dialog == dialog.dialog);
    let mut since_last = vec![];
    for dialog in latest_first {
        let ends = is_last(&dialog) && !uncertain.is_resent();
        since_last.push(dialog);
        if ends {
            break;
        }
    }
    // Use the dialog's id for a conversation that isn't known any more. It is only logged.
    let last = last.and_then(|last| {
        let conversation = ConversationId::new(last.dialog.as_str()).ok()?;
        Some(DialogRef { conversation, dialog: last.dialog.clone() })
    });
    let mut dialogs: Vec<DialogRef> = vec![];
    for dialog in uncertain.dialogs.iter().cloned().chain(since_last).chain(last) {
        if dialogs.iter().all(|known| known.dialog != dialog.dialog) {
            dialogs.push(dialog);
        }
    }
    dialogs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{delivery::ConsumerRef, id::LineId};
    use connector_channels::id::{ChannelUserId, ProviderMessageId};
    use connector_liveengage::id::{AccountId, DialogId, Sequence};

    #[test]
    fn every_dialog_that_it_can_have_gone_to_is_looked_at_once() {
        let id = |name: &str| ConversationId::new(name).unwrap();
        let dialog = |name: &str| DialogId::new(name).unwrap();
        let (line, user) = (LineId::new("sms-main").unwrap(), ChannelUserId::new("+4915112345678").unwrap());
        let account = AccountId::new("72419083").unwrap();
        let mut consumer = Consumer::new(line.clone(), user.clone(), account.clone());
        let dialogs = |consumer: &Consumer, recorded: &[DialogRef], last: Option<&InboundReceipt>| {
            let uncertain = UncertainOutcome { dialogs: recorded.to_vec(), ..UncertainOutcome::default() };
            let places = candidates(&uncertain, consumer, last);
            places.iter().map(|place| place.dialog.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(dialogs(&consumer, &[], None), Vec::<String>::new());
        consumer.attach(&id("c1"), Timestamp::UNIX_EPOCH);
        let recorded = [DialogRef { conversation: id("c0"), dialog: dialog("c0") }];
        assert_eq!(dialogs(&consumer, &recorded, None), ["c0", "c1"]);
        consumer.apply_opened(&id("c1"), Some(&dialog("s1")), Timestamp::from_second(1).ok());
        assert_eq!(dialogs(&consumer, &[], None), ["s1", "c1"], "the survey has begun since");
        consumer.apply_closed(&id("c1"), Timestamp::from_second(2).ok());
        consumer.apply_opened(&id("c2"), None, Timestamp::from_second(3).ok());
        assert_eq!(dialogs(&consumer, &[], None), ["c2", "s1", "c1"], "another conversation was opened since");
        consumer.apply_closed(&id("c2"), Timestamp::from_second(4).ok());
        let receipt = InboundReceipt {
            account,
            dialog: dialog("s0"),
            sequence: Sequence(1),
            consumer: ConsumerRef { line, user },
            id: ProviderMessageId::new("mo-1").unwrap(),
            at: Timestamp::UNIX_EPOCH,
            by_position: false,
        };
        assert_eq!(dialogs(&consumer, &[], Some(&receipt)), ["c2", "s1", "c1", "s0"], "all of it has ended since");
        let in_survey = InboundReceipt { dialog: dialog("s1"), ..receipt };
        assert_eq!(
            dialogs(&consumer, &[], Some(&in_survey)),
            ["c2", "s1"],
            "an equal text before the last one proves nothing"
        );
        let resent = UncertainOutcome { accepted: 1, ..UncertainOutcome::default() };
        let places = candidates(&resent, &consumer, Some(&in_survey));
        assert_eq!(places.len(), 3, "the last one may have been written after it");
    }
}
