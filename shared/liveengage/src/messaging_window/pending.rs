//! Which response belongs to which request.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{RequestId, Response};

/// The requests of one connection that have no response yet, each with what its sender wants back.
///
/// A connection's first request has the id 1. Ids are not used twice, so a late response can't be taken for another's.
#[derive(Debug, Clone)]
pub struct PendingRequests<T> {
    last: u64,
    waiting: BTreeMap<RequestId, (T, Timestamp)>,
}

impl<T> Default for PendingRequests<T> {
    fn default() -> Self {
        Self { last: 0, waiting: BTreeMap::new() }
    }
}

impl<T> PendingRequests<T> {
    /// Adds a request, and returns its id.
    pub fn add(&mut self, request: T, now: Timestamp) -> RequestId {
        self.last = self.last.wrapping_add(1);
        let id = RequestId::numbered(self.last);
        self.waiting.insert(id.clone(), (request, now));
        id
    }

    /// Takes the request of a response. `None` if nobody waits for it: it came twice, too late, or without a valid id.
    pub fn take(&mut self, response: &Response) -> Option<T> {
        self.waiting.remove(response.request.as_ref()?).map(|(request, _)| request)
    }

    /// Takes the requests that have waited for at least `limit`.
    pub fn take_overdue(&mut self, now: Timestamp, limit: SignedDuration) -> Vec<T> {
        let overdue = |(_, since): &(T, Timestamp)| now.duration_since(*since) >= limit;
        let ids: Vec<_> =
            self.waiting.iter().filter(|(_, waiting)| overdue(waiting)).map(|(id, _)| id.clone()).collect();
        ids.iter().filter_map(|id| self.waiting.remove(id)).map(|(request, _)| request).collect()
    }

    /// The time at which the oldest request was added. `None` if none waits.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.waiting.values().map(|(_, since)| *since).min()
    }

    /// Takes all requests, because the connection has ended: no response will come. Whether LiveEngage has carried them out is not known.
    pub fn take_all(&mut self) -> Vec<T> {
        std::mem::take(&mut self.waiting).into_values().map(|(request, _)| request).collect()
    }
}
