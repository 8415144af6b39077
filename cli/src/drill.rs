//! `connector drill`.

use std::{
    io::{IsTerminal as _, Write},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use connector_lab::drill::{
    self, DrillOptions, FaultSet, MAX_CONVERSATIONS, MAX_MESSAGES, MAX_SECONDS, Phase, Progress, Report,
};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, MissedTickBehavior},
};
use tracing_subscriber::filter::LevelFilter;

use crate::stop_signals::StopSignals;

/// The default length of a drill in seconds.
const DEFAULT_SECONDS: u32 = 60;

/// The default rate of messages. A laptop handles it with every fault enabled.
const MESSAGES_PER_SECOND: u32 = 8;

/// The interval at which the progress is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// The exit code of a drill that was stopped: 128 and the number of the signal of Ctrl-C, as shells report it.
const STOPPED: u8 = 130;

#[derive(Debug, Args)]
pub(crate) struct DrillArguments {
    /// How long the faults last, in seconds. Default: 60, or as long as the messages and the outage take. Delivering
    /// the remaining messages takes additional time.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SECONDS)))]
    seconds: Option<u32>,
    /// How many messages are sent, in both directions together. Default: 8 per second.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_MESSAGES)))]
    messages: Option<u32>,
    /// How many consumers write.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_CONVERSATIONS)))]
    conversations: u16,
    /// Random seed. Default: random.
    #[arg(long)]
    seed: Option<u64>,
    /// The faults, separated by commas: all, none, or some of delay, throttle, error, drop, lost-answer, carried-out,
    /// stall, refuse, kill, deploy, repeat, token, rotate, close, overtake, duplicate, reorder, table, queue. `all` does
    /// not include `half` (every second call fails) and `refused-token` (LiveEngage refuses tokens). To use them, name
    /// them, for example `all,half`.
    #[arg(long, default_value = "all")]
    faults: FaultSet,
    /// How many seconds LiveEngage is down in the middle of the drill.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=i64::from(MAX_SECONDS)))]
    outage: u32,
    /// Log level of the functions on standard error: off, error, warn, info, debug.
    #[arg(long, default_value = "off")]
    pub(crate) log: LevelFilter,
}

impl DrillArguments {
    fn options(&self) -> DrillOptions {
        let needed = self
            .messages
            .map_or(DEFAULT_SECONDS, |messages| messages.div_ceil(MESSAGES_PER_SECOND).max(DEFAULT_SECONDS));
        let seconds = self.seconds.unwrap_or(needed.saturating_add(self.outage).min(MAX_SECONDS));
        DrillOptions {
            seconds,
            outage: self.outage,
            messages: self.messages.unwrap_or(seconds * MESSAGES_PER_SECOND),
            conversations: self.conversations,
            seed: self.seed.unwrap_or_else(drill::random_seed),
            faults: self.faults.clone(),
        }
    }
}

/// Runs the drill and prints its report. Succeeds only if the guarantees were kept to the end.
pub(crate) async fn drill(arguments: &DrillArguments) -> ExitCode {
    let options = arguments.options();
    // A signal that comes during the start must not end the drill without a report.
    let mut signals = StopSignals::listen();
    let err = std::io::stderr();
    let mut screen = Screen { is_terminal: err.is_terminal(), out: err };
    // The seed comes first, because it is needed to repeat a drill that hangs or is killed.
    screen.say(&seed_line(&options));
    screen.say(&start_line(&options));
    let (progress, seen) = watch::channel(Progress::default());
    let (stop, stopped) = oneshot::channel();
    let run = drill::run_until(options.clone(), async { drop(stopped.await) }, &progress);
    let line = || progress_line(&seen.borrow(), &options);
    match follow(run, stop, async || signals.next().await, line, &mut screen).await {
        Some(Ok(report)) => {
            crate::print(&report.to_string());
            ExitCode::from(exit_code(&report))
        }
        Some(Err(error)) => {
            screen.say(&format!("The drill failed to start: {error}"));
            ExitCode::FAILURE
        }
        None => {
            screen.say("The drill ended without a report.");
            ExitCode::from(STOPPED)
        }
    }
}

/// The seed, and the command that repeats the drill.
fn seed_line(options: &DrillOptions) -> String {
    let DrillOptions { seconds, outage, messages, conversations, seed, faults } = options;
    let mut command = format!(
        "connector drill --seed {seed} --seconds {seconds} --messages {messages} --conversations {conversations}"
    );
    if *faults != FaultSet::all() {
        command.push_str(&format!(" --faults {faults}"));
    }
    if *outage > 0 {
        command.push_str(&format!(" --outage {outage}"));
    }
    format!("Seed {seed}. Repeat with: {command}")
}

