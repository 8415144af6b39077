//! The recorded counts: `instructions.json`, by architecture and benchmark.

use std::{collections::BTreeMap, env::consts::ARCH, fs};

use connector_bench_core::comparison::Counts;

use crate::CountError;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");

/// The counts by architecture, as in [`ARCH`].
pub(crate) type Recorded = BTreeMap<String, Counts>;

/// Reads the file.
pub(crate) fn read() -> Result<Recorded, CountError> {
    Ok(serde_json::from_str(&fs::read_to_string(FILE)?)?)
}

/// Writes the file with these counts for this architecture. Those of the others stay.
pub(crate) fn write(mut recorded: Recorded, counts: Vec<(&str, u64)>) -> Result<(), CountError> {
    recorded.insert(ARCH.to_owned(), counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect());
    Ok(fs::write(FILE, serde_json::to_string_pretty(&recorded)? + "\n")?)
}
