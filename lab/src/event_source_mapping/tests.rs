mod failures;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::*;
use crate::aws::fifo::{AttributeContent, MessageAttribute, NewMessage};
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

type Invocation = (Vec<String>, Instant);

/// What the function was invoked with, in order, and when.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Invocation>>>);

impl Seen {
    fn note(&self, event: &SqsEvent) -> usize {
        let mut seen = self.0.lock().unwrap();
        seen.push((bodies(event), Instant::now()));
        seen.len()
    }

    fn bodies(&self) -> Vec<Vec<String>> {
        self.0.lock().unwrap().iter().map(|(bodies, _)| bodies.clone()).collect()
    }

    fn gap(&self, from: usize, to: usize) -> Duration {
        let seen = self.0.lock().unwrap();
        seen[to].1 - seen[from].1
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
    let (queue, seen) = (queue(), Seen::default());
    for body in ["1", "2", "3"] {
        send(&queue, "g", body);
    }
    let noted = seen.clone();
    let mapping = EventSourceMapping::start(
        queue.clone(),
        MappingOptions::default(),
        handler(move |event| {
            noted.note(&event);
            async { Ok(SqsBatchResponse::default()) }
        }),
    )
    .unwrap();
    idle(&mapping).await;
    assert_eq!(seen.bodies(), [["1", "2", "3"]]);
    assert_eq!((queue.counts().total(), mapping.in_flight()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_event_is_lambdas() {
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
async fn only_what_was_reported_failed_comes_again_after_its_visibility_timeout() {
    let (queue, seen) = (queue(), Seen::default());
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2")] {
        send(&queue, group, body);
    }
    let noted = seen.clone();
    let mapping = EventSourceMapping::start(
        queue,
        MappingOptions::default(),
        handler(move |event| {
            let first = noted.note(&event) == 1;
            async move { Ok(if first { failing(&event, "b1") } else { SqsBatchResponse::default() }) }
        }),
    )
    .unwrap();
    idle(&mapping).await;
    assert_eq!(seen.bodies(), [vec!["a1", "a2", "b1"], vec!["b1"]]);
    assert!(seen.gap(0, 1) >= VISIBILITY);
    assert!(seen.gap(0, 1) < VISIBILITY + Duration::from_secs(1), "{:?}", seen.gap(0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_visibility_that_the_function_sets_decides_when_a_message_comes_again() {
    let (queue, seen) = (queue(), Seen::default());
    send(&queue, "g", "1");
    let (noted, own) = (seen.clone(), queue.clone());
    let mapping = EventSourceMapping::start(
        queue,
        MappingOptions::default(),
        handler(move |event| {
            let number = noted.note(&event);
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
    assert_eq!(seen.bodies().len(), 3);
    for (gap, expected) in [(seen.gap(0, 1), 5), (seen.gap(1, 2), 600)] {
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
        let (queue, seen) = (queue(), Seen::default());
        send(&queue, "g", "1");
        send(&queue, "g", "2");
        let noted = seen.clone();
        let mapping = EventSourceMapping::start(
            queue,
            MappingOptions::default(),
            handler(move |event| {
                let first = noted.note(&event) == 1;
                let fail = Arc::clone(&fail);
                async move { if first { fail(event).await } else { Ok(SqsBatchResponse::default()) } }
            }),
        )
        .unwrap();
        idle(&mapping).await;
        assert_eq!(seen.bodies(), [["1", "2"], ["1", "2"]], "{kind}");
        assert!(seen.gap(0, 1) >= VISIBILITY, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timed_out_function_is_ended_at_its_timeout() {
    struct Ended(tokio::sync::mpsc::UnboundedSender<Instant>);
    impl Drop for Ended {
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
            let ended = Ended(sender.clone());
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
async fn groups_run_side_by_side_but_never_twice_at_once() {
    let queue = queue();
    for number in 0..12 {
        for group in ["a", "b", "c", "d", "e", "f"] {
            queue.send(NewMessage::new(group, format!("{number}"), format!("{number}"))).unwrap();
        }
    }
    let running = Arc::new(Mutex::new(BTreeSet::new()));
    let overlaps = Arc::new(Mutex::new(Vec::new()));
    let most = Arc::new(AtomicUsize::new(0));
    let order = Arc::new(Mutex::new(HashMap::<String, Vec<u32>>::new()));
    let (busy, twice, peak, noted) =
        (Arc::clone(&running), Arc::clone(&overlaps), Arc::clone(&most), Arc::clone(&order));
    let mapping = EventSourceMapping::start(
        queue,
        MappingOptions { batch_size: 2, concurrency: 4, ..MappingOptions::default() },
        handler(move |event| {
            let (busy, twice, peak, noted) =
                (Arc::clone(&busy), Arc::clone(&twice), Arc::clone(&peak), Arc::clone(&noted));
            async move {
                let group = event.records[0].attributes["MessageGroupId"].clone();
                // An assertion here would be a function error, which the event source mapping survives.
                if !busy.lock().unwrap().insert(group.clone()) {
                    twice.lock().unwrap().push(group.clone());
                }
                peak.fetch_max(busy.lock().unwrap().len(), Ordering::SeqCst);
                pause(Duration::from_secs(1)).await;
                busy.lock().unwrap().remove(&group);
                let numbers =
                    event.records.iter().map(|record| record.body.as_deref().unwrap().parse::<u32>().unwrap());
                noted.lock().unwrap().entry(group).or_default().extend(numbers);
                Ok(SqsBatchResponse::default())
            }
        }),
    )
    .unwrap();
    idle(&mapping).await;
    assert_eq!(*overlaps.lock().unwrap(), Vec::<String>::new(), "groups in two invocations at once");
    assert_eq!(most.load(Ordering::SeqCst), 4);
    let order = order.lock().unwrap();
    assert_eq!(order.len(), 6);
    for (group, numbers) in order.iter() {
        assert_eq!(*numbers, (0..12).collect::<Vec<_>>(), "{group}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_given_back_early_waits_for_its_invocation_to_end() {
    let (queue, seen) = (queue(), Seen::default());
    send(&queue, "g", "1");
    let (noted, own) = (seen.clone(), queue.clone());
    let mapping = EventSourceMapping::start(
        queue.clone(),
        MappingOptions::default(),
        handler(move |event| {
            let first = noted.note(&event) == 1;
            let own = own.clone();
            async move {
                if !first {
                    return Ok(SqsBatchResponse::default());
                }
                own.change_visibility(event.records[0].receipt_handle.as_deref().unwrap(), Duration::ZERO).unwrap();
                pause(Duration::from_secs(10)).await;
                Ok(failing(&event, "1"))
            }
        }),
    )
    .unwrap();
    pause(Duration::from_secs(1)).await;
    send(&queue, "other", "2");
    idle(&mapping).await;
    assert_eq!(seen.bodies(), [["1"], ["2"], ["1"]], "another group does not wait");
    assert!(seen.gap(0, 2) >= Duration::from_secs(10), "{:?}", seen.gap(0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_always_fails_ends_as_a_dead_letter_and_frees_its_group() {
    let (queue, dead) = queue_with(3);
    let seen = Seen::default();
    send(&queue, "g", "poison");
    send(&queue, "g", "fine");
    let noted = seen.clone();
    let options = MappingOptions { batch_size: 1, ..MappingOptions::default() };
    let mapping = EventSourceMapping::start(
        queue,
        options,
        handler(move |event| {
            noted.note(&event);
            async move { Ok(failing(&event, "poison")) }
        }),
    )
    .unwrap();
    idle(&mapping).await;
    assert_eq!(seen.bodies(), [["poison"], ["poison"], ["poison"], ["fine"]]);
    let letters = dead.peek();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].body.as_str(), letters[0].group.as_str()), ("poison", "g"));
}

#[tokio::test(start_paused = true)]
async fn a_message_sent_later_is_taken_at_once() {
    let (queue, seen) = (queue(), Seen::default());
    let noted = seen.clone();
    let mapping = EventSourceMapping::start(
        queue.clone(),
        MappingOptions::default(),
        handler(move |event| {
            noted.note(&event);
            async { Ok(SqsBatchResponse::default()) }
        }),
    )
    .unwrap();
    idle(&mapping).await;
    pause(Duration::from_secs(60)).await;
    let sent = Instant::now();
    send(&queue, "g", "1");
    idle(&mapping).await;
    assert_eq!(seen.bodies(), [["1"]]);
    assert_eq!(seen.0.lock().unwrap()[0].1, sent, "no timer has to run out first");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_mapping_ends_its_invocations_and_takes_nothing_more() {
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
