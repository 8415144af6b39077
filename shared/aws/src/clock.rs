//! The machine's clock.

use connector::port::Clock;
use jiff::Timestamp;

/// The machine's clock. Only this type reads it in the whole workspace.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that the ban points to")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
