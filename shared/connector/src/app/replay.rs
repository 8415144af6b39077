//! How old an incoming message may be.
//!
//! If a signature covers no time (LiveEngage, WhatsApp), a captured webhook stays authentic forever. The connector recognizes a repeated
//! message by its id for 14 days. After that it goes by the message's own time, and rejects an older one.

use jiff::{SignedDuration, Timestamp};

/// The age of the oldest message that is accepted: a day less than the time for which the connector recognizes a repetition.
///
/// The senders give up long before: LiveEngage after three days, Meta after seven.
pub const OLDEST: SignedDuration = SignedDuration::from_hours(13 * 24);

/// 2015-01-01 in UTC. Neither side sent anything before: an earlier time is missing or was misread.
const FIRST_TIME: Timestamp = Timestamp::constant(1_420_070_400, 0);

/// Whether a message with the sender's time `at` can only be a repetition of one that the connector no longer remembers.
///
/// A message without a time is accepted: it may be a consumer's, and neither sender leaves the time out. A message from the future is
/// accepted, too: an attacker who repeats a captured webhook can't change its time.
pub(super) fn is_too_old(at: Timestamp, now: Timestamp) -> bool {
    at >= FIRST_TIME && now.duration_since(at) > OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_accepted_for_as_long_as_its_repetition_is_recognized() {
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
            // No time, and milliseconds that were parsed as seconds, or vice versa.
            (Timestamp::UNIX_EPOCH, false),
            (Timestamp::from_millisecond(now.as_second()).unwrap(), false),
            (Timestamp::MAX, false),
            (Timestamp::MIN, false),
        ] {
            assert_eq!(is_too_old(at, now), too_old, "{at}");
        }
    }
}
