//! Injects faults into the functions and their calls during a drill, and records what was observed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::invocation::{FailureInjector, KillPoint};
use super::kind::{FaultKind, FaultSet};
use super::observation::Observation;
use super::proxy;
use super::service::Hop;
use super::state::{FaultState, KILLED_PER_MILLE, Sabotage};
use super::tag::{Destination, Tag};
use super::worker::Worker;
use crate::function::Function;

/// How many of a thousand running invocations are killed by a deployment.
const KILLED_WITH_OLD_PER_MILLE: u16 = 500;

/// The faults of one drill. Clones share them. No fault is injected before [`FaultPlan::begin`].
#[derive(Clone, derive_more::Debug)]
#[debug("FaultPlan {{ faults: {:?} }}", state.faults)]
pub struct FaultPlan {
    state: Arc<FaultState>,
    /// The proxies in front of the services. They end with the last clone.
    proxies: Arc<Mutex<JoinSet<()>>>,
}

impl FaultPlan {
    /// A plan with these faults. With `sabotage` the connector appears to be broken.
    pub fn new(seed: u64, faults: FaultSet, sabotage: Option<Sabotage>) -> Self {
        let state = FaultState::new(seed, faults, sabotage);
        Self { state: Arc::new(state), proxies: Arc::default() }
    }

    /// Starts to inject faults.
    pub fn begin(&self) {
        self.state.is_active.store(true, Ordering::Relaxed);
    }

    /// Stops injecting faults, and ends an outage.
    pub fn end(&self) {
        self.state.is_active.store(false, Ordering::Relaxed);
        self.state.is_down.store(false, Ordering::Relaxed);
    }

    /// Makes LiveEngage unavailable from this time for this duration. Its webhooks continue; only its APIs don't
    /// answer.
    pub(crate) async fn outage(&self, from: Instant, down: Duration) {
        if down.is_zero() {
            return;
        }
        tokio::time::sleep_until(from).await;
        self.state.is_down.store(true, Ordering::Relaxed);
        tokio::time::sleep_until(from + down).await;
        self.state.is_down.store(false, Ordering::Relaxed);
    }

    /// Starts a proxy in front of a service on a free loopback port. Returns the address to use instead of the
    /// service's.
    ///
    /// # Errors
    /// The I/O error when no port can be opened, or when the HTTP client can't be created.
    pub async fn start_proxy(&self, hop: Hop, upstream: &str) -> std::io::Result<String> {
        let (address, serving) = proxy::start(Arc::clone(&self.state), hop, upstream).await?;
        self.proxies.lock().spawn(serving);
        Ok(address)
    }

    /// The failures of the worker for this direction.
    pub fn failures(&self, destination: Destination) -> Arc<dyn FailureInjector> {
        Arc::new(Worker { state: Arc::clone(&self.state), destination })
    }

    /// Records that the environments of a function were replaced. Some of the running invocations are killed.
    pub(crate) fn replaced(&self, function: Function) {
        self.state.count(format!("deployed: {}", function.name()));
        let running: Vec<_> = {
            let mut records = self.state.records();
            records.running.retain(|_, (_, kill_point)| kill_point.upgrade().is_some());
            let of_function = records.running.iter().filter(|(_, (whose, _))| *whose == function);
            of_function.filter_map(|(number, (_, kill_point))| Some((*number, kill_point.upgrade()?))).collect()
        };
        for (number, kill_point) in running {
            if self.state.random.hits(KILLED_WITH_OLD_PER_MILLE, ("replaced", number)) {
                self.state.count("kill: an old environment");
                kill_point.send_replace(true);
            }
        }
    }

    /// When the next invocation of an entry point is killed.
    pub fn entry_point_kill_point(&self, function: Function) -> KillPoint {
        let number = self.state.next_invocation.fetch_add(1, Ordering::Relaxed);
        let is_killed =
            self.state.injects(FaultKind::Kill) && self.state.random.hits(KILLED_PER_MILLE, ("entry", number));
        let mut kill_point = KillPoint::default();
        if is_killed {
            self.state.count("kill: entry point");
            kill_point.after_wakes = u32::try_from(1 + self.state.random.below(20, ("entry wakes", number))).ok();
        }
        if self.state.faults.has(FaultKind::Deploy) {
            self.state.records().running.insert(number, (function, Arc::downgrade(&kill_point.signal)));
        }
        kill_point
    }

    /// Registers the connector's name of a message: `channel_id`, or `dialog#sequence`.
    pub(crate) fn name(&self, tag: Tag, name: String) {
        self.state.records().names.insert(name, tag);
    }

    /// The observations so far, except for the first `skipped`.
    pub(crate) fn observations_from(&self, skipped: usize) -> Vec<Observation> {
        self.state.records().observations.get(skipped..).unwrap_or_default().to_vec()
    }

    /// How often each fault was injected.
    pub(crate) fn injected(&self) -> BTreeMap<String, usize> {
        self.state.records().injected.clone()
    }
}
