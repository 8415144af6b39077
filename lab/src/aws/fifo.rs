//! One FIFO queue as AWS SQS keeps it in high-throughput mode (`DeduplicationScope=messageGroup`,
//! `FifoThroughputLimit=perMessageGroupId`), as a plain value: time is an argument, and there is no IO.
//!
//! Three rules of AWS that a caller may trip over, and how this queue keeps them:
//!
//! - **A group with a message in flight gives nothing out.** That is what AWS documents ("when messages that belong to a
//!   particular message group id are invisible, no other consumer can process messages with the same message group id").
//!   Observed on AWS (localstack/localstack#13386) is a little less: of messages received together, those that are visible
//!   again and stand before the first invisible one are given out. Who makes one message of a group visible should make all
//!   those after it visible too, and then both readings give the same.
//! - **A receipt handle lives as long as the visibility timeout of its receive.** After that, or after another receive, deleting
//!   or changing visibility fails ("The receipt handle has expired"); a standard queue would still delete. Deleting what is
//!   already deleted succeeds; changing its visibility fails.
//! - **A message that was received `maxReceiveCount` times moves away at the next receive**, not when its visibility ends.
//!
//! Messages are kept until they are deleted: there is no retention period here, where AWS drops a message after at most 14 days.

mod error;
mod exchange;
mod message;
#[cfg(test)]
mod properties;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub use error::FifoError;
pub use exchange::{QueueCounts, ReceiveOptions, SendReceipt};
pub use message::{
    AttributeContent, MAX_MESSAGE_BYTES, MessageAttribute, MessageAttributes, NewMessage, ReceivedMessage,
    md5_of_attributes, md5_of_body,
};
use stored::{Flight, Stored, parse_receipt_handle, receipt_handle, sequence_number};

/// The most messages of one receive, and the most entries of one batch (AWS's limit).
pub const MAX_BATCH: usize = 10;

/// The longest visibility timeout, and the longest time a message may stay in flight after one receive (AWS: 12 hours).
pub const MAX_VISIBILITY: Duration = Duration::from_secs(43_200);

/// How long a deduplication id is remembered after the message it came with was sent (AWS: 5 minutes).
pub const DEDUPLICATION_INTERVAL: Duration = Duration::from_secs(300);

/// A message that was received too often and is on its way to the dead-letter queue.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    message_id: String,
    message: NewMessage,
}

/// What a receive takes out of a queue.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) messages: Vec<ReceivedMessage>,
    pub(crate) dead_letters: Vec<DeadLetter>,
}

/// A group's messages by position. `ready` is its key in the queue's index of groups that may be given out.
#[derive(Debug, Default)]
struct Group {
    order: BTreeSet<u64>,
    in_flight: usize,
    ready: Option<u64>,
}

#[derive(Debug)]
struct Remembered {
    position: u64,
    message_id: String,
}

type DeduplicationKey = (String, String);

/// A FIFO queue.
#[derive(Debug)]
pub struct FifoQueue {
    name: String,
    seed: Uuid,
    visibility_timeout: Duration,
    max_receive_count: Option<u32>,
    next_position: u64,
    messages: BTreeMap<u64, Stored>,
    groups: HashMap<String, Group>,
    /// Groups with messages and none of them in flight, by the position of their first message: the longest wait comes first.
    ready: BTreeMap<u64, String>,
    in_flight: BTreeSet<(Timestamp, u64)>,
    deduplication: HashMap<DeduplicationKey, Remembered>,
    deduplication_ends: VecDeque<(Timestamp, DeduplicationKey)>,
}

impl FifoQueue {
    /// An empty queue. `seed` makes its message ids different from any other queue's.
    pub fn new(
        name: impl Into<String>,
        seed: Uuid,
        visibility_timeout: Duration,
        max_receive_count: Option<u32>,
    ) -> Self {
        Self {
            name: name.into(),
            seed,
            visibility_timeout,
            max_receive_count,
            next_position: 1,
            messages: BTreeMap::new(),
            groups: HashMap::new(),
            ready: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            deduplication: HashMap::new(),
            deduplication_ends: VecDeque::new(),
        }
    }

    /// How long a received message stays in flight if the receive says nothing else.
    pub fn visibility_timeout(&self) -> Duration {
        self.visibility_timeout
    }

    /// How often a message is given out before it moves to the dead-letter queue; `None` for ever.
    pub fn max_receive_count(&self) -> Option<u32> {
        self.max_receive_count
    }

