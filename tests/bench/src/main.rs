//! Measures the built functions as processes: start, CPU time, AWS calls, memory, batches. Prints tables, and the goals.
//!
//! `cargo build --release -p webhook -p inbound -p to-liveengage -p to-channel -p token-refresh -p no-op -p one-call && cargo run -p connector-bench`
//!
//! Two subcommands measure the lab itself, with the functions in its process: `lab` its throughput, `table` its growth with its table.

#![expect(clippy::print_stdout, reason = "the tables are its output")]

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use connector_lab::{function::Function, phone::Direction};

mod aws_proxy;
mod goals;
mod instructions;
mod lab_load;
mod measure;
mod process;
mod process_usage;
mod report;
mod runtime_api;
mod system;
mod table_growth;

use goals::Results;
use lab_load::{Load, LoadOptions};
use system::{MESSAGE_FUNCTIONS, System};
use table_growth::{Growth, GrowthOptions};

/// How long an AWS call takes in the measurements that say so.
const AWS_CALL: Duration = Duration::from_millis(5);
/// How long an AWS call takes in the measurement of batches.
const SLOW_AWS_CALL: Duration = Duration::from_millis(20);

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// A program can't be started.
    #[error("{} can't be started: {cause}. Build it first: cargo build --release -p webhook -p inbound -p to-liveengage -p to-channel -p token-refresh -p no-op -p one-call", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// The error of the operating system.
        cause: std::io::Error,
    },
    /// A function has ended, or doesn't answer.
    #[error("a function has ended, or did not answer within a minute")]
    NoAnswer,
    /// A function answered with an error.
    #[error("a function failed: {0}")]
    Function(String),
    /// A function is not one that handles messages, or has no process.
    #[error("the function {0} is not running")]
    NotRunning(&'static str),
    /// A file of `/proc` has another content. The measurements need Linux.
    #[error("/proc has no {0} as Linux has it")]
    Proc(&'static str),
    /// Callgrind has written a profile without a sum.
    #[error("a profile of Callgrind has no sum")]
    Callgrind,
    /// The lab is to be measured by a program that is not optimized.
    #[error("the lab is measured by an optimized program only: cargo run --release -p connector-bench -- --all")]
    NotOptimized,
    /// The HTTP client can't be created.
    #[error("the HTTP client can't be created")]
    HttpClient,
    /// A port or a file can't be used.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// An address is none.
    #[error(transparent)]
    Address(#[from] url::ParseError),
    /// The lab did not start.
    #[error(transparent)]
    Lab(#[from] connector_lab::LabError),
    /// An event source mapping is invalid.
    #[error(transparent)]
    Mapping(#[from] connector_lab::event_source_mapping::MappingError),
}

#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Measure the lab itself instead of the built functions.
    #[command(subcommand)]
    of_lab: Option<OfLab>,
    /// The folder of the built functions.
    #[arg(long, default_value = "target/release")]
    functions: PathBuf,
    /// How often each start is measured.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// How many messages are sent in each direction, one after the other.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    messages: u32,
    /// How often an entry point is invoked with the same event, without a pause.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    invocations: u32,
    /// Measure the lab, too, for the goals about it. Needs `--release`.
    #[arg(long)]
    all: bool,
}

/// The measurements of the lab itself.
#[derive(Debug, Subcommand)]
enum OfLab {
    /// Sends texts at a steady rate, half of them from phones and half from the desk, and measures how many arrive and how fast.
    Lab(LoadOptions),
    /// Compares messages and calls of a lab with a large table with those of a lab with a small one.
    Table(GrowthOptions),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let measured = match &arguments.of_lab {
        None => run(&arguments).await,
        Some(OfLab::Table(options)) => {
            table_growth::run(options).await.map(|tables| println!("{}", report::growth(&tables)))
        }
        Some(OfLab::Lab(options)) => {
            lab_load::run(options).await.map(|load| println!("{}", report::lab_load(options, &load)))
        }
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), BenchError> {
    if arguments.all && cfg!(debug_assertions) {
        return Err(BenchError::NotOptimized);
    }
    let mut results = measured(arguments).await?;
    if arguments.all {
        results.of_lab = Some(of_lab().await?);
    }
    println!("## Goals\n\n{}", goals::table(&results));
    Ok(())
}

/// Measures the functions, and prints a table of each measurement.
async fn measured(arguments: &Arguments) -> Result<Results, BenchError> {
    let (rounds, messages) = (usize::from(arguments.rounds), arguments.messages as usize);
    let invocations = arguments.invocations as usize;
    let mut system = System::start(&arguments.functions).await?;
    // A start that made an AWS call would show it.
    system.set_delay(AWS_CALL);
    let start_ups = measure::start_ups(&system, rounds).await?;
    system.set_delay(Duration::ZERO);
    println!("{}", report::start_ups(&start_ups));
    let are_counted = instructions::can_be_counted().await;
    let init_instructions = if are_counted { Some(instructions::starts(&system).await?) } else { None };
    println!("{}", init_instructions.as_ref().map(report::init_instructions).unwrap_or_default());

    measure::open(system.lab()).await?;
    let costs = measure::costs(&system, Direction::FromPhone, messages).await?;
    println!("{}", report::costs("a text to an agent", &costs, messages));
    // The webhook of a text, and that of its echo.
    let inbound = (Function::Inbound, system.last_event(Function::Inbound)?);
    let webhook = (Function::Webhook, system.last_event(Function::Webhook)?);
    let costs = measure::costs(&system, Direction::ToPhone, messages).await?;
    println!("{}", report::costs("an answer to a phone", &costs, messages));
    let mut memory = Vec::new();
    for function in MESSAGE_FUNCTIONS {
        memory.push((function, system.running(function)?.resident()?));
    }
    println!("{}", report::memory(&memory));

    let compared = measure::COMPARED.map(|name| (name, &inbound.1));
    let entry_points = [&inbound, &webhook].map(|(function, event)| (function.name(), event));
    let programs: Vec<_> = compared.into_iter().chain(entry_points).collect();
    let warm = measure::warm(&system, &programs, invocations).await?;
    println!("{}", report::warm(&warm, invocations));
    if are_counted {
        println!("{}", report::invocation_instructions(&instructions::invocations(&system, &programs).await?));
    }
    let delays = [Duration::ZERO, AWS_CALL];
    let first_answers = measure::first_answers(&system, &[inbound, webhook], &delays, rounds).await?;
    println!("{}", report::first_answers(&first_answers));
    let batches = measure::batches(&mut system, SLOW_AWS_CALL, rounds).await?;
    println!("{}", report::batches(&batches));
    let first_texts = measure::first_texts(&system).await?;
    println!("{}", report::first_texts(&first_texts));
    Ok(Results {
        start_ups,
        init_instructions,
        first_answers,
        warm,
        first_texts,
        batches,
        of_lab: None,
        aws_call: AWS_CALL,
    })
}

/// Measures the lab: first with more texts than it can take, then with both tables.
async fn of_lab() -> Result<(Load, Vec<Growth>), BenchError> {
    let options = LoadOptions { rate: 900, seconds: 15, people: 200 };
    let load = lab_load::run(&options).await?;
    println!("{}", report::lab_load(&options, &load));
    let tables = table_growth::run(&GrowthOptions { items: 1_000_000, small: 1_000, rounds: 300 }).await?;
    println!("{}", report::growth(&tables));
    Ok((load, tables))
}
