//! The goals of the connector's speed, and whether a run meets them. The reasons are in `docs/explanation/performance.md`.

use std::{fmt::Write as _, time::Duration};

use connector_lab::function::Function;

use crate::{
    instructions::InitInstructions,
    lab_load::Load,
    measure::{Batches, ENTRY_POINTS, FirstAnswers, FirstTexts, StartUp, StartUps, WORKERS, Warm},
    report::Samples,
    table_growth::Growth,
};

/// What one run has measured.
pub(crate) struct Results {
    /// The starts, with [`Results::aws_call`] more for each AWS call.
    pub(crate) start_ups: StartUps,
    /// `None` without Valgrind.
    pub(crate) init_instructions: Option<InitInstructions>,
    pub(crate) first_answers: Vec<FirstAnswers>,
    pub(crate) warm: Vec<(&'static str, Warm)>,
    pub(crate) first_texts: FirstTexts,
    pub(crate) batches: Batches,
    /// `None` without `--all`.
    pub(crate) of_lab: Option<(Load, Vec<Growth>)>,
    /// How long an AWS call took in the measurements with a delay.
    pub(crate) aws_call: Duration,
}

/// The unit of a goal's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Times,
    Milliseconds,
    Microseconds,
    MillionInstructions,
    Calls,
    WriteUnits,
    Megabytes,
    PerSecond,
}

