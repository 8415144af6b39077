//! How many instructions a program takes, counted by Callgrind. Unlike a time, the counts are nearly the same on a busy machine. They leave
//! out what the kernel does.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::process::Command;

use crate::{
    BenchError,
    measure::{accepted, programs},
    system::System,
};

/// The instructions of each program until it asks for its first invocation, by name.
pub(crate) type InitInstructions = BTreeMap<&'static str, u64>;

/// After how many invocations a further one is as all others are: connections are open, and secrets read.
const SETTLED_AFTER: u32 = 5;
/// How many invocations are counted.
const COUNTED: u32 = 50;

/// Whether Valgrind is installed.
pub(crate) async fn can_be_counted() -> bool {
    Command::new("valgrind").arg("--version").output().await.is_ok_and(|version| version.status.success())
}

/// Counts the instructions of each start.
pub(crate) async fn starts(system: &System) -> Result<InitInstructions, BenchError> {
    let mut counts = InitInstructions::new();
    for name in programs() {
        counts.insert(name, counted(system, name, None, 0).await?);
    }
    Ok(counts)
}

/// Counts the instructions of an invocation of each program with its event, without those of the start.
pub(crate) async fn invocations(
    system: &System,
    programs: &[(&'static str, &Value)],
) -> Result<Vec<(&'static str, u64)>, BenchError> {
    let mut counts = Vec::new();
    for (name, event) in programs {
        let few = counted(system, name, Some(event), SETTLED_AFTER).await?;
        let many = counted(system, name, Some(event), SETTLED_AFTER + COUNTED).await?;
        counts.push((*name, many.saturating_sub(few) / u64::from(COUNTED)));
    }
    Ok(counts)
}

/// The instructions of a process that gets this event so many times.
async fn counted(system: &System, name: &str, event: Option<&Value>, times: u32) -> Result<u64, BenchError> {
    let file = std::env::temp_dir().join(format!("connector-bench-{}-{name}.callgrind", std::process::id()));
    let process = system.counted_process(name, &file).await?;
    process.start_up().await?;
    for event in event.into_iter().cycle().take(times as usize) {
        accepted(&process, event).await?;
    }
    process.terminate().await?;
    let profile = std::fs::read_to_string(&file)?;
    std::fs::remove_file(&file)?;
    total(&profile).ok_or(BenchError::Callgrind)
}

/// The sum that a profile ends with (`totals:` in "Callgrind Format Specification", Valgrind's manual).
fn total(profile: &str) -> Option<u64> {
    let of = |name: &str| profile.lines().rev().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    of("totals:").or_else(|| of("summary:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_ends_with_the_sum_of_its_instructions() {
        let profile = "version: 1\nevents: Ir\nsummary: 20301234\n\nfn=(1)\n0 17\ntotals: 20301235\n";
        assert_eq!(total(profile), Some(20_301_235));
        assert_eq!(total("events: Ir\nsummary: 20301234\n"), Some(20_301_234));
        assert_eq!(total("events: Ir\n"), None);
    }
}
