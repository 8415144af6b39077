//! Random interleavings of workers, crashes, lost answers, repeated deliveries and late notifications, by a scripted scheduler: a script of
//! numbers decides what happens next, one turn of one worker at a time.
//!
//! The queues behave like SQS: a group's first message is delivered alone, again after its visibility timeout, and occasionally to two
//! workers at once. A worker that has reached its deadline is stopped.

use std::{pin::Pin, sync::Arc, task::Context};

use futures::task::noop_waker;
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use super::{
    ports::Ports,
    world::{ANNA, Fault, SEND, SMS, World, agent_says, at, from_consumer, owner},
};
use connector::app::delivery::{Attempt, RetryLater, TimeScale};
use connector_testing::{MemoryStore, ScriptedHttp};

/// How long a worker may take, and how long a message stays with it, in seconds (the template's are 60 and 360).
const DEADLINE: i64 = 30;
const VISIBILITY: i64 = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    LiveEngage,
    Channel,
}

/// One group of a queue.
struct Group {
    to: To,
    tasks: Vec<String>,
    visible_at: i64,
    received: u32,
}

/// A worker on a group's first message.
struct Running {
    group: usize,
    /// The message, by how many were left when it was started.
    left: usize,
    until: i64,
    work: Pin<Box<dyn Future<Output = Result<(), RetryLater>> + Send>>,
}

struct Scheduler {
    world: World,
    groups: Vec<Group>,
    running: Vec<Running>,
    now: i64,
    started: u64,
    /// Whether the echo of a published event always comes before anything else happens.
    echoes_in_time: bool,
    /// Events after which the channel may get a message twice.
    disturbed: usize,
}

impl Scheduler {
    async fn new(texts: usize, answers: usize, echoes_in_time: bool) -> Self {
        // If agents write in the conversation, it exists already.
        let settings = json!({"on_uncertain": "repeat"});
        let world = match answers {
            0 => World::with(&settings).await,
            _ => World::talking_with(ANNA, &settings).await,
        };
        let group = |to, tasks| Group { to, tasks, visible_at: 0, received: 0 };
        let texts = (1..=texts).map(|n| from_consumer(&format!("mo-{n}"), ANNA, &format!("text {n}"))).collect();
        let answers = (1..=answers).map(|n| agent_says("c1", 100 + n as u64, &format!("answer {n}"))).collect();
        let groups = vec![group(To::LiveEngage, texts), group(To::Channel, answers)];
        Self { world, groups, running: vec![], now: 1, started: 0, echoes_in_time, disturbed: 0 }
    }

    async fn start(&mut self, group: usize, twice: bool) {
        let Group { to, tasks, visible_at, received } = &mut self.groups[group];
        let Some(task) = tasks.first().cloned() else { return };
        if *visible_at > self.now && !twice {
            return;
        }
        (*visible_at, *received) = (self.now + VISIBILITY, *received + 1);
        let (to, left, received) = (*to, tasks.len(), *received);
        self.started += 1;
        let attempt = Attempt {
            owner: owner(format!("worker-{}", self.started)),
            now: at(self.now),
            deadline: at(self.now + DEADLINE),
            received,
            time_scale: TimeScale::TEMPLATE,
        };
        // Every call takes a turn or more before it is carried out, and another before its answer is seen.
        let ports = Arc::new(Ports::slow(
            Arc::<MemoryStore>::clone(&self.world.store),
            Arc::<ScriptedHttp>::clone(&self.world.http),
            self.started,
        ));
        let workers = self.world.workers_with(&ports);
        let work: Running = Running {
            group,
            left,
            until: self.now + DEADLINE,
            work: Box::pin(async move {
                match to {
                    To::LiveEngage => workers.to_liveengage.work(&task, &attempt).await,
                    To::Channel => workers.to_channel.work(&task, &attempt).await,
                }
            }),
        };
        self.running.push(work);
    }

    /// One turn of one worker.
    async fn turn(&mut self, worker: usize) {
        // Do this before every turn, because a worker that started earlier may look for the echo of what another one has published since.
        if self.echoes_in_time {
            self.world.receive_echoes(self.now).await;
        }
        let waker = noop_waker();
        let Running { group, left, work, .. } = &mut self.running[worker];
        let std::task::Poll::Ready(result) = work.as_mut().poll(&mut Context::from_waker(&waker)) else { return };
        let (group, left) = (&mut self.groups[*group], *left);
        self.running.remove(worker);
        // Another worker may have removed the message from the queue.
        if group.tasks.len() != left {
            return;
        }
        match result {
            Ok(()) => {
                group.tasks.remove(0);
                (group.visible_at, group.received) = (0, 0);
            }
            Err(RetryLater { after }) => group.visible_at = self.now + after.as_secs().max(1),
        }
    }

