//! Random choices that the seed decides.

use fastrand::Rng;
use jiff::SignedDuration;

/// The random choices of one simulation, in the order in which they are made.
#[derive(Debug)]
pub(super) struct Random(Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// Returns a number below `end`; 0 if `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.0.u64(..end) }
    }

    /// Returns an index of a list of this length; 0 if it is empty.
    pub(super) fn index(&mut self, length: usize) -> usize {
        if length == 0 { 0 } else { self.0.usize(..length) }
    }

    /// Whether something with this probability per thousand happens now.
    pub(super) fn hits(&mut self, per_mille: u16) -> bool {
        // A number is drawn even if it can't happen, so that without one fault the other choices stay the same.
        self.below(1000) < u64::from(per_mille)
    }

    /// Returns a time between two, in whole milliseconds.
    pub(super) fn between(&mut self, shortest: SignedDuration, longest: SignedDuration) -> SignedDuration {
        let (shortest, longest) = (shortest.as_millis() as i64, longest.as_millis() as i64);
        SignedDuration::from_millis(shortest + self.below((longest - shortest).max(0) as u64 + 1) as i64)
    }

    /// Returns a time between two numbers of milliseconds.
    pub(super) fn millis(&mut self, shortest: i64, longest: i64) -> SignedDuration {
        self.between(SignedDuration::from_millis(shortest), SignedDuration::from_millis(longest))
    }

    /// Returns one element of a list that is not empty.
    pub(super) fn one_of<T: Copy, const N: usize>(&mut self, list: [T; N]) -> T {
        list[self.index(N)]
    }
}
