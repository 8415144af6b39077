//! The handle of a running simulator.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};

use super::endpoint;
use super::fault::{CallCounts, Faults, ScriptedAnswer, Service};
use super::files::{Files, StoredFile};
use super::options::{Features, LiveEngageOptions, StartError, WebhookSettings};
use super::survey::SurveyOptions;
use super::tokens::Tokens;
use super::webhooks::{DeliveredWebhook, UnknownDelivery, Webhooks};
use super::world::{State, World};

/// A running simulator. Clones are cheap and share it; with the last one dropped, its server and its deliveries stop.
#[derive(Debug, Clone)]
pub struct LiveEngageSimulator {
    running: Arc<Running>,
}

#[derive(Debug)]
struct Running {
    world: Arc<World>,
    /// Its end closes the channel that all tasks watch.
    _alive: watch::Sender<()>,
}

impl LiveEngageSimulator {
    /// Starts a simulator on loopback, within the current tokio runtime.
    ///
    /// # Errors
    /// The port cannot be opened, an account is given twice, or the cryptography or TLS libraries fail.
    pub async fn start(options: LiveEngageOptions) -> Result<Self, StartError> {
        let mut accounts = HashMap::new();
        for account in options.accounts {
            let id = account.account_id.clone();
            if accounts.insert(id.clone(), account).is_some() {
                return Err(StartError::AccountTwice(id));
            }
        }
        let port = options.port;
        let listen_error = |cause| StartError::Listen { port, cause };
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;

        let (alive, end) = watch::channel(());
        let (journal, timeout) = (options.journal.clone(), options.webhook_timeout);
        let webhooks = Webhooks::new(&accounts, options.forms, journal, timeout, end.clone())?;
        let features = accounts.iter().map(|(id, account)| (id.clone(), Features::from(account))).collect();
        let tokens = Tokens::new(options.app_token_lifetime)?;
        let world = Arc::new_cyclic(|itself| World {
            base_url: format!("http://{address}"),
            accounts,
            tokens,
            webhooks: Arc::new(webhooks),
            webhooks_before_response: options.webhooks_before_response,
            journal: options.journal,
            calls: Mutex::new(CallCounts::default()),
            faults: Mutex::new(Faults::default()),
            desk_changes: broadcast::channel(1024).0,
            files: Mutex::new(Files::new(options.file_url_lifetime)),
            state: Mutex::new(State { features, ..State::default() }),
            first_send_within: options.first_send_within,
            end: end.clone(),
            itself: itself.clone(),
            runtime: tokio::runtime::Handle::current(),
        });
        let router = endpoint::router(Arc::clone(&world));
        tokio::spawn(async move {
            let mut end = end;
            let ended = async move { while end.changed().await.is_ok() {} };
            // Serving ends with the simulator and does not fail before: axum accepts again after every error.
            let _ = axum::serve(listener, router).with_graceful_shutdown(ended).await;
        });
        Ok(Self { running: Arc::new(Running { world, _alive: alive }) })
    }

    pub(super) fn world(&self) -> &World {
        &self.running.world
    }

    /// Where all its services are, for example `http://127.0.0.1:49152`: the base of the Domain API.
    pub fn base_url(&self) -> &str {
        &self.world().base_url
    }

    /// Sets where the webhooks of an account go, from the next try of each notification on. An account that the simulator
    /// does not play has no webhooks, so setting them does nothing.
    pub fn set_webhooks(&self, account_id: &str, settings: WebhookSettings) {
        self.world().webhooks.set(account_id, settings);
    }

    /// Signs every webhook of an account with another client secret from its next try on.
    pub fn set_client_secret(&self, account_id: &str, secret: SecretString) {
        self.world().webhooks.set_client_secret(account_id, secret);
    }

    /// Sentinel takes these client secrets of an account from now on, and no other.
    pub fn set_client_secrets_at_sentinel(&self, account_id: &str, secrets: Vec<SecretString>) {
        self.world().state().client_secrets.insert(account_id.to_owned(), secrets);
    }

    /// The notifications that were delivered so far, in order.
    pub fn delivered_webhooks(&self) -> Vec<DeliveredWebhook> {
        self.world().webhooks.delivered()
    }

    /// Delivers a delivered notification once more, byte for byte, behind what its conversation has waiting.
    ///
    /// # Errors
    /// No notification with this number has been delivered.
    pub fn redeliver(&self, number: usize) -> Result<(), UnknownDelivery> {
        self.world().webhooks.again(number)
    }

    /// Waits until no notification is queued or under way: each is delivered or dropped.
    pub async fn webhooks_settled(&self) {
        // The sender lives as long as this handle, so there is always an answer.
        let _ = self.world().webhooks.pending().wait_for(|pending| *pending == 0).await;
    }

    /// Answers the next call to a service like this instead of serving it. Several wait in line.
    pub fn fail_next(&self, service: Service, status: StatusCode, body: &str) {
        let answer = ScriptedAnswer { status, body: body.to_owned() };
        self.world().faults.lock().unwrap_or_else(PoisonError::into_inner).add(service, answer);
    }

    /// Makes all AppJWTs issued so far invalid.
    pub fn expire_tokens(&self) {
        self.world().tokens.expire_app_tokens();
    }

    /// How often each service was called so far.
    pub fn calls(&self) -> CallCounts {
        self.world().calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A file of the storage, as the storage has it: what a connector uploaded, or what the desk sent. `None` if there is
    /// nothing at this path, or nothing yet.
    pub fn stored_file(&self, relative_path: &str) -> Option<StoredFile> {
        self.world().files().stored(relative_path)
    }

    /// Sets the survey that follows conversations which open from now on. An account that the simulator does not play has
    /// none.
    pub fn set_survey(&self, account_id: &str, survey: Option<SurveyOptions>) {
        self.set_feature(account_id, |features| features.survey = survey.map(Arc::new));
    }

    /// Sets whether the conversations of an account can be rated by `CSATRate`.
    pub fn set_legacy_csat(&self, account_id: &str, on: bool) {
        self.set_feature(account_id, |features| features.legacy_csat = on);
    }

    /// Sets whether documents can be sent besides images.
    pub fn set_file_sharing(&self, account_id: &str, on: bool) {
        self.set_feature(account_id, |features| features.file_sharing = on);
    }

    /// Sets what the controller bot says in conversations which open from now on.
    pub fn set_auto_messages(&self, account_id: &str, text: Option<&str>) {
        self.set_feature(account_id, |features| features.auto_messages = text.map(str::to_owned));
    }

    fn set_feature(&self, account_id: &str, set: impl FnOnce(&mut Features)) {
        self.world().state().features.get_mut(account_id).map(set);
    }
}
