//! A message's way through a worker: what names it, who works on it, and which steps are done.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::{
    AccountId, CallReference, ChannelUserId, ConversationId, CorrelationId, DialogId, LineId, Owner, ProviderMessageId,
    Sequence,
};
use super::menu::Chosen;

/// Names one message for ever: the same webhook delivered again gives the same key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum MessageKey {
    /// A consumer's event.
    FromChannel {
        /// The line.
        line: LineId,
        /// A digest over line, person, the channel's id and the part: one gateway's id may stand for several people's messages, and
        /// may look like that of a part. Of a message that an older version queued, the channel's id itself.
        name: String,
    },
    /// An event of LiveEngage, by its place in the dialog: numbers are per dialog.
    FromLiveEngage {
        /// The account.
        account: AccountId,
        /// The dialog.
        dialog: DialogId,
        /// The order number.
        sequence: Sequence,
    },
    /// Anything else, by a SHA-256 of its bytes, in hex.
    ByDigest {
        /// The digest.
        digest: String,
    },
}

/// Where a consumer's record is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConsumerRef {
    /// The line.
    pub line: LineId,
    /// The person.
    pub user: ChannelUserId,
}

/// Whose a conversation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConversationOwner {
    /// A consumer of this connector.
    Ours(ConsumerRef),
    /// A consumer of this connector, and it is not the id of a conversation but of a survey's dialog in this one: notifications may
    /// name the dialog alone.
    OurSurvey(ConsumerRef, ConversationId),
    /// Another channel's: an account's webhooks carry every conversation of the account.
    Foreign,
    /// Taken for another channel's, because nothing told for minutes that it is ours. News of the conversation may still tell.
    PresumedForeign,
}

/// A step of a message that is done: one part of a text sent, with the other side's id for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What the other side calls it: the channel's message id, or LiveEngage's sequence.
    pub reference: Option<String>,
    /// What the person chose, where this step has told LiveEngage so: the menu may be gone at the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::menu::stored::chosen")]
    pub chosen: Option<Chosen>,
    /// Whether it only brought a file to the other side: the message with it is a step of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub upload: bool,
    /// What was decided with it, as JSON: a later attempt must not decide otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<StepData>,
}

/// A decision of an attempt, as JSON. `Debug` hides it: it can hold a caption.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepData(String);

impl StepData {
    /// Notes a decision.
    pub fn note(decision: &impl Serialize) -> Option<Self> {
        serde_json::to_string(decision).ok().map(Self)
    }

    /// Reads it again; `None` for one of another kind.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.0).ok()
    }
}

impl std::fmt::Debug for StepData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StepData(hidden)")
    }
}

impl Step {
    /// A step with nothing but the other side's name for it.
    pub fn done(reference: Option<String>) -> Self {
        Self { reference, chosen: None, upload: false, decided: None }
    }
}

/// Which message is which on the other side. Written in the same transaction as the step that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerEntry {
    /// A message that a person was shown.
    OutboundReceipt(OutboundReceipt),
    /// A message that LiveEngage was told.
    InboundReceipt(InboundReceipt),
}

/// What a message that a person was shown is found by when the channel reports on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptName {
    /// The channel's id.
    Id(ProviderMessageId),
    /// Our own name for the call, where the channel's answer had no id, or broke off before it.
    Reference(CallReference),
}

impl ReceiptName {
    /// As text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Id(id) => id.as_str(),
            Self::Reference(reference) => reference.as_str(),
        }
    }
}

/// A message that a channel took for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundReceipt {
    /// The line.
    pub line: LineId,
    /// What it is found by.
    #[serde(flatten)]
    pub name: ReceiptName,
    /// Whom it was for.
    pub user: ChannelUserId,
    /// What it is at LiveEngage; `None` for the connector's own notices.
    pub place: Option<MessagePosition>,
    /// Which part of the message it is, from 0.
    #[serde(default)]
    pub part: usize,
    /// Whether it is the last part: a long text has arrived with that one, unless another part has failed.
    pub last: bool,
    /// The highest rank that LiveEngage was told of it ([`super::message::ReportedStatus::rank`]), 0 for nothing.
    #[serde(default)]
    pub rank: u8,
    /// What follows the message through the logs, so that what the channel reports is found there, too.
    #[serde(default)]
    pub correlation: Option<CorrelationId>,
    /// When it was shown.
    pub at: Timestamp,
}

/// Where a message stands in LiveEngage.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MessagePosition {
    /// The conversation.
    pub conversation: ConversationId,
    /// The dialog.
    pub dialog: DialogId,
    /// The order number.
    pub sequence: Sequence,
}

