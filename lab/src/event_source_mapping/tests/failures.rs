use super::*;
use crate::event_source_mapping::{self, Death, Failures};

/// What befalls the first invocation; the others are left alone.
#[derive(Debug)]
struct First {
    after_wakes: Option<u32>,
    repeat: bool,
    ended: Mutex<Vec<(u64, bool)>>,
    begun: AtomicUsize,
}

impl First {
    fn new(after_wakes: Option<u32>, repeat: bool) -> Arc<Self> {
        Arc::new(Self { after_wakes, repeat, ended: Mutex::default(), begun: AtomicUsize::new(0) })
    }

    fn ended(&self) -> Vec<(u64, bool)> {
        self.ended.lock().unwrap().clone()
    }
}

impl Failures for First {
    fn begin(&self, _batch: &[ReceivedMessage]) -> event_source_mapping::Invocation {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let (after_wakes, repeat) = if number == 0 { (self.after_wakes, self.repeat) } else { (None, false) };
        event_source_mapping::Invocation {
            number: number as u64,
            death: Death { after_wakes, ..Death::default() },
            repeat,
        }
    }

    fn ended(&self, invocation: u64, killed: bool) {
        self.ended.lock().unwrap().push((invocation, killed));
    }
}

fn start(queue: &QueueHandle, seen: &Seen, failures: &Arc<First>) -> EventSourceMapping {
    let noted = seen.clone();
    let handler = handler(move |event| {
        noted.note(&event);
        async {
            tokio::task::yield_now().await;
            Ok(SqsBatchResponse::default())
        }
    });
    let failures: Arc<dyn Failures> = Arc::<First>::clone(failures);
    EventSourceMapping::start_with(queue.clone(), MappingOptions::default(), handler, Some(failures)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_function_had_comes_again_after_the_visibility_timeout() {
    let (queue, seen, failures) = (queue(), Seen::default(), First::new(Some(1), false));
    send(&queue, "g", "1");
    idle(&start(&queue, &seen, &failures)).await;
    assert_eq!(seen.bodies(), [["1"], ["1"]]);
    assert!(seen.gap(0, 1) >= VISIBILITY);
    assert_eq!(failures.ended(), [(0, true), (1, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_batch_is_handed_out_twice_and_deleted() {
    let (queue, seen, failures) = (queue(), Seen::default(), First::new(None, true));
    send(&queue, "g", "1");
    idle(&start(&queue, &seen, &failures)).await;
    assert_eq!(seen.bodies(), [["1"], ["1"]]);
    assert!(seen.gap(0, 1) < Duration::from_secs(1));
    assert_eq!(failures.ended(), [(0, false)]);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_a_death_too() {
    let (queue, failures) = (queue(), First::new(None, true));
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
    let all: Arc<dyn Failures> = Arc::<First>::clone(&failures);
    let mapping = EventSourceMapping::start_with(queue, MappingOptions::default(), handler, Some(all)).unwrap();
    idle(&mapping).await;
    assert_eq!(calls.load(Ordering::Relaxed), 2, "it is not repeated in mid-call");
    assert_eq!(failures.ended(), [(0, true), (1, false)]);
}
