//! The schema version of each kind of item: a number on each item that tells which versions of the connector can read it.
//!
//! A kind's number is raised only by a change that an older version would read wrongly, and not by an attribute that it may ignore. A
//! worker doesn't touch an item of a higher version, and its message waits until the deployment in progress starts a worker that can read
//! it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use connector::port::StoreError;

/// The attribute's name.
pub(super) const SCHEMA_VERSION: &str = "schema_version";

/// A kind of item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    /// A consumer's record.
    Consumer,
    /// The owner of a conversation or of an LivePerson consumer id.
    Pointer,
    /// A message's lease and steps.
    Message,
    /// A parked message.
    Parked,
    /// An account's AppJWT.
    Token,
    /// A record that an account has an open conversation whose id is not known.
    Unattached,
    /// A record of when an account's conversations were last compared with LiveEngage.
    Reconciled,
    /// An entry of the ledger.
    Receipt,
    /// A proof that a message was accepted: a call that a report names, or an echo.
    Proof,
}

impl ItemKind {
    /// Returns the version that this code writes, which is the highest that it can read.
    const fn version(self) -> u64 {
        match self {
            Self::Consumer
            | Self::Pointer
            | Self::Message
            | Self::Parked
            | Self::Token
            | Self::Unattached
            | Self::Reconciled
            | Self::Receipt
            | Self::Proof => 1,
        }
    }

    /// Returns that version as an attribute.
    pub(super) fn attribute(self) -> AttributeValue {
        AttributeValue::N(self.version().to_string())
    }

    /// Whether this code can read an item of the kind.
    fn reads(self, item: &HashMap<String, AttributeValue>) -> bool {
        let version = |attribute: &AttributeValue| attribute.as_n().ok()?.parse::<u64>().ok();
        item.get(SCHEMA_VERSION).and_then(version).is_some_and(|version| version <= self.version())
    }

    /// Rejects an item that this code can't read.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    pub(super) fn check(self, item: &HashMap<String, AttributeValue>) -> Result<(), StoreError> {
        if self.reads(item) { Ok(()) } else { Err(StoreError::Unreadable { what: "it is of a newer version" }) }
    }
}

/// The condition for an update of an item that may have a newer version, or may not exist yet. Set `:schema_version` to the kind's version.
pub(super) const IS_READABLE: &str = "(attribute_not_exists(pk) OR schema_version <= :schema_version)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_of_a_higher_version_is_rejected() {
        let item = |attribute| HashMap::from([(SCHEMA_VERSION.to_owned(), attribute)]);
        let number = |text: &str| item(AttributeValue::N(text.to_owned()));
        assert_eq!(ItemKind::Message.check(&number("1")), Ok(()));
        for other in [number("2"), number("1.5"), item(AttributeValue::S("1".to_owned())), HashMap::new()] {
            let refused = Err(StoreError::Unreadable { what: "it is of a newer version" });
            assert_eq!(ItemKind::Message.check(&other), refused);
        }
    }
}
