//! The two queue functions. Each takes a batch and returns the failed messages.
//!
//! The groups of a batch are handled side by side, so that one slow call delays nobody else. A batch may hold several messages of one group,
//! in the order in which they came. They are handled one after the other: LiveEngage's by number, and a consumer's by the channel's time
//! ([`connector::domain::order`]). If one must be retried, the later ones of its group are not handled, and become visible again after it.
//! The use case parks a message that can never be delivered, so it blocks no others. A panic fails only its own message.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use async_trait::async_trait;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures::{FutureExt, future::join_all};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Context, LambdaEvent};

use super::failure::FunctionError;
use connector::{
    app::{
        delivery::{Attempt, DeliveryContext, RetryLater, TimeScale},
        policy::minimum_wait,
        to_channel::DeliverToChannel,
        to_liveengage::DeliverToLiveEngage,
    },
    domain::{
        id::Owner,
        order::{Position, sorted},
        retry::wait_after,
    },
    log_event,
    port::{Clock, Postpone},
    queue_message::{Received, bodies},
};

/// No message is started with less time left: hosts, token and call take up to 8 s each, besides the reads and writes around them.
///
/// The workers check again before each further call, because the outcome of a call is uncertain if the function is stopped during it.
const NEEDED: SignedDuration = SignedDuration::from_secs(30);

/// The assumed time limit if Lambda gives no usable deadline: the template's timeout of the workers.
const USUAL_TIMEOUT: SignedDuration = SignedDuration::from_secs(60);

/// Returns when Lambda stops an invocation.
///
/// # Errors
/// [`FunctionError::NoDeadline`].
pub(super) fn deadline(context: &Context, now: Timestamp) -> Result<Timestamp, FunctionError> {
    i64::try_from(context.deadline)
        .ok()
        .filter(|ms| *ms > 0)
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .or_else(|| now.checked_add(USUAL_TIMEOUT).ok())
        .ok_or(FunctionError::NoDeadline)
}

/// Handles queue messages.
#[async_trait]
pub trait Worker: Send + Sync {
    /// Makes one attempt to deliver a message.
    ///
    /// # Errors
    /// [`RetryLater`] if the message must stay in the queue.
    async fn work(&self, message: &Received, attempt: &Attempt) -> Result<(), RetryLater>;

    /// Returns the position of a message that was received this often among those of its group ([`Received::position`]).
    fn position(&self, message: &Received, received: u32) -> Option<Position> {
        message.position(received)
    }

    /// Counts a panic, and parks a message that crashes the worker repeatedly.
    ///
    /// # Errors
    /// [`RetryLater`] if the message must stay in the queue.
    async fn give_up(&self, body: &str, attempt: &Attempt) -> Result<(), RetryLater>;
}

#[async_trait]
impl Worker for DeliverToLiveEngage {
    async fn work(&self, message: &Received, attempt: &Attempt) -> Result<(), RetryLater> {
        Self::work(self, message, attempt).await
    }

    async fn give_up(&self, body: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        Self::give_up(self, body, attempt).await
    }
}

#[async_trait]
impl Worker for DeliverToChannel {
    async fn work(&self, message: &Received, attempt: &Attempt) -> Result<(), RetryLater> {
        Self::work(self, message, attempt).await
    }

    async fn give_up(&self, body: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        Self::give_up(self, body, attempt).await
    }
}

/// The functions `to-liveengage` and `to-channel`.
#[derive(Clone, derive_more::Debug)]
#[debug("QueueFunction")]
pub struct QueueFunction {
    worker: Arc<dyn Worker>,
    postpone: Arc<dyn Postpone>,
    clock: Arc<dyn Clock>,
    time_scale: TimeScale,
}

impl QueueFunction {
    /// Creates the function from a use case and its queue.
    pub fn new(worker: Arc<dyn Worker>, postpone: Arc<dyn Postpone>, clock: Arc<dyn Clock>) -> Self {
        Self { worker, postpone, clock, time_scale: TimeScale::TEMPLATE }
    }

    /// Changes the time scale. Only for a lab whose functions time out earlier than the template's.
    #[must_use]
    pub fn at_pace(self, time_scale: TimeScale) -> Self {
        Self { time_scale, ..self }
    }

    /// Handles one invocation.
    ///
    /// # Errors
    /// If a record has no message id: it can't be reported as failed, and SQS would delete it. The whole batch is retried.
    pub async fn handle(&self, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, FunctionError> {
        let (event, context) = (event.payload, event.context);
        let deadline = deadline(&context, self.clock.now())?;
        if event.records.iter().any(|record| record.message_id.as_deref().unwrap_or_default().is_empty()) {
            return Err(FunctionError::RecordWithoutId);
        }
        let request_id = &context.request_id;
        let groups =
            self.groups(&event.records).into_iter().map(|group| self.work_on_group(group, request_id, deadline));
        let mut failures: Vec<_> = join_all(groups).await.into_iter().flatten().collect();
        failures.sort_unstable_by_key(|failure| failure.index);
        let mut response = SqsBatchResponse::default();
        let mut postponed = Vec::new();
        for Failure { record, after, .. } in failures {
            response.add_failure(record.message_id.as_deref().unwrap_or_default());
            if let Some(receipt) = &record.receipt_handle {
                postponed.push((receipt.clone(), after));
            }
        }
        if !postponed.is_empty()
            && let Err(error) = self.postpone.postpone(postponed).await
        {
            // They reappear after the queue's visibility timeout instead: later, but not lost.
            log_event!(MESSAGE_VISIBILITY_FAILED, %error);
        }
        Ok(response)
    }

    /// Returns the records by group, each group in the order in which to handle it. Reads bodies only for groups with several records.
    fn groups<'r>(&self, records: &'r [SqsMessage]) -> Vec<Vec<Entry<'r>>> {
        let (mut groups, mut known) = (Vec::<Vec<Entry<'r>>>::new(), HashMap::<&str, usize>::new());
        for (index, record) in records.iter().enumerate() {
            let group = *known.entry(group(record)).or_insert(groups.len());
            let entry = Entry { index, record, first: None };
            match groups.get_mut(group) {
                Some(members) => members.push(entry),
                None => groups.push(vec![entry]),
            }
        }
        groups.into_iter().map(|group| if group.len() > 1 { self.in_order(group) } else { group }).collect()
    }

