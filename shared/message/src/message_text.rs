//! The text of a message.

use serde::{Deserialize, Serialize};

/// A message text. `Debug` shows only its length in characters, so that no text reaches a log.
#[derive(derive_more::Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[debug("MessageText({} chars)", _0.chars().count())]
#[serde(transparent)]
pub struct MessageText(String);

impl MessageText {
    /// Wraps a text unchanged.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text. Only for the wire format.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
