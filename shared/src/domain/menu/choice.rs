//! One thing to choose.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::message::MessageText;

/// One thing to choose. `Debug` hides the metadata.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Its number in the message.
    pub number: u32,
    /// What it is called, as it was shown.
    pub title: MessageText,
    /// What choosing it publishes, which can differ from the title; `None` if the click publishes nothing, and then the title
    /// says what was chosen.
    pub publish: Option<MessageText>,
    /// What LiveEngage is told about the click, an array.
    pub metadata: Option<Value>,
    /// Whether others may be chosen together with it.
    #[serde(default)]
    pub several: bool,
    /// Whether it was shown as a button or as a row of a list. Nobody saw its number then, and a number means something else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_button: bool,
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice")
            .field("number", &self.number)
            .field("title", &self.title)
            .field("publish", &self.publish)
            .field("metadata", &self.metadata.as_ref().map(|_| "hidden"))
            .field("several", &self.several)
            .field("as_button", &self.as_button)
            .finish()
    }
}