    fn in_order<'r>(&self, mut group: Vec<Entry<'r>>) -> Vec<Entry<'r>> {
        let positions: Vec<_> = group.iter_mut().map(|entry| self.position(entry)).collect();
        let mut members: Vec<_> = group.into_iter().map(Some).collect();
        sorted(&positions).into_iter().filter_map(|index| members.get_mut(index)?.take()).collect()
    }

    /// Handles the records of one group, one after the other. After a failure, the later ones are not handled.
    async fn work_on_group<'r>(
        &self,
        group: Vec<Entry<'r>>,
        request_id: &str,
        deadline: Timestamp,
    ) -> Vec<Failure<'r>> {
        let (mut failures, mut blocked) = (Vec::new(), None);
        for Entry { index, record, first } in group {
            let failure = match blocked {
                Some(after) => Some(RetryLater { after }),
                None if deadline.duration_since(self.clock.now()) < self.time_scale.of(NEEDED) => {
                    Some(RetryLater { after: SignedDuration::ZERO })
                }
                None => {
                    // A panic must not end the calls of other groups.
                    let work = AssertUnwindSafe(self.work(record, first, request_id, deadline)).catch_unwind();
                    let again = RetryLater { after: wait_after(received(record), None) };
                    work.await.unwrap_or(Err(again)).err()
                }
            };
            if let Some(RetryLater { after }) = failure {
                // This applies to every wait, because the number of receives is limited.
                let after = after.max(minimum_wait(received(record)));
                blocked = Some(after);
                failures.push(Failure { index, record, after });
            }
        }
        failures
    }

    /// A message that panics when its position is read keeps its place. The panic is counted when the message is handled.
    fn position(&self, entry: &mut Entry<'_>) -> Option<Position> {
        let body = entry.record.body.as_deref().unwrap_or_default();
        let received = received(entry.record);
        let look = || {
            let first = Received::one(bodies(body).into_iter().next().unwrap_or_default());
            let position = self.worker.position(&first, received);
            (first, position)
        };
        let (first, position) = std::panic::catch_unwind(AssertUnwindSafe(look)).ok()?;
        entry.first = Some(first);
        position
    }

    async fn work(
        &self,
        record: &SqsMessage,
        mut first: Option<Received>,
        request_id: &str,
        deadline: Timestamp,
    ) -> Result<(), RetryLater> {
        let (received, message_id) = (received(record), record.message_id.as_deref().unwrap_or_default());
        let again = RetryLater { after: wait_after(received, None) };
        let owner = Owner::new(format!("{request_id}/{message_id}")).map_err(|_| again)?;
        let attempt = Attempt { owner, now: self.clock.now(), deadline, received, time_scale: self.time_scale };
        let body = record.body.as_deref().unwrap_or_default();
        // When the message is retried, the records of the finished parts show that they are done.
        for (index, body) in bodies(body).into_iter().enumerate() {
            let now = self.clock.now();
            if index > 0 && deadline.duration_since(now) < self.time_scale.of(NEEDED) {
                return Err(RetryLater { after: SignedDuration::ZERO });
            }
            let attempt = Attempt { now, ..attempt.clone() };
            let known = first.take();
            let read = || known.unwrap_or_else(|| Received::one(body.as_str()));
            match std::panic::catch_unwind(AssertUnwindSafe(read)) {
                Ok(message) => self.work_on(&message, message_id, &attempt).await?,
                Err(_) => self.give_up(&body, message_id, &attempt).await?,
            }
        }
        Ok(())
    }

    /// Handles a message, or one part of a bundle.
    async fn work_on(&self, message: &Received, message_id: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        match AssertUnwindSafe(self.worker.work(message, attempt)).catch_unwind().await {
            Ok(result) => result,
            Err(_) => self.give_up(&message.body, message_id, attempt).await,
        }
    }

    async fn give_up(&self, body: &str, message_id: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        let context = DeliveryContext::of_any(body);
        log_event!(MESSAGE_PANICKED, correlation = context.correlation_text(), message_id);
        // This reads the message, too. If it panics as well, the message is retried until SQS moves it to the dead-letter queue.
        let again = RetryLater { after: wait_after(attempt.received, None) };
        AssertUnwindSafe(self.worker.give_up(body, attempt)).catch_unwind().await.unwrap_or(Err(again))
    }
}

/// A record of the batch, and its first message once it was read.
struct Entry<'r> {
    /// Its index in the batch.
    index: usize,
    record: &'r SqsMessage,
    first: Option<Received>,
}

/// A record that must stay in the queue.
struct Failure<'r> {
    /// Its index in the batch.
    index: usize,
    record: &'r SqsMessage,
    /// When it becomes visible again.
    after: SignedDuration,
}

/// Returns how often the queue has delivered the record, this time included.
fn received(record: &SqsMessage) -> u32 {
    record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}

fn group(record: &SqsMessage) -> &str {
    let message_id = record.message_id.as_deref().unwrap_or_default();
    record.attributes.get("MessageGroupId").map_or(message_id, String::as_str)
}

#[cfg(test)]
mod tests;
