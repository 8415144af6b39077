//! The errors of SEND.

use http::StatusCode;

use super::{Envelope, error};
use crate::liveengage::conversation::ConversationError;
use crate::liveengage::endpoint::ServiceAnswer;

/// Why a request for a conversation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestError {
    Malformed,
    NotYours,
    Closed,
}

impl From<ConversationError> for RequestError {
    fn from(refusal: ConversationError) -> Self {
        match refusal {
            ConversationError::UnknownDialog | ConversationError::StillOpen | ConversationError::Impossible => {
                Self::Malformed
            }
            ConversationError::Closed => Self::Closed,
        }
    }
}

pub(super) fn refuse(envelope: &Envelope, no: RequestError) -> ServiceAnswer {
    let message = match no {
        RequestError::Malformed => "Bad Request",
        RequestError::Closed => "Bad Request, Conversation is close",
        // Documented as a 401 without a number.
        RequestError::NotYours => {
            return error(401, "Unauthorized", "The consumer is not a participant of the conversation", None);
        }
    };
    ServiceAnswer::new(StatusCode::BAD_REQUEST, envelope.bad_request(message))
}
