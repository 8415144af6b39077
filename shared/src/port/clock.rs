//! Time, as a port: logic takes the time as an argument, and only the edges ask for it.

use jiff::Timestamp;

/// Tells the time. Handlers ask once per event or call and pass the answer on.
pub trait Clock: Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock: the only place in the workspace that reads it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one clock that the ban points to")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
