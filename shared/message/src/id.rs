//! Identifiers as types, so that one can't be passed for another. [`id!`](crate::id!) defines such a type.
//!
//! Only the module of the system that issued an id may interpret it. Ids are stored in DynamoDB keys and queue messages: their text form
//! must not change.

/// Why a text is not an id of the expected kind. Never holds the text itself: it may be a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind}: {rule}")]
pub struct InvalidId {
    /// The kind of id, for example `line id`.
    pub kind: &'static str,
    /// The rule that the text breaks, as part of a sentence.
    pub rule: &'static str,
}

/// The rule of [`is_name`].
pub const NAME_RULE: &str = "1 to 64 letters, digits, '-' or '_'";
/// The rule of [`is_opaque`].
pub const OPAQUE_RULE: &str = "1 to 256 characters, none of them a control character";

/// Whether a text can be used in a URL path or a table key without escaping.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether a text can be an id that another system issued.
pub fn is_opaque(text: &str) -> bool {
    (1..=256).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Defines a newtype around `String` for an id: `id!(shown /// What it is. Name, "kind", check, RULE)`.
///
/// `check` is a function that decides whether a text is such an id, and `RULE` describes it for an error message. A `hidden` id, such as a
/// phone number, doesn't show its value in `Debug` and has no `Display`. A crate that uses the macro must depend on `serde`.
#[macro_export]
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $check:path, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks a text and wraps it as an id.
            ///
            /// # Errors
            /// [`InvalidId`] names the kind of id and the rule.
            pub fn new(text: impl Into<String>) -> Result<Self, $crate::id::InvalidId> {
                let text = text.into();
                if $check(&text) { Ok(Self(text)) } else { Err($crate::id::InvalidId { kind: $kind, rule: $rule }) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::id::InvalidId;
            fn try_from(text: String) -> Result<Self, $crate::id::InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
    (shown $(#[$doc:meta])* $name:ident, $kind:literal, $check:path, $rule:expr) => {
        $crate::id!($(#[$doc])* $name, $kind, $check, $rule);

        // Written by hand: the code that `derive_more` generates would make it a dependency of every crate that uses this macro.
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
    (hidden $(#[$doc:meta])* $name:ident, $kind:literal, $check:path, $rule:expr) => {
        $crate::id!($(#[$doc])* $name, $kind, $check, $rule);

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}(hidden)", stringify!($name))
            }
        }
    };
}
