//! The two queue functions. Each takes a batch and returns the failed messages.
//!
//! A batch may hold several messages of one group, in the order in which they came. LiveEngage's messages are handled by number, and a
//! consumer's by the channel's time ([`connector::domain::order`]). If one must be retried, the later ones of its group are not handled,
//! and all of them become visible again at the same time. The other groups go on. The use case parks a message that can never be delivered,
//! so it blocks no others. A panic fails only its own message.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use async_trait::async_trait;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::LambdaEvent;

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
        let deadline = i64::try_from(context.deadline)
            .ok()
            .filter(|ms| *ms > 0)
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .or_else(|| self.clock.now().checked_add(USUAL_TIMEOUT).ok())
            .ok_or(FunctionError::NoDeadline)?;
        if event.records.iter().any(|record| record.message_id.as_deref().unwrap_or_default().is_empty()) {
            return Err(FunctionError::RecordWithoutId);
        }
        let mut response = SqsBatchResponse::default();
        let mut blocked: HashMap<String, SignedDuration> = HashMap::new();
        let mut postponed = Vec::new();
        let mut entries: Vec<_> = event.records.iter().map(|record| Entry { record, first: None }).collect();
        for index in self.order(&mut entries) {
            let Some(Entry { record, first }) = entries.get_mut(index) else { continue };
            let message_id = record.message_id.as_deref().unwrap_or_default();
            let group = group(record);
            let failure = match blocked.get(group) {
                Some(after) => Some(RetryLater { after: *after }),
                None if deadline.duration_since(self.clock.now()) < self.time_scale.of(NEEDED) => {
                    Some(RetryLater { after: SignedDuration::ZERO })
                }
                None => {
                    let first = first.take();
                    self.work(record, first, &context.request_id, deadline).await.err()
                }
            };
            if let Some(RetryLater { after }) = failure {
                // This applies to every wait, because the number of receives is limited.
                let after = after.max(minimum_wait(received(record)));
                blocked.insert(group.to_owned(), after);
                response.add_failure(message_id);
                if let Some(receipt) = &record.receipt_handle {
                    postponed.push((receipt.clone(), after));
                }
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

    /// Returns the order in which to handle the records. Reads bodies only for groups with several records.
    fn order(&self, entries: &mut [Entry<'_>]) -> Vec<usize> {
        let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            groups.entry(group(entry.record)).or_default().push(index);
        }
        let mut order: Vec<usize> = (0..entries.len()).collect();
        for members in groups.into_values().filter(|members| members.len() > 1) {
            let positions: Vec<_> =
                members.iter().map(|index| entries.get_mut(*index).and_then(|entry| self.position(entry))).collect();
            for (slot, member) in members.iter().zip(sorted(&positions)) {
                if let (Some(slot), Some(record)) = (order.get_mut(*slot), members.get(member)) {
                    *slot = *record;
                }
            }
        }
        order
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
struct Entry<'a> {
    record: &'a SqsMessage,
    first: Option<Received>,
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
