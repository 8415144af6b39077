//! Finds what LiveEngage's webhooks lost, and queues it as a webhook would have.
//!
//! LiveEngage drops a webhook after its retries, or at once if the app install has no retention time. Its history still has the event. An
//! event that comes back from there has the key and the ids of the webhook's event, so the worker delivers it once, whichever comes first.
//!
//! Looking costs calls to LiveEngage, so a scheduled run first looks for evidence in the table: LiveEngage sends each consumer's message
//! back as an echo. If an echo is missing, webhooks were lost, and not only this one.

use std::sync::Arc;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{delivery::Attempt, error::DeliveryError, liveengage_client::LiveEngage, registry::Accounts, replay};
use crate::{
    domain::{delivery::ConsumerRef, id::CorrelationId},
    log_event,
    port::{Clock, Consumers, ConversationFilter, Conversations, Ledger, Messages, Queue},
};
use connector_liveengage::{LiveEngageError, id::AccountId};

mod evidence;
mod missing;

pub use missing::CLOSED_FOR;

/// How far back a run looks that was not told since when.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// How far before the last complete run a run with evidence looks back. What that run has queued needn't be queued again, but LivePerson's
/// clock may be behind ours, and an event may need time to get into the history.
const BEFORE_LAST_RUN: SignedDuration = SignedDuration::from_hours(1);

/// How many open conversations of an account a run looks at, and how many closed ones. The others are not looked at.
pub const MOST_CONVERSATIONS: usize = 20_000;

/// How many conversations are compared at a time.
const AT_A_TIME: usize = 4;

/// How long that takes at most: a few calls for each, and the reads of its events.
const COMPARED_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// After how many consumers whose token the history refuses a run gives up, if it has accepted none.
const MOST_REFUSED: usize = 3;

/// How long runs that look for evidence make no call after the history has refused the consumers' tokens.
///
/// A minute less than an hour, because a run of the next hour can begin a little early. A run of the whole [`WINDOW`] asks: it comes once a day,
/// or an operator waits for it.
pub const REFUSED_FOR: SignedDuration = SignedDuration::from_mins(59);

/// Which conversations a run compares with LiveEngage's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of the last [`WINDOW`], if there is evidence that webhooks were lost. Only what was published since about the last complete run.
    Suspicious,
    /// Those of the last [`WINDOW`].
    Recent,
    /// Those that are open, or were closed since this time; and what was published in them since then. At most as old as a message can be
    /// that is still recognized as delivered.
    Since(Timestamp),
}

/// The ports of the use case.
#[derive(Clone, derive_more::Debug)]
#[debug("ReconcilePorts")]
pub struct ReconcilePorts {
    /// The conversations of an account.
    pub conversations: Arc<dyn Conversations>,
    /// Consumers.
    pub consumers: Arc<dyn Consumers>,
    /// Which messages are settled.
    pub messages: Arc<dyn Messages>,
    /// Consumers' messages and their echoes.
    pub ledger: Arc<dyn Ledger>,
    /// The queue to the channels.
    pub to_channel: Arc<dyn Queue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The use case of the function `reconcile`.
#[derive(Clone, derive_more::Debug)]
#[debug("Reconcile")]
pub struct Reconcile {
    accounts: Arc<Accounts>,
    liveengage: Arc<LiveEngage>,
    ports: ReconcilePorts,
}

/// What a run did for an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// The conversations that were compared with the history.
    pub compared: usize,
    /// Events of agents and bots that were missing, and are in the queue now.
    pub missing: usize,
    /// Conversations whose end was missing.
    pub closed: usize,
    /// Consumers whose conversations could not be compared.
    pub failed: usize,
    /// Consumers who were left for the next run: there was no time, or there are too many.
    pub left: usize,
}

/// Why an account was not reconciled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReconciled {
    /// A call failed before any conversation was compared.
    #[error(transparent)]
    Failed(#[from] DeliveryError),
    /// The history refuses the consumers' tokens.
    #[error("LiveEngage's history refuses the consumers' tokens: this account can't be reconciled from it")]
    SourceRefused,
}

/// What comparing one consumer's conversations gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Compared {
    conversations: usize,
    missing: usize,
    closed: usize,
}

impl Reconcile {
    /// Creates the use case for the conversations of `accounts`.
    pub fn new(accounts: Arc<Accounts>, liveengage: Arc<LiveEngage>, ports: ReconcilePorts) -> Self {
        Self { accounts, liveengage, ports }
    }

