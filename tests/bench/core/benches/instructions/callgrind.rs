//! Counts the instructions of one benchmark with Callgrind, a tool of Valgrind.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::CountError;

/// The function that is counted, with all that it calls. The pattern allows for the hash that some symbols end with.
const MEASURED: &str = "instructions::measured*";

/// Runs one benchmark in a process of its own, so that no other one changes the state of its heap, and returns the count of its second run.
///
/// The profile stays in the target folder, for `callgrind_annotate`.
pub(crate) fn count(name: &'static str) -> Result<u64, CountError> {
    let profile = profile(name)?;
    let program = std::env::current_exe()?;
    let (Some(folder), Some(file)) = (program.parent(), program.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::NotFound).into());
    };
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--toggle-collect={MEASURED}"))
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(Path::new(".").join(file))
        .args(["--only", name])
        .current_dir(folder)
        // Environment and arguments are on the stack, and move what comes after them. Always the same, they move it by the same bytes.
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .output()
        .map_err(CountError::NoValgrind)?;
    if !output.status.success() {
        let output = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        return Err(CountError::Failed { name, output: output.concat() });
    }
    let written = fs::read_to_string(&profile)?;
    let total = written.lines().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|total| total.trim().parse().ok()).filter(|&count| count > 0).ok_or(CountError::NoCount(profile))
}

fn profile(name: &str) -> Result<PathBuf, CountError> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("callgrind");
    fs::create_dir_all(&folder)?;
    Ok(folder.join(name))
}
