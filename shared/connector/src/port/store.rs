//! The state that outlives an invocation. Every rule here is a condition of one write, never a read followed by a write.
//!
//! There are several ports, so that each function gets permissions only for what it uses. One contract suite (`testing::store_contract`)
//! tests both the in-memory store and the DynamoDB store.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    conversation::Consumer,
    delivery::{Acquired, ConsumerRef, ConversationOwner, Lease, Parked},
    id::{LineId, Owner},
    message_key::MessageKey,
    pointer::Pointer,
    progress::Step,
    receipt::{AcceptedCall, Echo, InboundReceipt, LedgerEntry, OutboundReceipt, ReceiptName},
    uncertain::UncertainOutcome,
};
use connector_channels::id::CallReference;
use connector_liveengage::{
    id::{AccountId, ConversationId, DialogId, LpConsumerId, Sequence},
    sentinel::AppJwt,
};
use connector_message::code::Code;

/// Why the store did not carry out an operation. Retrying is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It can't be reached, throttles, or rejects the call. Holds no value of an item.
    #[error("the table can't be used: {code}")]
    Unavailable {
        /// The service's error code.
        code: Code,
    },
    /// This version can't read an item.
    #[error("an item of the table can't be read: {what}")]
    Unreadable {
        /// Which item, without its values.
        what: &'static str,
    },
    /// The lease has expired and another attempt holds it. Only that one may write.
    #[error("the lease is lost")]
    LeaseLost,
}

/// The result of saving a versioned record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is saved, and the stored version is one higher.
    Saved,
    /// Another writer has saved it since it was read. Read it again.
    Conflict,
}

/// Consumers and the owners of conversations.
#[async_trait]
pub trait Consumers: Send + Sync {
    /// Returns a consumer's record, strongly consistent.
    async fn consumer(&self, consumer: &ConsumerRef) -> Result<Option<Consumer>, StoreError>;

    /// Saves a record over the version that was read, together with its new pointers ([`Consumer::pointers_beyond`]): both or neither,
    /// because an agent's answer can arrive right after. A save without new pointers that finds its own record is saved: it is made again after a
    /// lost answer.
    async fn save_consumer(&self, consumer: &Consumer, new: &[Pointer]) -> Result<Saved, StoreError>;

    /// Returns the consumer with this `lp_consumer_id`, strongly consistent.
    async fn consumer_by_lp_id(
        &self,
        account: &AccountId,
        id: &LpConsumerId,
    ) -> Result<Option<ConsumerRef>, StoreError>;

    /// Returns the owner of a conversation, strongly consistent. `None` if nothing is recorded about it.
    async fn conversation_owner(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Option<ConversationOwner>, StoreError>;

    /// Records the owner of a conversation, whatever the consumer's record says about it.
    async fn claim_conversation(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        consumer: &ConsumerRef,
    ) -> Result<(), StoreError>;

    /// Returns the time of the first lookup of the owner of an unknown conversation, and records it: `now` at the first call, and whenever
    /// the conversation has an owner by now. Expires after a day.
    async fn unknown_since(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError>;

    /// Records that LiveEngage says a consumer of this account has an open conversation whose id is not known.
    async fn note_unattached(&self, account: &AccountId, now: Timestamp) -> Result<(), StoreError>;

    /// Returns when that was last recorded.
    async fn unattached_at(&self, account: &AccountId) -> Result<Option<Timestamp>, StoreError>;

    /// Records at `now` that a conversation can only be another channel's, unless it is known to be ours. Expires after a day.
    async fn mark_foreign(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Records at `now` that a conversation is presumably another channel's, unless something is known about it. Expires after a day.
    async fn presume_foreign(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

/// Which conversations to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConversationFilter {
    /// Those that are open.
    Open,
    /// Those that LiveEngage closed at this time or later, by its own clock. One whose closing had no time is not found.
    ClosedSince(Timestamp),
}

/// Some of the consumers that were searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundConsumers {
    /// The consumers, in no particular order.
    pub consumers: Vec<ConsumerRef>,
    /// Whether there are no others.
    pub is_complete: bool,
}

/// What is remembered of an account's earlier reconciliations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PastRuns {
    /// When the last complete one began.
    pub complete: Option<Timestamp>,
    /// When the history last refused the consumers' tokens. `None` if it has accepted one since.
    pub refused: Option<Timestamp>,
}

/// The conversations of an account, for reconciliation.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// Returns the consumers of an account whose conversation is in this state, at most `most`. Eventually consistent: a change of the last
    /// second may be missing.
    async fn consumers_in(
        &self,
        account: &AccountId,
        filter: ConversationFilter,
        most: usize,
    ) -> Result<FoundConsumers, StoreError>;

    /// Returns what is remembered of an account's earlier reconciliations.
    async fn past_runs(&self, account: &AccountId) -> Result<PastRuns, StoreError>;

    /// Records that a complete reconciliation of an account began at `at`.
    async fn note_complete_run(&self, account: &AccountId, at: Timestamp) -> Result<(), StoreError>;

    /// Records that the history refused the consumers' tokens at `at`. `None`: it has accepted one.
    async fn note_refusal(&self, account: &AccountId, at: Option<Timestamp>) -> Result<(), StoreError>;
}

/// Leases on messages, and their outcomes.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Acquires the lease on a message at `now`, also if another attempt's lease has expired. Such an attempt was stopped, which leaves an
    /// uncertain outcome. If the caller has the lease already, returns the same result again.
    async fn acquire(&self, lease: &Lease, now: Timestamp, until: Timestamp) -> Result<Acquired, StoreError>;

