//! A consumer and the state of their conversation: pure transitions over a versioned record.
//!
//! The store saves a record only over the version that was read, so every transition here is one conditional write there.
//! `NONE -> OPENING -> OPEN -> CLOSED -> OPENING ...`: OPENING is a lease, because opening takes calls that can die half-way.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    id::{
        AccountId, ChannelUserId, ConversationId, DialogId, ExtConsumerId, LineId, LpConsumerId, Owner,
        ProviderMessageId, Sequence,
    },
    menu::{Menu, stored},
};

/// How often at the most LiveEngage is told that the person is typing.
pub const COMPOSING_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// How long a person counts as typing when the channel says nothing more: channels repeat it every few seconds.
pub const COMPOSING_FOR: SignedDuration = SignedDuration::from_secs(10);

/// A person on a line, and what LiveEngage knows them by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// The line they write to.
    pub line: LineId,
    /// Who they are on the channel.
    pub user: ChannelUserId,
    /// The account that the line feeds.
    pub account: AccountId,
    /// Their identity at LivePerson, once it was asked for.
    pub identity: Option<Identity>,
    /// The current conversation.
    pub conversation: Conversation,
    /// What the brand's last message offered to choose.
    #[serde(default, with = "stored")]
    pub menu: Option<Menu>,
    /// That LiveEngage shows the person as typing, until it is told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composing: Option<Composing>,
    /// What LiveEngage was last told about the person, as a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What the connector has asked the person about a conversation that has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub satisfaction: Option<AskedSatisfaction>,
    /// The conversations that were opened for one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openings: Option<Openings>,
    /// Since when LiveEngage has said that an open conversation is in the way of a new one, while the record knows of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contradicted_since: Option<Timestamp>,
    /// How often this record was saved; 0 was never saved. The store writes only over the version that was read.
    pub version: u64,
}

/// How many conversations a message may open: the first one can have been closed in the moment between opening it and sending.
pub const MOST_OPENINGS: u32 = 2;

/// How long openings are counted: what an operator has sent again later begins anew.
pub const OPENINGS_FOR: SignedDuration = SignedDuration::from_hours(1);

/// How many conversations were opened for a message: one that closes at once must not be opened for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Openings {
    /// The message, as a digest.
    pub message: String,
    /// How many were opened by us.
    pub count: u32,
    /// How often SEND has said that the conversation is closed, whoever had opened it.
    #[serde(default)]
    pub closed: u32,
    /// When it was counted first.
    pub since: Timestamp,
}

impl Openings {
    fn is_of(&self, message: &str, now: Timestamp) -> bool {
        self.message == message && now.duration_since(self.since) < OPENINGS_FOR
    }
}

/// That a person is shown as typing: sending the text doesn't end it at LiveEngage, so it has to be ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Composing {
    /// The channel's event that said so.
    pub event: ProviderMessageId,
    /// Since when.
    pub since: Timestamp,
}

/// A question about how content the person was, and what has been answered. For accounts without LiveEngage's own surveys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedSatisfaction {
    /// The conversation that it is about.
    pub conversation: ConversationId,
    /// When it was asked: what was written before is no answer.
    #[serde(default)]
    pub asked_at: Timestamp,
    /// Until when an answer counts.
    pub until: Timestamp,
    /// The rate from 1 to 5, once it was given and the second question is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u8>,
}

/// What names a consumer at LivePerson. The token that proves it is kept beside it by the store, as a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Our name for them.
    pub ext_consumer_id: ExtConsumerId,
    /// LivePerson's name for them.
    pub lp_consumer_id: LpConsumerId,
    /// The ConsumerJWS: never expires, so it is asked for once (Connector API, Authorization page).
    pub token: ConsumerToken,
}

/// The ConsumerJWS of one consumer: whoever has it (and an AppJWT) can write in that person's name. No `Debug` of the value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConsumerToken(String);

impl ConsumerToken {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token, for the `X-LP-ON-BEHALF` header only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ConsumerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConsumerToken(hidden)")
    }
}

/// The state of a consumer's conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Conversation {
    /// There was none yet, or opening one failed for good.
    None,
    /// Somebody is opening one.
    Opening {
        /// Who.
        owner: Owner,
        /// Until when they may: after that anyone may take over.
        until: Timestamp,
        /// The conversation before it: late news of it must not be taken for the new one.
        previous: Option<ConversationId>,
    },
    /// Texts go here.
    Open {
        /// The conversation.
        id: ConversationId,
        /// The time of the last news: LiveEngage's `metaDataLastUpdateTs`, or when we opened it.
        as_of: Timestamp,
        /// The survey's dialog, while one is open: then texts belong there, and the main dialog is closed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        survey: Option<DialogId>,
    },
    /// The last conversation has ended; the next text opens another.
    Closed {
        /// The conversation that ended.
        id: ConversationId,
        /// LiveEngage's time of the news.
        as_of: Timestamp,
    },
}

