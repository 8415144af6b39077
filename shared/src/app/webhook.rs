//! LiveEngage's notifications come in: verify, take apart, queue, and only then say yes.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    bundle::bundled,
    registry::{Accounts, Versions},
    replay::is_too_old,
    settings::Account,
    task::{LARGEST_TASK, MOST_OF_UNREADABLE, ToChannel, conversation_group, digest, to_body},
};
use crate::{
    domain::{
        id::{AccountId, CorrelationId},
        left_out::LeftOut,
    },
    liveengage::{
        notification::{self, Change, EventKind, NotificationType, Role},
        signature::{self, VerifyError},
    },
    port::{Queue, QueueMessage},
};

/// What became of a webhook call: the answer's status follows from it, and the counted log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// Everything in it is safe. 200: LiveEngage takes 202 and 204 for failures.
    Accepted {
        /// Changes put into the queue.
        queued: usize,
        /// Changes that were acknowledged and left out, by kind.
        left_out: LeftOut,
    },
    /// It is signed, and no notification: queued whole, for the worker to keep for a person. 200 all the same: LiveEngage would send
    /// it again for days, and hold back every other event of the app install meanwhile.
    Unreadable(notification::NotANotification),
    /// It is not believed. 401. Of a notification with a message that is too old, whatever else is in it is queued all the same.
    Refused(VerifyError),
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
    ) -> WebhookOutcome {
        let account = match self.verify(headers, body, now).await {
            Ok(account) => account,
            Err(refusal) => return WebhookOutcome::Refused(refusal),
        };
        let (kind, changes) = match notification::split(body) {
            Ok(parts) => parts,
            Err(error) => {
                return match self.keep_unreadable(account, body, correlation).await {
                    Ok(()) => WebhookOutcome::Unreadable(error),
                    Err(code) => WebhookOutcome::NotQueued(code),
                };
            }
        };
        let Some(kind) = kind else {
            let left_out = LeftOut::of("notification of an unknown type", changes.len().max(1));
            return WebhookOutcome::Accepted { queued: 0, left_out };
        };
        let (mut messages, mut left_out, mut replayed) = (Vec::new(), LeftOut::default(), 0);
        for (index, change) in changes.into_iter().enumerate() {
            match take(&account, kind, change, index, correlation, now) {
                Ok(Entry::Queued(message)) => messages.push(message),
                Ok(Entry::LeftOut(kind)) => left_out.add(kind, 1),
                Ok(Entry::Replayed) => replayed += 1,
                Err(error) => return WebhookOutcome::NotQueued(error.to_string()),
            }
        }
        let queued = messages.len();
        if queued > 0
            && let Err(error) = self.to_channel.send(bundled(messages, correlation)).await
        {
            return WebhookOutcome::NotQueued(error.code.into());
        }
        if replayed > 0 {
            return WebhookOutcome::Refused(VerifyError::Stale);
        }
        WebhookOutcome::Accepted { queued, left_out }
    }

    async fn keep_unreadable(
        &self,
        account: AccountId,
        body: &Bytes,
        correlation: &CorrelationId,
    ) -> Result<(), String> {
        let message = unreadable(&account, body, correlation).map_err(|error| error.to_string())?;
        self.to_channel.send(vec![message]).await.map_err(|error| error.code.into())
    }

    async fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<AccountId, VerifyError> {
        let single = |name| {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (Some(value), None) => value.to_str().map_err(|_| VerifyError::Unreadable),
                _ => Err(VerifyError::Unsigned),
            }
        };
        let (account, client, signature) =
            (single(signature::ACCOUNT_ID)?, single(signature::CLIENT_ID)?, single(signature::SIGNATURE)?);
        let account = AccountId::new(account).map_err(|_| VerifyError::Unknown)?;
        let check = |versions: &Versions<Account>| check(versions, client, signature, body);
        let mut versions = self.accounts.get(&account, now).await.ok_or(VerifyError::Unknown)?;
        match check(&versions) {
            Ok(()) => {}
            Err(refusal @ (VerifyError::Unsigned | VerifyError::Unreadable | VerifyError::Stale)) => {
                return Err(refusal);
            }
            // The secret may have been rotated since it was read.
            Err(VerifyError::Wrong | VerifyError::Unknown) => {
                versions = self.accounts.get_after_failure(&account, now).await.ok_or(VerifyError::Unknown)?;
                check(&versions)?;
            }
        }
        if !is_by_current(&versions, client, signature, body) {
            // For whoever rotates it: while this comes, the old secret must not be revoked.
            tracing::info!(%account, count = 1, "a webhook is signed with the previous secret");
        }
        Ok(account)
    }
}

