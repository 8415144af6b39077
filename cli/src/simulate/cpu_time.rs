//! How much CPU time this process has used.
//!
//! A limit in CPU time runs about as many seeds on a busy machine as on an idle one.

/// Returns the CPU time of this process in seconds.
#[cfg(unix)]
pub(super) fn seconds() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or_default()
}

/// Returns the time since the first call in seconds: there is no portable CPU time.
#[cfg(not(unix))]
pub(super) fn seconds() -> u64 {
    use std::sync::OnceLock;

    use connector::port::Clock as _;
    use connector_aws::SystemClock;

    static FIRST: OnceLock<jiff::Timestamp> = OnceLock::new();
    let now = SystemClock.now();
    u64::try_from(now.duration_since(*FIRST.get_or_init(|| now)).as_secs()).unwrap_or_default()
}
