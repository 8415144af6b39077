//! The LiveEngage client: hosts, tokens and calls of one process, for all accounts.

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use url::Url;

use super::{
    error::DeliveryError,
    guarded_http::{GuardedCalls, GuardedHttp},
    registry::Accounts,
    single_flight::{Flight, SingleFlight},
    tokens::{AppJwts, TokenRequest},
};
use crate::{
    domain::{
        breaker::{Ended, Who},
        id::Owner,
    },
    log_event,
    port::{Download, Http, StreamedFile, Tokens},
};
use connector_channels::FileEnvelope;
use connector_liveengage::{
    LiveEngageError,
    domain_api::{self, Directory, Service},
    files::{self, TemporaryUrl},
    history::{self, ConversationHistory, ConversationRecord, ConversationSearch},
    id::{AccountId, ConversationId, ExtConsumerId},
    identity::{ConsumerToken, Identity},
    idp,
    messaging::{ClientProperties, Credentials},
    sentinel::AppJwt,
};
use connector_message::http::{HttpCall, HttpReply};

mod optional;

/// How long a list of hosts is used. LivePerson documents that the hosts can change, and no lifetime.
const HOSTS_FRESH_FOR: SignedDuration = SignedDuration::from_mins(10);

/// How long an old list is used after the Domain API failed, before it is called again: a call before every other call could delay each by
/// 8 s.
const HOSTS_STALE_FOR: SignedDuration = SignedDuration::from_mins(1);

/// How long a message waits whose attempt has waited for another one's request of the hosts that failed.
const HOSTS_RECHECKED_AFTER: SignedDuration = SignedDuration::from_secs(1);

/// How long ago a consumer's conversations may have begun that are searched for their end.
const HISTORY_OF: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A client of LiveEngage. In the steady state every method makes one call. The first use of an account makes two more, for its hosts and
/// its token.
#[derive(derive_more::Debug)]
#[debug("LiveEngage")]
pub struct LiveEngage {
    accounts: Arc<Accounts>,
    http: Arc<GuardedHttp<AccountId>>,
    app_jwts: AppJwts,
    hosts: Mutex<HashMap<AccountId, KnownHosts>>,
    host_requests: SingleFlight<AccountId>,
}

/// An account's hosts, as the Domain API last listed them.
struct KnownHosts {
    directory: Arc<Directory>,
    /// Until when the list is used. `None` if a host may have moved.
    fresh_until: Option<Timestamp>,
}

/// The context of a call: the same for all calls of one delivery.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// The owner of the lease on the message.
    pub owner: &'a Owner,
    /// The consumer whose message it is, the same at every attempt. The breakers count consumers by it.
    pub who: Who,
    /// The features of the line.
    pub client_properties: &'a ClientProperties,
    /// Now.
    pub now: Timestamp,
}

/// The context of a call that is not for a consumer.
#[derive(Debug, Clone, Copy)]
pub struct Keeper<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// The owner of the lease on the token.
    pub owner: &'a Owner,
    /// Now.
    pub now: Timestamp,
}

/// The context of a call to a consumer's history.
#[derive(Debug, Clone, Copy)]
pub(super) struct HistoryCaller<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// The owner of the attempt.
    pub owner: &'a Owner,
    /// The consumer whose history it is.
    pub who: Who,
    /// Now.
    pub now: Timestamp,
}

impl<'a> HistoryCaller<'a> {
    const fn keeper(&self) -> Keeper<'a> {
        Keeper { account: self.account, owner: self.owner, now: self.now }
    }
}

impl<'a> Caller<'a> {
    const fn keeper(&self) -> Keeper<'a> {
        Keeper { account: self.account, owner: self.owner, now: self.now }
    }
}

impl<'a> Keeper<'a> {
    const fn token_request(&self, sentinel: &'a Url) -> TokenRequest<'a> {
        TokenRequest { account: self.account, sentinel, owner: self.owner, now: self.now }
    }
}

impl LiveEngage {
    /// Creates a client without any host or token in memory.
    pub fn new(accounts: Arc<Accounts>, tokens: Arc<dyn Tokens>, http: Arc<dyn Http>) -> Self {
        let http = Arc::new(GuardedHttp::new(http));
        let app_jwts = AppJwts::new(Arc::clone(&accounts), tokens, Arc::clone(&http));
        Self { accounts, http, app_jwts, hosts: Mutex::default(), host_requests: SingleFlight::default() }
    }

    /// Requests a consumer's identity at LivePerson from IDP.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn identify(
        &self,
        caller: Caller<'_>,
        consumer: &ExtConsumerId,
    ) -> Result<Identity, DeliveryError> {
        self.authorized(
            caller,
            Service::Idp,
            |host, app_jwt| idp::request(host, caller.account, app_jwt, consumer),
            |reply| idp::answer(reply, consumer),
        )
        .await
    }

