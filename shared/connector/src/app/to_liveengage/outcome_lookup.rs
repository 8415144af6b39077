//! Looks up whether an earlier attempt has published an event although it got no answer.
//!
//! A consumer's messages are delivered one after the other, and each records its number in the dialog at its end. So an echo with a number
//! after the last recorded one, which came after the message itself and has the content to be sent now, can only be that of an earlier
//! attempt at it. Two equal texts in a row are never confused.
//!
//! An echo before the last recorded number can be its, too: a later message may have been recorded between two attempts, because an operator
//! has resent one of them, or because a batch was sorted by the channel's time, and its worker was stopped. It can also be that of an equal
//! text. Then the message is neither sent again nor dropped, and its sender is told.

use jiff::{SignedDuration, Timestamp};

use super::{content::EventDelivery, publishing::Published};
use crate::{
    app::{echo, error::DeliveryError, policy::ENVIRONMENTS_DIFFER},
    domain::{
        conversation::{Consumer, Conversation},
        receipt::{Echo, InboundReceipt},
    },
    log_event,
};
use connector_liveengage::{
    id::ConversationId,
    messaging::{DialogRef, Event},
};

/// What the echoes show about an event that an earlier attempt may have published.
enum Lookup {
    /// No earlier attempt can have published it, or it has no echo.
    Certain,
    /// An earlier attempt has published it here.
    Published(Published),
    /// There is an echo of it or of an equal text.
    PossiblyPublished,
    /// There is no echo. `can_be`: whether it can have been published at all.
    NotFound { can_be: bool },
}

impl EventDelivery<'_, '_> {
    /// Returns where an earlier attempt has published this event, if the outcome is uncertain and LiveEngage's echo resolves it. `at` is
    /// the dialog of an event that can have gone to one dialog only.
    ///
    /// # Errors
    /// [`DeliveryError::Uncertain`] if there is no proof, and the line doesn't resend then. Also if an echo may be its or that of an equal
    /// text.
    pub(super) async fn published_before(
        &mut self,
        event: &Event<'_>,
        at: Option<&DialogRef>,
    ) -> Result<Option<Published>, DeliveryError> {
        let lookup = self.look_up(event, at).await?;
        let uncertain = self.delivery.uncertain();
        match lookup {
            Lookup::Certain => Ok(None),
            Lookup::Published(published) => Ok(Some(published)),
            Lookup::NotFound { can_be } if !can_be || self.settings.on_uncertain.repeats(uncertain) => Ok(None),
            Lookup::NotFound { .. } | Lookup::PossiblyPublished => Err(DeliveryError::Uncertain),
        }
    }

    /// Whether LiveEngage's echo shows that an earlier attempt has published this text, or may have, although this attempt would publish
    /// something else: what a text is can change until its first step is recorded.
    ///
    /// # Errors
    /// [`DeliveryError::Store`].
    pub(super) async fn may_be_published(&mut self, event: &Event<'_>) -> Result<bool, DeliveryError> {
        Ok(matches!(self.look_up(event, None).await?, Lookup::Published(_) | Lookup::PossiblyPublished))
    }

