//! What Lambda's event source mapping does with a FIFO queue.
//!
//! It takes batches of up to ten messages, invokes the function with them as an `SqsEvent`, and reads the answer as Lambda does with
//! `ReportBatchItemFailures`: what is not reported failed is deleted, what is reported failed is left to its visibility
//! timeout, and a function error (an error, a panic, a timeout, an answer that names an unknown message) leaves the whole batch.
//!
//! A group is in one invocation at a time: its next messages come when that invocation has ended, even if the function made them
//! visible before. A group's messages are otherwise held back by the queue itself.

mod event;
mod failure;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;

use crate::aws::fifo::{MAX_BATCH, ReceiveOptions, ReceivedMessage};
use crate::aws::queue_service::QueueHandle;

pub use failure::{Death, Failures, Invocation};

/// The function: an event in, the failures out. An `Err` is what Lambda calls a function error; its text is logged.
pub type Handler = Arc<dyn Fn(SqsEvent) -> BoxFuture<'static, Result<SqsBatchResponse, String>> + Send + Sync>;

/// How an event source mapping and its function are set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappingOptions {
    /// The most messages of one invocation, 1 to 10.
    pub batch_size: usize,
    /// The most invocations at once (Lambda's `MaximumConcurrency`), at least 1.
    pub concurrency: usize,
    /// After how long an invocation is ended. At most the queue's visibility timeout, as Lambda demands.
    pub function_timeout: Duration,
}

impl Default for MappingOptions {
    fn default() -> Self {
        Self { batch_size: MAX_BATCH, concurrency: 4, function_timeout: Duration::from_secs(30) }
    }
}

/// Why Lambda would not set up such an event source mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The batch size is not 1 to 10; holds it.
    #[error("a FIFO queue's batch size is 1 to {MAX_BATCH}, not {0}")]
    BatchSize(usize),
    /// No invocation at all was allowed.
    #[error("the concurrency must be at least 1")]
    Concurrency,
    /// A message would be visible again while its first invocation may still run.
    #[error("queue visibility timeout: {visibility:?} is less than function timeout: {function:?}")]
    VisibilityTooShort {
        /// The queue's visibility timeout.
        visibility: Duration,
        /// The function's timeout.
        function: Duration,
    },
}

/// A running event source mapping. Dropping it ends the invocations under way, and their messages come back when their
/// visibility timeout is over.
#[derive(Debug)]
pub struct EventSourceMapping {
    queue: QueueHandle,
    in_flight: watch::Receiver<usize>,
    /// Aborted on drop.
    _mapping: JoinSet<()>,
}

impl EventSourceMapping {
    /// Starts to feed `handler` from `queue`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`MappingError`] for options that Lambda would not take.
    pub fn start(queue: QueueHandle, options: MappingOptions, handler: Handler) -> Result<Self, MappingError> {
        Self::start_with(queue, options, handler, None)
    }

    /// The same, and `failures` befall the invocations.
    ///
    /// # Errors
    /// As [`EventSourceMapping::start`].
    pub fn start_with(
        queue: QueueHandle,
        options: MappingOptions,
        handler: Handler,
        failures: Option<Arc<dyn Failures>>,
    ) -> Result<Self, MappingError> {
        if options.batch_size == 0 || options.batch_size > MAX_BATCH {
            return Err(MappingError::BatchSize(options.batch_size));
        }
        if options.concurrency == 0 {
            return Err(MappingError::Concurrency);
        }
        let visibility = queue.visibility_timeout();
        if visibility < options.function_timeout {
            return Err(MappingError::VisibilityTooShort { visibility, function: options.function_timeout });
        }
        let (published, in_flight) = watch::channel(0);
        let mapping = Mapping {
            arn: queue.arn(),
            region: queue.region(),
            queue: queue.clone(),
            options,
            handler,
            failures,
            running: JoinSet::new(),
            batches: HashMap::new(),
            published,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(mapping.run());
        Ok(Self { queue, in_flight, _mapping: tasks })
    }

    /// How many invocations are running.
    pub fn in_flight(&self) -> usize {
        *self.in_flight.borrow()
    }

    /// The queue it feeds from.
    pub fn queue(&self) -> &QueueHandle {
        &self.queue
    }

    /// Returns when the queue is empty and no invocation is running: everything sent so far was delivered, or given up as a
    /// dead letter. Waits for retries too, however long their visibility timeout is.
    pub async fn idle(&self) {
        let mut in_flight = self.in_flight.clone();
        let mut changes = self.queue.changes();
        loop {
            changes.mark_unchanged();
            if *in_flight.borrow_and_update() == 0 && self.queue.counts().total() == 0 {
                return;
            }
            tokio::select! {
                Ok(()) = in_flight.changed() => {}
                () = self.queue.wait(&mut changes, None) => {}
            }
        }
    }
}

type Ended = Result<SqsBatchResponse, String>;

struct Mapping {
    queue: QueueHandle,
    arn: String,
    region: String,
    options: MappingOptions,
    handler: Handler,
    failures: Option<Arc<dyn Failures>>,
    running: JoinSet<Ended>,
    batches: HashMap<Id, Vec<ReceivedMessage>>,
    published: watch::Sender<usize>,
}

impl Mapping {
    async fn run(mut self) {
        let mut changes = self.queue.changes();
        loop {
            changes.mark_unchanged();
            while self.batches.len() < self.options.concurrency && self.invoke() {}
            // With every place taken there is nothing to look for in the queue.
            let has_room = self.batches.len() < self.options.concurrency;
            tokio::select! {
                Some(ended) = self.running.join_next_with_id() => self.settle(ended),
                () = self.queue.wait(&mut changes, None), if has_room => {}
            }
        }
    }