fn start_line(options: &DrillOptions) -> String {
    let DrillOptions { seconds, messages, conversations, faults, .. } = options;
    format!(
        "{messages} messages of {conversations} consumers in {seconds} s. Faults: {faults}. Ctrl-C stops with a report."
    )
}

fn progress_line(progress: &Progress, options: &DrillOptions) -> String {
    let Progress { phase, elapsed, sent, delivered, under_way } = progress;
    let phase = match phase {
        Phase::Starting => return "starting".to_owned(),
        Phase::Faults => "faults",
        Phase::Settling => "settling",
    };
    let DrillOptions { seconds, messages, .. } = options;
    let elapsed = elapsed.as_secs();
    format!(
        "{elapsed} of {seconds} s, {phase}: sent {sent} of {messages}, delivered {delivered}, under way {under_way}"
    )
}

/// The exit code of a drill that has ended with a report.
fn exit_code(report: &Report) -> u8 {
    match (report.is_good(), report.stopped_after) {
        (false, _) => 1,
        (true, Some(_)) => STOPPED,
        (true, None) => 0,
    }
}

/// Standard error. On a terminal its last line shows the progress.
struct Screen<W> {
    out: W,
    is_terminal: bool,
}

impl<W: Write> Screen<W> {
    /// Replaces the line of the progress.
    fn show(&mut self, progress: &str) {
        if self.is_terminal {
            let _ = write!(self.out, "\r\x1b[K{progress}").and_then(|()| self.out.flush());
        }
    }

    /// Prints a line that stays.
    fn say(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}");
    }
}

