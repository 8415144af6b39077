//! How SEND says no.

use http::StatusCode;

use super::{Envelope, error};
use crate::liveengage::conversation::Refusal;
use crate::liveengage::endpoint::Answer;

/// Why a request about a conversation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum No {
    Malformed,
    NotYours,
    Closed,
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownDialog | Refusal::StillOpen | Refusal::Impossible => Self::Malformed,
            Refusal::Closed => Self::Closed,
        }
    }
}

pub(super) fn refuse(envelope: &Envelope, no: No) -> Answer {
    let message = match no {
        No::Malformed => "Bad Request",
        No::Closed => "Bad Request, Conversation is close",
        // Documented as a 401 without a number of its own.
        No::NotYours => {
            return error(401, "Unauthorized", "The consumer is not a participant of the conversation", None);
        }
    };
    Answer::new(StatusCode::BAD_REQUEST, envelope.bad_request(message))
}
