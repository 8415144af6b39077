//! Runs a simulation, event by event.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    agenda::{Agenda, Event},
    faults::Faults,
    history::Trace,
    invariant::{Counts, Invariant, Violation},
    invocation::{
        Ended, Environment, FunctionName, Invocation, InvocationId, Payload, Stop, Work, batch_event, http_event,
        run as run_invocation, schedule_event,
    },
    log,
    ports::Ports,
    world::{Shared, World},
};

/// How often the schedule starts the token refresh (template.yaml).
const REFRESH_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// What is simulated.
pub struct Options {
    /// Decides everything: the same seed gives the same history.
    pub seed: u64,
    /// How many messages are written, in both directions together.
    pub messages: u64,
    /// What goes wrong. `None`: the seed decides.
    pub faults: Option<Faults>,
    /// Gets each line of the history.
    pub trace: Option<Trace>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, messages, .. } = self;
        f.debug_struct("Options").field("seed", seed).field("messages", messages).finish_non_exhaustive()
    }
}

/// The result of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The SHA-256 digest of the history, in hex.
    pub history: String,
    /// The number of its lines.
    pub lines: u64,
    /// The simulated time from the first event to the last.
    pub took: SignedDuration,
    /// From the end of the faults until everything was settled.
    pub settled_after: SignedDuration,
    /// The counts.
    pub counts: Counts,
    /// The first promise that was broken. The simulation ends there.
    pub violation: Option<Violation>,
}

type Task = Pin<Box<dyn Future<Output = Ended> + Send>>;

struct Simulation {
    shared: Arc<Shared>,
    tasks: BTreeMap<InvocationId, Task>,
    /// How many environments and invocations there were.
    environments: u64,
    invocations: u64,
}

/// Simulates until everything is settled, or a promise is broken.
pub fn simulate(options: Options) -> Outcome {
    let Options { seed, messages, faults, trace } = options;
    let mut agenda = Agenda::new(seed, trace);
    // Drawn in any case, so that the faults of a seed give the same history when they are passed.
    let drawn = Faults::drawn(&mut agenda.random);
    let faults = faults.unwrap_or(drawn);
    let mut world = World::new(agenda, faults, messages);
    world.begin_load();
    world.agenda.after(SignedDuration::ZERO, Event::Refresh);
    run(Shared::new(world)).1
}

/// Runs what is scheduled until everything is settled, or a promise is broken.
pub(super) fn run(shared: Shared) -> (Arc<Shared>, Outcome) {
    let shared = Arc::new(shared);
    let mut simulation =
        Simulation { shared: Arc::clone(&shared), tasks: BTreeMap::new(), environments: 0, invocations: 0 };
    let log = log::subscriber(Arc::clone(&shared));
    tracing::subscriber::with_default(log, || simulation.run());
    let outcome = simulation.outcome();
    (shared, outcome)
}

