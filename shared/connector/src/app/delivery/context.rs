//! What is known about a message, and who is told if it can't be delivered.

use jiff::Timestamp;

use crate::{
    domain::{
        delivery::ConsumerRef,
        id::{CorrelationId, LineId},
    },
    queue_message::{Envelope, Message, wire},
};
use connector_liveengage::{
    id::{ConversationId, Sequence},
    messaging::DialogRef,
};
use connector_message::MessageText;

/// What is known about a message besides its text, for logs and for parking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryContext {
    /// The line.
    pub line: Option<LineId>,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// The correlation id.
    pub correlation: Option<CorrelationId>,
    /// When the connector accepted the message: its age counts from here.
    pub accepted_at: Option<Timestamp>,
    /// When the connector first accepted it, if an operator has sent it again.
    pub first_accepted_at: Option<Timestamp>,
}

impl DeliveryContext {
    /// The context of a message.
    pub(in crate::app) fn of(message: &Message) -> Self {
        let Envelope { correlation, accepted_at, first_accepted_at } = message.identity().envelope().clone();
        Self {
            line: message.line().cloned(),
            conversation: message.conversation().cloned(),
            correlation: Some(correlation),
            accepted_at: Some(accepted_at),
            first_accepted_at,
        }
    }

    /// The context of a queue message of any kind and version, as far as its body can be read.
    pub fn of_any(body: &str) -> Self {
        let (correlation, line) = wire::correlation_and_line(body);
        Self { line, correlation, ..Self::default() }
    }

    /// The correlation id as text, for logs.
    pub fn correlation_text(&self) -> Option<&str> {
        self.correlation.as_ref().map(CorrelationId::as_str)
    }
}

/// Whom a notice goes to if a message can't be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::app) enum NoticeTo {
    /// Nobody: the message is a notice itself, or the line has no text for it.
    Nobody,
    /// Its sender, who is known once the line's settings or the conversation's owner have been read.
    NotKnownYet,
    /// The consumer, by this text.
    Consumer { consumer: ConsumerRef, notice: MessageText },
    /// The agent who wrote to this consumer.
    Agent { consumer: ConsumerRef, dialog: DialogRef, sequence: Option<Sequence> },
}
