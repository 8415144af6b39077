//! Compares instruction counts with the recorded ones.

use std::{collections::BTreeMap, fmt};

/// The most that a count may be above the recorded one, in percent of it.
pub const MOST_ABOVE: u64 = 10;

/// The recorded counts of one architecture, by the benchmark's name.
pub type Counts = BTreeMap<String, u64>;

/// What the comparison of one benchmark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// At most [`MOST_ABOVE`] percent above the recorded count, and at most as much below.
    Same,
    /// Further below. The recorded count is now too high to find the next change: record anew.
    Faster,
    /// Further above.
    Slower,
    /// The benchmark is not recorded.
    NotRecorded,
    /// There is no such benchmark any more.
    Removed,
}

impl Verdict {
    /// Whether the run fails.
    pub const fn is_failure(self) -> bool {
        match self {
            Self::Slower | Self::NotRecorded | Self::Removed => true,
            Self::Same | Self::Faster => false,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Same => "",
            Self::Faster => "faster: record it",
            Self::Slower => "SLOWER",
            Self::NotRecorded => "NOT RECORDED",
            Self::Removed => "REMOVED",
        }
    }
}

/// One benchmark, compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The benchmark's name.
    pub name: String,
    /// The recorded count.
    pub recorded: Option<u64>,
    /// The count of this run.
    pub now: Option<u64>,
}

impl Row {
    /// Compares the two counts.
    pub fn verdict(&self) -> Verdict {
        let (Some(now), Some(recorded)) = (self.now, self.recorded) else {
            return if self.now.is_some() { Verdict::NotRecorded } else { Verdict::Removed };
        };
        let percent = u128::from(now) * 100;
        if percent > u128::from(recorded) * u128::from(100 + MOST_ABOVE) {
            Verdict::Slower
        } else if percent < u128::from(recorded) * u128::from(100 - MOST_ABOVE) {
            Verdict::Faster
        } else {
            Verdict::Same
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
        let ratio = match (self.now, self.recorded) {
            #[expect(clippy::cast_precision_loss, reason = "the ratio is shown with two decimals")]
            (Some(now), Some(recorded)) => format!("{:.2}", now as f64 / recorded as f64),
            _ => String::new(),
        };
        let Self { name, .. } = self;
        let (recorded, now, verdict) = (count(self.recorded), count(self.now), self.verdict().words());
        write!(f, "{name:<34}{recorded:>12}{now:>12}{ratio:>7}  {verdict}")
    }
}

/// Compares the counts of a run, in their order, with the recorded ones. Benchmarks that are only recorded come last.
pub fn compare(now: &[(&str, u64)], recorded: &Counts) -> Vec<Row> {
    let measured = now.iter().map(|&(name, count)| Row {
        name: name.to_owned(),
        recorded: recorded.get(name).copied(),
        now: Some(count),
    });
    let removed = recorded.iter().filter(|(name, _)| now.iter().all(|(measured, _)| measured != name));
    let removed = removed.map(|(name, count)| Row { name: name.clone(), recorded: Some(*count), now: None });
    measured.chain(removed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(now: &[(&str, u64)]) -> Vec<Verdict> {
        let recorded = Counts::from([("read".to_owned(), 1000), ("write".to_owned(), 10)]);
        compare(now, &recorded).iter().map(Row::verdict).collect()
    }

    #[test]
    fn a_count_may_be_a_tenth_above_the_recorded_one_and_no_more() {
        assert_eq!(verdicts(&[("read", 1100), ("write", 10)]), [Verdict::Same, Verdict::Same]);
        assert_eq!(verdicts(&[("read", 1101), ("write", 9)]), [Verdict::Slower, Verdict::Same]);
        assert_eq!(verdicts(&[("read", 899), ("write", 20)]), [Verdict::Faster, Verdict::Slower]);
    }

    #[test]
    fn every_benchmark_must_be_recorded_and_every_recorded_one_must_exist() {
        assert_eq!(verdicts(&[("write", 10), ("parse", 1)]), [Verdict::Same, Verdict::NotRecorded, Verdict::Removed]);
        for (verdict, is_failure) in [
            (Verdict::Same, false),
            (Verdict::Faster, false),
            (Verdict::Slower, true),
            (Verdict::NotRecorded, true),
            (Verdict::Removed, true),
        ] {
            assert_eq!(verdict.is_failure(), is_failure, "{verdict:?}");
        }
    }
}