/// Answer to [`Consumer::reserve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenLease {
    /// The caller is to open one, after saving the record.
    Reserved,
    /// There is one.
    Open(ConversationId),
    /// Somebody else is opening one.
    Busy {
        /// Until when at the most.
        until: Timestamp,
    },
}

/// Answer to the transitions that may leave the record as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// The record has changed and must be saved.
    Changed,
    /// Nothing to save.
    Unchanged,
}

impl Consumer {
    /// A person never seen before.
    pub fn new(line: LineId, user: ChannelUserId, account: AccountId) -> Self {
        Self {
            line,
            user,
            account,
            identity: None,
            conversation: Conversation::None,
            menu: None,
            composing: None,
            profile: None,
            satisfaction: None,
            openings: None,
            contradicted_since: None,
            version: 0,
        }
    }

    /// The line feeds another account from now on: what the old account knew of the person is of no use there.
    pub fn move_to(&mut self, account: &AccountId) {
        if self.account != *account {
            *self = Self { version: self.version, ..Self::new(self.line.clone(), self.user.clone(), account.clone()) };
        }
    }

    /// The brand's newest message, in this dialog of the open conversation, offers this, or nothing: an older menu is gone.
    /// Numbers tell which message is newer, in one dialog.
    pub fn offer(
        &mut self,
        (conversation, dialog): (&ConversationId, &DialogId),
        sequence: Option<Sequence>,
        menu: Option<Menu>,
    ) -> Mutation {
        if self.open_conversation() != Some(conversation) {
            return Mutation::Unchanged;
        }
        let older = self.menu.as_ref().is_some_and(|known| {
            (&known.conversation, &known.dialog) == (conversation, dialog)
                && sequence.is_some_and(|sequence| sequence < known.sequence)
        });
        if older || self.menu == menu {
            return Mutation::Unchanged;
        }
        self.menu = menu;
        Mutation::Changed
    }

    /// The open conversation, if there is one.
    pub fn open_conversation(&self) -> Option<&ConversationId> {
        match &self.conversation {
            Conversation::Open { id, .. } => Some(id),
            Conversation::None | Conversation::Opening { .. } | Conversation::Closed { .. } => None,
        }
    }

    /// The dialog of the survey that is open.
    pub fn survey(&self) -> Option<&DialogId> {
        match &self.conversation {
            Conversation::Open { survey, .. } => survey.as_ref(),
            Conversation::None | Conversation::Opening { .. } | Conversation::Closed { .. } => None,
        }
    }

    /// Where what the person says belongs: the open conversation, and in it the survey's dialog while there is one.
    pub fn active_dialog(&self) -> Option<(&ConversationId, DialogId)> {
        let conversation = self.open_conversation()?;
        Some((conversation, self.survey().cloned().unwrap_or_else(|| DialogId::main_of(conversation))))
    }

