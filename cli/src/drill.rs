//! `connector drill`.

use std::{
    io::{IsTerminal as _, Write},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use connector_lab::drill::{self, DrillOptions, FaultSet, LONGEST, MOST_CONVERSATIONS, MOST_MESSAGES};
use tracing_subscriber::filter::LevelFilter;

/// How long a drill is of which only that is not said, in seconds.
const USUAL_SECONDS: u32 = 60;

/// Messages a second, unless told otherwise: what a laptop carries with every fault about.
const PER_SECOND: u32 = 8;

#[derive(Debug, Args)]
pub(crate) struct DrillArguments {
    /// How long things go wrong, in seconds: a minute, or as long as the messages and the outage take. Coming to rest takes another
    /// while.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(LONGEST)))]
    seconds: Option<u32>,
    /// How many messages are said, both ways together; 8 a second unless told otherwise.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_MESSAGES)))]
    messages: Option<u32>,
    /// How many people write.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_CONVERSATIONS)))]
    conversations: u16,
    /// What chance goes by; another one each time unless told otherwise.
    #[arg(long)]
    seed: Option<u64>,
    /// What goes wrong: all, none, or some of delay, throttle, error, drop, lost-answer, carried-out, stall, refuse, kill, deploy, repeat,
    /// token, rotate, close, overtake, duplicate, reorder, table, queue, with commas between them. `all` does not include `half` (every
    /// second call fails) and `refused-token` (LiveEngage refuses tokens); name them to use them, for example `all,half`.
    #[arg(long, default_value = "all")]
    faults: FaultSet,
    /// For how many seconds LiveEngage is down in the middle of it.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=i64::from(LONGEST)))]
    outage: u32,
    /// What the functions log to standard error: off, error, warn, info, debug.
    #[arg(long, default_value = "off")]
    pub(crate) log: LevelFilter,
}

impl DrillArguments {
    fn options(&self) -> DrillOptions {
        let needed = self.messages.map_or(USUAL_SECONDS, |messages| messages.div_ceil(PER_SECOND).max(USUAL_SECONDS));
        let seconds = self.seconds.unwrap_or(needed.saturating_add(self.outage).min(LONGEST));
        DrillOptions {
            seconds,
            outage: self.outage,
            messages: self.messages.unwrap_or(seconds * PER_SECOND),
            conversations: self.conversations,
            seed: self.seed.unwrap_or_else(drill::any_seed),
            faults: self.faults.clone(),
        }
    }
}

/// Runs it and prints what came of it: success only if the promises were kept.
pub(crate) async fn drill(arguments: &DrillArguments) -> ExitCode {
    let options = arguments.options();
    let mut out = std::io::stderr();
    // First of all, for one that is broken off or hangs: the seed is what it is repeated by.
    let _ = writeln!(out, "{}", beginning(&options));
    let is_watched = out.is_terminal();
    let seconds = options.seconds;
    match watched(drill::run(options), seconds, is_watched, &mut out).await {
        Ok(report) => {
            crate::print(&report.to_string());
            if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "The drill doesn't start: {error}");
            ExitCode::FAILURE
        }
    }
}

fn beginning(options: &DrillOptions) -> String {
    let DrillOptions { seconds, messages, conversations, seed, faults, .. } = options;
    format!("Seed {seed}: {messages} messages of {conversations} people in {seconds} s. Faults: {faults}.")
}

/// Says every second how far it is, in one line that is taken away at the end.
async fn watched<T>(run: impl Future<Output = T>, seconds: u32, is_watched: bool, out: &mut impl Write) -> T {
    let mut run = pin!(run);
    let mut passed = 0;
    loop {
        match tokio::time::timeout(Duration::from_secs(1), &mut run).await {
            Ok(result) => {
                if is_watched {
                    let _ = write!(out, "\r\x1b[K");
                }
                return result;
            }
            Err(_) => passed += 1,
        }
        if is_watched {
            let _ = write!(out, "\r\x1b[K{}", progress(passed, seconds)).and_then(|()| out.flush());
        }
    }
}

fn progress(passed: u32, seconds: u32) -> String {
    if passed < seconds { format!("{passed} of {seconds} s") } else { "coming to rest".to_owned() }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

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
    fn a_drill_lasts_a_minute_with_everything_unless_told_otherwise() {
        let options = parse(&[]).unwrap();
        assert_eq!((options.seconds, options.messages, options.faults), (60, 480, FaultSet::all()));
        let options = parse(&["--seconds", "10", "--seed", "7", "--faults", "kill,drop", "--messages", "9"]).unwrap();
        assert_eq!((options.seconds, options.messages, options.seed), (10, 9, 7));
        assert_eq!(options.faults.to_string(), "drop,kill");
    }

    #[test]
    fn what_a_drill_is_repeated_by_is_said_first() {
        let options = parse(&["--seed", "7", "--faults", "kill"]).unwrap();
        assert_eq!(beginning(&options), "Seed 7: 480 messages of 24 people in 60 s. Faults: kill.");
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_said_on_a_terminal_only() {
        let run = || tokio::time::timeout(Duration::from_millis(2500), std::future::pending::<()>());
        let mut out = Vec::new();
        watched(run(), 2, false, &mut out).await.unwrap_err();
        assert_eq!(out, b"");
        watched(run(), 2, true, &mut out).await.unwrap_err();
        assert_eq!(String::from_utf8(out).unwrap(), "\r\x1b[K1 of 2 s\r\x1b[Kcoming to rest\r\x1b[K");
    }

    #[test]
    fn a_drill_of_many_messages_or_with_an_outage_is_longer_by_itself() {
        let options = parse(&["--messages", "20000", "--conversations", "500"]).unwrap();
        assert_eq!((options.seconds, options.outage), (2500, 0));
        let options = parse(&["--outage", "600"]).unwrap();
        assert_eq!((options.seconds, options.messages, options.outage), (660, 5280, 600));
        assert_eq!(parse(&["--messages", "99999"]).unwrap().seconds, LONGEST);
    }

    #[test]
    fn what_is_out_of_bounds_or_unknown_is_refused() {
        for wrong in [["--seconds", "0"], ["--seconds", "3601"], ["--conversations", "501"], ["--messages", "0"]] {
            assert!(parse(&wrong).unwrap_err().contains("is not in"), "{wrong:?}");
        }
        assert!(parse(&["--faults", "floods"]).unwrap_err().contains("there is no fault \"floods\""));
    }
}
