//! The breakers of one process: one for each kind of call, of each account at LiveEngage and of each line at its channel.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::error::DeliveryError;
use crate::domain::{
    breaker::{Breaker, Ended, Who},
    http::{HttpFailure, HttpReply},
};

/// Breakers by what they protect.
pub(super) struct Breakers<K> {
    known: Mutex<HashMap<(K, &'static str), Breaker>>,
}

/// A call that a breaker is asked about.
#[derive(Debug)]
pub(super) struct Guarded<'a, K> {
    /// The account, or the line.
    pub(super) key: &'a K,
    /// The call's name: one service may be down while another one works.
    pub(super) call: &'static str,
    /// For whom it is made; `None` where it is the same for everybody.
    pub(super) who: Option<Who>,
    /// Now.
    pub(super) now: Timestamp,
}

// Derived, they would ask the same of the key.
impl<K> Clone for Guarded<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Guarded<'_, K> {}

impl<K> std::fmt::Debug for Breakers<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Breakers")
    }
}

/// How a call ended: no answer, or a 5xx, is the other side failing.
pub(super) fn ended(result: &Result<HttpReply, HttpFailure>) -> Ended {
    match result {
        Ok(reply) if reply.status.is_server_error() => Ended::Failed,
        Ok(_) => Ended::Reached,
        Err(HttpFailure::Unanswered) => Ended::Failed,
        Err(HttpFailure::NotSent) => Ended::NoConnection,
    }
}

impl<K: Eq + Hash + Clone + std::fmt::Display> Breakers<K> {
    pub(super) fn new() -> Self {
        Self { known: Mutex::default() }
    }

    /// Whether a call may be made.
    ///
    /// # Errors
    /// [`DeliveryError::HeldBack`], without any call.
    pub(super) fn admit(&self, of: Guarded<'_, K>) -> Result<(), DeliveryError> {
        let mut known = self.lock();
        let Some(breaker) = known.get_mut(&(of.key.clone(), of.call)) else { return Ok(()) };
        breaker.admit(of.who, of.now).map_err(|after| DeliveryError::HeldBack { what: of.call, after })
    }

    /// Notes how a call ended.
    pub(super) fn note(&self, of: Guarded<'_, K>, ended: Ended) {
        self.change(of, |breaker| breaker.note(of.who, ended, of.now));
    }

    /// Holds everybody back: the other side refuses whoever comes.
    pub(super) fn trip(&self, of: Guarded<'_, K>) {
        self.change(of, |breaker| breaker.trip(of.who, of.now));
    }

    fn change(&self, of: Guarded<'_, K>, change: impl FnOnce(&mut Breaker)) {
        let Guarded { key, call, .. } = of;
        let mut known = self.lock();
        let breaker = known.entry((key.clone(), call)).or_default();
        let before = breaker.is_open();
        change(breaker);
        let after = breaker.is_open();
        drop(known);
        match (before, after) {
            (false, true) => tracing::warn!(%key, what = call, count = 1, "held back: the other side is down"),
            (true, false) => tracing::info!(%key, what = call, "the other side is back"),
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(K, &'static str), Breaker>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
