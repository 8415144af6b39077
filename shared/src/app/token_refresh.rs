//! Renews AppJWTs on a schedule, so that no message has to wait for one.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    error::DeliveryError,
    liveengage_client::{Keeper, LiveEngage},
    registry::Accounts,
};
use crate::{
    domain::id::{AccountId, Owner},
    liveengage::sentinel::DOCUMENTED_LIFE,
};

/// A token is renewed when it would be due before the schedule's next run: it runs every 10 minutes, and may miss one.
pub const HORIZON: SignedDuration = SignedDuration::from_mins(20);

/// The use case.
#[derive(Debug, Clone)]
pub struct RefreshTokens {
    accounts: Arc<Accounts>,
    liveengage: Arc<LiveEngage>,
}

impl RefreshTokens {
    /// Renews the tokens of `accounts`.
    pub fn new(accounts: Arc<Accounts>, liveengage: Arc<LiveEngage>) -> Self {
        Self { accounts, liveengage }
    }

    /// Renews every token that is about to be due. One account's failure does not keep the others from theirs.
    ///
    /// # Errors
    /// The accounts that failed, with the reason.
    pub async fn run(&self, owner: &Owner, now: Timestamp) -> Result<usize, Vec<(AccountId, DeliveryError)>> {
        let mut failed = Vec::new();
        let accounts = self.accounts.ids();
        for account in &accounts {
            let caller = Keeper { account, owner, now };
            match self.liveengage.keep_token_fresh(caller, HORIZON).await {
                Ok(token) => tell_age(account, token.age(now)),
                // A worker is renewing it this moment.
                Err(DeliveryError::Busy { .. }) => self.tell_age_in_use(account, now).await,
                Err(error) => {
                    self.tell_age_in_use(account, now).await;
                    tracing::error!(%account, %error, "the AppJWT can't be renewed");
                    failed.push((account.clone(), error));
                }
            }
        }
        if failed.is_empty() { Ok(accounts.len()) } else { Err(failed) }
    }

    /// Tells the age of a token that was not renewed. None at all is as bad as one that has ended. When the table can't say,
    /// nothing is told, and the alarm takes that for the worst.
    async fn tell_age_in_use(&self, account: &AccountId, now: Timestamp) {
        match self.liveengage.token_in_use(account).await {
            Ok(token) => tell_age(account, token.map_or(DOCUMENTED_LIFE, |token| token.age(now))),
            Err(error) => tracing::warn!(%account, %error, "the AppJWT's age is not known"),
        }
    }
}

fn tell_age(account: &AccountId, age: SignedDuration) {
    tracing::info!(%account, age_s = age.as_secs(), "the AppJWT's age");
}
