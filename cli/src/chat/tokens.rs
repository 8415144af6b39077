//! The tokens of a consumer who has not logged in anywhere.

use std::sync::Arc;

use async_trait::async_trait;
use connector::port::Http;
use connector_liveengage::{
    LiveEngageError,
    id::AccountId,
    idp::{ConsumerJwt, anonymous_request, consumer_jwt_answer, sign_up_request},
};
use connector_message::{Disposition, http::HttpCall};
use connector_messaging_window::{TokenFailure, TokenNeed, TokenSource};
use url::Url;

/// Asks IDP for anonymous identities, or for the older sign-up if the account doesn't have them.
pub(super) struct IdpTokens {
    http: Arc<dyn Http>,
    idp: Url,
    account: AccountId,
}

impl IdpTokens {
    pub(super) fn new(http: Arc<dyn Http>, idp: Url, account: AccountId) -> Self {
        Self { http, idp, account }
    }

    async fn ask(&self, call: HttpCall) -> Result<Result<ConsumerJwt, LiveEngageError>, TokenFailure> {
        let name = call.name;
        match self.http.call(call).await {
            Ok(reply) => Ok(consumer_jwt_answer(&reply)),
            Err(error) => Err(TokenFailure::Temporary(format!("{name}: {error}"))),
        }
    }
}

#[async_trait]
impl TokenSource for IdpTokens {
    async fn token(&mut self, _: TokenNeed, known: Option<&ConsumerJwt>) -> Result<ConsumerJwt, TokenFailure> {
        // Extending the identity also renews its token: the consumer stays the same.
        let mut answer = self.ask(anonymous_request(&self.idp, &self.account, known)).await?;
        if known.is_some() && answer.as_ref().is_err_and(is_refused) {
            answer = self.ask(anonymous_request(&self.idp, &self.account, None)).await?;
        }
        if answer.as_ref().is_err_and(is_refused) {
            answer = self.ask(sign_up_request(&self.idp, &self.account)).await?;
        }
        answer.map_err(|error| match error.disposition() {
            Disposition::Park => TokenFailure::Permanent(error.to_string()),
            Disposition::Retry { .. } | Disposition::Defer { .. } => TokenFailure::Temporary(error.to_string()),
        })
    }
}

/// Whether IDP has refused the call itself, so that another flow may work. 404 counts, because an account without the flow has no such path.
fn is_refused(error: &LiveEngageError) -> bool {
    matches!(
        error,
        LiveEngageError::Refused { .. }
            | LiveEngageError::AppJwtRefused { .. }
            | LiveEngageError::ConsumerJwsRefused { .. }
            | LiveEngageError::Unavailable { status: 404, .. }
    )
}
