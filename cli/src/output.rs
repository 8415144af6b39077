//! What the operator's commands print.

use jiff::SignedDuration;
use serde_json::Value;

/// What a command has to say.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// For standard output.
    pub(crate) text: String,
    /// For standard error, a line each.
    pub(crate) warnings: Vec<String>,
    /// Whether everything that was asked for is done.
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

/// Rows under a heading, in columns as wide as they must be.
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

/// A length of time in its two largest units.
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

/// What is not known.
pub(crate) fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
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
    fn ages_are_short() {
        let age = |seconds| age(SignedDuration::from_secs(seconds));
        assert_eq!([-5, 59, 61, 3600, 90_061].map(age), ["0s", "59s", "1m", "1h 0m", "1d 1h"]);
    }
}
