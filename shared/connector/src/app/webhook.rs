//! Accepts LiveEngage's webhooks: verifies, splits and queues them, and only then acknowledges them.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;

use super::{
    fitting::{fitting, unreadable},
    not_needed::not_needed,
    registry::{Accounts, NotUsable, NotVerified, RegistryError, SignedWith},
    replay::is_too_old,
    settings::Account,
};
use crate::{
    domain::id::CorrelationId,
    log_event,
    port::{Queue, QueueMessage},
    queue_message::{Envelope, LiveEngageChange, QueueIdentity, bundled},
};
use connector_channels::left_out::LeftOut;
use connector_liveengage::{
    id::AccountId,
    notification::{self, Change, EventKind},
    signature::{self, VerifyError},
};

/// The outcome of a webhook call, from which its HTTP status and its log event follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// Everything in it is queued or left out on purpose. 200: LiveEngage treats 202 and 204 as failures.
    Accepted {
        /// Changes put into the queue.
        queued: usize,
        /// Changes that were left out, by kind.
        left_out: LeftOut,
        /// Events from which nothing follows, such as a private note. They are not queued.
        not_needed: usize,
    },
    /// It is authentic, but not a notification. It is queued whole, and the worker parks it. 200 all the same: otherwise LiveEngage would
    /// send it again for days, and hold back every other event of the app install in the meantime.
    Unreadable(notification::NotANotification),
    /// It is not authentic. 401. If a message in it is too old, the rest of the notification is queued all the same.
    Refused(VerifyError),
    /// The account's secret can't be used now, so the signature can't be checked. 500.
    NotVerified(RegistryError),
    /// The queue did not accept all of it. 500: LiveEngage sends it again if a retention time is configured.
    NotQueued(String),
}

impl WebhookOutcome {
    /// Why the call is answered with an error, in words for a person; `None` for a success.
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Accepted { .. } | Self::Unreadable(_) => None,
            Self::Refused(reason) => Some(reason.explanation().to_owned()),
            Self::NotVerified(error) => Some(format!("the account's secret can't be used: {error}")),
            Self::NotQueued(code) => Some(format!("the queue did not accept it: {code}")),
        }
    }
}

/// The use case of the function `webhook`.
#[derive(Clone, derive_more::Debug)]
#[debug("AcceptWebhook")]
pub struct AcceptWebhook {
    accounts: Arc<Accounts>,
    to_channel: Arc<dyn Queue>,
}

impl AcceptWebhook {
    /// Creates the use case for webhooks of `accounts`, whose changes go to `to_channel`.
    pub fn new(accounts: Arc<Accounts>, to_channel: Arc<dyn Queue>) -> Self {
        Self { accounts, to_channel }
    }

