//! The scheduled functions.

use std::sync::Arc;

use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{batch::deadline, failure::FunctionError};
use connector::{
    app::{
        delivery::{Attempt, TimeScale},
        reconcile::{Reconcile, Reconciled, Scope},
        token_refresh::RefreshTokens,
    },
    domain::id::{CorrelationId, Owner},
    log_event,
    port::Clock,
};
use connector_liveengage::id::AccountId;

/// The function `token-refresh`.
#[derive(Clone, derive_more::Debug)]
#[debug("TokenRefreshFunction")]
pub struct TokenRefreshFunction {
    refresh: RefreshTokens,
    clock: Arc<dyn Clock>,
}

impl TokenRefreshFunction {
    /// Creates the function from its use case.
    pub fn new(refresh: RefreshTokens, clock: Arc<dyn Clock>) -> Self {
        Self { refresh, clock }
    }

    /// Handles one invocation. The schedule's event isn't read.
    ///
    /// # Errors
    /// If an account's token could not be renewed. The scheduler retries, and the alarm on errors counts it.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<(), FunctionError> {
        let owner = Owner::new(format!("{}/refresh", event.context.request_id))?;
        match self.refresh.run(&owner, self.clock.now()).await {
            Ok(accounts) => {
                log_event!(APP_JWTS_FRESH, accounts);
                Ok(())
            }
            Err(failed) => Err(FunctionError::TokensNotRenewed(failed.len())),
        }
    }
}

/// The function `reconcile`.
#[derive(Clone, derive_more::Debug)]
#[debug("ReconcileFunction")]
pub struct ReconcileFunction {
    reconcile: Reconcile,
    clock: Arc<dyn Clock>,
}

/// The event of `reconcile`: which conversations to compare.
///
/// `{"scope": "suspicious"}` comes from a schedule, `{"scope": "recent"}` from a schedule or an operator, and
/// `{"since": "2026-11-30T08:00:00Z"}` from an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum ReconcileEvent {
    Scope { scope: NamedScope },
    Since { since: Timestamp },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NamedScope {
    Suspicious,
    Recent,
}

impl From<ReconcileEvent> for Scope {
    fn from(event: ReconcileEvent) -> Self {
        match event {
            ReconcileEvent::Scope { scope: NamedScope::Suspicious } => Self::Suspicious,
            ReconcileEvent::Scope { scope: NamedScope::Recent } => Self::Recent,
            ReconcileEvent::Since { since } => Self::Since(since),
        }
    }
}

/// The answer of `reconcile`: what the run did, by account. A scheduled run without evidence of a loss looked at no account.
///
/// On the wire: `{"accounts": [{"account": "72419083", "compared": 12, "missing": 3, "closed": 0, "failed": 0, "left": 0}]}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReconcileAnswer {
    /// The accounts that were looked at.
    pub accounts: Vec<ReconciledAccount>,
}

/// What a run of `reconcile` did for an account. The numbers are those of the log event `account.reconciled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReconciledAccount {
    /// The account.
    pub account: String,
    /// The conversations that were compared with the history.
    pub compared: usize,
    /// Events of agents and bots that were missing, and are in the queue now.
    pub missing: usize,
    /// Conversations whose end was missing.
    pub closed: usize,
    /// Consumers whose conversations could not be compared.
    pub failed: usize,
    /// Consumers who were left for the next run.
    pub left: usize,
}

impl From<Vec<(AccountId, Reconciled)>> for ReconcileAnswer {
    fn from(done: Vec<(AccountId, Reconciled)>) -> Self {
        let account = |(account, reconciled): (AccountId, Reconciled)| {
            let Reconciled { compared, missing, closed, failed, left } = reconciled;
            ReconciledAccount { account: account.to_string(), compared, missing, closed, failed, left }
        };
        Self { accounts: done.into_iter().map(account).collect() }
    }
}

impl ReconcileFunction {
    /// Creates the function from its use case.
    pub fn new(reconcile: Reconcile, clock: Arc<dyn Clock>) -> Self {
        Self { reconcile, clock }
    }

    /// Handles one invocation, and returns what it did.
    ///
    /// # Errors
    /// If the event is not one of its forms, or if an account could not be reconciled. The alarm on errors counts it.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<ReconcileAnswer, FunctionError> {
        let scope = ReconcileEvent::deserialize(&event.payload).map_err(|_| FunctionError::UnknownReconcileEvent)?;
        let request = &event.context.request_id;
        let attempt = Attempt {
            owner: Owner::new(format!("{request}/reconcile"))?,
            now: self.clock.now(),
            deadline: deadline(&event.context, self.clock.now())?,
            received: 1,
            time_scale: TimeScale::TEMPLATE,
        };
        let correlation = CorrelationId::new(request)?;
        match self.reconcile.run(scope.into(), &correlation, &attempt).await {
            Ok(done) => Ok(ReconcileAnswer::from(done)),
            Err(failed) => Err(FunctionError::NotReconciled(failed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_answer_counts_what_was_done_for_each_account() {
        let reconciled = Reconciled { compared: 12, missing: 3, closed: 1, failed: 2, left: 4 };
        let answer = ReconcileAnswer::from(vec![(AccountId::new("72419083").unwrap(), reconciled)]);
        let account = json!({"account": "72419083", "compared": 12, "missing": 3, "closed": 1, "failed": 2, "left": 4});
        assert_eq!(serde_json::to_value(answer).unwrap(), json!({"accounts": [account]}));
    }

    #[test]
    fn an_event_says_which_conversations_to_compare() {
        let scope = |event: Value| ReconcileEvent::deserialize(&event).map(Scope::from).ok();
        assert_eq!(scope(json!({"scope": "suspicious"})), Some(Scope::Suspicious));
        assert_eq!(scope(json!({"scope": "recent"})), Some(Scope::Recent));
        let since = "2026-11-30T08:00:00Z".parse().unwrap();
        assert_eq!(scope(json!({"since": "2026-11-30T08:00:00Z"})), Some(Scope::Since(since)));
        for other in [json!({}), json!({"scope": "everything"}), json!({"since": "yesterday"}), json!("recent")] {
            assert_eq!(scope(other.clone()), None, "{other}");
        }
    }
}
