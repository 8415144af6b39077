//! The LiveEngage client: hosts, tokens and calls of one process, for all accounts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{error::DeliveryError, registry::Accounts, tokens::AppJwts};
use crate::{
    domain::{
        conversation::{ConsumerToken, Identity},
        http::{HttpCall, HttpReply},
        id::{AccountId, ConversationId, ExtConsumerId, Owner, Sequence},
    },
    liveengage::{
        LiveEngageError,
        domain_api::{self, Directory, Service},
        idp,
        messaging::{self, Credentials, Event, Place, Routing},
        sentinel::AppJwt,
    },
    port::{Http, Tokens},
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
    /// Now.
    pub now: Timestamp,
}

impl LiveEngage {
    /// A client that knows no host and no token yet.
    pub fn new(accounts: Arc<Accounts>, tokens: Arc<dyn Tokens>, http: Arc<dyn Http>) -> Self {
        let app_jwts = AppJwts::new(Arc::clone(&accounts), tokens, Arc::clone(&http));
        Self { accounts, http, app_jwts, hosts: Mutex::default() }
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
    ) -> Result<ConversationId, DeliveryError> {
        self.authorised(
            caller,
            Service::Messaging,
            |host, app_jwt| {
                messaging::open_request(
                    host,
                    Credentials { account: caller.account, app_jwt, consumer },
                    request_id,
                    routing,
                )
            },
            messaging::open_answer,
        )
        .await
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
        self.authorised(
            caller,
            Service::Messaging,
            |host, app_jwt| {
                let credentials = Credentials { account: caller.account, app_jwt, consumer };
                messaging::publish_request(host, credentials, request_id, place, event, metadata)
            },
            messaging::send_answer,
        )
        .await
    }

    /// Renews the account's AppJWT if it will be due before `horizon` from now.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub async fn keep_token_fresh(&self, caller: Caller<'_>, horizon: SignedDuration) -> Result<AppJwt, DeliveryError> {
        let hosts = self.hosts(caller).await?;
        let sentinel = hosts.url(Service::Sentinel)?;
        self.app_jwts.keep_fresh(caller.account, sentinel, caller.owner, caller.now, horizon).await
    }

    /// Makes a call with the AppJWT, and once more with a new one if LiveEngage refuses it.
    async fn authorised<T>(
        &self,
        caller: Caller<'_>,
        service: Service,
        build: impl Fn(&url::Url, &AppJwt) -> Result<HttpCall, LiveEngageError> + Send + Sync,
        read: impl Fn(&HttpReply) -> Result<T, LiveEngageError> + Send + Sync,
    ) -> Result<T, DeliveryError> {
        let Caller { account, owner, now } = caller;
        let hosts = self.hosts(caller).await?;
        let (host, sentinel) = (hosts.url(service)?, hosts.url(Service::Sentinel)?);
        let app_jwt = self.app_jwts.get(account, sentinel, owner, now).await?;
        let first = read(&self.call(caller, build(host, &app_jwt)?).await?);
        match first {
            Err(LiveEngageError::AppJwtRefused { .. }) => {
                let app_jwt = self.app_jwts.replace(account, sentinel, &app_jwt, owner, now).await?;
                Ok(read(&self.call(caller, build(host, &app_jwt)?).await?)?)
            }
            other => Ok(other?),
        }
    }

    async fn call(&self, caller: Caller<'_>, call: HttpCall) -> Result<HttpReply, DeliveryError> {
        let name = call.name;
        let result = self.http.call(call).await;
        if !matches!(&result, Ok(reply) if reply.status != http::StatusCode::NOT_FOUND) {
            // A host that can't be reached or knows no such path may have moved: the next attempt asks for the hosts again,
            // and keeps these should the Domain API be down too.
            if let Some((read_at, _)) = self.lock().get_mut(caller.account) {
                *read_at = Timestamp::MIN;
            }
        }
        result.map_err(|failure| DeliveryError::Http { call: name, failure })
    }

    async fn hosts(&self, caller: Caller<'_>) -> Result<Arc<Directory>, DeliveryError> {
        let Caller { account, now, .. } = caller;
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
        let name = call.name;
        let reply = self.http.call(call).await.map_err(|failure| DeliveryError::Http { call: name, failure })?;
        Ok(domain_api::answer(&reply)?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AccountId, (Timestamp, Arc<Directory>)>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
