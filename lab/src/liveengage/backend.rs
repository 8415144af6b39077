//! The shared state of the services, the desk and the webhooks.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use connector::port::Clock as _;
use connector_aws::SystemClock;
use parking_lot::{Mutex, MutexGuard};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use super::configuration::Installations;
use super::conversation::{Conversation, Opening, PendingNotification};
use super::fault::{CallCounts, Faults};
use super::features::Features;
use super::files::Files;
use super::login::Session;
use super::messaging_window::Sockets;
use super::monitoring::VisitorSession;
use super::options::AccountOptions;
use super::tokens::Tokens;
use super::view::{ConversationView, DeskChange};
use super::webhooks::{FirstAttempt, Webhooks};
use crate::journal::Journal;

/// The state of one simulator.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) base_url: String,
    pub(super) accounts: HashMap<String, AccountOptions>,
    pub(super) tokens: Tokens,
    pub(super) webhooks: Arc<Webhooks>,
    /// The consumers' websockets. If both are locked, they are locked after the state.
    pub(super) sockets: Sockets,
    /// The lifetime of an anonymous consumer's token.
    pub(super) anonymous_token_lifetime: Duration,
    pub(super) webhooks_before_response: bool,
    pub(super) journal: Journal,
    pub(super) calls: Mutex<CallCounts>,
    pub(super) faults: Mutex<Faults>,
    pub(super) desk_changes: broadcast::Sender<DeskChange>,
    /// If both are locked, this is locked after the state.
    pub(super) files: Mutex<Files>,
    pub(super) state: Mutex<State>,
    pub(super) first_send_within: Duration,
    /// Closed when the simulator ends.
    pub(super) end: watch::Receiver<()>,
    /// This backend, for tasks that outlive a call.
    pub(super) itself: Weak<Backend>,
    pub(super) runtime: tokio::runtime::Handle,
}

/// The mutable state of a simulator.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) conversations: HashMap<String, Conversation>,
    /// The last user profile of each consumer, by account and consumer id.
    pub(super) profiles: HashMap<(String, String), Value>,
    /// By account id.
    pub(super) features: HashMap<String, Features>,
    /// By account id, the secrets that Sentinel accepts instead of the one in the options.
    pub(super) client_secrets: HashMap<String, Vec<SecretString>>,
    /// The sessions of users who have logged in and not out.
    pub(super) sessions: Vec<Session>,
    /// The records of app installs, by account id.
    pub(super) installations: HashMap<String, Installations>,
    /// The sessions of the Monitoring API.
    pub(super) visits: Vec<VisitorSession>,
}

impl State {
    /// A conversation as the agent sees it.
    pub(super) fn view(&self, conversation: &Conversation) -> ConversationView {
        let opening = &conversation.opening;
        let consumer = (opening.account_id.clone(), opening.consumer_id.clone());
        ConversationView::of(conversation, self.profiles.get(&consumer))
    }
}

/// The result of a change of a conversation, and the webhooks that report it.
#[derive(Debug)]
pub(super) struct Changed<T> {
    pub(super) result: T,
    pub(super) first_attempts: Vec<FirstAttempt>,
}

/// The consumer already has an open conversation, and only one is allowed.
#[derive(Debug)]
pub(super) struct AlreadyOpen;

impl Backend {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether Sentinel accepts this secret of an account's app install.
    pub(super) fn takes_client_secret(&self, account: &AccountOptions, shown: &str) -> bool {
        match self.state().client_secrets.get(&account.account_id) {
            Some(taken) => taken.iter().any(|secret| secret.expose_secret() == shown),
            None => account.client_secret.expose_secret() == shown,
        }
    }

