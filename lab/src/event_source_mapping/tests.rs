mod failures;
mod groups;

use std::sync::atomic::{AtomicUsize, Ordering};

use connector_testing::fifo::{AttributeContent, MessageAttribute, NewMessage};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::*;
use crate::aws::queue_service::QueueService;
use crate::aws::queues::{QueueSettings, Queues, Redrive};
use crate::aws::test_clock::RuntimeClock;

const VISIBILITY: Duration = Duration::from_secs(180);

fn queue_with(max_receive_count: u32) -> (QueueHandle, QueueHandle) {
    let queues = Queues::new("us-east-1", "000000000000", Uuid::from_u128(1));
    let service = QueueService::new(queues, Arc::new(RuntimeClock::start()));
    let dead = service.create("dead.fifo", QueueSettings::default()).unwrap();
    let redrive = Some(Redrive { dead_letter_queue: "dead.fifo".to_owned(), max_receive_count });
    let live = service.create("live.fifo", QueueSettings { visibility_timeout: VISIBILITY, redrive }).unwrap();
    (live, dead)
}

fn queue() -> QueueHandle {
    queue_with(100).0
}

fn send(queue: &QueueHandle, group: &str, body: &str) {
    queue.send(NewMessage::new(group, body, body)).unwrap();
}

fn handler<F, R>(act: F) -> Handler
where
    F: Fn(SqsEvent) -> R + Send + Sync + 'static,
    R: Future<Output = Result<SqsBatchResponse, String>> + Send + 'static,
{
    Arc::new(move |event| Box::pin(act(event)))
}

fn bodies(event: &SqsEvent) -> Vec<String> {
    event.records.iter().map(|record| record.body.clone().unwrap()).collect()
}

fn failing(event: &SqsEvent, body: &str) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for record in event.records.iter().filter(|record| record.body.as_deref() == Some(body)) {
        response.add_failure(record.message_id.clone().unwrap());
    }
    response
}

/// A function that records its batches and succeeds.
fn succeeding(recorded: &RecordedBatches) -> Handler {
    let recorder = recorded.clone();
    handler(move |event| {
        recorder.record(&event);
        async { Ok(SqsBatchResponse::default()) }
    })
}

type RecordedBatch = (Vec<String>, Instant);

/// The batches that the function received, in order, with their times.
#[derive(Clone, Default)]
struct RecordedBatches(Arc<Mutex<Vec<RecordedBatch>>>);

impl RecordedBatches {
    fn record(&self, event: &SqsEvent) -> usize {
        let mut recorded = self.0.lock();
        recorded.push((bodies(event), Instant::now()));
        recorded.len()
    }

    fn bodies(&self) -> Vec<Vec<String>> {
        self.0.lock().iter().map(|(bodies, _)| bodies.clone()).collect()
    }

    fn gap(&self, from: usize, to: usize) -> Duration {
        let recorded = self.0.lock();
        recorded[to].1 - recorded[from].1
    }
}

async fn idle(mapping: &EventSourceMapping) {
    timeout(Duration::from_secs(86_400), mapping.idle()).await.expect("the event source mapping never comes to rest");
}

