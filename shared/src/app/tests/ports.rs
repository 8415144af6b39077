//! Ports that die: a process that is stopped before or after one of its outside calls. And ports that dawdle, so that two tasks
//! interleave.

use std::{
    future::pending,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    channel::FileEnvelope,
    domain::{
        code::Code,
        conversation::Consumer,
        delivery::{
            AcceptedCall, Acquired, ConsumerRef, ConversationOwner, Echo, InboundReceipt, Lease, LedgerEntry,
            MessageKey, OutboundReceipt, Parked, ReceiptName, Step, UncertainOutcome,
        },
        http::{HttpCall, HttpFailure, HttpReply},
        id::{AccountId, CallReference, ConversationId, DialogId, LineId, LpConsumerId, Owner, Sequence},
    },
    liveengage::sentinel::AppJwt,
    port::{Consumers, Download, Http, Ledger, Messages, Saved, StoreError, StreamedFile, Tokens},
    testing::MemoryStore,
};

/// When a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// Before the call has any effect.
    Before,
    /// After the other side has done it, before the answer is seen.
    After,
}

/// At which outside call a process dies, counted from 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Death {
    pub(super) call: usize,
    pub(super) moment: Moment,
}

pub(super) struct Ports {
    store: Arc<MemoryStore>,
    http: Arc<dyn Http>,
    death: Option<Death>,
    calls: Mutex<Vec<&'static str>>,
    dawdling: Option<Mutex<u64>>,
    failures: Mutex<Vec<(&'static str, Failure)>>,
}

/// What becomes of a call for a message's record.
enum Failure {
    /// Nothing: it is a later one that fails.
    None,
    /// It fails, before it has any effect or by losing its answer.
    Error(Moment, StoreError),
    /// The process dies before it.
    Death,
}

impl Ports {
    pub(super) fn new(store: Arc<MemoryStore>, http: Arc<dyn Http>, death: Option<Death>) -> Self {
        Self { store, http, death, calls: Mutex::default(), dawdling: None, failures: Mutex::default() }
    }

    /// Ports whose every call takes up to three turns of the scheduler before and after, by a sequence that `seed` fixes.
    pub(super) fn dawdling(store: Arc<MemoryStore>, http: Arc<dyn Http>, seed: u64) -> Self {
        Self { dawdling: Some(Mutex::new(seed)), ..Self::new(store, http, None) }
    }

    /// The outside calls that were begun.
    pub(super) fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }

    /// Makes the next call of this name for a message's record fail: before it has any effect, or by losing its answer.
    pub(super) fn fail(&self, call: &'static str, moment: Moment) {
        let error = StoreError::Unavailable { code: Code::ours("timeout") };
        self.failures.lock().unwrap().push((call, Failure::Error(moment, error)));
    }

    /// Makes the next calls of this name find a record that they can't read.
    pub(super) fn unreadable(&self, call: &'static str, times: usize) {
        let error = || StoreError::Unreadable { what: "the steps of a message" };
        let failures = std::iter::repeat_with(|| (call, Failure::Error(Moment::Before, error()))).take(times);
        self.failures.lock().unwrap().extend(failures);
    }

    /// Lets the next call of this name pass, before one that fails.
    pub(super) fn pass(&self, call: &'static str) {
        self.failures.lock().unwrap().push((call, Failure::None));
    }

    /// Has the process die before the next call of this name.
    pub(super) fn die(&self, call: &'static str) {
        self.failures.lock().unwrap().push((call, Failure::Death));
    }