    /// Reconciles every account. If one fails, the others are still reconciled. An account without evidence is left out
    /// ([`Scope::Suspicious`]).
    ///
    /// A consumer of an open conversation costs two reads for the evidence. A consumer who is compared costs one call to LiveEngage a
    /// conversation, one more if it is open, and one read for each event of an agent in the time that is looked at.
    ///
    /// # Errors
    /// The accounts that failed, with their errors.
    pub async fn run(
        &self,
        scope: Scope,
        correlation: &CorrelationId,
        attempt: &Attempt,
    ) -> Result<Vec<(AccountId, Reconciled)>, Vec<(AccountId, NotReconciled)>> {
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for account in self.accounts.ids() {
            match self.account(account, scope, correlation, attempt).await {
                Ok(Some(reconciled)) => {
                    let Reconciled { compared, missing, closed, failed, left } = reconciled;
                    log_event!(ACCOUNT_RECONCILED, %account, compared, missing, closed, failed, left);
                    done.push((account.clone(), reconciled));
                }
                Ok(None) => {}
                Err(NotReconciled::SourceRefused) => {
                    log_event!(HISTORY_REFUSED, %account);
                    failed.push((account.clone(), NotReconciled::SourceRefused));
                }
                Err(error) => {
                    log_event!(ACCOUNT_NOT_RECONCILED, %account, %error);
                    failed.push((account.clone(), error));
                }
            }
        }
        if failed.is_empty() { Ok(done) } else { Err(failed) }
    }

    /// Reconciles one account. `None`: there is no evidence that anything was lost.
    async fn account(
        &self,
        account: &AccountId,
        scope: Scope,
        correlation: &CorrelationId,
        attempt: &Attempt,
    ) -> Result<Option<Reconciled>, NotReconciled> {
        let (now, find) = (attempt.now, &self.ports.conversations);
        let past = find.past_runs(account).await.map_err(DeliveryError::from)?;
        if scope == Scope::Suspicious && past.refused.is_some_and(|at| now.duration_since(at) < REFUSED_FOR) {
            return Err(NotReconciled::SourceRefused);
        }
        let consumers_in = |filter| find.consumers_in(account, filter, MOST_CONVERSATIONS);
        let open = consumers_in(ConversationFilter::Open).await.map_err(DeliveryError::from)?;
        let since = match scope {
            Scope::Suspicious => {
                if !self.is_suspicious(account, &open.consumers, past.complete, now).await? {
                    return Ok(None);
                }
                let window = now - WINDOW;
                past.complete.map_or(window, |last_run| window.max(last_run - BEFORE_LAST_RUN))
            }
            Scope::Recent => now - WINDOW,
            Scope::Since(since) => since.max(now - replay::OLDEST),
        };
        let closed = consumers_in(ConversationFilter::ClosedSince(since)).await.map_err(DeliveryError::from)?;
        let is_complete = open.is_complete && closed.is_complete;
        let consumers: Vec<_> = open.consumers.into_iter().chain(closed.consumers).collect();
        let result = self.consumers(account, &consumers, &Comparison { since, correlation, attempt }).await;
        match &result {
            Ok(Reconciled { compared, failed, left, .. }) => {
                if *compared > 0 && past.refused.is_some() {
                    find.note_refusal(account, None).await.map_err(DeliveryError::from)?;
                }
                if is_complete && *failed == 0 && *left == 0 && covers_window(scope, now) {
                    find.note_complete_run(account, now).await.map_err(DeliveryError::from)?;
                }
            }
            Err(NotReconciled::SourceRefused) => {
                find.note_refusal(account, Some(now)).await.map_err(DeliveryError::from)?;
            }
            Err(NotReconciled::Failed(_)) => {}
        }
        result.map(Some)
    }

    /// Compares the conversations of these consumers, a few at a time, while there is time.
    async fn consumers(
        &self,
        account: &AccountId,
        consumers: &[ConsumerRef],
        comparison: &Comparison<'_>,
    ) -> Result<Reconciled, NotReconciled> {
        let (mut total, mut refused, mut accepted) = (Reconciled::default(), 0, 0);
        let mut rest = consumers;
        while let Some((some, others)) =
            rest.split_at_checked(AT_A_TIME.min(rest.len())).filter(|(some, _)| !some.is_empty())
        {
            if comparison.attempt.check_time(&*self.ports.clock, COMPARED_WITHIN).is_err() {
                break;
            }
            for compared in join_all(some.iter().map(|who| self.compare(account, who, comparison))).await {
                match compared {
                    Ok(Compared { conversations, missing, closed }) => {
                        accepted += conversations;
                        total.compared += conversations;
                        total.missing += missing;
                        total.closed += closed;
                    }
                    Err(error) => {
                        refused += usize::from(is_refusal(&error));
                        total.failed += 1;
                        log_event!(CONVERSATION_NOT_COMPARED, %account, %error);
                    }
                }
            }
            if accepted == 0 && refused >= MOST_REFUSED {
                return Err(NotReconciled::SourceRefused);
            }
            rest = others;
        }
        total.left = rest.len();
        if accepted == 0 && refused > 0 && refused == total.failed && rest.is_empty() {
            return Err(NotReconciled::SourceRefused);
        }
        Ok(total)
    }
}

/// What all comparisons of a run share.
struct Comparison<'a> {
    since: Timestamp,
    correlation: &'a CorrelationId,
    attempt: &'a Attempt,
}

/// Whether a run of this scope looks at least as far back as evidence can be found.
fn covers_window(scope: Scope, now: Timestamp) -> bool {
    match scope {
        Scope::Suspicious | Scope::Recent => true,
        Scope::Since(since) => since <= now - WINDOW,
    }
}

const fn is_refusal(error: &DeliveryError) -> bool {
    matches!(error, DeliveryError::LiveEngage(LiveEngageError::ConsumerJwsRefused { .. }))
}
