//! Clocks for tests.

use connector::port::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Follows tokio's clock, so that a paused runtime moves the queues' time together with its timers.
#[derive(Debug)]
pub(crate) struct RuntimeClock {
    started: Instant,
}

impl RuntimeClock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.started.elapsed()).unwrap();
        Timestamp::from_second(1_800_000_000).unwrap() + elapsed
    }
}
