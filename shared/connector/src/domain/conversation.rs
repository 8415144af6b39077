//! A consumer and the state of their conversation: a versioned record with pure transitions.
//!
//! The store saves a record only over the version that was read, so every transition here is one conditional write there. `NONE -> OPENING
//! -> OPEN -> CLOSED -> OPENING ...`: OPENING is a lease, because opening takes several calls and can be stopped between them.

use jiff::{SignedDuration, Timestamp};

use super::{
    id::{LineId, Owner},
    menu::Menu,
};
use connector_channels::id::{ChannelUserId, ProviderMessageId};
use connector_liveengage::id::{AccountId, ConversationId, DialogId, Sequence};
use connector_liveengage::{identity::Identity, messaging::DialogRef};

mod unconfirmed;

pub use unconfirmed::UnconfirmedConversation;

/// The shortest time between two `COMPOSING` events of a consumer.
pub const COMPOSING_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// How long a consumer counts as typing if no more typing events come. Channels repeat them every few seconds.
pub const COMPOSING_FOR: SignedDuration = SignedDuration::from_secs(10);

/// How many earlier dialogs of a consumer are known. An attempt that was stopped may have published in one of them.
pub const EARLIER_DIALOGS: usize = 4;

/// A consumer on a line, with their identity at LivePerson.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// The line they write to.
    pub line: LineId,
    /// Their id on the channel.
    pub user: ChannelUserId,
    /// The line's account.
    pub account: AccountId,
    /// Their identity at LivePerson, once it was requested.
    pub identity: Option<Identity>,
    /// The current conversation.
    pub conversation: Conversation,
    /// The dialogs to which the consumer's messages went before the current one, the latest first. At most [`EARLIER_DIALOGS`].
    pub earlier_dialogs: Vec<DialogRef>,
    /// The choices that the brand's last message offers.
    pub menu: Option<Menu>,
    /// Set while LiveEngage shows the consumer as typing.
    pub composing: Option<Composing>,
    /// A digest of the profile that LiveEngage last received.
    pub profile: Option<String>,
    /// The connector's open question about a conversation that has ended.
    pub satisfaction: Option<AskedSatisfaction>,
    /// The number of conversations that were opened for one message.
    pub openings: Option<Openings>,
    /// Since when LiveEngage has rejected a new conversation because one is open, while this record has none.
    pub contradicted_since: Option<Timestamp>,
    /// A conversation that a notification reports as open, and that looks older than the current one.
    pub unconfirmed: Option<UnconfirmedConversation>,
    /// How often this record was saved. 0: never. The store writes only over the version that was read.
    pub version: u64,
}

/// How many conversations a message may open. The first one may have been closed between opening it and sending.
pub const MOST_OPENINGS: u32 = 2;

/// How long openings are counted. A message that an operator resends later starts at zero.
pub const OPENINGS_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Counts the conversations that were opened for a message, so that conversations that close at once aren't opened endlessly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Openings {
    /// The message, as a digest.
    pub message: String,
    /// How many the connector has opened.
    pub count: u32,
    /// How often SEND has answered that the conversation is closed, including conversations that the connector did not open.
    pub closed: u32,
    /// When the first one was counted.
    pub since: Timestamp,
}

impl Openings {
    fn is_of(&self, message: &str, now: Timestamp) -> bool {
        self.message == message && now.duration_since(self.since) < OPENINGS_FOR
    }
}

/// Typing that LiveEngage shows. Sending the text doesn't end it at LiveEngage, so the connector must end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composing {
    /// The channel's typing event.
    pub event: ProviderMessageId,
    /// Since when.
    pub since: Timestamp,
}

/// A satisfaction question and its answers so far, for accounts without LiveEngage's own surveys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedSatisfaction {
    /// The conversation that it is about.
    pub conversation: ConversationId,
    /// When it was asked. A text from before is not an answer.
    pub asked_at: Timestamp,
    /// Until when a text counts as an answer.
    pub until: Timestamp,
    /// The rate from 1 to 5, once it was given, while the second question is open.
    pub rate: Option<u8>,
}