    /// Asks to open a conversation: takes the lease if there is none open and nobody else holds it at `now`.
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
        self.conversation = Conversation::Opening { owner: owner.clone(), until, previous };
        OpenLease::Reserved
    }

    /// Notes the conversation that LiveEngage opened on our call, which was made at `opened_at`. A webhook may have been
    /// faster, and somebody else may have taken over an expired lease and gone on: newer news of another conversation stays.
    pub fn attach(&mut self, id: &ConversationId, opened_at: Timestamp) -> Mutation {
        match &self.conversation {
            Conversation::Open { id: known, .. } | Conversation::Closed { id: known, .. } if known == id => {
                Mutation::Unchanged
            }
            Conversation::Open { as_of, .. } | Conversation::Closed { as_of, .. } if *as_of > opened_at => {
                Mutation::Unchanged
            }
            Conversation::Opening { previous: Some(known), .. } if known == id => Mutation::Unchanged,
            _ => {
                self.open(id, opened_at, None);
                Mutation::Changed
            }
        }
    }

    /// Counts a conversation that was opened for this message.
    pub fn count_opening(&mut self, message: &str, now: Timestamp) {
        self.openings_of(message, now).count += 1;
    }

    /// Counts that SEND has found the conversation closed into which this message was to go.
    pub fn count_closed(&mut self, message: &str, now: Timestamp) {
        self.openings_of(message, now).closed += 1;
    }

    fn openings_of(&mut self, message: &str, now: Timestamp) -> &mut Openings {
        let known = self.openings.take().filter(|openings| openings.is_of(message, now));
        let none = || Openings { message: message.to_owned(), count: 0, closed: 0, since: now };
        self.openings.insert(known.unwrap_or_else(none))
    }

    /// How many conversations have closed at once for this message, if that is as many as it may open. The first one that SEND finds
    /// closed is the one from before.
    pub fn closed_at_once(&self, message: &str, now: Timestamp) -> Option<u32> {
        let openings = self.openings.as_ref().filter(|openings| openings.is_of(message, now))?;
        let closed = openings.count.max(openings.closed.saturating_sub(1));
        (closed >= MOST_OPENINGS).then_some(closed)
    }

    /// The conversation before the one that is being opened.
    pub fn previous_conversation(&self) -> Option<&ConversationId> {
        match &self.conversation {
            Conversation::Opening { previous, .. } => previous.as_ref(),
            Conversation::None | Conversation::Open { .. } | Conversation::Closed { .. } => None,
        }
    }

    /// An agent or a bot has said something in this dialog at `at`. If it is not the main dialog, a survey is open there, whether
    /// LiveEngage's news of that has come or not.
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
        self.apply_opened(conversation, Some(dialog), at.unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// What belongs to the conversation before goes with it.
    fn open(&mut self, id: &ConversationId, as_of: Timestamp, survey: Option<&DialogId>) {
        if self.open_conversation() != Some(id) {
            self.composing = None;
            self.profile = None;
            self.satisfaction = None;
        }
        self.contradicted_since = None;
        self.conversation = Conversation::Open { id: id.clone(), as_of, survey: survey.cloned() };
    }

    /// Gives the lease back after opening failed, so that the next attempt needn't wait for it to run out.
    pub fn give_up(&mut self, owner: &Owner) -> Mutation {
        match &self.conversation {
            Conversation::Opening { owner: holder, previous, .. } if holder == owner => {
                self.conversation = match previous {
                    Some(id) => Conversation::Closed { id: id.clone(), as_of: Timestamp::UNIX_EPOCH },
                    None => Conversation::None,
                };
                Mutation::Changed
            }
            _ => Mutation::Unchanged,
        }
    }

    /// A webhook says that `id` is open, as of LiveEngage's time `as_of`, and whether a survey's dialog is open in it. This is how
    /// an opened conversation is found again when the opener died before it could attach it, or when LiveEngage answered "already
    /// has open conversation".
    pub fn apply_opened(&mut self, id: &ConversationId, survey: Option<&DialogId>, as_of: Timestamp) -> Mutation {
        match &self.conversation {
            // A conversation never opens again: this is late news. But where we took it for closed because its main dialog was,
            // the survey is news.
            Conversation::Closed { id: known, as_of: seen } if known == id && (survey.is_none() || *seen >= as_of) => {
                return Mutation::Unchanged;
            }
            Conversation::Opening { previous: Some(known), .. } if known == id && survey.is_none() => {
                return Mutation::Unchanged;
            }
            // Our own clock wrote `seen` when we opened it, so a survey that begins is believed whatever the time.
            Conversation::Open { id: known, as_of: seen, survey: running }
                if known == id && *seen >= as_of && (running.is_some() || survey.is_none()) =>
            {
                return Mutation::Unchanged;
            }
            Conversation::Open { id: known, as_of: seen, .. } if known != id && *seen >= as_of => {
                return Mutation::Unchanged;
            }
            // Not `>=`: news without a time, as older documentation shows it, must still be able to open a new one.
            Conversation::Closed { as_of: seen, .. } if *seen > as_of => return Mutation::Unchanged,
            _ => {}
        }
        let as_of = match &self.conversation {
            Conversation::Open { id: known, as_of: seen, .. } if known == id => as_of.max(*seen),
            _ => as_of,
        };
        self.open(id, as_of, survey);
        Mutation::Changed
    }

    /// The Send API says that this dialog is closed. If texts go elsewhere by now, because a survey has begun meanwhile, that is no
    /// news. When it closed is not said, so later news of a survey in the same conversation still counts.
    pub fn found_closed(&mut self, id: &ConversationId, dialog: &DialogId) -> Mutation {
        if self.active_dialog().is_none_or(|(conversation, current)| conversation != id || current != *dialog) {
            return Mutation::Unchanged;
        }
        match &self.conversation {
            Conversation::Open { as_of, .. } => {
                let as_of = *as_of;
                self.apply_closed(id, as_of)
            }
            Conversation::None | Conversation::Opening { .. } | Conversation::Closed { .. } => Mutation::Unchanged,
        }
    }

    /// Whether a `COMPOSING` may be sent at `now`: at most one in [`COMPOSING_EVERY`].
    pub fn may_compose(&self, now: Timestamp) -> bool {
        self.composing.as_ref().is_none_or(|composing| now.duration_since(composing.since) >= COMPOSING_EVERY)
    }

    /// A webhook says that `id` has ended.
    pub fn apply_closed(&mut self, id: &ConversationId, as_of: Timestamp) -> Mutation {
        match &self.conversation {
            Conversation::Open { id: known, .. } if known == id => {
                self.conversation = Conversation::Closed { id: id.clone(), as_of };
                Mutation::Changed
            }
            _ => Mutation::Unchanged,
        }
    }
}

#[cfg(test)]
mod tests;
