//! The services whose calls can fail, and their error answers.

use std::hash::{Hash, Hasher};

use http::StatusCode;

/// A service whose calls can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// The connector's own endpoints, called by LiveEngage and the channels.
    Api,
    /// LiveEngage.
    LiveEngage,
    /// A channel's vendor.
    Channel(&'static ChannelFaults),
    /// DynamoDB.
    Table,
    /// SQS.
    Queue,
}

/// The error answers of a channel's vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelFaults {
    /// The vendor's name in the report.
    pub name: &'static str,
    /// The answer that refuses a message permanently.
    pub refusal: (StatusCode, &'static str),
    /// The answer to too many calls.
    pub throttling: (StatusCode, &'static str),
    /// The answer to an accepted message, for a drill of a broken connector. `None` if the channel has no such drill.
    pub acceptance: Option<(StatusCode, &'static str)>,
}

/// Hashes the name only, so that random choices stay the same when the text of an answer changes.
impl Hash for Hop {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl Hop {
    /// Its name in the report.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Api => "webhooks",
            Self::LiveEngage => "LiveEngage",
            Self::Channel(faults) => faults.name,
            Self::Table => "DynamoDB",
            Self::Queue => "SQS",
        }
    }

    /// The answer that refuses a message permanently.
    pub(super) const fn refusal(self) -> (StatusCode, &'static str) {
        match self {
            Self::Channel(faults) => faults.refusal,
            _ => (StatusCode::FORBIDDEN, "{}"),
        }
    }

    /// The answer to too many calls.
    pub(super) const fn throttling(self) -> (StatusCode, &'static str) {
        match self {
            Self::Table => (
                StatusCode::BAD_REQUEST,
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"a drill"}"#,
            ),
            Self::Queue => {
                (StatusCode::FORBIDDEN, r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"a drill"}"#)
            }
            Self::Channel(faults) => faults.throttling,
            Self::Api | Self::LiveEngage => (StatusCode::TOO_MANY_REQUESTS, "{}"),
        }
    }

    /// The answer to a temporary failure.
    pub(super) const fn error(self) -> (StatusCode, &'static str) {
        match self {
            Self::Table => (
                StatusCode::INTERNAL_SERVER_ERROR,
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"a drill"}"#,
            ),
            Self::Queue => (
                StatusCode::SERVICE_UNAVAILABLE,
                r#"{"__type":"com.amazonaws.sqs#ServiceUnavailable","message":"a drill"}"#,
            ),
            Self::Api | Self::LiveEngage | Self::Channel(_) => (StatusCode::SERVICE_UNAVAILABLE, ""),
        }
    }
}

/// Vendors for the tests of this module.
#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::faults) static CHANNEL: ChannelFaults = ChannelFaults {
        name: "gateway",
        refusal: (StatusCode::UNPROCESSABLE_ENTITY, "{}"),
        throttling: (StatusCode::TOO_MANY_REQUESTS, "{}"),
        acceptance: Some((StatusCode::CREATED, "{}")),
    };
    pub(in crate::faults) const GATEWAY: Hop = Hop::Channel(&CHANNEL);
}
