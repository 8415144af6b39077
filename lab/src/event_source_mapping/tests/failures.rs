use super::*;
use crate::faults::{self, FailureInjector, KillPoint};

/// Makes the first invocation fail, and no other.
#[derive(Debug)]
struct FailFirst {
    after_wakes: Option<u32>,
    repeat: bool,
    ended: Mutex<Vec<(u64, bool)>>,
    started: AtomicUsize,
}

impl FailFirst {
    fn new(after_wakes: Option<u32>, repeat: bool) -> Arc<Self> {
        Arc::new(Self { after_wakes, repeat, ended: Mutex::default(), started: AtomicUsize::new(0) })
    }

    fn ended(&self) -> Vec<(u64, bool)> {
        self.ended.lock().clone()
    }
}

impl FailureInjector for FailFirst {
    fn begin(&self, _batch: &[ReceivedMessage]) -> faults::Invocation {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let (after_wakes, repeat) = if number == 0 { (self.after_wakes, self.repeat) } else { (None, false) };
        faults::Invocation {
            number: number as u64,
            kill_point: KillPoint { after_wakes, ..KillPoint::default() },
            repeat,
        }
    }

    fn ended(&self, invocation: u64, killed: bool) {
        self.ended.lock().push((invocation, killed));
    }
}

fn start(queue: &QueueHandle, recorded: &RecordedBatches, failures: &Arc<FailFirst>) -> EventSourceMapping {
    let recorder = recorded.clone();
    let handler = handler(move |event| {
        recorder.record(&event);
        async {
            tokio::task::yield_now().await;
            Ok(SqsBatchResponse::default())
        }
    });
    let failures: Arc<dyn FailureInjector> = Arc::<FailFirst>::clone(failures);
    EventSourceMapping::start_with(queue.clone(), MappingOptions::default(), handler, Some(failures)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_batch_of_a_killed_function_returns_after_the_visibility_timeout() {
    let (queue, recorded, failures) = (queue(), RecordedBatches::default(), FailFirst::new(Some(1), false));
    send(&queue, "g", "1");
    idle(&start(&queue, &recorded, &failures)).await;
    assert_eq!(recorded.bodies(), [["1"], ["1"]]);
    assert!(recorded.gap(0, 1) >= VISIBILITY);
    assert_eq!(failures.ended(), [(0, true), (1, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_batch_is_delivered_twice_and_deleted() {
    let (queue, recorded, failures) = (queue(), RecordedBatches::default(), FailFirst::new(None, true));
    send(&queue, "g", "1");
    idle(&start(&queue, &recorded, &failures)).await;
    assert_eq!(recorded.bodies(), [["1"], ["1"]]);
    assert!(recorded.gap(0, 1) < Duration::from_secs(1));
    assert_eq!(failures.ended(), [(0, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_counts_as_killed() {
    let (queue, failures) = (queue(), FailFirst::new(None, true));
    send(&queue, "g", "1");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let handler = handler(move |_| {
        let first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if first {
                std::future::pending::<()>().await;
            }
            Ok(SqsBatchResponse::default())
        }
    });
    let all: Arc<dyn FailureInjector> = Arc::<FailFirst>::clone(&failures);
    let mapping = EventSourceMapping::start_with(queue, MappingOptions::default(), handler, Some(all)).unwrap();
    idle(&mapping).await;
    assert_eq!(calls.load(Ordering::Relaxed), 2, "it is not repeated in mid-call");
    assert_eq!(failures.ended(), [(0, true), (1, false)]);
}
