//! The two queue functions: a batch in, the failed messages out.
//!
//! A batch holds several messages of one group in the order in which they came; what LiveEngage has numbered is worked on by number, and
//! what a person sent by the channel's time ([`crate::domain::order`]). When one must come again, the later ones of its group are not touched, and all of them are made visible
//! at the same time; the other groups go on. A message that can't ever be delivered is parked
//! by the use case and blocks nobody. A panic is a failure of its own message only.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use async_trait::async_trait;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::LambdaEvent;

use super::failure::FunctionError;
use crate::{
    app::{
        bundle::parts,
        delivery::{Attempt, DeliveryContext, RetryLater, TimeScale},
        policy::at_least,
        to_channel::DeliverToChannel,
        to_liveengage::DeliverToLiveEngage,
    },
    domain::{
        id::Owner,
        order::{Position, sorted},
        retry::wait_after,
    },
    port::{Clock, Postpone},
};

/// A message is not begun with less left: hosts, token and call of 8 s each, and the reads and writes around them.
///
/// The workers look again before each further call, because a function that is stopped in mid-call leaves a doubt behind.
const NEEDED: SignedDuration = SignedDuration::from_secs(30);

/// What a function that knows no deadline is taken to have (the template's timeout of the workers).
const USUAL_TIMEOUT: SignedDuration = SignedDuration::from_secs(60);

/// Works on one queue message.
#[async_trait]
pub trait Worker: Send + Sync {
    /// One attempt.
    ///
    /// # Errors
    /// [`RetryLater`] when the message must stay in the queue.
    async fn work(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater>;

    /// Where a message that was received so often stands among those of its group, if it is numbered or has a time.
    fn position(&self, task: &str, received: u32) -> Option<Position>;

    /// After a panic: counts it, and keeps a message for a person that crashes the worker again and again.
    ///
    /// # Errors
    /// [`RetryLater`] while it is to be tried again.
    async fn give_up(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater>;
}

#[async_trait]
impl Worker for DeliverToLiveEngage {
    async fn work(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        Self::work(self, task, attempt).await
    }

    // Channels number nothing.
    fn position(&self, task: &str, received: u32) -> Option<Position> {
        Some(Position::Timed { at: Self::time(task)?, received })
    }

    async fn give_up(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        Self::give_up(self, task, attempt).await
    }
}

#[async_trait]
impl Worker for DeliverToChannel {
    async fn work(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        Self::work(self, task, attempt).await
    }

    fn position(&self, task: &str, _received: u32) -> Option<Position> {
        let first = parts(task).and_then(|parts| parts.into_iter().next());
        Self::place(first.as_deref().unwrap_or(task)).map(Position::Numbered)
    }

    async fn give_up(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        Self::give_up(self, task, attempt).await
    }
}

/// The functions `to-liveengage` and `to-channel`.
#[derive(Clone)]
pub struct QueueFunction {
    worker: Arc<dyn Worker>,
    postpone: Arc<dyn Postpone>,
    clock: Arc<dyn Clock>,
    time_scale: TimeScale,
}

impl std::fmt::Debug for QueueFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QueueFunction")
    }
}

impl QueueFunction {
    /// Around a use case and its queue.
    pub fn new(worker: Arc<dyn Worker>, postpone: Arc<dyn Postpone>, clock: Arc<dyn Clock>) -> Self {
        Self { worker, postpone, clock, time_scale: TimeScale::TEMPLATE }
    }

    /// The same with less time: only for a lab whose functions time out earlier than the template's.
    #[must_use]
    pub fn at_pace(self, time_scale: TimeScale) -> Self {
        Self { time_scale, ..self }
    }

    /// One invocation.
    ///
    /// # Errors
    /// When a record has no message id: it could not be reported, and SQS would delete it. The whole batch comes again.
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
        let order = self.order(&event.records);
        for record in order.into_iter().filter_map(|index| event.records.get(index)) {
            let message_id = record.message_id.as_deref().unwrap_or_default();
            let group = group(record);
            let failure = match blocked.get(group) {
                Some(after) => Some(RetryLater { after: *after }),
                None if deadline.duration_since(self.clock.now()) < self.time_scale.of(NEEDED) => {
                    Some(RetryLater { after: SignedDuration::ZERO })
                }
                None => self.work(record, message_id, &context.request_id, deadline).await.err(),
            };
            if let Some(RetryLater { after }) = failure {
                // Whatever it waits for, and whomever it waits behind: its receives must last.
                let after = after.max(at_least(received(record)));
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
            // They come again after the queue's visibility timeout instead: later, not lost.
            tracing::warn!(%error, "the time of the next attempt could not be set");
        }
        Ok(response)
    }

