//! A breaker: while the other side is down, messages wait without a call being made for each of them.
//!
//! Closed, it lets every call through. After [`FAILURES`] failures in a row it is open: nothing goes through until its pause is over. Then
//! one call may try; its success closes the breaker, and its failure opens it for twice as long, up to [`LONGEST_PAUSE`].

use jiff::{SignedDuration, Timestamp};

/// How many failures in a row open it: fewer would be one bad moment.
pub const FAILURES: u32 = 5;

/// The first pause: as long as LivePerson's own second retry waits.
pub const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// The longest pause: an outage that is over is found out within it.
pub const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// The state of one other side, as one process sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Breaker {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    until: Timestamp,
    pause: SignedDuration,
}

impl Breaker {
    /// Whether a call may be made at `now`; if not, how long to wait. Whoever is let through after a pause is the only one until
    /// [`Breaker::note`] or the next pause is over.
    ///
    /// # Errors
    /// The time to wait, at least a second.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), SignedDuration> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if now < open.until {
            return Err(open.until.duration_since(now).max(SignedDuration::from_secs(1)));
        }
        open.until = now.checked_add(open.pause).unwrap_or(Timestamp::MAX);
        Ok(())
    }

    /// Notes how a call ended: `reached` means that the other side answered at all, be it with a refusal.
    pub fn note(&mut self, reached: bool, now: Timestamp) {
        if reached {
            *self = Self::default();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let pause = match &self.open {
            Some(open) => (open.pause * 2).min(LONGEST_PAUSE),
            None if self.failures >= FAILURES => FIRST_PAUSE,
            None => return,
        };
        self.open = Some(Open { until: now.checked_add(pause).unwrap_or(Timestamp::MAX), pause });
    }

    /// Whether calls are held back at the moment.
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert_eq!(breaker.admit(at(0)), Ok(()));
            breaker.note(false, at(0));
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_between_does_not() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                breaker.note(false, at(0));
            }
            breaker.note(true, at(0));
        }
        assert!(!breaker.is_open());
        assert!(opened().is_open());
    }

    #[test]
    fn while_it_is_open_nothing_goes_through_and_then_one_call() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(4)), Err(SignedDuration::from_secs(6)));
        assert_eq!(breaker.admit(at(10)), Ok(()), "one may try");
        assert!(breaker.admit(at(10)).is_err(), "and no second one");
        breaker.note(true, at(11));
        assert_eq!(breaker.admit(at(11)), Ok(()));
    }

    #[test]
    fn a_trial_that_is_never_noted_does_not_close_it_for_ever() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(at(10)), Ok(()));
        assert_eq!(breaker.admit(at(20)), Ok(()), "the function of the first may have been stopped");
    }

    proptest! {
        #[test]
        fn the_wait_is_never_longer_than_a_minute_and_an_answer_always_closes_it(
            steps in prop::collection::vec((any::<bool>(), 0i64..200), 0..60)
        ) {
            let (mut breaker, mut now) = (Breaker::default(), 0);
            for (reached, later) in steps {
                now += later;
                match breaker.admit(at(now)) {
                    Ok(()) => breaker.note(reached, at(now)),
                    Err(wait) => prop_assert!(wait <= LONGEST_PAUSE && wait >= SignedDuration::from_secs(1)),
                }
            }
            breaker.note(true, at(now));
            prop_assert_eq!(breaker.admit(at(now)), Ok(()));
        }
    }
}
