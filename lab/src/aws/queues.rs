//! All queues of one account and region: names, attributes and dead-letter queues. Plain values without IO.

use std::collections::BTreeMap;
use std::time::Duration;

use connector_testing::fifo::{
    FifoError, FifoOptions, FifoQueue, LOOK_THROUGH, MAX_MESSAGE_BYTES, MAX_VISIBILITY, NewMessage, QueueCounts,
    ReceiveOptions, ReceivedMessage, SendReceipt,
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The default visibility timeout of a queue (AWS: 30 seconds).
pub const DEFAULT_VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

const MAX_NAME_CHARACTERS: usize = 80;
const MAX_MAX_RECEIVE_COUNT: u32 = 1_000;
const PURGE_INTERVAL: SignedDuration = SignedDuration::from_secs(60);

/// A redrive policy: when messages move to which dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// The name of the dead-letter queue. It must exist.
    pub dead_letter_queue: String,
    /// How often a message is received before it moves, 1 to 1000.
    pub max_receive_count: u32,
}

/// The settings of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// The visibility timeout, at most 12 hours.
    pub visibility_timeout: Duration,
    /// The redrive policy; `None` for no dead-letter queue.
    pub redrive: Option<Redrive>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { visibility_timeout: DEFAULT_VISIBILITY_TIMEOUT, redrive: None }
    }
}

#[derive(Debug)]
struct QueueEntry {
    queue: FifoQueue,
    settings: QueueSettings,
    created_at: Timestamp,
    purged_at: Option<Timestamp>,
}

/// The queues by name.
#[derive(Debug)]
pub struct Queues {
    region: String,
    account: String,
    seed: Uuid,
    entries: BTreeMap<String, QueueEntry>,
    revision: u64,
}

impl Queues {
    /// No queues yet. `seed` makes message ids differ from those of other instances.
    pub fn new(region: impl Into<String>, account: impl Into<String>, seed: Uuid) -> Self {
        Self { region: region.into(), account: account.into(), seed, entries: BTreeMap::new(), revision: 0 }
    }

