//! The clock. Logic takes the time as an argument, and only the entry points read the clock.

use jiff::Timestamp;

/// Returns the time. Handlers read it once per event or call and pass it on.
pub trait Clock: Send + Sync {
    /// Returns the current instant.
    fn now(&self) -> Timestamp;
}
