//! What of a verified request is left out, so that nothing is left out in silence.

use std::collections::BTreeMap;

/// Kinds of what was left out, and how many of each. A kind is a word of ours: no stranger's word is logged or counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<&'static str, usize>);

impl LeftOut {
    /// So many of one kind.
    pub fn of(kind: &'static str, count: usize) -> Self {
        let mut left_out = Self::default();
        left_out.add(kind, count);
        left_out
    }

    /// Counts so many more of a kind.
    pub fn add(&mut self, kind: &'static str, count: usize) {
        if count > 0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    /// Counts what somebody else has left out.
    pub fn extend(&mut self, other: &Self) {
        for (kind, count) in other.kinds() {
            self.add(kind, count);
        }
    }

    /// How many in all.
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// Each kind with its count.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_and_nothing_is_no_kind() {
        let mut left_out = LeftOut::of("report", 2);
        left_out.add("typing", 0);
        left_out.extend(&LeftOut::of("report", 1));
        assert_eq!(left_out.kinds().collect::<Vec<_>>(), [("report", 3)]);
        assert_eq!((left_out.total(), LeftOut::default().total()), (3, 0));
    }
}
