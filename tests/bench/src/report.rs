//! The report: Markdown tables.

use std::{fmt::Write as _, time::Duration};

use connector_lab::function::Function;

use crate::{
    instructions::InitInstructions,
    lab_load::{Load, LoadOptions},
    measure::{Batches, Cost, FirstAnswers, FirstText, FirstTexts, StartUp, StartUps, Warm, programs},
    table_growth::Growth,
};

/// Measured times.
#[derive(Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    /// Adds one.
    pub(crate) fn add(&mut self, sample: Duration) {
        self.0.push(sample);
        self.0.sort_unstable();
    }

    /// The one in the middle. Zero if there is none.
    pub(crate) fn median(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    /// The shortest one. Zero if there is none.
    pub(crate) fn shortest(&self) -> Duration {
        self.0.first().copied().unwrap_or_default()
    }
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn us(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1_000_000.0)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1_000_000.0)
}

/// Start-up time, CPU time, memory and size of each program.
pub(crate) fn start_ups(start_ups: &StartUps) -> String {
    let mut text =
        "| function | start to first request | times no-op | CPU | memory | size |\n|---|---|---|---|---|---|\n"
            .to_owned();
    let no_op = start_ups.get("no-op").map(|start_up| start_up.time.median()).unwrap_or_default();
    for name in programs() {
        let Some(StartUp { time, cpu, resident, size }) = start_ups.get(name) else { continue };
        let ratio = time.median().as_secs_f64() / no_op.as_secs_f64();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {name} | {} (shortest {}) | {ratio:.1} | {} | {} | {} |",
            ms(time.median()),
            ms(time.shortest()),
            ms(cpu.median()),
            megabytes(*resident),
            megabytes(*size)
        );
    }
    text
}

/// The instructions of each program's start.
pub(crate) fn init_instructions(counts: &InitInstructions) -> String {
    let mut text = "| function | instructions to first request |\n|---|---|\n".to_owned();
    for name in programs() {
        let Some(count) = counts.get(name) else { continue };
        let _ = writeln!(text, "| {name} | {:.1} million |", *count as f64 / 1_000_000.0);
    }
    text
}

