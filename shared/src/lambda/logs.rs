//! What the functions write to standard output: log records, and the metrics that are counted from them.
//!
//! Both are JSON, one object a line. The records have the fields `timestamp` and `level` that Lambda's log level filter reads (without
//! them every line counts as INFO).

use tracing::Subscriber;
use tracing_subscriber::{
    Layer, filter::LevelFilter, fmt::MakeWriter, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

use super::{
    config::{self, Environment, ProcessEnvironment},
    metrics::Metrics,
};

/// The level of the functions' logs, as Lambda sets it from the template's `LogLevel`.
const LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// Has this process write logs and metrics to standard output. The level is that of `AWS_LAMBDA_LOG_LEVEL`, INFO without it; metrics
/// are written at every level, and not at all without `CONNECTOR_STACK`.
///
/// A panic is logged by its place only: its message can quote what was being worked on.
pub fn init_logs() {
    let level = ProcessEnvironment.get(LOG_LEVEL).and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let stack = ProcessEnvironment.get(config::STACK);
    tracing_subscriber::registry().with(layer(level, stack.as_deref(), std::io::stdout)).init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, count = 1, "panic");
    }));
}

/// All that a function writes, as it is on Lambda: records of this `level` and above, and the metrics of `stack`.
pub fn layer<S, W>(level: LevelFilter, stack: Option<&str>, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Clone + Send + Sync + 'static,
{
    let records =
        tracing_subscriber::fmt::layer().json().with_target(false).with_writer(writer.clone()).with_filter(level);
    // Not an `Option` of a layer: beside a filtered one, a `None` silences it.
    match stack {
        Some(stack) => records.and_then(Metrics::new(stack, level, writer).with_filter(LevelFilter::INFO)).boxed(),
        None => records.boxed(),
    }
}