impl Simulation {
    fn run(&mut self) {
        loop {
            let event = {
                let mut world = self.shared.world();
                if world.truth.violation.is_some() || world.is_settled() {
                    return;
                }
                let since = world.recovered_at.map(|at| world.agenda.now().duration_since(at));
                if since.is_some_and(|since| since > world.settled_within) {
                    let under_way = world.truth.under_way();
                    world.truth.broken(Invariant::Unsettled, format_args!("messages {under_way:?} are under way"));
                    return;
                }
                world.agenda.next()
            };
            let Some(event) = event else { return };
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Wake(id) => self.poll(id),
            Event::Stop(id, stop) => self.stop(id, stop),
            Event::Poll(queue) => {
                let batch = self.shared.world().receive(queue);
                if let Some(messages) = batch {
                    self.invoke(queue.into(), Work::Batch { queue, messages, is_repeat: false });
                }
            }
            Event::Repeat(id) => self.repeat(id),
            Event::Notify(number) => {
                if self.shared.world().liveengage.notifications.contains_key(&number) {
                    self.invoke(FunctionName::Webhook, Work::Notification(number));
                }
            }
            Event::Post(number) => {
                if self.shared.world().channels.requests.contains_key(&number) {
                    self.invoke(FunctionName::Inbound, Work::Request(number));
                }
            }
            Event::Write(consumer) => self.shared.world().consumer_writes(consumer),
            Event::Choose(offer) => self.shared.world().consumer_chooses(offer),
            Event::Agent(index) => self.shared.world().agent_acts(index),
            Event::Refresh => {
                self.invoke(FunctionName::TokenRefresh, Work::Refresh);
                self.between_times();
            }
            Event::Outage(begins) => self.shared.world().outage(begins),
            Event::Deploy => self.shared.world().deploy(),
            Event::Deployed(version) => self.deployed(version),
            Event::Foreign => self.shared.world().foreign_event(),
            Event::Redrive => {
                let fresh = self.shared.world().agenda.random.hits(500);
                self.invoke(FunctionName::Operator, Work::Redrive { fresh });
            }
            Event::Rotate => self.rotate(),
            Event::TakeSecret => self.shared.world().take_secret(),
            Event::Recover => self.shared.world().recover(),
            Event::LineIsDown(begins) => self.shared.world().line_is_down(begins),
            Event::AgentOn(line) => self.shared.world().agent_writes_on(line),
            Event::WebhooksAreLost(begins) => self.shared.world().webhooks_are_lost(begins),
            Event::AgentInTurn => self.shared.world().agent_writes_in_turn(),
            Event::Reconcile => {
                self.shared.world().reconciles();
                self.invoke(FunctionName::Reconcile, Work::Reconcile);
            }
        }
    }

    /// Every ten minutes: whether there is an outage or a deployment before the next time.
    fn between_times(&self) {
        let World { agenda, faults, .. } = &mut *self.shared.world();
        agenda.after(REFRESH_EVERY, Event::Refresh);
        for (rate, event) in [
            (faults.outages, Event::Outage(true)),
            (faults.redrives, Event::Redrive),
            (faults.rotations, Event::Rotate),
            (faults.deployments, Event::Deploy),
            (faults.foreign, Event::Foreign),
        ] {
            if agenda.random.hits(rate.saturating_mul(100)) {
                let after = agenda.random.between(SignedDuration::ZERO, REFRESH_EVERY);
                agenda.after(after, event);
            }
        }
    }

    /// Starts an invocation, in an idle environment or a new one.
    fn invoke(&mut self, name: FunctionName, work: Work) {
        self.invocations += 1;
        let id = InvocationId(self.invocations);
        let environment = self.environment(name, id);
        let shared = Arc::clone(&self.shared);
        let mut world = shared.world();
        let Environment { skew, version, function, .. } = &world.environments[&environment];
        let (skew, version, function) = (*skew, *version, function.clone());
        let now = world.agenda.now();
        let deadline = now + name.timeout();
        world.agenda.at(deadline, Event::Stop(id, Stop::Timeout));
        let deadline_ms = (deadline + skew).as_millisecond();
        let payload = match &work {
            Work::Batch { messages, .. } => batch_event(id, messages, version, deadline_ms),
            Work::Refresh => schedule_event(id, deadline_ms, Value::Null),
            Work::Reconcile => schedule_event(id, deadline_ms, json!({"scope": "suspicious"})),
            Work::Redrive { fresh } => Payload::Redrive { fresh: *fresh },
            Work::Notification(number) => {
                let (headers, body) = world.signed_notification(*number).unwrap();
                http_event(id, None, &headers, &body)
            }
            Work::Request(number) => {
                let (line, headers, body) = world.signed_request(*number).unwrap();
                http_event(id, Some(line.id()), &headers, &body)
            }
        };
        world.agenda.note(format_args!("{id} {name:?} starts in environment {environment}: {}", describe(&work)));
        world.truth.counts.invocations += 1;
        world.draw_invocation_faults(id, &work, name);
        world.invocations.insert(id, Invocation::new(environment, work, now));
        drop(world);
        let ports = Ports::new(Arc::clone(&self.shared), environment, name, skew);
        self.tasks.insert(id, task(ports, function, payload));
        self.poll(id);
    }

