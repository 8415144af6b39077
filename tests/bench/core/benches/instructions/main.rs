//! The instruction count of each benchmark, compared with `instructions.json`: `cargo bench -p connector-bench-core --bench instructions`.
//!
//! Unlike a time, the count depends neither on the machine's speed nor on its load. It depends on the compiler, on the C library's `malloc`
//! and `memcpy`, and on the processor's features that Valgrind shows to the program.

#![expect(clippy::print_stdout, reason = "the table is its output")]

use std::{env::consts::ARCH, process::ExitCode};

use clap::Parser;
use connector_bench_core::{
    Work, all,
    comparison::{Counts, MOST_ABOVE, Row, compare},
};

mod callgrind;
mod recorded;

/// Why no count can be taken or compared.
#[derive(Debug, thiserror::Error)]
enum CountError {
    /// Valgrind can't be started.
    #[error("valgrind can't be started: {0}. Install it, for example with: apt-get install valgrind")]
    NoValgrind(std::io::Error),
    /// The program has ended with an error under Valgrind.
    #[error("the benchmark {name} failed under valgrind: {output}")]
    Failed {
        /// The benchmark.
        name: &'static str,
        /// What Valgrind and the program wrote.
        output: String,
    },
    /// The profile has no count.
    #[error("the profile {0} has no count of the measured function")]
    NoCount(std::path::PathBuf),
    /// There is no such benchmark.
    #[error("there is no benchmark {0}")]
    Unknown(String),
    /// A benchmark's input can't be built.
    #[error("the input can't be built: {0}")]
    Input(String),
    /// A file can't be used.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The recorded counts can't be read or written.
    #[error("instructions.json: {0}")]
    Recorded(#[from] serde_json::Error),
}

/// Counts the instructions of each benchmark, and compares them with the recorded counts.
#[derive(Parser)]
struct Arguments {
    /// Record the counts instead of comparing them.
    #[arg(long)]
    record: bool,
    /// Do the work of one benchmark. Valgrind runs this.
    #[arg(long, value_name = "NAME", hide = true)]
    only: Option<String>,
    /// Cargo passes this.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.only {
        Some(name) => run(name).map(|()| ExitCode::SUCCESS),
        None => count_all(arguments.record),
    };
    result.unwrap_or_else(|error| {
        println!("{error}");
        ExitCode::FAILURE
    })
}

/// Does the work of one benchmark: once unmeasured, and once measured.
fn run(name: &str) -> Result<(), CountError> {
    let benchmark = all().into_iter().find(|benchmark| benchmark.name == name);
    let work = benchmark.ok_or_else(|| CountError::Unknown(name.to_owned()))?.prepare();
    measured(&work.map_err(|error| CountError::Input(error.to_string()))?);
    Ok(())
}

/// Callgrind counts while the program is in this function ([`callgrind::MEASURED`]).
#[inline(never)]
fn measured(work: &Work) {
    work();
}

fn count_all(record: bool) -> Result<ExitCode, CountError> {
    let counts = all().into_iter().map(|benchmark| Ok((benchmark.name, callgrind::count(benchmark.name)?)));
    let counts = counts.collect::<Result<Vec<_>, CountError>>()?;
    let recorded = recorded::read()?;
    let rows = compare(&counts, recorded.get(ARCH).unwrap_or(&Counts::new()));
    println!("{:<34}{:>12}{:>12}{:>7}", "benchmark", "recorded", "now", "ratio");
    for row in &rows {
        println!("{row}");
    }
    if record {
        recorded::write(recorded, counts)?;
        println!("Recorded.");
        return Ok(ExitCode::SUCCESS);
    }
    if !recorded.contains_key(ARCH) {
        println!("Nothing is recorded for {ARCH}, so nothing is compared.");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(conclude(&rows))
}

fn conclude(rows: &[Row]) -> ExitCode {
    let failures = rows.iter().filter(|row| row.verdict().is_failure()).count();
    if failures == 0 {
        return ExitCode::SUCCESS;
    }
    println!(
        "{failures} benchmarks failed: each must be recorded, and may need {MOST_ABOVE} % more instructions at most."
    );
    println!(
        "If the change is intended, record anew: cargo bench -p connector-bench-core --bench instructions -- --record"
    );
    ExitCode::FAILURE
}
