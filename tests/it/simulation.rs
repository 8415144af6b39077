//! Simulates the seeds that once failed. `.ci/run simulate` runs others.

use connector_testing::simulation::{Options, simulate};

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
