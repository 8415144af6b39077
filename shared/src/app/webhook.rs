//! LiveEngage's notifications come in: verify, take apart, queue, and only then say yes.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    registry::{Accounts, Versions},
    settings::Account,
    task::{ToChannel, conversation_group, digest, to_body},
};
use crate::{
    domain::id::{AccountId, CorrelationId},
    liveengage::{
        notification::{self, Change, EventKind, NotificationType},
        signature::{self, Refusal},
    },
    port::{Queue, QueueMessage},
};

/// What became of a webhook call: the answer's status follows from it, and the counted log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything in it is safe. 200: LiveEngage takes 202 and 204 for failures.
    Accepted {
        /// Changes put into the queue.
        queued: usize,
        /// Changes of unknown types, acknowledged and left out.
        ignored: usize,
    },
    /// It is signed, and no notification: queued whole, for the worker to keep for a person. 200 all the same: LiveEngage would send
    /// it again for days, and hold back every other event of the app install meanwhile.
    Unreadable(notification::NotANotification),
    /// It is not believed. 401.
    Refused(Refusal),
    /// The queue did not take all of it. 500: with a retention time configured, LiveEngage sends it again.
    NotQueued(String),
}

/// The use case.
#[derive(Clone)]
pub struct AcceptWebhook {
    accounts: Arc<Accounts>,
    to_channel: Arc<dyn Queue>,
}

impl std::fmt::Debug for AcceptWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AcceptWebhook")
    }
}

impl AcceptWebhook {
    /// Accepts webhooks of `accounts` and queues their changes.
    pub fn new(accounts: Arc<Accounts>, to_channel: Arc<dyn Queue>) -> Self {
        Self { accounts, to_channel }
    }

    /// Takes one call. One outside call in all: the queue's (one more for every ten changes).
    pub async fn accept(
        &self,
        headers: &HeaderMap,
        body: &Bytes,
        correlation: &CorrelationId,
        now: Timestamp,
    ) -> Outcome {
        let account = match self.verify(headers, body, now).await {
            Ok(account) => account,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let (kind, changes) = match notification::split(body) {
            Ok(parts) => parts,
            Err(error) => {
                return match self.keep_unreadable(account, body, correlation).await {
                    Ok(()) => Outcome::Unreadable(error),
                    Err(code) => Outcome::NotQueued(code),
                };
            }
        };
        let Some(kind) = kind else { return Outcome::Accepted { queued: 0, ignored: changes.len().max(1) } };
        let (mut messages, mut ignored) = (Vec::new(), 0);
        for (index, change) in changes.into_iter().enumerate() {
            match queue_message(&account, kind, change, index, correlation, now) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => ignored += 1,
                Err(error) => return Outcome::NotQueued(error.to_string()),
            }
        }
        let queued = messages.len();
        if queued > 0
            && let Err(error) = self.to_channel.send(messages).await
        {
            return Outcome::NotQueued(error.code);
        }
        Outcome::Accepted { queued, ignored }
    }

    async fn keep_unreadable(
        &self,
        account: AccountId,
        body: &Bytes,
        correlation: &CorrelationId,
    ) -> Result<(), String> {
        let name = digest([account.as_str().as_bytes(), body]);
        let task = ToChannel::UnreadableNotificationV1 {
            account,
            correlation: correlation.clone(),
            body: STANDARD.encode(body),
        };
        let body = to_body(&task).map_err(|error| error.to_string())?;
        let message = QueueMessage { body, group: name.clone(), deduplication: name };
        self.to_channel.send(vec![message]).await.map_err(|error| error.code)
    }

