//! One FIFO queue as AWS SQS implements it in high-throughput mode.
//!
//! The mode has `DeduplicationScope=messageGroup` and `FifoThroughputLimit=perMessageGroupId`. The queue is a plain
//! value: time is an argument that never decreases from call to call, and there is no IO. The lab's SQS stand-in answers
//! with it, and a simulation can use it without the lab.
//!
//! Four rules of AWS that surprise callers, and how this queue implements them:
//!
//! - **No message of a group is received while one of the group is in flight.** AWS documents this ("when messages that
//!   belong to a particular message group id are invisible, no other consumer can process messages with the same message
//!   group id"). Observed behavior (localstack/localstack#13386) is slightly different: of messages that were received
//!   together, those that are visible again and precede the first invisible one can be received. A caller that makes one
//!   message of a group visible should make all later ones visible too. Then both rules give the same result.
//! - **A receipt handle expires with the visibility timeout of its receive.** After that, or after another receive,
//!   deleting or changing visibility fails ("The receipt handle has expired"). A standard queue would still delete.
//!   Deleting a deleted message succeeds; changing its visibility fails.
//! - **A message that was received `maxReceiveCount` times moves to the dead-letter queue at the next receive**, not when
//!   its visibility timeout ends.
//! - **The queue looks only through its first 120,000 messages for a group that can be received.** AWS doesn't say which messages count.
//!   Here all count that are not deleted, in flight or not, and a later message of a group that was found is not received either. So no more
//!   than this number are in flight, which is AWS's other limit of a FIFO queue.
//!
//! A queue with a retention period drops each message when the period has passed since it was sent to this queue, even if
//! the message is in flight or was never received. [`FifoQueue::take_dropped`] returns what was dropped. A queue without
//! one keeps messages until they are deleted; AWS has no such queue.

mod error;
mod exchange;
mod message;
#[cfg(test)]
mod properties;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::mem;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

pub use error::FifoError;
pub use exchange::{DeadLetter, FifoOptions, QueueCounts, ReceiveOptions, ReceiveResult, SendReceipt};
pub use message::{
    AttributeContent, MAX_MESSAGE_BYTES, MessageAttribute, MessageAttributes, NewMessage, ReceivedMessage,
    md5_of_attributes, md5_of_body,
};
use stored::{InFlight, Stored, parse_receipt_handle, receipt_handle, sequence_number};

/// The maximum number of messages of one receive, and of entries of one batch (AWS's limit).
pub const MAX_BATCH: usize = 10;

/// The longest visibility timeout, and the longest time a message may stay in flight after one receive (AWS: 12 hours).
pub const MAX_VISIBILITY: Duration = Duration::from_secs(43_200);

/// How many messages a queue looks through for a group that can be received.
///
/// AWS's page "Avoid large message backlogs with the same message group ID" has the number. It is also the most messages that can be in flight.
pub const LOOK_THROUGH: usize = 120_000;

/// How long a deduplication id is remembered after the message it came with was sent (AWS: 5 minutes).
pub const DEDUPLICATION_INTERVAL: Duration = Duration::from_secs(300);

/// A group's messages by position. `ready` is its key in the queue's index of groups that can be received.
#[derive(Debug, Default)]
struct Group {
    order: BTreeSet<u64>,
    in_flight: usize,
    ready: Option<u64>,
}

#[derive(Debug)]
struct DeduplicationRecord {
    position: u64,
    message_id: String,
}

type DeduplicationKey = (String, String);

/// A FIFO queue.
#[derive(Debug)]
pub struct FifoQueue {
    name: String,
    seed: Uuid,
    options: FifoOptions,
    next_position: u64,
    messages: BTreeMap<u64, Stored>,
    groups: HashMap<String, Group>,
    /// Groups that have messages and none in flight, by the position of their first message. The oldest group is first.
    ready: BTreeMap<u64, String>,
    in_flight: BTreeSet<(Timestamp, u64)>,
    /// How many messages are before `seen_until`, and the position of the first one that the queue doesn't look at.
    seen: usize,
    seen_until: u64,
    deduplication: HashMap<DeduplicationKey, DeduplicationRecord>,
    deduplication_ends: VecDeque<(Timestamp, DeduplicationKey)>,
    /// The dropped messages that [`Self::take_dropped`] has not returned yet.
    dropped: Vec<ReceivedMessage>,
}

