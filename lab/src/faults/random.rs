//! Reproducible random choices: each depends on the seed and a key, not on earlier choices.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The random choices of one drill.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeededRandom {
    seed: u64,
}

impl SeededRandom {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number below `end` for this key; 0 if `end` is 0.
    pub(crate) fn below(self, end: u64, key: impl Hash) -> u64 {
        // SipHash with fixed keys: the same in every run of one build.
        let mut hasher = DefaultHasher::new();
        (self.seed, key).hash(&mut hasher);
        hasher.finish().checked_rem(end).unwrap_or(0)
    }

    /// Whether an event with this probability per thousand occurs for this key.
    pub(crate) fn hits(self, per_mille: u16, key: impl Hash) -> bool {
        self.below(1000, key) < u64::from(per_mille)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_values_at_about_the_requested_rate() {
        let rolls = |seed| (0..1000).map(|n| SeededRandom::new(seed).hits(100, n)).collect::<Vec<_>>();
        assert_eq!(rolls(1), rolls(1));
        assert_ne!(rolls(1), rolls(2));
        assert!((60..140).contains(&rolls(3).iter().filter(|hit| **hit).count()));
        assert_eq!(SeededRandom::new(1).below(0, "nothing"), 0);
    }
}