    /// Returns an environment for an invocation.
    fn environment(&mut self, name: FunctionName, id: InvocationId) -> u64 {
        let mut world = self.shared.world();
        let idle: Vec<u64> = world
            .environments
            .iter()
            .filter(|(_, known)| known.name == name && known.invocation.is_none())
            .map(|(number, _)| *number)
            .collect();
        if !idle.is_empty() && !world.agenda.random.hits(30) {
            let number = idle[world.agenda.random.index(idle.len())];
            world.environments.get_mut(&number).unwrap().invocation = Some(id);
            return number;
        }
        self.environments += 1;
        let most = world.faults.skew;
        let skew = world.agenda.random.between(-most, most);
        let version = world.version;
        let environment = Environment { name, skew, version, invocation: Some(id), function: None };
        world.environments.insert(self.environments, environment);
        self.environments
    }

    /// Runs an invocation until its next outside call.
    fn poll(&mut self, id: InvocationId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let Some(ended) = poll_until_asleep(task) else { return };
        self.tasks.remove(&id);
        let mut world = self.shared.world();
        let invocation = world.invocations.remove(&id).unwrap();
        let oldest = world.oldest_version;
        if let Some(environment) = world.environments.get_mut(&invocation.environment) {
            environment.invocation = None;
            // It could not start, or another version is deployed.
            if environment.function.is_none() || environment.version < oldest {
                world.environments.remove(&invocation.environment);
            }
        }
        world.agenda.note(format_args!("{id} ends: {}", describe_end(&ended)));
        world.end(&invocation.work, &ended);
    }

    /// Stops an invocation that is still running. Its environment is gone.
    fn stop(&mut self, id: InvocationId, stop: Stop) {
        if self.tasks.remove(&id).is_none() {
            return;
        }
        let mut world = self.shared.world();
        let mut invocation = world.invocations.remove(&id).unwrap();
        world.environments.remove(&invocation.environment);
        world.agenda.note(format_args!("{id} is stopped: {stop:?}"));
        world.truth.counts.stopped += 1;
        invocation.excuse(id, &mut world.truth);
        world.end(&invocation.work, &Ended::Error("stopped".to_owned()));
    }

    /// Delivers the batch of a running invocation to another one.
    fn repeat(&mut self, id: InvocationId) {
        let work = self.shared.world().invocations.get(&id).map(|invocation| invocation.work.clone());
        if let Some(Work::Batch { queue, messages, .. }) = work {
            self.invoke(queue.into(), Work::Batch { queue, messages, is_repeat: true });
        }
    }

    /// An operator stores a new client secret. LiveEngage takes it sooner or later.
    fn rotate(&self) {
        let mut world = self.shared.world();
        let secret = world.liveengage.next_secret();
        self.shared.store_account(&secret);
        world.agenda.note(format_args!("the client secret is rotated"));
        let after = world.agenda.random.between(SignedDuration::ZERO, SignedDuration::from_mins(2));
        world.agenda.after(after, Event::TakeSecret);
    }

    /// A deployment ends. Some of the invocations of older versions that are still running are killed.
    fn deployed(&mut self, version: u64) {
        let mut world = self.shared.world();
        world.deployed(version);
        let World { agenda, environments, invocations, .. } = &mut *world;
        let old = invocations.iter().filter(|(_, invocation)| environments[&invocation.environment].version < version);
        let killed: Vec<_> = old.map(|(id, _)| *id).filter(|_| agenda.random.hits(300)).collect();
        drop(world);
        killed.into_iter().for_each(|id| self.stop(id, Stop::Killed));
    }

