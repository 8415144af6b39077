//! The measurements.

use std::{collections::BTreeMap, time::Duration};

use connector_lab::{Lab, function::Function, phone::Direction};
use serde_json::Value;

use crate::{
    BenchError,
    process::FunctionProcess,
    report::Samples,
    system::{MESSAGE_FUNCTIONS, System},
};

/// The programs whose start is measured, and the ones that they are compared with.
pub(crate) const PROGRAMS: [&str; 7] =
    ["no-op", "one-call", "webhook", "inbound", "to-liveengage", "to-channel", "token-refresh"];

/// How many people write to the brand. As many as a worker's batch has messages.
const PEOPLE: usize = 10;

/// What the start of a program takes.
#[derive(Default)]
pub(crate) struct StartUp {
    /// From its start to its first request for an invocation.
    pub(crate) time: Samples,
    /// Its CPU time until then.
    pub(crate) cpu: Samples,
    /// Its memory then, in bytes.
    pub(crate) resident: u64,
}

/// Starts each program `rounds` times, in turn, so that what else happens on the machine affects all of them.
pub(crate) async fn start_ups(system: &System, rounds: usize) -> Result<BTreeMap<&'static str, StartUp>, BenchError> {
    let mut start_ups = BTreeMap::<_, StartUp>::new();
    for _ in 0..rounds {
        for name in PROGRAMS {
            let process = system.process(name).await?;
            let time = process.start_up().await?;
            let start_up = start_ups.entry(name).or_default();
            start_up.time.add(time);
            start_up.cpu.add(process.cpu()?);
            start_up.resident = start_up.resident.max(process.resident()?);
        }
    }
    Ok(start_ups)
}

/// What invocations without a pause cost a function.
pub(crate) struct Warm {
    /// The CPU time of each.
    pub(crate) cpu: Duration,
    /// Its memory after the first one, in bytes.
    pub(crate) before: u64,
    /// Its memory after the last one, in bytes.
    pub(crate) after: u64,
}

/// Invokes a new process of the program with the same event again and again.
pub(crate) async fn warm(system: &System, name: &str, event: &Value, invocations: usize) -> Result<Warm, BenchError> {
    let process = system.process(name).await?;
    accepted(&process, event).await?;
    let (before, cpu) = (process.resident()?, process.cpu()?);
    for _ in 0..invocations {
        accepted(&process, event).await?;
    }
    let divisor = u32::try_from(invocations.max(1)).unwrap_or(u32::MAX);
    Ok(Warm { cpu: process.cpu()?.saturating_sub(cpu) / divisor, before, after: process.resident()? })
}

/// Invokes an entry point, or a program that it is compared with, and checks that it accepts the request.
async fn accepted(process: &FunctionProcess, event: &Value) -> Result<(), BenchError> {
    let answer = process.invoke(event.clone()).await?.map_err(BenchError::Function)?;
    match answer.get("statusCode").and_then(Value::as_u64) {
        Some(200) => Ok(()),
        status => Err(BenchError::Function(format!("it answered {status:?} instead of 200"))),
    }
}

/// The time from a program's start to its first answer, with this delay of every AWS call.
pub(crate) async fn first_answers(
    system: &System,
    (function, event): (Function, &Value),
    delay: Duration,
    rounds: usize,
) -> Result<Samples, BenchError> {
    let mut answers = Samples::default();
    system.set_delay(delay);
    for _ in 0..rounds {
        let process = system.process(function.name()).await?;
        accepted(&process, event).await?;
        answers.add(process.age());
    }
    system.set_delay(Duration::ZERO);
    Ok(answers)
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

/// How long a worker takes for a text of one person, and for a batch with one text of each of ten people, with this delay of every AWS call.
pub(crate) async fn batches(
    system: &mut System,
    delay: Duration,
    rounds: usize,
) -> Result<BTreeMap<usize, Samples>, BenchError> {
    system.set_delay(delay);
    let worker = Function::ToLiveEngage;
    let mut times = BTreeMap::<usize, Samples>::new();
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
