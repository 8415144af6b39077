//! The page's live feed: Server-Sent Events.
//!
//! `hello` comes first and identifies the run of the lab. `journal` is an entry of the wire log; its id lets the
//! browser resume after a lost connection. `changed` means that `/api/state` must be read again.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio_stream::wrappers::WatchStream;

use crate::journal::{Journal, JournalEntry};

use super::HandlerState;

/// The number of past entries for a browser that connects for the first time.
const BACKLOG: u64 = 500;

pub(super) async fn events(
    State(shared): State<HandlerState>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let run = shared.run;
    let resume_at = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .and_then(|id| id.rsplit_once(':'))
        .filter(|(seen_run, _)| *seen_run == &*run)
        .and_then(|(_, number)| number.parse::<u64>().ok())
        .map(|number| number.saturating_add(1));
    let hello = Event::default().event("hello").data(&*run);
    let journal = follow(shared.journal, resume_at).map(move |entry| journal_event(&run, &entry));
    let changed = WatchStream::from_changes(shared.changed)
        .map(|revision| Event::default().event("changed").data(revision.to_string()));
    let live = stream::select(journal, changed).take_until(stop(shared.stopped));
    Sse::new(stream::once(async { hello }).chain(live).map(Ok)).keep_alive(KeepAlive::default())
}

fn journal_event(run: &str, entry: &JournalEntry) -> Event {
    let event = Event::default().event("journal").id(format!("{run}:{}", entry.number));
    // An entry consists of strings, numbers and a JSON value, so it always serializes. A browser ignores an event
    // without data.
    event.json_data(entry).unwrap_or_default()
}

async fn stop(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

struct JournalFollower {
    journal: Journal,
    live: broadcast::Receiver<JournalEntry>,
    backlog: VecDeque<JournalEntry>,
    next: u64,
}

/// The journal from an entry on (or the last [`BACKLOG`] entries), each entry once and in order.
fn follow(journal: Journal, resume_at: Option<u64>) -> BoxStream<'static, JournalEntry> {
    // Subscribes before reading the past entries. So an entry in between comes twice and is filtered out, but is never
    // missed.
    let live = journal.follow();
    let past = journal.entries();
    let next = resume_at.unwrap_or((past.len() as u64).saturating_sub(BACKLOG));
    let backlog = past.into_iter().filter(|entry| entry.number >= next).collect();
    stream::unfold(JournalFollower { journal, live, backlog, next }, |mut follower| async move {
        let entry = follower.next_entry().await?;
        Some((entry, follower))
    })
    .boxed()
}

impl JournalFollower {
    async fn next_entry(&mut self) -> Option<JournalEntry> {
        loop {
            if let Some(entry) = self.backlog.pop_front() {
                self.next = entry.number + 1;
                return Some(entry);
            }
            match self.live.recv().await {
                Ok(entry) if entry.number < self.next => {}
                Ok(entry) => {
                    self.next = entry.number + 1;
                    return Some(entry);
                }
                Err(RecvError::Lagged(_)) => {
                    let next = self.next;
                    self.backlog = self.journal.entries().into_iter().filter(|entry| entry.number >= next).collect();
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::{BACKLOG, Journal, follow};

    fn write(journal: &Journal, lines: u64) {
        for line in 0..lines {
            journal.record("phone", "gateway", line.to_string(), None);
        }
    }

    #[tokio::test]
    async fn past_and_live_entries_come_once_and_in_order() {
        let journal = Journal::default();
        write(&journal, 3);
        let follower = follow(journal.clone(), None);
        write(&journal, 2);
        let numbers: Vec<u64> = follower.take(5).map(|entry| entry.number).collect().await;
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn a_slow_browser_misses_nothing() {
        let journal = Journal::default();
        let follower = follow(journal.clone(), None);
        write(&journal, 3000);
        let numbers: Vec<u64> = follower.take(3000).map(|entry| entry.number).collect().await;
        assert_eq!(numbers, (0..3000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_new_browser_gets_the_latest_entries_and_a_returning_one_resumes() {
        let journal = Journal::default();
        write(&journal, BACKLOG + 20);
        assert_eq!(follow(journal.clone(), None).next().await.map(|entry| entry.number), Some(20));
        assert_eq!(follow(journal.clone(), Some(7)).next().await.map(|entry| entry.number), Some(7));
    }
}
