//! The ids by which LiveEngage's notifications name a consumer.

use super::conversation::Consumer;
use connector_liveengage::id::{AccountId, ConversationId, LpConsumerId};

/// An id of LiveEngage that leads to a consumer's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointer {
    /// Their id at LivePerson.
    LpConsumer(AccountId, LpConsumerId),
    /// Their conversation.
    Conversation(AccountId, ConversationId),
    /// The dialog of a survey in their conversation. A notification may name only the dialog, like a conversation.
    Survey {
        /// The account.
        account: AccountId,
        /// The dialog.
        dialog: ConversationId,
        /// The conversation that it is in.
        conversation: ConversationId,
    },
}

impl Consumer {
    /// Returns the ids that lead to this record: that of the consumer, and those of the open conversation. The ids of earlier conversations
    /// lead to it, too, because a pointer is never removed.
    pub fn pointers(&self) -> Vec<Pointer> {
        let account = || self.account.clone();
        let identity = self.identity.as_ref();
        let mut pointers: Vec<_> = identity
            .map(|identity| Pointer::LpConsumer(account(), identity.lp_consumer_id.clone()))
            .into_iter()
            .collect();
        if let Some(conversation) = self.open_conversation() {
            pointers.push(Pointer::Conversation(account(), conversation.clone()));
            if let Some(Ok(dialog)) = self.survey().map(|dialog| ConversationId::new(dialog.as_str())) {
                pointers.push(Pointer::Survey { account: account(), dialog, conversation: conversation.clone() });
            }
        }
        pointers
    }

    /// Returns the pointers that must be written together with this record, where the table has the record `read`. Those of `read` were
    /// written with it.
    pub fn pointers_beyond(&self, read: &Self) -> Vec<Pointer> {
        let known = read.pointers();
        self.pointers().into_iter().filter(|pointer| !known.contains(pointer)).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::id::LineId;
    use connector_channels::id::ChannelUserId;
    use connector_liveengage::{
        id::{DialogId, ExtConsumerId},
        identity::{ConsumerToken, Identity},
    };

    fn account(id: &str) -> AccountId {
        AccountId::new(id).unwrap()
    }

    fn conversation(id: &str) -> ConversationId {
        ConversationId::new(id).unwrap()
    }

    fn anna() -> Consumer {
        let (line, user) = (LineId::new("sms-main").unwrap(), ChannelUserId::new("+4915112345678").unwrap());
        let mut anna = Consumer::new(line, user, account("72419083"));
        anna.identity = Some(Identity {
            ext_consumer_id: ExtConsumerId::new("ext").unwrap(),
            lp_consumer_id: LpConsumerId::new("lp").unwrap(),
            token: ConsumerToken::new("jws"),
        });
        anna
    }

    #[test]
    fn only_what_is_new_is_written() {
        let read = anna();
        let lp_consumer = Pointer::LpConsumer(account("72419083"), LpConsumerId::new("lp").unwrap());
        assert_eq!(read.pointers_beyond(&Consumer { identity: None, ..read.clone() }), [lp_consumer]);

        let mut open = read.clone();
        open.attach(&conversation("c1"), Timestamp::UNIX_EPOCH);
        let c1 = Pointer::Conversation(account("72419083"), conversation("c1"));
        assert_eq!(open.pointers_beyond(&read), [c1]);

        let mut survey = open.clone();
        survey.apply_opened(&conversation("c1"), Some(&DialogId::new("s1").unwrap()), None);
        let s1 = Pointer::Survey {
            account: account("72419083"),
            dialog: conversation("s1"),
            conversation: conversation("c1"),
        };
        assert_eq!(survey.pointers_beyond(&open), [s1]);
        assert_eq!(open.pointers_beyond(&survey), []);
    }

    /// The ids of one account say nothing in another one.
    #[test]
    fn a_consumer_who_moves_to_another_account_gets_all_pointers_anew() {
        let read = anna();
        let mut moved = read.clone();
        moved.move_to(&account("90000001"));
        moved.identity.clone_from(&read.identity);
        let there = Pointer::LpConsumer(account("90000001"), LpConsumerId::new("lp").unwrap());
        assert_eq!(moved.pointers_beyond(&read), [there]);
    }
}