/// The state of a consumer's conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conversation {
    /// There was none yet, or opening one failed permanently.
    None,
    /// A worker is opening one.
    Opening {
        /// Who.
        owner: Owner,
        /// Until when its lease lasts. After that another worker may take over.
        until: Timestamp,
        /// The conversation before it. A late notification of it must not be taken for the new one.
        previous: Option<ConversationId>,
    },
    /// Texts go to this conversation.
    Open {
        /// The conversation.
        id: ConversationId,
        /// The time of the last notification (LiveEngage's `metaDataLastUpdateTs`), or when the connector opened it. `None` is before
        /// every time: it was opened by a notification without a time.
        as_of: Option<Timestamp>,
        /// The dialog of the survey while one is open. Then texts go there, and the main dialog is closed.
        survey: Option<DialogId>,
    },
    /// The last conversation has ended. The next text opens another one.
    Closed {
        /// The conversation that ended.
        id: ConversationId,
        /// LiveEngage's time of the notification. `None` is before every time.
        as_of: Option<Timestamp>,
    },
}

/// The result of [`Consumer::reserve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenLease {
    /// The caller must save the record and then open one.
    Reserved,
    /// One is open.
    Open(ConversationId),
    /// Another worker is opening one.
    Busy {
        /// When its lease ends at the latest.
        until: Timestamp,
    },
}

/// The result of a transition that may leave the record unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// The record has changed and must be saved.
    Changed,
    /// Nothing to save.
    Unchanged,
}

impl Consumer {
    /// Creates the record of a new consumer.
    pub fn new(line: LineId, user: ChannelUserId, account: AccountId) -> Self {
        Self {
            line,
            user,
            account,
            identity: None,
            conversation: Conversation::None,
            earlier_dialogs: vec![],
            menu: None,
            composing: None,
            profile: None,
            satisfaction: None,
            openings: None,
            contradicted_since: None,
            unconfirmed: None,
            version: 0,
        }
    }

    /// The line feeds another account from now on: what the old account knew of the person is of no use there.
    pub fn move_to(&mut self, account: &AccountId) {
        if self.account != *account {
            *self = Self { version: self.version, ..Self::new(self.line.clone(), self.user.clone(), account.clone()) };
        }
    }

    /// Replaces the menu by that of the brand's newest message, or by none if it offers no choices. `sequence` decides which message of a
    /// dialog is newer.
    pub fn offer(&mut self, dialog: &DialogRef, sequence: Option<Sequence>, menu: Option<Menu>) -> Mutation {
        if self.open_conversation() != Some(&dialog.conversation) {
            return Mutation::Unchanged;
        }
        let older = self.menu.as_ref().is_some_and(|known| {
            (&known.conversation, &known.dialog) == (&dialog.conversation, &dialog.dialog)
                && sequence.is_some_and(|sequence| sequence < known.sequence)
        });
        if older || self.menu == menu {
            return Mutation::Unchanged;
        }
        self.menu = menu;
        Mutation::Changed
    }

    /// Returns the open conversation.
    pub fn open_conversation(&self) -> Option<&ConversationId> {
        match &self.conversation {
            Conversation::Open { id, .. } => Some(id),
            Conversation::None | Conversation::Opening { .. } | Conversation::Closed { .. } => None,
        }
    }

    /// Returns the dialog of the open survey.
    pub fn survey(&self) -> Option<&DialogId> {
        match &self.conversation {
            Conversation::Open { survey, .. } => survey.as_ref(),
            Conversation::None | Conversation::Opening { .. } | Conversation::Closed { .. } => None,
        }
    }

    /// Returns the dialog for the consumer's messages: the open survey's, otherwise the main dialog of the open conversation.
    pub fn active_dialog(&self) -> Option<DialogRef> {
        let conversation = self.open_conversation()?;
        let main = DialogRef::main_of(conversation);
        Some(match self.survey() {
            Some(survey) => DialogRef { dialog: survey.clone(), ..main },
            None => main,
        })
    }

    /// Takes the lease on opening a conversation, unless one is open or another worker holds the lease at `now`.
    pub fn reserve(&mut self, owner: &Owner, now: Timestamp, until: Timestamp) -> OpenLease {
        let previous = match &self.conversation {
            Conversation::Open { id, .. } => return OpenLease::Open(id.clone()),
            Conversation::Opening { owner: holder, until, .. } if holder != owner && *until > now => {
                return OpenLease::Busy { until: *until };
            }
            Conversation::Opening { previous, .. } => previous.clone(),
            Conversation::Closed { id, .. } => Some(id.clone()),
            Conversation::None => None,
        };
        self.replace(Conversation::Opening { owner: owner.clone(), until, previous });
        OpenLease::Reserved
    }

