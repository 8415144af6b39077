//! Injects faults into the functions and their calls during a drill, and records what was observed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
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

/// At how many of a thousand replacements the running invocations are killed with their environment.
const KILLED_WITH_OLD_PER_MILLE: u16 = 500;

/// How often [`FaultPlan::wait_for_invocation`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

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

    /// Waits until an invocation of this function is running, at most until this time.
    pub(crate) async fn wait_for_invocation(&self, function: Function, until: Instant) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        while self.running(function).is_empty() && Instant::now() < until {
            looks.tick().await;
        }
    }

    /// Records that the environments of a function were replaced. At half of its replacements, which the seed chooses,
    /// the invocations that are still running are killed.
    pub(crate) fn replaced(&self, function: Function) {
        let name = format!("deployed: {}", function.name());
        let earlier = self.state.records().injected.get(&name).copied().unwrap_or_default();
        self.state.count(name);
        if !self.state.random.hits(KILLED_WITH_OLD_PER_MILLE, ("replaced", function, earlier)) {
            return;
        }
        for kill_point in self.running(function) {
            self.state.count("kill: an old environment");
            kill_point.send_replace(true);
        }
    }

    /// The signals that kill the running invocations of a function.
    fn running(&self, function: Function) -> Vec<Arc<watch::Sender<bool>>> {
        let mut records = self.state.records();
        records.running.retain(|_, (_, kill_point)| kill_point.strong_count() > 0);
        let of_function = records.running.values().filter(|(whose, _)| *whose == function);
        of_function.filter_map(|(_, kill_point)| kill_point.upgrade()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn half_of_the_replacements_kill_what_is_running_of_their_function() {
        let plan = FaultPlan::new(7, "deploy".parse().unwrap(), None);
        let other = plan.entry_point_kill_point(Function::Inbound);
        let mut killed = 0;
        for _ in 0..20 {
            let running = [(); 2].map(|()| plan.entry_point_kill_point(Function::Webhook));
            plan.wait_for_invocation(Function::Webhook, Instant::now() + Duration::from_secs(60)).await;
            plan.replaced(Function::Webhook);
            let signals = running.map(|kill_point| *kill_point.signal.borrow());
            assert_eq!(signals[0], signals[1], "one was killed and the other was not");
            killed += usize::from(signals[0]);
        }
        assert!((5..=15).contains(&killed), "{killed} of 20");
        assert_eq!(plan.injected().get("kill: an old environment"), Some(&(2 * killed)));
        assert!(!*other.signal.borrow(), "an invocation of another function was killed");
    }

    #[tokio::test]
    async fn a_function_without_an_invocation_is_waited_for_until_the_given_time() {
        let plan = FaultPlan::new(7, "deploy".parse().unwrap(), None);
        drop(plan.entry_point_kill_point(Function::Webhook));
        plan.wait_for_invocation(Function::Webhook, Instant::now()).await;
        plan.replaced(Function::Webhook);
        assert_eq!(plan.injected().get("kill: an old environment"), None);
    }
}
