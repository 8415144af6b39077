//! The calls that the crate of LiveEngage's APIs builds, answered by the lab's simulator, over HTTP.

mod agent_profile;
mod app_install;
mod history;
mod login;
mod monitoring;
mod services;
mod window_identity;

use connector::port::Http;
use connector_aws::outgoing_http::{self, ReqwestHttp};
use connector_lab::liveengage::{AccountOptions, LiveEngageOptions, LiveEngageSimulator, UserOptions, UserProof};
use connector_liveengage::{
    client_properties::ClientProperties,
    domain_api::{self, Directory, Service},
    id::{AccountId, AppInstallId, ConversationId, ExtConsumerId},
    identity::Identity,
    idp,
    messaging::{self, Close, Credentials, DialogRef, Event, Routing, UserProfile},
    sentinel::{self, AppJwt},
};
use connector_message::http::{HttpCall, HttpReply};
use http::HeaderMap;
use jiff::Timestamp;
use secrecy::SecretString;
use url::Url;

const ACCOUNT: &str = "72419083";
const CLIENT_ID: &str = "0f6c2a9e-1d3b-4c55-9a77-b0d1e2f3a4b5";
const SECRET: &str = "the-client-secret";
const PASSWORD: &str = "the-password";

/// A simulator, and what a client knows about it.
struct Client {
    simulator: LiveEngageSimulator,
    http: ReqwestHttp,
    account: AccountId,
    services: Directory,
}

impl Client {
    async fn new() -> Self {
        let user = |name: &str, proof, administrator| UserOptions { name: name.to_owned(), proof, administrator };
        let users = vec![
            user("ada", UserProof::Password(PASSWORD.into()), true),
            user("ben", UserProof::Password(PASSWORD.into()), false),
            user("install-bot", UserProof::AppInstall, true),
        ];
        let accounts = vec![AccountOptions { users, ..AccountOptions::new(ACCOUNT, CLIENT_ID, SECRET) }];
        let simulator = LiveEngageSimulator::start(LiveEngageOptions { accounts, ..Default::default() }).await.unwrap();
        let http = ReqwestHttp::new(outgoing_http::client().unwrap());
        let account = AccountId::new(ACCOUNT).unwrap();
        let call = domain_api::request(&simulator.base_url().parse().unwrap(), &account);
        let services = domain_api::answer(&http.call(call).await.unwrap()).unwrap();
        Self { simulator, http, account, services }
    }

    fn host(&self, service: Service) -> &Url {
        self.services.url(service).unwrap()
    }

    async fn call(&self, call: HttpCall) -> HttpReply {
        self.http.call(call).await.unwrap()
    }

    /// Makes a call whose reply has headers that matter: a revision, or a cookie.
    async fn call_for_headers(&self, call: HttpCall) -> (HttpReply, HeaderMap) {
        self.http.call_for_headers(call).await.unwrap()
    }

    async fn app_jwt(&self) -> AppJwt {
        let client_id = AppInstallId::new(CLIENT_ID).unwrap();
        let host = self.host(Service::Sentinel);
        let call = sentinel::request(host, &self.account, &client_id, &SecretString::from(SECRET));
        sentinel::answer(&self.call(call).await, Timestamp::UNIX_EPOCH).unwrap()
    }

    async fn consumer(&self, id: &str) -> Consumer<'_> {
        let app_jwt = self.app_jwt().await;
        let id = ExtConsumerId::new(id).unwrap();
        let call = idp::request(self.host(Service::Idp), &self.account, &app_jwt, &id).unwrap();
        let identity = idp::answer(&self.call(call).await, &id).unwrap();
        Consumer { client: self, app_jwt, identity, properties: ClientProperties::new(&[]) }
    }
}

/// A consumer whom the connector speaks for.
struct Consumer<'a> {
    client: &'a Client,
    app_jwt: AppJwt,
    identity: Identity,
    properties: ClientProperties,
}

impl Consumer<'_> {
    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            account: &self.client.account,
            app_jwt: &self.app_jwt,
            consumer: &self.identity.token,
            client_properties: &self.properties,
        }
    }

    async fn open(&self) -> ConversationId {
        self.open_with(&Routing::default()).await
    }

    async fn open_with(&self, routing: &Routing) -> ConversationId {
        let (host, profile) = (self.client.host(Service::Messaging), UserProfile::default());
        let call = messaging::open_request(host, self.credentials(), "open", routing, &profile).unwrap();
        messaging::open_answer(&self.client.call(call).await).unwrap()
    }

    async fn say(&self, conversation: &ConversationId, text: &str) {
        let (host, dialog) = (self.client.host(Service::Messaging), DialogRef::main_of(conversation));
        let call = messaging::publish_request(host, self.credentials(), "say", &dialog, Event::Text(text).into());
        let call = call.unwrap();
        messaging::send_answer(&self.client.call(call).await).unwrap();
    }

    async fn close(&self, conversation: &ConversationId) {
        let host = self.client.host(Service::Messaging);
        let call = messaging::close_request(host, self.credentials(), "close", conversation, Close::Conversation);
        messaging::send_answer(&self.client.call(call.unwrap()).await).unwrap();
    }
}
