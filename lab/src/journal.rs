//! The wire log: what travelled between the parts of the lab, in order, for the page and the tests.
//!
//! The lab is a simulator on loopback: its journal shows message texts on purpose. Secrets and tokens are never put in.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use connector::port::{Clock, SystemClock};
use serde::Serialize;
use tokio::sync::broadcast;

/// One line of the wire log.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Position in the journal, from 0, without gaps.
    pub number: u64,
    /// When it happened, milliseconds since the epoch.
    pub at_ms: i64,
    /// Who sent it: `phone`, `gateway`, `inbound`, `queue`, `to-liveengage`, `liveengage`, `webhook`, `to-channel`, `desk` ...
    pub from: String,
    /// Who received it, in the same names.
    pub to: String,
    /// What it was, in one line, for example `POST /webhooks/liveengage ContentEvent -> 200`.
    pub what: String,
    /// The payload as it travelled, where there is one (without secrets and tokens).
    pub detail: Option<serde_json::Value>,
}

/// What is shown of a webhook that nobody answered: the error's own text holds the URL.
pub(crate) fn unanswered(error: &reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        format!("no answer within {timeout:?}")
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "connection lost".to_owned()
    }
}

/// The journal of one lab: append, read back, follow. Clones share it.
#[derive(Debug, Clone)]
pub struct Journal {
    entries: Arc<Mutex<Vec<Entry>>>,
    live: broadcast::Sender<Entry>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { entries: Arc::default(), live: broadcast::channel(1024).0 }
    }
}

impl Journal {
    /// Appends one line and shows it to everyone who follows.
    pub fn record(&self, from: &str, to: &str, what: impl Into<String>, detail: Option<serde_json::Value>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry {
            number: entries.len() as u64,
            at_ms: SystemClock.now().as_millisecond(),
            from: from.to_owned(),
            to: to.to_owned(),
            what: what.into(),
            detail,
        };
        entries.push(entry.clone());
        // Sent under the lock, so that followers see the journal's own order. No follower is not an error.
        let _ = self.live.send(entry);
    }

    /// All lines so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Follows the journal from now on. A follower that falls 1024 lines behind is told so and can read back.
    pub fn follow(&self) -> broadcast::Receiver<Entry> {
        self.live.subscribe()
    }
}
