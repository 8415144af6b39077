//! The queues, shared by the SQS endpoint, the event source mapping and tests, with one lock, one clock and a change
//! signal.

use std::sync::Arc;
use std::time::Duration;

use connector::port::Clock;
use connector_testing::fifo::{FifoError, NewMessage, QueueCounts, ReceiveOptions, ReceivedMessage, SendReceipt};
use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::time::timeout;

use super::queues::{QueueSettings, Queues};

struct QueueServiceState {
    clock: Arc<dyn Clock>,
    queues: Mutex<Queues>,
    changes: watch::Sender<u64>,
}

/// All queues of the stand-in. Clones share them.
#[derive(Clone, derive_more::Debug)]
#[debug("QueueService {{ revision: {} }}", *shared.changes.borrow())]
pub struct QueueService {
    shared: Arc<QueueServiceState>,
}

impl QueueService {
    /// Shares `queues`, which use `clock` from now on.
    pub fn new(queues: Queues, clock: Arc<dyn Clock>) -> Self {
        let changes = watch::Sender::new(queues.revision());
        Self { shared: Arc::new(QueueServiceState { clock, queues: Mutex::new(queues), changes }) }
    }

    /// Creates a queue and returns a handle.
    ///
    /// # Errors
    /// Those of [`Queues::create`].
    pub fn create(&self, name: &str, settings: QueueSettings) -> Result<QueueHandle, FifoError> {
        self.with(|queues, now| queues.create(now, name, settings))?;
        Ok(QueueHandle { service: self.clone(), name: name.to_owned() })
    }

    /// A handle of a queue; `None` if no queue has this name.
    pub fn queue(&self, name: &str) -> Option<QueueHandle> {
        self.lock().contains(name).then(|| QueueHandle { service: self.clone(), name: name.to_owned() })
    }

    /// The names of all queues, in alphabetical order.
    pub fn names(&self) -> Vec<String> {
        self.lock().names().map(str::to_owned).collect()
    }

    /// Wakes everyone who waits for a queue, so that they read the clock again. Call it after moving a clock by hand.
    pub fn clock_moved(&self) {
        self.shared.changes.send_modify(|_| {});
    }

    /// Runs `act` under the lock with the current time, and wakes waiting callers if something changed.
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
        self.shared.queues.lock()
    }
}

/// Direct access to one queue without HTTP. Clones refer to the same queue.
#[derive(Debug, Clone)]
pub struct QueueHandle {
    service: QueueService,
    name: String,
}

impl QueueHandle {
    /// The queue's name, including `.fifo`.
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

    /// The visibility timeout if a receive sets none.
    pub fn visibility_timeout(&self) -> Duration {
        self.service.lock().settings(&self.name).map_or(Duration::ZERO, |settings| settings.visibility_timeout)
    }

    /// Like [`Queues::send`], at the current time.
    ///
    /// # Errors
    /// The message exceeds a limit of SQS.
    pub fn send(&self, message: NewMessage) -> Result<SendReceipt, FifoError> {
        self.service.with(|queues, now| queues.send(now, &self.name, message))
    }

    /// Like [`Queues::receive`], at the current time. Never waits.
    ///
    /// # Errors
    /// An option is out of range.
    pub fn receive(&self, options: &ReceiveOptions) -> Result<Vec<ReceivedMessage>, FifoError> {
        self.service.with(|queues, now| queues.receive(now, &self.name, options))
    }

    /// Like [`Queues::delete`], at the current time.
    ///
    /// # Errors
    /// The receipt handle has expired or is of another queue.
    pub fn delete(&self, receipt_handle: &str) -> Result<(), FifoError> {
        self.service.with(|queues, now| queues.delete(now, &self.name, receipt_handle))
    }

    /// Like [`Queues::change_visibility`], at the current time.
    ///
    /// # Errors
    /// The receipt handle has expired or is of another queue, the message is deleted, or the timeout is too long.
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

    /// The current number of messages.
    pub fn counts(&self) -> QueueCounts {
        self.service.with(|queues, now| queues.counts(now, &self.name)).unwrap_or_default()
    }

    /// Every message, without receiving it; like [`Queues::peek`].
    pub fn peek(&self) -> Vec<ReceivedMessage> {
        self.service.lock().peek(&self.name).unwrap_or_default()
    }

    /// Signals changes to any queue of the service, including this one.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.service.changes()
    }

    /// Waits until something changes, a message of this queue becomes visible by itself, or `at_most` has passed.
    pub(crate) async fn wait(&self, changes: &mut watch::Receiver<u64>, at_most: Option<Duration>) {
        let due = self.service.with(|queues, now| {
            queues
                .next_visible_at(&self.name)
                .map(|visible_at| Duration::try_from(visible_at.duration_since(now)).unwrap_or_default())
        });
        match due.into_iter().chain(at_most).min() {
            // This handle holds the service with the sender, so waiting can't fail.
            None => drop(changes.changed().await),
            Some(limit) => drop(timeout(limit, changes.changed()).await),
        }
    }
}
