//! What is printed of the seeds that were simulated.

use std::{
    fmt::Write as _,
    sync::{Arc, atomic::Ordering},
};

use connector_testing::simulation::{Counts, HistoriesDigest, Outcome, Shrunk};
use jiff::SignedDuration;

use super::{
    plan::{Extent, Plan},
    worker::Place,
};

/// What was simulated so far.
pub(super) struct Totals {
    plan: Arc<Plan>,
    seeds: u64,
    failed: u64,
    counts: Counts,
    events: u64,
    took: SignedDuration,
    /// The longest time from the end of the faults until everything was settled.
    settled_after: SignedDuration,
    /// The history of the last seed that did not panic.
    history: Option<String>,
    histories: HistoriesDigest,
}

impl Totals {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self {
            plan,
            seeds: 0,
            failed: 0,
            counts: Counts::default(),
            events: 0,
            took: SignedDuration::ZERO,
            settled_after: SignedDuration::ZERO,
            history: None,
            histories: HistoriesDigest::default(),
        }
    }

    /// Returns how many seeds have failed.
    pub(super) const fn failed(&self) -> u64 {
        self.failed
    }

    /// Adds a seed. Returns what is to be printed of it.
    pub(super) fn add(&mut self, seed: u64, outcome: Option<Outcome>) -> String {
        self.seeds += 1;
        let Some(Outcome { history, lines, took, settled_after, counts, violation, .. }) = outcome else {
            return self.failure(seed, "the simulation panicked, see standard error");
        };
        self.histories.add(&history);
        self.history = Some(history);
        self.events += lines;
        self.took += took;
        self.settled_after = self.settled_after.max(settled_after);
        let sum = &mut self.counts;
        sum.written += counts.written;
        sum.delivered += counts.delivered;
        sum.parked += counts.parked;
        sum.never_accepted += counts.never_accepted;
        sum.doubled_in_a_window += counts.doubled_in_a_window;
        sum.invocations += counts.invocations;
        sum.stopped += counts.stopped;
        violation.map(|violation| self.failure(seed, &violation.to_string())).unwrap_or_default()
    }

    fn failure(&mut self, seed: u64, what: &str) -> String {
        self.failed += 1;
        let command = self.plan.command(seed, 1);
        let mut text = format!("Seed {seed}: {what}\n  See each event: {command} --trace\n");
        if !self.plan.shrink {
            let _ = writeln!(text, "  Shorten it:     {command} --shrink");
        }
        text
    }

    /// Returns what is to be printed of the smallest simulation of a seed that fails.
    pub(super) fn shrunk(&self, seed: u64, shrunk: &Shrunk) -> String {
        let Shrunk { messages, faults, without } = shrunk;
        let command = self.plan.smaller_command(seed, *messages, without);
        let without = if without.is_empty() { String::new() } else { format!(" and without {}", without.join(", ")) };
        let left = match faults.names() {
            names if names.is_empty() => "none".to_owned(),
            names => names.join(", "),
        };
        format!(
            "  It fails in the same way with {messages} messages{without}:\n  {command} --trace\n  Faults that are left: {left}\n"
        )
    }

    /// Returns the line of the progress.
    pub(super) fn progress(&self, place: &Place) -> String {
        let Self { plan, seeds, failed, .. } = self;
        let events = place.events.load(Ordering::Relaxed);
        match place.tried.load(Ordering::Relaxed) {
            0 => {
                format!("{seeds} seeds done, {failed} failed. Seed {}: {events} events", plan.seed_after(*seeds))
            }
            // The seed that is shrunk is counted already.
            tried => format!(
                "{seeds} seeds done, {failed} failed. Seed {} is tried with {tried} messages",
                plan.seed_after(seeds.saturating_sub(1))
            ),
        }
    }

    /// Returns the end of the output.
    pub(super) fn report(&self, is_complete: bool) -> String {
        if self.seeds == 0 {
            return "The command was ended before a seed was finished.\n".to_owned();
        }
        let Counts { written, delivered, parked, never_accepted, doubled_in_a_window, invocations, stopped } =
            self.counts;
        let mut text = String::new();
        for (what, count) in [
            ("seeds", self.seeds),
            ("seeds that failed", self.failed),
            ("messages", written),
            ("delivered", delivered),
            ("parked", parked),
            ("never accepted", never_accepted),
            ("doubled in a stated window", doubled_in_a_window),
            ("invocations", invocations),
            ("stopped", stopped),
            ("events", self.events),
        ] {
            let _ = writeln!(text, "{what:<27} {count:>12}");
        }
        let _ = writeln!(text, "{:<27} {:>12}", "simulated time", crate::output::age(self.took));
        let _ = writeln!(text, "{:<27} {:>10} s", "settled after the faults", self.settled_after.as_secs());
        match (self.seeds, &self.history) {
            (_, None) => {}
            (1, Some(history)) => {
                let _ = writeln!(text, "SHA-256 of the history      {history}");
            }
            (_, Some(_)) => {
                let _ = writeln!(text, "SHA-256 of the histories    {}", self.histories.hex());
            }
        }
        if !is_complete {
            text.push_str("The command was ended before it had finished.\n");
        }
        let Plan { seed, extent, .. } = &*self.plan;
        if self.seeds > 1 && (!is_complete || matches!(extent, Extent::CpuSeconds(_))) {
            let _ = writeln!(text, "Repeat these seeds: {}", self.plan.command(*seed, self.seeds));
        }
        text.push_str(match self.failed {
            0 if self.plan.shrink => "The promises were kept: there is nothing to shorten.\n",
            0 => "The promises were kept.\n",
            _ => "The promises were NOT kept.\n",
        });
        text
    }
}