    /// Returns the host of the account's file storage.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn file_host(&self, caller: Caller<'_>) -> Result<Url, DeliveryError> {
        Ok(self.hosts(caller.keeper()).await?.url(Service::Files)?.clone())
    }

    /// Streams a file to an address of LivePerson's storage. Uploading twice is harmless, because the file is not visible before a message
    /// names it.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn upload(
        &self,
        caller: Caller<'_>,
        address: &TemporaryUrl,
        file: StreamedFile,
    ) -> Result<(), DeliveryError> {
        let reply = self.calls(caller).upload(files::upload_call(address), file, FileEnvelope::default()).await?;
        Ok(files::uploaded(&reply)?)
    }

    /// Starts the download of a file from an address of LivePerson's storage.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn download(&self, caller: Caller<'_>, address: &TemporaryUrl) -> Result<Download, DeliveryError> {
        let download = self.calls(caller).download(files::download_call(address)).await?;
        files::downloaded(&download.reply())?;
        Ok(download)
    }

    /// Makes a call of the Send API on behalf of a consumer.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn send<T>(
        &self,
        caller: Caller<'_>,
        consumer: &ConsumerToken,
        build: impl Fn(&Url, Credentials<'_>) -> Result<HttpCall, LiveEngageError> + Send + Sync,
        read: impl Fn(&HttpReply) -> Result<T, LiveEngageError> + Send + Sync,
    ) -> Result<T, DeliveryError> {
        let Caller { account, client_properties, .. } = caller;
        let build =
            |host: &Url, app_jwt: &AppJwt| build(host, Credentials { account, app_jwt, consumer, client_properties });
        self.authorized(caller, Service::Messaging, build, read).await
    }

    /// Returns what LiveEngage's history has of one of a consumer's conversations.
    ///
    /// # Errors
    /// [`DeliveryError`]. A consumer's token that the history refuses is not replaced: that it takes such tokens at all is not documented.
    pub(super) async fn history(
        &self,
        caller: HistoryCaller<'_>,
        consumer: &ConsumerToken,
        conversation: &ConversationId,
    ) -> Result<ConversationHistory, DeliveryError> {
        let hosts = self.hosts(caller.keeper()).await?;
        let call = history::events_request(hosts.url(Service::History)?, caller.account, consumer, conversation)?;
        let reply = self.http.calls(caller.account, Some(caller.who), caller.now).call(call).await?;
        Ok(history::events_answer(&reply)?)
    }

    /// Returns a consumer's conversations that have ended, of those that began in the last [`HISTORY_OF`]: the first hundred.
    ///
    /// # Errors
    /// As for [`Self::history`].
    pub(super) async fn ended_conversations(
        &self,
        caller: HistoryCaller<'_>,
        consumer: &ConsumerToken,
    ) -> Result<Vec<ConversationRecord>, DeliveryError> {
        let search = ConversationSearch::default().started_between(caller.now - HISTORY_OF, caller.now);
        let hosts = self.hosts(caller.keeper()).await?;
        let call = history::conversations_request(hosts.url(Service::History)?, caller.account, consumer, &search)?;
        let reply = self.http.calls(caller.account, Some(caller.who), caller.now).call(call).await?;
        Ok(history::conversations_answer(&reply)?.conversations)
    }

    /// Returns the account's AppJWT. Renews it first if it will be due within `horizon` from now.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn keep_token_fresh(&self, caller: Keeper<'_>, horizon: SignedDuration) -> Result<AppJwt, DeliveryError> {
        let hosts = self.hosts(caller).await?;
        self.app_jwts.keep_fresh(caller.token_request(hosts.url(Service::Sentinel)?), horizon).await
    }

    /// Returns the least time that LivePerson's clock is behind ours. Zero if it is not known.
    pub async fn clock_behind(&self, account: &AccountId) -> SignedDuration {
        self.app_jwts.clock_behind(account).await
    }

    /// Returns the AppJWT in the table, which all functions share, whether it is valid or not.
    ///
    /// # Errors
    /// [`DeliveryError::Store`].
    pub async fn token_in_use(&self, account: &AccountId) -> Result<Option<AppJwt>, DeliveryError> {
        self.app_jwts.stored(account).await
    }

    /// Makes a call with the AppJWT, and once more with a new one if LiveEngage rejects it. If LiveEngage rejects the new one, too, it
    /// rejects every caller: this trips the breaker, so that other workers make no such calls and request no more tokens.
    async fn authorized<T>(
        &self,
        caller: Caller<'_>,
        service: Service,
        build: impl Fn(&Url, &AppJwt) -> Result<HttpCall, LiveEngageError> + Send + Sync,
        read: impl Fn(&HttpReply) -> Result<T, LiveEngageError> + Send + Sync,
    ) -> Result<T, DeliveryError> {
        let (account, calls) = (caller.account, self.calls(caller));
        let hosts = self.hosts(caller.keeper()).await?;
        let host = hosts.url(service)?;
        let request = caller.keeper().token_request(hosts.url(Service::Sentinel)?);
        let app_jwt = self.app_jwts.get(request).await?;
        let call = build(host, &app_jwt)?;
        let name = call.name;
        calls.admit(name)?;
        match self.answered(caller, call, &read).await? {
            Err(refused @ LiveEngageError::AppJwtRefused { .. }) => {
                let Some(newer) = self.app_jwts.replace(request, &app_jwt).await? else {
                    calls.note(name, Ended::Failed);
                    return Err(refused.into());
                };
                let again = self.answered(caller, build(host, &newer)?, &read).await?;
                match &again {
                    Err(LiveEngageError::AppJwtRefused { .. }) => {
                        log_event!(APP_JWT_REPLACEMENT_REFUSED, %account, call = name);
                        calls.trip(name);
                    }
                    _ => self.app_jwts.mark_accepted(account, &newer),
                }
                Ok(again?)
            }
            other => {
                self.app_jwts.mark_accepted(account, &app_jwt);
                Ok(other?)
            }
        }
    }

    /// Makes a call that the breaker has admitted, and reads its response. A rejected AppJWT doesn't count for the breaker yet.
    async fn answered<T>(
        &self,
        caller: Caller<'_>,
        call: HttpCall,
        read: impl Fn(&HttpReply) -> Result<T, LiveEngageError> + Send + Sync,
    ) -> Result<Result<T, LiveEngageError>, DeliveryError> {
        let mut has_moved = true;
        let read = |reply: &HttpReply| {
            has_moved = reply.status == http::StatusCode::NOT_FOUND;
            let answer = read(reply);
            let counts = !matches!(answer, Err(LiveEngageError::AppJwtRefused { .. }));
            (answer, counts)
        };
        let answer = self.calls(caller).admitted_reading(call, read).await;
        if has_moved {
            // A host that can't be reached or answers 404 may have moved. So the next attempt requests the hosts again, and keeps these if
            // the Domain API is down, too.
            if let Some(known) = self.lock().get_mut(caller.account) {
                known.fresh_until = None;
            }
        }
        answer
    }

    fn calls<'a>(&'a self, caller: Caller<'a>) -> GuardedCalls<'a, AccountId> {
        self.http.calls(caller.account, Some(caller.who), caller.now)
    }

    async fn hosts(&self, caller: Keeper<'_>) -> Result<Arc<Directory>, DeliveryError> {
        let Keeper { account, now, .. } = caller;
        if let Some(known) = self.fresh_hosts(account, now) {
            return Ok(known);
        }
        let flight = self.host_requests.join(account).await;
        let stale = self.lock().get(account).map(|known| Arc::clone(&known.directory));
        let Flight::Leader(_guard) = flight else {
            return stale.ok_or(DeliveryError::HeldBack { what: domain_api::CALL, after: HOSTS_RECHECKED_AFTER });
        };
        let (directory, fresh_for) = match (self.request_hosts(account, now).await, stale) {
            (Ok(hosts), _) => (Arc::new(hosts), HOSTS_FRESH_FOR),
            (Err(error), Some(stale)) => {
                log_event!(DOMAIN_NOT_REFRESHED, %account, %error);
                (stale, HOSTS_STALE_FOR)
            }
            (Err(error), None) => return Err(error),
        };
        let known = KnownHosts { directory: Arc::clone(&directory), fresh_until: now.checked_add(fresh_for).ok() };
        self.lock().insert(account.clone(), known);
        Ok(directory)
    }

    fn fresh_hosts(&self, account: &AccountId, now: Timestamp) -> Option<Arc<Directory>> {
        let hosts = self.lock();
        let known = hosts.get(account)?;
        known.fresh_until.is_some_and(|until| now < until).then(|| Arc::clone(&known.directory))
    }

    async fn request_hosts(&self, account: &AccountId, now: Timestamp) -> Result<Directory, DeliveryError> {
        let settings =
            self.accounts.get(account, now).await.map_err(|error| DeliveryError::of_account(account, error))?;
        let call = domain_api::request(&settings.domain_api, account);
        let reply = self.http.calls(account, None, now).call(call).await?;
        Ok(domain_api::answer(&reply)?)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, KnownHosts>> {
        self.hosts.lock()
    }
}
