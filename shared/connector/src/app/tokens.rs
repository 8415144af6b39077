//! AppJWTs: each account requests one per hour, however many workers there are.

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use url::Url;

use super::{
    error::{DeliveryError, Leased},
    guarded_http::GuardedHttp,
    registry::Accounts,
    settings::Account,
    single_flight::{Flight, SingleFlight},
};
use crate::{domain::id::Owner, log_event, port::Tokens};
use connector_liveengage::{
    LiveEngageError,
    id::AccountId,
    sentinel::{self, AppJwt},
};

/// How long one worker may take to request a new token: two calls of 8 s each, and the writes around them.
const LEASE: SignedDuration = SignedDuration::from_secs(20);

/// How long to wait before reading the token that another worker is requesting.
const RECHECK_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// The AppJWTs of all accounts. Looks in memory, then in the table, then asks Sentinel.
#[derive(derive_more::Debug)]
#[debug("AppJwts")]
pub(super) struct AppJwts {
    accounts: Arc<Accounts>,
    store: Arc<dyn Tokens>,
    http: Arc<GuardedHttp<AccountId>>,
    memory: Mutex<HashMap<AccountId, Remembered>>,
    renewals: SingleFlight<AccountId>,
}

/// A request for an account's token.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenRequest<'a> {
    /// The account.
    pub(super) account: &'a AccountId,
    /// The account's Sentinel.
    pub(super) sentinel: &'a Url,
    /// The requesting worker, which owns the lease.
    pub(super) owner: &'a Owner,
    /// Now.
    pub(super) now: Timestamp,
}

/// The token that this process uses, and whether LiveEngage has ever accepted it from this process.
#[derive(Debug, Clone)]
struct Remembered {
    token: AppJwt,
    was_accepted: bool,
}

impl AppJwts {
    /// Creates it without any token in memory.
    pub(super) fn new(accounts: Arc<Accounts>, store: Arc<dyn Tokens>, http: Arc<GuardedHttp<AccountId>>) -> Self {
        Self { accounts, store, http, memory: Mutex::default(), renewals: SingleFlight::default() }
    }

