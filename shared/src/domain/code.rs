//! Words of others that may be shown: in a log, to an agent, to an operator.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// The longest word.
const LONGEST: usize = 64;

/// The most digits in one word: the longest error codes of the channels have six, and the shortest phone numbers seven.
const MOST_DIGITS: usize = 6;

/// A code or a name of a kind, as the other side says it.
///
/// Another side's word can hold anything: a gateway may report `unreachable_491713920017`, and echo our own text as its error code. So
/// a stranger's word comes into being through [`Code::read`] alone, also when it is read back from a queue: up to 64 letters, digits, and
/// `_ - . / +`, with too few digits for a phone number.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Code(Cow<'static, str>);

impl Code {
    /// What stands in for a word that can't be shown, and for none.
    pub const NONE: Self = Self(Cow::Borrowed("none"));

    /// A word of our own.
    pub const fn ours(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }

    /// Words of our own around a number of ours.
    pub fn counted(before: &'static str, number: u64, after: &'static str) -> Self {
        Self(Cow::Owned(format!("{before}{number}{after}")))
    }

    /// A stranger's word, if it can be shown.
    pub fn read(word: &str) -> Option<Self> {
        let is_shown = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./+".contains(&byte);
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        ((1..=LONGEST).contains(&word.len()) && word.bytes().all(is_shown) && digits <= MOST_DIGITS)
            .then(|| Self(Cow::Owned(word.to_owned())))
    }

    /// A stranger's word, [`Code::NONE`] for one that can't be shown.
    pub fn of(word: &str) -> Self {
        Self::read(word).unwrap_or(Self::NONE)
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Code {
    fn from(word: String) -> Self {
        Self::of(&word)
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

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_and_names_of_kinds_are_shown() {
        for word in ["absent_subscriber", "131047", "-5", "KMS.DisabledException", "forms/secure-invitation", "a+b"] {
            assert_eq!(Code::of(word).as_str(), word);
        }
    }

    #[test]
    fn numbers_texts_and_nothing_are_not_shown() {
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
        assert_eq!((Code::from(131_047), Code::from(491_713_920_017)), (Code::ours("131047"), Code::NONE));
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
