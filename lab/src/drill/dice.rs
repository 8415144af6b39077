//! Chance that comes out the same again: each roll depends on the seed and on what it is about, not on the rolls before it.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The dice of one drill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice {
    seed: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number below `end` for this matter; 0 where there is none below.
    pub(super) fn below(self, end: u64, matter: impl Hash) -> u64 {
        // SipHash with fixed keys: the same in every run of one build.
        let mut hasher = DefaultHasher::new();
        (self.seed, matter).hash(&mut hasher);
        hasher.finish().checked_rem(end).unwrap_or(0)
    }

    /// Whether something befalls this matter that befalls so many of a thousand.
    pub(super) fn hits(self, per_mille: u16, matter: impl Hash) -> bool {
        self.below(1000, matter) < u64::from(per_mille)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_rolls_the_same_and_about_as_often_as_asked() {
        let rolls = |seed| (0..1000).map(|n| Dice::new(seed).hits(100, n)).collect::<Vec<_>>();
        assert_eq!(rolls(1), rolls(1));
        assert_ne!(rolls(1), rolls(2));
        assert!((60..140).contains(&rolls(3).iter().filter(|hit| **hit).count()));
        assert_eq!(Dice::new(1).below(0, "nothing"), 0);
    }
}
