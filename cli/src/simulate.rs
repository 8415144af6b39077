//! `connector simulate`.

use std::{
    io::{IsTerminal as _, Write},
    pin::pin,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Args, ValueEnum};
use connector_lab::drill;
use connector_testing::simulation::Faults;
use tokio::{sync::mpsc::UnboundedReceiver, time::MissedTickBehavior};

mod cpu_time;
mod plan;
mod report;
mod worker;

use plan::{Extent, Plan};
use report::Totals;
use worker::{News, Place};

/// The exit code of a command that was ended with Ctrl-C.
const INTERRUPTED: u8 = 130;

#[derive(Debug, Args)]
pub(crate) struct SimulateArguments {
    /// The first seed. It decides who writes what and when, and what fails. Default: random.
    #[arg(long)]
    seed: Option<u64>,
    /// How many messages are written with each seed, in both directions together.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    messages: u64,
    /// How many seeds are simulated: the first one and those that follow it.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Continue with the next seed until the process has used this many seconds of CPU time. On Windows: until they
    /// have passed. The last seed is finished.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "seeds")]
    seconds: Option<u64>,
    /// What fails: what the seed draws, or nothing.
    #[arg(long, value_enum, default_value = "all")]
    faults: FaultChoice,
    /// Faults that never happen, separated by commas, as --shrink prints them. An unknown name prints the list.
    #[arg(long, value_delimiter = ',', value_parser = fault_name)]
    without: Vec<String>,
    /// Print the history of a seed on standard output: every event in order. Everything else is printed on standard
    /// error.
    #[arg(long, conflicts_with_all = ["seeds", "seconds", "shrink"])]
    trace: bool,
    /// For each seed that fails, find the smallest number of messages with which it fails in the same way, and the
    /// faults that it doesn't need.
    #[arg(long)]
    shrink: bool,
}

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FaultChoice {
    All,
    None,
}

fn fault_name(name: &str) -> Result<String, String> {
    let names = Faults::all_names();
    if names.iter().any(|known| known == name) {
        return Ok(name.to_owned());
    }
    Err(format!("unknown fault {name:?}; the faults are {}", names.join(", ")))
}

impl SimulateArguments {
    fn plan(&self) -> Plan {
        Plan {
            seed: self.seed.unwrap_or_else(drill::random_seed),
            extent: self.seconds.map_or(Extent::Seeds(self.seeds), Extent::CpuSeconds),
            messages: self.messages,
            has_faults: self.faults == FaultChoice::All,
            without: self.without.clone(),
            trace: self.trace,
            shrink: self.shrink,
        }
    }
}

