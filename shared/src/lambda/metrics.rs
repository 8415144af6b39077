//! Metrics in CloudWatch's embedded metric format (EMF): lines on standard output of which CloudWatch makes metrics. No call is made.
//!
//! They are counted from the log records, so that the use cases know nothing of metrics, and a metric and the records that explain
//! it can't disagree. `RULES` is the whole list. docs/adr/0025 says why there is no crate for it, and why each is written at once.

use std::{fmt, io::Write};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, filter::LevelFilter, fmt::MakeWriter, layer::Context};

use crate::port::{Clock, SystemClock};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "LiveEngageConnector";

/// The dimension that every metric has: the stack's name.
const STACK: &str = "Stack";

/// What the dimensions of a metric hold beside the stack. CloudWatch bills each combination: there is none by person, conversation or
/// message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The stack alone.
    Stack,
    /// A second dimension, with a value that the rule knows.
    Known(&'static str, &'static str),
    /// A second dimension, with the value of this field of the record; `-` where it has none.
    Field(&'static str, &'static str),
    /// The same, and the stack alone: alarms need one number.
    FieldAndStack(&'static str, &'static str),
    /// Both, with a value that the rule knows.
    KnownAndStack(&'static str, &'static str),
}

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    /// The records.
    One,
    /// This field of theirs, in this unit of CloudWatch's. A record without it counts nothing.
    Of(&'static str, &'static str),
}

/// A metric, and the record that it is made of.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// How the record's message begins.
    message: &'static str,
    metric: &'static str,
    amount: Amount,
    by: By,
}

const fn rule(message: &'static str, metric: &'static str, amount: Amount, by: By) -> Rule {
    Rule { message, metric, amount, by }
}

const LINE: By = By::Field("Line", "line");
const REASON: By = By::FieldAndStack("Reason", "reason");

/// Every metric.
const RULES: &[Rule] = &[
    rule("LiveEngage webhook accepted", "Accepted", Amount::One, By::Known("Function", "webhook")),
    rule("channel request accepted", "Accepted", Amount::One, By::Known("Function", "inbound")),
    rule("LiveEngage webhook refused", "Refused", Amount::One, REASON),
    rule("channel request refused", "Refused", Amount::One, REASON),
    // Each has a reason of its own wording; the record has it.
    rule("channel request unreadable", "Refused", Amount::One, By::KnownAndStack("Reason", "unreadable")),
    rule("misdirected:", "Misdirected", Amount::Of("messages", "Count"), By::Stack),
    rule("left out of a", "LeftOut", Amount::Of("count", "Count"), By::Field("Reason", "kind")),
    rule("delivered", "Delivered", Amount::One, LINE),
    rule("delivered", "AgeAtDelivery", Amount::Of("waited_ms", "Milliseconds"), LINE),
    rule("NACK:", "Nacked", Amount::One, LINE),
    rule("PARKED:", "Parked", Amount::One, By::FieldAndStack("Line", "line")),
    // These were dropped, and nobody else is told.
    rule("a conversation that was taken for another", "Parked", Amount::One, By::FieldAndStack("Line", "line")),
    rule("not delivered yet", "Retries", Amount::One, By::Field("Class", "class")),
    rule("held back: the other side is down", "BreakerOpen", Amount::One, By::Stack),
    rule("the AppJWT's age", "TokenAge", Amount::Of("age_s", "Seconds"), By::Stack),
];

/// Makes metrics of log records, as a layer of `tracing`.
pub struct Metrics<W> {
    stack: String,
    /// A level that Lambda's filter lets through, whatever it is set to: a stack that logs little is watched all the same.
    level: &'static str,
    writer: W,
}

impl<W> fmt::Debug for Metrics<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metrics of {}", self.stack)
    }
}

