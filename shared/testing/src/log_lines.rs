//! What the functions log, as lines.

use std::{
    fmt::{Debug, Write},
    sync::{Arc, LazyLock},
};

use parking_lot::Mutex;
use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    field::{Field, Visit},
    instrument::WithSubscriber,
    span,
};

/// A subscriber that passes each log event on as a line: its level and its fields, as `INFO event="message.delivered" attempt=1`. Spans are
/// left out.
pub(crate) struct LogLines<F>(F);

impl<F: Fn(&str) + 'static> LogLines<F> {
    pub(crate) fn new(pass_on: F) -> Self {
        ask_all_subscribers();
        Self(pass_on)
    }
}

/// Makes a subscriber of one thread (`tracing::subscriber::with_default`) receive all events of its thread, whatever other threads log.
/// Tests that subscribe call it first; later calls do nothing.
///
/// The reason: `tracing` keeps, for each place in the code that logs, whether anyone wants its events. While at most one subscriber exists,
/// it asks the one of the thread that comes to that place first, and a thread without a subscriber answers no for every thread. From the
/// second subscriber on it asks all of them. The two that are kept here want everything and do nothing with it.
pub fn ask_all_subscribers() {
    static ALWAYS_INTERESTED: LazyLock<[Dispatch; 2]> =
        LazyLock::new(|| [(); 2].map(|()| Dispatch::new(LogLines(|_: &str| ()))));
    LazyLock::force(&ALWAYS_INTERESTED);
}

impl<F: Fn(&str) + 'static> Subscriber for LogLines<F> {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        (self.0)(&line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The level and the fields of an event.
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

/// Returns the output of `work`, and the log events of it, in order, each as its level and its fields:
/// `INFO event="message.delivered" correlation="r-1"`. Events of what it spawns are left out.
pub async fn logged<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let collect = {
        let lines = Arc::clone(&lines);
        move |line: &str| lines.lock().push(line.to_owned())
    };
    let output = work.with_subscriber(LogLines::new(collect)).await;
    let lines = std::mem::take(&mut *lines.lock());
    (output, lines)
}
