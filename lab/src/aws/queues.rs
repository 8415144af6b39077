//! All queues of one account and region: names, attributes and the way into dead-letter queues. Plain values, like the queue.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::fifo::{
    FifoError, FifoQueue, MAX_MESSAGE_BYTES, MAX_VISIBILITY, NewMessage, QueueCounts, ReceiveOptions, ReceivedMessage,
    SendReceipt,
};

/// The visibility timeout of a queue that was created without one (AWS: 30 seconds).
pub const DEFAULT_VISIBILITY_TIMEOUT: Duration = Duration::from_secs(30);

const MAX_NAME_CHARACTERS: usize = 80;
const MAX_MAX_RECEIVE_COUNT: u32 = 1_000;
const PURGE_INTERVAL: SignedDuration = SignedDuration::from_secs(60);

/// Where messages go that were received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// The name of the dead-letter queue, which must exist.
    pub dead_letter_queue: String,
    /// How often a message is given out before it moves there, 1 to 1000.
    pub max_receive_count: u32,
}

/// What a queue is created with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a received message stays in flight, at most 12 hours.
    pub visibility_timeout: Duration,
    /// Where messages go that were received too often; `None` keeps them for ever.
    pub redrive: Option<Redrive>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { visibility_timeout: DEFAULT_VISIBILITY_TIMEOUT, redrive: None }
    }
}

#[derive(Debug)]
struct Entry {
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
    entries: BTreeMap<String, Entry>,
    revision: u64,
}

impl Queues {
    /// No queues yet. `seed` makes message ids different from those of any other set of queues.
    pub fn new(region: impl Into<String>, account: impl Into<String>, seed: Uuid) -> Self {
        Self { region: region.into(), account: account.into(), seed, entries: BTreeMap::new(), revision: 0 }
    }

    /// A number that changes with every change of any queue that a waiting receiver may care about.
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

