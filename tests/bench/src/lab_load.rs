//! The lab's throughput: texts at a steady rate in both directions, with everything in this process.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use connector_lab::{
    Lab, LabOptions,
    liveengage::{DeskChange, WebhookEvent},
    phone::PhoneChange,
};
use parking_lot::Mutex;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    task::JoinSet,
    time::Instant,
};

use crate::{BenchError, process_usage::ProcessUsage};

/// How often the texts that are due are sent.
const TICK: Duration = Duration::from_millis(2);
/// How long the last texts may take to arrive.
const DRAIN: Duration = Duration::from_secs(20);

/// What is offered to the lab.
#[derive(Debug, clap::Args)]
pub(crate) struct LoadOptions {
    /// How many texts are sent in a second.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    /// For how long.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// How many conversations there are. In one half the people write, in the other half the agents.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub(crate) people: u32,
}

/// What the lab made of it.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// How many texts were sent.
    pub(crate) sent: usize,
    /// How many of them had arrived when the last one was sent.
    pub(crate) in_time: usize,
    /// How long the texts that arrived were under way, the shortest time first.
    pub(crate) times: Vec<Duration>,
    /// For how long texts were sent.
    pub(crate) offered_for: Duration,
    /// The CPU time of this process until all had arrived: the lab, the functions in it, and this measurement.
    pub(crate) cpu: Duration,
    /// The memory in RAM before the first text, in bytes.
    pub(crate) memory_before: u64,
    /// The memory after the last one.
    pub(crate) memory_after: u64,
}

/// Where texts arrive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Recipient {
    Phone(String),
    Conversation(String),
}

/// The texts under way, by recipient. The texts of one conversation arrive in order.
#[derive(Debug, Default)]
struct UnderWay {
    sent: HashMap<Recipient, VecDeque<Instant>>,
    times: Vec<Duration>,
    /// Whether a follower fell behind, so that arrivals were missed.
    lagged: bool,
}

impl UnderWay {
    fn send(&mut self, to: Recipient) {
        self.sent.entry(to).or_default().push_back(Instant::now());
    }

    fn arrive(&mut self, to: &Recipient) {
        if let Some(sent) = self.sent.get_mut(to).and_then(VecDeque::pop_front) {
            self.times.push(sent.elapsed());
        }
    }
}

/// Starts a lab and sends texts.
pub(crate) async fn run(options: &LoadOptions) -> Result<Load, BenchError> {
    let lab = Lab::start(LabOptions::default()).await?;
    let pairs = open(&lab, options.people).await?;
    let under_way = Arc::new(Mutex::new(UnderWay::default()));
    let mut followers = JoinSet::new();
    followers.spawn(follow_phones(lab.gateway().subscribe(), Arc::clone(&under_way)));
    followers.spawn(follow_desk(lab.liveengage().subscribe(), Arc::clone(&under_way)));
    let usage = ProcessUsage::own();
    let (memory_before, cpu_before, started) = (usage.resident()?, usage.cpu()?, Instant::now());
    let mut load = Load { memory_before, ..Load::default() };
    let total = options.rate as usize * options.seconds as usize;
    let mut ticks = tokio::time::interval(TICK);
    while load.sent < total {
        ticks.tick().await;
        let due = started.elapsed().as_secs_f64() * f64::from(options.rate);
        while load.sent < total && (load.sent as f64) < due {
            send(&lab, &pairs, load.sent, &under_way)?;
            load.sent += 1;
        }
    }
    load.offered_for = started.elapsed();
    load.in_time = under_way.lock().times.len();
    // Whatever has not arrived by then is missing in the report.
    let _ = tokio::time::timeout(DRAIN, all_arrived(&under_way, load.sent)).await;
    load.cpu = usage.cpu()?.saturating_sub(cpu_before);
    load.memory_after = usage.resident()?;
    let mut under_way = under_way.lock();
    if under_way.lagged {
        return Err(BenchError::Function("more arrived at once than this measurement can follow".to_owned()));
    }
    load.times = std::mem::take(&mut under_way.times);
    load.times.sort_unstable();
    Ok(load)
}

/// Opens the conversations. Returns the phone and the conversation of each.
pub(crate) async fn open(lab: &Lab, people: u32) -> Result<Vec<(String, String)>, BenchError> {
    let phones: Vec<_> = (0..people).map(|person| format!("+49151700{person:05}")).collect();
    for phone in &phones {
        lab.gateway().consumer_sends(phone, phone).map_err(|error| BenchError::Function(error.to_string()))?;
    }
    lab.settled().await;
    let mut by_phone: HashMap<_, _> = lab
        .liveengage()
        .conversations()
        .into_iter()
        .filter_map(|conversation| Some((conversation.transcript.first()?.text.clone(), conversation.id)))
        .collect();
    let pairs: Option<Vec<_>> =
        phones.into_iter().map(|phone| by_phone.remove(&phone).map(|conversation| (phone, conversation))).collect();
    pairs.ok_or_else(|| BenchError::Function("a conversation was not opened".to_owned()))
}

/// Sends the next text: from a person if its number is even, and from an agent if it is odd.
fn send(lab: &Lab, pairs: &[(String, String)], number: usize, under_way: &Mutex<UnderWay>) -> Result<(), BenchError> {
    let person = number % (pairs.len() / 2 * 2);
    let Some((phone, conversation)) = pairs.get(person) else { return Ok(()) };
    let text = format!("message {number}");
    if person.is_multiple_of(2) {
        under_way.lock().send(Recipient::Conversation(conversation.clone()));
        lab.gateway().consumer_sends(phone, &text).map_err(|error| BenchError::Function(error.to_string()))?;
    } else {
        under_way.lock().send(Recipient::Phone(phone.clone()));
        lab.liveengage().say(conversation, &text).map_err(|error| BenchError::Function(error.to_string()))?;
    }
    Ok(())
}

/// A gateway without delivery reports announces each text to a phone once.
async fn follow_phones(mut changes: Receiver<PhoneChange>, under_way: Arc<Mutex<UnderWay>>) {
    loop {
        match changes.recv().await {
            Ok(change) => under_way.lock().arrive(&Recipient::Phone(change.phone)),
            Err(RecvError::Lagged(_)) => under_way.lock().lagged = true,
            Err(RecvError::Closed) => return,
        }
    }
}

async fn follow_desk(mut changes: Receiver<DeskChange>, under_way: Arc<Mutex<UnderWay>>) {
    loop {
        match changes.recv().await {
            Ok(DeskChange { conversation_id, event: WebhookEvent::Content, .. }) => {
                under_way.lock().arrive(&Recipient::Conversation(conversation_id));
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => under_way.lock().lagged = true,
            Err(RecvError::Closed) => return,
        }
    }
}

async fn all_arrived(under_way: &Mutex<UnderWay>, sent: usize) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    while under_way.lock().times.len() < sent {
        ticks.tick().await;
    }
}
