//! The report of a drill.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::options::DrillOptions;
use super::score::{Score, Window};

/// The result of a drill.
#[derive(Debug, Clone)]
pub struct Report {
    /// The options of the drill.
    pub options: DrillOptions,
    /// The score.
    pub score: Score,
    /// How often each fault was injected.
    pub injected: BTreeMap<String, usize>,
    /// The total time.
    pub took: Duration,
    /// The time after the first fault at which the drill was stopped early; `None` if it was not.
    pub stopped_after: Option<Duration>,
    /// Problems of the drill itself, for example that it did not settle in time.
    pub problems: Vec<String>,
}

impl Report {
    /// Whether the guarantees were kept and could be checked.
    pub fn is_good(&self) -> bool {
        self.score.is_good() && self.problems.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options, score, injected, took, stopped_after, problems } = self;
        writeln!(
            f,
            "seed {}: {} conversations, {} s of faults ({}), {:.0} s in all",
            options.seed,
            options.conversations,
            options.seconds,
            options.faults,
            took.as_secs_f64()
        )?;
        // A drill that is stopped may not have come to its outage.
        match stopped_after {
            Some(after) => writeln!(
                f,
                "STOPPED EARLY after {:.0} s: {} of {} messages were sent",
                after.as_secs_f64(),
                score.sent,
                options.messages
            )?,
            None if options.outage > 0 => writeln!(f, "LiveEngage was down for {} s in the middle", options.outage)?,
            None => {}
        }
        for (what, count) in injected {
            writeln!(f, "  {count:>5}  {what}")?;
        }
        writeln!(f, "sent                     {:>6}", score.sent)?;
        writeln!(f, "delivered                {:>6}", score.delivered)?;
        writeln!(f, "told                     {:>6}", score.parked_with_notice)?;
        write_list(f, "under way", &score.under_way)?;
        write_list(f, "lost", &score.lost)?;
        let mut windows: BTreeMap<Window, usize> = BTreeMap::new();
        for (_, window) in &score.doubled_in_a_window {
            *windows.entry(*window).or_default() += 1;
        }
        let windows: Vec<String> =
            windows.into_iter().map(|(window, count)| format!("{} {count}", window.name())).collect();
        writeln!(f, "doubled in a stated window {:>4}  {}", score.doubled_in_a_window.len(), windows.join(", "))?;
        write_list(f, "doubled without excuse", &score.doubled)?;
        write_list(f, "out of order", &score.out_of_order)?;
        for percent in [50, 99] {
            match score.percentile(percent) {
                Some(time) => writeln!(f, "p{percent} to delivery          {:>8.2} s", time.as_secs_f64())?,
                None => writeln!(f, "p{percent} to delivery                 -")?,
            }
        }
        for problem in problems {
            writeln!(f, "Wrong: {problem}")?;
        }
        let verdict = match (self.is_good(), stopped_after) {
            (true, None) => "The promises were kept.",
            (true, Some(_)) => "The promises were kept until the drill was stopped.",
            (false, _) => "The promises were NOT kept.",
        };
        writeln!(f, "{verdict}")
    }
}

fn write_list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, what: &str, items: &[T]) -> fmt::Result {
    let names: Vec<String> = items.iter().take(20).map(ToString::to_string).collect();
    writeln!(f, "{what:<24} {:>6}  {}", items.len(), names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Destination, FaultSet, Tag};

    fn report(stopped_after: Option<Duration>) -> Report {
        let tag = Tag { conversation: 4, destination: Destination::ToPhone, number: 2 };
        Report {
            options: DrillOptions {
                seconds: 20,
                messages: 60,
                conversations: 24,
                seed: 7,
                faults: FaultSet::none(),
                outage: 0,
            },
            score: Score { sent: 18, delivered: 17, under_way: vec![tag], ..Score::default() },
            injected: BTreeMap::new(),
            took: Duration::from_secs(21),
            stopped_after,
            problems: Vec::new(),
        }
    }

    #[test]
    fn the_report_of_a_stopped_drill_says_so_and_lists_what_is_under_way() {
        let stopped = report(Some(Duration::from_secs(5)));
        assert!(stopped.is_good());
        let text = stopped.to_string();
        assert!(text.contains("\nSTOPPED EARLY after 5 s: 18 of 60 messages were sent\n"), "{text}");
        assert!(text.contains("\nunder way                     1  c4a2\n"), "{text}");
        assert!(text.contains("\nlost                          0  \n"), "{text}");
        assert!(text.ends_with("The promises were kept until the drill was stopped.\n"), "{text}");
        let lost = Score { lost: stopped.score.under_way.clone(), ..stopped.score.clone() };
        let broken = Report { score: lost, ..stopped };
        assert!(broken.to_string().ends_with("The promises were NOT kept.\n"));
    }

    #[test]
    fn the_report_of_a_complete_drill_does_not_mention_a_stop() {
        let text = report(None).to_string();
        assert!(!text.contains("STOPPED"), "{text}");
        assert!(text.ends_with("The promises were kept.\n"), "{text}");
    }
}