    /// Accepts one webhook call. Makes one outside call in the steady state: to the queue (one for every ten changes).
    pub async fn accept(
        &self,
        headers: &HeaderMap,
        body: &Bytes,
        correlation: &CorrelationId,
        now: Timestamp,
    ) -> WebhookOutcome {
        let account = match self.verify(headers, body, now).await {
            Ok(account) => account,
            Err(NotVerified::Refused(refusal)) => return WebhookOutcome::Refused(refusal),
            Err(NotVerified::NotUsable(NotUsable::NotConfigured)) => {
                return WebhookOutcome::Refused(VerifyError::Unknown);
            }
            Err(NotVerified::NotUsable(NotUsable::Secret(error))) => return WebhookOutcome::NotVerified(error),
        };
        let (kind, changes) = match notification::split(body) {
            Ok(parts) => parts,
            Err(error) => {
                return match self.keep_unreadable(account, body, Envelope::new(correlation, now)).await {
                    Ok(()) => WebhookOutcome::Unreadable(error),
                    Err(code) => WebhookOutcome::NotQueued(code),
                };
            }
        };
        let Some(kind) = kind else {
            let left_out = LeftOut::of("notification of an unknown type", changes.len().max(1));
            return WebhookOutcome::Accepted { queued: 0, left_out, not_needed: 0 };
        };
        let (mut messages, mut left_out, mut not_needed, mut replayed) = (Vec::new(), LeftOut::default(), 0, 0);
        for change in changes {
            let envelope = Envelope::new(correlation, now);
            match classify(LiveEngageChange::new(envelope, account.clone(), kind, change)) {
                Ok(Entry::Queued(message)) => messages.push(message),
                Ok(Entry::LeftOut(kind)) => left_out.add(kind, 1),
                Ok(Entry::NotNeeded) => not_needed += 1,
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
        WebhookOutcome::Accepted { queued, left_out, not_needed }
    }

    async fn keep_unreadable(&self, account: AccountId, body: &Bytes, envelope: Envelope) -> Result<(), String> {
        let message = unreadable(&account, body, envelope).map_err(|error| error.to_string())?;
        self.to_channel.send(vec![message]).await.map_err(|error| error.code.into())
    }

    async fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<AccountId, NotVerified<VerifyError>> {
        let Signed { account, client, signature } = Signed::read(headers).map_err(NotVerified::Refused)?;
        let check = |version: &Account| {
            if version.client_id.as_str() != client {
                return Err(VerifyError::Unknown);
            }
            signature::verify(signature, body, [&version.client_secret], version.webhook_signature)
        };
        let may_pass = |refusal: &VerifyError| matches!(refusal, VerifyError::Wrong | VerifyError::Unknown);
        let (_, signed_with) = self.accounts.verified(&account, now, check, may_pass).await?;
        if signed_with == SignedWith::Previous {
            // For the operator who rotates the secret: while this event is logged, the old secret must not be revoked.
            log_event!(SECRET_PREVIOUS_USED, %account);
        }
        Ok(account)
    }
}

/// What a webhook's headers say about its signature.
struct Signed<'a> {
    account: AccountId,
    client: &'a str,
    signature: &'a str,
}

impl<'a> Signed<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, VerifyError> {
        let single = |name| {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (Some(value), None) => value.to_str().map_err(|_| VerifyError::Unreadable),
                _ => Err(VerifyError::Unsigned),
            }
        };
        let account = single(signature::ACCOUNT_ID)?;
        let (client, signature) = (single(signature::CLIENT_ID)?, single(signature::SIGNATURE)?);
        Ok(Self { account: AccountId::new(account).map_err(|_| VerifyError::Unknown)?, client, signature })
    }
}

/// What to do with one change.
enum Entry {
    /// Queue this message.
    Queued(QueueMessage),
    /// Leave it out, because it is of this kind: of an unknown type, or an old status that can be dropped without harm.
    LeftOut(&'static str),
    /// Don't queue it: nothing follows from it, whatever a worker knows.
    NotNeeded,
    /// Reject it: it is a message so old that it can only be a repetition.
    Replayed,
}

/// Decides what to do with one change. A change of a known type that can't be read is queued, and the worker parks it. The state of a
/// conversation is never too old, because the later of two states wins.
fn classify(change: LiveEngageChange) -> Result<Entry, serde_json::Error> {
    match change.change() {
        Ok(Change::Unknown) => return Ok(Entry::LeftOut("change of an unknown type")),
        Ok(Change::Event(event)) => {
            let now = change.envelope().accepted_at;
            if notification::event_time(change.json()).is_some_and(|at| is_too_old(at, now)) {
                let is_content = event.kind.is_content();
                return Ok(if is_content { Entry::Replayed } else { Entry::LeftOut("old status or typing") });
            }
            if let EventKind::Unknown(_) = event.kind {
                return Ok(Entry::LeftOut("event of an unknown type"));
            }
            if not_needed(event).is_some() {
                return Ok(Entry::NotNeeded);
            }
        }
        Ok(Change::Conversation(_)) | Err(_) => {}
    }
    fitting(&change).map(Entry::Queued)
}