#[cfg(test)]
mod tests {
    use connector_testing::simulation::{Faults, Invariant, Violation};

    use super::*;

    fn totals(extent: Extent, shrink: bool) -> Totals {
        let without = vec![];
        Totals::new(Arc::new(Plan { seed: 7, extent, messages: 20, has_faults: true, without, trace: false, shrink }))
    }

    fn outcome(violation: Option<Violation>) -> Option<Outcome> {
        let counts = Counts {
            written: 20,
            delivered: 17,
            parked: 2,
            never_accepted: 1,
            doubled_in_a_window: 1,
            invocations: 90,
            ..Counts::default()
        };
        let (took, settled_after) = (SignedDuration::from_hours(30), SignedDuration::from_secs(50));
        Some(Outcome { history: "c0ffee".to_owned(), lines: 700, took, settled_after, counts, violation })
    }

    #[test]
    fn one_seed_is_reported_with_its_digest() {
        let mut totals = totals(Extent::Seeds(1), false);
        assert_eq!(totals.add(7, outcome(None)), "");
        assert_eq!(
            totals.report(true),
            "\
seeds                                  1
seeds that failed                      0
messages                              20
delivered                             17
parked                                 2
never accepted                         1
doubled in a stated window             1
invocations                           90
stopped                                0
events                               700
simulated time                     1d 6h
settled after the faults            50 s
SHA-256 of the history      c0ffee
The promises were kept.
"
        );
    }

    #[test]
    fn the_seeds_of_a_time_are_reported_with_the_command_that_repeats_them() {
        let mut totals = totals(Extent::CpuSeconds(60), false);
        totals.add(7, outcome(None));
        totals.add(8, outcome(None));
        let report = totals.report(true);
        assert!(report.contains("messages                              40\n"), "{report}");
        // printf 'c0ffee\nc0ffee\n' | sha256sum
        assert!(
            report.contains(
                "SHA-256 of the histories    a41032dc87753ca2ce53210abda3d54151804dc3754558406e4a673076e47090\n"
            ),
            "{report}"
        );
        assert!(
            report.ends_with(
                "Repeat these seeds: connector simulate --seed 7 --seeds 2 --messages 20\nThe promises were kept.\n"
            ),
            "{report}"
        );
    }

    #[test]
    fn a_broken_promise_is_printed_with_the_commands_that_explain_it() {
        let mut totals = totals(Extent::Seeds(9), false);
        let violation = Violation { invariant: Invariant::Lost, what: "message 3 is in no queue".to_owned() };
        assert_eq!(
            totals.add(8, outcome(Some(violation))),
            "\
Seed 8: Lost: message 3 is in no queue
  See each event: connector simulate --seed 8 --messages 20 --trace
  Shorten it:     connector simulate --seed 8 --messages 20 --shrink
"
        );
        let report = totals.report(false);
        assert!(
            report.ends_with("The command was ended before it had finished.\nThe promises were NOT kept.\n"),
            "{report}"
        );
    }

    #[test]
    fn a_smaller_simulation_is_printed_as_a_command() {
        let mut totals = totals(Extent::Seeds(1), true);
        assert!(!totals.add(7, None).contains("--shrink"), "it is being done");
        let faults = Faults { unanswered: 30, ..Faults::none() };
        let shrunk = Shrunk { messages: 4, faults, without: vec!["killed".to_owned(), "slow".to_owned()] };
        assert_eq!(
            totals.shrunk(7, &shrunk),
            "  It fails in the same way with 4 messages and without killed, slow:\n  \
             connector simulate --seed 7 --messages 4 --without killed,slow --trace\n  Faults that are left: unanswered\n"
        );
        let place = Place::default();
        place.tried.store(3, Ordering::Relaxed);
        assert_eq!(totals.progress(&place), "1 seeds done, 1 failed. Seed 7 is tried with 3 messages");
    }

    #[test]
    fn without_a_finished_seed_nothing_is_claimed() {
        let report = totals(Extent::Seeds(1), false).report(false);
        assert_eq!(report, "The command was ended before a seed was finished.\n");
    }

    #[test]
    fn what_is_to_be_shortened_and_keeps_its_promises_is_said_to() {
        let mut totals = totals(Extent::Seeds(1), true);
        totals.add(7, outcome(None));
        assert!(totals.report(true).ends_with("The promises were kept: there is nothing to shorten.\n"));
    }
}
