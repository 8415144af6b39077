//! Renews AppJWTs on a schedule, so that no message has to wait for one.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    error::DeliveryError,
    liveengage_client::{Keeper, LiveEngage},
    registry::Accounts,
};
use crate::{domain::id::Owner, log_event};
use connector_liveengage::{id::AccountId, sentinel::DOCUMENTED_LIFE};

/// How long before a token is due it is renewed. The schedule runs every 10 minutes and may miss one run.
pub const HORIZON: SignedDuration = SignedDuration::from_mins(20);

/// The use case of the function `token-refresh`.
#[derive(Debug, Clone)]
pub struct RefreshTokens {
    accounts: Arc<Accounts>,
    liveengage: Arc<LiveEngage>,
}

impl RefreshTokens {
    /// Creates the use case for the tokens of `accounts`.
    pub fn new(accounts: Arc<Accounts>, liveengage: Arc<LiveEngage>) -> Self {
        Self { accounts, liveengage }
    }

    /// Renews every token that is due within [`HORIZON`]. If one account fails, the others are still renewed. Returns the number of
    /// accounts.
    ///
    /// # Errors
    /// The accounts that failed, with their errors.
    pub async fn run(&self, owner: &Owner, now: Timestamp) -> Result<usize, Vec<(AccountId, DeliveryError)>> {
        let mut failed = Vec::new();
        for account in self.accounts.ids() {
            let caller = Keeper { account, owner, now };
            match self.liveengage.keep_token_fresh(caller, HORIZON).await {
                Ok(token) => log_age(account, token.age(now)),
                // A worker is renewing it.
                Err(DeliveryError::Busy { .. }) => self.log_age_in_use(account, now).await,
                Err(error) => {
                    self.log_age_in_use(account, now).await;
                    log_event!(APP_JWT_RENEWAL_FAILED, %account, %error);
                    failed.push((account.clone(), error));
                }
            }
        }
        if failed.is_empty() { Ok(self.accounts.ids().count()) } else { Err(failed) }
    }

    /// Logs the age of a token that was not renewed. A missing token counts like an expired one. If the table can't be read, logs no age:
    /// the alarm treats missing data as breaching.
    async fn log_age_in_use(&self, account: &AccountId, now: Timestamp) {
        match self.liveengage.token_in_use(account).await {
            Ok(token) => log_age(account, token.map_or(DOCUMENTED_LIFE, |token| token.age(now))),
            Err(error) => log_event!(APP_JWT_AGE_UNKNOWN, %account, %error),
        }
    }
}

fn log_age(account: &AccountId, age: SignedDuration) {
    log_event!(APP_JWT_AGE, %account, age_s = age.as_secs());
}