    /// A number that changes with every change that is relevant to a waiting receiver.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The region in every ARN.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account id in every ARN and URL.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The ARN of a queue with this name.
    pub fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", self.region, self.account)
    }

    /// Creates a FIFO queue. As in AWS, creating it again with the same settings changes nothing.
    ///
    /// # Errors
    /// AWS would refuse the name or a setting, the dead-letter queue doesn't exist, or the queue exists with other
    /// settings.
    pub fn create(&mut self, now: Timestamp, name: &str, settings: QueueSettings) -> Result<(), FifoError> {
        check_name(name)?;
        if settings.visibility_timeout > MAX_VISIBILITY {
            return Err(FifoError::InvalidAttributeValue(
                "Invalid value for the parameter VisibilityTimeout. It must be 0 to 43200.".to_owned(),
            ));
        }
        if let Some(redrive) = &settings.redrive {
            self.check_redrive(name, redrive)?;
        }
        if let Some(existing) = self.entries.get(name) {
            return if existing.settings.visibility_timeout != settings.visibility_timeout {
                Err(FifoError::QueueExists("VisibilityTimeout"))
            } else if existing.settings.redrive != settings.redrive {
                Err(FifoError::QueueExists("RedrivePolicy"))
            } else {
                Ok(())
            };
        }
        let options = FifoOptions {
            visibility_timeout: settings.visibility_timeout,
            max_receive_count: settings.redrive.as_ref().map(|redrive| redrive.max_receive_count),
            retention: None,
            look_through: LOOK_THROUGH,
        };
        let queue = FifoQueue::new(name, Uuid::new_v5(&self.seed, name.as_bytes()), options);
        self.entries.insert(name.to_owned(), QueueEntry { queue, settings, created_at: now, purged_at: None });
        self.revision += 1;
        Ok(())
    }

    fn check_redrive(&self, name: &str, redrive: &Redrive) -> Result<(), FifoError> {
        let refused = |reason: String| {
            Err(FifoError::InvalidAttributeValue(format!(
                "Value for parameter RedrivePolicy is invalid. Reason: {reason}"
            )))
        };
        if redrive.max_receive_count == 0 || redrive.max_receive_count > MAX_MAX_RECEIVE_COUNT {
            return refused(format!("maxReceiveCount must be between 1 and {MAX_MAX_RECEIVE_COUNT}."));
        }
        if redrive.dead_letter_queue == name || !self.entries.contains_key(&redrive.dead_letter_queue) {
            return refused(format!("Dead letter target does not exist: {}.", redrive.dead_letter_queue));
        }
        Ok(())
    }

    /// The names of all queues, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether a queue of this name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Like [`FifoQueue::send`].
    ///
    /// # Errors
    /// Those of [`FifoQueue::send`], or [`FifoError::QueueDoesNotExist`].
    pub fn send(&mut self, now: Timestamp, name: &str, message: NewMessage) -> Result<SendReceipt, FifoError> {
        let receipt = self.entry(name)?.queue.send(now, message)?;
        if !receipt.duplicate {
            self.revision += 1;
        }
        Ok(receipt)
    }

    /// Receives messages. As in AWS, messages that were received too often move to the dead-letter queue at this point.
    ///
    /// # Errors
    /// [`FifoError::InvalidParameter`] for a maximum or timeout out of range, or [`FifoError::QueueDoesNotExist`].
    pub fn receive(
        &mut self,
        now: Timestamp,
        name: &str,
        options: &ReceiveOptions,
    ) -> Result<Vec<ReceivedMessage>, FifoError> {
        let source_arn = self.arn(name);
        let entry = self.entry(name)?;
        let received = entry.queue.receive(now, options)?;
        let target = entry.settings.redrive.as_ref().map(|redrive| redrive.dead_letter_queue.clone());
        if !received.messages.is_empty() || !received.dead_letters.is_empty() {
            self.revision += 1;
        }
        // Queues are never deleted, so the target of a redrive policy always exists.
        if let Some(target) = target.and_then(|target| self.entries.get_mut(&target)) {
            for letter in received.dead_letters {
                target.queue.accept_dead_letter(now, letter, &source_arn);
            }
        }
        Ok(received.messages)
    }

    /// Like [`FifoQueue::delete`].
    ///
    /// # Errors
    /// Those of [`FifoQueue::delete`], or [`FifoError::QueueDoesNotExist`].
    pub fn delete(&mut self, now: Timestamp, name: &str, receipt_handle: &str) -> Result<(), FifoError> {
        self.entry(name)?.queue.delete(now, receipt_handle)?;
        self.revision += 1;
        Ok(())
    }

    /// Like [`FifoQueue::change_visibility`].
    ///
    /// # Errors
    /// Those of [`FifoQueue::change_visibility`], or [`FifoError::QueueDoesNotExist`].
    pub fn change_visibility(
        &mut self,
        now: Timestamp,
        name: &str,
        receipt_handle: &str,
        timeout: Duration,
    ) -> Result<(), FifoError> {
        self.entry(name)?.queue.change_visibility(now, receipt_handle, timeout)?;
        self.revision += 1;
        Ok(())
    }

    /// Deletes every message of a queue at once. AWS takes up to a minute.
    ///
    /// # Errors
    /// [`FifoError::PurgeInProgress`] within 60 seconds of the last purge, or [`FifoError::QueueDoesNotExist`].
    pub fn purge(&mut self, now: Timestamp, name: &str) -> Result<(), FifoError> {
        let entry = self.entry(name)?;
        if entry.purged_at.is_some_and(|purged_at| now.duration_since(purged_at) < PURGE_INTERVAL) {
            return Err(FifoError::PurgeInProgress(name.to_owned()));
        }
        entry.queue.purge();
        entry.purged_at = Some(now);
        self.revision += 1;
        Ok(())
    }

    /// Like [`FifoQueue::counts`].
    ///
    /// # Errors
    /// [`FifoError::QueueDoesNotExist`].
    pub fn counts(&mut self, now: Timestamp, name: &str) -> Result<QueueCounts, FifoError> {
        Ok(self.entry(name)?.queue.counts(now))
    }

    /// Like [`FifoQueue::peek`].
    ///
    /// # Errors
    /// [`FifoError::QueueDoesNotExist`].
    pub fn peek(&self, name: &str) -> Result<Vec<ReceivedMessage>, FifoError> {
        Ok(self.entries.get(name).ok_or(FifoError::QueueDoesNotExist)?.queue.peek())
    }

    /// Like [`FifoQueue::next_visible_at`]; `None` also if the queue doesn't exist.
    pub fn next_visible_at(&self, name: &str) -> Option<Timestamp> {
        self.entries.get(name)?.queue.next_visible_at()
    }

    /// The settings that a queue was created with; `None` if it doesn't exist.
    pub fn settings(&self, name: &str) -> Option<&QueueSettings> {
        self.entries.get(name).map(|entry| &entry.settings)
    }

    /// The attributes of a queue by AWS's names.
    ///
    /// # Errors
    /// [`FifoError::QueueDoesNotExist`].
    pub fn attributes(&mut self, now: Timestamp, name: &str) -> Result<BTreeMap<&'static str, String>, FifoError> {
        let redrive = self.settings(name).and_then(|settings| settings.redrive.as_ref()).map(|redrive| {
            serde_json::json!({
                "deadLetterTargetArn": self.arn(&redrive.dead_letter_queue),
                "maxReceiveCount": redrive.max_receive_count,
            })
            .to_string()
        });
        let arn = self.arn(name);
        let entry = self.entry(name)?;
        let counts = entry.queue.counts(now);
        let created = entry.created_at.as_second().to_string();
        let mut attributes = BTreeMap::from([
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", "0".to_owned()),
            ("ContentBasedDeduplication", "false".to_owned()),
            ("CreatedTimestamp", created.clone()),
            ("DeduplicationScope", "messageGroup".to_owned()),
            ("DelaySeconds", "0".to_owned()),
            ("FifoQueue", "true".to_owned()),
            ("FifoThroughputLimit", "perMessageGroupId".to_owned()),
            ("LastModifiedTimestamp", created),
            ("MaximumMessageSize", MAX_MESSAGE_BYTES.to_string()),
            ("QueueArn", arn),
            ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
            ("VisibilityTimeout", entry.settings.visibility_timeout.as_secs().to_string()),
        ]);
        if let Some(redrive) = redrive {
            attributes.insert("RedrivePolicy", redrive);
        }
        Ok(attributes)
    }

    fn entry(&mut self, name: &str) -> Result<&mut QueueEntry, FifoError> {
        self.entries.get_mut(name).ok_or(FifoError::QueueDoesNotExist)
    }
}

fn check_name(name: &str) -> Result<(), FifoError> {
    let Some(stem) = name.strip_suffix(".fifo") else {
        return Err(FifoError::InvalidParameter("The name of a FIFO queue can only end with '.fifo'.".to_owned()));
    };
    if stem.is_empty()
        || name.len() > MAX_NAME_CHARACTERS
        || !stem.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    {
        return Err(FifoError::InvalidParameter(format!(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to {MAX_NAME_CHARACTERS} in length"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
