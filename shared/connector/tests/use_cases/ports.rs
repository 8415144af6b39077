//! Ports that stop a process before or after one of its outside calls, and slow ports, with which tasks interleave.

use std::{
    future::pending,
    sync::{Arc, OnceLock},
};

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;

use connector::{
    domain::{
        conversation::Consumer,
        delivery::{Acquired, ConsumerRef, ConversationOwner, Lease, Parked},
        id::{LineId, Owner},
        message_key::MessageKey,
        pointer::Pointer,
        progress::Step,
        receipt::{AcceptedCall, Echo, InboundReceipt, LedgerEntry, OutboundReceipt, ReceiptName},
        uncertain::UncertainOutcome,
    },
    port::{Consumers, Download, Http, Ledger, Messages, Saved, StoreError, StreamedFile, Tokens},
};
use connector_channels::{FileEnvelope, id::CallReference};
use connector_liveengage::{
    id::{AccountId, ConversationId, DialogId, LpConsumerId, Sequence},
    sentinel::AppJwt,
};
use connector_message::{
    code::Code,
    http::{HttpCall, HttpFailure, HttpReply},
};
use connector_testing::MemoryStore;

/// When a process is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// Before the call has any effect.
    Before,
    /// After the other side has carried the call out, before its answer is seen.
    After,
}

/// The outside call at which a process is stopped, counted from 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crash {
    pub(super) call: usize,
    pub(super) moment: Moment,
}

pub(super) struct Ports {
    store: Arc<MemoryStore>,
    http: Arc<dyn Http>,
    crash: Option<Crash>,
    crashed_at: OnceLock<&'static str>,
    calls: Mutex<Vec<&'static str>>,
    slow: Option<Mutex<u64>>,
    failures: Mutex<Vec<(&'static str, Failure)>>,
}

/// The fault of a call for a message's record.
enum Failure {
    /// No fault: a later call fails.
    None,
    /// It fails before it has any effect, or its answer is lost.
    Error(Moment, StoreError),
    /// The process is stopped before it.
    Crash,
}

impl Ports {
    pub(super) fn new(store: Arc<MemoryStore>, http: Arc<dyn Http>, crash: Option<Crash>) -> Self {
        Self {
            store,
            http,
            crash,
            crashed_at: OnceLock::new(),
            calls: Mutex::default(),
            slow: None,
            failures: Mutex::default(),
        }
    }

    /// Creates ports whose calls each take up to three turns of the scheduler before and after, in a sequence determined by `seed`.
    pub(super) fn slow(store: Arc<MemoryStore>, http: Arc<dyn Http>, seed: u64) -> Self {
        Self { slow: Some(Mutex::new(seed)), ..Self::new(store, http, None) }
    }

    /// Returns the outside call at which the process was stopped.
    pub(super) fn crashed_at(&self) -> Option<&'static str> {
        self.crashed_at.get().copied()
    }

    /// Returns the outside calls that were begun.
    pub(super) fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().clone()
    }

    /// Makes the next call of this name, which `passes_on!` calls a record, fail before it has any effect, or lose its answer.
    pub(super) fn fail(&self, call: &'static str, moment: Moment) {
        let error = StoreError::Unavailable { code: Code::internal("timeout") };
        self.failures.lock().push((call, Failure::Error(moment, error)));
    }

    /// Makes the next calls of this name find a record that they can't read.
    pub(super) fn unreadable(&self, call: &'static str, times: usize) {
        let error = || StoreError::Unreadable { what: "the steps of a message" };
        let failures = std::iter::repeat_with(|| (call, Failure::Error(Moment::Before, error()))).take(times);
        self.failures.lock().extend(failures);
    }

    /// Makes the next call of this name succeed, before one that fails.
    pub(super) fn pass(&self, call: &'static str) {
        self.failures.lock().push((call, Failure::None));
    }

    /// Stops the process before the next call of this name.
    pub(super) fn crash_before(&self, call: &'static str) {
        self.failures.lock().push((call, Failure::Crash));
    }

    async fn record<T: Send>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let failure = {
            let mut failures = self.failures.lock();
            failures.iter().position(|(call, ..)| *call == name).map(|at| failures.remove(at))
        };
        match failure {
            None | Some((_, Failure::None)) => self.outside(name, work).await,
            Some((_, Failure::Error(Moment::Before, error))) => self.outside(name, async { Err(error) }).await,
            Some((_, Failure::Error(Moment::After, error))) => self.outside(name, work).await.and(Err(error)),
            Some((_, Failure::Crash)) => self.stop(name).await,
        }
    }

    async fn outside<T: Send>(&self, name: &'static str, work: impl Future<Output = T> + Send) -> T {
        // A process that was stopped begins no further call, and sees no answer.
        if self.crashed_at().is_some() {
            pending::<()>().await;
        }
        let number = {
            let mut calls = self.calls.lock();
            calls.push(name);
            calls.len() - 1
        };
        self.dawdle().await;
        let moment = self.crash.filter(|crash| crash.call == number).map(|crash| crash.moment);
        if moment == Some(Moment::Before) {
            self.stop(name).await
        }
        let answer = work.await;
        if moment == Some(Moment::After) {
            self.stop(name).await
        }
        self.dawdle().await;
        if self.crashed_at().is_some() {
            pending::<()>().await;
        }
        answer
    }

    async fn stop(&self, name: &'static str) -> ! {
        self.crashed_at.get_or_init(|| name);
        pending().await
    }

    async fn dawdle(&self) {
        let Some(state) = &self.slow else { return };
        let turns = {
            // Knuth's linear congruential generator: a fixed seed gives a fixed interleaving.
            let mut state = state.lock();
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 33) % 4
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl Http for Ports {
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure> {
        self.outside(call.name, self.http.call(call)).await
    }
    async fn download(&self, call: HttpCall) -> Result<Download, HttpFailure> {
        self.outside(call.name, self.http.download(call)).await
    }
    async fn upload(
        &self,
        call: HttpCall,
        file: StreamedFile,
        envelope: FileEnvelope,
    ) -> Result<HttpReply, HttpFailure> {
        self.outside(call.name, self.http.upload(call, file, envelope)).await
    }
}

/// Passes each method on to the store: `outside` as a call at which the process can be stopped, `record` as one that can fail, too.
macro_rules! passes_on {
    ($port:ident: $($via:ident fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl $port for Ports {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.$via(stringify!($name), self.store.$name($($argument),*)).await
            })+
        }
    };
}

