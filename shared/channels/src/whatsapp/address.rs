//! The address of a consumer.
//!
//! Meta identifies a consumer by a phone number (`from`, `wa_id`, `recipient_id`) and by a business-scoped user id (`user_id`, for example
//! `US.13491208655302741918`). The number is missing if the consumer has a user name and the business doesn't have the number. The address
//! is the phone number in E.164 if there is one, and otherwise the user id, because
//!
//! - Meta always sends the number of a consumer with whom the business has exchanged messages by number (its "contact book"), and therefore
//!   recommends sending to numbers: an address that is a number doesn't change;
//! - the user id changes when a business moves to another portfolio, and reports of a failure to a number don't contain it;
//! - agents and CRM systems identify consumers by their numbers.
//!
//! The disadvantage: a consumer who first writes without a number and later shows it becomes a second consumer in LiveEngage. So does a
//! consumer with a new phone number, because both change.

use crate::id::ChannelUserId;

/// The maximum number of digits of a phone number. E.164 has 15, and test numbers can have more.
const MOST_DIGITS: usize = 20;

/// Returns the address of a consumer with this phone number and user id. `None` if neither is usable.
pub(super) fn address(phone: Option<&str>, user_id: Option<&str>) -> Option<ChannelUserId> {
    let text = match (phone.map(|phone| phone.strip_prefix('+').unwrap_or(phone)), user_id) {
        (Some(digits), _) if is_digits(digits) => format!("+{digits}"),
        // A user id with a plus sign would be used as a number.
        (_, Some(name)) | (Some(name), None) if !name.starts_with('+') => name.to_owned(),
        _ => return None,
    };
    ChannelUserId::new(text).ok()
}

fn is_digits(text: &str) -> bool {
    (1..=MOST_DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Returns the field for the receiver, and its value: `to` for a phone number and `recipient` for a user id. The Graph API accepts a user
/// id in `to`, but treats it as a phone number, and doesn't deliver the message.
pub(super) fn receiver(user: &ChannelUserId) -> (&'static str, &str) {
    // Includes the plus sign: without it, Meta may add the country code of the brand's own number.
    if user.as_str().starts_with('+') { ("to", user.as_str()) } else { ("recipient", user.as_str()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(phone: Option<&str>, user_id: Option<&str>) -> Option<String> {
        address(phone, user_id).map(|user| user.as_str().to_owned())
    }

    #[test]
    fn the_phone_number_is_the_address_with_and_without_a_user_id() {
        for user_id in [None, Some("DE.5520017734981")] {
            assert_eq!(text(Some("4915209988771"), user_id).as_deref(), Some("+4915209988771"));
            assert_eq!(text(Some("+4915209988771"), user_id).as_deref(), Some("+4915209988771"));
        }
    }

    #[test]
    fn the_user_id_is_the_address_where_there_is_no_number() {
        assert_eq!(text(None, Some("DE.5520017734981")).as_deref(), Some("DE.5520017734981"));
        assert_eq!(text(Some(""), Some("DE.5520017734981")).as_deref(), Some("DE.5520017734981"));
        assert_eq!(text(Some("DE.5520017734981"), None).as_deref(), Some("DE.5520017734981"));
        for nobody in [(None, None), (Some(""), None), (Some("+49x"), Some("+49y")), (Some("\u{7}"), None)] {
            assert_eq!(text(nobody.0, nobody.1), None, "{nobody:?}");
        }
    }

    #[test]
    fn a_user_id_never_goes_into_the_field_for_numbers() {
        let receiver_of = |text: &str| receiver(&ChannelUserId::new(text).unwrap()).0;
        assert_eq!(receiver_of("+4915209988771"), "to");
        assert_eq!(receiver_of("DE.5520017734981"), "recipient");
        assert_eq!(receiver_of("US.ENT.11815799212886844830"), "recipient");
    }
}
