//! What both directions of a dialog share: the words for what became of a message, and for typing.

use serde::{Deserialize, Serialize};

/// What became of messages of the other side (AcceptStatusEvent, Connector API, Send API page).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AcceptStatus {
    /// Received: it is on the reader's device.
    Accept,
    /// Shown to the reader.
    Read,
    /// The reader has opened the file.
    Access,
    /// Not received.
    Nack,
    /// The reader has chosen something that the message offered.
    Action,
}

impl AcceptStatus {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Read => "READ",
            Self::Access => "ACCESS",
            Self::Nack => "NACK",
            Self::Action => "ACTION",
        }
    }

    /// Reads a word; `None` for one that is not documented.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Accept, Self::Read, Self::Access, Self::Nack, Self::Action]
            .into_iter()
            .find(|status| status.name().eq_ignore_ascii_case(name))
    }
}

/// What a participant is doing (ChatStateEvent, Connector API, Send API page). It has no order number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChatState {
    /// Is there, and has stopped typing.
    Active,
    /// Is there no longer.
    Inactive,
    /// Has left.
    Gone,
    /// Is typing. Stays on until another state is sent: sending the text does not end it.
    Composing,
    /// Has paused typing.
    Pause,
}

impl ChatState {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Gone => "GONE",
            Self::Composing => "COMPOSING",
            Self::Pause => "PAUSE",
        }
    }

    /// Reads a word; `None` for one that is not documented (`BACKGROUND` has been seen), which is not typing either.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Inactive, Self::Gone, Self::Composing, Self::Pause]
            .into_iter()
            .find(|state| state.name().eq_ignore_ascii_case(name))
    }

    /// Whether somebody is typing.
    pub const fn is_composing(self) -> bool {
        matches!(self, Self::Composing)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written_and_as_it_is_stored() {
        for status in
            [AcceptStatus::Accept, AcceptStatus::Read, AcceptStatus::Access, AcceptStatus::Nack, AcceptStatus::Action]
        {
            assert_eq!(AcceptStatus::from_name(status.name()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), json!(status.name()));
        }
        for state in [ChatState::Active, ChatState::Inactive, ChatState::Gone, ChatState::Composing, ChatState::Pause] {
            assert_eq!(ChatState::from_name(state.name()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), json!(state.name()));
            assert_eq!(state.is_composing(), state.name() == "COMPOSING");
        }
    }

    #[test]
    fn an_unknown_word_is_no_state() {
        assert_eq!(AcceptStatus::from_name("HELD"), None);
        assert_eq!(ChatState::from_name("BACKGROUND"), None);
    }
}
