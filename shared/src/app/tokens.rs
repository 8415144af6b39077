//! AppJWTs: asked for once an hour and account, however many workers there are.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;
use url::Url;

use super::{
    breakers::{Breakers, Guarded, ended},
    error::{DeliveryError, Leased},
    registry::Accounts,
};
use crate::{
    domain::id::{AccountId, Owner},
    liveengage::{
        LiveEngageError,
        sentinel::{self, AppJwt},
    },
    port::{Http, Tokens},
};

/// How long one worker may take for a new token: two calls of 8 s, and the writes around them.
const LEASE: SignedDuration = SignedDuration::from_secs(20);

/// When to look again for the token that somebody else is asking for.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// The AppJWTs of all accounts: in memory, then in the table, then from Sentinel.
pub struct AppJwts {
    accounts: Arc<Accounts>,
    store: Arc<dyn Tokens>,
    http: Arc<dyn Http>,
    memory: Mutex<HashMap<AccountId, Remembered>>,
    breakers: Breakers<AccountId>,
}

/// The token that this process uses, and whether LiveEngage has ever taken it here.
#[derive(Debug, Clone)]
struct Remembered {
    token: AppJwt,
    was_of_use: bool,
}

impl std::fmt::Debug for AppJwts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppJwts")
    }
}

impl AppJwts {
    /// Keeps nothing yet.
    pub fn new(accounts: Arc<Accounts>, store: Arc<dyn Tokens>, http: Arc<dyn Http>) -> Self {
        Self { accounts, store, http, memory: Mutex::default(), breakers: Breakers::new() }
    }

    /// A token that is good at `now`, renewed when it is due.
    ///
    /// # Errors
    /// [`DeliveryError`]; a token that is due but still good outlives a failing Sentinel.
    pub async fn get(
        &self,
        account: &AccountId,
        sentinel: &Url,
        owner: &Owner,
        now: Timestamp,
    ) -> Result<AppJwt, DeliveryError> {
        if let Some(token) = self.remembered(account).filter(|token| !token.is_due(now)) {
            return Ok(token);
        }
        let stored = self.store.token(account).await?;
        if let Some(token) = stored.clone().filter(|token| !token.is_due(now)) {
            return Ok(self.remember(account, token));
        }
        let wanted = |token: &AppJwt| !token.is_due(now);
        let renewed = self.renew(account, sentinel, owner, now, (wanted, |token| token)).await;
        match (renewed, stored.filter(|token| token.is_good(now))) {
            (Ok(token), _) => Ok(token),
            (Err(error), Some(still_good)) => {
                tracing::warn!(%account, %error, "the AppJWT is due and can't be renewed; it is good until {}", still_good.expires_at);
                Ok(still_good)
            }
            (Err(error), None) => Err(error),
        }
    }

