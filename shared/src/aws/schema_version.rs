//! The form of the table's items, a number on each: what an item needs to be read.
//!
//! It rises only with a change that an older version would read wrongly, and never with an attribute that it may ignore. An item of a
//! higher form is left alone, and its message waits: the deployment under way brings a worker that reads it. One without a number is
//! of before there were any, which is form 1.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::port::StoreError;

/// The attribute.
pub(super) const SCHEMA_VERSION: &str = "v";

/// The form that this version writes, and the highest that it reads.
const CURRENT: u64 = 1;

/// The condition for an update of an item that may be of a newer form. Needs [`current`] as `:v`.
pub(super) const IS_KNOWN: &str = "(attribute_not_exists(v) OR v <= :v)";

/// The form of what this version writes.
pub(super) fn current() -> AttributeValue {
    AttributeValue::N(CURRENT.to_string())
}

/// Whether this version can read an item.
pub(super) fn is_known(item: &HashMap<String, AttributeValue>) -> bool {
    let form = |attribute: &AttributeValue| attribute.as_n().ok()?.parse::<u64>().ok();
    item.get(SCHEMA_VERSION).is_none_or(|attribute| form(attribute).is_some_and(|form| form <= CURRENT))
}

/// Refuses an item that this version can't read.
///
/// # Errors
/// [`StoreError::Unreadable`].
pub(super) fn check(item: &HashMap<String, AttributeValue>) -> Result<(), StoreError> {
    if is_known(item) { Ok(()) } else { Err(StoreError::Unreadable { what: "it is of a newer version" }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_without_a_number_is_an_old_one_and_a_higher_number_is_a_newer_one() {
        let number = |text: &str| HashMap::from([(SCHEMA_VERSION.to_owned(), AttributeValue::N(text.to_owned()))]);
        assert!(is_known(&HashMap::new()));
        assert!(is_known(&number("1")));
        for newer in [
            number("2"),
            number("1.5"),
            HashMap::from([(SCHEMA_VERSION.to_owned(), AttributeValue::S("1".to_owned()))]),
        ] {
            assert_eq!(check(&newer), Err(StoreError::Unreadable { what: "it is of a newer version" }));
        }
    }
}
