//! The function on a schedule.

use std::sync::Arc;

use lambda_runtime::LambdaEvent;
use serde_json::Value;

use super::failure::FunctionError;
use crate::{app::token_refresh::RefreshTokens, domain::id::Owner, port::Clock};

/// The function `token-refresh`.
#[derive(Clone)]
pub struct TokenRefreshFunction {
    refresh: RefreshTokens,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for TokenRefreshFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenRefreshFunction")
    }
}

impl TokenRefreshFunction {
    /// Around the use case.
    pub fn new(refresh: RefreshTokens, clock: Arc<dyn Clock>) -> Self {
        Self { refresh, clock }
    }

    /// One invocation; what the schedule sends doesn't matter.
    ///
    /// # Errors
    /// When an account's token could not be renewed: the scheduler tries again, and the alarm on errors sees it.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<(), FunctionError> {
        let owner = Owner::new(format!("{}/refresh", event.context.request_id))?;
        match self.refresh.run(&owner, self.clock.now()).await {
            Ok(accounts) => {
                tracing::info!(accounts, "the AppJWTs are fresh");
                Ok(())
            }
            Err(failed) => Err(FunctionError::TokensNotRenewed(failed.len())),
        }
    }
}