    /// The order in which the records are worked on. The tasks are read for it only where a group has several.
    fn order(&self, records: &[SqsMessage]) -> Vec<usize> {
        let mut groups: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, record) in records.iter().enumerate() {
            groups.entry(group(record)).or_default().push(index);
        }
        let mut order: Vec<usize> = (0..records.len()).collect();
        for members in groups.into_values().filter(|members| members.len() > 1) {
            let bodies = members.iter().filter_map(|index| records.get(*index));
            let positions: Vec<_> = bodies.map(|record| self.position(record)).collect();
            for (slot, member) in members.iter().zip(sorted(&positions)) {
                if let (Some(slot), Some(record)) = (order.get_mut(*slot), members.get(member)) {
                    *slot = *record;
                }
            }
        }
        order
    }

    /// A message that panics already while it is looked at keeps its place; what becomes of it is decided when it is worked on.
    fn position(&self, record: &SqsMessage) -> Option<Position> {
        let body = record.body.as_deref().unwrap_or_default();
        let position = || self.worker.position(body, received(record));
        std::panic::catch_unwind(AssertUnwindSafe(position)).unwrap_or_default()
    }

    async fn work(
        &self,
        record: &SqsMessage,
        message_id: &str,
        request_id: &str,
        deadline: Timestamp,
    ) -> Result<(), RetryLater> {
        let received = received(record);
        let again = RetryLater { after: wait_after(received, None) };
        let owner = Owner::new(format!("{request_id}/{message_id}")).map_err(|_| again)?;
        let attempt = Attempt { owner, now: self.clock.now(), deadline, received, time_scale: self.time_scale };
        let body = record.body.as_deref().unwrap_or_default();
        let Some(parts) = parts(body) else { return self.work_on(body, message_id, &attempt).await };
        // Those that are done are known by their records when the message comes again.
        for part in parts {
            let now = self.clock.now();
            if deadline.duration_since(now) < self.time_scale.of(NEEDED) {
                return Err(RetryLater { after: SignedDuration::ZERO });
            }
            self.work_on(&part, message_id, &Attempt { now, ..attempt.clone() }).await?;
        }
        Ok(())
    }

    /// Works on a message, or on one of several that came as one.
    async fn work_on(&self, body: &str, message_id: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        match AssertUnwindSafe(self.worker.work(body, attempt)).catch_unwind().await {
            Ok(result) => result,
            Err(_) => {
                let DeliveryContext { correlation, .. } = DeliveryContext::of_any(body);
                tracing::error!(
                    correlation,
                    message_id,
                    count = 1,
                    "a panic while working on a message; the others go on"
                );
                // It reads the message, too: if that is what panics, the message comes again until the queue gives it up.
                let again = RetryLater { after: wait_after(attempt.received, None) };
                AssertUnwindSafe(self.worker.give_up(body, attempt)).catch_unwind().await.unwrap_or(Err(again))
            }
        }
    }
}

/// How often the queue has handed it out, this time included.
fn received(record: &SqsMessage) -> u32 {
    record.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1)
}