    async fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<AccountId, Refusal> {
        let single = |name| {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (Some(value), None) => value.to_str().map_err(|_| Refusal::Unreadable),
                _ => Err(Refusal::Unsigned),
            }
        };
        let (account, client, signature) =
            (single(signature::ACCOUNT_ID)?, single(signature::CLIENT_ID)?, single(signature::SIGNATURE)?);
        let account = AccountId::new(account).map_err(|_| Refusal::Unknown)?;
        let check = |versions: &Versions<Account>| check(versions, client, signature, body);
        match check(&*self.accounts.get(&account, now).await.ok_or(Refusal::Unknown)?) {
            Ok(()) => Ok(account),
            Err(refusal @ (Refusal::Unsigned | Refusal::Unreadable)) => Err(refusal),
            // The secret may have been rotated since it was read.
            Err(Refusal::Wrong | Refusal::Unknown) => {
                let versions = self.accounts.get_after_failure(&account, now).await.ok_or(Refusal::Unknown)?;
                check(&versions).map(|()| account)
            }
        }
    }
}

fn check(versions: &Versions<Account>, client: &str, header: &str, body: &[u8]) -> Result<(), Refusal> {
    let live: Vec<_> = versions.all().filter(|account| account.client_id.as_str() == client).collect();
    let Some(first) = live.first() else { return Err(Refusal::Unknown) };
    signature::verify(header, body, live.iter().map(|account| &account.client_secret), first.webhook_signature)
}

/// The queue message of one change, `None` for one of an unknown type. A change of a known type that can't be read is queued
/// all the same: the worker keeps it for a person.
fn queue_message(
    account: &AccountId,
    kind: NotificationType,
    change: Value,
    index: usize,
    correlation: &CorrelationId,
    now: Timestamp,
) -> Result<Option<QueueMessage>, serde_json::Error> {
    let json = change.to_string();
    let whole = |label: &str| digest([account.as_str().as_bytes(), label.as_bytes(), json.as_bytes()]);
    let group = |conversation: &str| conversation_group(account, conversation);
    let (group, deduplication) = match notification::read(kind, &change) {
        Ok(Change::Unknown) => return Ok(None),
        Ok(Change::Event(event)) => {
            let name = match &event.kind {
                EventKind::Unknown(_) => return Ok(None),
                EventKind::Text(_) | EventKind::File(_) | EventKind::OtherContent(_) => "content",
                EventKind::RichContent(_) => "rich content",
                EventKind::AcceptStatus { .. } => "accept status",
                EventKind::ChatState(_) => "chat state",
            };
            let conversation = event.conversation.as_str();
            match (&event.kind, event.sequence) {
                // Best effort, and nothing waits behind it. The same state within five seconds is the same.
                (EventKind::ChatState(_), _) => {
                    let slot = (now.as_second() / 5).to_be_bytes();
                    let (originator, typing) =
                        (event.originator.as_deref().unwrap_or_default(), event.kind.is_composing());
                    let parts =
                        [name.as_bytes(), conversation.as_bytes(), originator.as_bytes(), &[u8::from(typing)], &slot];
                    let account = account.as_str().as_bytes();
                    (
                        digest([account, conversation.as_bytes(), name.as_bytes()]),
                        digest([account].into_iter().chain(parts)),
                    )
                }
                (_, Some(sequence)) => {
                    let dialog = event.dialog.as_str().as_bytes();
                    let parts = [account.as_str().as_bytes(), dialog, name.as_bytes(), &sequence.0.to_be_bytes()];
                    (group(conversation), digest(parts))
                }
                (_, None) => (group(conversation), digest([correlation.as_str().as_bytes(), &index.to_be_bytes()])),
            }
        }
        // A group of its own: an agent's text may be waiting in the conversation's for just this news.
        Ok(Change::Conversation(state)) => (
            digest([account.as_str().as_bytes(), state.conversation.as_str().as_bytes(), b"state"]),
            whole("conversation"),
        ),
        Err(_) => (whole("unreadable"), whole("unreadable")),
    };
    let task = ToChannel::LiveEngageChangeV1 {
        account: account.clone(),
        correlation: correlation.clone(),
        accepted_at: now,
        notification: kind,
        change,
    };
    Ok(Some(QueueMessage { body: to_body(&task)?, group, deduplication }))
}
