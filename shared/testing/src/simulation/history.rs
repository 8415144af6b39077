//! The history of a simulation: a line for each event, in order, and the digest of all of them.

use std::fmt::{self, Write};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Where the lines of a history go, besides the digest.
pub type Trace = Box<dyn FnMut(&str) + Send>;

/// The digest of the histories of several seeds: the SHA-256 of their own digests in hex, each followed by a newline, in the order in which
/// they were added.
#[derive(Debug, Clone, Default)]
pub struct HistoriesDigest(Sha256);

impl HistoriesDigest {
    /// Adds the [history](super::Outcome::history) of the next seed.
    pub fn add(&mut self, history: &str) {
        self.0.update(history.as_bytes());
        self.0.update(b"\n");
    }

    /// Returns the digest of what was added so far, in hex.
    pub fn hex(&self) -> String {
        hex::encode(self.0.clone().finalize())
    }
}

/// The history of a simulation.
pub(super) struct History {
    start: Timestamp,
    hasher: Sha256,
    line: String,
    lines: u64,
    trace: Option<Trace>,
}

impl History {
    /// Creates an empty history. Times are written as seconds since `start`.
    pub(super) fn new(start: Timestamp, trace: Option<Trace>) -> Self {
        Self { start, hasher: Sha256::new(), line: String::new(), lines: 0, trace }
    }

    /// Adds a line.
    pub(super) fn note(&mut self, now: Timestamp, event: fmt::Arguments<'_>) {
        let ms = now.duration_since(self.start).as_millis();
        self.line.clear();
        // Writing to a string does not fail.
        let _ = write!(self.line, "{}.{:03} {event}", ms / 1000, ms % 1000);
        self.hasher.update(self.line.as_bytes());
        self.hasher.update(b"\n");
        self.lines += 1;
        if let Some(trace) = &mut self.trace {
            trace(&self.line);
        }
    }

    /// Returns the number of lines.
    pub(super) const fn lines(&self) -> u64 {
        self.lines
    }

    /// Returns the SHA-256 digest of the lines, in hex.
    pub(super) fn digest(&self) -> String {
        hex::encode(self.hasher.clone().finalize())
    }
}