impl<W> Metrics<W> {
    /// Metrics of this stack, written through Lambda's log level filter, which stands at `filter`.
    pub fn new(stack: &str, filter: LevelFilter, writer: W) -> Self {
        let level = match filter {
            LevelFilter::OFF | LevelFilter::ERROR => "ERROR",
            LevelFilter::WARN => "WARN",
            _ => "INFO",
        };
        Self { stack: stack.to_owned(), level, writer }
    }

    /// One line of the format. Its dimensions and values must stand at the top.
    fn line(&self, rule: &Rule, record: &Record, at: Timestamp) -> Option<Value> {
        let (value, unit) = match rule.amount {
            Amount::One => (1, "Count"),
            Amount::Of(field, unit) => (record.number(field)?, unit),
        };
        let known = |name, value: &str| Some((name, value.to_owned()));
        let field = |name, field| Some((name, record.text(field).unwrap_or("-").to_owned()));
        let (second, alone) = match rule.by {
            By::Stack => (None, true),
            By::Known(name, value) => (known(name, value), false),
            By::KnownAndStack(name, value) => (known(name, value), true),
            By::Field(name, of) => (field(name, of), false),
            By::FieldAndStack(name, of) => (field(name, of), true),
        };
        let sets = alone
            .then(|| vec![STACK])
            .into_iter()
            .chain(second.as_ref().map(|(name, _)| vec![STACK, name]))
            .collect::<Vec<_>>();
        let directive = json!({
            "Namespace": NAMESPACE, "Dimensions": sets, "Metrics": [{"Name": rule.metric, "Unit": unit}],
        });
        let mut line = Map::new();
        line.insert("_aws".to_owned(), json!({"Timestamp": at.as_millisecond(), "CloudWatchMetrics": [directive]}));
        line.insert("timestamp".to_owned(), at.to_string().into());
        line.insert("level".to_owned(), self.level.into());
        line.insert(STACK.to_owned(), self.stack.as_str().into());
        if let Some((name, value)) = second {
            line.insert(name.to_owned(), value.into());
        }
        line.insert(rule.metric.to_owned(), value.into());
        Some(Value::Object(line))
    }
}

impl<S: Subscriber, W: for<'writer> MakeWriter<'writer> + 'static> Layer<S> for Metrics<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !event.metadata().target().starts_with("connector") {
            return;
        }
        let mut record = Record::default();
        event.record(&mut record);
        let at = SystemClock.now();
        for rule in RULES.iter().filter(|rule| record.message.starts_with(rule.message)) {
            if let Some(line) = self.line(rule, &record, at) {
                // A metric that can't be written is no reason to stop, as with a log record.
                let _ = self.writer.make_writer().write_all(format!("{line}\n").as_bytes());
            }
        }
    }
}

