//! Codes and type names of other systems that are safe to show in a log, to an agent or to an operator.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The most bytes of a code.
const LONGEST: usize = 64;

/// The most digits in a code: the longest error codes of the channels have six digits, and the shortest phone numbers seven.
const MOST_DIGITS: usize = 6;

/// A code or type name of another system: 1 to 64 letters, digits and `_ - . / +`, with at most six digits.
///
/// Another system's code can hold anything: a gateway may report `unreachable_491713920017`, or return the message text as its error code.
/// Therefore text from outside becomes a `Code` only through [`Code::read`], also when it is read back from a queue.
#[derive(derive_more::Debug, derive_more::Display, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[display("{_0}")]
#[debug("Code({_0})")]
#[serde(from = "String", into = "String")]
pub struct Code(Cow<'static, str>);

impl Code {
    /// The code for a missing code and for one that is not safe to show: `none`.
    pub const NONE: Self = Self(Cow::Borrowed("none"));

    /// Wraps a code that the connector itself defines. Unchecked.
    pub const fn internal(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }

    /// Builds a code from the connector's own words and a number of its own. Unchecked.
    pub fn counted(before: &'static str, number: u64, after: &'static str) -> Self {
        Self(Cow::Owned(format!("{before}{number}{after}")))
    }

    /// Checks a code of another system. `None` if it is not safe to show.
    pub fn read(code: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./+".contains(&byte);
        let digits = code.bytes().filter(u8::is_ascii_digit).count();
        ((1..=LONGEST).contains(&code.len()) && code.bytes().all(is_allowed) && digits <= MOST_DIGITS)
            .then(|| Self(Cow::Owned(code.to_owned())))
    }

    /// Checks a code of another system. [`Code::NONE`] if it is not safe to show.
    pub fn of(code: &str) -> Self {
        Self::read(code).unwrap_or(Self::NONE)
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Code {
    fn from(code: String) -> Self {
        Self::of(&code)
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0.into_owned()
    }
}

impl From<i64> for Code {
    fn from(number: i64) -> Self {
        Self::of(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_and_type_names_are_accepted() {
        for word in ["absent_subscriber", "131047", "-5", "KMS.DisabledException", "forms/secure-invitation", "a+b"] {
            assert_eq!(Code::of(word).as_str(), word);
        }
    }

    #[test]
    fn phone_numbers_and_texts_become_none() {
        let long = "x".repeat(65);
        for word in [
            "unreachable_491713920017",
            "+491713920017",
            "49-171-392",
            "4917139",
            "call me",
            "said:hello",
            "Grüße",
            "line\nbreak",
            "",
            &long,
        ] {
            assert_eq!(Code::of(word), Code::NONE, "{word}");
            let read: Code = serde_json::from_value(word.into()).unwrap();
            assert_eq!(read, Code::NONE, "also from a queue: {word}");
        }
        assert_eq!((Code::from(131_047), Code::from(491_713_920_017)), (Code::internal("131047"), Code::NONE));
    }

    proptest! {
        #[test]
        fn no_phone_number_is_shown_whatever_is_around_it(
            before in "[a-z_./+-]{0,12}", number in "[0-9]([-._/]?[0-9]){6,14}", after in "[a-z_./+-]{0,12}"
        ) {
            prop_assert_eq!(Code::read(&format!("{before}{number}{after}")), None);
        }
    }
}