    fn kill(&mut self, worker: usize) {
        self.disturbed += 1;
        self.running.remove(worker);
    }

    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        while let Some(over) = self.running.iter().position(|worker| worker.until <= self.now) {
            self.kill(over);
        }
    }

    async fn act(&mut self, number: u16) {
        let pick = usize::from(number / 16);
        let worker = (!self.running.is_empty()).then(|| pick % self.running.len().max(1));
        match (number % 16, worker) {
            (0, _) => self.start(pick % 2, false).await,
            (1, _) if pick.is_multiple_of(4) => self.start(pick % 2, true).await,
            (2, Some(worker)) if pick.is_multiple_of(3) => self.kill(worker),
            (3, _) => self.pass(1 + i64::from(number / 16 % 20)),
            (4, _) if pick.is_multiple_of(3) => self.world.receive_echoes(self.now).await,
            (5, _) if pick.is_multiple_of(2) => self.world.receive_notification(self.now).await,
            (6, _) => {
                let call = if pick.is_multiple_of(2) { SEND } else { SMS };
                self.disturbed += 1;
                self.world.fault(
                    call,
                    match pick % 5 {
                        0 => Fault::LoseAnswer,
                        1 => Fault::NotSent,
                        2 => Fault::Answer(503, json!({})),
                        3 => Fault::CarryOutAndAnswer(502),
                        _ => Fault::Answer(429, json!({})),
                    },
                );
            }
            (_, Some(worker)) => self.turn(worker).await,
            (_, None) => self.start(pick % 2, false).await,
        }
    }

    /// Everything works again. Runs until both queues are empty.
    async fn settle(&mut self) {
        self.world.other().faults.clear();
        for _ in 0..20_000 {
            self.world.receive_notification(self.now).await;
            match self.running.is_empty() {
                false => self.turn(0).await,
                true if self.groups.iter().all(|group| group.tasks.is_empty()) => return,
                true => {
                    self.pass(1);
                    for group in 0..self.groups.len() {
                        self.start(group, false).await;
                    }
                }
            }
        }
        panic!("{} texts are still on their way", self.groups.iter().map(|group| group.tasks.len()).sum::<usize>());
    }
}

fn script() -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(any::<u16>(), 0..400)
}

async fn run(script: Vec<u16>, texts: usize, answers: usize, echoes_in_time: bool) -> Result<(), TestCaseError> {
    let mut scheduler = Scheduler::new(texts, answers, echoes_in_time).await;
    for number in script {
        scheduler.act(number).await;
    }
    scheduler.settle().await;
    let other = scheduler.world.other();
    // A message that was uncertain too often is parked, and its sender notified.
    let parked = scheduler.world.store.parked();
    let is_parked = |text: &String| parked.iter().any(|parked| parked.body.contains(&format!("\"{text}\"")));
    let wanted = |name: &str, count, there: &[String]| {
        let all = (1..=count).map(|n| format!("{name} {n}"));
        all.filter(|text| there.contains(text) || !is_parked(text)).collect::<Vec<_>>()
    };
    let mut published: Vec<String> = other.texts.iter().map(|(_, text)| text.clone()).collect();
    if !echoes_in_time {
        published.dedup();
    }
    prop_assert_eq!(&published, &wanted("text", texts, &published), "each once and in order");
    let mut shown: Vec<_> = other.sms_texts().into_iter().map(str::to_owned).collect();
    if scheduler.disturbed > 0 {
        shown.dedup();
    }
    prop_assert_eq!(&shown, &wanted("answer", answers, &shown));
    prop_assert_eq!(other.conversations.len(), 1);
    prop_assert!(parked.iter().all(|parked| parked.reason.contains("may have arrived")), "{:?}", parked);
    Ok(())
}

fn in_runtime(test: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_whatever_order_nothing_is_lost_or_reordered(script in script()) {
        in_runtime(run(script, 3, 3, false))?;
    }

    #[test]
    fn with_its_echo_in_time_nothing_is_published_twice(script in script()) {
        in_runtime(run(script, 4, 0, true))?;
    }
}

/// The scheduler does cause crashes, repetitions and interleavings. Otherwise the properties would hold trivially.
#[tokio::test]
async fn the_script_kills_repeats_and_interleaves() {
    let (mut crashes, mut together, mut repeated) = (0, 0, 0);
    for seed in 0..200_u64 {
        let mut scheduler = Scheduler::new(3, 3, false).await;
        let mut number = seed;
        for _ in 0..200 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            scheduler.act((number >> 40) as u16).await;
            together += usize::from(scheduler.running.len() > 1);
            let same = |group| scheduler.running.iter().filter(|worker| worker.group == group).count() > 1;
            repeated += usize::from(same(0) || same(1));
        }
        crashes += scheduler.disturbed;
        assert!(scheduler.now < SignedDuration::from_hours(12).as_secs());
    }
    assert!(crashes > 1000 && together > 1000 && repeated > 100, "{crashes} {together} {repeated}");
}
