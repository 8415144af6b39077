//! What a drill prints.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::DrillOptions;
use super::score::{Score, Window};

/// What a drill showed.
#[derive(Debug, Clone)]
pub struct Report {
    /// How it was run.
    pub options: DrillOptions,
    /// What came of it.
    pub score: Score,
    /// How often each fault was injected.
    pub injected: BTreeMap<String, usize>,
    /// How long it took in all.
    pub took: Duration,
    /// What went wrong in the drill itself, for example that it did not come to rest in time.
    pub problems: Vec<String>,
}

impl Report {
    /// Whether the promises were kept, and could be judged.
    pub fn is_good(&self) -> bool {
        self.score.is_good() && self.problems.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options, score, injected, took, problems } = self;
        writeln!(
            f,
            "seed {}: {} conversations, {} s of faults ({}), {:.0} s in all",
            options.seed,
            options.conversations,
            options.seconds,
            options.faults,
            took.as_secs_f64()
        )?;
        if options.outage > 0 {
            writeln!(f, "LiveEngage was down for {} s in the middle", options.outage)?;
        }
        for (what, count) in injected {
            writeln!(f, "  {count:>5}  {what}")?;
        }
        writeln!(f, "sent                     {:>6}", score.sent)?;
        writeln!(f, "delivered                {:>6}", score.delivered)?;
        writeln!(f, "told                     {:>6}", score.told)?;
        listed(f, "lost", &score.lost)?;
        let mut windows: BTreeMap<Window, usize> = BTreeMap::new();
        for (_, window) in &score.doubled_in_a_window {
            *windows.entry(*window).or_default() += 1;
        }
        let windows: Vec<String> =
            windows.into_iter().map(|(window, count)| format!("{} {count}", window.name())).collect();
        writeln!(f, "doubled in a stated window {:>4}  {}", score.doubled_in_a_window.len(), windows.join(", "))?;
        listed(f, "doubled without excuse", &score.doubled)?;
        listed(f, "out of order", &score.out_of_order)?;
        for percent in [50, 99] {
            match score.percentile(percent) {
                Some(time) => writeln!(f, "p{percent} to delivery          {:>8.2} s", time.as_secs_f64())?,
                None => writeln!(f, "p{percent} to delivery                 -")?,
            }
        }
        for problem in problems {
            writeln!(f, "Wrong: {problem}")?;
        }
        writeln!(f, "{}", if self.is_good() { "The promises were kept." } else { "The promises were NOT kept." })
    }
}

fn listed<T: fmt::Display>(f: &mut fmt::Formatter<'_>, what: &str, culprits: &[T]) -> fmt::Result {
    let names: Vec<String> = culprits.iter().take(20).map(ToString::to_string).collect();
    writeln!(f, "{what:<24} {:>6}  {}", culprits.len(), names.join(" "))
}
