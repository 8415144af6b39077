//! Drills: the real handlers, with everything around them going wrong, and a score of what came of it.
//!
//! A plan, made from the seed, says who writes what and when. A lab is started with a [`FaultPlan`] in front of every service and
//! around every function. People and agents write while it rages; then it ends, everything comes to rest, and what the phones and
//! the desk show is held against what was said. The storm knows what it did, so the score can tell a double that the connector's
//! promise allows from one that it doesn't.
//!
//! The same seed says the same things at the same times and rolls the same fate for the same call. What the scheduler does in
//! between differs from run to run, and with it how often a call is repeated.
//!
//! To be fast, workers time out after 5 s instead of 60 and queues wait a twelfth of the time that they were asked to.

mod actors;
mod deployment;
mod dice;
mod evidence;
mod fate;
mod fault;
mod fault_plan;
mod plan;
mod proxy;
mod report;
mod rotation;
mod score;
mod tag;

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

pub use fate::Hop;
pub use fault::{FaultKind, FaultSet, UnknownFault};
pub use fault_plan::{FaultPlan, Sabotage};
pub use report::Report;
pub use score::{Score, Window};
pub use tag::{Destination, Piece, Tag};

use crate::lab::{ACCOUNT, Lab, LabError, LabOptions};
use crate::liveengage::{WebhookChaos, WebhookSettings};
use dice::Dice;
use plan::Plan;

/// How many times shorter than the template's the functions' time and the waits between attempts are.
const PACE: NonZeroU16 = NonZeroU16::MIN.saturating_add(11);
/// How long everything may take to be said and to come to rest after its time. Only a drill that hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(600);
/// The longest storm, in seconds.
pub const LONGEST: u32 = 3600;
/// The most messages of one drill.
pub const MOST_MESSAGES: u32 = 100_000;
/// The most conversations of one drill.
pub const MOST_CONVERSATIONS: u16 = 500;

/// How a drill is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrillOptions {
    /// Over how many seconds everything is said: at least 1, and at most [`LONGEST`]. Things go wrong for so long, and longer where a
    /// busy machine takes longer for it. Coming to rest takes another while.
    pub seconds: u32,
    /// How many messages are said, both ways together: at most [`MOST_MESSAGES`].
    pub messages: u32,
    /// How many people write: at least 1, and at most [`MOST_CONVERSATIONS`].
    pub conversations: u16,
    /// What chance goes by.
    pub seed: u64,
    /// What goes wrong.
    pub faults: FaultSet,
    /// For how many seconds in the middle of it LiveEngage is down, for none of its APIs answers: 0 for not at all, at most `seconds`.
    pub outage: u32,
}

/// A seed that nobody has chosen.
pub fn any_seed() -> u64 {
    // Short enough to be typed again.
    u64::from(uuid::Uuid::new_v4().as_fields().0)
}

/// Runs a drill on a lab of its own. A bound that is exceeded is taken for the bound.
///
/// # Errors
/// [`LabError`] when the lab doesn't start.
pub async fn run(options: DrillOptions) -> Result<Report, LabError> {
    drill(options, None).await
}

/// The same on a connector that is broken in one way: its report must not be good.
///
/// # Errors
/// As [`run`].
pub async fn run_broken(options: DrillOptions, sabotage: Sabotage) -> Result<Report, LabError> {
    drill(options, Some(sabotage)).await
}

async fn drill(options: DrillOptions, sabotage: Option<Sabotage>) -> Result<Report, LabError> {
    let options = DrillOptions {
        seconds: options.seconds.clamp(1, LONGEST),
        messages: options.messages.min(MOST_MESSAGES),
        conversations: options.conversations.clamp(1, MOST_CONVERSATIONS),
        outage: options.outage.min(options.seconds.clamp(1, LONGEST)),
        ..options
    };
    let started = Instant::now();
    let time = Duration::from_secs(options.seconds.into());
    let has = |kind| options.faults.has(kind);
    let fault_plan = FaultPlan::new(options.seed, options.faults.clone(), sabotage);
    let lab = Lab::start(LabOptions {
        webhooks_before_response: has(FaultKind::Overtake),
        time_scale: Some(PACE),
        fault_plan: Some(fault_plan.clone()),
        ..LabOptions::default()
    })
    .await?;
    let lab = Arc::new(lab);
    lab.liveengage().set_webhooks(ACCOUNT, webhooks(&lab, &options)?);
    let plan = Plan::new(Dice::new(options.seed), options.conversations, options.messages, time, has(FaultKind::Close));

    let mut problems = Vec::new();
    fault_plan.begin();
    let begun = Instant::now();
    let mut actors = actors::Actors::start(&lab, &fault_plan, plan);
    let down = Duration::from_secs(options.outage.into());
    let outage = fault_plan.outage(begun + (time - down) / 2, down);
    let rotation = async {
        match has(FaultKind::Rotate) {
            true => rotation::rotate(&lab, begun, time).await,
            false => Ok(()),
        }
    };
    let deployment = async {
        match has(FaultKind::Deploy) {
            true => deployment::deploy(&lab, &fault_plan, options.seed, begun, time).await,
            false => Ok(()),
        }
    };
    let weather = actors.weather(&lab, begun + time, has(FaultKind::Token));
    let ((), (), rotated, deployed) = tokio::join!(weather, outage, rotation, deployment);
    problems.extend(rotated.err());
    problems.extend(deployed.err());
    let rest = async {
        // On a busy machine much is still unsaid: the faults are for that, too.
        actors.end(&lab).await;
        fault_plan.end();
        evidence::rest(&lab).await;
    };
    if tokio::time::timeout(PATIENCE, rest).await.is_err() {
        problems.push(format!("something is still on its way {} s after the last was to be said", PATIENCE.as_secs()));
        fault_plan.end();
    }
    let evidence = evidence::gather(&lab, &fault_plan, actors.sent()).await.unwrap_or_else(|problem| {
        problems.push(problem);
        score::Evidence::default()
    });
    let unsaid = actors.unsaid();
    if !unsaid.is_empty() {
        tracing::info!(count = unsaid.len(), "texts had no open conversation any more");
    }
    let score = score::score(&evidence);
    Ok(Report { options, score, injected: fault_plan.injected(), took: started.elapsed(), problems })
}

/// LiveEngage's webhooks, in the disorder that is wanted. They are sent until they are taken, in order, and soon.
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
        // LiveEngage's own disorder while it recovers is not what is judged here.
        drain_wait: PATIENCE,
        chaos: Some(chaos),
        ..WebhookSettings::to(&endpoint)
    })
}