    /// Records the conversation that LiveEngage opened on our call, which was made at `opened_at`. A webhook may have been faster, and
    /// another worker may have taken over an expired lease, so a newer state of another conversation stays.
    pub fn attach(&mut self, id: &ConversationId, opened_at: Timestamp) -> Mutation {
        match &self.conversation {
            Conversation::Open { id: known, .. } | Conversation::Closed { id: known, .. } if known == id => {
                Mutation::Unchanged
            }
            Conversation::Open { as_of, .. } | Conversation::Closed { as_of, .. } if *as_of > Some(opened_at) => {
                Mutation::Unchanged
            }
            Conversation::Opening { previous: Some(known), .. } if known == id => Mutation::Unchanged,
            _ => {
                self.open(id, Some(opened_at), None);
                Mutation::Changed
            }
        }
    }

    /// Counts a conversation that was opened for this message.
    pub fn count_opening(&mut self, message: &str, now: Timestamp) {
        self.openings_of(message, now).count += 1;
    }

    /// Counts that SEND has found this message's conversation closed.
    pub fn count_closed(&mut self, message: &str, now: Timestamp) {
        self.openings_of(message, now).closed += 1;
    }

    fn openings_of(&mut self, message: &str, now: Timestamp) -> &mut Openings {
        let known = self.openings.take().filter(|openings| openings.is_of(message, now));
        let none = || Openings { message: message.to_owned(), count: 0, closed: 0, since: now };
        self.openings.insert(known.unwrap_or_else(none))
    }

    /// Returns how many conversations of this message were closed at once, if it may open no more. The first one that SEND finds closed is
    /// an earlier one and doesn't count.
    pub fn closed_at_once(&self, message: &str, now: Timestamp) -> Option<u32> {
        let openings = self.openings.as_ref().filter(|openings| openings.is_of(message, now))?;
        let closed = openings.count.max(openings.closed.saturating_sub(1));
        (closed >= MOST_OPENINGS).then_some(closed)
    }

    /// Returns the conversation before the one that is being opened.
    pub fn previous_conversation(&self) -> Option<&ConversationId> {
        match &self.conversation {
            Conversation::Opening { previous, .. } => previous.as_ref(),
            Conversation::None | Conversation::Open { .. } | Conversation::Closed { .. } => None,
        }
    }

    /// Applies that an agent or a bot has sent a message in this dialog at `at`. If it is not the main dialog, a survey is open there, even
    /// if LiveEngage's notification of it hasn't come yet.
    pub fn apply_message(
        &mut self,
        conversation: &ConversationId,
        dialog: &DialogId,
        at: Option<Timestamp>,
    ) -> Mutation {
        let is_current = match &self.conversation {
            Conversation::Open { id, .. } | Conversation::Closed { id, .. } => id == conversation,
            Conversation::Opening { previous, .. } => previous.as_ref() == Some(conversation),
            Conversation::None => false,
        };
        if !is_current || *dialog == DialogId::main_of(conversation) || self.survey() == Some(dialog) {
            return Mutation::Unchanged;
        }
        self.apply_opened(conversation, Some(dialog), at)
    }

    /// Opens a conversation in the record, and clears what belongs to the one before.
    fn open(&mut self, id: &ConversationId, as_of: Option<Timestamp>, survey: Option<&DialogId>) {
        if self.open_conversation() != Some(id) {
            self.composing = None;
            self.profile = None;
            self.satisfaction = None;
        }
        self.contradicted_since = None;
        self.unconfirmed = None;
        self.replace(Conversation::Open { id: id.clone(), as_of, survey: survey.cloned() });
    }

    /// Replaces the state of the conversation, and remembers the dialog that this leaves.
    fn replace(&mut self, conversation: Conversation) {
        let left = self.active_dialog();
        self.conversation = conversation;
        if let Some(left) = left.filter(|left| self.active_dialog().as_ref() != Some(left)) {
            self.earlier_dialogs.retain(|known| *known != left);
            self.earlier_dialogs.insert(0, left);
            self.earlier_dialogs.truncate(EARLIER_DIALOGS);
        }
    }

