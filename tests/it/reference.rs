//! Generates reference pages from code: log events, metrics, and the settings of the channels.
//!
//! `CONNECTOR_WRITE_DOCS=1 cargo nextest run -p connector-tests reference` writes them again.

use std::{fmt::Write as _, fs, path::Path};

use connector::log_event::{self, Dimension, LogEvent, Metric};
use connector_channels::Channel;

const GENERATED: &str =
    "<!-- Generated from `shared/connector/src/log_event` by `tests/it/reference.rs`. Don't edit. -->\n";

const LOG_EVENTS: &str = "\
# Log events

Every function writes its log to standard output as JSON, one object a line. A record has `timestamp`, `level`, `fields`, and `span` with
the invocation's `requestId`. Lines with `_aws` are [metrics](metrics.md).

`fields.event` names the event. Names and fields are stable: queries and metrics use them. `fields.message` says the same to a person and
may be reworded. No record holds a message's text, a consumer's address or a secret.
";

const METRICS: &str = "\
# Metrics

All metrics are in the namespace `LiveEngageConnector` and have the dimension `Stack`. The functions write them to their logs in
CloudWatch's embedded metric format, and no function calls CloudWatch. Each is counted from a [log event](log-events.md), whatever the log
level.

| Metric | Unit | Per | Counts | Event |
| --- | --- | --- | --- | --- |
";

const BILLED: &str = "
CloudWatch bills each combination of dimensions that was written in an hour. With one line a stack has five of them while all is well
(`Accepted` twice, `Delivered`, `AgeAtDelivery`, `TokenAge`), and two more for each further line. With one line it has 42 at the most (nine
reasons, 14 kinds of what is left out, seven classes, and what has no line), of which most are written for minutes only. None of the
dimensions is a conversation, a consumer or a message.
";

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ")
}

/// Joins the lines of a doc comment, because a table row is one line.
fn in_a_row(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn functions(event: &LogEvent) -> String {
    if event.functions.len() == 5 { "all".to_owned() } else { event.functions.join(", ") }
}

fn log_events() -> String {
    let mut page = format!("{GENERATED}{LOG_EVENTS}");
    for (part, events) in log_event::ALL {
        write!(
            page,
            "\n## {part}\n\n| Event | Level | Functions | Fields | Meaning |\n| --- | --- | --- | --- | --- |\n"
        )
        .unwrap();
        for event in *events {
            let metrics: Vec<_> = event.metrics.iter().map(|metric| format!("`{}`", metric.name)).collect();
            let counted = if metrics.is_empty() { String::new() } else { format!(" Metrics: {}.", metrics.join(", ")) };
            writeln!(
                page,
                "| `{}` | {} | {} | {} | {}{counted} |",
                event.name,
                event.level,
                functions(event),
                list(event.fields),
                in_a_row(event.meaning),
            )
            .unwrap();
        }
    }
    page.push_str(
        "\n## Fields\n\nA record lacks the fields that it has no value for.\n\n| Field | Holds |\n| --- | --- |\n",
    );
    for (name, meaning) in log_event::FIELDS {
        writeln!(page, "| `{name}` | {meaning} |").unwrap();
    }
    page
}

fn dimension(metric: &Metric) -> String {
    match metric.dimension {
        Dimension::Stack => "stack".to_owned(),
        Dimension::Known { name, and_stack, .. } | Dimension::Field { name, and_stack, .. } => {
            format!("{}`{name}`", if and_stack { "stack; " } else { "" })
        }
    }
}

fn metrics() -> String {
    let mut page = format!("{GENERATED}{METRICS}");
    for (name, meaning) in log_event::METRICS {
        let of_it = |event: &&LogEvent| event.metrics.iter().any(|metric| metric.name == *name);
        let events: Vec<&LogEvent> = log_event::all().filter(of_it).collect();
        let metric = events.iter().flat_map(|event| event.metrics).find(|metric| metric.name == *name).unwrap();
        let (unit, per) = (metric.unit(), dimension(metric));
        let events: Vec<_> = events.iter().map(|event| format!("`{}`", event.name)).collect();
        writeln!(page, "| `{name}` | {unit} | {per} | {meaning} | {} |", events.join(", ")).unwrap();
    }
    page.push_str(BILLED);
    page
}

#[test]
fn the_reference_pages_of_log_events_and_metrics_are_as_the_code() {
    for (name, page) in [("log-events.md", log_events()), ("metrics.md", metrics())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(name);
        if std::env::var_os("CONNECTOR_WRITE_DOCS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &page).unwrap();
        }
        let stands = fs::read_to_string(&path).unwrap_or_default();
        assert!(stands == page, "{} is out of date: run this test with CONNECTOR_WRITE_DOCS=1", path.display());
    }
}

/// The table of a channel's settings.
fn settings(channel: &dyn Channel) -> String {
    let mut table = "| Field | Type | Required | Meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for setting in channel.settings() {
        let required = if setting.required { "yes" } else { "no" };
        let (name, kind) = (setting.name, setting.value.type_name());
        writeln!(table, "| `{}.{name}` | {kind} | {required} | {} |", channel.name(), setting.meaning).unwrap();
    }
    table
}

#[test]
fn the_reference_page_of_the_line_secret_has_the_settings_of_every_channel() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/line-secret.md");
    let mut page = fs::read_to_string(&path).unwrap();
    let stands = page.clone();
    for channel in connector_channels::ALL {
        let start = format!("<!-- settings of {}: generated by `tests/it/reference.rs` -->\n", channel.name());
        let (before, rest) =
            page.split_once(&start).unwrap_or_else(|| panic!("a section for {}: {start}", channel.name()));
        let (_, after) = rest.split_once("<!-- end -->").unwrap();
        page = format!("{before}{start}{}<!-- end -->{after}", settings(*channel));
    }
    if std::env::var_os("CONNECTOR_WRITE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert!(stands == page, "line-secret.md is out of date: run this test with CONNECTOR_WRITE_DOCS=1");
}