passes_on! { Ledger:
    outside fn outbound_receipt(line: &LineId, name: &ReceiptName) -> Option<OutboundReceipt>;
    outside fn reported(line: &LineId, name: &ReceiptName, rank: u8) -> ();
    outside fn inbound_receipt(account: &AccountId, dialog: &DialogId, sequence: Sequence) -> Option<InboundReceipt>;
    outside fn last_inbound(consumer: &ConsumerRef) -> Option<InboundReceipt>;
    outside fn note_accepted(line: &LineId, reference: &CallReference, accepted: &AcceptedCall, at: Timestamp) -> ();
    outside fn accepted_call(line: &LineId, reference: &CallReference) -> Option<AcceptedCall>;
    outside fn note_echo(account: &AccountId, dialog: &DialogId, echo: &Echo) -> ();
    outside fn echoes(account: &AccountId, dialog: &DialogId) -> Vec<Echo>;
}

passes_on! { Consumers:
    outside fn consumer(consumer: &ConsumerRef) -> Option<Consumer>;
    record fn save_consumer(consumer: &Consumer, new: &[Pointer]) -> Saved;
    outside fn consumer_by_lp_id(account: &AccountId, id: &LpConsumerId) -> Option<ConsumerRef>;
    record fn conversation_owner(account: &AccountId, id: &ConversationId) -> Option<ConversationOwner>;
    outside fn claim_conversation(account: &AccountId, id: &ConversationId, consumer: &ConsumerRef) -> ();
    outside fn note_unattached(account: &AccountId, now: Timestamp) -> ();
    outside fn unattached_at(account: &AccountId) -> Option<Timestamp>;
    outside fn unknown_since(account: &AccountId, id: &ConversationId, now: Timestamp) -> Timestamp;
    outside fn mark_foreign(account: &AccountId, id: &ConversationId, now: Timestamp) -> ();
    outside fn presume_foreign(account: &AccountId, id: &ConversationId, now: Timestamp) -> ();
}

passes_on! { Messages:
    record fn acquire(lease: &Lease, now: Timestamp, until: Timestamp) -> Acquired;
    outside fn is_done(message: &MessageKey) -> bool;
    record fn step_done(lease: &Lease, done: usize, step: &Step, entry: Option<&LedgerEntry>) -> ();
    record fn complete(lease: &Lease, entry: Option<&LedgerEntry>) -> ();
    record fn release(lease: &Lease, counts: bool, uncertain: &UncertainOutcome) -> ();
    record fn abandon(lease: &Lease) -> ();
    record fn park(lease: &Lease, parked: &Parked, uncertain: &UncertainOutcome) -> ();
}

passes_on! { Tokens:
    outside fn token(account: &AccountId) -> Option<AppJwt>;
    outside fn lease_token(account: &AccountId, owner: &Owner, now: Timestamp, until: Timestamp) -> bool;
    outside fn save_token(account: &AccountId, owner: &Owner, token: &AppJwt) -> ();
    outside fn release_token(account: &AccountId, owner: &Owner) -> ();
}