/// A message of a person that LiveEngage took.
///
/// The last one is found by the person: when an agent types, and when it is in doubt whether the next one was published. Where the
/// channel shows what was read, each is found by its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundReceipt {
    /// The account.
    pub account: AccountId,
    /// The dialog.
    pub dialog: DialogId,
    /// The order number.
    pub sequence: Sequence,
    /// Who wrote it.
    pub consumer: ConsumerRef,
    /// The channel's id.
    pub id: ProviderMessageId,
    /// When it was told.
    pub at: Timestamp,
    /// Whether it must be found by its place: the channel can show that an agent has read it.
    #[serde(default)]
    pub by_position: bool,
}

/// The echo of a consumer's own message in LiveEngage's webhooks: the proof that it was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// Its order number in the dialog.
    pub sequence: Sequence,
    /// What it says, as a digest.
    pub digest: String,
    /// When the connector heard of it.
    pub at: Timestamp,
}

/// A call that a channel has accepted, as its report tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedCall {
    /// The channel's id of the message, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ProviderMessageId>,
}

/// A dialog of LiveEngage.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DialogRef {
    /// The conversation.
    pub conversation: ConversationId,
    /// The dialog.
    pub dialog: DialogId,
}

/// What earlier attempts have left open: whether the step that comes next has been done by one of them already. A call without an
/// answer leaves it open, and so does an attempt that died.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UncertainOutcome {
    /// How many attempts have left it open; 0 for no doubt.
    pub attempts: u32,
    /// How many of them, since an operator decided, were answered in a way that hardly ever comes after the message was carried out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unlikely: u32,
    /// Where they were about to publish, as far as it is known: an attempt that died has told nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<DialogRef>,
    /// How many of them an operator knew of who had the parked message sent again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub decided: u32,
    /// How many steps were noted when it was left open; `None` where that is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How likely it is that a call was carried out although it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarriedOut {
    /// As likely as not: no answer came, or one of a server that broke down.
    Perhaps,
    /// Hardly: the answer says that the request was not even begun (503, 408). Proxies give it after they have passed a request on, too.
    Hardly,
}

impl UncertainOutcome {
    /// The most attempts that are left open, in whatever setting: a receiver that carries everything out and always answers otherwise gets
    /// so many copies at the most.
    pub const MOST_OPEN: u32 = 10;

    /// The most places that are kept: each was an attempt that a new conversation came after.
    const MOST_PLACES: usize = 8;

    /// None about the step that comes after so many.
    pub fn none_after(steps: usize) -> Self {
        Self { steps: Some(steps), ..Self::default() }
    }

    /// What is left of it when so many steps are noted. A step can be noted although the table's answer to that was lost: then it was
    /// in no doubt after all, and the next one is not.
    #[must_use]
    pub fn after(self, steps: usize) -> Self {
        if self.steps.is_some_and(|known| known != steps) { Self::default() } else { self }
    }

    /// Whether there is a doubt.
    pub const fn exists(&self) -> bool {
        self.attempts > 0
    }

    /// The same, for a message that is parked now: if it is begun again, then because an operator wants it repeated.
    #[must_use]
    pub fn parked(&self) -> Self {
        Self { decided: self.attempts, unlikely: 0, ..self.clone() }
    }

    /// One more attempt has left it open, publishing here if that is known.
    pub fn add(&mut self, carried_out: CarriedOut, place: Option<DialogRef>) {
        self.attempts = self.attempts.saturating_add(1);
        self.unlikely = self.unlikely.saturating_add(u32::from(carried_out == CarriedOut::Hardly));
        if let Some(place) = place
            && !self.places.contains(&place)
            && self.places.len() < Self::MOST_PLACES
        {
            self.places.push(place);
        }
    }
}

/// What a line does about a [`UncertainOutcome`] that the other side can't resolve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUncertain {
    /// Sends again, up to [`UncertainOutcome::MOST_OPEN`] times: rather twice than never.
    Repeat,
    /// Sends once more. If that is in doubt too, it parks the message and tells whoever wrote it. Attempts that were
    /// [hardly](CarriedOut::Hardly) carried out count only towards [`UncertainOutcome::MOST_OPEN`].
    #[default]
    RepeatOnce,
    /// Parks the message and tells whoever wrote it: rather never than twice, however unlikely.
    Park,
}