async fn pause(duration: Duration) {
    timeout(duration, std::future::pending::<()>()).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_batch_without_failures_is_deleted() {
    let (queue, recorded) = (queue(), RecordedBatches::default());
    for body in ["1", "2", "3"] {
        send(&queue, "g", body);
    }
    let mapping = EventSourceMapping::start(queue.clone(), MappingOptions::default(), succeeding(&recorded)).unwrap();
    idle(&mapping).await;
    assert_eq!(recorded.bodies(), [["1", "2", "3"]]);
    assert_eq!((queue.counts().total(), mapping.in_flight()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_event_matches_the_event_of_lambda() {
    let queue = queue();
    let mut message = NewMessage::new("g", "d-1", "hello").with_text_attribute("correlation", "c-1");
    let binary = MessageAttribute { data_type: "Binary".to_owned(), content: AttributeContent::Binary(vec![1, 2]) };
    message.attributes.insert("raw".to_owned(), binary);
    queue.send(message).unwrap();
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let _mapping = EventSourceMapping::start(
        queue,
        MappingOptions::default(),
        handler(move |event| {
            sender.send(event).unwrap();
            async { Ok(SqsBatchResponse::default()) }
        }),
    )
    .unwrap();
    let json = serde_json::to_value(receiver.recv().await.unwrap()).unwrap();
    let record = &json["Records"][0];
    assert_eq!(record["body"], "hello");
    assert_eq!(record["md5OfBody"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(record["eventSourceARN"], "arn:aws:sqs:us-east-1:000000000000:live.fifo");
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!(record["messageAttributes"]["correlation"]["stringValue"], "c-1");
    assert_eq!(record["messageAttributes"]["correlation"]["dataType"], "String");
    assert_eq!(record["messageAttributes"]["raw"]["binaryValue"], "AQI=");
    assert!(record["md5OfMessageAttributes"].is_string());
    assert!(record["messageId"].is_string() && record["receiptHandle"].is_string());
    let attributes = record["attributes"].as_object().unwrap();
    assert_eq!(attributes["MessageGroupId"], "g");
    assert_eq!(attributes["MessageDeduplicationId"], "d-1");
    assert_eq!(attributes["ApproximateReceiveCount"], "1");
    for name in ["SentTimestamp", "ApproximateFirstReceiveTimestamp", "SequenceNumber", "SenderId"] {
        assert!(attributes[name].is_string(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_reported_failures_return_after_their_visibility_timeout() {
    let (queue, recorded) = (queue(), RecordedBatches::default());
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2")] {
        send(&queue, group, body);
    }
    let recorder = recorded.clone();
    let mapping = EventSourceMapping::start(
        queue,
        MappingOptions::default(),
        handler(move |event| {
            let first = recorder.record(&event) == 1;
            async move { Ok(if first { failing(&event, "b1") } else { SqsBatchResponse::default() }) }
        }),
    )
    .unwrap();
    idle(&mapping).await;
    assert_eq!(recorded.bodies(), [vec!["a1", "a2", "b1"], vec!["b1"]]);
    assert!(recorded.gap(0, 1) >= VISIBILITY);
    assert!(recorded.gap(0, 1) < VISIBILITY + Duration::from_secs(1), "{:?}", recorded.gap(0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_returns_after_the_visibility_timeout_set_by_the_function() {
    let (queue, recorded) = (queue(), RecordedBatches::default());
    send(&queue, "g", "1");
    let (recorder, own) = (recorded.clone(), queue.clone());
    let mapping = EventSourceMapping::start(
        queue,
        MappingOptions::default(),
        handler(move |event| {
            let number = recorder.record(&event);
            let own = own.clone();
            async move {
                if number > 2 {
                    return Ok(SqsBatchResponse::default());
                }
                let handle = event.records[0].receipt_handle.as_deref().unwrap();
                own.change_visibility(handle, Duration::from_secs(if number == 1 { 5 } else { 600 })).unwrap();
                Ok(failing(&event, "1"))
            }
        }),
    )
    .unwrap();
    idle(&mapping).await;
    assert_eq!(recorded.bodies().len(), 3);
    for (gap, expected) in [(recorded.gap(0, 1), 5), (recorded.gap(1, 2), 600)] {
        let expected = Duration::from_secs(expected);
        assert!(gap >= expected && gap < expected + Duration::from_secs(1), "{gap:?} instead of {expected:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_function_leaves_the_whole_batch() {
    let failures: [(&str, Handler); 5] = [
        ("error", handler(|_| async { Err("broken".to_owned()) })),
        ("panic in the call", Arc::new(|_| panic!("broken"))),
        ("panic in the future", handler(|_| async { panic!("broken") })),
        ("timeout", handler(|_| std::future::pending())),
        (
            "unknown id",
            handler(|event: SqsEvent| async move {
                let mut response = failing(&event, "1");
                response.add_failure("");
                Ok(response)
            }),
        ),
    ];
    for (kind, fail) in failures {
        let (queue, recorded) = (queue(), RecordedBatches::default());
        send(&queue, "g", "1");
        send(&queue, "g", "2");
        let recorder = recorded.clone();
        let mapping = EventSourceMapping::start(
            queue,
            MappingOptions::default(),
            handler(move |event| {
                let first = recorder.record(&event) == 1;
                let fail = Arc::clone(&fail);
                async move { if first { fail(event).await } else { Ok(SqsBatchResponse::default()) } }
            }),
        )
        .unwrap();
        idle(&mapping).await;
        assert_eq!(recorded.bodies(), [["1", "2"], ["1", "2"]], "{kind}");
        assert!(recorded.gap(0, 1) >= VISIBILITY, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timed_out_function_is_ended_at_its_timeout() {
    struct DropNotifier(tokio::sync::mpsc::UnboundedSender<Instant>);
    impl Drop for DropNotifier {
        fn drop(&mut self) {
            self.0.send(Instant::now()).unwrap();
        }
    }
    let (queue, started) = (queue(), Instant::now());
    send(&queue, "g", "1");
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let options = MappingOptions { function_timeout: Duration::from_secs(10), ..MappingOptions::default() };
    let _mapping = EventSourceMapping::start(
        queue,
        options,
        handler(move |_| {
            let ended = DropNotifier(sender.clone());
            async move {
                let _ended = ended;
                std::future::pending().await
            }
        }),
    )
    .unwrap();
    let ran = receiver.recv().await.unwrap() - started;
    assert!(ran >= options.function_timeout && ran < options.function_timeout + Duration::from_secs(1), "{ran:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_sent_to_an_idle_queue_is_processed_at_once() {
    let (queue, recorded) = (queue(), RecordedBatches::default());
    let mapping = EventSourceMapping::start(queue.clone(), MappingOptions::default(), succeeding(&recorded)).unwrap();
    idle(&mapping).await;
    pause(Duration::from_secs(60)).await;
    let sent = Instant::now();
    send(&queue, "g", "1");
    idle(&mapping).await;
    assert_eq!(recorded.bodies(), [["1"]]);
    assert_eq!(recorded.0.lock()[0].1, sent, "no timer has to run out first");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_mapping_ends_its_invocations_and_receives_nothing_more() {
    let queue = queue();
    send(&queue, "g", "1");
    let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let mapping = EventSourceMapping::start(
        queue.clone(),
        MappingOptions::default(),
        handler(move |_| {
            started.send(()).unwrap();
            let held = Arc::clone(&held);
            async move {
                let _held = held;
                std::future::pending().await
            }
        }),
    )
    .unwrap();
    starts.recv().await.unwrap();
    assert_eq!(mapping.in_flight(), 1);
    drop(mapping);
    send(&queue, "other", "2");
    pause(VISIBILITY * 2).await;
    assert!(starts.try_recv().is_err());
    assert_eq!(Arc::strong_count(&alive), 1, "the invocation and the handler are gone");
    assert_eq!(queue.counts().visible, 2);
}

#[tokio::test]
async fn options_that_lambda_refuses_are_refused() {
    let start =
        |options| EventSourceMapping::start(queue(), options, handler(|_| async { Ok(SqsBatchResponse::default()) }));
    for batch_size in [0, 11] {
        let refused = start(MappingOptions { batch_size, ..MappingOptions::default() }).unwrap_err();
        assert_eq!(refused, MappingError::BatchSize(batch_size));
    }
    assert_eq!(
        start(MappingOptions { concurrency: 0, ..MappingOptions::default() }).unwrap_err(),
        MappingError::Concurrency
    );
    let function_timeout = VISIBILITY + Duration::from_millis(1);
    assert!(matches!(
        start(MappingOptions { function_timeout, ..MappingOptions::default() }),
        Err(MappingError::VisibilityTooShort { .. })
    ));
}
