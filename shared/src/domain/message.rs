//! Messages in the connector's own terms: between a channel and LiveEngage, neither's wire format.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::{ChannelUserId, ProviderMessageId};

/// A message text. `Debug` shows its length: no text reaches a log.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageText(String);

impl MessageText {
    /// Wraps a text as it came.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the wire only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for MessageText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageText({} chars)", self.0.chars().count())
    }
}

/// Something a person did on a channel, after the channel's own format was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundEvent {
    /// The channel's id of the event: the same for a repeated webhook.
    pub id: ProviderMessageId,
    /// Who did it.
    pub user: ChannelUserId,
    /// When, by the channel's clock.
    pub at: Timestamp,
    /// What it was.
    pub content: InboundContent,
}

/// What a person sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InboundContent {
    /// A text.
    Text {
        /// The text.
        text: MessageText,
    },
    /// Something the connector can't carry: the agent is shown a placeholder with the label, never silence.
    Unsupported {
        /// What it was, in a few words for the agent, for example `picture`.
        label: String,
    },
}

/// What an agent, a bot or the system says to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OutboundContent {
    /// A text.
    Text {
        /// The text.
        text: MessageText,
    },
}

/// One message on its way to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundMessage {
    /// Who gets it.
    pub to: ChannelUserId,
    /// Names this message in the channel's own correlation field, the same at every attempt. At most 64 characters of hex.
    pub reference: String,
    /// What it says.
    pub content: OutboundContent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_an_event_holds_no_text_and_no_phone_number() {
        let event = InboundEvent {
            id: ProviderMessageId::new("m-1").unwrap(),
            user: ChannelUserId::new("+4915112345678").unwrap(),
            at: Timestamp::UNIX_EPOCH,
            content: InboundContent::Text { text: MessageText::new("my account is 4711") },
        };
        let shown = format!("{event:?}");
        assert!(!shown.contains("4711") && !shown.contains("4915"), "{shown}");
    }
}