/// Simulates the seeds and prints what was found. Succeeds only if every promise was kept.
pub(crate) async fn simulate(arguments: &SimulateArguments) -> ExitCode {
    let plan = Arc::new(arguments.plan());
    let print = if plan.trace { print_error } else { crate::print };
    // Printed first, because it is needed to repeat a simulation that hangs or is interrupted.
    print(&plan.first_line());
    let place = Arc::new(Place::default());
    let news = match worker::start(Arc::clone(&plan), Arc::clone(&place)) {
        Ok(news) => news,
        Err(error) => {
            print_error(&format!("Error: no thread could be started: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let mut totals = Totals::new(plan);
    let mut err = std::io::stderr();
    let terminal = err.is_terminal().then_some(&mut err as &mut dyn Write);
    let is_complete = follow(news, &place, &mut totals, print, terminal).await;
    print(&totals.report(is_complete));
    if totals.failed() > 0 {
        ExitCode::FAILURE
    } else if is_complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(INTERRUPTED)
    }
}

/// Prints what the worker finds until it has finished, and the progress every second if there is a terminal.
///
/// Returns whether it has finished. Otherwise the user doesn't want to see more.
async fn follow(
    mut news: UnboundedReceiver<News>,
    place: &Place,
    totals: &mut Totals,
    print: impl Fn(&str),
    mut terminal: Option<&mut dyn Write>,
) -> bool {
    let mut interrupted = pin!(interrupted());
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // The first tick is at once.
    seconds.tick().await;
    loop {
        let next = tokio::select! {
            next = news.recv() => next,
            () = &mut interrupted => Some(News::Unwanted),
            _ = seconds.tick(), if terminal.is_some() => {
                write_progress(&mut terminal, &totals.progress(place));
                continue;
            }
        };
        write_progress(&mut terminal, "");
        match next {
            Some(News::Simulated(seed, outcome)) => print(&totals.add(seed, outcome)),
            Some(News::Shrunk(seed, shrunk)) => print(&totals.shrunk(seed, &shrunk)),
            Some(News::Unwanted) => return false,
            None => return true,
        }
    }
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Without a handler, Ctrl-C ends the process.
        std::future::pending::<()>().await;
    }
}

/// Replaces the line of the progress.
fn write_progress(terminal: &mut Option<&mut dyn Write>, line: &str) {
    if let Some(terminal) = terminal {
        let _ = write!(terminal, "\r\x1b[K{line}").and_then(|()| terminal.flush());
    }
}

fn print_error(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tokio::sync::mpsc;

    use super::*;

    #[derive(Debug, Parser)]
    struct Parsed {
        #[command(flatten)]
        simulate: SimulateArguments,
    }

    fn parse(arguments: &[&str]) -> Result<Plan, String> {
        let parsed = Parsed::try_parse_from([&["simulate"], arguments].concat()).map_err(|error| error.to_string())?;
        Ok(parsed.simulate.plan())
    }

    #[test]
    fn a_simulation_defaults_to_one_seed_and_every_fault() {
        let plan = parse(&[]).unwrap();
        assert!(plan.seed <= u64::from(u32::MAX), "short enough to type");
        let defaults = Plan {
            seed: plan.seed,
            extent: Extent::Seeds(1),
            messages: 1000,
            has_faults: true,
            without: vec![],
            trace: false,
            shrink: false,
        };
        assert_eq!(plan, defaults);
        let plan = parse(&["--seed", "7", "--seconds", "60", "--faults", "none", "--shrink"]).unwrap();
        let expected = Plan { seed: 7, extent: Extent::CpuSeconds(60), has_faults: false, shrink: true, ..defaults };
        assert_eq!(plan, expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [["--seeds", "0"], ["--messages", "0"], ["--seconds", "0"]] {
            assert!(parse(&wrong).unwrap_err().contains("is not in"), "{wrong:?}");
        }
        for wrong in [&["--seeds", "2", "--seconds", "9"][..], &["--trace", "--seeds", "2"], &["--trace", "--shrink"]] {
            assert!(parse(wrong).unwrap_err().contains("cannot be used with"), "{wrong:?}");
        }
        let error = parse(&["--without", "killed,floods"]).unwrap_err();
        assert!(error.contains("unknown fault \"floods\"; the faults are ") && error.contains("killed"), "{error}");
    }

    /// Returns what is written to a terminal and printed while a worker needs two and a half seconds for one seed.
    async fn slow_seed(has_terminal: bool) -> (String, String) {
        let plan = Arc::new(parse(&["--seed", "7", "--messages", "20"]).unwrap());
        let mut totals = Totals::new(Arc::clone(&plan));
        let (sender, news) = mpsc::unbounded_channel();
        let seed = async {
            tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(2500)).await;
            sender.send(News::Simulated(7, None)).unwrap();
            drop(sender);
        };
        let (mut written, printed) = (Vec::new(), std::cell::RefCell::new(String::new()));
        let terminal = has_terminal.then_some(&mut written as &mut dyn Write);
        let print = |text: &str| printed.borrow_mut().push_str(text);
        let place = Place::default();
        let ((), is_complete) = tokio::join!(seed, follow(news, &place, &mut totals, print, terminal));
        assert!(is_complete);
        (String::from_utf8(written).unwrap(), printed.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_written_on_a_terminal_only() {
        let (written, printed) = slow_seed(false).await;
        assert_eq!(written, "");
        assert!(printed.starts_with("Seed 7: the simulation panicked"), "{printed}");
        let (written, _) = slow_seed(true).await;
        let line = "\r\x1b[K0 seeds done, 0 failed. Seed 7: 0 events";
        assert_eq!(written, format!("{line}{line}\r\x1b[K\r\x1b[K"));
    }
}
