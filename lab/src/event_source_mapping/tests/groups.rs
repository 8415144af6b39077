//! Tests of message groups: which wait, and which run concurrently.

use super::*;

#[tokio::test(start_paused = true)]
async fn groups_run_concurrently_but_each_in_one_invocation() {
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
    let (busy, twice, peak, recorder) =
        (Arc::clone(&running), Arc::clone(&overlaps), Arc::clone(&most), Arc::clone(&order));
    let mapping = EventSourceMapping::start(
        queue,
        MappingOptions { batch_size: 2, concurrency: 4, ..MappingOptions::default() },
        handler(move |event| {
            let (busy, twice, peak, recorder) =
                (Arc::clone(&busy), Arc::clone(&twice), Arc::clone(&peak), Arc::clone(&recorder));
            async move {
                let group = event.records[0].attributes["MessageGroupId"].clone();
                // A failed assertion here would be a function error, which the event source mapping survives.
                if !busy.lock().insert(group.clone()) {
                    twice.lock().push(group.clone());
                }
                peak.fetch_max(busy.lock().len(), Ordering::SeqCst);
                pause(Duration::from_secs(1)).await;
                busy.lock().remove(&group);
                let numbers =
                    event.records.iter().map(|record| record.body.as_deref().unwrap().parse::<u32>().unwrap());
                recorder.lock().entry(group).or_default().extend(numbers);
                Ok(SqsBatchResponse::default())
            }
        }),
    )
    .unwrap();
    idle(&mapping).await;
    assert_eq!(*overlaps.lock(), Vec::<String>::new(), "groups in two invocations at once");
    assert_eq!(most.load(Ordering::SeqCst), 4);
    let order = order.lock();
    assert_eq!(order.len(), 6);
    for (group, numbers) in order.iter() {
        assert_eq!(*numbers, (0..12).collect::<Vec<_>>(), "{group}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_made_visible_early_waits_for_its_invocation_to_end() {
    let (queue, recorded) = (queue(), RecordedBatches::default());
    send(&queue, "g", "1");
    let (recorder, own) = (recorded.clone(), queue.clone());
    let mapping = EventSourceMapping::start(
        queue.clone(),
        MappingOptions::default(),
        handler(move |event| {
            let first = recorder.record(&event) == 1;
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
    assert_eq!(recorded.bodies(), [["1"], ["2"], ["1"]], "another group does not wait");
    assert!(recorded.gap(0, 2) >= Duration::from_secs(10), "{:?}", recorded.gap(0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_always_fails_becomes_a_dead_letter_and_unblocks_its_group() {
    let (queue, dead) = queue_with(3);
    let recorded = RecordedBatches::default();
    send(&queue, "g", "poison");
    send(&queue, "g", "fine");
    let recorder = recorded.clone();
    let options = MappingOptions { batch_size: 1, ..MappingOptions::default() };
    let mapping = EventSourceMapping::start(
        queue,
        options,
        handler(move |event| {
            recorder.record(&event);
            async move { Ok(failing(&event, "poison")) }
        }),
    )
    .unwrap();
    idle(&mapping).await;
    assert_eq!(recorded.bodies(), [["poison"], ["poison"], ["poison"], ["fine"]]);
    let letters = dead.peek();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].body.as_str(), letters[0].group.as_str()), ("poison", "g"));
}
