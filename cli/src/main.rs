//! The operator's binary. Without arguments it starts the lab, if it was built with the feature `lab`.

use std::{io::Write as _, process::ExitCode};

use clap::{Parser, Subcommand};
use connector::port::Clock as _;
use connector_aws::SystemClock;

mod aws_failure;
mod channel;
mod chat;
#[cfg(test)]
mod commands_page;
mod dead_letters;
#[cfg(feature = "lab")]
mod drill;
#[cfg(feature = "lab")]
mod events;
mod install;
#[cfg(feature = "lab")]
mod lab;
mod lab_names;
mod manifest;
mod output;
mod parked;
mod reconcile;
mod secret;
mod selection;
#[cfg(feature = "lab")]
mod simulate;
mod stack_outputs;
#[cfg(feature = "lab")]
mod stop_signals;
mod target;

/// Operator's tool of the LiveEngage connector. Without a command it starts the lab.
#[derive(Debug, Parser)]
#[command(name = "connector", version)]
#[cfg_attr(not(feature = "lab"), command(subcommand_required = true, arg_required_else_help = true))]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the lab on this machine: simulators, AWS stand-ins, the six functions and a web page. This is the default
    /// command.
    #[cfg(feature = "lab")]
    Lab(lab::LabArguments),
    /// Run the functions while calls, functions and webhooks fail, and count lost, duplicated and out-of-order
    /// messages. Exits with 1 if there are any. Ctrl-C stops it early with a report. Then it exits with 130 if there are
    /// none.
    #[cfg(feature = "lab")]
    Drill(drill::DrillArguments),
    /// Run the functions and everything around them in simulated time, with faults, as a seed decides, and check the
    /// promises after every event. Exits with 1 if one is broken.
    #[cfg(feature = "lab")]
    Simulate(simulate::SimulateArguments),
    /// Sign copies of recorded events with the current time.
    #[cfg(feature = "lab")]
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Write to an account as a consumer, over the Messaging Window API. Sends lines of standard input, and prints what
    /// agents answer. /close ends the conversation, /quit and the end of the input only this program.
    Chat(chat::ChatArguments),
    /// Print the manifest of the app install for LivePerson: the webhook's address and the permissions of the
    /// connector.
    Manifest(manifest::ManifestArguments),
    /// Show, compare and change the app install of an account in LiveEngage, as an administrator of the account.
    #[command(subcommand)]
    Install(install::InstallCommand),
    /// List, show, redrive or delete parked messages. A parked message is kept in the table for an operator after
    /// delivery was given up.
    #[command(subcommand)]
    Parked(parked::ParkedCommand),
    /// List, show or redrive the messages in the dead-letter queues.
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLettersCommand),
    /// Find in LiveEngage's history what webhooks have lost, and deliver it: invokes the stack's function reconcile, waits
    /// for it, and prints what it has recovered.
    Reconcile(reconcile::ReconcileArguments),
    /// Tell the channel of a line where its webhook is.
    #[command(subcommand)]
    Channel(channel::ChannelCommand),
    /// Check, store and show the secret of an account or a line.
    #[command(subcommand)]
    Secret(secret::SecretCommand),
}

#[tokio::main]
async fn main() -> ExitCode {
    // Without the lab there is no default command. Then clap prints the help text and exits.
    let Some(command) = Cli::parse().command.or_else(default_command) else { return ExitCode::FAILURE };
    match command {
        #[cfg(feature = "lab")]
        Command::Lab(arguments) => lab::lab(&arguments).await,
        #[cfg(feature = "lab")]
        Command::Drill(arguments) => {
            lab::log(arguments.log);
            drill::drill(&arguments).await
        }
        #[cfg(feature = "lab")]
        Command::Simulate(arguments) => simulate::simulate(&arguments).await,
        #[cfg(feature = "lab")]
        Command::Events(command) => finish(command.run(SystemClock.now())),
        Command::Chat(arguments) => chat::chat(arguments).await,
        Command::Manifest(arguments) => manifest::print_manifest(&arguments),
        Command::Install(command) => match command.run(SystemClock.now()).await {
            Ok(outcome) => {
                let code = finish(Ok(outcome.report));
                if outcome.differs { ExitCode::from(install::DIFFERENCE) } else { code }
            }
            Err(error) => finish(Err(error)),
        },
        Command::Parked(command) => finish(command.run(SystemClock.now()).await),
        Command::DeadLetters(command) => finish(command.run(SystemClock.now()).await),
        Command::Reconcile(arguments) => finish(arguments.run(SystemClock.now()).await),
        Command::Channel(command) => finish(command.run().await),
        Command::Secret(command) => finish(command.run(SystemClock.now()).await),
    }
}

/// The command when none is given.
#[cfg(feature = "lab")]
fn default_command() -> Option<Command> {
    Some(Command::Lab(lab::LabArguments::default()))
}

/// The command when none is given.
#[cfg(not(feature = "lab"))]
fn default_command() -> Option<Command> {
    None
}

/// Prints the report of a command. The exit code is a failure if the command did not do everything.
fn finish(result: Result<output::Report, String>) -> ExitCode {
    match result {
        Ok(report) => {
            print(&report.text);
            for warning in &report.warnings {
                let _ = writeln!(std::io::stderr(), "{warning}");
            }
            if report.complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints to standard output and ignores errors: a closed pipe is no reason to panic.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
