//! The handle of a running simulator.

use std::collections::HashMap;
use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::sync::{broadcast, watch};

use super::backend::{Backend, State};
use super::configuration::Installations;
use super::fault::{CallCounts, Faults, ScriptedAnswer, Service};
use super::features::Features;
use super::files::{Files, StoredFile};
use super::messaging_window::Sockets;
use super::monitoring::EngagementOptions;
use super::options::{AccountOptions, LiveEngageOptions};
use super::servers::{Ports, TlsAddress};
use super::start_error::StartError;
use super::survey::SurveyOptions;
use super::tokens::Tokens;
use super::webhooks::{AppInstall, DeliveredWebhook, UnknownDelivery, WebhookSettings, Webhooks};

/// A running simulator. Clones are cheap and share it. When the last one is dropped, its server and its deliveries
/// stop.
#[derive(Debug, Clone)]
pub struct LiveEngageSimulator {
    running: Arc<Running>,
}

#[derive(Debug)]
struct Running {
    backend: Arc<Backend>,
    tls: Option<TlsAddress>,
    /// Dropping it closes the channel that all tasks watch.
    _alive: watch::Sender<()>,
}

impl LiveEngageSimulator {
    /// Starts a simulator on loopback, within the current tokio runtime.
    ///
    /// # Errors
    /// The port can't be opened, an account is given twice, or the cryptography or TLS libraries fail.
    pub async fn start(options: LiveEngageOptions) -> Result<Self, StartError> {
        let mut accounts = HashMap::new();
        for account in options.accounts {
            let id = account.account_id.clone();
            if accounts.insert(id.clone(), account).is_some() {
                return Err(StartError::AccountTwice(id));
            }
        }
        let ports = Ports::open(options.port, options.tls_port).await?;
        let tls = ports.tls_address.clone();

        let (alive, end) = watch::channel(());
        let (journal, timeout) = (options.journal.clone(), options.webhook_timeout);
        let webhooks = Webhooks::new(accounts.values().map(app_install), options.forms, journal, timeout, end.clone())?;
        let features = accounts.iter().map(|(id, account)| (id.clone(), Features::from(account))).collect();
        let installations = accounts.iter().map(|(id, account)| (id.clone(), Installations::of(account))).collect();
        let tokens = Tokens::new(options.app_token_lifetime)?;
        let backend = Arc::new_cyclic(|itself| Backend {
            base_url: ports.plain_at.url(),
            accounts,
            tokens,
            webhooks: Arc::new(webhooks),
            sockets: Sockets::default(),
            anonymous_token_lifetime: options.anonymous_token_lifetime,
            webhooks_before_response: options.webhooks_before_response,
            journal: options.journal,
            calls: Mutex::new(CallCounts::default()),
            faults: Mutex::new(Faults::default()),
            desk_changes: broadcast::channel(1024).0,
            files: Mutex::new(Files::new(options.file_url_lifetime)),
            state: Mutex::new(State { features, installations, ..State::default() }),
            first_send_within: options.first_send_within,
            end,
            itself: itself.clone(),
            runtime: tokio::runtime::Handle::current(),
        });
        ports.serve(&backend);
        Ok(Self { running: Arc::new(Running { backend, tls, _alive: alive }) })
    }

    pub(super) fn backend(&self) -> &Backend {
        &self.running.backend
    }

    /// The base address of all services, for example `http://127.0.0.1:49152`. It is the address of the Domain API.
    pub fn base_url(&self) -> &str {
        &self.backend().base_url
    }

    /// The address of the same services over TLS; `None` without [`LiveEngageOptions::tls_port`].
    ///
    /// A Domain API that is called there answers
    /// with bare hosts, as LivePerson's.
    pub fn tls(&self) -> Option<&TlsAddress> {
        self.running.tls.as_ref()
    }

    /// Sets the webhook settings of an account, starting with the next attempt of each notification. Does nothing for
    /// an unknown account.
    pub fn set_webhooks(&self, account_id: &str, settings: WebhookSettings) {
        self.backend().webhooks.set(account_id, settings);
    }

    /// Signs every webhook of an account with another client secret, starting with its next attempt.
    pub fn set_client_secret(&self, account_id: &str, secret: SecretString) {
        self.backend().webhooks.set_client_secret(account_id, secret);
    }

