//! The functions' standard output: log records, and metrics that are counted from them.
//!
//! Both are JSON, one object per line. The records have the fields `timestamp` and `level`, which Lambda's log level filter reads. Without
//! them every line counts as INFO.

use connector::log_event;
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing_subscriber::{
    Layer, filter::LevelFilter, fmt::MakeWriter, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

use super::{
    config::{self, Environment, ProcessEnvironment},
    metrics::Metrics,
};

/// The variable with the level of the functions' logs, which Lambda sets from the template's `LogLevel`.
const LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// Makes this process write logs and metrics to standard output.
///
/// `AWS_LAMBDA_LOG_LEVEL` sets the level of the logs (default: INFO). Metrics are written at every level, but only if `CONNECTOR_STACK` is
/// set.
///
/// For a panic only its location is logged, because its message can quote the data that was being handled.
pub fn init_logs() {
    let level = ProcessEnvironment.get(LOG_LEVEL).and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let stack = ProcessEnvironment.get(config::STACK);
    tracing_subscriber::registry().with(layer(level, stack.as_deref(), std::io::stdout)).init();
    std::panic::set_hook(Box::new(log_panic));
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    log_event!(FUNCTION_PANICKED, place);
}

/// Returns a subscriber that writes the same output as on Lambda: records of this `level` and above, and the metrics of `stack`.
pub fn layer<S, W>(level: LevelFilter, stack: Option<&str>, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Clone + Send + Sync + 'static,
{
    // Omit the list of spans, because each record has the one span of its invocation anyway.
    let records = tracing_subscriber::fmt::layer()
        .json()
        .with_span_list(false)
        .with_target(false)
        .with_writer(writer.clone())
        .with_filter(level);
    // Don't use an `Option` of a layer: a `None` next to a filtered layer silences that.
    match stack {
        Some(stack) => records.and_then(Metrics::new(stack, level, writer).with_filter(LevelFilter::INFO)).boxed(),
        None => records.boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        panic::{self, catch_unwind},
        sync::Arc,
        thread,
    };

    use parking_lot::Mutex;

    use super::*;

    /// The log output of a test.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_logged_by_its_place_and_not_by_what_it_says() {
        let (log, me, others) = (Log::default(), thread::current().id(), panic::take_hook());
        // Other tests may panic at the same time. Their panics go to the original hook.
        panic::set_hook(Box::new(
            move |panic| {
                if thread::current().id() == me { log_panic(panic) } else { others(panic) }
            },
        ));
        let writer = log.clone();
        let subscriber = tracing_subscriber::registry().with(layer(LevelFilter::TRACE, None, move || writer.clone()));
        connector_testing::ask_all_subscribers();
        tracing::subscriber::with_default(subscriber, || {
            let number = "+491713920017";
            catch_unwind(|| panic!("c4nary in a text of {number}")).unwrap_err();
            catch_unwind(|| panic::panic_any(number.to_owned())).unwrap_err();
        });
        let log = String::from_utf8(log.0.lock().clone()).unwrap();
        assert_eq!(log.matches("logs.rs:").count(), 2, "{log}");
        assert!(!log.contains("c4nary") && !log.contains("491713920017"), "{log}");
    }
}