    fn outcome(self) -> Outcome {
        let mut world = self.shared.world();
        // The functions hold the world, and the world holds them.
        let environments = std::mem::take(&mut world.environments);
        drop(world);
        drop(environments);
        let world = self.shared.world();
        let start = jiff::Timestamp::from_second(super::agenda::START).unwrap();
        let now = world.agenda.now();
        Outcome {
            history: world.agenda.history.digest(),
            lines: world.agenda.history.lines(),
            took: now.duration_since(start),
            settled_after: world.recovered_at.map_or(SignedDuration::ZERO, |at| now.duration_since(at)),
            counts: world.truth.counted(),
            violation: world.truth.violation.clone(),
        }
    }
}

/// Polls an invocation until it ends, or until all that it does waits for simulated time. One of its attempts can wake another one.
fn poll_until_asleep(task: &mut Task) -> Option<Ended> {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    loop {
        if let Poll::Ready(ended) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(ended);
        }
        if !woken.0.swap(false, Ordering::Relaxed) {
            return None;
        }
    }
}

/// Whether an invocation was woken while it was polled.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn task(ports: Ports, function: Option<super::invocation::Function>, payload: Payload) -> Task {
    Box::pin(run_invocation(ports, function, payload))
}

impl World {
    /// Draws whether an invocation is killed, and whether its batch is delivered twice.
    fn draw_invocation_faults(&mut self, id: InvocationId, work: &Work, name: FunctionName) {
        let World { agenda, faults, .. } = self;
        if agenda.random.hits(faults.killed) {
            // Most invocations take less than a second.
            let longest = agenda.random.one_of([60, 200, 200, 1_000, name.timeout().as_millis() as i64]);
            let after = agenda.random.millis(0, longest);
            agenda.after(after, Event::Stop(id, Stop::Killed));
        }
        if let Work::Batch { is_repeat: false, .. } = work
            && agenda.random.hits(faults.repeated)
        {
            let after = agenda.random.millis(0, 2_000);
            agenda.after(after, Event::Repeat(id));
        }
    }

    /// An invocation has ended, by itself or not.
    fn end(&mut self, work: &Work, ended: &Ended) {
        let answer_lost = self.agenda.random.hits(self.faults.answer_lost);
        match work {
            Work::Batch { queue, messages, is_repeat } => {
                let failed: Option<BTreeSet<String>> = match ended {
                    Ended::Batch(response) => {
                        let failures = response.batch_item_failures.iter();
                        Some(failures.map(|failure| failure.item_identifier.clone()).collect())
                    }
                    _ => None,
                };
                self.settle_batch(*queue, messages, failed.as_ref());
                if !is_repeat {
                    self.free_groups(*queue, messages);
                }
            }
            Work::Notification(number) => self.notified(*number, !answer_lost && matches!(ended, Ended::Http(200))),
            Work::Request(number) => {
                let status = match ended {
                    Ended::Http(status) if !answer_lost => Some(*status),
                    _ => None,
                };
                self.posted(*number, status);
            }
            Work::Refresh | Work::Reconcile | Work::Redrive { .. } => {}
        }
    }
}

fn describe(work: &Work) -> String {
    match work {
        Work::Batch { messages, is_repeat, .. } => {
            let kinds: Vec<_> = messages.iter().map(|message| super::queues::kind(&message.body)).collect();
            format!("{}{}", if *is_repeat { "again " } else { "" }, kinds.join(", "))
        }
        Work::Notification(number) => format!("notification {number}"),
        Work::Request(number) => format!("request {number}"),
        Work::Refresh => "schedule".to_owned(),
        Work::Reconcile => "schedule of the reconciliation".to_owned(),
        Work::Redrive { fresh } => format!("sends parked messages again, as new: {fresh}"),
    }
}

fn describe_end(ended: &Ended) -> String {
    match ended {
        Ended::Batch(response) => format!("{} failed", response.batch_item_failures.len()),
        Ended::Http(status) => status.to_string(),
        Ended::Refreshed => "done".to_owned(),
        Ended::Redriven(messages) => format!("{messages} messages"),
        Ended::Error(error) => error.clone(),
    }
}
