//! What the functions log: it goes into the history, and must hold nothing of a person or a secret.

use std::sync::Arc;

use super::{invariant::Invariant, world::Shared};
use crate::log_lines::LogLines;

/// What must be in no log event: marks of texts, words of texts, phone numbers, secrets and tokens.
const HIDDEN: [&str; 7] = ["[[", "Grüße", "+49", "s3cret", "sim-bearer", "app-jwt-", "e30."];

/// Returns a subscriber that observes the log events of all functions.
pub(super) fn subscriber(shared: Arc<Shared>) -> LogLines<impl Fn(&str)> {
    LogLines::new(move |line: &str| {
        let mut world = shared.world();
        if let Some(hidden) = HIDDEN.iter().find(|hidden| line.contains(**hidden)) {
            world.truth.broken(Invariant::Leaked, format_args!("{hidden} in {line}"));
        }
        world.agenda.note(format_args!("log {line}"));
    })
}
