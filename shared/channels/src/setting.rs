//! The description of a channel's settings, for the commands that write, check and show a line's secret, and for the documentation.

use serde_json::{Map, Value};

/// A setting of a channel's lines: a field of the object under the channel's name in a line's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The name of the field.
    pub name: &'static str,
    /// Whether every line needs it.
    pub required: bool,
    /// The type of the value, and an example.
    pub value: SettingValue,
    /// The meaning, the limits and the default, in Markdown, as sentences.
    pub meaning: &'static str,
}

/// The type of a setting's value, and an example of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingValue {
    /// A text that is not a secret.
    Text(&'static str),
    /// `true` or `false`.
    Flag(bool),
    /// A list of texts.
    Texts(&'static [&'static str]),
    /// A text that nobody else may know.
    Secret(SecretValue),
}

/// A setting that is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretValue {
    /// Who makes it.
    pub origin: SecretOrigin,
    /// What it is used for.
    pub purpose: SecretPurpose,
    /// Where it comes from, or what else is done with it: part of a sentence that starts in lower case.
    pub hint: &'static str,
}

/// Who makes a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretOrigin {
    /// The channel's vendor. It is copied from there.
    Vendor,
    /// The operator, who enters it at the vendor, too. `connector secret template` proposes 64 hexadecimal digits.
    Operator,
}

/// The use of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretPurpose {
    /// The channel signs its requests with it, or sends it in them, as the only proof of where they come from.
    Proof,
    /// It authorizes the connector's calls, after `Bearer` in a header.
    BearerToken,
    /// Anything else.
    Other,
}

impl SettingValue {
    /// The value in an example of the settings. Of a secret, this is the hint.
    pub fn example(self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Flag(flag) => flag.into(),
            Self::Texts(texts) => texts.into(),
            Self::Secret(secret) => secret.hint.into(),
        }
    }

    /// The name of the type in the documentation.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Text(_) | Self::Secret(_) => "string",
            Self::Flag(_) => "boolean",
            Self::Texts(_) => "list of strings",
        }
    }
}

/// An object with an example of every setting.
pub fn example(settings: &[Setting]) -> Value {
    let fields = settings.iter().map(|setting| (setting.name.to_owned(), setting.value.example()));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// A secret that is copied from the vendor.
pub(crate) const fn vendor_secret(purpose: SecretPurpose, hint: &'static str) -> SettingValue {
    SettingValue::Secret(SecretValue { origin: SecretOrigin::Vendor, purpose, hint })
}

/// A secret that the operator chooses.
pub(crate) const fn chosen_secret(purpose: SecretPurpose, hint: &'static str) -> SettingValue {
    SettingValue::Secret(SecretValue { origin: SecretOrigin::Operator, purpose, hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_needs_the_required_settings_and_no_others() {
        for channel in crate::ALL {
            let settings = example(channel.settings());
            assert!(channel.line(&settings).is_ok(), "{}", channel.name());
            for setting in channel.settings() {
                let mut without = settings.clone();
                without.as_object_mut().unwrap().remove(setting.name);
                let (name, is_refused) = (setting.name, channel.line(&without).is_err());
                assert_eq!(is_refused, setting.required, "{}.{name}", channel.name());
            }
        }
    }
}
