//! Which messages an operator means.

use jiff::Timestamp;

use super::{
    super::{delivery::name_of, task::digest},
    facts::Facts,
};
use crate::domain::{
    delivery::{ConsumerRef, MessageKey},
    id::{ConversationId, LineId},
};

/// The name by which an operator knows a message: the first twelve digits of a digest of its whole name.
pub fn short_name(name: &str) -> String {
    digest([name.as_bytes()]).chars().take(12).collect()
}

/// The name by which an operator knows a parked message. It is the message's own: parked again, it keeps it.
pub fn parked_name(message: &MessageKey) -> String {
    short_name(&name_of(message))
}

/// Which messages are meant: those that fit everything that is set. Nothing set means all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Short names; none for any.
    pub ids: Vec<String>,
    /// The line.
    pub line: Option<LineId>,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// Whose conversation that is, where it is known: a person's own messages name the person, and not the conversation.
    pub person: Option<ConsumerRef>,
    /// Parked or given up at this time or later.
    pub since: Option<Timestamp>,
    /// Parked or given up before this time.
    pub until: Option<Timestamp>,
}

/// A message that may be meant.
pub(super) struct Candidate<'a> {
    pub(super) id: &'a str,
    pub(super) at: Timestamp,
    pub(super) line: Option<&'a LineId>,
    pub(super) conversation: Option<&'a ConversationId>,
    pub(super) facts: Option<&'a Facts>,
}

impl Selection {
    pub(super) fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let person = candidate.facts.and_then(|facts| facts.person.as_ref());
        let line = candidate.line.or(person.map(|person| &person.line));
        let said_in = candidate.conversation.or(candidate.facts.and_then(|facts| facts.conversation.as_ref()));
        let in_conversation = |conversation| match said_in {
            Some(said_in) => said_in == conversation,
            None => self.person.is_some() && self.person.as_ref() == person,
        };
        (self.ids.is_empty() || self.ids.iter().any(|id| id == candidate.id))
            && self.line.as_ref().is_none_or(|wanted| line == Some(wanted))
            && self.conversation.as_ref().is_none_or(in_conversation)
            && self.since.is_none_or(|since| candidate.at >= since)
            && self.until.is_none_or(|until| candidate.at < until)
    }
}