    async fn record<T: Send>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let failure = {
            let mut failures = self.failures.lock().unwrap();
            failures.iter().position(|(call, ..)| *call == name).map(|at| failures.remove(at))
        };
        match failure {
            None | Some((_, Failure::None)) => self.outside(name, work).await,
            Some((_, Failure::Error(Moment::Before, error))) => self.outside(name, async { Err(error) }).await,
            Some((_, Failure::Error(Moment::After, error))) => self.outside(name, work).await.and(Err(error)),
            Some((_, Failure::Death)) => pending().await,
        }
    }

    async fn outside<T: Send>(&self, name: &'static str, work: impl Future<Output = T> + Send) -> T {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(name);
            calls.len() - 1
        };
        self.dawdle().await;
        let moment = self.death.filter(|death| death.call == number).map(|death| death.moment);
        if moment == Some(Moment::Before) {
            pending::<()>().await;
        }
        let answer = work.await;
        if moment == Some(Moment::After) {
            pending::<()>().await;
        }
        self.dawdle().await;
        answer
    }

    async fn dawdle(&self) {
        let Some(state) = &self.dawdling else { return };
        let turns = {
            // Knuth's linear congruential generator: a fixed seed gives a fixed interleaving.
            let mut state = state.lock().unwrap();
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

#[async_trait]
impl Ledger for Ports {
    async fn outbound_receipt(&self, line: &LineId, name: &ReceiptName) -> Result<Option<OutboundReceipt>, StoreError> {
        self.outside("outbound_receipt", self.store.outbound_receipt(line, name)).await
    }
    async fn reported(&self, line: &LineId, name: &ReceiptName, rank: u8) -> Result<(), StoreError> {
        self.outside("reported", self.store.reported(line, name, rank)).await
    }
    async fn inbound_receipt(
        &self,
        account: &AccountId,
        dialog: &DialogId,
        sequence: Sequence,
    ) -> Result<Option<InboundReceipt>, StoreError> {
        self.outside("inbound_receipt", self.store.inbound_receipt(account, dialog, sequence)).await
    }
    async fn last_inbound(&self, consumer: &ConsumerRef) -> Result<Option<InboundReceipt>, StoreError> {
        self.outside("last_inbound", self.store.last_inbound(consumer)).await
    }
    async fn note_accepted(
        &self,
        line: &LineId,
        reference: &CallReference,
        accepted: &AcceptedCall,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.outside("note_accepted", self.store.note_accepted(line, reference, accepted, at)).await
    }
    async fn accepted_call(
        &self,
        line: &LineId,
        reference: &CallReference,
    ) -> Result<Option<AcceptedCall>, StoreError> {
        self.outside("accepted_call", self.store.accepted_call(line, reference)).await
    }
    async fn note_echo(&self, account: &AccountId, dialog: &DialogId, echo: &Echo) -> Result<(), StoreError> {
        self.outside("note_echo", self.store.note_echo(account, dialog, echo)).await
    }
    async fn echoes(
        &self,
        account: &AccountId,
        dialog: &DialogId,
        after: Option<Sequence>,
    ) -> Result<Vec<Echo>, StoreError> {
        self.outside("echoes", self.store.echoes(account, dialog, after)).await
    }
}

#[async_trait]
impl Consumers for Ports {
    async fn consumer(&self, consumer: &ConsumerRef) -> Result<Option<Consumer>, StoreError> {
        self.outside("consumer", self.store.consumer(consumer)).await
    }
    async fn save_consumer(&self, consumer: &Consumer) -> Result<Saved, StoreError> {
        self.outside("save_consumer", self.store.save_consumer(consumer)).await
    }
    async fn consumer_by_lp_id(
        &self,
        account: &AccountId,
        id: &LpConsumerId,
    ) -> Result<Option<ConsumerRef>, StoreError> {
        self.outside("consumer_by_lp_id", self.store.consumer_by_lp_id(account, id)).await
    }
    async fn conversation_owner(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Option<ConversationOwner>, StoreError> {
        self.outside("conversation_owner", self.store.conversation_owner(account, conversation)).await
    }
    async fn claim_conversation(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        consumer: &ConsumerRef,
    ) -> Result<(), StoreError> {
        self.outside("claim_conversation", self.store.claim_conversation(account, conversation, consumer)).await
    }
    async fn note_unattached(&self, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
        self.outside("note_unattached", self.store.note_unattached(account, now)).await
    }
    async fn unattached_at(&self, account: &AccountId) -> Result<Option<Timestamp>, StoreError> {
        self.outside("unattached_at", self.store.unattached_at(account)).await
    }
    async fn unknown_since(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        self.outside("unknown_since", self.store.unknown_since(account, conversation, now)).await
    }
    async fn mark_foreign(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.outside("mark_foreign", self.store.mark_foreign(account, conversation, now)).await
    }

    async fn presume_foreign(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.outside("presume_foreign", self.store.presume_foreign(account, conversation, now)).await
    }
}

#[async_trait]
impl Messages for Ports {
    async fn acquire(&self, lease: &Lease, now: Timestamp, until: Timestamp) -> Result<Acquired, StoreError> {
        self.record("acquire", self.store.acquire(lease, now, until)).await
    }
    async fn is_done(&self, message: &MessageKey) -> Result<bool, StoreError> {
        self.outside("is_done", self.store.is_done(message)).await
    }
    async fn step_done(
        &self,
        lease: &Lease,
        done: usize,
        step: &Step,
        entry: Option<&LedgerEntry>,
    ) -> Result<(), StoreError> {
        self.record("step_done", self.store.step_done(lease, done, step, entry)).await
    }
    async fn complete(&self, lease: &Lease, entry: Option<&LedgerEntry>) -> Result<(), StoreError> {
        self.record("complete", self.store.complete(lease, entry)).await
    }
    async fn release(&self, lease: &Lease, counts: bool, uncertain: &UncertainOutcome) -> Result<(), StoreError> {
        self.record("release", self.store.release(lease, counts, uncertain)).await
    }
    async fn abandon(&self, lease: &Lease) -> Result<(), StoreError> {
        self.record("abandon", self.store.abandon(lease)).await
    }
    async fn park(&self, lease: &Lease, parked: &Parked, uncertain: &UncertainOutcome) -> Result<(), StoreError> {
        self.record("park", self.store.park(lease, parked, uncertain)).await
    }
}

#[async_trait]
impl Tokens for Ports {
    async fn token(&self, account: &AccountId) -> Result<Option<AppJwt>, StoreError> {
        self.outside("token", self.store.token(account)).await
    }
    async fn lease_token(
        &self,
        account: &AccountId,
        owner: &Owner,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        self.outside("lease_token", self.store.lease_token(account, owner, now, until)).await
    }
    async fn save_token(&self, account: &AccountId, owner: &Owner, token: &AppJwt) -> Result<(), StoreError> {
        self.outside("save_token", self.store.save_token(account, owner, token)).await
    }
    async fn release_token(&self, account: &AccountId, owner: &Owner) -> Result<(), StoreError> {
        self.outside("release_token", self.store.release_token(account, owner)).await
    }
}
