//! Simulates a few seeds, and prints what came of each:
//! `cargo run -p connector-testing --example simulate -- [FIRST SEED] [MESSAGES] [SEEDS]`.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use connector_testing::simulation::{HistoriesDigest, Options, simulate};

fn main() {
    let arguments: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let argument = |index: usize, default| arguments.get(index).copied().unwrap_or(default);
    let (first, messages, seeds) = (argument(0, 1), argument(1, 200), argument(2, 1));
    let mut histories = HistoriesDigest::default();
    for seed in first..first + seeds {
        let outcome = simulate(Options { seed, messages, faults: None, trace: None });
        match outcome.violation {
            None => println!("seed {seed}: {} events, {:?}", outcome.lines, outcome.counts),
            Some(violation) => println!("seed {seed}: BROKEN {violation}"),
        }
        histories.add(&outcome.history);
    }
    println!("SHA-256 of the histories: {}", histories.hex());
}
