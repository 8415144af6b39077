//! How an invocation can fail: it is killed, or its batch is delivered again.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use connector_testing::fifo::ReceivedMessage;
use tokio::sync::watch;

/// Decides how invocations fail, and is notified when they end.
pub trait FailureInjector: fmt::Debug + Send + Sync {
    /// Called at the start of an invocation with this batch.
    fn begin(&self, batch: &[ReceivedMessage]) -> Invocation;

    /// Called at the end of an invocation. `killed` if it did not complete, because it was killed or timed out.
    fn ended(&self, invocation: u64, killed: bool);
}

/// How one invocation fails.
#[derive(Debug)]
pub struct Invocation {
    /// Its unique number.
    pub number: u64,
    /// When it is killed.
    pub kill_point: KillPoint,
    /// Whether the function gets the batch again after it is done, as SQS's at-least-once delivery may cause.
    pub repeat: bool,
}

/// When a function is killed: at whichever comes first.
#[derive(Debug, Clone)]
pub struct KillPoint {
    /// After this number of wakes. A function wakes when one of its outside calls makes progress, so this is a point
    /// between or within its calls.
    pub after_wakes: Option<u32>,
    /// When this becomes true.
    pub signal: Arc<watch::Sender<bool>>,
}

impl Default for KillPoint {
    fn default() -> Self {
        Self { after_wakes: None, signal: Arc::new(watch::Sender::new(false)) }
    }
}

impl KillPoint {
    /// The output of the future, or `None` if it was killed first. Then it is dropped in the middle of a call, as in a
    /// killed process.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut signal = self.signal.subscribe();
        let work = Counted { work: Box::pin(work), wakes_left: self.after_wakes };
        tokio::select! {
            biased;
            Ok(_) = signal.wait_for(|killed| *killed) => None,
            outcome = work => outcome,
        }
    }
}

struct Counted<F> {
    work: Pin<Box<F>>,
    wakes_left: Option<u32>,
}

impl<F: Future> Future for Counted<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.wakes_left {
            Some(0) => return Poll::Ready(None),
            Some(left) => *left -= 1,
            None => {}
        }
        self.work.as_mut().poll(cx).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn work(steps: u32) -> u32 {
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
        steps
    }

    #[tokio::test]
    async fn a_function_is_killed_at_the_chosen_wake_or_completes() {
        let after = |wakes| KillPoint { after_wakes: Some(wakes), ..KillPoint::default() };
        assert_eq!(after(3).run(work(5)).await, None);
        assert_eq!(after(6).run(work(5)).await, Some(5));
        assert_eq!(after(0).run(work(0)).await, None);
        assert_eq!(KillPoint::default().run(work(5)).await, Some(5));
    }

    #[tokio::test]
    async fn a_function_is_killed_by_its_signal() {
        let kill_point = KillPoint::default();
        let killer = Arc::clone(&kill_point.signal);
        let (outcome, ()) = tokio::join!(kill_point.run(std::future::pending::<()>()), async {
            killer.send_replace(true);
        });
        assert_eq!(outcome, None);
    }
}