    /// Starts one invocation; false if there is nothing for it.
    fn invoke(&mut self) -> bool {
        let busy_groups: BTreeSet<String> =
            self.batches.values().flatten().map(|message| message.group.clone()).collect();
        let options = ReceiveOptions { max: self.options.batch_size, visibility_timeout: None, busy_groups };
        let batch = match self.queue.receive(&options) {
            Ok(batch) if batch.is_empty() => return false,
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(queue = self.queue.name(), %error, "the queue cannot be received from");
                return false;
            }
        };
        let event = event::event(&batch, &self.arn, &self.region);
        let (handler, limit) = (Arc::clone(&self.handler), self.options.function_timeout);
        // The handler is called inside of the task, so that even a panic before its future exists is the function's own.
        let task = match &self.failures {
            None => self.running.spawn(async move { invoke(&handler, event, limit).await.unwrap_or_else(timed_out) }),
            Some(failures) => {
                let (failures, invocation) = (Arc::clone(failures), failures.begin(&batch));
                self.running.spawn(async move {
                    let life = async {
                        let first = invoke(&handler, event.clone(), limit).await;
                        match first {
                            Some(_) if invocation.repeat => invoke(&handler, event, limit).await,
                            first => first,
                        }
                    };
                    let outcome = invocation.death.befall(life).await;
                    failures.ended(invocation.number, !matches!(outcome, Some(Some(_))));
                    outcome.unwrap_or_else(|| Some(Err("the function was killed".to_owned()))).unwrap_or_else(timed_out)
                })
            }
        };
        self.batches.insert(task.id(), batch);
        self.published.send_replace(self.batches.len());
        true
    }

    fn settle(&mut self, ended: Result<(Id, Ended), JoinError>) {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            // What a panic says may quote a message, so it is not logged.
            Err(error) => (error.id(), Err("the function panicked".to_owned())),
        };
        let batch = self.batches.remove(&id).unwrap_or_default();
        match outcome.and_then(|response| done(&batch, &response)) {
            Ok(done) => {
                for message in done {
                    if let Err(error) = self.queue.delete(&message.receipt_handle) {
                        tracing::warn!(message_id = message.message_id, %error, "a message done with was not deleted");
                    }
                }
            }
            Err(error) => tracing::warn!(queue = self.queue.name(), messages = batch.len(), error, "function error"),
        }
        self.published.send_replace(self.batches.len());
    }
}

/// One run of the function; `None` if it took too long.
async fn invoke(handler: &Handler, event: SqsEvent, limit: Duration) -> Option<Ended> {
    timeout(limit, async { handler(event).await }).await.ok()
}

fn timed_out() -> Ended {
    Err("the function timed out".to_owned())
}

/// The messages of a batch that were not reported failed.
fn done<'a>(batch: &'a [ReceivedMessage], response: &SqsBatchResponse) -> Result<Vec<&'a ReceivedMessage>, String> {
    let failed: BTreeSet<&str> =
        response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
    if let Some(unknown) = failed.iter().find(|id| !batch.iter().any(|message| message.message_id == **id)) {
        return Err(format!("the function reported a message that is not of its batch: {unknown:?}"));
    }
    Ok(batch.iter().filter(|message| !failed.contains(message.message_id.as_str())).collect())
}
