//! The state that outlives an invocation. Every rule here is a condition on one write, never a read followed by a write.
//!
//! Several ports, so that a function is granted only what it uses. One contract suite
//! (`testing::store_contract`) runs on the in-memory store and on the DynamoDB store.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    domain::{
        code::Code,
        conversation::Consumer,
        delivery::{
            AcceptedCall, Acquired, ConsumerRef, ConversationOwner, Echo, InboundReceipt, Lease, LedgerEntry,
            MessageKey, OutboundReceipt, Parked, ReceiptName, Step, UncertainOutcome,
        },
        id::{AccountId, CallReference, ConversationId, DialogId, LineId, LpConsumerId, Owner, Sequence},
    },
    liveengage::sentinel::AppJwt,
};

/// The store did not do it. Safe to try again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It can't be reached, throttles, or refuses: named without any value of the item.
    #[error("the table can't be used: {code}")]
    Unavailable {
        /// The service's error code.
        code: Code,
    },
    /// An item has a form that this version can't read.
    #[error("an item of the table can't be read: {what}")]
    Unreadable {
        /// Which item, without its values.
        what: &'static str,
    },
    /// The lease has run out and somebody else has it: what was to be written is theirs to write.
    #[error("the lease is lost")]
    LeaseLost,
}

/// Answer to a save of a versioned record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is saved; the record's version is one higher now.
    Saved,
    /// Somebody else saved it since it was read: read it again.
    Conflict,
}

/// Consumers and whose conversations are.
#[async_trait]
pub trait Consumers: Send + Sync {
    /// A consumer's record, strongly consistent.
    async fn consumer(&self, consumer: &ConsumerRef) -> Result<Option<Consumer>, StoreError>;

    /// Saves a record over the version that was read, together with the pointers to it (its `lp_consumer_id`, and its
    /// conversation once there is one) in one transaction: an answer can arrive right after.
    async fn save_consumer(&self, consumer: &Consumer) -> Result<Saved, StoreError>;

    /// Whose record has this `lp_consumer_id`, strongly consistent.
    async fn consumer_by_lp_id(
        &self,
        account: &AccountId,
        id: &LpConsumerId,
    ) -> Result<Option<ConsumerRef>, StoreError>;

    /// Whose a conversation is, strongly consistent; `None` when nothing was heard of it yet.
    async fn conversation_owner(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Option<ConversationOwner>, StoreError>;

    /// Notes whose a conversation is, whatever the consumer's record says of it.
    async fn claim_conversation(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        consumer: &ConsumerRef,
    ) -> Result<(), StoreError>;

    /// Since when somebody has looked for the owner of a conversation that nobody knows: `now` at the first look, and whenever there
    /// is an owner by now. Forgotten after a day.
    async fn unknown_since(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError>;

    /// Notes that LiveEngage says of a consumer of this account that they have an open conversation, and nobody knows its id.
    async fn note_unattached(&self, account: &AccountId, now: Timestamp) -> Result<(), StoreError>;

    /// When that was noted last.
    async fn unattached_at(&self, account: &AccountId) -> Result<Option<Timestamp>, StoreError>;

    /// Notes that a conversation can only be another channel's, unless it is known to be ours. Forgotten after a day at `now`.
    async fn mark_foreign(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Notes that a conversation seems to be another channel's, unless something is known of it. Forgotten after a day at `now`.
    async fn presume_foreign(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

/// Leases on messages, and what became of them.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Starts on a message, or takes over one whose lease has run out at `now`: that attempt died, which leaves a doubt. Who has the lease
    /// already is answered the same once more.
    async fn acquire(&self, lease: &Lease, now: Timestamp, until: Timestamp) -> Result<Acquired, StoreError>;

    /// Whether a message is done with: delivered, told or parked. Strongly consistent, and takes no lease.
    async fn is_done(&self, message: &MessageKey) -> Result<bool, StoreError>;

    /// Notes that the step after `done` others is done, and in the same transaction which message it made. No doubt is left then. The same
    /// once more without an entry is fine.
    async fn step_done(
        &self,
        lease: &Lease,
        done: usize,
        step: &Step,
        entry: Option<&LedgerEntry>,
    ) -> Result<(), StoreError>;

    /// Notes that the message is delivered: it is never started again. In the same transaction, which message its last step made.
    async fn complete(&self, lease: &Lease, entry: Option<&LedgerEntry>) -> Result<(), StoreError>;

    /// Gives the lease back, so that the next attempt needn't wait for its end, and says what is in doubt. A lease that is lost
    /// already is fine. Unless it `counts`, the attempt is taken back: waiting for something else is no failure of the message.
    async fn release(&self, lease: &Lease, counts: bool, uncertain: &UncertainOutcome) -> Result<(), StoreError>;

    /// Gives a lease back of which the caller doesn't know whether it has it, because `acquire` was not answered. Nothing was done under it,
    /// and what is in doubt stays so. One that was taken from an attempt that died, which isn't noted yet, runs out instead.
    async fn abandon(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Keeps the message for a person and notes that it is done with, in one transaction. What is in doubt is kept, too.
    async fn park(&self, lease: &Lease, parked: &Parked, uncertain: &UncertainOutcome) -> Result<(), StoreError>;
}

/// Which message is which on the other side, remembered for two weeks.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// What a channel's message is, strongly consistent.
    async fn outbound_receipt(&self, line: &LineId, name: &ReceiptName) -> Result<Option<OutboundReceipt>, StoreError>;

    /// Notes that LiveEngage was told a report of this rank about a message. A lower rank than the noted one changes nothing.
    async fn reported(&self, line: &LineId, name: &ReceiptName, rank: u8) -> Result<(), StoreError>;

    /// What a person's message is at the channel, by its place in LiveEngage.
    async fn inbound_receipt(
        &self,
        account: &AccountId,
        dialog: &DialogId,
        sequence: Sequence,
    ) -> Result<Option<InboundReceipt>, StoreError>;

    /// The person's last message that LiveEngage was told, strongly consistent.
    async fn last_inbound(&self, consumer: &ConsumerRef) -> Result<Option<InboundReceipt>, StoreError>;

    /// Notes that a channel has accepted a call, and what it calls the message.
    async fn note_accepted(
        &self,
        line: &LineId,
        reference: &CallReference,
        accepted: &AcceptedCall,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// This call, if a report has told within a day that it was accepted, strongly consistent.
    async fn accepted_call(&self, line: &LineId, reference: &CallReference)
    -> Result<Option<AcceptedCall>, StoreError>;

    /// Notes the echo of a consumer's own message.
    async fn note_echo(&self, account: &AccountId, dialog: &DialogId, echo: &Echo) -> Result<(), StoreError>;

    /// The echoes of a dialog after this number, by number, strongly consistent. They are kept for a day.
    async fn echoes(
        &self,
        account: &AccountId,
        dialog: &DialogId,
        after: Option<Sequence>,
    ) -> Result<Vec<Echo>, StoreError>;
}

/// AppJWTs, shared by all functions.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// An account's token, if there is one, strongly consistent.
    async fn token(&self, account: &AccountId) -> Result<Option<AppJwt>, StoreError>;

    /// Takes the right to ask for a new token, so that a hundred workers make one call. `false`: somebody else has it.
    async fn lease_token(
        &self,
        account: &AccountId,
        owner: &Owner,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Saves a new token and gives the right back.
    async fn save_token(&self, account: &AccountId, owner: &Owner, token: &AppJwt) -> Result<(), StoreError>;

    /// Gives the right back without a new token.
    async fn release_token(&self, account: &AccountId, owner: &Owner) -> Result<(), StoreError>;
}