/// Runs a drill and shows its progress every second. The first signal stops the drill through `stop`, and the second
/// ends it at once: then there is no result.
async fn follow<T>(
    run: impl Future<Output = T>,
    stop: oneshot::Sender<()>,
    mut next_signal: impl AsyncFnMut(),
    progress: impl Fn() -> String,
    screen: &mut Screen<impl Write>,
) -> Option<T> {
    let mut run = pin!(run);
    let mut stop = Some(stop);
    let mut ticks = tokio::time::interval_at(Instant::now() + PROGRESS_INTERVAL, PROGRESS_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let result = loop {
        tokio::select! {
            biased;
            () = next_signal() => {
                // Clears the line.
                screen.show("");
                let Some(stop) = stop.take() else { break None };
                let seconds = drill::STOP_TIMEOUT.as_secs();
                screen.say(&format!("Stopping: what is under way has {seconds} s to arrive. Ctrl-C again ends at once."));
                let _ = stop.send(());
            }
            result = &mut run => break Some(result),
            _ = ticks.tick() => screen.show(&progress()),
        }
    };
    screen.show("");
    result
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser;
    use connector_lab::drill::Score;
    use tokio::sync::mpsc;

    use super::*;

    #[derive(Debug, Parser)]
    struct Parsed {
        #[command(flatten)]
        drill: DrillArguments,
    }

    fn parse(arguments: &[&str]) -> Result<DrillOptions, String> {
        let parsed = Parsed::try_parse_from([&["drill"], arguments].concat()).map_err(|error| error.to_string())?;
        Ok(parsed.drill.options())
    }

    #[test]
    fn a_drill_defaults_to_one_minute_and_every_fault() {
        let options = parse(&[]).unwrap();
        assert_eq!((options.seconds, options.messages, options.faults), (60, 480, FaultSet::all()));
        let options = parse(&["--seconds", "10", "--seed", "7", "--faults", "kill,drop", "--messages", "9"]).unwrap();
        assert_eq!((options.seconds, options.messages, options.seed), (10, 9, 7));
        assert_eq!(options.faults.to_string(), "drop,kill");
    }

    #[test]
    fn the_seed_is_printed_with_a_command_that_repeats_the_drill() {
        for arguments in [
            &["--seed", "7"][..],
            &["--seed", "8", "--seconds", "9", "--messages", "77", "--conversations", "3", "--outage", "4"],
            &["--seed", "9", "--faults", "all,half"],
            &["--seed", "10", "--faults", "none"],
        ] {
            let options = parse(arguments).unwrap();
            let line = seed_line(&options);
            let (seed, command) = line.split_once(". Repeat with: connector drill ").unwrap();
            assert_eq!(seed, format!("Seed {}", options.seed));
            assert_eq!(parse(&command.split(' ').collect::<Vec<_>>()), Ok(options));
        }
        let options = parse(&["--seed", "7", "--faults", "kill"]).unwrap();
        assert!(start_line(&options).starts_with("480 messages of 24 consumers in 60 s. Faults: kill. "));
    }

    #[test]
    fn the_line_of_the_progress_has_the_time_the_phase_and_the_numbers() {
        let options = parse(&["--seconds", "60", "--messages", "480"]).unwrap();
        assert_eq!(progress_line(&Progress::default(), &options), "starting");
        let progress = Progress {
            phase: Phase::Faults,
            elapsed: Duration::from_millis(12_900),
            sent: 96,
            delivered: 80,
            under_way: 15,
        };
        assert_eq!(
            progress_line(&progress, &options),
            "12 of 60 s, faults: sent 96 of 480, delivered 80, under way 15"
        );
        let progress = Progress { phase: Phase::Settling, elapsed: Duration::from_secs(61), ..progress };
        assert!(progress_line(&progress, &options).starts_with("61 of 60 s, settling: "));
    }

    /// What `follow` returns and prints. The run lasts three and a half seconds, or one second more after it is stopped.
    async fn followed(is_terminal: bool, signals_after_ms: &[u64]) -> (Option<&'static str>, String) {
        let mut screen = Screen { out: Vec::new(), is_terminal };
        let (stop, stopped) = oneshot::channel();
        let run = async {
            match tokio::time::timeout(Duration::from_millis(3500), stopped).await {
                Err(_) => "complete",
                Ok(_) => {
                    let _ = tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>()).await;
                    "stopped"
                }
            }
        };
        let started = Instant::now();
        let (signals, mut received) = mpsc::unbounded_channel();
        let send = async {
            for after in signals_after_ms {
                tokio::time::sleep_until(started + Duration::from_millis(*after)).await;
                let _ = signals.send(());
            }
            std::future::pending::<()>().await;
        };
        let next_signal = async || received.recv().await.unwrap_or_default();
        let result = tokio::select! {
            result = follow(run, stop, next_signal, || "...".to_owned(), &mut screen) => result,
            () = send => None,
        };
        (result, String::from_utf8(screen.out).unwrap())
    }

    const STOPPING: &str = "Stopping: what is under way has 15 s to arrive. Ctrl-C again ends at once.\n";

    #[tokio::test(start_paused = true)]
    async fn progress_is_shown_every_second_on_a_terminal_only() {
        let clear = "\r\x1b[K";
        assert_eq!(followed(false, &[]).await, (Some("complete"), String::new()));
        let shown = format!("{clear}...").repeat(3);
        assert_eq!(followed(true, &[]).await, (Some("complete"), format!("{shown}{clear}")));
        let shown = format!("{clear}...{clear}{STOPPING}{clear}...{clear}");
        assert_eq!(followed(true, &[1500]).await, (Some("stopped"), shown));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_stops_the_drill_and_the_second_ends_it() {
        assert_eq!(followed(false, &[500]).await, (Some("stopped"), STOPPING.to_owned()));
        assert_eq!(followed(false, &[500, 600]).await, (None, STOPPING.to_owned()));
    }

    #[test]
    fn the_exit_code_tells_a_broken_promise_from_a_stop() {
        let report = |stopped_after, problems: &[&str]| Report {
            options: parse(&[]).unwrap(),
            score: Score::default(),
            injected: BTreeMap::new(),
            took: Duration::ZERO,
            stopped_after,
            problems: problems.iter().map(|problem| (*problem).to_owned()).collect(),
        };
        let stopped = Some(Duration::from_secs(5));
        assert_eq!((exit_code(&report(None, &[])), exit_code(&report(stopped, &[]))), (0, 130));
        let broken = &["a function failed to start"];
        assert_eq!((exit_code(&report(None, broken)), exit_code(&report(stopped, broken))), (1, 1));
    }

    #[test]
    fn many_messages_or_an_outage_make_a_drill_longer() {
        let options = parse(&["--messages", "20000", "--conversations", "500"]).unwrap();
        assert_eq!((options.seconds, options.outage), (2500, 0));
        let options = parse(&["--outage", "600"]).unwrap();
        assert_eq!((options.seconds, options.messages, options.outage), (660, 5280, 600));
        assert_eq!(parse(&["--messages", "99999"]).unwrap().seconds, MAX_SECONDS);
    }

    #[test]
    fn out_of_range_and_unknown_values_are_refused() {
        for wrong in [["--seconds", "0"], ["--seconds", "3601"], ["--conversations", "501"], ["--messages", "0"]] {
            assert!(parse(&wrong).unwrap_err().contains("is not in"), "{wrong:?}");
        }
        assert!(parse(&["--faults", "floods"]).unwrap_err().contains("unknown fault \"floods\""));
    }
}
