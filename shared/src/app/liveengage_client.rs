//! The LiveEngage client: hosts, tokens and calls of one process, for all accounts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use url::Url;

use super::{
    breakers::{Breakers, Guarded, ended},
    error::DeliveryError,
    registry::Accounts,
    tokens::AppJwts,
};
use crate::{
    channel::FileEnvelope,
    domain::{
        breaker::{Ended, Who},
        conversation::{ConsumerToken, Identity},
        http::{HttpCall, HttpFailure, HttpReply},
        id::{AccountId, ConversationId, ExtConsumerId, Owner, Sequence},
    },
    liveengage::{
        LiveEngageError,
        domain_api::{self, Directory, Service},
        files::{self, FileType, RelativePath},
        idp,
        messaging::{
            self, ClientProperties, Close, Credentials, CustomerSatisfaction, Event, Place, Routing, UserProfile,
        },
        sentinel::AppJwt,
    },
    port::{Download, Http, StreamedFile, Tokens},
};

/// How long a list of hosts is used (LivePerson: it can change, and no life is documented).
const HOSTS_FRESH_FOR: SignedDuration = SignedDuration::from_mins(10);

/// How long an old list is used after the Domain API failed, before it is asked again: asking at every call could take 8 s of each.
const HOSTS_STALE_FOR: SignedDuration = SignedDuration::from_mins(1);

/// Calls LiveEngage. Every method makes one call in the steady state; a first use of an account makes two more, for its hosts and
/// its token.
pub struct LiveEngage {
    accounts: Arc<Accounts>,
    http: Arc<dyn Http>,
    app_jwts: AppJwts,
    hosts: Mutex<HashMap<AccountId, (Timestamp, Arc<Directory>)>>,
    breakers: Breakers<AccountId>,
}

impl std::fmt::Debug for LiveEngage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LiveEngage")
    }
}

/// Who calls, for whom, and when: the same for all calls of one delivery.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Who holds the lease on the message.
    pub owner: &'a Owner,
    /// The person whose message it is, the same at every attempt: by this the breakers tell people apart.
    pub who: Who,
    /// What the line can show.
    pub client_properties: &'a ClientProperties,
    /// Now.
    pub now: Timestamp,
}

/// Whose token is kept fresh.
#[derive(Debug, Clone, Copy)]
pub struct Keeper<'a> {
    /// The account.
    pub account: &'a AccountId,
    /// Who asks for it.
    pub owner: &'a Owner,
    /// Now.
    pub now: Timestamp,
}

impl<'a> Caller<'a> {
    const fn keeper(&self) -> Keeper<'a> {
        Keeper { account: self.account, owner: self.owner, now: self.now }
    }

    const fn guarded(&self, call: &'static str) -> Guarded<'a, AccountId> {
        Guarded { key: self.account, call, who: Some(self.who), now: self.now }
    }
}

impl LiveEngage {
    /// A client that knows no host and no token yet.
    pub fn new(accounts: Arc<Accounts>, tokens: Arc<dyn Tokens>, http: Arc<dyn Http>) -> Self {
        let app_jwts = AppJwts::new(Arc::clone(&accounts), tokens, Arc::clone(&http));
        Self { accounts, http, app_jwts, hosts: Mutex::default(), breakers: Breakers::new() }
    }

