//! Property tests: a FIFO queue behaves like a model under random operations.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum QueueOperation {
    Send { group: u8, id: u8 },
    Receive { max: usize, timeout: u64 },
    Delete { which: usize },
    ChangeVisibility { which: usize, timeout: u64 },
    Wait { seconds: i64 },
}

fn operation() -> impl Strategy<Value = QueueOperation> {
    prop_oneof![
        4 => (0..4u8, 0..30u8).prop_map(|(group, id)| QueueOperation::Send { group, id }),
        4 => (1..=MAX_BATCH, 0..60u64).prop_map(|(max, timeout)| QueueOperation::Receive { max, timeout }),
        3 => (0..32usize).prop_map(|which| QueueOperation::Delete { which }),
        2 => (0..32usize, 0..60u64).prop_map(|(which, timeout)| QueueOperation::ChangeVisibility { which, timeout }),
        3 => (0..90i64).prop_map(|seconds| QueueOperation::Wait { seconds }),
    ]
}

const OPTIONS: FifoOptions = FifoOptions {
    visibility_timeout: Duration::from_secs(30),
    max_receive_count: None,
    retention: None,
    look_through: LOOK_THROUGH,
};

/// No operation makes a message invisible for longer than this.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

struct ModelledMessage {
    body: String,
    sent_at: Timestamp,
    /// Until when it is in flight; `None` if it was never received.
    until: Option<Timestamp>,
}

/// A model of a queue without its indexes: the messages of each group in order.
#[derive(Default)]
struct Model {
    groups: BTreeMap<String, Vec<ModelledMessage>>,
    last_sent: BTreeMap<(String, String), Timestamp>,
    dead: BTreeMap<String, Vec<String>>,
    /// The bodies of messages whose retention period has ended, until the queue's report was compared with them.
    dropped: Vec<String>,
}

impl Model {
    fn blocked(&self, group: &str, now: Timestamp) -> bool {
        self.groups.get(group).is_some_and(|messages| messages.iter().any(|m| m.until.is_some_and(|until| until > now)))
    }

    fn remaining(&self) -> usize {
        self.groups.values().map(Vec::len).sum()
    }

    /// Returns the bodies of the first messages. Bodies are in the order in which they were sent.
    fn first(&self, most: usize) -> BTreeSet<String> {
        let all: BTreeSet<_> = self.groups.values().flatten().map(|message| message.body.clone()).collect();
        all.into_iter().take(most).collect()
    }

    /// Drops what is too old.
    fn drop_old(&mut self, now: Timestamp, retention: Duration) {
        for messages in self.groups.values_mut() {
            let old = messages.extract_if(.., |message| later(message.sent_at, retention) <= now);
            self.dropped.extend(old.map(|message| message.body));
        }
        // Bodies are in the order in which they were sent.
        self.dropped.sort();
    }
}

/// A queue, its model, and the issued receipt handles: group, body, handle.
struct ModelledQueue {
    queue: FifoQueue,
    model: Model,
    handles: Vec<(String, String, String)>,
    now: Timestamp,
    serial: u32,
}

impl ModelledQueue {
    fn new(options: FifoOptions) -> Self {
        Self {
            queue: FifoQueue::new("p.fifo", Uuid::from_u128(1), options),
            model: Model::default(),
            handles: Vec::new(),
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            serial: 0,
        }
    }

    fn play(&mut self, operation: &QueueOperation) -> Result<(), TestCaseError> {
        match operation {
            QueueOperation::Send { group, id } => self.send(format!("g{group}"), format!("d{id}"))?,
            QueueOperation::Receive { max, timeout } => self.receive(*max, Duration::from_secs(*timeout))?,
            QueueOperation::Delete { which } => self.delete(*which)?,
            QueueOperation::ChangeVisibility { which, timeout } => {
                self.change_visibility(*which, Duration::from_secs(*timeout));
            }
            QueueOperation::Wait { seconds } => {
                self.wait(Duration::from_secs(seconds.unsigned_abs()));
                // Don't update the queue by looking at it: each operation must take account of the time by itself.
                return Ok(());
            }
        }
        self.check_state()
    }

    fn wait(&mut self, time: Duration) {
        self.now = later(self.now, time);
        if let Some(retention) = self.queue.options().retention {
            self.model.drop_old(self.now, retention);
        }
    }

    fn check_state(&mut self) -> Result<(), TestCaseError> {
        let counts = self.queue.counts(self.now);
        prop_assert_eq!(counts.total(), self.model.remaining());
        let messages = self.model.groups.values().flatten();
        let in_flight = messages.filter(|message| message.until.is_some_and(|until| until > self.now)).count();
        prop_assert_eq!(counts.in_flight, in_flight);
        let dropped: Vec<_> = self.queue.take_dropped(self.now).into_iter().map(|message| message.body).collect();
        prop_assert_eq!(dropped, mem::take(&mut self.model.dropped));
        Ok(())
    }

    fn send(&mut self, group: String, id: String) -> Result<(), TestCaseError> {
        self.serial += 1;
        let body = format!("{:03}", self.serial);
        let receipt = self.queue.send(self.now, NewMessage::new(&group, &id, &body)).unwrap();
        let key = (group.clone(), id);
        let sent_before = self.model.last_sent.get(&key);
        let remembered = sent_before.is_some_and(|&sent| later(sent, DEDUPLICATION_INTERVAL) > self.now);
        prop_assert_eq!(receipt.duplicate, remembered);
        if !remembered {
            self.model.last_sent.insert(key, self.now);
            self.model.groups.entry(group).or_default().push(ModelledMessage { body, sent_at: self.now, until: None });
        }
        Ok(())
    }

