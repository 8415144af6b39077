//! The in-memory store. It has the rules of the DynamoDB store, for tests that run many interleavings.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use connector::{
    domain::{
        conversation::{Consumer, Conversation},
        delivery::{Acquired, ConsumerRef, ConversationOwner, Lease, Parked},
        id::{LineId, Owner},
        message_key::MessageKey,
        pointer::Pointer,
        progress::Step,
        receipt::{AcceptedCall, Echo, InboundReceipt, LedgerEntry, OutboundReceipt, ReceiptName},
        uncertain::{CarriedOut, UncertainOutcome},
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

#[derive(Debug, Clone)]
struct Message {
    done: bool,
    owner: Owner,
    /// When the owner's lease ends. `None` once it is released.
    until: Option<Timestamp>,
    steps: Vec<Step>,
    attempts: u32,
    uncertain: UncertainOutcome,
}

impl Message {
    /// Returns the record of a message that was never started.
    fn new(owner: &Owner) -> Self {
        let uncertain = UncertainOutcome::default();
        Self { done: false, owner: owner.clone(), until: None, steps: vec![], attempts: 0, uncertain }
    }

    /// Makes it deliverable again. Its finished steps stay.
    fn reopen(&mut self) {
        (self.done, self.until, self.attempts) = (false, None, 0);
    }

    /// Whether this lease is held and was not released.
    fn has(&self, lease: &Lease) -> bool {
        self.owner == lease.owner && !self.done && self.until.is_some()
    }

    fn started(&self) -> Acquired {
        let uncertain = self.uncertain.clone().after(self.steps.len());
        Acquired::Started { steps: self.steps.clone(), attempts: self.attempts, uncertain }
    }
}

#[derive(Debug, Default)]
struct Token {
    token: Option<AppJwt>,
    lease: Option<(Owner, Timestamp)>,
}

#[derive(Debug, Default)]
struct State {
    consumers: HashMap<ConsumerRef, Consumer>,
    by_lp_id: HashMap<(AccountId, LpConsumerId), ConsumerRef>,
    conversations: HashMap<(AccountId, ConversationId), ConversationOwner>,
    unknown: HashMap<(AccountId, ConversationId), Timestamp>,
    unattached: HashMap<AccountId, Timestamp>,
    past_runs: HashMap<AccountId, PastRuns>,
    messages: HashMap<MessageKey, Message>,
    /// Sorted by id: they are numbered in the order in which they were parked.
    parked: BTreeMap<ParkedId, ParkedMessage>,
    parked_count: u64,
    tokens: HashMap<AccountId, Token>,
    shown: HashMap<(LineId, ReceiptName), OutboundReceipt>,
    heard: HashMap<(AccountId, DialogId, Sequence), InboundReceipt>,
    last_inbound: HashMap<ConsumerRef, InboundReceipt>,
    taken: HashMap<(LineId, CallReference), AcceptedCall>,
    echoes: HashMap<(AccountId, DialogId), BTreeMap<Sequence, Echo>>,
}

impl State {
    fn note(&mut self, entry: Option<&LedgerEntry>) {
        match entry {
            Some(LedgerEntry::OutboundReceipt(shown)) => {
                self.shown.insert((shown.line.clone(), shown.name.clone()), shown.clone());
            }
            Some(LedgerEntry::InboundReceipt(heard)) => {
                self.last_inbound.insert(heard.consumer.clone(), heard.clone());
                if heard.by_position {
                    self.heard.insert((heard.account.clone(), heard.dialog.clone(), heard.sequence), heard.clone());
                }
            }
            None => {}
        }
    }
}

/// The in-memory store.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// Makes a settled message deliverable again.
    pub fn reopen(&self, message: &MessageKey) {
        if let Some(message) = self.state().messages.get_mut(message) {
            message.reopen();
        }
    }

    /// Returns what is kept of the parked messages, in the order in which they were parked.
    pub fn parked(&self) -> Vec<Parked> {
        self.state().parked.values().map(|parked| parked.parked.clone()).collect()
    }
}

#[async_trait]
impl Consumers for MemoryStore {
    async fn consumer(&self, consumer: &ConsumerRef) -> Result<Option<Consumer>, StoreError> {
        Ok(self.state().consumers.get(consumer).cloned())
    }

