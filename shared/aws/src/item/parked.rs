//! Parked messages.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stored;
use connector::{
    domain::{delivery::Parked, id::LineId},
    port::StoreError,
};
use connector_liveengage::id::ConversationId;

#[derive(Serialize, Deserialize)]
pub(crate) struct ParkedV1 {
    at: Timestamp,
    reason: String,
    permanent: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<LineId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conversation: Option<ConversationId>,
    body: String,
}

impl Stored for Parked {
    type Wire = ParkedV1;
    const WHAT: &'static str = "a parked message";

    fn to_wire(&self) -> Result<ParkedV1, StoreError> {
        let Self { at, reason, permanent, line, conversation, body } = self.clone();
        Ok(ParkedV1 { at, reason, permanent, line, conversation, body })
    }

    fn from_wire(wire: ParkedV1) -> Result<Self, StoreError> {
        let ParkedV1 { at, reason, permanent, line, conversation, body } = wire;
        Ok(Self { at, reason, permanent, line, conversation, body })
    }
}
