//! Drills run the real handlers while faults are injected all around them, and score the result.
//!
//! A plan that is made from the seed says who writes what and when. The drill starts a lab with a [`FaultPlan`] in
//! front of every service and around every function. Consumers and agents write while faults are injected. Then the
//! faults end, everything settles, and the drill compares what the phones and the desk show with what was sent. The
//! fault plan records what it did. So the score can tell a duplicate that the guarantees allow from one that they
//! don't.
//!
//! The same seed gives the same messages at the same times and the same fault for the same call. The scheduler differs
//! from run to run, and so does the number of times that a call is repeated.
//!
//! A drill can be stopped early. Then it judges only what was sent, and what is in transit counts as under way.
//!
//! To make a drill fast, workers time out after 5 s instead of 60 s, and queues wait a twelfth of the requested time.

mod actors;
mod deployment;
mod evidence;
mod options;
mod plan;
mod progress;
mod report;
mod rotation;
mod score;
mod transit;

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use url::Url;

pub use options::{DrillOptions, MAX_CONVERSATIONS, MAX_MESSAGES, MAX_SECONDS};
pub use progress::{Phase, Progress};
pub use report::Report;
pub use score::{Score, Window};

pub use crate::faults::{Destination, FaultKind, FaultSet, Hop, Piece, Sabotage, Tag, UnknownFault};
use crate::faults::{FaultPlan, SeededRandom};
use crate::installation::ACCOUNT;
use crate::lab::{Lab, LabError, LabOptions};
use crate::liveengage::{WebhookChaos, WebhookSettings};
use actors::Actors;
use plan::Plan;
use progress::{UnderWay, Watcher};
use score::Evidence;

/// The factor by which the functions' timeouts and the delays between attempts are shorter than in the template.
const TIME_SCALE: NonZeroU16 = NonZeroU16::MIN.saturating_add(11);
/// The time for the remaining messages after the end of the plan. Only a drill that hangs takes that long.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(600);
/// The time for which a drill that is stopped early waits for what is under way.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// A random seed.
pub fn random_seed() -> u64 {
    // Short enough to type.
    u64::from(uuid::Uuid::new_v4().as_fields().0)
}

/// Runs a drill on its own lab. Options that exceed a limit are set to the limit.
///
/// # Errors
/// [`LabError`] when the lab fails to start.
pub async fn run(options: DrillOptions) -> Result<Report, LabError> {
    run_until(options, std::future::pending(), &watch::Sender::default()).await
}

/// Runs a drill that is stopped early when `stop` completes, and publishes its progress. A stopped drill sends nothing
/// more and injects no more faults. What is under way has [`STOP_TIMEOUT`] to settle.
///
/// # Errors
/// As [`run`].
pub async fn run_until(
    options: DrillOptions,
    stop: impl Future<Output = ()>,
    progress: &watch::Sender<Progress>,
) -> Result<Report, LabError> {
    let mut drill = Drill::start(options, None).await?;
    Ok(drill.run(stop, progress).await)
}

/// Runs a drill on a connector that is broken in one way. Its report must not be good.
///
/// # Errors
/// As [`run`].
pub async fn run_broken(options: DrillOptions, sabotage: Sabotage) -> Result<Report, LabError> {
    let mut drill = Drill::start(options, Some(sabotage)).await?;
    Ok(drill.run(std::future::pending(), &watch::Sender::default()).await)
}

/// The options within the limits of a drill.
fn limited(options: DrillOptions) -> DrillOptions {
    DrillOptions {
        seconds: options.seconds.clamp(1, MAX_SECONDS),
        messages: options.messages.min(MAX_MESSAGES),
        conversations: options.conversations.clamp(1, MAX_CONVERSATIONS),
        outage: options.outage.min(options.seconds.clamp(1, MAX_SECONDS)),
        ..options
    }
}

/// A running drill.
struct Drill {
    options: DrillOptions,
    started: Instant,
    faults_started: Instant,
    lab: Arc<Lab>,
    fault_plan: FaultPlan,
    actors: Actors,
    /// Problems of the drill itself. Each is added at once, because the drill may be stopped at any time.
    problems: Mutex<Vec<String>>,
}

impl Drill {
    /// Starts the lab, the faults and the actors.
    async fn start(options: DrillOptions, sabotage: Option<Sabotage>) -> Result<Self, LabError> {
        let options = limited(options);
        let started = Instant::now();
        let has = |kind| options.faults.has(kind);
        let fault_plan = FaultPlan::new(options.seed, options.faults.clone(), sabotage);
        let lab = Lab::start(LabOptions {
            webhooks_before_response: has(FaultKind::Overtake),
            time_scale: Some(TIME_SCALE),
            fault_plan: Some(fault_plan.clone()),
            ..LabOptions::default()
        })
        .await?;
        let lab = Arc::new(lab);
        lab.liveengage().set_webhooks(ACCOUNT, webhooks(&lab, &options)?);
        let plan = Plan::new(
            SeededRandom::new(options.seed),
            options.conversations,
            options.messages,
            Duration::from_secs(options.seconds.into()),
            has(FaultKind::Close),
        );
        fault_plan.begin();
        let faults_started = Instant::now();
        let actors = Actors::start(&lab, &fault_plan, plan);
        Ok(Self { options, started, faults_started, lab, fault_plan, actors, problems: Mutex::default() })
    }