    async fn save_consumer(&self, consumer: &Consumer, new: &[Pointer]) -> Result<Saved, StoreError> {
        let mut state = self.state();
        let who = ConsumerRef { line: consumer.line.clone(), user: consumer.user.clone() };
        let saved = Consumer { version: consumer.version + 1, ..consumer.clone() };
        match state.consumers.get(&who) {
            // The same save again, as after a lost answer.
            Some(known) if new.is_empty() && *known == saved => return Ok(Saved::Saved),
            known if known.map_or(0, |known| known.version) != consumer.version => return Ok(Saved::Conflict),
            _ => {}
        }
        for pointer in new.iter().cloned() {
            match pointer {
                Pointer::LpConsumer(account, id) => {
                    state.by_lp_id.insert((account, id), who.clone());
                }
                Pointer::Conversation(account, id) => {
                    state.conversations.insert((account, id), ConversationOwner::Ours(who.clone()));
                }
                Pointer::Survey { account, dialog, conversation } => {
                    let owner = ConversationOwner::OurSurvey(who.clone(), conversation);
                    state.conversations.insert((account, dialog), owner);
                }
            }
        }
        state.consumers.insert(who, saved);
        Ok(Saved::Saved)
    }

    async fn consumer_by_lp_id(
        &self,
        account: &AccountId,
        id: &LpConsumerId,
    ) -> Result<Option<ConsumerRef>, StoreError> {
        Ok(self.state().by_lp_id.get(&(account.clone(), id.clone())).cloned())
    }

    async fn conversation_owner(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Option<ConversationOwner>, StoreError> {
        Ok(self.state().conversations.get(&(account.clone(), conversation.clone())).cloned())
    }

    async fn claim_conversation(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        consumer: &ConsumerRef,
    ) -> Result<(), StoreError> {
        let key = (account.clone(), conversation.clone());
        self.state().conversations.insert(key, ConversationOwner::Ours(consumer.clone()));
        Ok(())
    }

    async fn note_unattached(&self, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
        self.state().unattached.insert(account.clone(), now);
        Ok(())
    }

    async fn unattached_at(&self, account: &AccountId) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state().unattached.get(account).copied())
    }

    async fn unknown_since(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let key = (account.clone(), conversation.clone());
        let mut state = self.state();
        if matches!(state.conversations.get(&key), Some(ConversationOwner::Ours(_) | ConversationOwner::OurSurvey(..)))
        {
            return Ok(now);
        }
        Ok(*state.unknown.entry(key).or_insert(now))
    }

    async fn mark_foreign(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = (account.clone(), conversation.clone());
        let mut state = self.state();
        let owner = state.conversations.entry(key).or_insert(ConversationOwner::Foreign);
        if *owner == ConversationOwner::PresumedForeign {
            *owner = ConversationOwner::Foreign;
        }
        Ok(())
    }

    async fn presume_foreign(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = (account.clone(), conversation.clone());
        self.state().conversations.entry(key).or_insert(ConversationOwner::PresumedForeign);
        Ok(())
    }
}

#[async_trait]
impl Conversations for MemoryStore {
    async fn consumers_in(
        &self,
        account: &AccountId,
        filter: ConversationFilter,
        most: usize,
    ) -> Result<FoundConsumers, StoreError> {
        let is_in = |consumer: &Consumer| match (&consumer.conversation, filter) {
            (Conversation::Open { .. }, ConversationFilter::Open) => true,
            (Conversation::Closed { as_of: Some(at), .. }, ConversationFilter::ClosedSince(since)) => *at >= since,
            _ => false,
        };
        let state = self.state();
        let found = state.consumers.iter().filter(|(_, consumer)| consumer.account == *account && is_in(consumer));
        let mut consumers: Vec<_> = found.map(|(who, _)| who.clone()).collect();
        // Not in the order of the map, which differs from run to run.
        consumers.sort_unstable_by(|a, b| (a.line.as_str(), a.user.as_str()).cmp(&(b.line.as_str(), b.user.as_str())));
        let is_complete = consumers.len() <= most;
        consumers.truncate(most);
        Ok(FoundConsumers { consumers, is_complete })
    }

    async fn past_runs(&self, account: &AccountId) -> Result<PastRuns, StoreError> {
        Ok(self.state().past_runs.get(account).copied().unwrap_or_default())
    }

    async fn note_complete_run(&self, account: &AccountId, at: Timestamp) -> Result<(), StoreError> {
        self.state().past_runs.entry(account.clone()).or_default().complete = Some(at);
        Ok(())
    }