    /// A token in place of one that LiveEngage has refused. `None` when that one was bought just now, in place of others that were refused:
    /// another one would be, too.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn replace(
        &self,
        account: &AccountId,
        sentinel: &Url,
        refused: &AppJwt,
        owner: &Owner,
        now: Timestamp,
    ) -> Result<Option<AppJwt>, DeliveryError> {
        // Somebody else may have replaced it already.
        let wanted = |token: &AppJwt| token != refused && token.is_good(now);
        if let Some(stored) = self.store.token(account).await?.filter(wanted) {
            return Ok(Some(self.remember(account, stored)));
        }
        let was_of_use = self.recalled(account).is_some_and(|known| known.token == *refused && known.was_of_use);
        if !was_of_use && !refused.may_be_replaced(now) {
            return Ok(None);
        }
        let bought = |token: AppJwt| token.in_place_of(refused, was_of_use, now);
        self.renew(account, sentinel, owner, now, (wanted, bought)).await.map(Some)
    }

    /// Notes that LiveEngage has taken this token.
    pub(super) fn was_of_use(&self, account: &AccountId, token: &AppJwt) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memory.get_mut(account).filter(|known| known.token == *token) {
            known.was_of_use = true;
        }
    }

    /// Renews the token if it will be due before `horizon` from now.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn keep_fresh(
        &self,
        account: &AccountId,
        sentinel: &Url,
        owner: &Owner,
        now: Timestamp,
        horizon: SignedDuration,
    ) -> Result<AppJwt, DeliveryError> {
        let later = now.checked_add(horizon).unwrap_or(now);
        let wanted = |token: &AppJwt| !token.is_due(later);
        match self.store.token(account).await?.filter(wanted) {
            Some(token) => Ok(self.remember(account, token)),
            None => self.renew(account, sentinel, owner, now, (wanted, |token| token)).await,
        }
    }

    /// The token that everybody uses, whether it is good or not.
    ///
    /// # Errors
    /// [`DeliveryError::Store`].
    pub async fn stored(&self, account: &AccountId) -> Result<Option<AppJwt>, DeliveryError> {
        Ok(self.store.token(account).await?)
    }

    /// By how much LivePerson's clock is behind ours at the least, as the account's token tells. One read at the most until this process
    /// knows a token; zero when the table can't say.
    pub async fn clock_behind(&self, account: &AccountId) -> SignedDuration {
        if let Some(known) = self.remembered(account) {
            return known.clock_behind();
        }
        match self.store.token(account).await {
            Ok(Some(token)) => self.remember(account, token).clock_behind(),
            Ok(None) | Err(_) => SignedDuration::ZERO,
        }
    }

    /// Buys a token unless there is one by now that is `wanted`, and has it marked as `bought`.
    async fn renew(
        &self,
        account: &AccountId,
        sentinel: &Url,
        owner: &Owner,
        now: Timestamp,
        (wanted, bought): (impl Fn(&AppJwt) -> bool + Send, impl Fn(AppJwt) -> AppJwt + Send),
    ) -> Result<AppJwt, DeliveryError> {
        // Before the lease: while Sentinel is down nobody waits for somebody who waits for it.
        self.breakers.admit(Guarded { key: account, call: sentinel::CALL, who: None, now })?;
        let until = now.checked_add(LEASE).unwrap_or(now);
        if !self.store.lease_token(account, owner, now, until).await? {
            return Err(DeliveryError::Busy { what: Leased::AppJwt, after: LOOK_AGAIN });
        }
        // Somebody may have renewed it and given the lease back since the caller looked.
        if let Some(token) = self.store.token(account).await?.filter(wanted) {
            let _ = self.store.release_token(account, owner).await;
            return Ok(self.remember(account, token));
        }
        match self.ask(account, sentinel, now).await {
            Ok(token) => {
                let token = bought(token);
                self.store.save_token(account, owner, &token).await?;
                tracing::info!(%account, expires_at = %token.expires_at, "AppJWT renewed");
                Ok(self.remember(account, token))
            }
            Err(error) => {
                // The lease runs out by itself should this fail too.
                let _ = self.store.release_token(account, owner).await;
                Err(error)
            }
        }
    }

    /// Asks with the current secret. If that is refused, it may have been rotated since it was read, or not yet be valid.
    async fn ask(&self, account: &AccountId, sentinel: &Url, now: Timestamp) -> Result<AppJwt, DeliveryError> {
        let unknown = || DeliveryError::UnknownAccount { account: account.clone() };
        let versions = self.accounts.get(account, now).await.ok_or_else(unknown)?;
        let tried = versions.current.client_secret.expose_secret();
        let refused = match self.ask_with(&versions.current, sentinel, now).await {
            Err(DeliveryError::LiveEngage(error @ LiveEngageError::CredentialsRefused { .. })) => error,
            other => return other,
        };
        let versions = self.accounts.get_after_failure(account, now).await.ok_or_else(unknown)?;
        match versions.all().find(|version| version.client_secret.expose_secret() != tried) {
            Some(other) => self.ask_with(other, sentinel, now).await,
            None => Err(refused.into()),
        }
    }

    async fn ask_with(
        &self,
        account: &super::settings::Account,
        sentinel: &Url,
        now: Timestamp,
    ) -> Result<AppJwt, DeliveryError> {
        let call = sentinel::request(sentinel, &account.id, &account.client_id, &account.client_secret);
        let guarded = Guarded { key: &account.id, call: call.name, who: None, now };
        let reply = self.http.call(call).await;
        self.breakers.note(guarded, ended(&reply));
        let reply = reply.map_err(|failure| DeliveryError::Http { call: guarded.call, failure })?;
        Ok(sentinel::answer(&reply, now)?)
    }

    fn remembered(&self, account: &AccountId) -> Option<AppJwt> {
        self.recalled(account).map(|known| known.token)
    }

    fn recalled(&self, account: &AccountId) -> Option<Remembered> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    fn remember(&self, account: &AccountId, token: AppJwt) -> AppJwt {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let was_of_use = memory.get(account).is_some_and(|known| known.token == token && known.was_of_use);
        memory.insert(account.clone(), Remembered { token: token.clone(), was_of_use });
        token
    }
}