    /// Asks IDP who a consumer is at LivePerson.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn identify(&self, caller: Caller<'_>, consumer: &ExtConsumerId) -> Result<Identity, DeliveryError> {
        self.authorised(
            caller,
            Service::Idp,
            |host, app_jwt| idp::request(host, caller.account, app_jwt, consumer),
            |reply| idp::answer(reply, consumer),
        )
        .await
    }

    /// Opens a conversation.
    ///
    /// # Errors
    /// [`DeliveryError`]; "already has open conversation" comes without the conversation's id.
    pub async fn open(
        &self,
        caller: Caller<'_>,
        consumer: &ConsumerToken,
        request_id: &str,
        routing: &Routing,
        profile: &UserProfile,
    ) -> Result<ConversationId, DeliveryError> {
        let build = |host: &Url, credentials: Credentials<'_>| {
            messaging::open_request(host, credentials, request_id, routing, profile)
        };
        self.sending(caller, consumer, build, messaging::open_answer).await
    }

    /// Publishes an event of the consumer.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn publish(
        &self,
        caller: Caller<'_>,
        consumer: &ConsumerToken,
        request_id: &str,
        place: Place<'_>,
        event: Event<'_>,
        metadata: Option<&Value>,
    ) -> Result<Option<Sequence>, DeliveryError> {
        let build = |host: &Url, credentials: Credentials<'_>| {
            messaging::publish_request(host, credentials, request_id, place, event, metadata)
        };
        self.sending(caller, consumer, build, messaging::send_answer).await
    }

    /// Tells the agent more about the consumer.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn set_profile(
        &self,
        caller: Caller<'_>,
        consumer: &ConsumerToken,
        request_id: &str,
        profile: &UserProfile,
    ) -> Result<(), DeliveryError> {
        let build = |host: &Url, credentials: Credentials<'_>| {
            messaging::profile_request(host, credentials, request_id, profile)
        };
        self.sending(caller, consumer, build, messaging::send_answer).await.map(drop)
    }

    /// Ends a conversation, or its main dialog so that a survey may follow.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn close(
        &self,
        caller: Caller<'_>,
        consumer: &ConsumerToken,
        request_id: &str,
        conversation: &ConversationId,
        close: Close<'_>,
    ) -> Result<(), DeliveryError> {
        let build = |host: &Url, credentials: Credentials<'_>| {
            messaging::close_request(host, credentials, request_id, conversation, close)
        };
        self.sending(caller, consumer, build, messaging::send_answer).await.map(drop)
    }

    /// Tells how content the consumer was with a conversation.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn rate(
        &self,
        caller: Caller<'_>,
        consumer: &ConsumerToken,
        request_id: &str,
        conversation: &ConversationId,
        satisfaction: &CustomerSatisfaction,
    ) -> Result<(), DeliveryError> {
        let build = |host: &Url, credentials: Credentials<'_>| {
            messaging::satisfaction_request(host, credentials, request_id, conversation, satisfaction)
        };
        self.sending(caller, consumer, build, messaging::send_answer).await.map(drop)
    }

    /// Brings a file into LivePerson's storage, streamed: one call for the address, one for the bytes. Nobody sees it there before
    /// a message names it, so doing it twice does no harm.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn upload(
        &self,
        caller: Caller<'_>,
        consumer: &ConsumerToken,
        request_id: &str,
        file_type: &FileType,
        file: StreamedFile,
    ) -> Result<RelativePath, DeliveryError> {
        let swift = self.hosts(caller.keeper()).await?.url(Service::Files)?.clone();
        let size = file.size;
        let build = |host: &Url, credentials: Credentials<'_>| {
            files::upload_url_request(host, credentials, request_id, size, file_type)
        };
        let address = self.sending(caller, consumer, build, |reply| files::temporary_url_answer(reply, &swift)).await?;
        let call = files::upload_call(&address);
        let guarded = caller.guarded(call.name);
        self.breakers.admit(guarded)?;
        let reply = self.http.upload(call, file, FileEnvelope::default()).await;
        self.breakers.note(guarded, ended(&reply));
        files::uploaded(&reply.map_err(|failure| DeliveryError::Http { call: guarded.call, failure })?)?;
        Ok(address.relative_path)
    }

    /// Opens a file of LivePerson's storage: one call for the address, one for the bytes.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn download(
        &self,
        caller: Caller<'_>,
        consumer: &ConsumerToken,
        request_id: &str,
        path: &RelativePath,
    ) -> Result<Download, DeliveryError> {
        let swift = self.hosts(caller.keeper()).await?.url(Service::Files)?.clone();
        let build =
            |host: &Url, credentials: Credentials<'_>| files::download_url_request(host, credentials, request_id, path);
        let address = self.sending(caller, consumer, build, |reply| files::temporary_url_answer(reply, &swift)).await?;
        let call = files::download_call(&address);
        let guarded = caller.guarded(call.name);
        self.breakers.admit(guarded)?;
        let download = self.http.download(call).await;
        self.breakers.note(guarded, ended(&download.as_ref().map(Download::reply).map_err(|failure| *failure)));
        let download = download.map_err(|failure| DeliveryError::Http { call: guarded.call, failure })?;
        files::downloaded(&download.reply())?;
        Ok(download)
    }

    /// A call of the Send API.
    async fn sending<T>(
        &self,
        caller: Caller<'_>,
        consumer: &ConsumerToken,
        build: impl Fn(&Url, Credentials<'_>) -> Result<HttpCall, LiveEngageError> + Send + Sync,
        read: impl Fn(&HttpReply) -> Result<T, LiveEngageError> + Send + Sync,
    ) -> Result<T, DeliveryError> {
        let Caller { account, client_properties, .. } = caller;
        let build =
            |host: &Url, app_jwt: &AppJwt| build(host, Credentials { account, app_jwt, consumer, client_properties });
        self.authorised(caller, Service::Messaging, build, read).await
    }

    /// Renews the account's AppJWT if it will be due before `horizon` from now.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn keep_token_fresh(&self, caller: Keeper<'_>, horizon: SignedDuration) -> Result<AppJwt, DeliveryError> {
        let hosts = self.hosts(caller).await?;
        let sentinel = hosts.url(Service::Sentinel)?;
        self.app_jwts.keep_fresh(caller.account, sentinel, caller.owner, caller.now, horizon).await
    }

    /// By how much LivePerson's clock is behind ours at the least.
    pub async fn clock_behind(&self, account: &AccountId) -> SignedDuration {
        self.app_jwts.clock_behind(account).await
    }

    /// The AppJWT that everybody uses, whether it is good or not.
    ///
    /// # Errors
    /// [`DeliveryError::Store`].
    pub async fn token_in_use(&self, account: &AccountId) -> Result<Option<AppJwt>, DeliveryError> {
        self.app_jwts.stored(account).await
    }

    /// Makes a call with the AppJWT, and once more with a new one if LiveEngage refuses it. When it refuses that one, too, it refuses
    /// everybody: nobody else has to find that out, and no more tokens are bought for it.
    async fn authorised<T>(
        &self,
        caller: Caller<'_>,
        service: Service,
        build: impl Fn(&Url, &AppJwt) -> Result<HttpCall, LiveEngageError> + Send + Sync,
        read: impl Fn(&HttpReply) -> Result<T, LiveEngageError> + Send + Sync,
    ) -> Result<T, DeliveryError> {
        let Caller { account, owner, now, .. } = caller;
        let hosts = self.hosts(caller.keeper()).await?;
        let (host, sentinel) = (hosts.url(service)?, hosts.url(Service::Sentinel)?);
        let app_jwt = self.app_jwts.get(account, sentinel, owner, now).await?;
        let call = build(host, &app_jwt)?;
        let guarded = caller.guarded(call.name);
        self.breakers.admit(guarded)?;
        match self.answered(guarded, call, &read).await? {
            Err(refused @ LiveEngageError::AppJwtRefused { .. }) => {
                let Some(newer) = self.app_jwts.replace(account, sentinel, &app_jwt, owner, now).await? else {
                    self.breakers.note(guarded, Ended::Failed);
                    return Err(refused.into());
                };
                let again = self.answered(guarded, build(host, &newer)?, &read).await?;
                match &again {
                    Err(LiveEngageError::AppJwtRefused { .. }) => {
                        tracing::warn!(%account, what = guarded.call, count = 1, "LiveEngage also refuses the replacement AppJWT");
                        self.breakers.trip(guarded);
                    }
                    _ => self.app_jwts.was_of_use(account, &newer),
                }
                Ok(again?)
            }
            other => {
                self.app_jwts.was_of_use(account, &app_jwt);
                Ok(other?)
            }
        }
    }

    /// Makes a call and reads its answer. That the AppJWT is refused tells nothing yet.
    async fn answered<T>(
        &self,
        guarded: Guarded<'_, AccountId>,
        call: HttpCall,
        read: impl Fn(&HttpReply) -> Result<T, LiveEngageError> + Send + Sync,
    ) -> Result<Result<T, LiveEngageError>, DeliveryError> {
        let result = self.http.call(call).await;
        if !matches!(&result, Ok(reply) if reply.status != http::StatusCode::NOT_FOUND) {
            // A host that can't be reached or knows no such path may have moved: the next attempt asks for the hosts again,
            // and keeps these should the Domain API be down too.
            if let Some((read_at, _)) = self.lock().get_mut(guarded.key) {
                *read_at = Timestamp::MIN;
            }
        }
        let answer = result.as_ref().map(&read);
        if !matches!(answer, Ok(Err(LiveEngageError::AppJwtRefused { .. }))) {
            self.breakers.note(guarded, ended(&result));
        }
        answer.map_err(|failure: &HttpFailure| DeliveryError::Http { call: guarded.call, failure: *failure })
    }

    async fn hosts(&self, caller: Keeper<'_>) -> Result<Arc<Directory>, DeliveryError> {
        let Keeper { account, now, .. } = caller;
        let known = self.lock().get(account).cloned();
        if let Some((read_at, hosts)) = &known
            && now.duration_since(*read_at) < HOSTS_FRESH_FOR
        {
            return Ok(Arc::clone(hosts));
        }
        match (self.ask_hosts(account, now).await, known) {
            (Ok(hosts), _) => {
                let hosts = Arc::new(hosts);
                self.lock().insert(account.clone(), (now, Arc::clone(&hosts)));
                Ok(hosts)
            }
            (Err(error), Some((_, stale))) => {
                tracing::warn!(%account, %error, "the Domain API can't be asked; the last list of hosts stays in use");
                let read_at = now.checked_sub(HOSTS_FRESH_FOR - HOSTS_STALE_FOR).unwrap_or(now);
                self.lock().insert(account.clone(), (read_at, Arc::clone(&stale)));
                Ok(stale)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn ask_hosts(&self, account: &AccountId, now: Timestamp) -> Result<Directory, DeliveryError> {
        let settings = self
            .accounts
            .get(account, now)
            .await
            .ok_or_else(|| DeliveryError::UnknownAccount { account: account.clone() })?;
        let call = domain_api::request(&settings.current.domain_api, account);
        let guarded = Guarded { key: account, call: call.name, who: None, now };
        self.breakers.admit(guarded)?;
        let reply = self.http.call(call).await;
        self.breakers.note(guarded, ended(&reply));
        let reply = reply.map_err(|failure| DeliveryError::Http { call: guarded.call, failure })?;
        Ok(domain_api::answer(&reply)?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AccountId, (Timestamp, Arc<Directory>)>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
