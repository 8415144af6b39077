//! An open conversation whose notification looks older than what is known.
//!
//! LiveEngage's clock and ours may be an hour apart. The time of a conversation that the connector has opened is by our clock, until its first
//! notification comes. So a notification of the next conversation can look older, although a late notification of an earlier one does, too. It
//! is kept, and it decides once LiveEngage says that the consumer has an open conversation of which the record knows nothing.

use jiff::Timestamp;

use super::{Consumer, Mutation};
use connector_liveengage::id::{ConversationId, DialogId};

/// A conversation that a notification reports as open, and that is not the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnconfirmedConversation {
    /// The conversation.
    pub id: ConversationId,
    /// The dialog of its survey, if one is open.
    pub survey: Option<DialogId>,
    /// LiveEngage's time of the notification.
    pub as_of: Option<Timestamp>,
}

impl Consumer {
    /// Keeps a conversation that looks older than the known one. An earlier one of this consumer is known to have ended.
    pub(super) fn keep_unconfirmed(&mut self, conversation: UnconfirmedConversation) -> Mutation {
        let has_ended = self.earlier_dialogs.iter().any(|dialog| dialog.conversation == conversation.id);
        if has_ended || self.unconfirmed.as_ref().is_some_and(|known| known.as_of >= conversation.as_of) {
            return Mutation::Unchanged;
        }
        self.unconfirmed = Some(conversation);
        Mutation::Changed
    }

    /// Drops the unconfirmed conversation if it is this one, because it has ended.
    pub(super) fn drop_unconfirmed(&mut self, id: &ConversationId) -> Mutation {
        match self.unconfirmed.take_if(|known| known.id == *id) {
            Some(_) => Mutation::Changed,
            None => Mutation::Unchanged,
        }
    }

    /// Makes the unconfirmed conversation the current one, because LiveEngage says that one is open and the record has none.
    pub fn apply_unconfirmed(&mut self) -> Mutation {
        match self.unconfirmed.take() {
            Some(UnconfirmedConversation { id, survey, as_of }) if self.open_conversation().is_none() => {
                self.open(&id, as_of, survey.as_ref());
                Mutation::Changed
            }
            Some(_) => Mutation::Changed,
            None => Mutation::Unchanged,
        }
    }
}
