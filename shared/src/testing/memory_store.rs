//! The store in memory: the rules of the DynamoDB store, for tests that run many interleavings.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    domain::{
        conversation::Consumer,
        delivery::{Begin, ConsumerRef, ConversationOwner, Lease, MessageKey, Parked, Step},
        id::{AccountId, ConversationId, LpConsumerId, Owner},
    },
    liveengage::sentinel::AppJwt,
    port::{Consumers, Messages, Saved, StoreError, Tokens},
};

#[derive(Debug, Clone)]
struct Message {
    done: bool,
    owner: Owner,
    until: Timestamp,
    steps: Vec<Step>,
    attempts: u32,
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
    messages: HashMap<MessageKey, Message>,
    parked: Vec<Parked>,
    tokens: HashMap<AccountId, Token>,
}

/// The store.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was parked.
    pub fn parked(&self) -> Vec<Parked> {
        self.state().parked.clone()
    }
}

#[async_trait]
impl Consumers for MemoryStore {
    async fn consumer(&self, consumer: &ConsumerRef) -> Result<Option<Consumer>, StoreError> {
        Ok(self.state().consumers.get(consumer).cloned())
    }

    async fn save_consumer(&self, consumer: &Consumer) -> Result<Saved, StoreError> {
        let mut state = self.state();
        let who = ConsumerRef { line: consumer.line.clone(), user: consumer.user.clone() };
        if state.consumers.get(&who).map_or(0, |known| known.version) != consumer.version {
            return Ok(Saved::Conflict);
        }
        if let Some(identity) = &consumer.identity {
            state.by_lp_id.insert((consumer.account.clone(), identity.lp_consumer_id.clone()), who.clone());
        }
        if let Some(conversation) = consumer.open_conversation() {
            let key = (consumer.account.clone(), conversation.clone());
            state.conversations.insert(key, ConversationOwner::Ours(who.clone()));
        }
        state.consumers.insert(who, Consumer { version: consumer.version + 1, ..consumer.clone() });
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
impl Messages for MemoryStore {
    async fn begin(&self, lease: &Lease, now: Timestamp, until: Timestamp) -> Result<Begin, StoreError> {
        let mut state = self.state();
        match state.messages.get_mut(&lease.message) {
            Some(message) if message.done => Ok(Begin::Done),
            Some(message) if message.owner != lease.owner && message.until > now => {
                Ok(Begin::Busy { until: message.until })
            }
            Some(message) => {
                message.owner = lease.owner.clone();
                message.until = until;
                message.attempts += 1;
                Ok(Begin::Started { steps: message.steps.clone(), attempts: message.attempts })
            }
            None => {
                let message = Message { done: false, owner: lease.owner.clone(), until, steps: vec![], attempts: 1 };
                state.messages.insert(lease.message.clone(), message);
                Ok(Begin::Started { steps: vec![], attempts: 1 })
            }
        }
    }

    async fn step_done(&self, lease: &Lease, done: usize, step: &Step) -> Result<(), StoreError> {
        match self.state().messages.get_mut(&lease.message) {
            Some(message) if message.owner == lease.owner && !message.done && message.steps.len() == done => {
                message.steps.push(step.clone());
                Ok(())
            }
            _ => Err(StoreError::LeaseLost),
        }
    }

    async fn finish(&self, lease: &Lease) -> Result<(), StoreError> {
        match self.state().messages.get_mut(&lease.message) {
            Some(message) if message.owner == lease.owner => {
                message.done = true;
                Ok(())
            }
            _ => Err(StoreError::LeaseLost),
        }
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        if let Some(message) = self.state().messages.get_mut(&lease.message)
            && message.owner == lease.owner
        {
            message.until = Timestamp::UNIX_EPOCH;
        }
        Ok(())
    }

    async fn park(&self, lease: &Lease, parked: &Parked) -> Result<(), StoreError> {
        let mut state = self.state();
        let message = state.messages.entry(lease.message.clone()).or_insert_with(|| Message {
            done: false,
            owner: lease.owner.clone(),
            until: parked.at,
            steps: vec![],
            attempts: 0,
        });
        if message.owner != lease.owner && (message.done || message.until > parked.at) {
            return Err(StoreError::LeaseLost);
        }
        message.done = true;
        message.owner = lease.owner.clone();
        state.parked.push(parked.clone());
        Ok(())
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
