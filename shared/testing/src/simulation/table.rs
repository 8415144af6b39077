//! The table, as one environment sees it. Writes to a message's record are observed: they are what the promises rest on.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{invariant::Invariant, ports::Ports, truth::MessageId, world::World};
use connector::{
    app::policy::ENVIRONMENTS_DIFFER,
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
    port::{
        Consumers, ConversationFilter, Conversations, FoundConsumers, Ledger, Messages, ParkedId, ParkedList,
        ParkedMessage, ParkedMessages, PastRuns, Reopened, Saved, StoreError, Tokens,
    },
};
use connector_channels::id::CallReference;
use connector_liveengage::{
    id::{AccountId, ConversationId, DialogId, LpConsumerId, Sequence},
    sentinel::AppJwt,
};

/// A lease as the simulation saw it given.
#[derive(Debug)]
pub(super) struct GivenLease {
    owner: Owner,
    until: Timestamp,
}

/// Passes each method on to the store, as a call that takes time and can fail.
macro_rules! passes_on {
    ($port:ident: $(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        #[async_trait]
        impl $port for Ports {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.stored(stringify!($name), $port::$name(&self.shared().store, $($argument),*)).await
            })+
        }
    };
}

passes_on! { Ledger:
    fn outbound_receipt(line: &LineId, name: &ReceiptName) -> Option<OutboundReceipt>;
    fn reported(line: &LineId, name: &ReceiptName, rank: u8) -> ();
    fn inbound_receipt(account: &AccountId, dialog: &DialogId, sequence: Sequence) -> Option<InboundReceipt>;
    fn last_inbound(consumer: &ConsumerRef) -> Option<InboundReceipt>;
    fn note_accepted(line: &LineId, reference: &CallReference, accepted: &AcceptedCall, at: Timestamp) -> ();
    fn accepted_call(line: &LineId, reference: &CallReference) -> Option<AcceptedCall>;
    fn note_echo(account: &AccountId, dialog: &DialogId, echo: &Echo) -> ();
    fn echoes(account: &AccountId, dialog: &DialogId) -> Vec<Echo>;
}

passes_on! { Consumers:
    fn consumer(consumer: &ConsumerRef) -> Option<Consumer>;
    fn save_consumer(consumer: &Consumer, new: &[Pointer]) -> Saved;
    fn consumer_by_lp_id(account: &AccountId, id: &LpConsumerId) -> Option<ConsumerRef>;
    fn conversation_owner(account: &AccountId, id: &ConversationId) -> Option<ConversationOwner>;
    fn claim_conversation(account: &AccountId, id: &ConversationId, consumer: &ConsumerRef) -> ();
    fn note_unattached(account: &AccountId, now: Timestamp) -> ();
    fn unattached_at(account: &AccountId) -> Option<Timestamp>;
    fn unknown_since(account: &AccountId, id: &ConversationId, now: Timestamp) -> Timestamp;
    fn mark_foreign(account: &AccountId, id: &ConversationId, now: Timestamp) -> ();
    fn presume_foreign(account: &AccountId, id: &ConversationId, now: Timestamp) -> ();
}

passes_on! { Conversations:
    fn consumers_in(account: &AccountId, filter: ConversationFilter, most: usize) -> FoundConsumers;
    fn past_runs(account: &AccountId) -> PastRuns;
    fn note_complete_run(account: &AccountId, at: Timestamp) -> ();
    fn note_refusal(account: &AccountId, at: Option<Timestamp>) -> ();
}

passes_on! { Tokens:
    fn token(account: &AccountId) -> Option<AppJwt>;
    fn lease_token(account: &AccountId, owner: &Owner, now: Timestamp, until: Timestamp) -> bool;
    fn save_token(account: &AccountId, owner: &Owner, token: &AppJwt) -> ();
    fn release_token(account: &AccountId, owner: &Owner) -> ();
}

