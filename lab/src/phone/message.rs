//! A message on a phone.

use jiff::Timestamp;
use serde::Serialize;

use super::content::{AttachedFile, MessageContent};

/// The direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Written by the consumer.
    FromPhone,
    /// Sent by the connector.
    ToPhone,
}

/// The state of a message, in the order of progress. A channel may skip states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// From the phone: it was sent, and its webhook is not accepted yet. To the phone: the channel has accepted it, if
    /// the channel reports that.
    Sent,
    /// From the phone: its webhook was accepted. To the phone: the channel has accepted it, and nothing more is known.
    Accepted,
    /// It has arrived, on the phone or at the connector.
    Delivered,
    /// The recipient has read it.
    Read,
    /// It will not arrive; holds the reason in plain words.
    Failed(String),
}

impl MessageState {
    /// The rank in the order of progress; `None` for a failure.
    fn rank(&self) -> Option<u8> {
        match self {
            Self::Sent => Some(0),
            Self::Accepted => Some(1),
            Self::Delivered => Some(2),
            Self::Read => Some(3),
            Self::Failed(_) => None,
        }
    }
}

/// A message on a phone.
#[derive(Debug, Clone, PartialEq)]
pub struct PhoneMessage {
    /// The channel's unique id of the message.
    pub id: String,
    /// Its direction.
    pub direction: Direction,
    /// Its content.
    pub content: MessageContent,
    /// When the channel received it.
    pub at: Timestamp,
    /// Its state.
    pub state: MessageState,
    /// The quoted message, or the one whose button was tapped.
    pub quotes: Option<String>,
    /// The recipient as the connector named it, on a channel on which consumers have several names. `None` for the
    /// consumer's own messages.
    pub addressed_to: Option<String>,
    /// The connector's own reference. Two messages with the same reference are duplicates.
    pub reference: Option<String>,
}

impl PhoneMessage {
    /// A message that was just sent from a phone.
    pub(crate) fn from_phone(id: String, content: MessageContent, at: Timestamp) -> Self {
        Self {
            id,
            direction: Direction::FromPhone,
            content,
            at,
            state: MessageState::Sent,
            quotes: None,
            addressed_to: None,
            reference: None,
        }
    }

    /// Its text, see [`MessageContent::text`].
    pub fn text(&self) -> &str {
        self.content.text()
    }

    /// The files that the consumer has attached to a text, see [`MessageContent::Files`].
    pub fn files(&self) -> &[AttachedFile] {
        match &self.content {
            MessageContent::Files(message) => &message.files,
            _ => &[],
        }
    }

    /// Advances to a later state. An earlier state that arrives late is ignored, and a failure applies only to a
    /// message that has not arrived. Returns whether the state changed.
    pub(crate) fn advance(&mut self, state: MessageState) -> bool {
        let allowed = match (self.state.rank(), state.rank()) {
            (Some(old), Some(new)) => new > old,
            (Some(_), None) => matches!(self.state, MessageState::Sent | MessageState::Accepted),
            (None, _) => false,
        };
        if allowed {
            self.state = state;
        }
        allowed
    }
}

/// A change on a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneChange {
    /// The phone's number.
    pub phone: String,
    /// The message that is new or has a new state; `None` for any other change, for example of the typing indicator.
    pub message_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(state: MessageState) -> PhoneMessage {
        let content = MessageContent::Text("hello".to_owned());
        PhoneMessage { state, ..PhoneMessage::from_phone("1".to_owned(), content, Timestamp::UNIX_EPOCH) }
    }

    #[test]
    fn a_state_never_goes_back() {
        use MessageState::{Accepted, Delivered, Failed, Read, Sent};
        let failed = || Failed("131026 Message undeliverable".to_owned());
        for (from, to, moves) in [
            (Sent, Delivered, true),
            (Sent, Accepted, true),
            (Accepted, Delivered, true),
            (Accepted, failed(), true),
            (Sent, Read, true),
            (Sent, failed(), true),
            (Delivered, Read, true),
            (Delivered, Sent, false),
            (Delivered, failed(), false),
            (Read, Delivered, false),
            (failed(), Delivered, false),
        ] {
            let mut message = message(from.clone());
            assert_eq!(message.advance(to.clone()), moves, "{from:?} to {to:?}");
            assert_eq!(message.state, if moves { to } else { from });
        }
    }
}