    /// Puts a message at the end of its group, unless its deduplication id came in this group within the last 5 minutes.
    ///
    /// # Errors
    /// [`NewMessage::check`]'s.
    pub fn send(&mut self, now: Timestamp, message: NewMessage) -> Result<SendReceipt, FifoError> {
        message.check()?;
        self.forget_old_deduplication_ids(now);
        let key = (message.group.clone(), message.deduplication_id.clone());
        if let Some(first) = self.deduplication.get(&key) {
            return Ok(SendReceipt {
                message_id: first.message_id.clone(),
                sequence_number: sequence_number(first.position),
                duplicate: true,
            });
        }
        let position = self.next_position;
        let message_id = Uuid::new_v5(&self.seed, &position.to_be_bytes()).to_string();
        self.store(now, message_id.clone(), message, None);
        self.deduplication.insert(key.clone(), Remembered { position, message_id: message_id.clone() });
        self.deduplication_ends.push_back((later(now, DEDUPLICATION_INTERVAL), key));
        Ok(SendReceipt { message_id, sequence_number: sequence_number(position), duplicate: false })
    }

    /// Takes over what another queue gave up on. Deduplication does not apply: the message is new to this queue, and its
    /// enqueue time is reset, as AWS does for FIFO queues.
    pub(crate) fn accept_dead_letter(&mut self, now: Timestamp, letter: DeadLetter, source_arn: &str) {
        self.store(now, letter.message_id, letter.message, Some(source_arn.to_owned()));
    }

    /// Gives out messages, in order within every group, and keeps them in flight.
    ///
    /// # Errors
    /// [`FifoError::InvalidParameter`] if `max` is not 1 to 10 or the visibility timeout is over 12 hours.
    pub(crate) fn receive(&mut self, now: Timestamp, options: &ReceiveOptions) -> Result<Received, FifoError> {
        if options.max == 0 || options.max > MAX_BATCH {
            return Err(FifoError::InvalidParameter(format!(
                "Value {} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and {MAX_BATCH}, if \
                 provided.",
                options.max
            )));
        }
        let timeout = options.visibility_timeout.unwrap_or(self.visibility_timeout);
        check_visibility(timeout)?;
        self.release_expired(now);

        let mut given = Vec::new();
        let mut exhausted = Vec::new();
        for group in self.ready.values().filter(|group| !options.busy_groups.contains(*group)) {
            if given.len() == options.max {
                break;
            }
            for &position in self.groups.get(group).into_iter().flat_map(|group| &group.order) {
                if given.len() == options.max {
                    break;
                }
                let received = self.messages.get(&position).map_or(0, |stored| stored.receive_count);
                if self.max_receive_count.is_some_and(|max| received >= max) {
                    exhausted.push(position);
                } else {
                    given.push(position);
                }
            }
        }
        let dead_letters = exhausted
            .into_iter()
            .filter_map(|position| self.remove(position))
            .map(|stored| DeadLetter { message_id: stored.message_id, message: stored.message })
            .collect();
        let messages = given.into_iter().filter_map(|position| self.give_out(now, position, timeout)).collect();
        Ok(Received { messages, dead_letters })
    }

    /// Deletes a message that is in flight. Deleting what is already gone succeeds.
    ///
    /// # Errors
    /// [`FifoError::ReceiptHandleExpired`] after the handle's visibility timeout or another receive,
    /// [`FifoError::ReceiptHandleInvalid`] if this queue never gave it out.
    pub fn delete(&mut self, now: Timestamp, receipt_handle: &str) -> Result<(), FifoError> {
        self.release_expired(now);
        if let Some(position) = self.find_in_flight(receipt_handle)? {
            self.remove(position);
        }
        Ok(())
    }

    /// Makes a message in flight visible after `timeout` from now; zero gives it back at once.
    ///
    /// # Errors
    /// As [`Self::delete`], [`FifoError::NotAvailable`] if the message is gone, and [`FifoError::InvalidParameter`] if the
    /// message would then be in flight for more than 12 hours since it was received.
    pub fn change_visibility(
        &mut self,
        now: Timestamp,
        receipt_handle: &str,
        timeout: Duration,
    ) -> Result<(), FifoError> {
        check_visibility(timeout)?;
        self.release_expired(now);
        let position =
            self.find_in_flight(receipt_handle)?.ok_or_else(|| FifoError::NotAvailable(receipt_handle.to_owned()))?;
        let Some(flight) = self.messages.get_mut(&position).and_then(|stored| stored.flight.as_mut()) else {
            return Err(FifoError::ReceiptHandleExpired(receipt_handle.to_owned()));
        };
        let visible_at = later(now, timeout);
        if visible_at > later(flight.received_at, MAX_VISIBILITY) {
            return Err(FifoError::InvalidParameter(format!(
                "Value {} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is \
                 beyond the limit [{} seconds].",
                timeout.as_secs(),
                MAX_VISIBILITY.as_secs()
            )));
        }
        self.in_flight.remove(&(flight.visible_at, position));
        flight.visible_at = visible_at;
        self.in_flight.insert((visible_at, position));
        self.release_expired(now);
        Ok(())
    }

    /// Deletes every message, those in flight included. Deduplication ids stay remembered.
    pub fn purge(&mut self) {
        self.messages.clear();
        self.groups.clear();
        self.ready.clear();
        self.in_flight.clear();
    }

