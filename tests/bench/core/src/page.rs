//! Checks that the page of the book shows the recorded counts.

use std::{collections::BTreeMap, path::Path};

use crate::comparison::{Counts, Verdict, compare};

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Reads the rows of the table: the name in backquotes, what it is, and the count with commas.
fn shown(page: &str) -> Vec<(&str, u64)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| {
        let (name, cells) = row.split_once("` |")?;
        Some((name, cells.split('|').nth(1)?.trim().replace(',', "").parse().ok()?))
    })
    .collect()
}

#[test]
fn the_page_shows_each_recorded_count_in_round_numbers() {
    let recorded: BTreeMap<String, Counts> = serde_json::from_str(&file("instructions.json")).unwrap();
    let page = file("../../../docs/explanation/performance.md");
    let wrong = compare(&shown(&page), &recorded["x86_64"]);
    let wrong: Vec<String> =
        wrong.iter().filter(|row| row.verdict() != Verdict::Same).map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "benchmark, recorded, on the page:\n{}", wrong.join("\n"));
}
