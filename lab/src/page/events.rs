//! The page's live feed: Server-Sent Events.
//!
//! `hello` comes first and identifies the run of the lab. `journal` is an entry of the wire log; its id lets the
//! browser resume after a lost connection. `dropped` holds how many entries are missing at this point, because the
//! browser was away or too slow for so long that the wire log doesn't keep them any more. `changed` means that
//! `/api/state` must be read again.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

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
    let journal = follow(shared.journal, resume_at).map(move |line| line.event(&run));
    let changed = WatchStream::from_changes(shared.changed)
        .map(|revision| Event::default().event("changed").data(revision.to_string()));
    let live = stream::select(journal, changed).take_until(stop(shared.stopped));
    Sse::new(stream::once(async { hello }).chain(live).map(Ok)).keep_alive(KeepAlive::default())
}

/// What a follower of the journal gets.
#[derive(Debug)]
enum FeedLine {
    /// So many entries are not kept any more.
    Dropped(u64),
    Entry(Arc<JournalEntry>),
}

impl FeedLine {
    fn event(&self, run: &str) -> Event {
        match self {
            Self::Dropped(count) => Event::default().event("dropped").data(count.to_string()),
            Self::Entry(entry) => {
                let event = Event::default().event("journal").id(format!("{run}:{}", entry.number));
                // An entry consists of strings, numbers and a JSON value, so it always serializes. A browser ignores an
                // event without data.
                event.json_data(entry.as_ref()).unwrap_or_default()
            }
        }
    }
}

async fn stop(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

struct JournalFollower {
    journal: Journal,
    live: broadcast::Receiver<Arc<JournalEntry>>,
    backlog: VecDeque<Arc<JournalEntry>>,
    next: u64,
}

/// The journal from an entry on (or the last [`BACKLOG`] entries), each entry once and in order. What the journal has
/// dropped is named.
fn follow(journal: Journal, resume_at: Option<u64>) -> BoxStream<'static, FeedLine> {
    // Subscribes before reading the past entries. So an entry in between comes twice and is filtered out, but is never
    // missed.
    let live = journal.follow();
    let next = resume_at.unwrap_or_else(|| journal.next().saturating_sub(BACKLOG));
    let backlog = journal.entries_from(next).into();
    stream::unfold(JournalFollower { journal, live, backlog, next }, |mut follower| async move {
        let line = follower.next_line().await?;
        Some((line, follower))
    })
    .boxed()
}

impl JournalFollower {
    async fn next_line(&mut self) -> Option<FeedLine> {
        loop {
            if let Some(entry) = self.backlog.front() {
                let dropped = entry.number.saturating_sub(self.next);
                if dropped > 0 {
                    self.next = entry.number;
                    return Some(FeedLine::Dropped(dropped));
                }
            }
            if let Some(entry) = self.backlog.pop_front() {
                self.next = entry.number + 1;
                return Some(FeedLine::Entry(entry));
            }
            match self.live.recv().await {
                Ok(entry) if entry.number < self.next => {}
                Ok(entry) => {
                    self.next = entry.number + 1;
                    return Some(FeedLine::Entry(entry));
                }
                Err(RecvError::Lagged(_)) => self.backlog = self.journal.entries_from(self.next).into(),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;

    use super::{BACKLOG, FeedLine, Journal, follow};
    use crate::bounded_log::LogLimits;

    fn write(journal: &Journal, lines: u64) {
        for line in 0..lines {
            journal.record("phone", "gateway", line.to_string(), None);
        }
    }

    /// The numbers of the next entries; of a gap, minus how many are missing.
    async fn read(journal: &Journal, resume_at: Option<u64>, write_then: u64, count: usize) -> Vec<i64> {
        let lines = follow(journal.clone(), resume_at);
        write(journal, write_then);
        let number = |line| match line {
            FeedLine::Entry(entry) => entry.number.cast_signed(),
            FeedLine::Dropped(count) => -count.cast_signed(),
        };
        lines.take(count).map(number).collect().await
    }

    #[tokio::test]
    async fn past_and_live_entries_come_once_and_in_order() {
        let journal = Journal::default();
        write(&journal, 3);
        assert_eq!(read(&journal, None, 2, 5).await, [0, 1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn a_slow_browser_misses_nothing_that_is_kept() {
        assert_eq!(read(&Journal::default(), None, 3000, 3000).await, (0..3000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_new_browser_gets_the_latest_entries_and_a_returning_one_resumes() {
        let journal = Journal::default();
        write(&journal, BACKLOG + 20);
        assert_eq!(read(&journal, None, 0, 1).await, [20]);
        assert_eq!(read(&journal, Some(7), 0, 1).await, [7]);
    }

    #[tokio::test]
    async fn a_browser_that_was_away_or_too_slow_is_told_what_was_dropped() {
        let keeping_ten = || Journal::keeping(LogLimits { items: 10, bytes: usize::MAX });
        let journal = keeping_ten();
        write(&journal, 15);
        assert_eq!(read(&journal, Some(3), 0, 3).await, [-2, 5, 6], "it was away");
        assert_eq!(read(&journal, Some(5), 0, 1).await, [5], "it has missed nothing");
        assert_eq!(read(&journal, Some(15), 1, 1).await, [15], "nothing happened in between");

        let slow = read(&keeping_ten(), None, 3000, 11).await;
        assert_eq!(slow, [-2990].into_iter().chain(2990..3000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_new_browser_is_told_if_even_the_latest_entries_are_dropped() {
        let journal = Journal::keeping(LogLimits { items: 10, bytes: usize::MAX });
        write(&journal, BACKLOG);
        assert_eq!(read(&journal, None, 0, 2).await, [10 - BACKLOG.cast_signed(), BACKLOG.cast_signed() - 10]);
    }
}
