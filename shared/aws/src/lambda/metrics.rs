//! Metrics in CloudWatch's embedded metric format (EMF): lines on standard output that CloudWatch converts into metrics, without a call.
//!
//! They are counted from the log records, so that the use cases don't depend on metrics, and a metric can't contradict its records.
//! [`log_event`](mod@connector::log_event) lists which event counts for which metric. docs/adr/0025 explains why no crate is used, and why
//! each metric is written at once.

use std::{fmt, io::Write};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, filter::LevelFilter, fmt::MakeWriter, layer::Context};

use crate::SystemClock;
use connector::{
    log_event,
    log_event::{Amount, Dimension, LogEvent, Metric},
    port::Clock,
};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "LiveEngageConnector";

/// The dimension of every metric: the stack's name.
const STACK: &str = "Stack";

/// A layer of `tracing` that converts log records into metrics.
#[derive(derive_more::Debug)]
#[debug("Metrics of {stack}")]
pub struct Metrics<W> {
    stack: String,
    /// A level that passes Lambda's filter whatever it is set to, so that a stack that logs little has metrics all the same.
    level: &'static str,
    writer: W,
}

impl<W> Metrics<W> {
    /// Creates the layer for this stack. `filter` is the level of Lambda's log level filter.
    pub fn new(stack: &str, filter: LevelFilter, writer: W) -> Self {
        let level = match filter {
            LevelFilter::OFF | LevelFilter::ERROR => "ERROR",
            LevelFilter::WARN => "WARN",
            _ => "INFO",
        };
        Self { stack: stack.to_owned(), level, writer }
    }

    /// Returns one line of the format for metrics of the same dimension. Its dimensions and values must be at the top level.
    fn line(&self, metrics: &[Metric], record: &Record, at: Timestamp) -> Option<Value> {
        let value = |metric: &Metric| match metric.amount {
            Amount::Records => Some(1),
            Amount::Field { name, .. } => record.number(name),
        };
        let values: Vec<_> = metrics.iter().filter_map(|metric| Some((metric, value(metric)?))).collect();
        let dimension = values.first()?.0.dimension;
        let second = match dimension {
            Dimension::Stack => None,
            Dimension::Known { name, value, .. } => Some((name, value.to_owned())),
            Dimension::Field { name, field, .. } => Some((name, record.text(field).unwrap_or("-").to_owned())),
        };
        let alone = dimension.has_stack().then(|| vec![STACK]);
        let sets: Vec<_> = alone.into_iter().chain(second.as_ref().map(|(name, _)| vec![STACK, name])).collect();
        let names: Vec<_> =
            values.iter().map(|(metric, _)| json!({"Name": metric.name, "Unit": metric.unit()})).collect();
        let directive = json!({"Namespace": NAMESPACE, "Dimensions": sets, "Metrics": names});
        let mut line = Map::new();
        line.insert("_aws".to_owned(), json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive]}));
        line.insert("timestamp".to_owned(), at.to_string().into());
        line.insert("level".to_owned(), self.level.into());
        line.insert(STACK.to_owned(), self.stack.as_str().into());
        if let Some((name, value)) = second {
            line.insert(name.to_owned(), value.into());
        }
        line.extend(values.into_iter().map(|(metric, value)| (metric.name.to_owned(), value.into())));
        Some(Value::Object(line))
    }
}

/// Returns the event of a record if it has metrics.
fn counted(record: &Record) -> Option<&'static LogEvent> {
    let name = record.text("event")?;
    log_event::all().find(|event| event.name == name)
}

impl<S: Subscriber, W: for<'writer> MakeWriter<'writer> + 'static> Layer<S> for Metrics<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !event.metadata().target().starts_with("connector") {
            return;
        }
        let mut record = Record::default();
        event.record(&mut record);
        let at = SystemClock.now();
        let metrics = counted(&record).map_or(&[] as &[Metric], |event| event.metrics);
        for metrics in metrics.chunk_by(|one, next| one.dimension == next.dimension) {
            if let Some(line) = self.line(metrics, &record, at) {
                // Ignore a metric that can't be written, as with a log record.
                let _ = self.writer.make_writer().write_all(format!("{line}\n").as_bytes());
            }
        }
    }
}

