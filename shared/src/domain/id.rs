//! Identifiers as types, so that one can't be passed where another is meant.
//!
//! Every id is opaque outside the module of the system that gave it: nobody but a channel's own folder may look inside a
//! [`ChannelUserId`]. They are stored in DynamoDB keys and queue messages, so their text form is a compatibility promise.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not an id of the wanted kind. Never holds the text itself: it may be a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: {rule}")]
pub struct InvalidId {
    /// The kind of id, for example `line id`.
    pub kind: &'static str,
    /// The rule that was broken, as a sentence part.
    pub rule: &'static str,
}

const NAME_RULE: &str = "1 to 64 letters, digits, '-' or '_'";
const OPAQUE_RULE: &str = "1 to 256 characters, none of them a control character";

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn is_opaque(text: &str) -> bool {
    (1..=256).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

const REFERENCE_RULE: &str = "up to 64 hex digits, a dot, and a number";

fn is_reference(text: &str) -> bool {
    text.split_once('.').is_some_and(|(message, number)| {
        (1..=64).contains(&message.len())
            && message.bytes().all(|b| b.is_ascii_hexdigit())
            && (1..=4).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:ident, $rule:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks a text and makes it an id.
            ///
            /// # Errors
            /// [`InvalidId`] names the kind of id and the rule.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                if $check(&text) { Ok(Self(text)) } else { Err(InvalidId { kind: $kind, rule: $rule }) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
    (shown $(#[$doc:meta])* $name:ident, $kind:literal, $check:ident, $rule:ident) => {
        id!($(#[$doc])* $name, $kind, $check, $rule);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
    (hidden $(#[$doc:meta])* $name:ident, $kind:literal, $check:ident, $rule:ident) => {
        id!($(#[$doc])* $name, $kind, $check, $rule);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}(hidden)", stringify!($name))
            }
        }
    };
}

id!(shown
    /// A LiveEngage account (LivePerson also says brandId or siteId): digits, or letters and digits for test accounts.
    ///
    /// Unique in LivePerson. Part of URL paths, so nothing but letters, digits, `-` and `_` is let in.
    AccountId, "LiveEngage account id", is_name, NAME_RULE);

id!(shown
    /// The id of the connector's app install in one account (`client_id`), as LivePerson gives it at registration.
    AppInstallId, "client id", is_opaque, OPAQUE_RULE);

id!(shown
    /// One address of the brand on a channel (a phone number, a page, a bot), by the name the integrator gave it.
    ///
    /// Part of the webhook URL and of the secret's name. Unique in one deployment.
    LineId, "line id", is_name, NAME_RULE);

id!(hidden
    /// A person on a channel, as the channel names them. Unique per line.
    ///
    /// Often a phone number, so it never shows in `Debug` and has no `Display`.
    ChannelUserId, "channel user id", is_opaque, OPAQUE_RULE);

id!(hidden
    /// The channel's own id of one inbound event: what deduplication stands on. Unique per line.
    ///
    /// WhatsApp's hold the person's phone number in Base64, so it never shows in `Debug` and has no `Display`.
    ProviderMessageId, "provider message id", is_opaque, OPAQUE_RULE);

id!(shown
    /// A LiveEngage conversation. Mostly a UUID, not always. Unique per account.
    ConversationId, "conversation id", is_opaque, OPAQUE_RULE);

id!(shown
    /// A dialog inside a conversation. The main dialog has the conversation's id; survey dialogs have ids of other forms.
    DialogId, "dialog id", is_opaque, OPAQUE_RULE);

id!(shown
    /// The connector's name for a consumer at LivePerson (`ext_consumer_id`).
    ///
    /// Derived with a key, so not guessable from a phone number, and stable for ever, because the consumer's identity and
    /// history hang on it.
    ExtConsumerId, "ext_consumer_id", is_opaque, OPAQUE_RULE);

id!(shown
    /// LivePerson's name for a consumer (`lp_consumer_id`, 64 hex digits): the participant id of the consumer in webhooks.
    LpConsumerId, "lp_consumer_id", is_opaque, OPAQUE_RULE);

id!(shown
    /// Follows one message through all functions' logs: the entry point's request id.
    CorrelationId, "correlation id", is_opaque, OPAQUE_RULE);

id!(shown
    /// Who holds a lease: one record in one invocation. An invocation that is repeated is another owner.
    Owner, "owner", is_opaque, OPAQUE_RULE);

id!(shown
    /// The connector's own name for one call that sends something to a person, as channels give it back in their reports.
    ///
    /// The message's [`reference`](super::message::OutboundMessage::reference), a dot, and the number of the call.
    CallReference, "reference", is_reference, REFERENCE_RULE);

impl CallReference {
    /// Names the call with this number, from 0, of a message.
    pub fn of(reference: &str, number: usize) -> Option<Self> {
        Self::new(format!("{reference}.{number}")).ok()
    }
}

impl DialogId {
    /// The main dialog of a conversation: it has the conversation's id (Connector API, Send API page).
    pub fn main_of(conversation: &ConversationId) -> Self {
        Self(conversation.0.clone())
    }
}

/// The order number LiveEngage gives to content and status events: per dialog, from 0, with gaps between texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_never_shows_in_debug() {
        let user = ChannelUserId::new("+4915112345678").unwrap();
        assert_eq!(format!("{user:?}"), "ChannelUserId(hidden)");
        assert!(!format!("{:?}", ChannelUserId::new("\u{0}+4915112345678").unwrap_err()).contains("4915"));
    }

    #[test]
    fn account_and_line_ids_are_safe_in_paths() {
        for bad in ["", "a/b", "..", "a b", "ü", &"x".repeat(65)] {
            assert!(AccountId::new(bad).is_err(), "{bad}");
            assert!(LineId::new(bad).is_err(), "{bad}");
        }
        assert!(AccountId::new("le72419083").is_ok());
        assert!(LineId::new("sms-main").is_ok());
    }

    #[test]
    fn ids_are_checked_when_they_are_read_back() {
        assert!(serde_json::from_str::<LineId>("\"sms-main\"").is_ok());
        assert!(serde_json::from_str::<LineId>("\"sms/main\"").is_err());
    }
}
