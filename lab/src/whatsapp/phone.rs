//! A phone and its owner on WhatsApp.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::phone::{self, is_e164};

/// The time after the consumer's last message within which the connector may write: 24 hours (Meta, "customer service
/// windows").
const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// A phone on WhatsApp.
pub(super) type WhatsAppPhone = phone::Phone<Profile>;
/// The phones of the account.
pub(super) type WhatsAppPhonebook = phone::Phonebook<Profile>;

/// The profile of the phone's owner.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) username: Option<String>,
    /// The business-scoped user id, for example `US.13491208655302741918`. Since April 2026 every consumer has one.
    pub(super) user_id: Option<String>,
    /// Whether webhooks omit the number.
    pub(super) is_number_hidden: bool,
}

impl From<&str> for Profile {
    /// The profile of the owner of the phone with this number.
    fn from(number: &str) -> Self {
        let last_digits: String = number.chars().skip(number.chars().count().saturating_sub(4)).collect();
        Self {
            name: format!("Consumer {last_digits}"),
            username: None,
            user_id: Some(user_id_of(number)),
            is_number_hidden: false,
        }
    }
}

/// The number of the phone whose owner has this business-scoped user id.
pub(super) fn number_of(phonebook: &WhatsAppPhonebook, user_id: &str) -> Option<String> {
    phonebook.find(|phone| phone.profile.user_id.as_deref() == Some(user_id)).map(|phone| phone.number.clone())
}

/// WhatsApp's id of a phone's number: its digits.
pub(super) fn wa_id(phone: &WhatsAppPhone) -> &str {
    phone.number.trim_start_matches('+')
}

/// Whether the connector may write to the phone without a template.
pub(super) fn is_window_open(phone: &WhatsAppPhone, now: Timestamp) -> bool {
    phone.last_written.is_some_and(|written| now.duration_since(written) < WINDOW)
}

/// The number in E.164 form with the plus, from a form that Meta accepts: with or without plus, spaces, hyphens,
/// parentheses.
pub(super) fn normalized(number: &str) -> Option<String> {
    let digits: String = number.chars().filter(|char| !matches!(char, ' ' | '-' | '(' | ')')).collect();
    let number = format!("+{}", digits.strip_prefix('+').unwrap_or(&digits));
    is_e164(&number).then_some(number)
}

/// A user id in Meta's format. It is always the same for a number and doesn't contain its digits.
fn user_id_of(number: &str) -> String {
    format!("US.{}", Uuid::new_v5(&Uuid::NAMESPACE_OID, number.as_bytes()).as_u128())
}

/// Two capital letters, a period, and 1 to 128 letters, digits and periods (Meta, "Business-scoped user IDs").
pub(super) fn is_user_id(id: &str) -> bool {
    id.split_once('.').is_some_and(|(country, rest)| {
        country.len() == 2
            && country.bytes().all(|byte| byte.is_ascii_uppercase())
            && (1..=132).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_open_for_24_hours_after_the_consumers_last_message() {
        let mut phonebook = WhatsAppPhonebook::default();
        let phone = phonebook.entry("+12025550143");
        let written = Timestamp::from_second(1_780_000_000).unwrap();
        assert!(!is_window_open(phone, written), "the consumer has never written");
        phone.last_written = Some(written);
        assert!(is_window_open(phone, written + SignedDuration::from_secs(86_399)));
        assert!(!is_window_open(phone, written + SignedDuration::from_secs(86_400)));
    }

    #[test]
    fn a_number_is_accepted_in_every_form_that_meta_accepts() {
        for form in ["+12025550143", "12025550143", "+1 (202) 555-0143"] {
            assert_eq!(normalized(form).as_deref(), Some("+12025550143"), "{form}");
        }
        for form in ["", "US.17", "0202555014", "+1202555014x", "123456", "1234567890123456", "++12025550143"] {
            assert_eq!(normalized(form), None, "{form}");
        }
    }

    #[test]
    fn a_user_id_has_a_country_code_and_a_period() {
        for id in ["US.13491208655302741918", "DE.a7", "US.ENT.118157"] {
            assert!(is_user_id(id), "{id}");
        }
        for id in ["", "US", "US.", "us.17", "USA.17", "12025550143", "US.1-2"] {
            assert!(!is_user_id(id), "{id}");
        }
    }
}
