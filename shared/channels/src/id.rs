//! The ids of channels. Only the channel's own folder may interpret them.

use connector_message::id;

id!(hidden
    /// A channel's id of a consumer. Unique per line.
    ///
    /// Often a phone number: hidden in `Debug`, and without `Display`.
    ChannelUserId, "channel user id", id::is_opaque, id::OPAQUE_RULE);

id!(hidden
    /// A channel's id of an inbound event. Deduplication uses it. Unique per line.
    ///
    /// WhatsApp's ids contain the consumer's phone number in Base64: hidden in `Debug`, and without `Display`.
    ProviderMessageId, "provider message id", id::is_opaque, id::OPAQUE_RULE);

const REFERENCE_RULE: &str = "up to 64 hex digits, a dot, and a number";

fn is_reference(text: &str) -> bool {
    text.split_once('.').is_some_and(|(message, number)| {
        (1..=64).contains(&message.len())
            && message.bytes().all(|b| b.is_ascii_hexdigit())
            && (1..=4).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

id!(shown
    /// The connector's id of a call that sends a message or a part of it. Channels return it in their reports.
    ///
    /// The message's [`reference`](connector_channels::message::OutboundMessage::reference), a dot, and the number of the call.
    CallReference, "reference", is_reference, REFERENCE_RULE);

impl CallReference {
    /// Creates the reference of a message's call number `number`, counted from 0. `None` if `reference` is not 1 to 64 hex digits.
    pub fn of(reference: &str, number: usize) -> Option<Self> {
        Self::new(format!("{reference}.{number}")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_never_shows_in_debug() {
        let user = ChannelUserId::new("+4915112345678").unwrap();
        assert_eq!(format!("{user:?}"), "ChannelUserId(hidden)");
        assert!(!format!("{:?}", ChannelUserId::new("\u{0}+4915112345678").unwrap_err()).contains("4915"));
    }
}