/// The fields of a record.
#[derive(Debug, Default)]
struct Record {
    texts: Vec<(&'static str, String)>,
    numbers: Vec<(&'static str, i64)>,
}

impl Record {
    fn text(&self, field: &str) -> Option<&str> {
        self.texts.iter().find(|(name, _)| *name == field).map(|(_, text)| text.as_str())
    }

    fn number(&self, field: &str) -> Option<i64> {
        self.numbers.iter().find(|(name, _)| *name == field).map(|(_, number)| *number)
    }
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.texts.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.texts.push((field.name(), value.to_owned()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.numbers.push((field.name(), value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record_i64(field, i64::try_from(value).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use parking_lot::Mutex;
    use tracing_subscriber::{layer::SubscriberExt, registry};

    use super::*;
    use crate::lambda::logs;

    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the output of this closure at this log level.
    fn written(level: LevelFilter, stack: Option<&str>, work: impl FnOnce()) -> Vec<Value> {
        let output = Output::default();
        let writer = output.clone();
        let subscriber = registry().with(logs::layer(level, stack, move || writer.clone()));
        connector_testing::ask_all_subscribers();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = output.0.lock().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn metrics(work: impl FnOnce()) -> Vec<Value> {
        let lines = written(LevelFilter::INFO, Some("prod"), work);
        lines.into_iter().filter(|line| line.get("_aws").is_some()).collect()
    }

    #[test]
    fn a_delivery_is_a_record_and_one_line_of_the_embedded_metric_format() {
        let work = || {
            log_event!(MESSAGE_DELIVERED, correlation = "c-1", line = Some("sms-main"), waited_ms = Some(740_i64));
        };
        let lines = written(LevelFilter::INFO, Some("prod"), work);
        let [record, metrics] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(record["fields"]["correlation"], "c-1");
        assert_eq!(record["level"], "INFO");
        let at = metrics["_aws"]["Timestamp"].as_i64().unwrap();
        let directive = json!({
            "Namespace": "LiveEngageConnector", "Dimensions": [["Stack", "Line"]],
            "Metrics": [{"Name": "Delivered", "Unit": "Count"}, {"Name": "AgeAtDelivery", "Unit": "Milliseconds"}],
        });
        let wanted = json!({
            "_aws": {"Timestamp": at, "CloudWatchMetrics": [directive]}, "timestamp": metrics["timestamp"], "level": "INFO",
            "Stack": "prod", "Line": "sms-main", "Delivered": 1, "AgeAtDelivery": 740,
        });
        assert_eq!(*metrics, wanted);
        assert_eq!(metrics["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap().as_millisecond(), at);
    }

    /// What a parked message's notice waited is not known.
    #[test]
    fn a_metric_whose_field_is_missing_is_left_out_alone() {
        let lines = metrics(|| log_event!(MESSAGE_DELIVERED, line = "sms-main"));
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&line["Delivered"], line.get("AgeAtDelivery")), (&json!(1), None));
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"], json!([{"Name": "Delivered", "Unit": "Count"}]));
    }

    #[test]
    fn what_alarms_watch_has_a_number_for_the_whole_stack() {
        let lines = metrics(|| {
            log_event!(MESSAGE_PARKED, line = None::<&str>);
            log_event!(WEBHOOK_REFUSED, reason = "signature wrong");
            log_event!(CHANNEL_REQUEST_UNREADABLE, reason = "from: must be a string");
            log_event!(APP_JWT_AGE, age_s = 3400_i64);
        });
        let dimensions: Vec<_> =
            lines.iter().map(|line| line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].clone()).collect();
        let two = |name: &str| json!([["Stack"], ["Stack", name]]);
        assert_eq!(dimensions, [two("Line"), two("Reason"), two("Reason"), json!([["Stack"]])]);
        assert_eq!((&lines[0]["Line"], &lines[0]["Parked"]), (&json!("-"), &json!(1)));
        assert_eq!(lines[1]["Reason"], "signature wrong");
        assert_eq!(lines[2]["Reason"], "unreadable");
        assert_eq!(lines[3]["TokenAge"], 3400);
    }

    #[test]
    fn what_is_refused_for_its_address_is_counted_by_messages_and_what_is_left_out_by_kind() {
        let lines = metrics(|| {
            log_event!(CHANNEL_REQUEST_MISDIRECTED, messages = 3_usize);
            log_event!(CHANNEL_REQUEST_PART_IGNORED, kind = "message in a group", count = 2_usize);
            log_event!(WEBHOOK_PART_IGNORED, kind = "event of an unknown type", count = 1_usize);
        });
        assert_eq!(lines[0]["Misdirected"], 3);
        assert_eq!(lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Stack"]]), "an alarm watches it");
        assert_eq!((&lines[1]["LeftOut"], &lines[1]["Reason"]), (&json!(2), &json!("message in a group")));
        assert_eq!((&lines[2]["LeftOut"], &lines[2]["Reason"]), (&json!(1), &json!("event of an unknown type")));
    }

    #[test]
    fn a_metric_holds_no_data_of_a_message_or_a_consumer() {
        let lines = metrics(|| {
            let error = "LiveEngage SEND: unavailable (HTTP 503)";
            let (line, class) = ("sms-main", "liveengage");
            log_event!(MESSAGE_RETRY_SCHEDULED, correlation = "c-1", conversation = "v-1", line, error, class);
        });
        let names: Vec<_> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["Class", "Retries", "Stack", "_aws", "level", "timestamp"]);
        assert_eq!(lines[0]["Class"], "liveengage");
    }

    #[test]
    fn a_stack_that_logs_little_is_watched_all_the_same() {
        let work = || log_event!(MESSAGE_DELIVERED, line = "sms-main", waited_ms = 1_i64);
        for (level, named) in [(LevelFilter::WARN, "WARN"), (LevelFilter::ERROR, "ERROR")] {
            let lines = written(level, Some("prod"), work);
            assert_eq!(lines.len(), 1, "the metrics, and no record: {lines:?}");
            assert!(lines[0].get("_aws").is_some(), "{lines:?}");
            assert!(lines.iter().all(|line| line["level"] == named), "{lines:?}");
        }
        assert_eq!(written(LevelFilter::INFO, None, work).len(), 1, "without a stack the record alone");
    }

    #[test]
    fn the_words_of_others_are_no_metric() {
        let lines = metrics(|| {
            tracing::info!(target: "reqwest", event = "message.delivered", "delivered");
            tracing::info!(line = "sms-main", "delivered");
        });
        assert!(lines.is_empty(), "{lines:?}");
    }
}
