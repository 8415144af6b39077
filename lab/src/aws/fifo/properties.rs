//! The promises of a FIFO queue, held against a model under random use.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Send { group: u8, id: u8 },
    Receive { max: usize, timeout: u64 },
    Delete { which: usize },
    ChangeVisibility { which: usize, timeout: u64 },
    Wait { seconds: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u8, 0..30u8).prop_map(|(group, id)| Step::Send { group, id }),
        4 => (1..=MAX_BATCH, 0..60u64).prop_map(|(max, timeout)| Step::Receive { max, timeout }),
        3 => (0..32usize).prop_map(|which| Step::Delete { which }),
        2 => (0..32usize, 0..60u64).prop_map(|(which, timeout)| Step::ChangeVisibility { which, timeout }),
        3 => (0..90i64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// What must be true of a queue, written down without its indexes: per group the bodies in order, and until when each of them
/// is in flight.
#[derive(Default)]
struct Model {
    groups: BTreeMap<String, Vec<(String, Option<Timestamp>)>>,
    last_sent: BTreeMap<(String, String), Timestamp>,
    dead: BTreeMap<String, Vec<String>>,
}

impl Model {
    fn blocked(&self, group: &str, now: Timestamp) -> bool {
        self.groups.get(group).is_some_and(|messages| messages.iter().any(|(_, until)| until.is_some_and(|u| u > now)))
    }

    fn remaining(&self) -> usize {
        self.groups.values().map(Vec::len).sum()
    }
}

fn run(steps: &[Step], max_receive_count: Option<u32>) -> Result<(), TestCaseError> {
    let mut queue = FifoQueue::new("p.fifo", Uuid::from_u128(1), Duration::from_secs(30), max_receive_count);
    let mut model = Model::default();
    let mut handles: Vec<(String, String, String)> = Vec::new();
    let mut now = Timestamp::from_second(1_800_000_000).unwrap();
    let mut serial = 0u32;

    let take = |queue: &mut FifoQueue,
                model: &mut Model,
                handles: &mut Vec<(String, String, String)>,
                now: Timestamp,
                max: usize,
                timeout: Duration|
     -> Result<usize, TestCaseError> {
        let options = ReceiveOptions { max, visibility_timeout: Some(timeout), ..Default::default() };
        let received = queue.receive(now, &options).unwrap();
        for letter in received.dead_letters {
            let live = model.groups.get_mut(&letter.message.group).unwrap();
            let index = live.iter().position(|(body, _)| *body == letter.message.body).unwrap();
            prop_assert_eq!(index, 0, "only the first message of a group is ever given up");
            live.remove(index);
            model.dead.entry(letter.message.group).or_default().push(letter.message.body);
        }
        let mut by_group: BTreeMap<&str, Vec<&ReceivedMessage>> = BTreeMap::new();
        for message in &received.messages {
            by_group.entry(&message.group).or_default().push(message);
        }
        prop_assert!(received.messages.len() <= max);
        for (group, messages) in &by_group {
            prop_assert!(!model.blocked(group, now), "group {} gave a message while one was in flight", group);
            let expected: Vec<&str> =
                model.groups[*group].iter().take(messages.len()).map(|(body, _)| body.as_str()).collect();
            let given: Vec<&str> = messages.iter().map(|m| m.body.as_str()).collect();
            prop_assert_eq!(given, expected, "not the group's first messages in order");
        }
        if received.messages.len() < max {
            for (group, messages) in &model.groups {
                let free = !messages.is_empty() && !model.blocked(group, now);
                prop_assert_eq!(
                    free,
                    by_group.contains_key(group.as_str()),
                    "a free group {} was left out of a receive with room",
                    group
                );
                if free {
                    prop_assert_eq!(by_group[group.as_str()].len(), messages.len());
                }
            }
        }
        let count = received.messages.len();
        for message in received.messages {
            let live = model.groups.get_mut(&message.group).unwrap();
            let entry = live.iter_mut().find(|(body, _)| *body == message.body).unwrap();
            entry.1 = Some(later(now, timeout));
            handles.push((message.group, message.body, message.receipt_handle));
        }
        Ok(count)
    };

    for step in steps {
        match step {
            Step::Send { group, id } => {
                let (group, id) = (format!("g{group}"), format!("d{id}"));
                serial += 1;
                let body = format!("{serial}");
                let receipt = queue.send(now, NewMessage::new(&group, &id, &body)).unwrap();
                let key = (group.clone(), id);
                let remembered =
                    model.last_sent.get(&key).is_some_and(|&sent| later(sent, DEDUPLICATION_INTERVAL) > now);
                prop_assert_eq!(receipt.duplicate, remembered);
                if !remembered {
                    model.last_sent.insert(key, now);
                    model.groups.entry(group).or_default().push((body, None));
                }
            }
            Step::Receive { max, timeout } => {
                take(&mut queue, &mut model, &mut handles, now, *max, Duration::from_secs(*timeout))?;
            }
            Step::Delete { which } => {
                let Some((group, body, handle)) = handles.get(*which % handles.len().max(1)) else { continue };
                let outcome = queue.delete(now, handle);
                let live = model.groups.get_mut(group).unwrap();
                if let Some(index) = live.iter().position(|(b, _)| b == body) {
                    if outcome.is_ok() {
                        prop_assert!(live[index].1.is_some_and(|until| until > now), "deleted what was not in flight");
                        live.remove(index);
                    }
                } else if !model.dead.get(group).is_some_and(|dead| dead.contains(body)) {
                    prop_assert!(outcome.is_ok(), "deleting again must succeed");
                }
            }
            Step::ChangeVisibility { which, timeout } => {
                let Some((group, body, handle)) = handles.get(*which % handles.len().max(1)) else { continue };
                let timeout = Duration::from_secs(*timeout);
                if queue.change_visibility(now, handle, timeout).is_ok() {
                    let live = model.groups.get_mut(group).unwrap();
                    live.iter_mut().find(|(b, _)| b == body).unwrap().1 = Some(later(now, timeout));
                }
            }
            Step::Wait { seconds } => now = later(now, Duration::from_secs(seconds.unsigned_abs())),
        }
        let counts = queue.counts(now);
        prop_assert_eq!(counts.total(), model.remaining());
        let in_flight = model.groups.values().flatten().filter(|(_, until)| until.is_some_and(|u| u > now)).count();
        prop_assert_eq!(counts.in_flight, in_flight);
    }

    // Whatever happened before, what is left comes out once the queue is left alone: in order, and nothing else.
    now = later(now, MAX_VISIBILITY);
    let mut guard = 0;
    while model.remaining() > 0 {
        guard += 1;
        prop_assert!(guard < 1_000, "the queue does not drain");
        let from = handles.len();
        take(&mut queue, &mut model, &mut handles, now, MAX_BATCH, Duration::from_secs(10))?;
        for (group, body, handle) in handles.split_off(from) {
            queue.delete(now, &handle).unwrap();
            model.groups.get_mut(&group).unwrap().retain(|(b, _)| *b != body);
        }
    }
    prop_assert_eq!(queue.counts(now).total(), 0);
    prop_assert!(queue.ready.is_empty() && queue.groups.is_empty() && queue.in_flight.is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn order_blocking_and_completeness_hold_under_any_use(steps in prop::collection::vec(step(), 1..120)) {
        run(&steps, None)?;
    }

    #[test]
    fn they_hold_with_a_dead_letter_queue_too(steps in prop::collection::vec(step(), 1..120), max in 1..4u32) {
        run(&steps, Some(max))?;
    }
}