    fn watcher(&self) -> Watcher {
        Watcher::new(&self.lab, &self.fault_plan, self.actors.sent_log())
    }

    /// Runs until everything has settled or the drill is stopped, and publishes the progress in the meantime.
    async fn run(&mut self, stop: impl Future<Output = ()>, progress: &watch::Sender<Progress>) -> Report {
        let (mut watcher, faults_started) = (self.watcher(), self.faults_started);
        tokio::select! {
            report = self.course(stop, progress) => report,
            never = watcher.publish(progress, faults_started) => match never {},
        }
    }

    async fn course(&mut self, stop: impl Future<Output = ()>, progress: &watch::Sender<Progress>) -> Report {
        let enter = |phase| progress.send_modify(|progress| progress.phase = phase);
        let mut stopped_after = None;
        let settled = tokio::select! {
            biased;
            () = stop => {
                stopped_after = Some(self.faults_started.elapsed());
                self.actors.stop().await;
                self.fault_plan.end();
                enter(Phase::Settling);
                timeout(STOP_TIMEOUT, transit::wait_until_settled(&self.lab)).await.is_ok()
            }
            settled = self.run_to_the_end(enter) => settled,
        };
        let under_way = if settled { UnderWay::default() } else { self.watcher().under_way().await };
        self.report(stopped_after, under_way).await
    }

    /// Injects faults until everything is sent, and waits for the remaining messages. Returns whether it has settled in
    /// time. May be dropped at any time: no fault leaves anything half done.
    async fn run_to_the_end(&mut self, enter: impl Fn(Phase)) -> bool {
        enter(Phase::Faults);
        self.inject_faults().await;
        let settle = async {
            // On a busy machine many messages are still unsent, so the faults go on.
            self.actors.end(&self.lab).await;
            self.fault_plan.end();
            enter(Phase::Settling);
            transit::wait_until_settled(&self.lab).await;
        };
        let settled = timeout(SETTLE_TIMEOUT, settle).await.is_ok();
        if !settled {
            let seconds = SETTLE_TIMEOUT.as_secs();
            self.problems.lock().push(format!("messages are still in transit {seconds} s after the end of the plan"));
            self.actors.stop().await;
            self.fault_plan.end();
        }
        settled
    }

    /// Injects the faults that follow a timetable, until the end of the plan. The others are injected at each call.
    async fn inject_faults(&mut self) {
        let Self { options, faults_started, lab, fault_plan, actors, problems, .. } = self;
        let (time, outage) = (Duration::from_secs(options.seconds.into()), Duration::from_secs(options.outage.into()));
        let (started, has) = (*faults_started, |kind| options.faults.has(kind));
        let outage = fault_plan.outage(started + (time - outage) / 2, outage);
        let rotation = async {
            if has(FaultKind::Rotate) {
                let rotated = rotation::rotate(lab, started, time).await;
                problems.lock().extend(rotated.err());
            }
        };
        let deployment = async {
            if has(FaultKind::Deploy) {
                let deployed = deployment::deploy(lab, fault_plan, options.seed, started, time).await;
                problems.lock().extend(deployed.err());
            }
        };
        let finished = actors.run_until(lab, started + time, has(FaultKind::Token));
        tokio::join!(finished, outage, rotation, deployment);
    }

    async fn report(&self, stopped_after: Option<Duration>, under_way: UnderWay) -> Report {
        let sent = self.actors.sent();
        let evidence =
            evidence::collect(&self.lab, &self.fault_plan, sent, under_way).await.unwrap_or_else(|problem| {
                self.problems.lock().push(problem);
                Evidence::default()
            });
        let unsent = self.actors.unsent();
        if stopped_after.is_none() && !unsent.is_empty() {
            tracing::info!(count = unsent.len(), "texts were not sent because no conversation was open");
        }
        Report {
            options: self.options.clone(),
            score: score::score(&evidence),
            injected: self.fault_plan.injected(),
            took: self.started.elapsed(),
            stopped_after,
            problems: self.problems.lock().clone(),
        }
    }
}

/// The webhook settings for the requested faults. Webhooks are sent until they are accepted, in order and with short
/// delays.
fn webhooks(lab: &Lab, options: &DrillOptions) -> Result<WebhookSettings, url::ParseError> {
    let endpoint: Url = format!("{}/webhooks/liveengage", lab.api_url()).parse()?;
    let per_mille = |kind, per_mille| if options.faults.has(kind) { per_mille } else { 0 };
    let chaos = WebhookChaos {
        seed: options.seed,
        duplicate_per_mille: per_mille(FaultKind::Duplicate, 60),
        swap_per_mille: per_mille(FaultKind::Reorder, 40),
        delay_per_mille: per_mille(FaultKind::Delay, 60),
        longest_delay: Duration::from_millis(400),
    };
    Ok(WebhookSettings {
        first_retry_after: Duration::from_millis(200),
        longest_retry_pause: Duration::from_secs(3),
        // The disorder of LiveEngage's own recovery is not part of the score.
        drain_wait: SETTLE_TIMEOUT,
        chaos: Some(chaos),
        ..WebhookSettings::to(&endpoint)
    })
}

#[cfg(test)]
mod tests;