    /// Returns a token that is valid at `now`. Renews it if it is due.
    ///
    /// # Errors
    /// [`DeliveryError`]. If Sentinel fails and the token is due but still valid, returns that token instead.
    pub(super) async fn get(&self, request: TokenRequest<'_>) -> Result<AppJwt, DeliveryError> {
        let TokenRequest { account, now, .. } = request;
        if let Some(token) = self.remembered(account).filter(|token| !token.is_due(now)) {
            return Ok(token);
        }
        let Flight::Leader(_guard) = self.renewals.join(account).await else {
            return self.renewed_by_another(account, |token| token.is_valid(now)).await;
        };
        let stored = self.store.token(account).await?;
        if let Some(token) = stored.clone().filter(|token| !token.is_due(now)) {
            return Ok(self.remember(account, token));
        }
        let wanted = |token: &AppJwt| !token.is_due(now);
        let renewed = self.renew(request, wanted, |token| token).await;
        match (renewed, stored.filter(|token| token.is_valid(now))) {
            (Ok(token), _) => Ok(token),
            (Err(error), Some(still_good)) => {
                log_event!(APP_JWT_RENEWAL_DEFERRED, %account, %error, expires_at = %still_good.expires_at);
                Ok(still_good)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// Returns a token to replace one that LiveEngage has rejected. `None` if the rejected one was itself requested a moment ago to replace
    /// others that were rejected: a new one would be rejected, too.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn replace(
        &self,
        request: TokenRequest<'_>,
        refused: &AppJwt,
    ) -> Result<Option<AppJwt>, DeliveryError> {
        let TokenRequest { account, now, .. } = request;
        // Another worker may have replaced it already.
        let wanted = |token: &AppJwt| token != refused && token.is_valid(now);
        let Flight::Leader(_guard) = self.renewals.join(account).await else {
            return self.renewed_by_another(account, wanted).await.map(Some);
        };
        if let Some(token) = self.remembered(account).filter(wanted) {
            return Ok(Some(token));
        }
        if let Some(stored) = self.store.token(account).await?.filter(wanted) {
            return Ok(Some(self.remember(account, stored)));
        }
        let was_accepted = self.recalled(account).is_some_and(|known| known.token == *refused && known.was_accepted);
        if !was_accepted && !refused.may_be_replaced(now) {
            return Ok(None);
        }
        let mark = |token: AppJwt| token.replacing(refused, was_accepted, now);
        self.renew(request, wanted, mark).await.map(Some)
    }

    /// Returns the token after another attempt of this process has tried to renew it.
    ///
    /// # Errors
    /// [`DeliveryError::Busy`] if there is none.
    async fn renewed_by_another(
        &self,
        account: &AccountId,
        wanted: impl Fn(&AppJwt) -> bool + Send,
    ) -> Result<AppJwt, DeliveryError> {
        if let Some(token) = self.remembered(account).filter(&wanted) {
            return Ok(token);
        }
        match self.store.token(account).await?.filter(wanted) {
            Some(token) => Ok(self.remember(account, token)),
            None => Err(DeliveryError::Busy { what: Leased::AppJwt, after: RECHECK_AFTER }),
        }
    }

    /// Records that LiveEngage has accepted this token.
    pub(super) fn mark_accepted(&self, account: &AccountId, token: &AppJwt) {
        let mut memory = self.memory.lock();
        if let Some(known) = memory.get_mut(account).filter(|known| known.token == *token) {
            known.was_accepted = true;
        }
    }

    /// Returns the token. Renews it first if it will be due within `horizon` from now.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn keep_fresh(
        &self,
        request: TokenRequest<'_>,
        horizon: SignedDuration,
    ) -> Result<AppJwt, DeliveryError> {
        let TokenRequest { account, now, .. } = request;
        let later = now.checked_add(horizon).unwrap_or(now);
        let wanted = |token: &AppJwt| !token.is_due(later);
        match self.store.token(account).await?.filter(wanted) {
            Some(token) => Ok(self.remember(account, token)),
            None => self.renew(request, wanted, |token| token).await,
        }
    }

    /// Returns the token in the table, which all functions share, whether it is valid or not.
    ///
    /// # Errors
    /// [`DeliveryError::Store`].
    pub(super) async fn stored(&self, account: &AccountId) -> Result<Option<AppJwt>, DeliveryError> {
        Ok(self.store.token(account).await?)
    }

    /// Returns the least time that LivePerson's clock is behind ours, computed from the account's token. Reads the table at most once until
    /// this process has a token. Zero if there is none or the table can't be read.
    pub(super) async fn clock_behind(&self, account: &AccountId) -> SignedDuration {
        if let Some(known) = self.remembered(account) {
            return known.clock_behind();
        }
        match self.store.token(account).await {
            Ok(Some(token)) => self.remember(account, token).clock_behind(),
            Ok(None) | Err(_) => SignedDuration::ZERO,
        }
    }

    /// Requests a token and applies `mark` to it, unless the table has one by now that is `wanted`.
    async fn renew(
        &self,
        request: TokenRequest<'_>,
        wanted: impl Fn(&AppJwt) -> bool + Send,
        mark: impl Fn(AppJwt) -> AppJwt + Send,
    ) -> Result<AppJwt, DeliveryError> {
        let TokenRequest { account, sentinel, owner, now } = request;
        // Check the breaker before taking the lease: while Sentinel is down, no worker should wait for another one that waits for Sentinel.
        self.http.calls(account, None, now).admit(sentinel::CALL)?;
        let until = now.checked_add(LEASE).unwrap_or(now);
        if !self.store.lease_token(account, owner, now, until).await? {
            return Err(DeliveryError::Busy { what: Leased::AppJwt, after: RECHECK_AFTER });
        }
        // Another worker may have renewed it and given the lease back since the caller looked.
        let known = match self.store.token(account).await {
            Ok(token) => token.filter(wanted),
            Err(error) => {
                let _ = self.store.release_token(account, owner).await;
                return Err(error.into());
            }
        };
        if let Some(token) = known {
            let _ = self.store.release_token(account, owner).await;
            return Ok(self.remember(account, token));
        }
        match self.request_token(account, sentinel, now).await {
            Ok(token) => {
                let token = mark(token);
                if let Err(error) = self.store.save_token(account, owner, &token).await {
                    let _ = self.store.release_token(account, owner).await;
                    return Err(error.into());
                }
                log_event!(APP_JWT_RENEWED, %account, expires_at = %token.expires_at);
                Ok(self.remember(account, token))
            }
            Err(error) => {
                // If this fails, too, the lease expires by itself.
                let _ = self.store.release_token(account, owner).await;
                Err(error)
            }
        }
    }

    /// Requests a token with the current secret. If Sentinel rejects it, rereads the secrets and tries another live version: the secret may
    /// have been rotated since it was read, or the new one may not be active yet.
    async fn request_token(
        &self,
        account: &AccountId,
        sentinel: &Url,
        now: Timestamp,
    ) -> Result<AppJwt, DeliveryError> {
        let not_usable = |error| DeliveryError::of_account(account, error);
        let tried = self.accounts.get(account, now).await.map_err(not_usable)?;
        let refused = match self.request_token_with(&tried, sentinel, now).await {
            Err(DeliveryError::LiveEngage(error @ LiveEngageError::CredentialsRefused { .. })) => error,
            other => return other,
        };
        let is_other =
            |version: &Arc<Account>| version.client_secret.expose_secret() != tried.client_secret.expose_secret();
        let newer = self.accounts.get_after_failure(account, now).await.map_err(not_usable)?;
        let other = match Some(newer).filter(is_other) {
            Some(newer) => Some(newer),
            None => self.accounts.previous(account, now).await.map_err(not_usable)?.filter(is_other),
        };
        match other {
            Some(other) => self.request_token_with(&other, sentinel, now).await,
            None => Err(refused.into()),
        }
    }

    async fn request_token_with(
        &self,
        account: &Account,
        sentinel: &Url,
        now: Timestamp,
    ) -> Result<AppJwt, DeliveryError> {
        let call = sentinel::request(sentinel, &account.id, &account.client_id, &account.client_secret);
        let reply = self.http.calls(&account.id, None, now).admitted(call).await?;
        Ok(sentinel::answer(&reply, now)?)
    }

    fn remembered(&self, account: &AccountId) -> Option<AppJwt> {
        self.recalled(account).map(|known| known.token)
    }

    fn recalled(&self, account: &AccountId) -> Option<Remembered> {
        self.memory.lock().get(account).cloned()
    }

    fn remember(&self, account: &AccountId, token: AppJwt) -> AppJwt {
        let mut memory = self.memory.lock();
        let was_accepted = memory.get(account).is_some_and(|known| known.token == token && known.was_accepted);
        memory.insert(account.clone(), Remembered { token: token.clone(), was_accepted });
        token
    }
}