    /// Releases the lease after opening failed, so that the next attempt needn't wait until it expires.
    pub fn give_up(&mut self, owner: &Owner) -> Mutation {
        match &self.conversation {
            Conversation::Opening { owner: holder, previous, .. } if holder == owner => {
                self.conversation = match previous {
                    Some(id) => Conversation::Closed { id: id.clone(), as_of: None },
                    None => Conversation::None,
                };
                Mutation::Changed
            }
            _ => Mutation::Unchanged,
        }
    }

    /// Applies a webhook's notification that `id` is open, as of LiveEngage's time `as_of`, and whether a survey's dialog is open in it.
    /// This recovers an opened conversation if the worker was stopped before it could attach it, or if LiveEngage answered "already has
    /// open conversation".
    pub fn apply_opened(
        &mut self,
        id: &ConversationId,
        survey: Option<&DialogId>,
        as_of: Option<Timestamp>,
    ) -> Mutation {
        match &self.conversation {
            // A conversation never opens again, so this notification is late. But if the record has it as closed because its main dialog
            // was, the survey is new.
            Conversation::Closed { id: known, as_of: seen } if known == id && (survey.is_none() || *seen >= as_of) => {
                return Mutation::Unchanged;
            }
            Conversation::Opening { previous: Some(known), .. } if known == id && survey.is_none() => {
                return Mutation::Unchanged;
            }
            // `seen` may be a time of our own clock, from when we opened it. So a survey that begins is accepted whatever its time.
            Conversation::Open { id: known, as_of: seen, survey: running }
                if known == id && *seen >= as_of && (running.is_some() || survey.is_none()) =>
            {
                return Mutation::Unchanged;
            }
            Conversation::Open { id: known, as_of: seen, .. } if known != id && *seen >= as_of => {
                return self.keep_unconfirmed(UnconfirmedConversation {
                    id: id.clone(),
                    survey: survey.cloned(),
                    as_of,
                });
            }
            // Not `>=`: a notification without a time, as older documentation shows it, must be able to open a new one.
            Conversation::Closed { id: known, as_of: seen } if known != id && *seen > as_of => {
                return self.keep_unconfirmed(UnconfirmedConversation {
                    id: id.clone(),
                    survey: survey.cloned(),
                    as_of,
                });
            }
            _ => {}
        }
        let as_of = match &self.conversation {
            Conversation::Open { id: known, as_of: seen, .. } if known == id => as_of.max(*seen),
            _ => as_of,
        };
        self.open(id, as_of, survey);
        Mutation::Changed
    }

    /// Applies the Send API's answer that this dialog is closed. It changes nothing if texts go to another dialog by now, because a survey
    /// has begun in the meantime. The answer has no time, so a later notification of a survey in the same conversation still counts.
    pub fn found_closed(&mut self, dialog: &DialogRef) -> Mutation {
        if self.active_dialog().as_ref() != Some(dialog) {
            return Mutation::Unchanged;
        }
        match &self.conversation {
            Conversation::Open { as_of, .. } => {
                let as_of = *as_of;
                self.apply_closed(&dialog.conversation, as_of)
            }
            Conversation::None | Conversation::Opening { .. } | Conversation::Closed { .. } => Mutation::Unchanged,
        }
    }

    /// Whether a `COMPOSING` may be sent at `now`: at most one in [`COMPOSING_EVERY`].
    pub fn may_compose(&self, now: Timestamp) -> bool {
        self.composing.as_ref().is_none_or(|composing| now.duration_since(composing.since) >= COMPOSING_EVERY)
    }

    /// Applies a webhook's notification that `id` has ended.
    pub fn apply_closed(&mut self, id: &ConversationId, as_of: Option<Timestamp>) -> Mutation {
        match &self.conversation {
            Conversation::Open { id: known, .. } if known == id => {
                self.replace(Conversation::Closed { id: id.clone(), as_of });
                Mutation::Changed
            }
            _ => self.drop_unconfirmed(id),
        }
    }
}

#[cfg(test)]
mod tests;
