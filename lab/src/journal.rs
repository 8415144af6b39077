//! The wire log: the traffic between the parts of the lab in order, for the page and the tests.
//!
//! The lab is a simulator on loopback, so its journal shows message texts on purpose. It never contains secrets or
//! tokens.

use std::{sync::Arc, time::Duration};

use connector::port::Clock;
use connector_aws::SystemClock;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::bounded_log::{BoundedLog, LogLimits};

/// An entry of the wire log.
#[derive(Debug, Clone, Serialize)]
pub struct JournalEntry {
    /// Position in the journal, from 0, without gaps.
    pub number: u64,
    /// When it happened, milliseconds since the epoch.
    pub at_ms: i64,
    /// The sender: `phone`, `gateway`, `inbound`, `queue`, `to-liveengage`, `liveengage`, `webhook`, `to-channel`,
    /// `desk` ...
    pub from: String,
    /// The receiver, with the same names.
    pub to: String,
    /// A summary in one line, for example `POST /webhooks/liveengage ContentEvent -> 200`.
    pub what: String,
    /// The payload, if there is one, without secrets and tokens.
    pub detail: Option<Value>,
}

/// The summary of a webhook without an answer. The error's own text contains the URL.
pub(crate) fn unanswered(error: &reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        format!("no answer within {timeout:?}")
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "connection lost".to_owned()
    }
}

/// What a journal keeps: the traffic of about 2,000 texts.
const LIMITS: LogLimits = LogLimits { items: 20_000, bytes: 64 * 1024 * 1024 };

/// The first entries of a journal are not kept any more; holds how many.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the first {0} entries of the journal were dropped")]
pub struct EntriesDropped(pub u64);

/// The journal of one lab. Clones share it.
///
/// It keeps the newest 20,000 entries, or fewer if they take more than 64 MiB of memory, so that a lab can run for days.
#[derive(Debug, Clone)]
pub struct Journal {
    entries: Arc<Mutex<BoundedLog<Arc<JournalEntry>>>>,
    live: broadcast::Sender<Arc<JournalEntry>>,
}

impl Default for Journal {
    fn default() -> Self {
        Self::keeping(LIMITS)
    }
}

impl Journal {
    /// A journal with other limits than the default ones.
    pub(crate) fn keeping(limits: LogLimits) -> Self {
        Self { entries: Arc::new(Mutex::new(BoundedLog::new(limits))), live: broadcast::channel(1024).0 }
    }

    /// Appends an entry and sends it to all followers.
    pub fn record(&self, from: &str, to: &str, what: impl Into<String>, detail: Option<Value>) {
        let (from, to, what) = (from.to_owned(), to.to_owned(), what.into());
        let bytes = size_of::<JournalEntry>()
            + from.len()
            + to.len()
            + what.len()
            + detail.as_ref().map(memory_of).unwrap_or_default();
        let mut entries = self.entries.lock();
        let at_ms = SystemClock.now().as_millisecond();
        let entry = Arc::new(JournalEntry { number: entries.next(), at_ms, from, to, what, detail });
        entries.push(bytes, Arc::clone(&entry));
        // Sent under the lock, so that followers see the order of the journal. Having no follower is not an error.
        let _ = self.live.send(entry);
    }

    /// All entries so far.
    ///
    /// # Errors
    /// [`EntriesDropped`] if there were more than the journal keeps.
    pub fn entries(&self) -> Result<Vec<Arc<JournalEntry>>, EntriesDropped> {
        let entries = self.entries.lock();
        match entries.dropped() {
            0 => Ok(entries.from(0).cloned().collect()),
            dropped => Err(EntriesDropped(dropped)),
        }
    }

    /// The entries that are kept, from this number on.
    pub(crate) fn entries_from(&self, number: u64) -> Vec<Arc<JournalEntry>> {
        self.entries.lock().from(number).cloned().collect()
    }

    /// The number of the next entry.
    pub(crate) fn next(&self) -> u64 {
        self.entries.lock().next()
    }

    /// Follows the journal from now on. A follower that falls 1024 entries behind is notified and can read the entries.
    pub fn follow(&self) -> broadcast::Receiver<Arc<JournalEntry>> {
        self.live.subscribe()
    }
}

/// About how much memory a JSON value takes: its texts, and its nodes without the allocator's own share.
fn memory_of(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(memory_of).sum(),
            Value::Object(members) => {
                members.iter().map(|(name, member)| size_of::<String>() + name.len() + memory_of(member)).sum()
            }
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_beyond_the_limits_are_dropped_and_nobody_gets_the_rest_for_all() {
        let journal = Journal::keeping(LogLimits { items: 3, bytes: LIMITS.bytes });
        for what in ["zero", "one", "two"] {
            journal.record("phone", "gateway", what, None);
        }
        let shown = |entries: Vec<Arc<JournalEntry>>| {
            entries.iter().map(|entry| (entry.number, entry.what.clone())).collect::<Vec<_>>()
        };
        assert_eq!(journal.entries().map(|entries| entries.len()), Ok(3));
        journal.record("phone", "gateway", "three", None);
        assert_eq!(journal.entries().map(shown), Err(EntriesDropped(1)));
        assert_eq!(shown(journal.entries_from(2)), [(2, "two".to_owned()), (3, "three".to_owned())]);
        assert_eq!((journal.entries_from(0).len(), journal.next()), (3, 4));
    }

    #[test]
    fn payloads_count_with_their_names_and_texts() {
        let (small, large) = (json!({ "a": [1, "b"] }), json!({ "a": [1, "b".repeat(1000)] }));
        assert_eq!(memory_of(&large) - memory_of(&small), 999);
        assert_eq!(
            memory_of(&json!({ "name": null })) - memory_of(&json!({})),
            size_of::<String>() + 4 + size_of::<Value>()
        );

        let journal = Journal::keeping(LogLimits { items: LIMITS.items, bytes: 4000 });
        for _ in 0..10 {
            journal.record("phone", "gateway", "text", Some(large.clone()));
        }
        assert_eq!(journal.entries_from(0).iter().map(|entry| entry.number).collect::<Vec<_>>(), [7, 8, 9]);
    }
}
