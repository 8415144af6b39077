//! The measurements.

use std::{collections::BTreeMap, time::Duration};

use connector_lab::{Lab, function::Function, liveengage::Service, phone::Direction};
use serde_json::Value;

use crate::{
    BenchError,
    process::FunctionProcess,
    report::Samples,
    system::{MESSAGE_FUNCTIONS, System},
};

/// The programs that the functions are compared with.
pub(crate) const COMPARED: [&str; 2] = ["no-op", "one-call"];
/// The entry points.
pub(crate) const ENTRY_POINTS: [&str; 2] = ["webhook", "inbound"];
/// The other functions whose start is measured.
pub(crate) const WORKERS: [&str; 3] = ["to-liveengage", "to-channel", "token-refresh"];

/// The programs whose start is measured.
pub(crate) fn programs() -> impl Iterator<Item = &'static str> {
    COMPARED.into_iter().chain(ENTRY_POINTS).chain(WORKERS)
}

/// How many people write to the brand. As many as a worker's batch has messages.
const PEOPLE: usize = 10;

/// What the start of a program takes.
#[derive(Default)]
pub(crate) struct StartUp {
    /// From its start to its first request for an invocation.
    pub(crate) time: Samples,
    /// Its CPU time until then.
    pub(crate) cpu: Samples,
    /// Its memory then, in bytes: the most that was seen.
    pub(crate) resident: u64,
    /// The size of its file, in bytes.
    pub(crate) size: u64,
}

/// The starts of the programs, by name.
pub(crate) type StartUps = BTreeMap<&'static str, StartUp>;

/// Starts each program `rounds` times, in turn, so that what else happens on the machine affects all of them.
pub(crate) async fn start_ups(system: &System, rounds: usize) -> Result<StartUps, BenchError> {
    let mut start_ups = StartUps::new();
    for _ in 0..rounds {
        for name in programs() {
            let process = system.process(name).await?;
            let time = process.start_up().await?;
            let start_up = start_ups.entry(name).or_default();
            start_up.time.add(time);
            start_up.cpu.add(process.cpu()?);
            start_up.resident = start_up.resident.max(process.resident()?);
            start_up.size = system.size(name)?;
        }
    }
    Ok(start_ups)
}

/// What invocations without a pause cost a function.
pub(crate) struct Warm {
    /// The CPU time of each. There is one sample for each round.
    pub(crate) cpu: Samples,
    /// Its memory after the first one, in bytes.
    pub(crate) before: u64,
    /// Its memory after the last one, in bytes.
    pub(crate) after: u64,
}

/// In how many rounds the invocations without a pause are made.
const WARM_ROUNDS: usize = 10;

