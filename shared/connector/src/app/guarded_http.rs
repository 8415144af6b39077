//! Outgoing HTTP behind breakers: one breaker for each kind of call, of each account at LiveEngage and of each line at its channel.
//!
//! The use cases have no other way to make a call, so no call bypasses the breaker, and each failure names its call.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use super::error::DeliveryError;
use crate::{
    domain::breaker::{Breaker, Ended, Who},
    log_event,
    port::{Download, Http, StreamedFile},
};
use connector_channels::FileEnvelope;
use connector_message::http::{HttpCall, HttpFailure, HttpReply};

/// The HTTP port with breakers around it.
#[derive(derive_more::Debug)]
#[debug("GuardedHttp")]
pub(super) struct GuardedHttp<K> {
    http: Arc<dyn Http>,
    breakers: Mutex<HashMap<(K, &'static str), Breaker>>,
}

impl<K: Eq + Hash + Clone + std::fmt::Display> GuardedHttp<K> {
    /// Creates it with all breakers closed.
    pub(super) fn new(http: Arc<dyn Http>) -> Self {
        Self { http, breakers: Mutex::default() }
    }

    /// Returns the calls to one account or line. `who` is the consumer for whom they are made, `None` for calls without a consumer.
    pub(super) const fn calls<'a>(&'a self, key: &'a K, who: Option<Who>, now: Timestamp) -> GuardedCalls<'a, K> {
        GuardedCalls { guarded: self, key, who, now }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(K, &'static str), Breaker>> {
        self.breakers.lock()
    }
}

/// The calls to one account or line, for one consumer.
#[derive(Debug)]
pub(super) struct GuardedCalls<'a, K> {
    guarded: &'a GuardedHttp<K>,
    key: &'a K,
    who: Option<Who>,
    now: Timestamp,
}

impl<K: Eq + Hash + Clone + std::fmt::Display> GuardedCalls<'_, K> {
    /// Makes one call, once.
    ///
    /// # Errors
    /// [`DeliveryError::HeldBack`] without a call, [`DeliveryError::Http`] without an answer.
    pub(super) async fn call(&self, call: HttpCall) -> Result<HttpReply, DeliveryError> {
        self.admit(call.name)?;
        self.admitted(call).await
    }

    /// Makes a call that was [admitted](Self::admit) before.
    ///
    /// # Errors
    /// [`DeliveryError::Http`] without an answer.
    pub(super) async fn admitted(&self, call: HttpCall) -> Result<HttpReply, DeliveryError> {
        let read = |reply: &HttpReply| (reply.clone(), true);
        self.admitted_reading(call, read).await
    }

    /// Makes a call that was [admitted](Self::admit) before, and reads its answer. `read` also returns whether the answer counts for the
    /// breaker.
    ///
    /// # Errors
    /// [`DeliveryError::Http`] without an answer.
    pub(super) async fn admitted_reading<T>(
        &self,
        call: HttpCall,
        read: impl FnOnce(&HttpReply) -> (T, bool),
    ) -> Result<T, DeliveryError> {
        let name = call.name;
        let result = self.guarded.http.call(call).await;
        match &result {
            Ok(reply) => {
                let (answer, tells) = read(reply);
                if tells {
                    self.note(name, ended(&result));
                }
                Ok(answer)
            }
            Err(failure) => {
                self.note(name, ended(&result));
                Err(DeliveryError::Http { call: name, failure: *failure })
            }
        }
    }

    /// Makes one call whose answer is a file.
    ///
    /// # Errors
    /// As for [`Self::call`].
    pub(super) async fn download(&self, call: HttpCall) -> Result<Download, DeliveryError> {
        let name = call.name;
        self.admit(name)?;
        let download = self.guarded.http.download(call).await;
        let ended = match ended(&download.as_ref().map(Download::reply).map_err(|failure| *failure)) {
            // The host can come with the message, so it is about whose call it is.
            Ended::NoConnection => Ended::Failed,
            ended => ended,
        };
        self.note(name, ended);
        download.map_err(|failure| DeliveryError::Http { call: name, failure })
    }

    /// Makes one call whose body is a file, between the bytes of `envelope`.
    ///
    /// # Errors
    /// As for [`Self::call`].
    pub(super) async fn upload(
        &self,
        call: HttpCall,
        file: StreamedFile,
        envelope: FileEnvelope,
    ) -> Result<HttpReply, DeliveryError> {
        self.admit(call.name)?;
        self.admitted_upload(call, file, envelope).await
    }

    /// Like [`Self::upload`], for a call that was [admitted](Self::admit) before.
    ///
    /// # Errors
    /// [`DeliveryError::Http`] without an answer.
    pub(super) async fn admitted_upload(
        &self,
        call: HttpCall,
        file: StreamedFile,
        envelope: FileEnvelope,
    ) -> Result<HttpReply, DeliveryError> {
        let name = call.name;
        let reply = self.guarded.http.upload(call, file, envelope).await;
        self.note(name, ended(&reply));
        reply.map_err(|failure| DeliveryError::Http { call: name, failure })
    }

    /// Whether a call of this name may be made.
    ///
    /// # Errors
    /// [`DeliveryError::HeldBack`].
    pub(super) fn admit(&self, call: &'static str) -> Result<(), DeliveryError> {
        let mut breakers = self.guarded.lock();
        let Some(breaker) = breakers.get_mut(&(self.key.clone(), call)) else { return Ok(()) };
        breaker.admit(self.who, self.now).map_err(|after| DeliveryError::HeldBack { what: call, after })
    }

    /// Records how a call ended.
    pub(super) fn note(&self, call: &'static str, ended: Ended) {
        self.change(call, |breaker| breaker.note(self.who, ended, self.now));
    }

    /// Opens the breaker for all consumers, because the other side rejects every caller.
    pub(super) fn trip(&self, call: &'static str) {
        self.change(call, |breaker| breaker.trip(self.who, self.now));
    }

    fn change(&self, call: &'static str, change: impl FnOnce(&mut Breaker)) {
        let key = self.key;
        let mut breakers = self.guarded.lock();
        let breaker = breakers.entry((key.clone(), call)).or_default();
        let before = breaker.is_open();
        change(breaker);
        let after = breaker.is_open();
        drop(breakers);
        match (before, after) {
            (false, true) => log_event!(BREAKER_OPENED, %key, call),
            (true, false) => log_event!(BREAKER_CLOSED, %key, call),
            _ => {}
        }
    }
}

/// Returns how a call ended. No answer or a 5xx is a failure of the other side.
fn ended(result: &Result<HttpReply, HttpFailure>) -> Ended {
    match result {
        Ok(reply) if reply.status.is_server_error() => Ended::Failed,
        Ok(_) => Ended::Reached,
        Err(HttpFailure::Unanswered) => Ended::Failed,
        Err(HttpFailure::NotSent) => Ended::NoConnection,
    }
}
