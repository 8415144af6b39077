//! How old a message may be when it comes in.
//!
//! A webhook that somebody captured is signed rightly for ever where the signature has no time in it (LiveEngage, WhatsApp). A
//! repeated message is known for 14 days by its id. After that its own time must tell: an older one is not believed.

use jiff::{SignedDuration, Timestamp};

/// The oldest message that is believed: a day less than the connector remembers that it has come. The senders give up long before:
/// LiveEngage after three days, Meta after seven.
pub const OLDEST: SignedDuration = SignedDuration::from_hours(13 * 24);

/// Before 2015 neither side sent anything: such a time is missing, or was misread.
const FIRST_TIME: Timestamp = Timestamp::constant(1_420_070_400, 0);

/// Whether a message that its sender dates `at` can only be a repetition of one that the connector has forgotten.
///
/// A message without a time is believed: it may be a person's, and neither sender leaves the time out. So is one from the future:
/// somebody who repeats what they captured can't choose its time.
pub(super) fn is_too_old(at: Timestamp, now: Timestamp) -> bool {
    at >= FIRST_TIME && now.duration_since(at) > OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_believed_for_as_long_as_it_is_remembered() {
        let now: Timestamp = "2026-06-15T09:30:00Z".parse().unwrap();
        for (at, too_old) in [
            (now, false),
            (now - OLDEST, false),
            (now - OLDEST - SignedDuration::from_secs(1), true),
            (now - SignedDuration::from_hours(24 * 365), true),
            // Meta's last attempt, and LiveEngage's.
            (now - SignedDuration::from_hours(7 * 24), false),
            (now - SignedDuration::from_hours(3 * 24), false),
            (now + SignedDuration::from_hours(24), false),
            // No time, and milliseconds that were taken for seconds, or the other way round.
            (Timestamp::UNIX_EPOCH, false),
            (Timestamp::from_millisecond(now.as_second()).unwrap(), false),
            (Timestamp::MAX, false),
            (Timestamp::MIN, false),
        ] {
            assert_eq!(is_too_old(at, now), too_old, "{at}");
        }
    }
}
