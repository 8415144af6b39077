//! What can befall an invocation: it is killed, or its batch is handed out a second time.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::watch;

use crate::aws::fifo::ReceivedMessage;

/// Decides what befalls invocations, and hears how they end.
pub trait Failures: fmt::Debug + Send + Sync {
    /// An invocation begins with this batch.
    fn begin(&self, batch: &[ReceivedMessage]) -> Invocation;

    /// It has ended; `killed` if it didn't come to its end by itself, be it for a death or for Lambda's timeout.
    fn ended(&self, invocation: u64, killed: bool);
}

/// What befalls one invocation.
#[derive(Debug)]
pub struct Invocation {
    /// Its number, never used twice.
    pub number: u64,
    /// When it dies.
    pub death: Death,
    /// Whether the batch is handed to the function once more when it is done, as SQS's at-least-once delivery may do.
    pub repeat: bool,
}

/// When a function dies: of these, what comes first.
#[derive(Debug, Clone)]
pub struct Death {
    /// After it has been woken so many times. A function wakes when one of its outside calls goes on, so this is a point between
    /// or within its calls.
    pub after_wakes: Option<u32>,
    /// As soon as this becomes true.
    pub signal: Arc<watch::Sender<bool>>,
}

impl Default for Death {
    fn default() -> Self {
        Self { after_wakes: None, signal: Arc::new(watch::Sender::new(false)) }
    }
}

impl Death {
    /// The future's outcome, or `None` if it died before: then it is dropped in mid-call, as a killed process stops.
    pub async fn befall<T>(&self, life: impl Future<Output = T>) -> Option<T> {
        let mut signal = self.signal.subscribe();
        let life = Counted { life: Box::pin(life), wakes_left: self.after_wakes };
        tokio::select! {
            biased;
            Ok(_) = signal.wait_for(|dead| *dead) => None,
            outcome = life => outcome,
        }
    }
}

struct Counted<F> {
    life: Pin<Box<F>>,
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
        self.life.as_mut().poll(cx).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn life(steps: u32) -> u32 {
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
        steps
    }

    #[tokio::test]
    async fn a_function_dies_at_the_chosen_wake_or_lives_to_its_end() {
        let after = |wakes| Death { after_wakes: Some(wakes), ..Death::default() };
        assert_eq!(after(3).befall(life(5)).await, None);
        assert_eq!(after(6).befall(life(5)).await, Some(5));
        assert_eq!(after(0).befall(life(0)).await, None);
        assert_eq!(Death::default().befall(life(5)).await, Some(5));
    }

    #[tokio::test]
    async fn a_function_dies_when_it_is_told_to() {
        let death = Death::default();
        let killer = Arc::clone(&death.signal);
        let (outcome, ()) = tokio::join!(death.befall(std::future::pending::<()>()), async {
            killer.send_replace(true);
        });
        assert_eq!(outcome, None);
    }
}
