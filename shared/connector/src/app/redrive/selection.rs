//! Which messages an operator selects.

use jiff::Timestamp;

use super::facts::Facts;
use crate::{
    domain::{delivery::ConsumerRef, id::LineId, message_key::MessageKey},
    queue_message::short_name,
};
use connector_liveengage::id::ConversationId;

/// Returns the short name of a parked message for operators. It depends on the message only, so a message that is parked again keeps it.
pub fn parked_name(message: &MessageKey) -> String {
    short_name(&message.name())
}

/// Selects the messages that match every criterion that is set. Without any it selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Short names. Empty: any.
    pub ids: Vec<String>,
    /// The line.
    pub line: Option<LineId>,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// The consumer of that conversation, if known: a consumer's messages name the consumer and not the conversation.
    pub consumer: Option<ConsumerRef>,
    /// Messages that were parked or given up at this time or later.
    pub since: Option<Timestamp>,
    /// Messages that were parked or given up before this time.
    pub until: Option<Timestamp>,
}

/// A message to compare with a selection.
pub(super) struct Candidate<'a> {
    pub(super) id: &'a str,
    pub(super) at: Timestamp,
    pub(super) line: Option<&'a LineId>,
    pub(super) conversation: Option<&'a ConversationId>,
    pub(super) facts: Option<&'a Facts>,
}

impl Selection {
    pub(super) fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let consumer = candidate.facts.and_then(|facts| facts.consumer.as_ref());
        let line = candidate.line.or(consumer.map(|consumer| &consumer.line));
        let named = candidate.conversation.or(candidate.facts.and_then(|facts| facts.conversation.as_ref()));
        let in_conversation = |conversation| match named {
            Some(named) => named == conversation,
            None => self.consumer.is_some() && self.consumer.as_ref() == consumer,
        };
        (self.ids.is_empty() || self.ids.iter().any(|id| id == candidate.id))
            && self.line.as_ref().is_none_or(|wanted| line == Some(wanted))
            && self.conversation.as_ref().is_none_or(in_conversation)
            && self.since.is_none_or(|since| candidate.at >= since)
            && self.until.is_none_or(|until| candidate.at < until)
    }
}