    /// Makes Sentinel accept only these client secrets of an account from now on.
    pub fn set_client_secrets_at_sentinel(&self, account_id: &str, secrets: Vec<SecretString>) {
        self.backend().state().client_secrets.insert(account_id.to_owned(), secrets);
    }

    /// The delivered notifications that are kept, in order: the newest 10,000 of at most 16 MiB.
    pub fn delivered_webhooks(&self) -> Vec<DeliveredWebhook> {
        self.backend().webhooks.delivered()
    }

    /// Sends a delivered notification again, byte for byte, behind the waiting ones of its conversation.
    ///
    /// # Errors
    /// No notification with this number has been delivered, or it is not kept any more.
    pub fn redeliver(&self, number: usize) -> Result<(), UnknownDelivery> {
        self.backend().webhooks.redeliver(number)
    }

    /// Whether a notification is queued or in transit.
    pub fn has_pending_webhooks(&self) -> bool {
        *self.backend().webhooks.pending().borrow() > 0
    }

    /// Waits until no notification is queued or in transit: each is delivered or dropped.
    pub async fn webhooks_settled(&self) {
        // This handle holds the sender, so there is always a value.
        let _ = self.backend().webhooks.pending().wait_for(|pending| *pending == 0).await;
    }

    /// Answers the next call to a service like this. Several queue up.
    pub fn fail_next(&self, service: Service, status: StatusCode, body: &str) {
        let answer = ScriptedAnswer { status, body: body.to_owned() };
        self.backend().faults.lock().add(service, answer);
    }

    /// Makes all AppJWTs issued so far invalid.
    pub fn expire_tokens(&self) {
        self.backend().tokens.expire_app_tokens();
    }

    /// Makes all tokens of the Messaging Window API's consumers invalid, and closes their websockets: with 4407 if the
    /// identity is anonymous, and otherwise with 4401.
    pub fn expire_window_tokens(&self) {
        self.backend().tokens.expire_window_tokens();
        self.backend().sockets.expire_all();
    }

    /// Breaks the connection of all consumers' websockets, without a close frame.
    pub fn break_web_sockets(&self) {
        self.backend().sockets.break_all();
    }

    /// How often each service was called.
    pub fn calls(&self) -> CallCounts {
        self.backend().calls.lock().clone()
    }

    /// A stored file, uploaded by a connector or sent from the desk; `None` if there is none at this path.
    pub fn stored_file(&self, relative_path: &str) -> Option<StoredFile> {
        self.backend().files().stored(relative_path)
    }

    /// Sets the survey for new conversations. Does nothing for an unknown account.
    pub fn set_survey(&self, account_id: &str, survey: Option<SurveyOptions>) {
        self.set_feature(account_id, |features| features.survey = survey.map(Arc::new));
    }

    /// Sets whether the conversations of an account can be rated by `CSATRate`.
    pub fn set_legacy_csat(&self, account_id: &str, on: bool) {
        self.set_feature(account_id, |features| features.legacy_csat = on);
    }

    /// Sets whether documents can be sent in addition to images.
    pub fn set_file_sharing(&self, account_id: &str, on: bool) {
        self.set_feature(account_id, |features| features.file_sharing = on);
    }

    /// Sets the controller bot's message for new conversations.
    pub fn set_auto_messages(&self, account_id: &str, text: Option<&str>) {
        self.set_feature(account_id, |features| features.auto_messages = text.map(str::to_owned));
    }

    /// Sets the engagement that the Monitoring API offers to every consumer of an account. `None` for no campaign.
    pub fn set_engagement(&self, account_id: &str, engagement: Option<EngagementOptions>) {
        self.set_feature(account_id, |features| features.engagement = engagement);
    }

    fn set_feature(&self, account_id: &str, set: impl FnOnce(&mut Features)) {
        self.backend().state().features.get_mut(account_id).map(set);
    }
}

/// The properties of an account that its webhooks need.
fn app_install(account: &AccountOptions) -> AppInstall {
    AppInstall {
        account_id: account.account_id.clone(),
        client_id: account.client_id.clone(),
        client_secret: account.client_secret.clone(),
        signature: account.signature,
        settings: account.webhooks.clone(),
    }
}
