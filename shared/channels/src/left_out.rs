//! Counts of the parts of a verified request that are not processed, so that nothing is dropped without a log entry.

use std::collections::BTreeMap;

/// How many parts were left out, by kind. The code defines the kinds: text from outside is not logged or counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<&'static str, usize>);

impl LeftOut {
    /// Creates a count for one kind.
    pub fn of(kind: &'static str, count: usize) -> Self {
        let mut left_out = Self::default();
        left_out.add(kind, count);
        left_out
    }

    /// Adds to the count of a kind. Adding zero doesn't create the kind.
    pub fn add(&mut self, kind: &'static str, count: usize) {
        if count > 0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    /// Adds the counts of another value.
    pub fn extend(&mut self, other: &Self) {
        for (kind, count) in other.kinds() {
            self.add(kind, count);
        }
    }

    /// The sum of all counts.
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// All kinds with their counts.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.0.iter().map(|(kind, count)| (*kind, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_and_zero_is_not_a_kind() {
        let mut left_out = LeftOut::of("report", 2);
        left_out.add("typing", 0);
        left_out.extend(&LeftOut::of("report", 1));
        assert_eq!(left_out.kinds().collect::<Vec<_>>(), [("report", 3)]);
        assert_eq!((left_out.total(), LeftOut::default().total()), (3, 0));
    }
}
