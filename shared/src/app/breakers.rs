//! The breakers of one process: one for each account's LiveEngage, and one for each line's channel.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::error::DeliveryError;
use crate::domain::{
    breaker::Breaker,
    http::{HttpFailure, HttpReply},
};

/// Breakers by what they protect.
pub(super) struct Breakers<K> {
    /// What is at the other end, for the log and the error.
    what: &'static str,
    known: Mutex<HashMap<K, Breaker>>,
}

impl<K> std::fmt::Debug for Breakers<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Breakers({})", self.what)
    }
}

impl<K: Eq + Hash + Clone + std::fmt::Display> Breakers<K> {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, known: Mutex::default() }
    }

    /// Whether a call may be made.
    ///
    /// # Errors
    /// [`DeliveryError::HeldBack`], without any call.
    pub(super) fn admit(&self, key: &K, now: Timestamp) -> Result<(), DeliveryError> {
        let mut known = self.lock();
        let Some(breaker) = known.get_mut(key) else { return Ok(()) };
        breaker.admit(now).map_err(|after| DeliveryError::HeldBack { what: self.what, after })
    }

    /// Notes how a call ended: no answer, or a 5xx, is the other side being down.
    pub(super) fn note(&self, key: &K, result: &Result<HttpReply, HttpFailure>, now: Timestamp) {
        let reached = matches!(result, Ok(reply) if !reply.status.is_server_error());
        let mut known = self.lock();
        let (before, after) = match known.get_mut(key) {
            None if reached => return,
            known_breaker => {
                let mut breaker = known_breaker.as_ref().map_or_else(Breaker::default, |breaker| **breaker);
                let before = breaker.is_open();
                breaker.note(reached, now);
                known.insert(key.clone(), breaker);
                (before, breaker.is_open())
            }
        };
        drop(known);
        match (before, after) {
            (false, true) => tracing::warn!(%key, what = self.what, count = 1, "held back: the other side is down"),
            (true, false) => tracing::info!(%key, what = self.what, "the other side is back"),
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Breaker>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
