//! Reproducible disorder of notifications.

use std::time::Duration;

/// How often notifications are duplicated, swapped or late.
///
/// The affected notifications depend on the seed, on the position of their conversation in the order of first
/// notifications, and on their position in the conversation. The same actions give the same disorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookChaos {
    /// The seed. Another seed gives another disorder.
    pub seed: u64,
    /// How many of a thousand notifications are sent twice in a row.
    pub duplicate_per_mille: u16,
    /// How many of a thousand notifications are overtaken by the next one of their conversation.
    pub swap_per_mille: u16,
    /// How many of a thousand notifications are delayed, together with the following ones of their conversation.
    pub delay_per_mille: u16,
    /// The longest delay, and the longest wait for an overtaking notification.
    pub longest_delay: Duration,
}

/// The failure of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct WebhookFailure {
    pub(super) duplicate: bool,
    pub(super) hold: Option<Duration>,
    pub(super) delay: Duration,
}

impl WebhookChaos {
    /// The failure of this notification of this conversation, both counted from 0.
    pub(super) fn failure_for(&self, conversation: u64, notification: u64) -> WebhookFailure {
        let place = scramble(scramble(self.seed ^ scramble(conversation)) ^ notification);
        let roll = |die: u64| scramble(place.wrapping_add(die));
        let hits = |die: u64, per_mille: u16| roll(die) % 1000 < u64::from(per_mille);
        let delay = match hits(3, self.delay_per_mille) {
            true => self.longest_delay.mul_f64(f64::from((roll(4) % 1000) as u16 + 1) / 1000.0),
            false => Duration::ZERO,
        };
        WebhookFailure {
            duplicate: hits(1, self.duplicate_per_mille),
            hold: hits(2, self.swap_per_mille).then_some(self.longest_delay),
            delay,
        }
    }
}

/// SplitMix64's output function: adjacent numbers give unrelated results.
fn scramble(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: WebhookChaos = WebhookChaos {
        seed: 4711,
        duplicate_per_mille: 100,
        swap_per_mille: 200,
        delay_per_mille: 300,
        longest_delay: Duration::from_millis(80),
    };

    fn thousand(chaos: WebhookChaos) -> Vec<WebhookFailure> {
        (0..10).flat_map(|conversation| (0..100).map(move |number| chaos.failure_for(conversation, number))).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_disorder() {
        assert_eq!(thousand(SOME), thousand(SOME));
        assert_ne!(thousand(SOME), thousand(WebhookChaos { seed: 4712, ..SOME }));
    }

    #[test]
    fn failures_occur_at_about_the_requested_rate() {
        let failures = thousand(SOME);
        let count = |befell: fn(&WebhookFailure) -> bool| failures.iter().filter(|failure| befell(failure)).count();
        assert!((70..130).contains(&count(|failure| failure.duplicate)));
        assert!((150..250).contains(&count(|failure| failure.hold.is_some())));
        assert!((250..350).contains(&count(|failure| !failure.delay.is_zero())));
        assert!(failures.iter().all(|failure| failure.delay <= SOME.longest_delay));
    }

    #[test]
    fn the_rate_can_be_zero_or_one() {
        let none = WebhookChaos { duplicate_per_mille: 0, swap_per_mille: 0, delay_per_mille: 0, ..SOME };
        assert!(thousand(none).iter().all(|failure| *failure == WebhookFailure::default()));
        let all = WebhookChaos { duplicate_per_mille: 1000, swap_per_mille: 1000, delay_per_mille: 1000, ..SOME };
        assert!(
            thousand(all).iter().all(|failure| failure.duplicate && failure.hold.is_some() && !failure.delay.is_zero())
        );
    }
}