impl Unit {
    fn text(self, number: f64) -> String {
        match self {
            Self::Times => format!("{number:.2} ×"),
            Self::Milliseconds => format!("{number:.1} ms"),
            Self::Microseconds => format!("{number:.0} µs"),
            Self::MillionInstructions => format!("{number:.1} million"),
            Self::Calls => format!("{number:.0} calls"),
            Self::WriteUnits => format!("{number:.0} write units"),
            Self::Megabytes => format!("{number:.1} MB"),
            Self::PerSecond => format!("{number:.0}/s"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Limit {
    fn is_met_by(self, number: f64) -> bool {
        match self {
            Self::AtMost(most) => number <= most,
            Self::AtLeast(least) => number >= least,
        }
    }
}

/// One goal, and what was measured.
struct Goal {
    what: &'static str,
    unit: Unit,
    limit: Limit,
    /// `None` if this run has not measured it.
    measured: Option<f64>,
    /// What the number is compared with.
    beside: Option<String>,
}

impl Goal {
    fn new(what: &'static str, unit: Unit, limit: Limit, measured: Option<f64>) -> Self {
        // A ratio with nothing measured is no number.
        Self { what, unit, limit, measured: measured.filter(|number| number.is_finite()), beside: None }
    }
}

/// The table of the goals.
pub(crate) fn table(results: &Results) -> String {
    let mut text = "| goal | measured | wanted | |\n|---|---|---|---|\n".to_owned();
    for Goal { what, unit, limit, measured, beside } in goals(results) {
        let wanted = match limit {
            Limit::AtMost(most) => format!("at most {}", unit.text(most)),
            Limit::AtLeast(least) => format!("at least {}", unit.text(least)),
        };
        let number = measured.map_or_else(|| "not measured".to_owned(), |number| unit.text(number));
        let is_met = match measured.map(|number| limit.is_met_by(number)) {
            Some(true) => "met",
            Some(false) => "not met",
            None => "",
        };
        let beside = beside.map(|beside| format!(" ({beside})")).unwrap_or_default();
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {what} | {number}{beside} | {wanted} | {is_met} |");
    }
    text
}

fn goals(results: &Results) -> Vec<Goal> {
    use Limit::{AtLeast, AtMost};
    let start = highest(of_functions(results, |start_up| milliseconds(start_up.time.median())));
    let no_op = results.start_ups.get("no-op").map(|start_up| milliseconds(start_up.time.median()));
    let first = results.first_answers.iter().filter(|row| row.delay == results.aws_call);
    let first = highest(first.map(|row| milliseconds(row.times.median())));
    let FirstTexts { new, returning } = &results.first_texts;
    let cpu = |name: &str| results.warm.iter().find(|(known, _)| *known == name).map(|(_, warm)| warm.cpu.median());
    let webhook = Goal {
        beside: cpu("one-call").zip(cpu("no-op")).map(|(one_call, no_op)| {
            let text = |time| Unit::Microseconds.text(microseconds(time));
            format!("`one-call` {}, `no-op` {}", text(one_call), text(no_op))
        }),
        ..Goal::new(
            "CPU time of a webhook of LiveEngage",
            Unit::Microseconds,
            AtMost(177.0),
            cpu(Function::Webhook.name()).map(microseconds),
        )
    };
    let growth = results.of_lab.as_ref().and_then(|(_, tables)| highest(growths(tables)));
    let lab = results.of_lab.as_ref().map(|(load, _)| load.in_time as f64 / load.offered_for.as_secs_f64());
    let size = highest(of_functions(results, |start_up| megabytes(start_up.size)));
    let memory = highest(of_functions(results, |start_up| megabytes(start_up.resident)));
    let init = |names: &[&str]| {
        let counts = results.init_instructions.as_ref()?;
        highest(names.iter().filter_map(|name| counts.get(name)).map(|count| *count as f64 / 1_000_000.0))
    };
    let calls = |calls: usize| Some(calls as f64);
    vec![
        Goal::new("start, compared with `no-op`", Unit::Times, AtMost(3.5), ratio(start, no_op)),
        Goal::new("start, with a slow AWS", Unit::Milliseconds, AtMost(11.0), start),
        Goal::new("start to the first answer, with a slow AWS", Unit::Milliseconds, AtMost(25.0), first),
        Goal::new("instructions of a worker's start", Unit::MillionInstructions, AtMost(21.3), init(&WORKERS)),
        Goal::new(
            "instructions of an entry point's start",
            Unit::MillionInstructions,
            AtMost(11.1),
            init(&ENTRY_POINTS),
        ),
        webhook,
        Goal::new("first text of a new person, AWS and LiveEngage", Unit::Calls, AtMost(10.0), calls(new.calls)),
        Goal::new("first text of a new person", Unit::WriteUnits, AtMost(14.0), Some(new.written as f64)),
        Goal::new("first text of a returning person", Unit::Calls, AtMost(8.0), calls(returning.calls)),
        Goal::new("batch of ten people, compared with one", Unit::Times, AtMost(1.3), batch(&results.batches)),
        Goal::new("size of a function", Unit::Megabytes, AtMost(8.0), size),
        Goal::new("memory of a function after its start", Unit::Megabytes, AtMost(9.0), memory),
        Goal::new("texts through the lab", Unit::PerSecond, AtLeast(800.0), lab),
        Goal::new("time with a million items, compared with a thousand", Unit::Times, AtMost(1.1), growth),
    ]
}

/// The numbers of the programs that are deployed.
fn of_functions<'a>(results: &'a Results, of: impl Fn(&StartUp) -> f64 + 'a) -> impl Iterator<Item = f64> + 'a {
    let names = ENTRY_POINTS.into_iter().chain(WORKERS);
    names.filter_map(move |name| results.start_ups.get(name).map(&of))
}

fn batch(batches: &Batches) -> Option<f64> {
    let single = batches.get(&1).map(|times| milliseconds(times.median()));
    let largest = batches.last_key_value().filter(|(messages, _)| **messages > 1);
    ratio(largest.map(|(_, times)| milliseconds(times.median())), single)
}

/// What a message or a call takes with the last table, each compared with the first one.
fn growths(tables: &[Growth]) -> impl Iterator<Item = f64> {
    let medians = |table: &Growth| {
        [&table.to_desk, &table.to_phone, &table.get, &table.put].map(Samples::median).map(milliseconds)
    };
    let both = tables.first().map(medians).zip(tables.last().map(medians));
    both.into_iter().flat_map(|(small, large)| large.into_iter().zip(small)).map(|(large, small)| large / small)
}

fn highest(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    numbers.max_by(f64::total_cmp)
}

fn ratio(of: Option<f64>, to: Option<f64>) -> Option<f64> {
    of.zip(to).map(|(of, to)| of / to)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000_000.0
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::measure::FirstText;

    fn samples(time: Duration) -> Samples {
        let mut samples = Samples::default();
        samples.add(time);
        samples
    }

    /// A run in which a function's start takes three times as long as that of `no-op`, and a batch of ten twice as long as a single message.
    fn results() -> Results {
        let ms = |ms| samples(Duration::from_millis(ms));
        let start_up = |time| StartUp { time, cpu: Samples::default(), resident: 6_800_000, size: 8_100_000 };
        let warm = |us| Warm { cpu: samples(Duration::from_micros(us)), before: 0, after: 0 };
        Results {
            start_ups: BTreeMap::from([("no-op", start_up(ms(2))), ("webhook", start_up(ms(6)))]),
            init_instructions: Some(BTreeMap::from([("webhook", 20_300_000), ("to-channel", 21_100_000)])),
            first_answers: [(5, 22), (0, 40)]
                .map(|(delay, time)| FirstAnswers {
                    function: Function::Webhook,
                    delay: Duration::from_millis(delay),
                    times: ms(time),
                })
                .into(),
            warm: vec![("no-op", warm(90)), ("one-call", warm(230)), ("webhook", warm(300))],
            first_texts: FirstTexts {
                new: FirstText { calls: 8, written: 18 },
                returning: FirstText { calls: 7, written: 15 },
            },
            batches: BTreeMap::from([(1, ms(50)), (10, ms(100))]),
            of_lab: None,
            aws_call: Duration::from_millis(5),
        }
    }

    fn row(table: &str, what: &str) -> String {
        let row = table.lines().find_map(|line| line.strip_prefix(&format!("| {what} |")));
        row.unwrap_or_else(|| panic!("{what} is no row of {table}")).trim().to_owned()
    }

    #[test]
    fn a_goal_has_what_was_measured_and_whether_that_is_enough() {
        let table = table(&results());
        for (what, rest) in [
            ("start, compared with `no-op`", "3.00 × | at most 3.50 × | met |"),
            ("start, with a slow AWS", "6.0 ms | at most 11.0 ms | met |"),
            ("start to the first answer, with a slow AWS", "22.0 ms | at most 25.0 ms | met |"),
            ("instructions of a worker's start", "21.1 million | at most 21.3 million | met |"),
            ("instructions of an entry point's start", "20.3 million | at most 11.1 million | not met |"),
            (
                "CPU time of a webhook of LiveEngage",
                "300 µs (`one-call` 230 µs, `no-op` 90 µs) | at most 177 µs | not met |",
            ),
            ("first text of a new person", "18 write units | at most 14 write units | not met |"),
            ("first text of a returning person", "7 calls | at most 8 calls | met |"),
            ("batch of ten people, compared with one", "2.00 × | at most 1.30 × | not met |"),
            ("size of a function", "8.1 MB | at most 8.0 MB | not met |"),
            ("memory of a function after its start", "6.8 MB | at most 9.0 MB | met |"),
        ] {
            assert_eq!(row(&table, what), rest, "{what}");
        }
    }

    #[test]
    fn what_a_run_leaves_out_is_neither_met_nor_missed() {
        let table = table(&Results { init_instructions: None, batches: BTreeMap::new(), ..results() });
        assert_eq!(row(&table, "texts through the lab"), "not measured | at least 800/s |  |");
        assert_eq!(row(&table, "instructions of a worker's start"), "not measured | at most 21.3 million |  |");
        assert_eq!(row(&table, "batch of ten people, compared with one"), "not measured | at most 1.30 × |  |");
    }

    #[test]
    fn the_lab_and_its_table_have_goals_too() {
        let growth = |items, put| {
            let [to_desk, to_phone, get] = [3, 2, 1].map(|ms| samples(Duration::from_millis(ms)));
            Growth { items, to_desk, to_phone, get, put: samples(Duration::from_micros(put)) }
        };
        let load = Load { sent: 900, in_time: 860, offered_for: Duration::from_secs(1), ..Load::default() };
        let of_lab = Some((load, vec![growth(1_000, 1_000), growth(1_000_000, 1_200)]));
        let table = table(&Results { of_lab, ..results() });
        assert_eq!(row(&table, "texts through the lab"), "860/s | at least 800/s | met |");
        let what = "time with a million items, compared with a thousand";
        assert_eq!(row(&table, what), "1.20 × | at most 1.10 × | not met |");
    }
}