    /// Opens a conversation, unless its consumer has an open one.
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
        let identity = (state.conversations.len(), Uuid::new_v4().to_string());
        let id = identity.1.clone();
        let features = state.features.get(&opening.account_id).cloned().unwrap_or_default();
        let (conversation, outgoing) = Conversation::open(identity, opening, earlier.is_empty(), &features, now_ms());
        let first_attempts = self.tell(&conversation, outgoing);
        let expects_send = !conversation.opening.foreign;
        if expects_send && features.auto_messages.is_some() && conversation.declared.has("AUTO_MESSAGES") {
            self.expect_first_send(id.clone());
        }
        state.conversations.insert(id.clone(), conversation);
        Ok(Changed { result: id, first_attempts })
    }

    /// Records the client properties of a consumer's call, for the conversation that the call names, or else for the
    /// consumer's open one.
    pub(super) fn record_send(
        &self,
        account_id: &str,
        consumer_id: &str,
        about: Option<&str>,
        client_properties: Option<Value>,
    ) {
        let mut state = self.state();
        let mut own: Vec<&mut Conversation> = state
            .conversations
            .values_mut()
            .filter(|conversation| conversation.opening.account_id == account_id)
            .filter(|conversation| conversation.opening.consumer_id == consumer_id)
            .collect();
        let named = own.iter().position(|conversation| about.is_some_and(|id| conversation.dialog(id).is_some()));
        let meant = named.or_else(|| own.iter().position(|conversation| conversation.is_open()));
        if let Some(conversation) = meant.and_then(|meant| own.get_mut(meant)) {
            conversation.has_been_sent_to = true;
            conversation.declared.record_call(client_properties);
        }
    }

    pub(super) fn has_open_conversation(&self, account_id: &str, consumer_id: &str) -> bool {
        self.state().conversations.values().any(|conversation| {
            let opening = &conversation.opening;
            conversation.is_open() && opening.account_id == account_id && opening.consumer_id == consumer_id
        })
    }

    /// The conversation with this dialog of any kind.
    pub(super) fn conversation_of_dialog(&self, dialog_id: &str) -> Option<String> {
        let state = self.state();
        let mut conversations = state.conversations.values();
        conversations.find(|conversation| conversation.dialog(dialog_id).is_some()).map(|found| found.id.clone())
    }

    /// Changes a conversation and queues the webhooks that report the change. They are queued under the lock, so that
    /// they are in the order of the changes. `None` if the conversation doesn't exist.
    pub(super) fn change<T, E>(
        &self,
        conversation_id: &str,
        change: impl FnOnce(&mut Conversation, i64) -> Result<(T, Vec<PendingNotification>), E>,
    ) -> Option<Result<Changed<T>, E>> {
        let mut state = self.state();
        let conversation = state.conversations.get_mut(conversation_id)?;
        Some(change(conversation, now_ms()).map(|(result, outgoing)| {
            let first_attempts = self.tell(conversation, outgoing);
            Changed { result, first_attempts }
        }))
    }

    pub(super) fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock()
    }

    pub(super) fn features(&self, account_id: &str) -> Features {
        self.state().features.get(account_id).cloned().unwrap_or_default()
    }

    /// Writes to the journal if no SEND arrives in time.
    fn expect_first_send(&self, conversation_id: String) {
        let (backend, mut end, within) = (self.itself.clone(), self.end.clone(), self.first_send_within);
        self.runtime.spawn(async move {
            tokio::select! {
                _ = end.changed() => return,
                () = wait(within) => {}
            }
            let Some(backend) = backend.upgrade() else { return };
            let came = backend.state().conversations.get(&conversation_id).is_none_or(|found| found.has_been_sent_to);
            if !came {
                let what = format!("no SEND within {within:?} of the CONVERSATION call that declared AUTO_MESSAGES");
                let detail = serde_json::json!({ "conversationId": conversation_id });
                backend.journal.record("liveengage", "liveengage", what, Some(detail));
            }
        });
    }

    fn tell(&self, conversation: &Conversation, outgoing: Vec<PendingNotification>) -> Vec<FirstAttempt> {
        let account_id = &conversation.opening.account_id;
        let mut first_attempts = Vec::new();
        for out in outgoing {
            // No page may be listening.
            let _ = self.desk_changes.send(DeskChange {
                account_id: account_id.clone(),
                conversation_id: conversation.id.clone(),
                event: out.event,
            });
            self.sockets.tell(self.webhooks.forms(), conversation, &out.change);
            first_attempts.extend(self.webhooks.queue(account_id, &conversation.id, out));
        }
        first_attempts
    }
}

#[expect(clippy::disallowed_methods, reason = "the simulator acts as LivePerson, which waits in its own process")]
pub(super) async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

pub(super) fn now_ms() -> i64 {
    SystemClock.now().as_millisecond()
}

pub(super) fn now_s() -> i64 {
    SystemClock.now().as_second()
}