impl FifoQueue {
    /// Returns an empty queue. `seed` makes its message ids differ from those of any other queue.
    pub fn new(name: impl Into<String>, seed: Uuid, options: FifoOptions) -> Self {
        Self {
            name: name.into(),
            seed,
            options,
            next_position: 1,
            messages: BTreeMap::new(),
            groups: HashMap::new(),
            ready: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            seen: 0,
            seen_until: 1,
            deduplication: HashMap::new(),
            deduplication_ends: VecDeque::new(),
            dropped: Vec::new(),
        }
    }

    /// Returns the options that the queue was created with.
    pub fn options(&self) -> FifoOptions {
        self.options
    }

    /// Appends a message to its group, unless the group got its deduplication id within the last 5 minutes.
    ///
    /// # Errors
    /// Those of [`NewMessage::check`].
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
        self.deduplication.insert(key.clone(), DeduplicationRecord { position, message_id: message_id.clone() });
        self.deduplication_ends.push_back((later(now, DEDUPLICATION_INTERVAL), key));
        Ok(SendReceipt { message_id, sequence_number: sequence_number(position), duplicate: false })
    }

    /// Takes over a message that another queue gave up; `source_arn` is that queue's ARN. Deduplication does not apply,
    /// because the message is new to this queue. Its enqueue time is reset, as AWS does for FIFO queues, so this queue's
    /// retention period begins now.
    pub fn accept_dead_letter(&mut self, now: Timestamp, letter: DeadLetter, source_arn: &str) {
        self.store(now, letter.message_id, letter.message, Some(source_arn.to_owned()));
    }

    /// Receives messages, in order within each group, and puts them in flight. Messages that were received too often are
    /// removed from the queue: the caller passes them to the dead-letter queue ([`Self::accept_dead_letter`]).
    ///
    /// # Errors
    /// [`FifoError::InvalidParameter`] if `max` is not 1 to 10 or the visibility timeout exceeds 12 hours.
    pub fn receive(&mut self, now: Timestamp, options: &ReceiveOptions) -> Result<ReceiveResult, FifoError> {
        if options.max == 0 || options.max > MAX_BATCH {
            return Err(FifoError::InvalidParameter(format!(
                "Value {} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and {MAX_BATCH}, if \
                 provided.",
                options.max
            )));
        }
        let timeout = options.visibility_timeout.unwrap_or(self.options.visibility_timeout);
        check_visibility(timeout)?;
        self.update(now);

        let mut given = Vec::new();
        let mut exhausted = Vec::new();
        let ready = self.ready.range(..self.seen_until).map(|(_, group)| group);
        for group in ready.filter(|group| !options.busy_groups.contains(*group)) {
            if given.len() == options.max {
                break;
            }
            for &position in self.groups.get(group).into_iter().flat_map(|group| &group.order) {
                if given.len() == options.max || position >= self.seen_until {
                    break;
                }
                let received = self.messages.get(&position).map_or(0, |stored| stored.receive_count);
                if self.options.max_receive_count.is_some_and(|max| received >= max) {
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
        Ok(ReceiveResult { messages, dead_letters })
    }

    /// Deletes a message that is in flight. Deleting a deleted or dropped message succeeds.
    ///
    /// # Errors
    /// [`FifoError::ReceiptHandleExpired`] after the handle's visibility timeout or another receive,
    /// [`FifoError::ReceiptHandleInvalid`] if this queue never issued it.
    pub fn delete(&mut self, now: Timestamp, receipt_handle: &str) -> Result<(), FifoError> {
        self.update(now);
        if let Some(position) = self.find_in_flight(receipt_handle)? {
            self.remove(position);
        }
        Ok(())
    }

    /// Makes a message in flight visible after `timeout`; zero makes it visible at once.
    ///
    /// # Errors
    /// Those of [`Self::delete`], [`FifoError::NotAvailable`] if the message was deleted or dropped, and
    /// [`FifoError::InvalidParameter`] if the message would be in flight for more than 12 hours since its receive.
    pub fn change_visibility(
        &mut self,
        now: Timestamp,
        receipt_handle: &str,
        timeout: Duration,
    ) -> Result<(), FifoError> {
        check_visibility(timeout)?;
        self.update(now);
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

    /// Returns the messages that were dropped since the last call of this method, because their retention period had
    /// ended by `now`. Each is returned once, by sequence number, with an empty `receipt_handle`. A queue without a
    /// retention period drops nothing.
    pub fn take_dropped(&mut self, now: Timestamp) -> Vec<ReceivedMessage> {
        self.update(now);
        mem::take(&mut self.dropped)
    }

    /// Deletes every message, including those in flight. Deduplication ids are kept.
    pub fn purge(&mut self) {
        self.messages.clear();
        self.groups.clear();
        self.ready.clear();
        self.in_flight.clear();
        (self.seen, self.seen_until) = (0, self.next_position);
    }

    /// Returns the number of messages, by visibility.
    pub fn counts(&mut self, now: Timestamp) -> QueueCounts {
        self.update(now);
        let in_flight = self.in_flight.len();
        QueueCounts { visible: self.messages.len() - in_flight, in_flight }
    }

    /// Returns when the next message in flight becomes visible by itself; `None` if no message is in flight. A time in
    /// the past means that the message is visible, but no call has updated the queue yet. The retention period may end
    /// before this time, which also unblocks the group.
    pub fn next_visible_at(&self) -> Option<Timestamp> {
        self.in_flight.first().map(|&(visible_at, _)| visible_at)
    }

    /// Returns every message by sequence number, without receiving it. `receipt_handle` is empty. `first_received_at` of
    /// a message that was never received is the time it was sent. A message whose retention period has ended may be
    /// included until a call with a later time updates the queue.
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
        self.look_further();
        self.index(&group);
    }

    /// Looks at further messages, as far as the queue looks.
    fn look_further(&mut self) {
        while self.seen < self.options.look_through
            && let Some((&next, _)) = self.messages.range(self.seen_until..).next()
        {
            self.seen += 1;
            self.seen_until = next + 1;
        }
    }

    fn give_out(&mut self, now: Timestamp, position: u64, timeout: Duration) -> Option<ReceivedMessage> {
        let visible_at = later(now, timeout);
        let stored = self.messages.get_mut(&position)?;
        stored.receive_count += 1;
        stored.first_received_at.get_or_insert(now);
        stored.flight = Some(InFlight { received_at: now, visible_at });
        let receipt_handle = receipt_handle(&self.name, position, stored.receive_count);
        let received = stored.shown(position, receipt_handle);
        self.in_flight.insert((visible_at, position));
        if let Some(group) = self.groups.get_mut(&received.group) {
            group.in_flight += 1;
        }
        self.index(&received.group);
        Some(received)
    }

    /// Does what is due by itself at `now`. Every call that depends on it does it first.
    fn update(&mut self, now: Timestamp) {
        self.drop_old(now);
        self.release_expired(now);
    }

    /// Drops the messages whose retention period has ended. They are the first ones, because time never decreases.
    fn drop_old(&mut self, now: Timestamp) {
        let Some(retention) = self.options.retention else { return };
        while let Some((&position, first)) = self.messages.first_key_value() {
            if later(first.sent_at, retention) > now {
                return;
            }
            let dropped = self.remove(position).map(|stored| stored.shown(position, String::new()));
            self.dropped.extend(dropped);
        }
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
        if position < self.seen_until {
            self.seen -= 1;
            self.look_further();
        }
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

    /// Updates the index of groups that can be received for one group.
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

    /// The position of a receipt handle's message; `None` if the message is deleted.
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