/// Invokes a new process of each program with its event again and again. The programs take turns, so that what else happens on the machine
/// affects all of them.
pub(crate) async fn warm(
    system: &System,
    programs: &[(&'static str, &Value)],
    invocations: usize,
) -> Result<Vec<(&'static str, Warm)>, BenchError> {
    let mut running = Vec::new();
    for (name, event) in programs {
        let process = system.process(name).await?;
        accepted(&process, event).await?;
        let before = process.resident()?;
        running.push((process, *event, (*name, Warm { cpu: Samples::default(), before, after: before })));
    }
    let of_round = invocations.div_ceil(WARM_ROUNDS).max(1);
    let divisor = u32::try_from(of_round).unwrap_or(u32::MAX);
    for _ in 0..WARM_ROUNDS {
        for (process, event, (_, warm)) in &mut running {
            let cpu = process.cpu()?;
            for _ in 0..of_round {
                accepted(process, event).await?;
            }
            warm.cpu.add(process.cpu()?.saturating_sub(cpu) / divisor);
            warm.after = process.resident()?;
        }
    }
    Ok(running.into_iter().map(|(.., row)| row).collect())
}

/// Invokes an entry point, or a program that it is compared with, and checks that it accepts the request.
pub(crate) async fn accepted(process: &FunctionProcess, event: &Value) -> Result<(), BenchError> {
    let answer = process.invoke(event.clone()).await?.map_err(BenchError::Function)?;
    match answer.get("statusCode").and_then(Value::as_u64) {
        Some(200) => Ok(()),
        status => Err(BenchError::Function(format!("it answered {status:?} instead of 200"))),
    }
}

/// How long the functions take from their start to their first answer, with a delay of every AWS call.
pub(crate) struct FirstAnswers {
    pub(crate) function: Function,
    pub(crate) delay: Duration,
    pub(crate) times: Samples,
}

/// Measures the first answer of each function with each delay, in turn.
pub(crate) async fn first_answers(
    system: &System,
    functions: &[(Function, Value)],
    delays: &[Duration],
    rounds: usize,
) -> Result<Vec<FirstAnswers>, BenchError> {
    let mut rows = Vec::new();
    for (function, event) in functions {
        let row = |delay: &Duration| FirstAnswers { function: *function, delay: *delay, times: Samples::default() };
        rows.extend(delays.iter().map(|delay| (row(delay), event)));
    }
    for _ in 0..rounds {
        for (row, event) in &mut rows {
            system.set_delay(row.delay);
            let process = system.process(row.function.name()).await?;
            accepted(&process, event).await?;
            row.times.add(process.age());
        }
    }
    system.set_delay(Duration::ZERO);
    Ok(rows.into_iter().map(|(row, _)| row).collect())
}

/// Opens a conversation for each of the people.
pub(crate) async fn open(lab: &Lab) -> Result<(), BenchError> {
    for person in 0..PEOPLE {
        send(lab, person, "hello")?;
    }
    lab.settled().await;
    match lab.liveengage().conversations().len() {
        PEOPLE => Ok(()),
        other => Err(BenchError::Function(format!("{other} conversations are open instead of {PEOPLE}"))),
    }
}

/// What the first text of a person costs `to-liveengage`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FirstText {
    /// Its calls to AWS and to LiveEngage.
    pub(crate) calls: usize,
    /// DynamoDB's write units.
    pub(crate) written: u64,
}

/// What the first texts cost that open a conversation.
pub(crate) struct FirstTexts {
    /// That of a person who has never written.
    pub(crate) new: FirstText,
    /// That of a person whose last conversation is closed.
    pub(crate) returning: FirstText,
}

/// How many new people write, of whom the one in the middle counts: a token or the list of hosts may become due in the meantime.
const NEW_PEOPLE: usize = 3;

/// Lets new people write, closes their conversations, and lets them write again. Everything that a process reads once must have been read.
pub(crate) async fn first_texts(system: &System) -> Result<FirstTexts, BenchError> {
    let lab = system.lab();
    let (mut new, mut returning) = (Vec::new(), Vec::new());
    system.count_units(true);
    for person in PEOPLE..PEOPLE + NEW_PEOPLE {
        new.push(first_text(system, person).await?);
        let opened = lab.liveengage().conversations().pop();
        let opened = opened.ok_or_else(|| BenchError::Function("no conversation was opened".to_owned()))?;
        lab.liveengage().close(&opened.id).map_err(|error| BenchError::Function(error.to_string()))?;
        lab.settled().await;
        returning.push(first_text(system, person).await?);
    }
    system.count_units(false);
    let median = |mut texts: Vec<FirstText>| {
        texts.sort_unstable();
        texts.get(texts.len() / 2).copied().unwrap_or_default()
    };
    Ok(FirstTexts { new: median(new), returning: median(returning) })
}

async fn first_text(system: &System, person: usize) -> Result<FirstText, BenchError> {
    let before = used_by_to_liveengage(system);
    send(system.lab(), person, "hello")?;
    system.lab().settled().await;
    let after = used_by_to_liveengage(system);
    Ok(FirstText { calls: after.calls - before.calls, written: after.written - before.written })
}

/// What `to-liveengage` has used so far. No other function calls these services of LiveEngage for a text.
fn used_by_to_liveengage(system: &System) -> FirstText {
    let name = Function::ToLiveEngage.name();
    let own = system.calls().into_iter().filter(|((caller, _), _)| caller == name);
    let of_liveengage = system.lab().liveengage().calls();
    let services = [Service::Domain, Service::Sentinel, Service::Idp, Service::Conversation, Service::Send];
    let of_liveengage = services.map(|service| usize::try_from(of_liveengage.of(service)).unwrap_or(usize::MAX));
    FirstText {
        calls: own.map(|(_, count)| count).chain(of_liveengage).sum(),
        written: system.written().get(name).copied().unwrap_or_default(),
    }
}

fn send(lab: &Lab, person: usize, text: &str) -> Result<(), BenchError> {
    let phone = format!("+49151700{person:05}");
    let sent = lab.gateway().consumer_sends(&phone, text);
    sent.map(drop).map_err(|error| BenchError::Function(error.to_string()))
}

/// What one message costs a function.
pub(crate) struct Cost {
    /// Its CPU time.
    pub(crate) cpu: Duration,
    /// The AWS calls of all messages together, by operation.
    pub(crate) calls: BTreeMap<String, usize>,
}

/// Sends messages one after the other, and returns what each of them costs each function.
pub(crate) async fn costs(
    system: &System,
    direction: Direction,
    messages: usize,
) -> Result<Vec<(Function, Cost)>, BenchError> {
    let lab = system.lab();
    let conversations: Vec<_> =
        lab.liveengage().conversations().into_iter().map(|conversation| conversation.id).collect();
    let before = system.calls();
    let cpu = MESSAGE_FUNCTIONS.map(|function| system.running(function).and_then(|process| process.cpu()));
    for number in 0..messages {
        let (person, text) = (number % PEOPLE, format!("message {number}"));
        match (direction, conversations.get(person)) {
            (Direction::FromPhone, _) => send(lab, person, &text)?,
            (Direction::ToPhone, Some(conversation)) => {
                lab.liveengage().say(conversation, &text).map_err(|error| BenchError::Function(error.to_string()))?;
            }
            (Direction::ToPhone, None) => return Err(BenchError::Function("a conversation is missing".to_owned())),
        }
        lab.settled().await;
    }
    let divisor = u32::try_from(messages.max(1)).unwrap_or(u32::MAX);
    let mut costs = Vec::new();
    for (function, before_cpu) in MESSAGE_FUNCTIONS.into_iter().zip(cpu) {
        let cpu = system.running(function)?.cpu()?.saturating_sub(before_cpu?) / divisor;
        let own = system.calls().into_iter().filter(|((caller, _), _)| caller == function.name());
        let calls = own.map(|(key, count)| {
            let earlier = before.get(&key).copied().unwrap_or_default();
            (key.1, count - earlier)
        });
        costs.push((function, Cost { cpu, calls: calls.filter(|(_, count)| *count > 0).collect() }));
    }
    Ok(costs)
}

/// How long batches took, by the number of their messages.
pub(crate) type Batches = BTreeMap<usize, Samples>;

/// How long a worker takes for a text of one person, and for a batch with one text of each of ten people, with this delay of every AWS call.
pub(crate) async fn batches(system: &mut System, delay: Duration, rounds: usize) -> Result<Batches, BenchError> {
    system.set_delay(delay);
    let worker = Function::ToLiveEngage;
    let mut times = Batches::new();
    for round in 0..rounds {
        for people in [1, PEOPLE] {
            system.pause(worker);
            system.take_batches(worker);
            for person in 0..people {
                send(system.lab(), person, &format!("in a batch {round}"))?;
            }
            system.waiting(people).await?;
            system.resume(worker)?;
            system.lab().settled().await;
            let of_batch = system.take_batches(worker).into_iter().filter(|(messages, _)| *messages == people);
            of_batch.for_each(|(messages, time)| times.entry(messages).or_default().add(time));
        }
    }
    system.set_delay(Duration::ZERO);
    Ok(times)
}