/// Whether a webhook that was verified is signed with the current secret; outside a rotation it is, without another look.
fn is_by_current(versions: &Versions<Account>, client: &str, header: &str, body: &[u8]) -> bool {
    let Versions { current, previous } = versions;
    let verifies = || signature::verify(header, body, [&current.client_secret], current.webhook_signature).is_ok();
    previous.is_none() || (current.client_id.as_str() == client && verifies())
}

fn check(versions: &Versions<Account>, client: &str, header: &str, body: &[u8]) -> Result<(), VerifyError> {
    let live: Vec<_> = versions.all().filter(|account| account.client_id.as_str() == client).collect();
    let Some(first) = live.first() else { return Err(VerifyError::Unknown) };
    signature::verify(header, body, live.iter().map(|account| &account.client_secret), first.webhook_signature)
}

/// The queue message of something signed that the worker can only keep for a person.
fn unreadable(
    account: &AccountId,
    bytes: &[u8],
    correlation: &CorrelationId,
) -> Result<QueueMessage, serde_json::Error> {
    let name = digest([account.as_str().as_bytes(), bytes]);
    let kept = bytes.get(..MOST_OF_UNREADABLE).unwrap_or(bytes);
    if kept.len() < bytes.len() {
        tracing::warn!(%correlation, bytes = bytes.len(), count = 1, "of an unreadable webhook the beginning is kept");
    }
    let task = ToChannel::UnreadableNotificationV1 {
        account: account.clone(),
        correlation: correlation.clone(),
        body: STANDARD.encode(kept),
    };
    Ok(QueueMessage { body: to_body(&task)?, group: name.clone(), deduplication: name })
}

/// What stands in for an event's content that fits into no queue: the agent is told that it was not delivered.
fn without_content(change: &Value) -> Option<Value> {
    let mut envelope = change.as_object()?.clone();
    let content = json!({"type": "ContentEvent", "contentType": notification::TOO_LARGE});
    envelope.insert("event".to_owned(), content);
    Some(Value::Object(envelope))
}

/// What becomes of one change.
enum Entry {
    /// This is put into the queue.
    Queued(QueueMessage),
    /// It is of an unknown type, or an old status that nobody misses: which of them.
    LeftOut(&'static str),
    /// Something that was said, and so long ago that it can only be a repetition.
    Replayed,
}

/// Takes one change. A change of a known type that can't be read is queued all the same: the worker keeps it for a person. The state
/// of a conversation is never too old: of two states the later one wins.
fn take(
    account: &AccountId,
    kind: NotificationType,
    change: Value,
    index: usize,
    correlation: &CorrelationId,
    now: Timestamp,
) -> Result<Entry, serde_json::Error> {
    let json = change.to_string();
    let whole = |label: &str| digest([account.as_str().as_bytes(), label.as_bytes(), json.as_bytes()]);
    let group = |conversation: &str| conversation_group(account, conversation);
    let read = notification::read(kind, &change);
    let is_content = matches!(&read, Ok(Change::Event(event)) if event.kind.is_content());
    let (group, deduplication) = match read {
        Ok(Change::Unknown) => return Ok(Entry::LeftOut("change of an unknown type")),
        Ok(Change::Event(event)) => {
            if notification::event_time(&change).is_some_and(|at| is_too_old(at, now)) {
                return Ok(if is_content { Entry::Replayed } else { Entry::LeftOut("old status or typing") });
            }
            let name = match &event.kind {
                EventKind::Unknown(_) => return Ok(Entry::LeftOut("event of an unknown type")),
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
                    let group = match event.role {
                        // A proof that a worker may be waiting for: it must not wait behind what agents say.
                        Role::Consumer => digest([account.as_str().as_bytes(), conversation.as_bytes(), b"echo"]),
                        Role::Brand | Role::Unsaid => group(conversation),
                    };
                    (group, digest(parts))
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
    let small = is_content.then(|| without_content(&change)).flatten();
    let task = |change: Value| {
        to_body(&ToChannel::LiveEngageChangeV1 {
            account: account.clone(),
            correlation: correlation.clone(),
            accepted_at: now,
            notification: kind,
            change,
        })
    };
    let mut body = task(change)?;
    if body.len() > LARGEST_TASK {
        // A 500 would come again for days, hold back every other event meanwhile, and never fit.
        tracing::warn!(%correlation, bytes = body.len(), count = 1, "a change is too large to be carried");
        let smaller = small.map(task).transpose()?.filter(|body| body.len() <= LARGEST_TASK);
        let Some(smaller) = smaller else {
            return unreadable(account, json.as_bytes(), correlation).map(Entry::Queued);
        };
        body = smaller;
    }
    Ok(Entry::Queued(QueueMessage { body, group, deduplication }))
}
