use lambda_runtime::Context;
use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use connector::{domain::order::EventPosition, port::QueueError};
use connector_liveengage::id::{DialogId, Sequence};
use connector_testing::{ManualClock, logged};

struct Recorder {
    clock: Arc<ManualClock>,
    worked: Mutex<Vec<String>>,
    postponed: Mutex<Vec<(String, i64)>>,
}

impl Recorder {
    /// Succeeds if another message is begun in the meantime.
    async fn meet(&self) -> Result<(), RetryLater> {
        let before = self.worked.lock().len();
        tokio::task::yield_now().await;
        if self.worked.lock().len() > before || before > 1 {
            return Ok(());
        }
        Err(RetryLater { after: SignedDuration::from_secs(1) })
    }
}

/// Does what the body says: fails for `again`, panics if it begins with `panic`, and succeeds otherwise.
#[async_trait]
impl Worker for Recorder {
    async fn work(&self, message: &Received, attempt: &Attempt) -> Result<(), RetryLater> {
        self.worked.lock().push(attempt.owner.as_str().to_owned());
        match message.body.trim_matches('"') {
            "meet" => self.meet().await,
            "takes 20 s" => {
                self.clock.advance(SignedDuration::from_secs(20));
                Ok(())
            }
            "again" => Err(RetryLater { after: SignedDuration::from_secs(7) }),
            task if task.starts_with("panic") || task.contains(r#""task":"panic""#) => panic!("told to"),
            _ => Ok(()),
        }
    }

    /// A body that is a number is a position, and a number after `at` is a time.
    fn position(&self, message: &Received, received: u32) -> Option<Position> {
        let task = message.body.as_str();
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
        self.worked.lock().push(format!("gave up {}", attempt.owner.as_str()));
        Ok(())
    }
}

#[async_trait]
impl Postpone for Recorder {
    async fn postpone(&self, messages: Vec<(String, SignedDuration)>) -> Result<(), QueueError> {
        let mut postponed = self.postponed.lock();
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

/// Begins an invocation with this much time, or without a deadline. Returns what records it, and the ids of the messages that fail.
fn invoked(
    event: SqsEvent,
    left: Option<SignedDuration>,
) -> (Arc<Recorder>, impl Future<Output = Result<Vec<String>, FunctionError>>) {
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let clock = Arc::new(ManualClock::at(now));
    let recorder =
        Arc::new(Recorder { clock: Arc::clone(&clock), worked: Mutex::default(), postponed: Mutex::default() });
    let function = QueueFunction::new(Arc::<Recorder>::clone(&recorder), Arc::<Recorder>::clone(&recorder), clock);
    let mut context = Context::default();
    context.request_id = "req".to_owned();
    context.deadline = left.map_or(0, |left| u64::try_from((now + left).as_millisecond()).unwrap());
    let failed = async move {
        let response = function.handle(LambdaEvent::new(event, context)).await?;
        Ok(response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect())
    };
    (recorder, failed)
}

fn run(event: SqsEvent, left: impl Into<Option<SignedDuration>>) -> Result<Run, FunctionError> {
    let (recorder, failed) = invoked(event, left.into());
    let failed = failed.now_or_never().expect("no IO")?;
    Ok(Run { failed, worked: recorder.worked.lock().clone(), postponed: recorder.postponed.lock().clone() })
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
    assert_eq!(run.worked, ["req/m3", "req/m2", "req/m0", "req/m4", "req/m1"]);
}

#[test]
fn a_consumers_messages_of_one_batch_are_handled_by_their_time() {
    let mut event = event(&[("a", "at 30"), ("b", "at 9"), ("a", "at 10"), ("a", "at 20")]);
    assert_eq!(run(event.clone(), PLENTY).unwrap().worked, ["req/m2", "req/m3", "req/m0", "req/m1"]);
    // It was handled before, and may be partly sent.
    event.records[0].attributes.insert("ApproximateReceiveCount".to_owned(), "2".to_owned());
    assert_eq!(run(event, PLENTY).unwrap().worked, ["req/m0", "req/m2", "req/m3", "req/m1"]);
}

#[tokio::test]
async fn groups_are_handled_side_by_side_and_the_messages_of_one_are_not() {
    for (groups, failed) in [(["a", "b"], vec![]), (["a", "a"], vec!["m0", "m1"])] {
        let run = invoked(event(&groups.map(|group| (group, "meet"))), Some(PLENTY)).1.await.unwrap();
        assert_eq!(run, failed);
    }
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
    let outcome = run(event(&[("a", all.as_str()), ("a", two.as_str()), ("a", "ok"), ("b", "ok")]), PLENTY).unwrap();
    assert_eq!(outcome.worked, ["req/m0", "req/m0", "req/m0", "req/m1", "req/m1", "req/m3"]);
    assert_eq!(outcome.failed, ["m1", "m2"]);
    // A panic fails only its own part.
    let mut event = event(&[("a", several(&["ok", "panic", "ok"]).as_str())]);
    event.records[0].attributes.insert("ApproximateReceiveCount".to_owned(), "5".to_owned());
    let outcome = run(event, PLENTY).unwrap();
    assert_eq!(outcome.worked, ["req/m0", "req/m0", "gave up req/m0", "req/m0"]);
    assert!(outcome.failed.is_empty());
}

#[test]
fn a_message_that_panics_before_it_is_begun_stops_only_its_own_group() {
    let run = run(event(&[("a", "6"), ("a", "panic at once"), ("b", "2"), ("a", "5"), ("b", "1")]), PLENTY).unwrap();
    assert_eq!(run.worked, ["req/m3", "req/m1", "req/m4", "req/m2"]);
    assert_eq!(run.failed, ["m0", "m1"]);
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
fn a_message_that_always_panics_is_parked_and_its_group_goes_on() {
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
fn a_part_is_begun_only_with_enough_time_left_like_a_message() {
    let parts = several(&["takes 20 s", "takes 20 s", "ok"]);
    for (left, worked) in [(69, 2), (70, 3)] {
        let run = run(event(&[("a", parts.as_str())]), SignedDuration::from_secs(left)).unwrap();
        assert_eq!(run.worked.len(), worked, "{left} s");
        assert_eq!(run.failed.len(), 3 - worked, "{left} s");
    }
    let messages = [("a", "takes 20 s"), ("a", "takes 20 s"), ("a", "ok")];
    for (left, failed) in [(69, vec!["m2"]), (70, vec![])] {
        assert_eq!(run(event(&messages), SignedDuration::from_secs(left)).unwrap().failed, failed, "{left} s");
    }
}

/// Lambda always sets one. A test event of the console may not.
#[test]
fn without_a_deadline_the_timeout_of_the_template_applies() {
    let run = run(event(&[("a", "takes 20 s"), ("a", "takes 20 s"), ("a", "ok")]), None).unwrap();
    assert_eq!((run.worked.len(), run.failed), (2, vec!["m2".to_owned()]));
}

#[tokio::test]
async fn a_panic_is_logged_with_the_ids_of_its_message() {
    let panics = r#"{"task":"panic","line":"sms-main","correlation":"r-7"}"#;
    let (_, failed) = invoked(event(&[("a", panics)]), Some(PLENTY));
    let (_, lines) = logged(failed).await;
    assert_eq!(
        lines,
        [
            r#"ERROR message=panic while working on a message event="message.panicked" correlation="r-7" message_id="m0""#
        ]
    );
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
        let mut failed = vec![];
        for group in ["a", "b", "c"] {
            let of_group = |name: &String| records[name.trim_start_matches("req/m").parse::<usize>().unwrap()].0 == group;
            let members = || records.iter().enumerate().filter(|(_, (known, _))| *known == group);
            let first_failure = members().find(|(_, (_, body))| *body != "ok").map_or(usize::MAX, |(index, _)| index);
            let expected = members().filter(|(index, _)| *index <= first_failure).map(|(index, _)| format!("req/m{index}"));
            let worked = run.worked.iter().filter(|name| of_group(name)).cloned();
            prop_assert_eq!(worked.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            failed.extend(members().map(|(index, _)| index).filter(|index| *index >= first_failure));
        }
        failed.sort_unstable();
        prop_assert_eq!(run.failed, failed.iter().map(|index| format!("m{index}")).collect::<Vec<_>>());
    }
}
