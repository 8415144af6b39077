//! Requests what several attempts of one process need at the same time once.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use futures::lock::{Mutex as AsyncMutex, OwnedMutexGuard};
use parking_lot::Mutex;

/// The requests in flight, by the key of what is requested.
#[derive(Debug)]
pub(super) struct SingleFlight<K>(Mutex<HashMap<K, Arc<AsyncMutex<()>>>>);

/// Whether an attempt makes the request itself.
pub(super) enum Flight {
    /// It does, and the others wait until it drops the guard.
    Leader(OwnedMutexGuard<()>),
    /// Another one has made it in the meantime. If the result is not there now, the request has failed.
    Follower,
}

// Not derived, because that would require a default key.
impl<K> Default for SingleFlight<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Clone> SingleFlight<K> {
    /// Joins the request for `key`, or waits until the one in flight is over. A request that fails is not repeated by those that have waited:
    /// each would wait for the timeout of the one before it.
    pub(super) async fn join(&self, key: &K) -> Flight {
        let request = Arc::clone(self.0.lock().entry(key.clone()).or_default());
        if let Some(guard) = request.try_lock_owned() {
            return Flight::Leader(guard);
        }
        drop(request.lock_owned().await);
        Flight::Follower
    }
}