    async fn look_up(&mut self, event: &Event<'_>, at: Option<&DialogRef>) -> Result<Lookup, DeliveryError> {
        let uncertain = self.delivery.uncertain().clone();
        let (true, Some(digest)) = (uncertain.exists(), echo::of_event(event)) else { return Ok(Lookup::Certain) };
        let (ledger, account) = (&self.worker.ledger, &self.settings.account);
        let written_at = self.delivery.written_at();
        let last = ledger.last_inbound(&self.session.consumer).await?.filter(|last| last.account == *account);
        let mut can_be = true;
        let candidates = match at {
            Some(dialog) => vec![Candidate { dialog: dialog.clone(), is_before_last: false }],
            None => {
                let consumer = self.session.record().await?;
                can_be = can_have_published(&uncertain.dialogs, consumer, written_at);
                candidates(&uncertain.dialogs, consumer, last.as_ref())
            }
        };
        let (mut may_be_its, is_resent) = (false, uncertain.is_resent());
        for Candidate { dialog, is_before_last } in candidates {
            let noted = last.as_ref().filter(|last| last.dialog == dialog.dialog).map(|last| last.sequence);
            let is_alike =
                |echo: &Echo| echo.digest == digest && echo.at.duration_since(written_at) >= -ENVIRONMENTS_DIFFER;
            let is_proof = |echo: &Echo| match noted {
                Some(noted) => echo.sequence > noted,
                None => last.is_none() || !(is_before_last || is_resent),
            };
            let echoes = ledger.echoes(account, &dialog.dialog).await?;
            let (proof, other): (Vec<_>, Vec<_>) =
                echoes.into_iter().filter(is_alike).filter(|echo| noted != Some(echo.sequence)).partition(is_proof);
            if let Some(echo) = proof.into_iter().next() {
                let (line, conversation) = (&self.session.consumer.line, &dialog.conversation);
                log_event!(MESSAGE_FOUND_PUBLISHED, correlation = %self.correlation, %line, %conversation);
                return Ok(Lookup::Published(Published { dialog, sequence: Some(echo.sequence) }));
            }
            may_be_its |= !other.is_empty();
        }
        Ok(if may_be_its && can_be { Lookup::PossiblyPublished } else { Lookup::NotFound { can_be } })
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

/// A dialog in which an attempt may have published.
struct Candidate {
    dialog: DialogRef,
    /// Whether the consumer's messages went there before they went to the dialog of the last one that was recorded.
    is_before_last: bool,
}

/// Returns the dialogs in which an attempt may have published: those that it recorded, and, because an attempt that was stopped records
/// nothing, the one to which the consumer's messages go now, and those to which they went before. A dialog never opens again.
fn candidates(recorded: &[DialogRef], consumer: &Consumer, last: Option<&InboundReceipt>) -> Vec<Candidate> {
    let main = DialogRef::main_of;
    let before = match &consumer.conversation {
        Conversation::None => None,
        Conversation::Opening { previous, .. } => previous.as_ref().map(main),
        // The survey may have begun since.
        Conversation::Open { id, .. } | Conversation::Closed { id, .. } => Some(main(id)),
    };
    let latest_first =
        consumer.active_dialog().into_iter().chain(consumer.earlier_dialogs.iter().cloned()).chain(before);
    // Use the dialog's id for a conversation that isn't known any more. It is only logged.
    let of_last = last.and_then(|last| {
        let conversation = ConversationId::new(last.dialog.as_str()).ok()?;
        Some(DialogRef { conversation, dialog: last.dialog.clone() })
    });
    let mut known: Vec<Candidate> = vec![];
    let mut add = |dialog: DialogRef, is_before_last| {
        if known.iter().all(|other| other.dialog.dialog != dialog.dialog) {
            known.push(Candidate { dialog, is_before_last });
        }
    };
    let mut is_before_last = false;
    for dialog in latest_first {
        let is_last = last.is_some_and(|last| last.dialog == dialog.dialog);
        add(dialog, is_before_last);
        is_before_last |= is_last;
    }
    of_last.into_iter().for_each(|dialog| add(dialog, false));
    // One that is not known any more is older than those that are.
    recorded.iter().cloned().for_each(|dialog| add(dialog, last.is_some()));
    // Look first where an attempt was about to publish.
    known.sort_by_key(|candidate| !recorded.iter().any(|dialog| dialog.dialog == candidate.dialog.dialog));
    known
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
            let name = |Candidate { dialog, is_before_last }: Candidate| {
                format!("{}{}", dialog.dialog.as_str(), if is_before_last { " before" } else { "" })
            };
            candidates(recorded, consumer, last).into_iter().map(name).collect::<Vec<_>>()
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
        let recorded = ["c1", "s1", "c0"].map(|name| DialogRef { conversation: id(name), dialog: dialog(name) });
        let in_last = InboundReceipt { dialog: dialog("c2"), ..receipt.clone() };
        assert_eq!(
            dialogs(&consumer, &recorded, Some(&in_last)),
            ["s1 before", "c1 before", "c0 before", "c2"],
            "where it was about to go is no proof if others were recorded in a later dialog"
        );
        let in_survey = InboundReceipt { dialog: dialog("s1"), ..receipt };
        assert_eq!(
            dialogs(&consumer, &[], Some(&in_survey)),
            ["c2", "s1", "c1 before"],
            "it may be there, and an equal text there would prove nothing"
        );
    }
}
