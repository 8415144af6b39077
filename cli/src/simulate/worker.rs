//! The thread that simulates. It is CPU work without a pause, so it is on no thread of tokio's.

use std::{
    io::{self, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use connector_testing::simulation::{Faults, Invariant, Options, Outcome, Shrunk, Trace, shrink, simulate};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{
    cpu_time,
    plan::{Extent, Plan},
};

/// What the worker tells.
#[derive(Debug)]
pub(super) enum News {
    /// A seed was simulated. Without an outcome, the simulation has panicked.
    Simulated(u64, Option<Outcome>),
    /// The smallest simulation of a seed that fails in the same way.
    Shrunk(u64, Shrunk),
    /// Nobody reads the history any more.
    Unwanted,
}

/// Where the worker is, for the progress.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The events of the current simulation so far.
    pub(super) events: AtomicU64,
    /// The number of messages that is tried, or 0 while nothing is shrunk.
    pub(super) tried: AtomicU64,
}

/// How a seed fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    Broken(Invariant),
    Panicked,
}

/// Starts the thread. It ends when everything is simulated.
pub(super) fn start(plan: Arc<Plan>, place: Arc<Place>) -> io::Result<UnboundedReceiver<News>> {
    let (news, receiver) = mpsc::unbounded_channel();
    let worker = Worker { plan, place, news };
    thread::Builder::new().name("simulation".to_owned()).spawn(move || worker.work())?;
    Ok(receiver)
}

struct Worker {
    plan: Arc<Plan>,
    place: Arc<Place>,
    news: UnboundedSender<News>,
}

impl Worker {
    fn work(&self) {
        let mut done = 0;
        while !self.is_over(done) {
            let seed = self.plan.seed_after(done);
            let faults = self.plan.faults(seed);
            let outcome = self.simulate(seed, self.plan.messages, &faults);
            let failure = failure(outcome.as_ref());
            self.tell(News::Simulated(seed, outcome));
            if let Some(failure) = failure
                && self.plan.shrink
            {
                self.shrink(seed, &faults, failure);
            }
            done += 1;
        }
    }

    fn is_over(&self, done: u64) -> bool {
        match self.plan.extent {
            Extent::Seeds(seeds) => done >= seeds,
            // At least one.
            Extent::CpuSeconds(seconds) => cpu_time::seconds() >= seconds && done > 0,
        }
    }

    fn tell(&self, news: News) {
        // It is not received if the process ends.
        let _ = self.news.send(news);
    }

    /// Simulates a seed. Returns `None` if the simulation panics: it does where something is not as it must be.
    fn simulate(&self, seed: u64, messages: u64, faults: &Faults) -> Option<Outcome> {
        self.place.events.store(0, Ordering::Relaxed);
        let options = Options { seed, messages, faults: Some(faults.clone()), trace: Some(self.trace()) };
        catch_unwind(AssertUnwindSafe(|| simulate(options))).ok()
    }

    /// Counts the events, and prints them if that is wanted.
    fn trace(&self) -> Trace {
        let (place, news) = (Arc::clone(&self.place), self.news.clone());
        let mut is_wanted = self.plan.trace;
        Box::new(move |line| {
            place.events.fetch_add(1, Ordering::Relaxed);
            if is_wanted && writeln!(io::stdout(), "{line}").is_err() {
                is_wanted = false;
                let _ = news.send(News::Unwanted);
            }
        })
    }

    fn shrink(&self, seed: u64, faults: &Faults, wanted: Failure) {
        let shrunk = shrink(self.plan.messages, faults, |messages, faults| {
            self.place.tried.store(messages, Ordering::Relaxed);
            failure(self.simulate(seed, messages, faults).as_ref()) == Some(wanted)
        });
        self.place.tried.store(0, Ordering::Relaxed);
        self.tell(News::Shrunk(seed, shrunk));
    }
}

fn failure(outcome: Option<&Outcome>) -> Option<Failure> {
    match outcome {
        Some(outcome) => outcome.violation.as_ref().map(|violation| Failure::Broken(violation.invariant)),
        None => Some(Failure::Panicked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(extent: Extent) -> (Worker, UnboundedReceiver<News>) {
        let (news, receiver) = mpsc::unbounded_channel();
        let without = vec![];
        let plan = Plan { seed: 3, extent, messages: 5, has_faults: true, without, trace: false, shrink: true };
        (Worker { plan: Arc::new(plan), place: Arc::default(), news }, receiver)
    }

    #[test]
    fn as_many_seeds_are_simulated_as_wanted() {
        let (worker, mut news) = worker(Extent::Seeds(2));
        worker.work();
        for expected in [3, 4] {
            let Ok(News::Simulated(seed, Some(outcome))) = news.try_recv() else { panic!("nothing was simulated") };
            let without_trace = simulate(Options { seed, messages: 5, faults: None, trace: None });
            assert_eq!((seed, outcome), (expected, without_trace));
        }
        assert!(news.try_recv().is_err(), "nothing failed, so nothing is shrunk");
        assert!(worker.place.events.load(Ordering::Relaxed) > 0);
    }

    #[test]
    fn at_least_one_seed_is_simulated_whatever_the_time() {
        let (worker, mut news) = worker(Extent::CpuSeconds(0));
        worker.work();
        assert!(matches!(news.try_recv(), Ok(News::Simulated(3, _))));
        assert!(news.try_recv().is_err());
    }

    #[test]
    fn a_panic_is_a_failure_of_its_own() {
        assert_eq!(failure(None), Some(Failure::Panicked));
        let outcome = simulate(Options { seed: 3, messages: 5, faults: None, trace: None });
        assert_eq!(failure(Some(&outcome)), None);
    }
}
