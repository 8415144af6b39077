//! The scheduled functions.

use std::sync::Arc;

use jiff::Timestamp;
use lambda_runtime::LambdaEvent;
use serde::Deserialize;
use serde_json::Value;

use super::{batch::deadline, failure::FunctionError};
use connector::{
    app::{
        delivery::{Attempt, TimeScale},
        reconcile::{Reconcile, Scope},
        token_refresh::RefreshTokens,
    },
    domain::id::{CorrelationId, Owner},
    log_event,
    port::Clock,
};

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
/// `{"scope": "suspicious"}` and `{"scope": "recent"}` come from the schedules, `{"since": "2026-11-30T08:00:00Z"}` from an operator.
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

impl ReconcileFunction {
    /// Creates the function from its use case.
    pub fn new(reconcile: Reconcile, clock: Arc<dyn Clock>) -> Self {
        Self { reconcile, clock }
    }

    /// Handles one invocation.
    ///
    /// # Errors
    /// If the event is not one of its forms, or if an account could not be reconciled. The alarm on errors counts it.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<(), FunctionError> {
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
            Ok(_) => Ok(()),
            Err(failed) => Err(FunctionError::NotReconciled(failed.len())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