    /// How many messages there are, by whether they can be seen.
    pub fn counts(&mut self, now: Timestamp) -> QueueCounts {
        self.release_expired(now);
        let in_flight = self.in_flight.len();
        QueueCounts { visible: self.messages.len() - in_flight, in_flight }
    }

    /// When the next message in flight becomes visible by itself. An instant in the past means: it has, and no call noticed yet.
    pub fn next_visible_at(&self) -> Option<Timestamp> {
        self.in_flight.first().map(|&(visible_at, _)| visible_at)
    }

    /// Every message in the order of their sequence numbers, without receiving them. `receipt_handle` is empty, and
    /// `first_received_at` is the time it was sent for a message that was never received.
    pub fn peek(&self) -> Vec<ReceivedMessage> {
        self.messages.iter().map(|(&position, stored)| stored.shown(position, String::new())).collect()
    }

    fn store(&mut self, now: Timestamp, message_id: String, message: NewMessage, dead_letter_source: Option<String>) {
        let position = self.next_position;
        self.next_position += 1;
        let group = message.group.clone();
        self.groups.entry(group.clone()).or_default().order.insert(position);
        self.messages.insert(
            position,
            Stored {
                message_id,
                message,
                sent_at: now,
                first_received_at: None,
                receive_count: 0,
                flight: None,
                dead_letter_source,
            },
        );
        self.index(&group);
    }

    fn give_out(&mut self, now: Timestamp, position: u64, timeout: Duration) -> Option<ReceivedMessage> {
        let visible_at = later(now, timeout);
        let stored = self.messages.get_mut(&position)?;
        stored.receive_count += 1;
        stored.first_received_at.get_or_insert(now);
        stored.flight = Some(Flight { received_at: now, visible_at });
        let receipt_handle = receipt_handle(&self.name, position, stored.receive_count);
        let received = stored.shown(position, receipt_handle);
        self.in_flight.insert((visible_at, position));
        if let Some(group) = self.groups.get_mut(&received.group) {
            group.in_flight += 1;
        }
        self.index(&received.group);
        Some(received)
    }

    fn release_expired(&mut self, now: Timestamp) {
        while let Some(&(visible_at, position)) = self.in_flight.first() {
            if visible_at > now {
                return;
            }
            self.in_flight.pop_first();
            let Some(stored) = self.messages.get_mut(&position) else { continue };
            stored.flight = None;
            let group = stored.message.group.clone();
            if let Some(group) = self.groups.get_mut(&group) {
                group.in_flight = group.in_flight.saturating_sub(1);
            }
            self.index(&group);
        }
    }

    fn remove(&mut self, position: u64) -> Option<Stored> {
        let stored = self.messages.remove(&position)?;
        if let Some(group) = self.groups.get_mut(&stored.message.group) {
            group.order.remove(&position);
            if let Some(flight) = &stored.flight {
                group.in_flight = group.in_flight.saturating_sub(1);
                self.in_flight.remove(&(flight.visible_at, position));
            }
        }
        self.index(&stored.message.group);
        Some(stored)
    }

    /// Brings the index of groups that may be given out up to date with one group.
    fn index(&mut self, name: &str) {
        let Some(group) = self.groups.get_mut(name) else { return };
        if let Some(position) = group.ready.take() {
            self.ready.remove(&position);
        }
        match group.order.first() {
            None => {
                self.groups.remove(name);
            }
            Some(&first) if group.in_flight == 0 => {
                group.ready = Some(first);
                self.ready.insert(first, name.to_owned());
            }
            Some(_) => {}
        }
    }

    /// The position a receipt handle stands for; `None` if its message is gone.
    fn find_in_flight(&self, handle: &str) -> Result<Option<u64>, FifoError> {
        let (position, receive_count) =
            parse_receipt_handle(&self.name, handle).ok_or(FifoError::ReceiptHandleInvalid)?;
        if position == 0 || position >= self.next_position {
            return Err(FifoError::ReceiptHandleInvalid);
        }
        match self.messages.get(&position) {
            None => Ok(None),
            Some(stored) if stored.flight.is_some() && stored.receive_count == receive_count => Ok(Some(position)),
            Some(_) => Err(FifoError::ReceiptHandleExpired(handle.to_owned())),
        }
    }

    fn forget_old_deduplication_ids(&mut self, now: Timestamp) {
        while let Some((end, _)) = self.deduplication_ends.front() {
            if *end > now {
                return;
            }
            if let Some((_, key)) = self.deduplication_ends.pop_front() {
                self.deduplication.remove(&key);
            }
        }
    }
}

fn check_visibility(timeout: Duration) -> Result<(), FifoError> {
    if timeout > MAX_VISIBILITY {
        return Err(FifoError::InvalidParameter(format!(
            "Value {} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and {}, if provided.",
            timeout.as_secs(),
            MAX_VISIBILITY.as_secs()
        )));
    }
    Ok(())
}

fn later(instant: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| instant.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}