impl Ports {
    /// Makes a write to a message's record. If it fails for the caller, the caller can't know any more what it has shown.
    async fn recorded<T: Send>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let result = self.stored(call, work).await;
        if let Err(StoreError::Unavailable { .. }) = &result {
            let mut world = self.shared().world();
            let id = self.invocation_id(&world);
            let World { invocations, truth, .. } = &mut *world;
            invocations.get_mut(&id).unwrap().attempt().excuse(id, truth);
        }
        result
    }

    /// A step was recorded, or the end.
    fn observe_record(&self, lease: &Lease, is_end: bool) {
        let mut world = self.shared().world();
        let id = self.invocation_id(&world);
        let World { invocations, truth, keys, leases, .. } = &mut *world;
        invocations.get_mut(&id).unwrap().attempt().unrecorded.drain(..).for_each(|piece| truth.recorded(piece, id));
        if is_end {
            let name = lease.message.name();
            keys.get(&name).into_iter().flatten().for_each(|message| truth.completed(*message));
            leases.remove(&name);
        }
    }

    fn observe_acquired(&self, lease: &Lease, now: Timestamp, until: Timestamp) {
        let mut world = self.shared().world();
        let at = world.agenda.now();
        let (id, invocation) = self.invocation(&mut world);
        invocation.acquired(at);
        let given = GivenLease { owner: lease.owner.clone(), until };
        let before = world.leases.insert(lease.message.name(), given);
        if let Some(before) = before
            && before.owner != lease.owner
            && before.until.duration_since(now) > ENVIRONMENTS_DIFFER
        {
            let what =
                format_args!("{id} got a lease that {} has for {}", before.owner, before.until.duration_since(now));
            world.truth.broken(Invariant::TwoOwners, what);
        }
    }

    fn observe_released(&self, lease: &Lease) {
        let mut world = self.shared().world();
        let name = lease.message.name();
        if world.leases.get(&name).is_some_and(|given| given.owner == lease.owner) {
            world.leases.remove(&name);
        }
    }

    fn observe_parked(&self, lease: &Lease, parked: &Parked) {
        let mut world = self.shared().world();
        let (id, invocation) = self.invocation(&mut world);
        let is_told = invocation.attempt().notices > 0;
        let messages: Vec<MessageId> = world.truth.parked_in(&parked.body);
        world.agenda.note(format_args!("{id} parks {messages:?}: {}", parked.reason));
        let now = world.agenda.now();
        if let Some(outage) = &mut world.outage {
            outage.parked(messages.len(), now);
        }
        messages.into_iter().for_each(|message| world.truth.parked(message, is_told));
        world.leases.remove(&lease.message.name());
    }
}

#[async_trait]
impl Messages for Ports {
    async fn acquire(&self, lease: &Lease, now: Timestamp, until: Timestamp) -> Result<Acquired, StoreError> {
        let work = async {
            let acquired = self.shared().store.acquire(lease, now, until).await?;
            if let Acquired::Started { .. } = &acquired {
                self.observe_acquired(lease, now, until);
            }
            Ok(acquired)
        };
        self.stored("acquire", work).await
    }

    async fn is_done(&self, message: &MessageKey) -> Result<bool, StoreError> {
        self.stored("is_done", self.shared().store.is_done(message)).await
    }

    async fn step_done(
        &self,
        lease: &Lease,
        done: usize,
        step: &Step,
        entry: Option<&LedgerEntry>,
    ) -> Result<(), StoreError> {
        let work = async {
            self.shared().store.step_done(lease, done, step, entry).await?;
            self.observe_record(lease, false);
            Ok(())
        };
        self.recorded("step_done", work).await
    }

    async fn complete(&self, lease: &Lease, entry: Option<&LedgerEntry>) -> Result<(), StoreError> {
        let work = async {
            self.shared().store.complete(lease, entry).await?;
            self.observe_record(lease, true);
            Ok(())
        };
        self.recorded("complete", work).await
    }

    async fn release(&self, lease: &Lease, counts: bool, uncertain: &UncertainOutcome) -> Result<(), StoreError> {
        let work = async {
            self.shared().store.release(lease, counts, uncertain).await?;
            self.observe_released(lease);
            Ok(())
        };
        self.recorded("release", work).await
    }

    async fn abandon(&self, lease: &Lease) -> Result<(), StoreError> {
        let work = async {
            self.shared().store.abandon(lease).await?;
            self.observe_released(lease);
            Ok(())
        };
        self.stored("abandon", work).await
    }

    async fn park(&self, lease: &Lease, parked: &Parked, uncertain: &UncertainOutcome) -> Result<(), StoreError> {
        let work = async {
            self.shared().store.park(lease, parked, uncertain).await?;
            self.observe_parked(lease, parked);
            Ok(())
        };
        self.recorded("park", work).await
    }
}

#[async_trait]
impl ParkedMessages for Ports {
    async fn parked(&self) -> Result<ParkedList, StoreError> {
        self.stored("parked", ParkedMessages::parked(&self.shared().store)).await
    }

    async fn reopen(&self, parked: &ParkedMessage, now: Timestamp) -> Result<Reopened, StoreError> {
        let work = async {
            let reopened = ParkedMessages::reopen(&self.shared().store, parked, now).await?;
            if reopened == Reopened::Reopened {
                let mut world = self.shared().world();
                let messages: Vec<MessageId> = world.truth.parked_in(&parked.parked.body);
                messages.into_iter().for_each(|message| world.truth.reopened(message));
            }
            Ok(reopened)
        };
        self.stored("reopen", work).await
    }

    async fn is_settled(&self, message: &MessageKey) -> Result<bool, StoreError> {
        self.stored("is_settled", self.shared().store.is_settled(message)).await
    }

    async fn forget(&self, id: &ParkedId) -> Result<(), StoreError> {
        self.stored("forget", self.shared().store.forget(id)).await
    }
}
