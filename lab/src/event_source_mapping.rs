//! Lambda's event source mapping of a FIFO queue.
//!
//! It receives batches of up to ten messages, invokes the function with an `SqsEvent`, and reads the answer as Lambda
//! does with `ReportBatchItemFailures`. Messages that are not reported as failed are deleted. Failed messages return
//! after their visibility timeout. After a function error (an error, a panic, a timeout, an answer that names an
//! unknown message), the whole batch returns.
//!
//! A group is in one invocation at a time: its next messages are received after that invocation has ended, even if the
//! function made them visible earlier. Apart from that, the queue itself holds back the messages of a group.

mod event;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use connector_testing::fifo::{MAX_BATCH, ReceiveOptions, ReceivedMessage};
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;

use crate::aws::queue_service::QueueHandle;

use crate::faults::FailureInjector;

/// The function: it receives an event and returns the failures. An `Err` is a function error; its text is logged.
pub type Handler = Arc<dyn Fn(SqsEvent) -> BoxFuture<'static, Result<SqsBatchResponse, String>> + Send + Sync>;

/// The options of an event source mapping and its function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappingOptions {
    /// The maximum number of messages of an invocation, 1 to 10.
    pub batch_size: usize,
    /// The maximum number of concurrent invocations (Lambda's `MaximumConcurrency`), at least 1.
    pub concurrency: usize,
    /// The timeout of the function. As in Lambda, it can't exceed the queue's visibility timeout.
    pub function_timeout: Duration,
}

impl Default for MappingOptions {
    fn default() -> Self {
        Self { batch_size: MAX_BATCH, concurrency: 4, function_timeout: Duration::from_secs(30) }
    }
}

/// Why Lambda would refuse such an event source mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The batch size is not 1 to 10; holds it.
    #[error("a FIFO queue's batch size is 1 to {MAX_BATCH}, not {0}")]
    BatchSize(usize),
    /// The concurrency is 0.
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

/// A running event source mapping. Dropping it ends the running invocations. Their messages return after their
/// visibility timeout.
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
    /// [`MappingError`] for options that Lambda would refuse.
    pub fn start(queue: QueueHandle, options: MappingOptions, handler: Handler) -> Result<Self, MappingError> {
        Self::start_with(queue, options, handler, None)
    }

    /// Starts a mapping whose invocations fail as `failures` decides.
    ///
    /// # Errors
    /// As [`EventSourceMapping::start`].
    pub fn start_with(
        queue: QueueHandle,
        options: MappingOptions,
        handler: Handler,
        failures: Option<Arc<dyn FailureInjector>>,
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

    /// Returns when the queue is empty and no invocation is running: every message was delivered or became a dead
    /// letter. Waits for retries too, regardless of their visibility timeout.
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

type InvocationResult = Result<SqsBatchResponse, String>;

struct Mapping {
    queue: QueueHandle,
    arn: String,
    region: String,
    options: MappingOptions,
    handler: Handler,
    failures: Option<Arc<dyn FailureInjector>>,
    running: JoinSet<InvocationResult>,
    batches: HashMap<Id, Vec<ReceivedMessage>>,
    published: watch::Sender<usize>,
}

impl Mapping {
    async fn run(mut self) {
        let mut changes = self.queue.changes();
        loop {
            changes.mark_unchanged();
            while self.batches.len() < self.options.concurrency && self.invoke() {}
            // At full concurrency there is no reason to watch the queue.
            let has_room = self.batches.len() < self.options.concurrency;
            tokio::select! {
                Some(ended) = self.running.join_next_with_id() => self.settle(ended),
                () = self.queue.wait(&mut changes, None), if has_room => {}
            }
        }
    }

    /// Starts one invocation; returns false if no message is available.
    fn invoke(&mut self) -> bool {
        let busy_groups: BTreeSet<String> =
            self.batches.values().flatten().map(|message| message.group.clone()).collect();
        let options = ReceiveOptions { max: self.options.batch_size, visibility_timeout: None, busy_groups };
        let batch = match self.queue.receive(&options) {
            Ok(batch) if batch.is_empty() => return false,
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(queue = self.queue.name(), %error, "failed to receive from the queue");
                return false;
            }
        };
        let event = event::event(&batch, &self.arn, &self.region);
        let (handler, limit) = (Arc::clone(&self.handler), self.options.function_timeout);
        // The handler is called inside the task, so that a panic before its future exists is a function error too.
        let task = match &self.failures {
            None => self.running.spawn(async move { invoke(&handler, event, limit).await.unwrap_or_else(timed_out) }),
            Some(failures) => {
                let (failures, invocation) = (Arc::clone(failures), failures.begin(&batch));
                self.running.spawn(async move {
                    let work = async {
                        let first = invoke(&handler, event.clone(), limit).await;
                        match first {
                            Some(_) if invocation.repeat => invoke(&handler, event, limit).await,
                            first => first,
                        }
                    };
                    let outcome = invocation.kill_point.run(work).await;
                    failures.ended(invocation.number, !matches!(outcome, Some(Some(_))));
                    outcome.unwrap_or_else(|| Some(Err("the function was killed".to_owned()))).unwrap_or_else(timed_out)
                })
            }
        };
        self.batches.insert(task.id(), batch);
        self.published.send_replace(self.batches.len());
        true
    }

    fn settle(&mut self, ended: Result<(Id, InvocationResult), JoinError>) {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            // The panic's message may contain a text, so it is not logged.
            Err(error) => (error.id(), Err("the function panicked".to_owned())),
        };
        let batch = self.batches.remove(&id).unwrap_or_default();
        match outcome.and_then(|response| done(&batch, &response)) {
            Ok(done) => {
                for message in done {
                    if let Err(error) = self.queue.delete(&message.receipt_handle) {
                        tracing::warn!(message_id = message.message_id, %error, "failed to delete a processed message");
                    }
                }
            }
            Err(error) => tracing::warn!(queue = self.queue.name(), messages = batch.len(), error, "function error"),
        }
        self.published.send_replace(self.batches.len());
    }
}

/// Runs the function once; `None` if it timed out.
async fn invoke(handler: &Handler, event: SqsEvent, limit: Duration) -> Option<InvocationResult> {
    timeout(limit, async { handler(event).await }).await.ok()
}

fn timed_out() -> InvocationResult {
    Err("the function timed out".to_owned())
}

/// The messages of a batch that were not reported as failed.
fn done<'a>(batch: &'a [ReceivedMessage], response: &SqsBatchResponse) -> Result<Vec<&'a ReceivedMessage>, String> {
    let failed: BTreeSet<&str> =
        response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
    if let Some(unknown) = failed.iter().find(|id| !batch.iter().any(|message| message.message_id == **id)) {
        return Err(format!("the function reported a message that is not in its batch: {unknown:?}"));
    }
    Ok(batch.iter().filter(|message| !failed.contains(message.message_id.as_str())).collect())
}
