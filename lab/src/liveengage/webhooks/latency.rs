//! LivePerson's rule against slow endpoints.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// When an endpoint is too slow. LivePerson may then disable the app install without a warning.
///
/// How LivePerson measures is not documented. Here an endpoint is too slow when the mean answer time of the calls
/// within the window was above the limit after each call for the length of the window. A window without calls starts
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlowRule {
    /// The highest allowed mean answer time.
    pub limit: Duration,
    /// The time for which it may be exceeded.
    pub window: Duration,
}

impl SlowRule {
    /// The documented rule: 2.5 s over 2 minutes.
    pub fn documented() -> Self {
        Self { limit: Duration::from_millis(2500), window: Duration::from_secs(120) }
    }
}

/// The answer times of an endpoint.
#[derive(Debug, Default)]
pub(super) struct AnswerTimes {
    /// The end of each call and its duration.
    calls: VecDeque<(Instant, Duration)>,
    /// When the mean exceeded the limit.
    slow_since: Option<Instant>,
}

impl AnswerTimes {
    /// Records a call that has just ended. Returns whether the endpoint is too slow.
    pub(super) fn record(&mut self, rule: SlowRule, ended: Instant, took: Duration) -> bool {
        while self.calls.front().is_some_and(|(at, _)| ended.duration_since(*at) > rule.window) {
            self.calls.pop_front();
        }
        if self.calls.is_empty() {
            self.slow_since = None;
        }
        self.calls.push_back((ended, took));
        let total: Duration = self.calls.iter().map(|(_, took)| *took).sum();
        let allowed = rule.limit.saturating_mul(u32::try_from(self.calls.len()).unwrap_or(u32::MAX));
        if total <= allowed {
            self.slow_since = None;
            return false;
        }
        let began = ended.checked_sub(took).unwrap_or(ended);
        let since = *self.slow_since.get_or_insert(began);
        ended.duration_since(since) >= rule.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: SlowRule = SlowRule { limit: Duration::from_secs(2), window: Duration::from_secs(60) };

    /// Takes calls as (second of the end, duration in milliseconds). Returns whether each made the endpoint too slow.
    fn verdicts(calls: &[(u64, u64)]) -> Vec<bool> {
        let start = Instant::now() + Duration::from_secs(3600);
        let mut times = AnswerTimes::default();
        let mut note = |(at, took): &(u64, u64)| {
            times.record(RULE, start + Duration::from_secs(*at), Duration::from_millis(*took))
        };
        calls.iter().map(&mut note).collect()
    }

    #[test]
    fn slow_calls_count_only_after_they_fill_the_window() {
        assert_eq!(verdicts(&[(0, 3000), (20, 3000), (40, 3000), (56, 3000)]), [false; 4]);
        assert_eq!(verdicts(&[(0, 3000), (20, 3000), (40, 3000), (57, 3000)]), [false, false, false, true]);
    }

    #[test]
    fn the_mean_counts_and_not_the_slowest_call() {
        assert_eq!(verdicts(&[(0, 3000), (30, 100), (60, 3000), (90, 3000)]), [false; 4]);
    }

    #[test]
    fn a_window_without_calls_starts_again() {
        assert_eq!(verdicts(&[(0, 3000), (61, 3000), (122, 3000)]), [false; 3]);
    }

    #[test]
    fn the_documented_rule_is_two_and_a_half_seconds_over_two_minutes() {
        let rule = SlowRule::documented();
        assert_eq!((rule.limit, rule.window), (Duration::from_millis(2500), Duration::from_secs(120)));
    }
}