/// What a record says, as far as a rule may want it.
#[derive(Debug, Default)]
struct Record {
    message: String,
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
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => self.texts.push((name, text)),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.texts.push((name, value.to_owned())),
        }
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
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{layer::SubscriberExt, registry};

    use super::*;
    use crate::lambda::logs;

    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written while this is done, at this log level.
    fn written(level: LevelFilter, stack: Option<&str>, work: impl FnOnce()) -> Vec<Value> {
        let output = Output::default();
        let writer = output.clone();
        let subscriber = registry().with(logs::layer(level, stack, move || writer.clone()));
        tracing::subscriber::with_default(subscriber, work);
        let bytes = output.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn metrics(work: impl FnOnce()) -> Vec<Value> {
        let lines = written(LevelFilter::INFO, Some("prod"), work);
        lines.into_iter().filter(|line| line.get("_aws").is_some()).collect()
    }

    #[test]
    fn a_delivery_is_a_record_a_count_and_an_age_in_the_embedded_metric_format() {
        let work =
            || tracing::info!(correlation = "c-1", line = Some("sms-main"), waited_ms = Some(740_i64), "delivered");
        let lines = written(LevelFilter::INFO, Some("prod"), work);
        let [record, count, age] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(record["fields"]["correlation"], "c-1");
        assert_eq!(record["level"], "INFO");
        let at = age["_aws"]["Timestamp"].as_i64().unwrap();
        let directive = json!({
            "Namespace": "LiveEngageConnector", "Dimensions": [["Stack", "Line"]],
            "Metrics": [{"Name": "AgeAtDelivery", "Unit": "Milliseconds"}],
        });
        let wanted = json!({
            "_aws": {"Timestamp": at, "CloudWatchMetrics": [directive]}, "timestamp": age["timestamp"], "level": "INFO",
            "Stack": "prod", "Line": "sms-main", "AgeAtDelivery": 740,
        });
        assert_eq!(*age, wanted);
        assert_eq!(count["Delivered"], 1);
        assert_eq!(age["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap().as_millisecond(), at);
    }

    #[test]
    fn what_alarms_watch_has_a_number_for_the_whole_stack() {
        let lines = metrics(|| {
            tracing::error!(line = None::<&str>, "PARKED: the message was not delivered and is kept in the table");
            tracing::warn!(reason = "signature wrong", "LiveEngage webhook refused");
            tracing::warn!(reason = "from: must be a string", "channel request unreadable");
            tracing::info!(age_s = 3400_i64, "the AppJWT's age");
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
            tracing::warn!(messages = 3_usize, "misdirected: messages for an address that no line has");
            tracing::warn!(kind = "message in a group", count = 2_usize, "left out of a channel request");
            tracing::warn!(kind = "event of an unknown type", count = 1_usize, "left out of a LiveEngage webhook");
        });
        assert_eq!(lines[0]["Misdirected"], 3);
        assert_eq!(lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Stack"]]), "an alarm watches it");
        assert_eq!((&lines[1]["LeftOut"], &lines[1]["Reason"]), (&json!(2), &json!("message in a group")));
        assert_eq!((&lines[2]["LeftOut"], &lines[2]["Reason"]), (&json!(1), &json!("event of an unknown type")));
    }

    #[test]
    fn a_metric_holds_nothing_of_a_message_and_nothing_of_a_person() {
        let lines = metrics(|| {
            tracing::warn!(
                correlation = "c-1",
                conversation = "v-1",
                line = "sms-main",
                error = "LiveEngage SEND: unavailable (HTTP 503)",
                class = "liveengage",
                "not delivered yet"
            );
        });
        let names: Vec<_> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["Class", "Retries", "Stack", "_aws", "level", "timestamp"]);
        assert_eq!(lines[0]["Class"], "liveengage");
    }

    #[test]
    fn a_stack_that_logs_little_is_watched_all_the_same() {
        let work = || tracing::info!(line = "sms-main", waited_ms = 1_i64, "delivered");
        for (level, named) in [(LevelFilter::WARN, "WARN"), (LevelFilter::ERROR, "ERROR")] {
            let lines = written(level, Some("prod"), work);
            assert_eq!(lines.len(), 2, "the metrics, and no record: {lines:?}");
            assert!(lines.iter().all(|line| line["level"] == named), "{lines:?}");
        }
        assert_eq!(written(LevelFilter::INFO, None, work).len(), 1, "without a stack the record alone");
    }

    #[test]
    fn no_metric_has_more_than_one_dimension_beside_the_stack_and_none_that_grows() {
        for rule in RULES {
            let (By::Known(name, _) | By::KnownAndStack(name, _) | By::Field(name, _) | By::FieldAndStack(name, _)) =
                rule.by
            else {
                continue;
            };
            assert!(["Function", "Line", "Reason", "Class"].contains(&name), "{rule:?}");
        }
    }

    #[test]
    fn the_words_of_others_are_no_metric() {
        let lines = metrics(|| {
            tracing::info!(target: "reqwest", "delivered");
            tracing::info!(line = "sms-main", "what was not delivered");
        });
        assert!(lines.is_empty(), "{lines:?}");
    }
}
