//! The waits between attempts.

use jiff::SignedDuration;

/// How long a message is retried before it is parked. LiveEngage's outages last hours, not days.
pub const RETRY_FOR: SignedDuration = SignedDuration::from_hours(12);

/// The longest wait of the connector's own schedule.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

/// The longest wait that the other side can ask for. The consumer's next texts wait behind the message, and a side that needs more time can
/// ask again.
pub const LONGEST_ASKED: SignedDuration = SignedDuration::from_mins(15);

/// The longest wait that [`wait_after`] and [`spread`] give together. What the next attempt must find is kept for longer.
pub const LONGEST_WAIT: SignedDuration = {
    let longest = if LONGEST.as_secs() > LONGEST_ASKED.as_secs() { LONGEST } else { LONGEST_ASKED };
    SignedDuration::from_secs(longest.as_secs() + longest.as_secs() / 10)
};

/// The longest plausible `Retry-After`. A larger number is an instant as seconds since 1970, for example, or has another unit.
const NO_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// The meaning of a `Retry-After` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// Wait this long.
    Wait(SignedDuration),
    /// A number that is too large for a wait in seconds.
    NoWait {
        /// The wait that it would be, in days.
        days: u64,
    },
    /// Not a number of seconds: an HTTP date, for example. It isn't parsed, because the other side's clock may differ.
    Unread,
}

impl RetryAfter {
    /// Parses the header's value.
    pub fn read(value: &str) -> Self {
        let Ok(seconds) = value.trim().parse::<u64>() else { return Self::Unread };
        match i64::try_from(seconds).map(SignedDuration::from_secs) {
            Ok(wait) if wait <= NO_WAIT => Self::Wait(wait),
            _ => Self::NoWait { days: seconds / (24 * 60 * 60) },
        }
    }
}

/// Returns the wait before the next attempt, after `attempts` of them (1 after the first).
///
/// LivePerson's retry policy asks for 5, 10 and 15 s after a 5xx, and then for growing intervals. Here they double up to 15 minutes. A
/// longer wait that the other side asked for takes precedence, up to [`LONGEST_ASKED`].
pub fn wait_after(attempts: u32, asked: Option<SignedDuration>) -> SignedDuration {
    let ladder = match attempts {
        0 | 1 => SignedDuration::from_secs(5),
        2 => SignedDuration::from_secs(10),
        3 => SignedDuration::from_secs(15),
        more => {
            let doublings = (more - 3).min(10);
            (SignedDuration::from_secs(15) * (1 << doublings)).min(LONGEST)
        }
    };
    asked.unwrap_or(SignedDuration::ZERO).min(LONGEST_ASKED).max(ladder)
}

/// Extends `wait` by at most a tenth, so that messages that failed together aren't retried together. Waits under a minute stay as
/// LivePerson asks. The result is the same for the same `seed`.
pub fn spread(wait: SignedDuration, seed: u64) -> SignedDuration {
    let tenth = if wait.as_secs() < 60 { 0 } else { wait.as_secs() / 10 };
    let most = u64::try_from(tenth).unwrap_or(0);
    let more = i64::try_from(seed % (most + 1)).unwrap_or(0);
    (wait + SignedDuration::from_secs(more)).min(RETRY_FOR)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn spreading_adds_a_tenth_at_most(seconds in 0i64..100_000, seed: u64) {
            let wait = SignedDuration::from_secs(seconds);
            let spread = spread(wait, seed);
            prop_assert!(spread >= wait.min(RETRY_FOR) && spread <= RETRY_FOR);
            prop_assert!(spread - wait <= wait / 10);
        }

        #[test]
        fn no_wait_is_longer_than_the_longest(attempts: u32, asked in prop::option::of(any::<i64>()), seed: u64) {
            let wait = wait_after(attempts, asked.map(SignedDuration::from_secs));
            prop_assert!(spread(wait, seed) <= LONGEST_WAIT);
        }
    }

    #[test]
    fn a_hundred_messages_that_failed_together_come_back_apart() {
        let waits: std::collections::BTreeSet<_> =
            (0..100).map(|seed| spread(SignedDuration::from_mins(15), seed * 7919)).collect();
        assert!(waits.len() > 50, "{}", waits.len());
    }

    #[test]
    fn waits_of_a_minute_and_more_are_spread() {
        let spread = |seconds| spread(SignedDuration::from_secs(seconds), 5).as_secs();
        assert_eq!([59, 60, 600].map(spread), [59, 65, 605]);
    }

    #[test]
    fn the_waits_are_liveengages_and_then_double_to_a_quarter_of_an_hour() {
        let waits: Vec<i64> = (1..=12).map(|n| wait_after(n, None).as_secs()).collect();
        assert_eq!(waits, [5, 10, 15, 30, 60, 120, 240, 480, 900, 900, 900, 900]);
    }

    #[test]
    fn a_longer_wait_that_was_asked_for_wins_within_a_quarter_of_an_hour() {
        assert_eq!(wait_after(1, Some(SignedDuration::from_secs(2))).as_secs(), 5);
        assert_eq!(wait_after(1, Some(SignedDuration::from_secs(77))).as_secs(), 77);
        for hours in [1, 12, 99, 500_000] {
            assert_eq!(wait_after(1, Some(SignedDuration::from_hours(hours))), LONGEST_ASKED);
        }
        assert_eq!(wait_after(u32::MAX, None).as_secs(), 900);
    }

    proptest! {
        #[test]
        fn no_asked_wait_delays_a_message_by_more_than_a_quarter_of_an_hour(attempts: u32, asked in prop::option::of(any::<i64>())) {
            let wait = wait_after(attempts, asked.map(SignedDuration::from_secs));
            prop_assert!(wait >= SignedDuration::from_secs(5) && wait <= SignedDuration::from_mins(15), "{wait:?}");
        }
    }

    #[test]
    fn only_a_number_of_seconds_within_a_day_is_a_wait() {
        for (value, read) in [
            ("7", RetryAfter::Wait(SignedDuration::from_secs(7))),
            (" 86400 ", RetryAfter::Wait(SignedDuration::from_hours(24))),
            // Instants: seconds and milliseconds since 1970.
            ("1795903511", RetryAfter::NoWait { days: 20_785 }),
            ("1795903511000", RetryAfter::NoWait { days: 20_785_920 }),
            ("18446744073709551615", RetryAfter::NoWait { days: 213_503_982_334_601 }),
            ("Sat, 28 Nov 2026 21:45:33 GMT", RetryAfter::Unread),
            ("-5", RetryAfter::Unread),
            ("1.5", RetryAfter::Unread),
            ("", RetryAfter::Unread),
        ] {
            assert_eq!(RetryAfter::read(value), read, "{value}");
        }
    }
}
