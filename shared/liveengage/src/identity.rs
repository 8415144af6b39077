//! The identity of a consumer at LivePerson.

use crate::id::{ExtConsumerId, LpConsumerId};

/// A consumer's ids and token at LivePerson. Holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The connector's id of the consumer.
    pub ext_consumer_id: ExtConsumerId,
    /// LivePerson's id of the consumer.
    pub lp_consumer_id: LpConsumerId,
    /// The ConsumerJWS. It never expires: one request per consumer is enough (Connector API, Authorization page).
    pub token: ConsumerToken,
}

/// The ConsumerJWS of one consumer: anybody who has it and an AppJWT can write as this consumer. `Debug` hides the value.
#[derive(derive_more::Debug, Clone, PartialEq, Eq)]
#[debug("ConsumerToken(hidden)")]
pub struct ConsumerToken(String);

impl ConsumerToken {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token. Only for the headers `X-LP-ON-BEHALF` and, towards the history, `Authorization`.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
