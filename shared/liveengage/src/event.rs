//! Names that both directions of a dialog share: the status of a message, and the state of a participant.

use serde::{Deserialize, Serialize};

/// The status of messages of the other participant (AcceptStatusEvent, Connector API, Send API page).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AcceptStatus {
    /// Received by the reader's device.
    Accept,
    /// Shown to the reader.
    Read,
    /// The reader opened the file.
    Access,
    /// Not received.
    Nack,
    /// The reader chose an option of the message.
    Action,
}

impl AcceptStatus {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Read => "READ",
            Self::Access => "ACCESS",
            Self::Nack => "NACK",
            Self::Action => "ACTION",
        }
    }

    /// Reads a name in any case. `None` if it is not documented.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Accept, Self::Read, Self::Access, Self::Nack, Self::Action]
            .into_iter()
            .find(|status| status.name().eq_ignore_ascii_case(name))
    }
}

/// The state of a participant (ChatStateEvent, Connector API, Send API page). The event has no sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChatState {
    /// Present and not typing.
    Active,
    /// No longer present.
    Inactive,
    /// Left.
    Gone,
    /// Typing. Lasts until another state is sent: the text itself doesn't end it.
    Composing,
    /// Paused typing.
    Pause,
}

impl ChatState {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Gone => "GONE",
            Self::Composing => "COMPOSING",
            Self::Pause => "PAUSE",
        }
    }

    /// Reads a name in any case. `None` if it is not documented (LivePerson sends `BACKGROUND`, for example).
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Inactive, Self::Gone, Self::Composing, Self::Pause]
            .into_iter()
            .find(|state| state.name().eq_ignore_ascii_case(name))
    }

    /// Whether the participant is typing.
    pub const fn is_composing(self) -> bool {
        matches!(self, Self::Composing)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_name_is_read_back_and_is_also_the_stored_form() {
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
    fn an_unknown_name_is_none() {
        assert_eq!(AcceptStatus::from_name("HELD"), None);
        assert_eq!(ChatState::from_name("BACKGROUND"), None);
    }
}
