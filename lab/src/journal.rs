//! The wire log: the traffic between the parts of the lab in order, for the page and the tests.
//!
//! The lab is a simulator on loopback, so its journal shows message texts on purpose. It never contains secrets or
//! tokens.

use std::{sync::Arc, time::Duration};

use connector::port::Clock;
use connector_aws::SystemClock;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::broadcast;

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
    pub detail: Option<serde_json::Value>,
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

/// The journal of one lab. Clones share it.
#[derive(Debug, Clone)]
pub struct Journal {
    entries: Arc<Mutex<Vec<JournalEntry>>>,
    live: broadcast::Sender<JournalEntry>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { entries: Arc::default(), live: broadcast::channel(1024).0 }
    }
}

impl Journal {
    /// Appends an entry and sends it to all followers.
    pub fn record(&self, from: &str, to: &str, what: impl Into<String>, detail: Option<serde_json::Value>) {
        let mut entries = self.entries.lock();
        let entry = JournalEntry {
            number: entries.len() as u64,
            at_ms: SystemClock.now().as_millisecond(),
            from: from.to_owned(),
            to: to.to_owned(),
            what: what.into(),
            detail,
        };
        entries.push(entry.clone());
        // Sent under the lock, so that followers see the order of the journal. Having no follower is not an error.
        let _ = self.live.send(entry);
    }

    /// All entries so far.
    pub fn entries(&self) -> Vec<JournalEntry> {
        self.entries.lock().clone()
    }

    /// Follows the journal from now on. A follower that falls 1024 entries behind is notified and can read the entries.
    pub fn follow(&self) -> broadcast::Receiver<JournalEntry> {
        self.live.subscribe()
    }
}