    async fn note_refusal(&self, account: &AccountId, at: Option<Timestamp>) -> Result<(), StoreError> {
        self.state().past_runs.entry(account.clone()).or_default().refused = at;
        Ok(())
    }
}

#[async_trait]
impl Messages for MemoryStore {
    async fn acquire(&self, lease: &Lease, now: Timestamp, until: Timestamp) -> Result<Acquired, StoreError> {
        let mut state = self.state();
        let message = state.messages.entry(lease.message.clone()).or_insert_with(|| Message::new(&lease.owner));
        if message.done {
            return Ok(Acquired::Done);
        }
        if let Some(until) = message.until.filter(|until| *until > now) {
            return Ok(if message.owner == lease.owner { message.started() } else { Acquired::Busy { until } });
        }
        message.uncertain = message.uncertain.clone().after(message.steps.len());
        if message.until.is_some() {
            // The attempt was stopped before it released its lease.
            message.uncertain.add(CarriedOut::Possibly, None);
        }
        message.owner = lease.owner.clone();
        message.until = Some(until);
        message.attempts += 1;
        Ok(message.started())
    }

    async fn is_done(&self, message: &MessageKey) -> Result<bool, StoreError> {
        Ok(self.state().messages.get(message).is_some_and(|message| message.done))
    }

    async fn step_done(
        &self,
        lease: &Lease,
        done: usize,
        step: &Step,
        entry: Option<&LedgerEntry>,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        match state.messages.get_mut(&lease.message) {
            Some(message)
                if message.has(lease)
                    && entry.is_none()
                    && message.steps.len() == done + 1
                    && message.steps.last() == Some(step) =>
            {
                Ok(())
            }
            Some(message) if message.has(lease) && message.steps.len() == done => {
                message.steps.push(step.clone());
                message.uncertain = UncertainOutcome::default();
                state.note(entry);
                Ok(())
            }
            _ => Err(StoreError::LeaseLost),
        }
    }

    async fn complete(&self, lease: &Lease, entry: Option<&LedgerEntry>) -> Result<(), StoreError> {
        let mut state = self.state();
        match state.messages.get_mut(&lease.message) {
            Some(message) if message.owner == lease.owner => {
                message.done = true;
                state.note(entry);
                Ok(())
            }
            _ => Err(StoreError::LeaseLost),
        }
    }

    async fn release(&self, lease: &Lease, counts: bool, uncertain: &UncertainOutcome) -> Result<(), StoreError> {
        if let Some(message) = self.state().messages.get_mut(&lease.message)
            && message.has(lease)
        {
            message.until = None;
            message.uncertain = uncertain.clone();
            if !counts {
                message.attempts = message.attempts.saturating_sub(1);
            }
        }
        Ok(())
    }

    async fn abandon(&self, lease: &Lease) -> Result<(), StoreError> {
        if let Some(message) = self.state().messages.get_mut(&lease.message)
            && message.has(lease)
        {
            message.until = None;
            message.attempts = message.attempts.saturating_sub(1);
        }
        Ok(())
    }

    async fn park(&self, lease: &Lease, parked: &Parked, uncertain: &UncertainOutcome) -> Result<(), StoreError> {
        let mut state = self.state();
        let message = state.messages.entry(lease.message.clone()).or_insert_with(|| Message::new(&lease.owner));
        if message.done || (message.owner != lease.owner && message.until > Some(parked.at)) {
            return Err(StoreError::LeaseLost);
        }
        message.done = true;
        message.owner = lease.owner.clone();
        message.uncertain = uncertain.parked();
        state.parked_count += 1;
        let id = ParkedId::new(format!("{:08}", state.parked_count));
        let (message, parked) = (lease.message.clone(), parked.clone());
        state.parked.insert(id.clone(), ParkedMessage { id, message, parked, begun: None });
        Ok(())
    }
}

#[async_trait]
impl Ledger for MemoryStore {
    async fn outbound_receipt(&self, line: &LineId, name: &ReceiptName) -> Result<Option<OutboundReceipt>, StoreError> {
        Ok(self.state().shown.get(&(line.clone(), name.clone())).cloned())
    }

    async fn reported(&self, line: &LineId, name: &ReceiptName, rank: u8) -> Result<(), StoreError> {
        if let Some(shown) = self.state().shown.get_mut(&(line.clone(), name.clone())) {
            shown.rank = shown.rank.max(rank);
        }
        Ok(())
    }