    /// The ARN a queue of this name has.
    pub fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", self.region, self.account)
    }

    /// Creates a FIFO queue; again with the same settings it changes nothing, as in AWS.
    ///
    /// # Errors
    /// For a name or setting that AWS would not take, a dead-letter queue that does not exist, or a queue of this name with
    /// other settings.
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
        let queue = FifoQueue::new(
            name,
            Uuid::new_v5(&self.seed, name.as_bytes()),
            settings.visibility_timeout,
            settings.redrive.as_ref().map(|redrive| redrive.max_receive_count),
        );
        self.entries.insert(name.to_owned(), Entry { queue, settings, created_at: now, purged_at: None });
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

    /// Every queue's name, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether a queue of this name exists.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// As [`FifoQueue::send`].
    ///
    /// # Errors
    /// [`FifoQueue::send`]'s, or [`FifoError::QueueDoesNotExist`].
    pub fn send(&mut self, now: Timestamp, name: &str, message: NewMessage) -> Result<SendReceipt, FifoError> {
        let receipt = self.entry(name)?.queue.send(now, message)?;
        if !receipt.duplicate {
            self.revision += 1;
        }
        Ok(receipt)
    }

    /// As AWS receives: messages that were received too often move to the dead-letter queue on the way.
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
        // Queues are never deleted, so a redrive policy's target is always there.
        if let Some(target) = target.and_then(|target| self.entries.get_mut(&target)) {
            for letter in received.dead_letters {
                target.queue.accept_dead_letter(now, letter, &source_arn);
            }
        }
        Ok(received.messages)
    }

    /// As [`FifoQueue::delete`].
    ///
    /// # Errors
    /// [`FifoQueue::delete`]'s, or [`FifoError::QueueDoesNotExist`].
    pub fn delete(&mut self, now: Timestamp, name: &str, receipt_handle: &str) -> Result<(), FifoError> {
        self.entry(name)?.queue.delete(now, receipt_handle)?;
        self.revision += 1;
        Ok(())
    }

    /// As [`FifoQueue::change_visibility`].
    ///
    /// # Errors
    /// [`FifoQueue::change_visibility`]'s, or [`FifoError::QueueDoesNotExist`].
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

    /// Deletes every message of a queue. AWS takes up to a minute for it; here it is done at once.
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

    /// As [`FifoQueue::counts`].
    ///
    /// # Errors
    /// [`FifoError::QueueDoesNotExist`].
    pub fn counts(&mut self, now: Timestamp, name: &str) -> Result<QueueCounts, FifoError> {
        Ok(self.entry(name)?.queue.counts(now))
    }

    /// As [`FifoQueue::peek`].
    ///
    /// # Errors
    /// [`FifoError::QueueDoesNotExist`].
    pub fn peek(&self, name: &str) -> Result<Vec<ReceivedMessage>, FifoError> {
        Ok(self.entries.get(name).ok_or(FifoError::QueueDoesNotExist)?.queue.peek())
    }

    /// As [`FifoQueue::next_visible_at`]; `None` also for a queue that does not exist.
    pub fn next_visible_at(&self, name: &str) -> Option<Timestamp> {
        self.entries.get(name)?.queue.next_visible_at()
    }

    /// The settings a queue was created with; `None` if it does not exist.
    pub fn settings(&self, name: &str) -> Option<&QueueSettings> {
        self.entries.get(name).map(|entry| &entry.settings)
    }

    /// Every attribute of a queue by AWS's names.
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

    fn entry(&mut self, name: &str) -> Result<&mut Entry, FifoError> {
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
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn queues(max_receive_count: u32) -> Queues {
        let mut queues = Queues::new("eu-west-1", "111122223333", Uuid::from_u128(3));
        queues.create(at(0), "dead.fifo", QueueSettings::default()).unwrap();
        queues.create(at(0), "live.fifo", settings(max_receive_count)).unwrap();
        queues
    }

    fn settings(max_receive_count: u32) -> QueueSettings {
        let redrive = Redrive { dead_letter_queue: "dead.fifo".to_owned(), max_receive_count };
        QueueSettings { redrive: Some(redrive), ..QueueSettings::default() }
    }

    #[test]
    fn a_message_received_too_often_is_found_in_the_dead_letter_queue() {
        let mut queues = queues(1);
        let sent = queues.send(at(0), "live.fifo", NewMessage::new("g", "d", "text")).unwrap();
        assert_eq!(queues.receive(at(0), "live.fifo", &ReceiveOptions::default()).unwrap().len(), 1);
        assert!(queues.receive(at(30), "live.fifo", &ReceiveOptions::default()).unwrap().is_empty());
        assert_eq!(queues.counts(at(30), "live.fifo").unwrap().total(), 0);
        let dead = queues.peek("dead.fifo").unwrap();
        assert_eq!(dead[0].message_id, sent.message_id);
        assert_eq!(dead[0].dead_letter_source.as_deref(), Some("arn:aws:sqs:eu-west-1:111122223333:live.fifo"));
    }

    #[test]
    fn what_a_waiting_receiver_must_know_changes_the_revision() {
        let mut queues = queues(1);
        let mut last = queues.revision();
        let mut changed = |queues: &Queues| std::mem::replace(&mut last, queues.revision()) != queues.revision();
        queues.send(at(0), "live.fifo", NewMessage::new("g", "d", "text")).unwrap();
        assert!(changed(&queues));
        queues.send(at(0), "live.fifo", NewMessage::new("g", "d", "text")).unwrap();
        assert!(!changed(&queues), "a duplicate changes nothing");
        let handle = queues.receive(at(0), "live.fifo", &ReceiveOptions::default()).unwrap()[0].receipt_handle.clone();
        assert!(changed(&queues));
        queues.receive(at(0), "live.fifo", &ReceiveOptions::default()).unwrap();
        assert!(!changed(&queues), "an empty receive changes nothing");
        queues.change_visibility(at(0), "live.fifo", &handle, Duration::from_secs(1)).unwrap();
        assert!(changed(&queues));
        queues.delete(at(0), "live.fifo", &handle).unwrap();
        assert!(changed(&queues));
    }

    #[test]
    fn creating_again_is_fine_only_with_the_same_settings() {
        let mut queues = queues(5);
        queues.create(at(9), "live.fifo", settings(5)).unwrap();
        assert_eq!(queues.create(at(9), "live.fifo", settings(6)), Err(FifoError::QueueExists("RedrivePolicy")));
        let other = QueueSettings { visibility_timeout: Duration::from_secs(1), ..settings(5) };
        assert_eq!(queues.create(at(9), "live.fifo", other), Err(FifoError::QueueExists("VisibilityTimeout")));
    }

    #[test]
    fn names_and_policies_that_aws_refuses_are_refused() {
        let mut queues = queues(5);
        for name in ["standard", ".fifo", "a b.fifo", &format!("{}.fifo", "x".repeat(76))] {
            assert!(queues.create(at(0), name, QueueSettings::default()).is_err(), "{name}");
        }
        for (target, count) in [("missing.fifo", 5), ("dead.fifo", 0), ("dead.fifo", 1001), ("new.fifo", 5)] {
            let redrive = Redrive { dead_letter_queue: target.to_owned(), max_receive_count: count };
            let settings = QueueSettings { redrive: Some(redrive), ..QueueSettings::default() };
            assert!(queues.create(at(0), "new.fifo", settings).is_err(), "{target} {count}");
        }
    }

    #[test]
    fn a_second_purge_waits_a_minute() {
        let mut queues = queues(5);
        queues.purge(at(0), "live.fifo").unwrap();
        assert_eq!(queues.purge(at(59), "live.fifo"), Err(FifoError::PurgeInProgress("live.fifo".to_owned())));
        queues.purge(at(60), "live.fifo").unwrap();
    }

    #[test]
    fn attributes_tell_counts_and_policy() {
        let mut queues = queues(5);
        queues.send(at(0), "live.fifo", NewMessage::new("g", "1", "text")).unwrap();
        queues.send(at(0), "live.fifo", NewMessage::new("g", "2", "text")).unwrap();
        queues.receive(at(0), "live.fifo", &ReceiveOptions { max: 1, ..Default::default() }).unwrap();
        let attributes = queues.attributes(at(1), "live.fifo").unwrap();
        assert_eq!(attributes["ApproximateNumberOfMessages"], "1");
        assert_eq!(attributes["ApproximateNumberOfMessagesNotVisible"], "1");
        let policy: serde_json::Value = serde_json::from_str(&attributes["RedrivePolicy"]).unwrap();
        assert_eq!(policy["deadLetterTargetArn"], "arn:aws:sqs:eu-west-1:111122223333:dead.fifo");
        assert_eq!(policy["maxReceiveCount"], 5);
        assert!(queues.attributes(at(1), "missing.fifo").is_err());
    }
}
