//! What the operating system says of a process.

use std::{fs, path::PathBuf, time::Duration};

use crate::BenchError;

/// The folder of a process in `/proc` (proc(5)).
pub(crate) struct ProcessUsage(PathBuf);

impl ProcessUsage {
    /// That of a running process.
    pub(crate) fn of(id: u32) -> Self {
        Self(PathBuf::from(format!("/proc/{id}")))
    }

    /// That of this process.
    pub(crate) fn own() -> Self {
        Self(PathBuf::from("/proc/self"))
    }

    /// The CPU time of all its threads so far. Threads that have ended are left out.
    pub(crate) fn cpu(&self) -> Result<Duration, BenchError> {
        let mut cpu = Duration::ZERO;
        for task in fs::read_dir(self.0.join("task"))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok());
            cpu += nanoseconds.map(Duration::from_nanos).ok_or(BenchError::Proc("schedstat"))?;
        }
        Ok(cpu)
    }

    /// Its memory in RAM, in bytes.
    pub(crate) fn resident(&self) -> Result<u64, BenchError> {
        let status = fs::read_to_string(self.0.join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(kibibytes.ok_or(BenchError::Proc("status"))? * 1024)
    }
}
