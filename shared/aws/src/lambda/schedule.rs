//! The scheduled function.

use std::sync::Arc;

use lambda_runtime::LambdaEvent;
use serde_json::Value;

use super::failure::FunctionError;
use connector::{app::token_refresh::RefreshTokens, domain::id::Owner, log_event, port::Clock};

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
