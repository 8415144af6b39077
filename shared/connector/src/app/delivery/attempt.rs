//! An attempt at a queue message: who makes it, and how much time it has.

use std::num::NonZeroU16;

use jiff::{SignedDuration, Timestamp};

use crate::{app::error::DeliveryError, domain::id::Owner, port::Clock};

/// One attempt at one queue message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The owner of its leases.
    pub owner: Owner,
    /// When it started.
    pub now: Timestamp,
    /// When Lambda stops the function.
    pub deadline: Timestamp,
    /// How often the queue has delivered the message, this time included.
    pub received: u32,
    /// The scale of the function's timeout, and of the longest time of its calls.
    pub time_scale: TimeScale,
}

/// By what factor the function's times are shorter than the template's.
///
/// 1, except in a drill: it stops functions, and can't wait a minute each time until a lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeScale(NonZeroU16);

impl TimeScale {
    /// The times of the template.
    pub const TEMPLATE: Self = Self(NonZeroU16::MIN);

    /// Times shorter by this factor.
    pub const fn times(faster: NonZeroU16) -> Self {
        Self(faster)
    }

    /// Scales a time.
    pub fn of(self, time: SignedDuration) -> SignedDuration {
        time / i32::from(self.0.get())
    }
}

impl Attempt {
    /// Checks that there is time for one more call, which takes at most `needed`.
    ///
    /// # Errors
    /// [`DeliveryError::OutOfTime`]. The outcome of a call is uncertain if the function is stopped during it, so the next attempt does the
    /// rest.
    pub(in crate::app) fn check_time(&self, clock: &dyn Clock, needed: SignedDuration) -> Result<(), DeliveryError> {
        if self.deadline.duration_since(clock.now()) < self.time_scale.of(needed) {
            Err(DeliveryError::OutOfTime)
        } else {
            Ok(())
        }
    }
}

/// The message must be delivered again by the queue, after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryLater {
    /// How long to wait.
    pub after: SignedDuration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faster_scale_shortens_every_time() {
        let minute = SignedDuration::from_mins(1);
        let twelve_times = TimeScale::times(NonZeroU16::new(12).unwrap());
        assert_eq!([TimeScale::TEMPLATE, twelve_times].map(|scale| scale.of(minute).as_secs()), [60, 5]);
    }

    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0).unwrap()
        }
    }

    #[test]
    fn a_call_may_take_all_the_time_that_is_left_and_no_more() {
        let attempt = Attempt {
            owner: Owner::new("a").unwrap(),
            now: At(0).now(),
            deadline: At(60).now(),
            received: 1,
            time_scale: TimeScale::TEMPLATE,
        };
        let check = |second| attempt.check_time(&At(second), SignedDuration::from_secs(8));
        assert_eq!([51, 52, 53].map(check), [Ok(()), Ok(()), Err(DeliveryError::OutOfTime)]);
    }
}
