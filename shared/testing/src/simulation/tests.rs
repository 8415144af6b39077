//! The simulation repeats itself, does what it says, and finds nothing in a few seeds. `.ci/run simulate` runs many.

use std::{collections::BTreeSet, sync::Arc};

use jiff::SignedDuration;
use parking_lot::Mutex;

use super::{Counts, Faults, Options, Outcome, simulate};

fn run(seed: u64, messages: u64) -> Outcome {
    simulate(Options { seed, messages, faults: None, trace: None })
}

/// Returns the lines of a history.
fn history(seed: u64, messages: u64) -> (Outcome, Vec<String>) {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let traced = Arc::clone(&lines);
    let trace = Box::new(move |line: &str| traced.lock().push(line.to_owned()));
    let outcome = simulate(Options { seed, messages, faults: None, trace: Some(trace) });
    let lines = std::mem::take(&mut *lines.lock());
    (outcome, lines)
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let (outcome, lines) = history(17, 80);
    assert_eq!(history(17, 80), (outcome.clone(), lines.clone()));
    assert_eq!(outcome.lines, lines.len() as u64);
    assert_eq!(run(17, 80), outcome, "whether it is traced or not");
    assert_ne!(run(18, 80).history, outcome.history);
}

#[test]
fn a_few_seeds_keep_every_promise() {
    for seed in 1..=20 {
        let outcome = run(seed, 60);
        assert_eq!(outcome.violation, None, "seed {seed}");
        let Counts { written, delivered, parked, never_accepted, .. } = outcome.counts;
        assert_eq!((written, delivered + parked + never_accepted), (60, 60), "seed {seed}");
    }
}

#[test]
fn without_faults_everything_is_delivered_once() {
    let outcome = simulate(Options { seed: 3, messages: 100, faults: Some(Faults::none()), trace: None });
    assert_eq!(outcome.violation, None);
    let Counts { delivered, parked, never_accepted, doubled_in_a_window, stopped, .. } = outcome.counts;
    // By SMS no file can be sent, so agents are told of theirs.
    assert!(delivered > 90 && delivered + parked == 100, "{delivered} {parked}");
    assert_eq!((never_accepted, doubled_in_a_window, stopped), (0, 0, 0));
}

/// Each fault that a simulation can inject happens in some seed. Otherwise the promises would hold trivially.
#[test]
fn every_kind_of_fault_happens() {
    let seen = Arc::<Mutex<BTreeSet<String>>>::default();
    let longest_outage = SignedDuration::from_mins(30);
    let often = Faults { outages: 10, deployments: 10, foreign: 10, redrives: 10, rotations: 10, ..Faults::none() };
    let rare = Faults { longest_outage, refused: 99, ..often };
    for seed in 1..=50 {
        let faults = (seed > 40).then(|| rare.clone());
        let seen = Arc::clone(&seen);
        let trace = Box::new(move |line: &str| {
            let mut seen = seen.lock();
            let (_, event) = line.split_once(' ').unwrap();
            seen.insert(event.chars().filter(|character| !character.is_ascii_digit()).collect());
        });
        simulate(Options { seed, messages: 60, faults, trace: Some(trace) });
    }
    let seen = seen.lock();
    for fault in [
        "LiveEngage SEND: NotSent",
        "LiveEngage SEND: Unanswered",
        "SMS gateway send: Unanswered",
        "acquire: throttled",
        "complete: ok, no answer",
        "secret: failed",
        "postpone: failed",
        "is stopped: Killed",
        "is stopped: Timeout",
        "ToLiveEngage starts in environment : again",
        "a deployment of version",
        "message.schema_unknown",
        "conversation.not_ours",
        "LiveEngage drops notification",
        "the client secret is rotated",
        "sends parked messages again",
        "a survey begins",
        "chooses",
        "LiveEngage Down, channels Up",
        "LiveEngage Slow",
        "posts request  again in",
        "(known)",
        "event.held_back",
        "message.parked",
        "message.found_published",
        "message.found_accepted",
    ] {
        assert!(seen.iter().any(|event| event.contains(fault)), "{fault} never happened");
    }
}