/// The instructions of an invocation of each program.
pub(crate) fn invocation_instructions(counts: &[(&'static str, u64)]) -> String {
    let mut text = "| function | instructions of an invocation |\n|---|---|\n".to_owned();
    for (name, count) in counts {
        let _ = writeln!(text, "| {name} | {:.0} thousand |", *count as f64 / 1_000.0);
    }
    text
}

/// What the first text of a person costs `to-liveengage`.
pub(crate) fn first_texts(texts: &FirstTexts) -> String {
    let mut text = "| first text of | calls to AWS and LiveEngage | DynamoDB write units |\n|---|---|---|\n".to_owned();
    for (who, FirstText { calls, written }) in [("a new person", texts.new), ("a returning person", texts.returning)] {
        let _ = writeln!(text, "| {who} | {calls} | {written} |");
    }
    text
}

/// The time to the first answer of a new process.
pub(crate) fn first_answers(rows: &[FirstAnswers]) -> String {
    let mut text = "| function | an AWS call takes | start to first answer |\n|---|---|---|\n".to_owned();
    for FirstAnswers { function, delay, times } in rows {
        let _ = writeln!(
            text,
            "| {} | {} more | {} (shortest {}) |",
            function.name(),
            ms(*delay),
            ms(times.median()),
            ms(times.shortest())
        );
    }
    text
}

/// What a message costs each function.
pub(crate) fn costs(what: &str, costs: &[(Function, Cost)], messages: usize) -> String {
    let mut text = format!("| {what} | CPU | AWS calls |\n|---|---|---|\n");
    for (function, Cost { cpu, calls }) in costs {
        let average = |count: usize| format!("{:.2}", count as f64 / messages.max(1) as f64);
        let calls: Vec<_> = calls.iter().map(|(operation, count)| format!("{} {operation}", average(*count))).collect();
        let calls = if calls.is_empty() { "none".to_owned() } else { calls.join(", ") };
        let _ = writeln!(text, "| {} | {} | {calls} |", function.name(), us(*cpu));
    }
    text
}

/// How long a batch takes, by the number of its messages.
pub(crate) fn batches(times: &Batches) -> String {
    let mut text =
        "| messages of a batch, each of another person | time | times a single one |\n|---|---|---|\n".to_owned();
    let single = times.get(&1).map(Samples::median).unwrap_or_default();
    for (messages, samples) in times {
        let ratio = samples.median().as_secs_f64() / single.as_secs_f64();
        let _ = writeln!(text, "| {messages} | {} | {ratio:.2} |", ms(samples.median()));
    }
    text
}

/// What invocations without a pause cost. The first row is that of the no-op.
pub(crate) fn warm(rows: &[(&str, Warm)], invocations: usize) -> String {
    let mut text = format!(
        "| function | CPU of each of {invocations} invocations | times no-op | memory after the first | after the last |\n|---|---|---|---|---|\n"
    );
    let no_op = rows.first().map(|(_, row)| row.cpu.median()).unwrap_or_default();
    for (name, Warm { cpu, before, after }) in rows {
        let cpu = cpu.median();
        let ratio = cpu.as_secs_f64() / no_op.as_secs_f64();
        let (before, after) = (megabytes(*before), megabytes(*after));
        let _ = writeln!(text, "| {name} | {} | {ratio:.1} | {before} | {after} |", us(cpu));
    }
    text
}

/// The memory of each function after its messages.
pub(crate) fn memory(rows: &[(Function, u64)]) -> String {
    let mut text = "| function | memory after all messages |\n|---|---|\n".to_owned();
    for (function, bytes) in rows {
        let _ = writeln!(text, "| {} | {} |", function.name(), megabytes(*bytes));
    }
    text
}

/// What a message and a call take with each table. The first one is the small one.
pub(crate) fn growth(tables: &[Growth]) -> String {
    let mut text = "| items in the table | a text to the desk | an answer to the phone | GetItem | PutItem |\n|---|---|---|---|---|\n".to_owned();
    let columns = |table: &Growth| [&table.to_desk, &table.to_phone, &table.get, &table.put].map(Samples::median);
    let Some(small) = tables.first().map(columns) else { return text };
    for table in tables {
        let cells = columns(table).into_iter().zip(small);
        let cells =
            cells.map(|(time, small)| format!("{} ({:.2})", us(time), time.as_secs_f64() / small.as_secs_f64()));
        let _ = writeln!(text, "| {} | {} |", table.items, cells.collect::<Vec<_>>().join(" | "));
    }
    text
}

/// What the lab made of texts at a steady rate.
pub(crate) fn lab_load(options: &LoadOptions, load: &Load) -> String {
    let seconds = load.offered_for.as_secs_f64();
    let per_second = |count: usize| format!("{:.0}/s", count as f64 / seconds);
    let part = |percent: usize| {
        load.times.get(load.times.len().saturating_sub(1) * percent / 100).copied().map_or("none".to_owned(), ms)
    };
    let each = |total: f64| total / load.times.len().max(1) as f64;
    let cpu = us(Duration::from_secs_f64(each(load.cpu.as_secs_f64())));
    let growth = each(load.memory_after.saturating_sub(load.memory_before) as f64) / 1000.0;
    let mut text = "| offered | through | arrived | p50 | p99 | CPU of a text | memory at the start | at the end | growth of a text |\n|---|---|---|---|---|---|---|---|---|\n".to_owned();
    let _ = writeln!(
        text,
        "| {} of {} | {} | {} of {} | {} | {} | {cpu} | {} | {} | {growth:.1} kB |",
        per_second(load.sent),
        options.rate,
        per_second(load.in_time),
        load.times.len(),
        load.sent,
        part(50),
        part(99),
        megabytes(load.memory_before),
        megabytes(load.memory_after)
    );
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn samples(ms: &[u64]) -> Samples {
        let mut samples = Samples::default();
        ms.iter().for_each(|ms| samples.add(Duration::from_millis(*ms)));
        samples
    }

    #[test]
    fn a_batch_is_compared_with_a_single_message() {
        let times = BTreeMap::from([(1, samples(&[40, 90, 50])), (10, samples(&[75, 60, 80]))]);
        let rows = batches(&times);
        assert_eq!(rows.lines().skip(2).collect::<Vec<_>>(), ["| 1 | 50.0 ms | 1.00 |", "| 10 | 75.0 ms | 1.50 |"]);
    }

    #[test]
    fn a_load_has_its_rates_its_percentiles_and_what_a_text_takes() {
        let options = LoadOptions { rate: 50, seconds: 2, people: 2 };
        let load = Load {
            sent: 100,
            in_time: 90,
            times: (1..=99).map(Duration::from_millis).collect(),
            offered_for: Duration::from_secs(2),
            cpu: Duration::from_millis(200),
            memory_before: 1_000_000,
            memory_after: 1_500_000,
        };
        let rows = lab_load(&options, &load);
        let expected = "| 50/s of 50 | 45/s | 99 of 100 | 50.0 ms | 98.0 ms | 2020 µs | 1.0 MB | 1.5 MB | 5.1 kB |";
        assert_eq!(rows.lines().nth(2), Some(expected));
    }

    #[test]
    fn a_large_table_is_compared_with_the_small_one() {
        let table = |items, ms: u64| {
            let [to_desk, to_phone, get, put] = [10, 20, 1, 2].map(|factor| samples(&[factor * ms]));
            Growth { items, to_desk, to_phone, get, put }
        };
        let rows = growth(&[table(1000, 1), table(1_000_000, 2)]);
        let expected = [
            "| 1000 | 10000 µs (1.00) | 20000 µs (1.00) | 1000 µs (1.00) | 2000 µs (1.00) |",
            "| 1000000 | 20000 µs (2.00) | 40000 µs (2.00) | 2000 µs (2.00) | 4000 µs (2.00) |",
        ];
        assert_eq!(rows.lines().skip(2).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_row_has_the_calls_of_one_message() {
        let cost = Cost {
            cpu: Duration::from_nanos(870_400),
            calls: BTreeMap::from([("GetItem".to_owned(), 20), ("UpdateItem".to_owned(), 5)]),
        };
        let none = Cost { cpu: Duration::ZERO, calls: BTreeMap::new() };
        let rows = costs("a text", &[(Function::ToChannel, cost), (Function::Inbound, none)], 10);
        let expected = ["| to-channel | 870 µs | 2.00 GetItem, 0.50 UpdateItem |", "| inbound | 0 µs | none |"];
        assert_eq!(rows.lines().skip(2).collect::<Vec<_>>(), expected);
    }
}
