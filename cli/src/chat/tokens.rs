//! The tokens of a consumer who has not logged in anywhere.

use std::sync::Arc;

use async_trait::async_trait;
use connector::port::{Clock as _, Http};
use connector_aws::SystemClock;
use connector_liveengage::{
    LiveEngageError,
    id::AccountId,
    idp::window::{self, SignIn, SignedIn},
};
use connector_message::Disposition;
use connector_messaging_window::{TokenFailure, TokenNeed, TokenSource};
use secrecy::SecretString;
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

    async fn sign_in(&self, sign_in: SignIn<'_>) -> Result<Result<SignedIn, LiveEngageError>, TokenFailure> {
        let call = window::request(&self.idp, &self.account, sign_in);
        let name = call.name;
        match self.http.call(call).await {
            Ok(reply) => Ok(window::answer(&reply, SystemClock.now())),
            Err(error) => Err(TokenFailure::Temporary(format!("{name}: {error}"))),
        }
    }
}

#[async_trait]
impl TokenSource for IdpTokens {
    async fn token(&mut self, _: TokenNeed, known: Option<&SignedIn>) -> Result<SignedIn, TokenFailure> {
        // Extending the identity also renews its token: the consumer stays the same.
        let last = known.map(|known| SecretString::from(known.token.expose()));
        let mut answer = self.sign_in(SignIn::Anonymous { extends: last.as_ref() }).await?;
        if known.is_some() && answer.as_ref().is_err_and(is_refused) {
            answer = self.sign_in(SignIn::Anonymous { extends: None }).await?;
        }
        if answer.as_ref().is_err_and(is_refused) {
            answer = self.sign_in(SignIn::SignUp).await?;
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
            | LiveEngageError::IdentityRefused { .. }
            | LiveEngageError::Unavailable { status: 404, .. }
    )
}
