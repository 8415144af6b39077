//! The queues shared between the wire, the event source mapping and the tests: one lock, one clock, and a signal when something changes.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use connector::port::Clock;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::timeout;

use super::fifo::{FifoError, NewMessage, QueueCounts, ReceiveOptions, ReceivedMessage, SendReceipt};
use super::queues::{QueueSettings, Queues};

struct Shared {
    clock: Arc<dyn Clock>,
    queues: Mutex<Queues>,
    changes: watch::Sender<u64>,
}

/// All queues of the stand-in. Clones share them.
#[derive(Clone)]
pub struct QueueService {
    shared: Arc<Shared>,
}

impl fmt::Debug for QueueService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueService").field("revision", &*self.shared.changes.borrow()).finish_non_exhaustive()
    }
}

impl QueueService {
    /// Shares `queues`, which from now on live by `clock`.
    pub fn new(queues: Queues, clock: Arc<dyn Clock>) -> Self {
        let changes = watch::Sender::new(queues.revision());
        Self { shared: Arc::new(Shared { clock, queues: Mutex::new(queues), changes }) }
    }

    /// Creates a queue and gives access to it.
    ///
    /// # Errors
    /// [`Queues::create`]'s.
    pub fn create(&self, name: &str, settings: QueueSettings) -> Result<QueueHandle, FifoError> {
        self.with(|queues, now| queues.create(now, name, settings))?;
        Ok(QueueHandle { service: self.clone(), name: name.to_owned() })
    }

    /// Direct access to one queue; `None` if there is none of this name.
    pub fn queue(&self, name: &str) -> Option<QueueHandle> {
        self.lock().contains(name).then(|| QueueHandle { service: self.clone(), name: name.to_owned() })
    }

    /// Every queue's name, in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        self.lock().names().map(str::to_owned).collect()
    }

    /// Wakes everyone who waits for a queue, so that they read the clock again. Who moves a clock by hand calls this.
    pub fn clock_moved(&self) {
        self.shared.changes.send_modify(|_| {});
    }

    /// What happens under the lock, at one instant; whoever waits for a change is woken if there was one.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Queues, Timestamp) -> T) -> T {
        let mut queues = self.lock();
        let now = self.shared.clock.now();
        let result = act(&mut queues, now);
        let revision = queues.revision();
        drop(queues);
        self.shared.changes.send_if_modified(|known| {
            let changed = revision > *known;
            *known = revision.max(*known);
            changed
        });
        result
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        // A panic under the lock cannot leave a queue half changed in a way that the next call would trip over.
        self.shared.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One queue, spoken to directly instead of over HTTP. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct QueueHandle {
    service: QueueService,
    name: String,
}

impl QueueHandle {
    /// The queue's name, `.fifo` included.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The queue's ARN.
    pub fn arn(&self) -> String {
        self.service.lock().arn(&self.name)
    }

    /// The region in the queue's ARN.
    pub fn region(&self) -> String {
        self.service.lock().region().to_owned()
    }

    /// How long a received message stays in flight if the receive says nothing else.
    pub fn visibility_timeout(&self) -> Duration {
        self.service.lock().settings(&self.name).map_or(Duration::ZERO, |settings| settings.visibility_timeout)
    }

    /// As [`super::fifo::FifoQueue::send`], now.
    ///
    /// # Errors
    /// The message breaks a limit of SQS.
    pub fn send(&self, message: NewMessage) -> Result<SendReceipt, FifoError> {
        self.service.with(|queues, now| queues.send(now, &self.name, message))
    }

    /// As [`Queues::receive`], now; never waits.
    ///
    /// # Errors
    /// An option is out of range.
    pub fn receive(&self, options: &ReceiveOptions) -> Result<Vec<ReceivedMessage>, FifoError> {
        self.service.with(|queues, now| queues.receive(now, &self.name, options))
    }

    /// As [`super::fifo::FifoQueue::delete`], now.
    ///
    /// # Errors
    /// The receipt handle has expired or is not this queue's.
    pub fn delete(&self, receipt_handle: &str) -> Result<(), FifoError> {
        self.service.with(|queues, now| queues.delete(now, &self.name, receipt_handle))
    }

    /// As [`super::fifo::FifoQueue::change_visibility`], now.
    ///
    /// # Errors
    /// The receipt handle has expired or is not this queue's, the message is gone, or the timeout is too long.
    pub fn change_visibility(&self, receipt_handle: &str, timeout: Duration) -> Result<(), FifoError> {
        self.service.with(|queues, now| queues.change_visibility(now, &self.name, receipt_handle, timeout))
    }

    /// Deletes every message.
    ///
    /// # Errors
    /// [`FifoError::PurgeInProgress`] within 60 seconds of the last purge.
    pub fn purge(&self) -> Result<(), FifoError> {
        self.service.with(|queues, now| queues.purge(now, &self.name))
    }

    /// How many messages there are now.
    pub fn counts(&self) -> QueueCounts {
        self.service.with(|queues, now| queues.counts(now, &self.name)).unwrap_or_default()
    }

    /// Every message, without receiving it; as [`super::fifo::FifoQueue::peek`].
    pub fn peek(&self) -> Vec<ReceivedMessage> {
        self.service.lock().peek(&self.name).unwrap_or_default()
    }

    /// Tells of changes to any queue of the service, this one included.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.service.changes()
    }

    /// Waits until something changes, or a message of this queue becomes visible by itself, or `at_most` is over.
    pub(crate) async fn wait(&self, changes: &mut watch::Receiver<u64>, at_most: Option<Duration>) {
        let due = self.service.with(|queues, now| {
            queues
                .next_visible_at(&self.name)
                .map(|visible_at| Duration::try_from(visible_at.duration_since(now)).unwrap_or_default())
        });
        match due.into_iter().chain(at_most).min() {
            // The sender lives in the service that this handle holds, so waiting cannot fail.
            None => drop(changes.changed().await),
            Some(limit) => drop(timeout(limit, changes.changed()).await),
        }
    }
}