impl OnUncertain {
    /// Whether the message may be sent again.
    pub const fn repeats(self, uncertain: &UncertainOutcome) -> bool {
        let open = uncertain.attempts.saturating_sub(uncertain.decided);
        match self {
            Self::Repeat => open < UncertainOutcome::MOST_OPEN,
            Self::RepeatOnce => open < UncertainOutcome::MOST_OPEN && open.saturating_sub(uncertain.unlikely) <= 1,
            Self::Park => open == 0,
        }
    }
}

/// Answer to starting on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// The caller has the lease, and these steps are already done.
    Started {
        /// What earlier attempts have left open of the step after these.
        uncertain: UncertainOutcome,
        /// The steps, in order.
        steps: Vec<Step>,
        /// How often the message has been started, this time included. Waiting behind another one doesn't count.
        attempts: u32,
    },
    /// It was delivered or parked before.
    Done,
    /// Somebody else has the lease.
    Busy {
        /// Until when at the most.
        until: Timestamp,
    },
}

/// The right to work on a message until the function's deadline: a repeated invocation is another owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The message.
    pub message: MessageKey,
    /// Who holds it.
    pub owner: Owner,
}

/// A message that could not be delivered, kept for a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// When.
    pub at: Timestamp,
    /// Why, as a sentence without the message's text.
    pub reason: String,
    /// Whether the same message would fail in the same way again. Not known of what was parked before this was noted.
    #[serde(default)]
    pub permanent: bool,
    /// The line, where it is known.
    pub line: Option<LineId>,
    /// The conversation, where it is known.
    pub conversation: Option<ConversationId>,
    /// The queue message as it came, for sending it again: it holds the text.
    pub task: String,
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parked").field("at", &self.at).field("reason", &self.reason).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_repeats_in_doubt_as_often_as_it_says() {
        let mut uncertain = UncertainOutcome::default();
        for (attempts, once, park) in [(0, true, true), (1, true, false), (2, false, false)] {
            assert_eq!(uncertain.attempts, attempts);
            assert!(OnUncertain::Repeat.repeats(&uncertain));
            assert_eq!(OnUncertain::RepeatOnce.repeats(&uncertain), once, "{attempts}");
            assert_eq!(OnUncertain::Park.repeats(&uncertain), park, "{attempts}");
            uncertain.add(CarriedOut::Perhaps, None);
        }
        let mut parked = uncertain.parked();
        assert!(OnUncertain::Park.repeats(&parked), "an operator has decided");
        assert!(parked.exists(), "and proof still counts");
        parked.add(CarriedOut::Perhaps, None);
        assert!(!OnUncertain::Park.repeats(&parked), "for once");
    }

    #[test]
    fn a_503_is_asked_about_and_counts_towards_the_bound_of_every_setting_only() {
        let mut uncertain = UncertainOutcome::default();
        for open in 0..UncertainOutcome::MOST_OPEN {
            assert_eq!(uncertain.exists(), open > 0, "proof is looked for");
            assert!(OnUncertain::RepeatOnce.repeats(&uncertain), "{open}");
            assert_eq!(OnUncertain::Park.repeats(&uncertain), open == 0, "{open}");
            uncertain.add(CarriedOut::Hardly, None);
        }
        for setting in [OnUncertain::Repeat, OnUncertain::RepeatOnce, OnUncertain::Park] {
            assert!(!setting.repeats(&uncertain), "{setting:?}");
            assert!(setting.repeats(&uncertain.parked()), "{setting:?}: an operator has decided");
        }
    }

    #[test]
    fn a_503_does_not_use_up_the_one_repetition() {
        let mut uncertain = UncertainOutcome::default();
        uncertain.add(CarriedOut::Hardly, None);
        uncertain.add(CarriedOut::Perhaps, None);
        uncertain.add(CarriedOut::Hardly, None);
        assert!(OnUncertain::RepeatOnce.repeats(&uncertain));
        uncertain.add(CarriedOut::Perhaps, None);
        assert!(!OnUncertain::RepeatOnce.repeats(&uncertain));
    }

    #[test]
    fn a_doubt_stays_small_however_many_attempts_leave_it_open() {
        let mut uncertain = UncertainOutcome::default();
        let place = |n: u32| {
            let name = format!("c{n}");
            DialogRef { conversation: ConversationId::new(&name).unwrap(), dialog: DialogId::new(&name).unwrap() }
        };
        for n in 0..200 {
            uncertain.add(CarriedOut::Perhaps, Some(place(n)));
            uncertain.add(CarriedOut::Perhaps, Some(place(n)));
        }
        assert_eq!((uncertain.attempts, uncertain.places), (400, (0..8).map(place).collect::<Vec<_>>()));
    }
}
