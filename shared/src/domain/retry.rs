//! What to do with a failure, and how long to wait.

use jiff::SignedDuration;

/// What becomes of a message after a failure. Every error type of the connector answers with one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Try again: the failure is expected to pass.
    Retry {
        /// The least time to wait, where the other side named one; the ladder decides otherwise.
        after: Option<SignedDuration>,
    },
    /// Try again after just this time: something of our own is not ready yet (a lease, a webhook that is on its way).
    Again {
        /// How long to wait.
        after: SignedDuration,
    },
    /// Repeating would fail again: keep the message with the reason, for a person.
    Park,
}

impl Disposition {
    /// Try again as the ladder says.
    pub const RETRY: Self = Self::Retry { after: None };
}

/// How long a message is tried before it is parked: LiveEngage's own outages are hours, not days.
pub const RETRY_FOR: SignedDuration = SignedDuration::from_hours(12);

const LONGEST: SignedDuration = SignedDuration::from_mins(15);

/// The wait before the next attempt, after `attempts` of them (1 for the first).
///
/// LivePerson's retry policy asks for 5, 10 and 15 s after a 5xx and then for intervals that grow; here they double up to
/// 15 minutes. A longer wait that the other side asked for wins, up to the 12 hours of SQS's visibility timeout.
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
    asked.unwrap_or(SignedDuration::ZERO).max(ladder).min(RETRY_FOR)
}

/// A little more than `wait`, by at most a tenth: messages that failed together must not come back together. Waits under a minute
/// stay what LivePerson asks for. The same `seed` gives the same.
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
    }

    #[test]
    fn a_hundred_messages_that_failed_together_come_back_apart() {
        let waits: std::collections::BTreeSet<_> =
            (0..100).map(|seed| spread(SignedDuration::from_mins(15), seed * 7919)).collect();
        assert!(waits.len() > 50, "{}", waits.len());
    }

    #[test]
    fn the_ladder_is_liveengages_and_then_doubles_to_a_quarter_of_an_hour() {
        let waits: Vec<i64> = (1..=12).map(|n| wait_after(n, None).as_secs()).collect();
        assert_eq!(waits, [5, 10, 15, 30, 60, 120, 240, 480, 900, 900, 900, 900]);
    }

    #[test]
    fn a_longer_wait_that_was_asked_for_wins_within_twelve_hours() {
        assert_eq!(wait_after(1, Some(SignedDuration::from_secs(2))).as_secs(), 5);
        assert_eq!(wait_after(1, Some(SignedDuration::from_secs(77))).as_secs(), 77);
        assert_eq!(wait_after(1, Some(SignedDuration::from_hours(99))), SignedDuration::from_hours(12));
        assert_eq!(wait_after(u32::MAX, None).as_secs(), 900);
    }
}