    /// Whether a message is settled: delivered or parked. Strongly consistent. Takes no lease.
    async fn is_done(&self, message: &MessageKey) -> Result<bool, StoreError>;

    /// Records that the step after `done` others is finished and, in the same transaction, the id of the message that it made. This clears
    /// the uncertain outcome. Repeating the call without an entry is allowed.
    async fn step_done(
        &self,
        lease: &Lease,
        done: usize,
        step: &Step,
        entry: Option<&LedgerEntry>,
    ) -> Result<(), StoreError>;

    /// Records that the message is delivered, so that it is never started again, and in the same transaction the id of the message that its
    /// last step made.
    async fn complete(&self, lease: &Lease, entry: Option<&LedgerEntry>) -> Result<(), StoreError>;

    /// Releases the lease, so that the next attempt needn't wait until it expires, and records the uncertain outcome. Does nothing if the
    /// lease is lost. Unless it `counts`, the attempt is subtracted again, because waiting for something else is not a failure of the
    /// message.
    async fn release(&self, lease: &Lease, counts: bool, uncertain: &UncertainOutcome) -> Result<(), StoreError>;

    /// Releases a lease that the caller may or may not have, because `acquire` got no answer. Nothing was done under it, so the recorded
    /// uncertain outcome stays. A lease that was taken over from an attempt that was stopped expires instead, because that isn't recorded
    /// yet.
    async fn abandon(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Parks the message and settles it, in one transaction. The uncertain outcome is kept, too.
    async fn park(&self, lease: &Lease, parked: &Parked, uncertain: &UncertainOutcome) -> Result<(), StoreError>;
}

/// The other side's ids of messages, kept for two weeks.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Returns what is recorded about a message that was sent to a channel, strongly consistent.
    async fn outbound_receipt(&self, line: &LineId, name: &ReceiptName) -> Result<Option<OutboundReceipt>, StoreError>;

    /// Records that LiveEngage received a report of this rank about a message. A rank below the recorded one changes nothing.
    async fn reported(&self, line: &LineId, name: &ReceiptName, rank: u8) -> Result<(), StoreError>;

    /// Returns what is recorded about a consumer's message, by its position in LiveEngage.
    async fn inbound_receipt(
        &self,
        account: &AccountId,
        dialog: &DialogId,
        sequence: Sequence,
    ) -> Result<Option<InboundReceipt>, StoreError>;

    /// Returns the consumer's last message that LiveEngage accepted, strongly consistent.
    async fn last_inbound(&self, consumer: &ConsumerRef) -> Result<Option<InboundReceipt>, StoreError>;

    /// Records that a channel has accepted a call, and its id of the message.
    async fn note_accepted(
        &self,
        line: &LineId,
        reference: &CallReference,
        accepted: &AcceptedCall,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Returns this call if a report has shown within a day that the channel accepted it, strongly consistent.
    async fn accepted_call(&self, line: &LineId, reference: &CallReference)
    -> Result<Option<AcceptedCall>, StoreError>;

    /// Records the echo of a consumer's own message.
    async fn note_echo(&self, account: &AccountId, dialog: &DialogId, echo: &Echo) -> Result<(), StoreError>;

    /// Returns the echoes of a dialog, sorted by number, strongly consistent. They are kept for a day.
    async fn echoes(&self, account: &AccountId, dialog: &DialogId) -> Result<Vec<Echo>, StoreError>;
}

/// AppJWTs, shared by all functions.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// Returns an account's token, strongly consistent.
    async fn token(&self, account: &AccountId) -> Result<Option<AppJwt>, StoreError>;

    /// Takes the lease on requesting a new token, so that only one of many workers makes the call. `false`: another worker has it.
    async fn lease_token(
        &self,
        account: &AccountId,
        owner: &Owner,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Saves a new token and releases the lease.
    async fn save_token(&self, account: &AccountId, owner: &Owner, token: &AppJwt) -> Result<(), StoreError>;

    /// Releases the lease without a new token.
    async fn release_token(&self, account: &AccountId, owner: &Owner) -> Result<(), StoreError>;
}