    async fn inbound_receipt(
        &self,
        account: &AccountId,
        dialog: &DialogId,
        sequence: Sequence,
    ) -> Result<Option<InboundReceipt>, StoreError> {
        Ok(self.state().heard.get(&(account.clone(), dialog.clone(), sequence)).cloned())
    }

    async fn last_inbound(&self, consumer: &ConsumerRef) -> Result<Option<InboundReceipt>, StoreError> {
        Ok(self.state().last_inbound.get(consumer).cloned())
    }

    async fn note_accepted(
        &self,
        line: &LineId,
        reference: &CallReference,
        accepted: &AcceptedCall,
        _at: Timestamp,
    ) -> Result<(), StoreError> {
        self.state().taken.insert((line.clone(), reference.clone()), accepted.clone());
        Ok(())
    }

    async fn accepted_call(
        &self,
        line: &LineId,
        reference: &CallReference,
    ) -> Result<Option<AcceptedCall>, StoreError> {
        Ok(self.state().taken.get(&(line.clone(), reference.clone())).cloned())
    }

    async fn note_echo(&self, account: &AccountId, dialog: &DialogId, echo: &Echo) -> Result<(), StoreError> {
        let mut state = self.state();
        let echoes = state.echoes.entry((account.clone(), dialog.clone())).or_default();
        echoes.insert(echo.sequence, echo.clone());
        Ok(())
    }

    async fn echoes(&self, account: &AccountId, dialog: &DialogId) -> Result<Vec<Echo>, StoreError> {
        let state = self.state();
        let echoes = state.echoes.get(&(account.clone(), dialog.clone()));
        Ok(echoes.into_iter().flat_map(BTreeMap::values).cloned().collect())
    }
}

#[async_trait]
impl Tokens for MemoryStore {
    async fn token(&self, account: &AccountId) -> Result<Option<AppJwt>, StoreError> {
        Ok(self.state().tokens.get(account).and_then(|token| token.token.clone()))
    }

    async fn lease_token(
        &self,
        account: &AccountId,
        owner: &Owner,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        let token = state.tokens.entry(account.clone()).or_default();
        match &token.lease {
            Some((holder, until)) if holder != owner && *until > now => Ok(false),
            _ => {
                token.lease = Some((owner.clone(), until));
                Ok(true)
            }
        }
    }

    async fn save_token(&self, account: &AccountId, owner: &Owner, token: &AppJwt) -> Result<(), StoreError> {
        let mut state = self.state();
        let kept = state.tokens.entry(account.clone()).or_default();
        if kept.lease.as_ref().is_some_and(|(holder, _)| holder == owner) {
            *kept = Token { token: Some(token.clone()), lease: None };
        }
        Ok(())
    }

    async fn release_token(&self, account: &AccountId, owner: &Owner) -> Result<(), StoreError> {
        let mut state = self.state();
        let kept = state.tokens.entry(account.clone()).or_default();
        if kept.lease.as_ref().is_some_and(|(holder, _)| holder == owner) {
            kept.lease = None;
        }
        Ok(())
    }
}

#[async_trait]
impl ParkedMessages for MemoryStore {
    async fn parked(&self) -> Result<ParkedList, StoreError> {
        Ok(ParkedList { messages: self.state().parked.values().cloned().collect(), unreadable: 0 })
    }

    async fn reopen(&self, parked: &ParkedMessage, now: Timestamp) -> Result<Reopened, StoreError> {
        let mut state = self.state();
        if state.parked.get(&parked.id).is_none_or(|kept| kept.begun.is_some()) {
            return Ok(Reopened::Taken);
        }
        if let Some(message) = state.messages.get_mut(&parked.message) {
            if !message.done && message.until.is_some_and(|until| until > now) {
                return Ok(Reopened::Busy);
            }
            message.reopen();
        }
        if let Some(kept) = state.parked.get_mut(&parked.id) {
            kept.begun = Some(now);
        }
        Ok(Reopened::Reopened)
    }

    async fn is_settled(&self, message: &MessageKey) -> Result<bool, StoreError> {
        Messages::is_done(self, message).await
    }

    async fn forget(&self, id: &ParkedId) -> Result<(), StoreError> {
        self.state().parked.remove(id);
        Ok(())
    }
}
