//! A seed decides everything: other processes have the same history, and the one of the library in this process.

#![expect(clippy::unwrap_used, reason = "a test: what doesn't hold is a panic")]

use std::{
    process::{Command, Output},
    sync::{Arc, Mutex},
};

use connector_testing::simulation::{Faults, HistoriesDigest, Options, Outcome, simulate};

fn command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_connector")).arg("simulate").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Simulates a seed in this process. Returns the lines of its history, too.
fn here(seed: u64, messages: u64, faults: Option<Faults>) -> (Outcome, String) {
    let lines = Arc::<Mutex<String>>::default();
    let traced = Arc::clone(&lines);
    let trace = Box::new(move |line: &str| {
        let mut lines = traced.lock().unwrap();
        lines.push_str(line);
        lines.push('\n');
    });
    let outcome = simulate(Options { seed, messages, faults, trace: Some(trace) });
    let lines = std::mem::take(&mut *lines.lock().unwrap());
    (outcome, lines)
}

#[test]
fn two_processes_and_this_one_have_the_same_history() {
    let (outcome, lines) = here(294, 100, None);
    let arguments = ["--seed", "294", "--messages", "100"];
    let (first, second) = (command(&arguments), command(&arguments));
    assert_eq!(first, second, "every byte");
    assert!(first.status.success(), "{}", text(&first.stdout));
    assert!(text(&first.stdout).contains(&format!("SHA-256 of the history      {}\n", outcome.history)));
    let traced = command(&[&arguments[..], &["--trace"]].concat());
    assert_eq!(text(&traced.stdout), lines);
    assert_eq!(traced.stderr, first.stdout, "the rest is elsewhere");
}

#[test]
fn the_options_choose_seeds_and_faults() {
    let faults = Faults::of_seed(31).without("killed").unwrap();
    let (outcome, _) = here(31, 20, Some(faults));
    let report = text(&command(&["--seed", "31", "--messages", "20", "--without", "killed"]).stdout);
    assert!(report.contains(&outcome.history), "{report}");
    let report = text(&command(&["--seed", "31", "--messages", "20", "--faults", "none", "--seeds", "3"]).stdout);
    for line in ["seeds                                  3\n", "messages                              60\n"] {
        assert!(report.contains(line), "{report}");
    }
    let mut histories = HistoriesDigest::default();
    for seed in 31..34 {
        let (outcome, _) = here(seed, 20, Some(Faults::none()));
        histories.add(&outcome.history);
    }
    assert!(report.contains(&histories.hex()), "{report}");
}

#[test]
fn a_limit_of_cpu_time_ends_the_seeds_and_the_report_repeats_them() {
    let report = text(&command(&["--seed", "5", "--messages", "5", "--seconds", "1"]).stdout);
    let repeat = report.lines().find_map(|line| line.strip_prefix("Repeat these seeds: connector simulate ")).unwrap();
    let arguments: Vec<&str> = repeat.split(' ').collect();
    let again = text(&command(&arguments).stdout);
    let totals = |report: &str| {
        let lines = report.lines().skip(1).filter(|line| !line.starts_with("Repeat"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(totals(&again), totals(&report));
}