    fn receive(&mut self, max: usize, timeout: Duration) -> Result<(), TestCaseError> {
        let options = ReceiveOptions { max, visibility_timeout: Some(timeout), ..Default::default() };
        let received = self.queue.receive(self.now, &options).unwrap();
        for letter in received.dead_letters {
            let live = self.model.groups.get_mut(&letter.message.group).unwrap();
            let index = live.iter().position(|live| live.body == letter.message.body).unwrap();
            prop_assert_eq!(index, 0, "only the first message of a group is ever given up");
            live.remove(index);
            self.model.dead.entry(letter.message.group).or_default().push(letter.message.body);
        }
        prop_assert!(received.messages.len() <= max);
        self.check_order(&received.messages, max)?;
        for message in received.messages {
            let live = self.model.groups.get_mut(&message.group).unwrap();
            let entry = live.iter_mut().find(|live| live.body == message.body).unwrap();
            entry.until = Some(later(self.now, timeout));
            self.handles.push((message.group, message.body, message.receipt_handle));
        }
        Ok(())
    }

    /// A receive must return the first messages of each free group, and of all free groups if the maximum allows.
    fn check_order(&self, received: &[ReceivedMessage], max: usize) -> Result<(), TestCaseError> {
        let mut by_group: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for message in received {
            by_group.entry(&message.group).or_default().push(&message.body);
        }
        for (group, given) in &by_group {
            prop_assert!(
                !self.model.blocked(group, self.now),
                "group {} gave a message while one was in flight",
                group
            );
            let expected: Vec<&str> =
                self.model.groups[*group].iter().take(given.len()).map(|message| message.body.as_str()).collect();
            prop_assert_eq!(given, &expected, "not the group's first messages in order");
        }
        if received.len() == max {
            return Ok(());
        }
        let seen = self.model.first(self.queue.options().look_through);
        for (group, messages) in &self.model.groups {
            let seen = messages.iter().filter(|message| seen.contains(&message.body)).count();
            let free = seen > 0 && !self.model.blocked(group, self.now);
            let given = by_group.get(group.as_str());
            prop_assert_eq!(free, given.is_some(), "a free group {} was left out of a receive with room", group);
            prop_assert!(given.is_none_or(|given| given.len() == seen));
        }
        Ok(())
    }

    fn delete(&mut self, which: usize) -> Result<(), TestCaseError> {
        let Some((group, body, handle)) = self.handles.get(which % self.handles.len().max(1)) else { return Ok(()) };
        let outcome = self.queue.delete(self.now, handle);
        let live = self.model.groups.get_mut(group).unwrap();
        if let Some(index) = live.iter().position(|live| live.body == *body) {
            if outcome.is_ok() {
                prop_assert!(live[index].until.is_some_and(|until| until > self.now), "deleted what was not in flight");
                live.remove(index);
            }
        } else if !self.model.dead.get(group).is_some_and(|dead| dead.contains(body)) {
            prop_assert!(outcome.is_ok(), "deleting again must succeed");
        }
        Ok(())
    }

    fn change_visibility(&mut self, which: usize, timeout: Duration) {
        let Some((group, body, handle)) = self.handles.get(which % self.handles.len().max(1)) else { return };
        if self.queue.change_visibility(self.now, handle, timeout).is_ok() {
            let live = self.model.groups.get_mut(group).unwrap();
            live.iter_mut().find(|live| live.body == *body).unwrap().until = Some(later(self.now, timeout));
        }
    }

    /// Whatever happened before, an undisturbed queue returns exactly the remaining messages, in order.
    fn drain(&mut self) -> Result<(), TestCaseError> {
        self.wait(LONGEST_TIMEOUT);
        let mut guard = 0;
        while self.model.remaining() > 0 {
            guard += 1;
            prop_assert!(guard < 1_000, "the queue does not drain");
            let from = self.handles.len();
            self.receive(MAX_BATCH, Duration::from_secs(10))?;
            for (group, body, handle) in self.handles.split_off(from) {
                self.queue.delete(self.now, &handle).unwrap();
                self.model.groups.get_mut(&group).unwrap().retain(|live| live.body != body);
            }
        }
        self.check_state()?;
        let queue = &self.queue;
        prop_assert!(queue.ready.is_empty() && queue.groups.is_empty() && queue.in_flight.is_empty());
        Ok(())
    }
}

fn run(operations: &[QueueOperation], options: FifoOptions) -> Result<(), TestCaseError> {
    let mut modelled = ModelledQueue::new(options);
    for operation in operations {
        modelled.play(operation)?;
    }
    modelled.drain()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn order_blocking_and_completeness_hold_for_any_operations(operations in prop::collection::vec(operation(), 1..120)) {
        run(&operations, OPTIONS)?;
    }

    #[test]
    fn a_queue_that_looks_through_few_messages_gives_those_of_them_that_are_free(
        operations in prop::collection::vec(operation(), 1..120),
        look_through in 1..6usize,
    ) {
        run(&operations, FifoOptions { look_through, ..OPTIONS })?;
    }

    #[test]
    fn order_and_completeness_hold_with_a_dead_letter_queue(operations in prop::collection::vec(operation(), 1..120), max in 1..4u32) {
        run(&operations, FifoOptions { max_receive_count: Some(max), ..OPTIONS })?;
    }

    #[test]
    fn order_and_completeness_hold_with_a_retention_period(
        operations in prop::collection::vec(operation(), 1..120),
        max_receive_count in prop::option::of(1..4u32),
        seconds in 30..400u64,
    ) {
        run(&operations, FifoOptions { max_receive_count, retention: Some(Duration::from_secs(seconds)), ..OPTIONS })?;
    }
}
