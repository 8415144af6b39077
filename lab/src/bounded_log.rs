//! A log that keeps its newest items within a number and a size.

use std::collections::VecDeque;

/// What a log keeps. Both limits hold; its newest item is kept even if it alone is larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogLimits {
    /// The number of items.
    pub(crate) items: usize,
    /// Their size in bytes, as it is given with each item.
    pub(crate) bytes: usize,
}

/// The newest items of a log. Items are numbered in their order, from 0 and without gaps, and keep their number.
#[derive(Debug)]
pub(crate) struct BoundedLog<T> {
    limits: LogLimits,
    /// With the size of each.
    items: VecDeque<(usize, T)>,
    bytes: usize,
    dropped: u64,
}

impl<T> BoundedLog<T> {
    pub(crate) const fn new(limits: LogLimits) -> Self {
        Self { limits, items: VecDeque::new(), bytes: 0, dropped: 0 }
    }

    /// The number of the next item: how many there have been so far.
    pub(crate) fn next(&self) -> u64 {
        self.dropped + self.items.len() as u64
    }

    /// How many of the oldest items are not kept any more: the number of the first one that is.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Appends an item of this size. Drops the oldest ones beyond a limit.
    pub(crate) fn push(&mut self, bytes: usize, item: T) {
        self.items.push_back((bytes, item));
        self.bytes += bytes;
        while self.items.len() > 1 && (self.items.len() > self.limits.items || self.bytes > self.limits.bytes) {
            if let Some((bytes, _)) = self.items.pop_front() {
                self.bytes -= bytes;
                self.dropped += 1;
            }
        }
    }

    /// The item with this number; `None` if there is none yet, or if it was dropped.
    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        let index = usize::try_from(number.checked_sub(self.dropped)?).ok()?;
        self.items.get(index).map(|(_, item)| item)
    }

    /// The items that are kept, from this number on.
    pub(crate) fn from(&self, number: u64) -> impl Iterator<Item = &T> {
        let index = usize::try_from(number.saturating_sub(self.dropped)).unwrap_or(usize::MAX).min(self.items.len());
        self.items.range(index..).map(|(_, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(items: usize, bytes: usize) -> BoundedLog<&'static str> {
        BoundedLog::new(LogLimits { items, bytes })
    }

    fn kept(log: &BoundedLog<&'static str>) -> Vec<&'static str> {
        log.from(0).copied().collect()
    }

    #[test]
    fn the_oldest_items_beyond_the_number_are_dropped_and_the_others_keep_theirs() {
        let mut log = log(2, 1000);
        ["a", "b", "c"].into_iter().for_each(|item| log.push(1, item));
        assert_eq!((kept(&log), log.dropped(), log.next()), (vec!["b", "c"], 1, 3));
        assert_eq!(
            (0..4).map(|number| log.get(number).copied()).collect::<Vec<_>>(),
            [None, Some("b"), Some("c"), None]
        );
        assert_eq!(log.from(2).copied().collect::<Vec<_>>(), ["c"]);
        assert_eq!((log.from(3).count(), log.from(u64::MAX).count()), (0, 0));
    }

    #[test]
    fn a_large_item_drops_as_many_as_it_takes_and_not_itself() {
        let mut log = log(100, 10);
        ["a", "b", "c"].into_iter().for_each(|item| log.push(3, item));
        log.push(5, "large");
        assert_eq!((kept(&log), log.dropped()), (vec!["c", "large"], 2));
        log.push(11, "too large");
        assert_eq!((kept(&log), log.dropped()), (vec!["too large"], 4));
        log.push(1, "d");
        assert_eq!((kept(&log), log.dropped(), log.next()), (vec!["d"], 5, 6));
    }
}
