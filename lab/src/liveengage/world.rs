//! Everything that the services, the desk and the webhooks share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use connector::port::{Clock as _, SystemClock};
use serde_json::Value;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::conversation::{Conversation, Opening, Outgoing};
use super::fault::{CallCounts, Faults};
use super::options::AccountOptions;
use super::tokens::Tokens;
use super::view::DeskChange;
use super::webhooks::{FirstTry, Webhooks};
use crate::journal::Journal;

/// The state of one simulator.
#[derive(Debug)]
pub(super) struct World {
    pub(super) base_url: String,
    pub(super) accounts: HashMap<String, AccountOptions>,
    pub(super) tokens: Tokens,
    pub(super) webhooks: Arc<Webhooks>,
    pub(super) webhooks_before_response: bool,
    pub(super) journal: Journal,
    pub(super) calls: Mutex<CallCounts>,
    pub(super) faults: Mutex<Faults>,
    pub(super) desk_changes: broadcast::Sender<DeskChange>,
    pub(super) state: Mutex<State>,
}

/// What changes while a simulator runs.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) conversations: HashMap<String, Conversation>,
    /// The last user profile of each consumer, by account and consumer id.
    pub(super) profiles: HashMap<(String, String), Value>,
}

/// What a change of a conversation led to: the result, and the webhooks that tell of it.
#[derive(Debug)]
pub(super) struct Changed<T> {
    pub(super) result: T,
    pub(super) first_tries: Vec<FirstTry>,
}

/// The consumer has an open conversation, and may have only one.
#[derive(Debug)]
pub(super) struct AlreadyOpen;

impl World {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a conversation, unless its consumer has one open.
    pub(super) fn open_conversation(&self, opening: Opening) -> Result<Changed<String>, AlreadyOpen> {
        let mut state = self.state();
        let same_consumer = |conversation: &&Conversation| {
            conversation.opening.account_id == opening.account_id
                && conversation.opening.consumer_id == opening.consumer_id
        };
        let earlier: Vec<bool> =
            state.conversations.values().filter(same_consumer).map(Conversation::is_open).collect();
        if earlier.contains(&true) {
            return Err(AlreadyOpen);
        }
        let (id, number) = (Uuid::new_v4().to_string(), state.conversations.len());
        let (conversation, created) = Conversation::open(number, id.clone(), opening, earlier.is_empty(), now_ms());
        let first_tries = self.tell(&conversation, vec![created]);
        state.conversations.insert(id.clone(), conversation);
        Ok(Changed { result: id, first_tries })
    }

    /// Changes one conversation and queues what the webhooks have to tell of it. The queue is filled under the lock, so
    /// that webhooks keep the order of the changes. `None` if there is no such conversation.
    pub(super) fn change<T, E>(
        &self,
        conversation_id: &str,
        change: impl FnOnce(&mut Conversation, i64) -> Result<(T, Vec<Outgoing>), E>,
    ) -> Option<Result<Changed<T>, E>> {
        let mut state = self.state();
        let conversation = state.conversations.get_mut(conversation_id)?;
        Some(change(conversation, now_ms()).map(|(result, outgoing)| {
            let first_tries = self.tell(conversation, outgoing);
            Changed { result, first_tries }
        }))
    }

    /// The id of the agent whose desk the handle plays.
    pub(super) fn agent_id(account_id: &str) -> String {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{account_id} agent").as_bytes()).to_string()
    }

    fn tell(&self, conversation: &Conversation, outgoing: Vec<Outgoing>) -> Vec<FirstTry> {
        let account_id = &conversation.opening.account_id;
        let mut first_tries = Vec::new();
        for out in outgoing {
            // No page may be listening.
            let _ = self.desk_changes.send(DeskChange {
                account_id: account_id.clone(),
                conversation_id: conversation.id.clone(),
                event: out.event,
            });
            first_tries.extend(self.webhooks.queue(account_id, &conversation.id, out));
        }
        first_tries
    }
}

pub(super) fn now_ms() -> i64 {
    SystemClock.now().as_millisecond()
}

pub(super) fn now_s() -> i64 {
    SystemClock.now().as_second()
}
