//! Simulates the seeds that once failed. `.ci/run simulate` runs others.

use std::sync::{Arc, Mutex};

use connector_testing::simulation::{Options, Trace, simulate};

/// A line for each seed: the seed, the number of messages, and what it found.
const SEEDS: &str = include_str!("seeds.txt");

#[test]
fn seeds_that_once_failed_keep_every_promise() {
    let mut broken = Vec::new();
    for line in SEEDS.lines() {
        let (numbers, found) = line.split_once(" # ").unwrap_or_else(|| panic!("{line}: what did it find?"));
        assert!(!found.is_empty(), "{line}");
        let numbers: Vec<u64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        let [seed, messages] = numbers[..] else { panic!("{line}: a seed and a number of messages are expected") };
        let violation = simulate(Options { seed, messages, faults: None, trace: None }).violation;
        broken.extend(violation.map(|violation| format!("{line}: {violation}")));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The page shows the report of one seed, and lines of its trace. Both change whenever the functions make other calls.
#[test]
fn the_page_shows_the_report_and_the_trace_of_a_seed_as_they_are() {
    let page = include_str!("../../docs/explanation/how-we-know.md");
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let trace: Trace = {
        let lines = Arc::clone(&lines);
        Box::new(move |line| lines.lock().unwrap().push(line.to_owned()))
    };
    let outcome = simulate(Options { seed: 294, messages: 100, faults: None, trace: Some(trace) });
    let report = [
        format!("SHA-256 of the history      {}…", &outcome.history[..16]),
        format!("{:<27} {:>12}", "delivered", outcome.counts.delivered),
        format!("{:<27} {:>12}", "parked", outcome.counts.parked),
        format!("{:<27} {:>12}", "events", outcome.lines),
    ];
    let shown = |line: &str| page.lines().any(|of_page| of_page == line);
    for line in &report {
        assert!(
            shown(line),
            "the page has no line {line:?}: copy the output of connector simulate --seed 294 --messages 100"
        );
    }
    let example = page.split("Some lines of a history:").nth(1).unwrap().split("```").nth(1).unwrap().trim();
    for line in example.lines() {
        assert!(
            lines.lock().unwrap().iter().any(|of_trace| of_trace == line),
            "no line of the trace of seed 294: {line}"
        );
    }
}
