//! What a person's address is.
//!
//! Meta names a person by a phone number (`from`, `wa_id`, `recipient_id`) and by a business-scoped user id (`user_id`, for
//! example `US.13491208655302741918`). The number is missing for people who have taken a user name and whom the business has no
//! number of. The address here is the phone number in E.164 wherever there is one, and the user id otherwise, because
//!
//! - Meta keeps telling the number of everybody whom the business has exchanged messages with under it (its "contact book"), and
//!   recommends sending to numbers for that reason: who has a number here keeps it;
//! - the user id changes when a business moves to another portfolio, and reports of a failure to a number leave it out;
//! - an agent's desk and a CRM know people by their numbers.
//!
//! The price: somebody who first writes without a number and later shows it becomes a second consumer in LiveEngage. So does
//! whoever takes a new phone number: that changes both.

use crate::domain::id::ChannelUserId;

/// The most digits of a phone number that is believed: E.164 has 15, and test numbers can have more.
const MOST_DIGITS: usize = 20;

/// A person's address, from the names that Meta gives; `None` where there is no usable one.
pub(super) fn address(phone: Option<&str>, user_id: Option<&str>) -> Option<ChannelUserId> {
    let text = match (phone.map(|phone| phone.strip_prefix('+').unwrap_or(phone)), user_id) {
        (Some(digits), _) if is_digits(digits) => format!("+{digits}"),
        // A name that begins like a number would be sent to as one.
        (_, Some(name)) | (Some(name), None) if !name.starts_with('+') => name.to_owned(),
        _ => return None,
    };
    ChannelUserId::new(text).ok()
}

fn is_digits(text: &str) -> bool {
    (1..=MOST_DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// The field that names the receiver, and its value: `to` for a phone number and `recipient` for a user id. Graph accepts a user
/// id in `to`, takes it for a phone number, and nobody gets the message.
pub(super) fn receiver(user: &ChannelUserId) -> (&'static str, &str) {
    // With the plus sign: without one, Meta may prepend the country code of the brand's own number.
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
