//! The output of the operator's commands.

use std::fmt::Write as _;

use connector::app::redrive::Redriven;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The result of a command.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// For standard output.
    pub(crate) text: String,
    /// For standard error, one per line.
    pub(crate) warnings: Vec<String>,
    /// Whether the command did everything that was requested.
    pub(crate) complete: bool,
}

impl Report {
    pub(crate) fn done(text: String) -> Self {
        Self { text, warnings: vec![], complete: true }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::done(format!("{value:#}\n"))
    }
}

/// Formats rows under a heading, in columns as wide as their widest cell.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[&str; N]> =
        std::iter::once(heading).chain(rows.iter().map(|row| row.each_ref().map(String::as_str))).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Formats a duration in its two largest units.
pub(crate) fn age(age: SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

/// Formats an optional value; `-` if it is unknown.
pub(crate) fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

/// Formats a time without its fraction of a second.
pub(crate) fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// Adds the queue message to a row. It contains the text and the phone number.
pub(crate) fn with_task(mut row: Value, task: &str) -> Value {
    if let Some(row) = row.as_object_mut() {
        row.insert("task".to_owned(), serde_json::from_str(task).unwrap_or_else(|_| Value::from(task)));
    }
    row
}

/// Formats each row as a block of lines.
pub(crate) fn blocks(rows: &[Value]) -> String {
    let mut text = String::new();
    for row in rows {
        for (name, value) in row.as_object().into_iter().flatten() {
            let shown = match value {
                Value::Null => "-".to_owned(),
                Value::String(text) => text.clone(),
                other => format!("{other:#}"),
            };
            let _ = writeln!(text, "{name}: {shown}");
        }
        text.push('\n');
    }
    text
}

/// Formats the result of each message. The report is complete only if all of them are done.
pub(crate) fn outcomes(redriven: &[Redriven], as_json: bool) -> Report {
    let complete = redriven.iter().all(|one| one.outcome.is_done());
    let report = if as_json {
        let row =
            |one: &Redriven| json!({"id": one.id, "done": one.outcome.is_done(), "outcome": one.outcome.to_string()});
        Report::json(&json!({ "dry_run": false, "messages": redriven.iter().map(row).collect::<Vec<_>>() }))
    } else {
        let rows: Vec<_> = redriven.iter().map(|one| [one.id.clone(), one.outcome.to_string()]).collect();
        Report::done(if rows.is_empty() { "None.\n".to_owned() } else { table(["ID", "OUTCOME"], &rows) })
    };
    Report { complete, ..report }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        assert_eq!(table(["ID", "WHY"], &[row("äöü", "x"), row("b", "")]), "ID   WHY\näöü  x\nb\n");
        assert_eq!(table(["ID"], &[]), "ID\n");
    }

    #[test]
    fn an_age_shows_its_two_largest_units() {
        let age = |seconds| age(SignedDuration::from_secs(seconds));
        assert_eq!([-5, 59, 61, 3600, 90_061].map(age), ["0s", "59s", "1m", "1h 0m", "1d 1h"]);
    }
}