fn group(record: &SqsMessage) -> &str {
    let message_id = record.message_id.as_deref().unwrap_or_default();
    record.attributes.get("MessageGroupId").map_or(message_id, String::as_str)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use lambda_runtime::Context;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::{
            id::{DialogId, Sequence},
            order::EventPosition,
        },
        port::QueueError,
        testing::ManualClock,
    };

    #[derive(Default)]
    struct Recorder {
        worked: Mutex<Vec<String>>,
        postponed: Mutex<Vec<(String, i64)>>,
    }

    /// Fails for `again`, panics for what begins with `panic`, works otherwise: the body says what to do.
    #[async_trait]
    impl Worker for Recorder {
        async fn work(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater> {
            self.worked.lock().unwrap().push(attempt.owner.as_str().to_owned());
            match task.trim_matches('"') {
                "again" => Err(RetryLater { after: SignedDuration::from_secs(7) }),
                task if task.starts_with("panic") => panic!("told to"),
                _ => Ok(()),
            }
        }

        /// A number as the task is its place, and one after `at` its time.
        fn position(&self, task: &str, received: u32) -> Option<Position> {
            assert_ne!(task, "panic at once", "told to");
            if let Some(time) = task.strip_prefix("at ") {
                return Some(Position::Timed { at: Timestamp::from_second(time.parse().ok()?).unwrap(), received });
            }
            let dialog = DialogId::new("d1").unwrap();
            Some(Position::Numbered(EventPosition { dialog, sequence: Sequence(task.parse().ok()?) }))
        }

        async fn give_up(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater> {
            assert_ne!(task, "panic to the last", "told to");
            if attempt.received < 5 {
                return Err(RetryLater { after: SignedDuration::from_secs(5) });
            }
            self.worked.lock().unwrap().push(format!("gave up {}", attempt.owner.as_str()));
            Ok(())
        }
    }

    #[async_trait]
    impl Postpone for Recorder {
        async fn postpone(&self, messages: Vec<(String, SignedDuration)>) -> Result<(), QueueError> {
            let mut postponed = self.postponed.lock().unwrap();
            postponed.extend(messages.into_iter().map(|(receipt, after)| (receipt, after.as_secs())));
            Ok(())
        }
    }

    fn event(records: &[(&str, &str)]) -> SqsEvent {
        let records: Vec<_> = records
            .iter()
            .enumerate()
            .map(|(index, (group, body))| {
                serde_json::json!({
                    "messageId": format!("m{index}"), "receiptHandle": format!("r{index}"), "body": body,
                    "attributes": {"MessageGroupId": group, "ApproximateReceiveCount": "1"},
                    "messageAttributes": {}, "eventSource": "aws:sqs",
                })
            })
            .collect();
        serde_json::from_value(serde_json::json!({"Records": records})).unwrap()
    }

    struct Run {
        failed: Vec<String>,
        worked: Vec<String>,
        postponed: Vec<(String, i64)>,
    }

    fn run(event: SqsEvent, left: SignedDuration) -> Result<Run, FunctionError> {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let recorder = Arc::new(Recorder::default());
        let function = QueueFunction::new(
            Arc::<Recorder>::clone(&recorder),
            Arc::<Recorder>::clone(&recorder),
            Arc::new(ManualClock::at(now)),
        );
        let mut context = Context::default();
        context.request_id = "req".to_owned();
        context.deadline = u64::try_from((now + left).as_millisecond()).unwrap();
        let response = function.handle(LambdaEvent::new(event, context)).now_or_never().expect("no IO")?;
        Ok(Run {
            failed: response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect(),
            worked: recorder.worked.lock().unwrap().clone(),
            postponed: recorder.postponed.lock().unwrap().clone(),
        })
    }

    const PLENTY: SignedDuration = SignedDuration::from_secs(60);

    #[test]
    fn a_failure_stops_only_its_own_group() {
        let run = run(event(&[("a", "ok"), ("a", "again"), ("b", "ok"), ("a", "ok"), ("b", "ok")]), PLENTY).unwrap();
        assert_eq!(run.worked, ["req/m0", "req/m1", "req/m2", "req/m4"]);
        assert_eq!(run.failed, ["m1", "m3"]);
        assert_eq!(run.postponed, [("r1".to_owned(), 7), ("r3".to_owned(), 7)]);
    }

    #[test]
    fn a_groups_numbered_messages_are_worked_on_by_number_whatever_order_they_came_in() {
        let run = run(event(&[("a", "6"), ("b", "9"), ("a", "ok"), ("a", "5"), ("b", "1")]), PLENTY).unwrap();
        assert_eq!(run.worked, ["req/m3", "req/m4", "req/m2", "req/m0", "req/m1"]);
    }

    #[test]
    fn a_persons_messages_of_one_batch_are_worked_on_by_their_time() {
        let mut event = event(&[("a", "at 30"), ("b", "at 9"), ("a", "at 10"), ("a", "at 20")]);
        assert_eq!(run(event.clone(), PLENTY).unwrap().worked, ["req/m2", "req/m1", "req/m3", "req/m0"]);
        // It was worked on before, and may be half sent.
        event.records[0].attributes.insert("ApproximateReceiveCount".to_owned(), "2".to_owned());
        assert_eq!(run(event, PLENTY).unwrap().worked, ["req/m0", "req/m1", "req/m2", "req/m3"]);
    }

    #[test]
    fn a_panic_stops_only_its_own_group() {
        let run = run(event(&[("a", "panic"), ("b", "ok"), ("a", "ok")]), PLENTY).unwrap();
        assert_eq!(run.failed, ["m0", "m2"]);
        assert_eq!(run.postponed, [("r0".to_owned(), 5), ("r2".to_owned(), 5)]);
    }

    fn several(parts: &[&str]) -> String {
        serde_json::json!({"task": "several_v1", "correlation": "r-1", "tasks": parts}).to_string()
    }

    #[test]
    fn each_of_several_in_one_is_worked_on_by_itself_up_to_the_first_that_must_come_again() {
        let (all, two) = (several(&["ok", "ok", "ok"]), several(&["ok", "again", "ok"]));
        let outcome =
            run(event(&[("a", all.as_str()), ("a", two.as_str()), ("a", "ok"), ("b", "ok")]), PLENTY).unwrap();
        assert_eq!(outcome.worked, ["req/m0", "req/m0", "req/m0", "req/m1", "req/m1", "req/m3"]);
        assert_eq!(outcome.failed, ["m1", "m2"]);
        // A panic is one part's own.
        let mut event = event(&[("a", several(&["ok", "panic", "ok"]).as_str())]);
        event.records[0].attributes.insert("ApproximateReceiveCount".to_owned(), "5".to_owned());
        let outcome = run(event, PLENTY).unwrap();
        assert_eq!(outcome.worked, ["req/m0", "req/m0", "gave up req/m0", "req/m0"]);
        assert!(outcome.failed.is_empty());
    }

    #[test]
    fn a_message_that_panics_before_it_is_begun_stops_only_its_own_group() {
        let run =
            run(event(&[("a", "6"), ("a", "panic at once"), ("b", "2"), ("a", "5"), ("b", "1")]), PLENTY).unwrap();
        assert_eq!(run.worked, ["req/m3", "req/m1", "req/m4", "req/m2"]);
        assert_eq!(run.failed, ["m1", "m0"]);
    }

    #[test]
    fn a_message_that_panics_while_it_is_given_up_stops_only_its_own_group_and_comes_again() {
        let mut event = event(&[("a", "panic to the last"), ("b", "ok"), ("a", "ok")]);
        event.records[0].attributes.insert("ApproximateReceiveCount".to_owned(), "5".to_owned());
        let run = run(event, PLENTY).unwrap();
        assert_eq!(run.worked, ["req/m0", "req/m1"]);
        assert_eq!(run.failed, ["m0", "m2"]);
    }

    #[test]
    fn a_message_that_always_panics_is_kept_for_a_person_and_its_group_goes_on() {
        let mut event = event(&[("a", "panic"), ("a", "ok")]);
        event.records[0].attributes.insert("ApproximateReceiveCount".to_owned(), "5".to_owned());
        let run = run(event, PLENTY).unwrap();
        assert_eq!(run.worked, ["req/m0", "gave up req/m0", "req/m1"]);
        assert!(run.failed.is_empty());
    }

    #[test]
    fn nothing_is_begun_when_too_little_time_is_left() {
        let run = run(event(&[("a", "ok"), ("b", "ok")]), SignedDuration::from_secs(29)).unwrap();
        assert!(run.worked.is_empty());
        assert_eq!(run.failed, ["m0", "m1"]);
        assert_eq!(run.postponed, [("r0".to_owned(), 0), ("r1".to_owned(), 0)]);
    }

    #[test]
    fn a_record_without_an_id_fails_the_batch_before_anything_is_done() {
        let mut event = event(&[("a", "ok"), ("a", "ok")]);
        event.records[1].message_id = None;
        assert!(matches!(run(event, PLENTY), Err(FunctionError::RecordWithoutId)));
    }

    proptest! {
        #[test]
        fn no_group_is_worked_on_past_its_first_failure(
            records in prop::collection::vec(("[abc]", prop::sample::select(vec!["ok", "again", "panic"])), 0..10)
        ) {
            let records: Vec<(&str, &str)> = records.iter().map(|(group, body)| (group.as_str(), *body)).collect();
            let run = run(event(&records), PLENTY).unwrap();
            let mut failing = std::collections::HashSet::new();
            let (mut worked, mut failed) = (vec![], vec![]);
            for (index, (group, body)) in records.iter().enumerate() {
                if !failing.contains(group) {
                    worked.push(format!("req/m{index}"));
                    if *body != "ok" {
                        failing.insert(*group);
                    }
                }
                if failing.contains(group) {
                    failed.push(format!("m{index}"));
                }
            }
            prop_assert_eq!(run.worked, worked);
            prop_assert_eq!(run.failed, failed);
        }
    }
}
