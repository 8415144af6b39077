//! Delivers the webhooks: in order within a conversation, independently between conversations, and none while the app
//! install has failed.

mod chaos;
mod delivery;
mod install;
mod latency;
mod manifest;
mod post;
mod retry;
mod settings;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use secrecy::SecretString;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

pub use chaos::WebhookChaos;
pub(super) use delivery::FirstAttempt;
use delivery::{Payload, PendingGuard, WebhookDelivery};
use install::Install;
pub use install::InstallState;
pub use latency::SlowRule;
pub use manifest::ManifestError;
pub(super) use post::webhook_client;
pub use settings::WebhookSettings;

use super::forms::Forms;
use super::notification::PendingNotification;
use super::signature::SignatureForm;
use super::start_error::StartError;
use super::terms::WebhookEvent;
use crate::bounded_log::{BoundedLog, LogLimits};
use crate::journal::Journal;

/// A notification that an endpoint has answered with 200 or 201.
#[derive(Debug, Clone)]
pub struct DeliveredWebhook {
    /// The position in the order of delivery, from 0.
    pub number: usize,
    /// The account it belongs to.
    pub account_id: String,
    /// The conversation it belongs to.
    pub conversation_id: String,
    /// The event key whose endpoint received it.
    pub event: WebhookEvent,
    /// The body, exactly as signed and sent.
    pub body: Bytes,
}

/// How many delivered notifications are kept, to be delivered again, and their size.
const KEPT: LogLimits = LogLimits { items: 10_000, bytes: 16 * 1024 * 1024 };

/// No notification with this number has been delivered, or it is not kept any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no webhook number {0} has been delivered, or it is not kept any more")]
pub struct UnknownDelivery(pub usize);

/// The properties of an app install that its webhooks need.
#[derive(Debug)]
pub(super) struct AppInstall {
    pub(super) account_id: String,
    pub(super) client_id: String,
    /// The initial key of the signature.
    pub(super) client_secret: SecretString,
    pub(super) signature: SignatureForm,
    pub(super) settings: WebhookSettings,
}

/// The sender of an app install's webhooks.
#[derive(Debug)]
struct Sender {
    account_id: String,
    client_id: String,
}

/// How the webhooks are signed. Both can be changed while the simulator runs.
#[derive(Debug, Clone)]
struct Signing {
    client_secret: SecretString,
    form: SignatureForm,
}

/// An app install and its webhooks.
#[derive(Debug)]
struct App {
    sender: Sender,
    signing: Mutex<Signing>,
    install: Mutex<Install>,
}

impl App {
    fn signing(&self) -> Signing {
        self.signing.lock().clone()
    }

    fn install(&self) -> MutexGuard<'_, Install> {
        self.install.lock()
    }
}

/// The journal names the keys that nothing is sent for.
fn record_unknown_keys(journal: &Journal, account_id: &str, settings: &WebhookSettings) {
    if !settings.unknown_keys.is_empty() {
        let keys = settings.unknown_keys.join(", ");
        let what = format!("app install of {account_id}: not sent, because the keys are unknown: {keys}");
        journal.record("liveengage", "liveengage", what, None);
    }
}

/// The webhooks of all accounts.
#[derive(Debug)]
pub(super) struct Webhooks {
    client: reqwest::Client,
    journal: Journal,
    apps: HashMap<String, Arc<App>>,
    forms: Mutex<Forms>,
    delivered: Mutex<BoundedLog<DeliveredWebhook>>,
    /// The number of notifications that are queued or in transit.
    pending: Arc<watch::Sender<usize>>,
    /// Closed when the simulator ends.
    end: watch::Receiver<()>,
    runtime: tokio::runtime::Handle,
}

impl Webhooks {
    pub(super) fn new(
        installs: impl Iterator<Item = AppInstall>,
        forms: Forms,
        journal: Journal,
        timeout: Duration,
        end: watch::Receiver<()>,
    ) -> Result<Self, StartError> {
        let app = |AppInstall { account_id, client_id, client_secret, signature, settings }: AppInstall| {
            record_unknown_keys(&journal, &account_id, &settings);
            let install = Mutex::new(Install::new(&account_id, settings, journal.clone()));
            let sender = Sender { account_id: account_id.clone(), client_id };
            let signing = Mutex::new(Signing { client_secret, form: signature });
            (account_id, Arc::new(App { sender, signing, install }))
        };
        Ok(Self {
            client: webhook_client(timeout).map_err(StartError::WebhookClient)?,
            apps: installs.map(app).collect(),
            journal,
            forms: Mutex::new(forms),
            delivered: Mutex::new(BoundedLog::new(KEPT)),
            pending: Arc::default(),
            end,
            runtime: tokio::runtime::Handle::current(),
        })
    }

    pub(super) fn set(&self, account_id: &str, settings: WebhookSettings) {
        if let Some(app) = self.apps.get(account_id) {
            app.install().settings = settings;
        }
    }

    /// Sets what the manifest of an account's app install sets. The journal names its unknown keys.
    pub(super) fn set_manifest(&self, account_id: &str, manifest: WebhookSettings) {
        if let Some(app) = self.apps.get(account_id) {
            record_unknown_keys(&self.journal, account_id, &manifest);
            let mut install = app.install();
            install.settings = std::mem::take(&mut install.settings).with_manifest(manifest);
        }
    }

    pub(super) fn set_client_secret(&self, account_id: &str, secret: SecretString) {
        if let Some(app) = self.apps.get(account_id) {
            app.signing.lock().client_secret = secret;
        }
    }

    pub(super) fn set_signature(&self, account_id: &str, form: SignatureForm) {
        if let Some(app) = self.apps.get(account_id) {
            app.signing.lock().form = form;
        }
    }

    /// How an account's webhooks are signed; `None` for an unknown account.
    pub(super) fn signature(&self, account_id: &str) -> Option<SignatureForm> {
        self.apps.get(account_id).map(|app| app.signing.lock().form)
    }

    /// The settings of an account's app install; `None` for an unknown account.
    pub(super) fn settings(&self, account_id: &str) -> Option<WebhookSettings> {
        self.apps.get(account_id).map(|app| app.install().settings.clone())
    }

    /// Whether an account's app install is enabled. A disabled one gets neither webhooks nor tokens.
    pub(super) fn is_enabled(&self, account_id: &str) -> bool {
        self.apps.get(account_id).is_some_and(|app| app.install().enabled)
    }

    pub(super) fn set_enabled(&self, account_id: &str, enabled: bool) {
        if let Some(app) = self.apps.get(account_id) {
            app.install().enabled = enabled;
        }
    }

    pub(super) fn forms(&self) -> Forms {
        *self.forms.lock()
    }

    pub(super) fn set_forms(&self, forms: Forms) {
        *self.forms.lock() = forms;
    }

    /// The state of an account's app install; `None` for an unknown account.
    pub(super) fn state(&self, account_id: &str) -> Option<InstallState> {
        self.apps.get(account_id).map(|app| app.install().state)
    }

    /// Enables a disabled app install again.
    pub(super) fn enable(&self, account_id: &str) {
        if let Some(app) = self.apps.get(account_id) {
            app.install().enable();
        }
    }

    /// Queues a change behind the earlier ones of its conversation. `None` if the install has no endpoint for the
    /// event.
    pub(super) fn queue(
        self: &Arc<Self>,
        account_id: &str,
        conversation_id: &str,
        out: PendingNotification,
    ) -> Option<FirstAttempt> {
        let app = self.apps.get(account_id)?;
        let is_sent = {
            let install = app.install();
            install.enabled && install.settings.endpoints.contains_key(&out.event)
        };
        if !is_sent {
            return None;
        }
        let (first_attempt, tried) = oneshot::channel();
        let place = (account_id, conversation_id);
        let payload = Payload::Changes(vec![out.change]);
        let mut delivery = WebhookDelivery::new(place, out.event, payload, self.underway(), Instant::now());
        delivery.first_attempt.push(first_attempt);
        self.enqueue(app, delivery);
        Some(tried)
    }

    /// Queues a delivered notification again, byte for byte.
    pub(super) fn redeliver(self: &Arc<Self>, number: usize) -> Result<(), UnknownDelivery> {
        let known = self.delivered.lock().get(number as u64).cloned();
        let delivered = known.ok_or(UnknownDelivery(number))?;
        let app = self.apps.get(&delivered.account_id).ok_or(UnknownDelivery(number))?;
        let place = (delivered.account_id.as_str(), delivered.conversation_id.as_str());
        let payload = Payload::Body(delivered.body);
        self.enqueue(app, WebhookDelivery::new(place, delivered.event, payload, self.underway(), Instant::now()));
        Ok(())
    }

    /// Makes the next notification of a conversation wait until the following one was sent, but no longer than this.
    pub(super) fn hold_next(self: &Arc<Self>, account_id: &str, conversation_id: &str, longest: Duration) {
        let Some(app) = self.apps.get(account_id) else { return };
        self.open_queue(app, &mut app.install(), conversation_id);
        app.install().hold_next(conversation_id, longest);
    }

    pub(super) fn delivered(&self) -> Vec<DeliveredWebhook> {
        self.delivered.lock().from(0).cloned().collect()
    }

    pub(super) fn pending(&self) -> watch::Receiver<usize> {
        self.pending.subscribe()
    }

    fn underway(&self) -> PendingGuard {
        PendingGuard::counted_by(&self.pending)
    }

    fn enqueue(self: &Arc<Self>, app: &Arc<App>, delivery: WebhookDelivery) {
        let name = delivery.event.name();
        let mut install = app.install();
        if install.state == InstallState::Disabled {
            drop(install);
            return self.record_kept_back(name, "not sent, the app install is disabled");
        }
        self.open_queue(app, &mut install, &delivery.conversation_id);
        let stored = install.enqueue(delivery, Instant::now());
        if stored {
            self.record_kept_back(name, &format!("stored, the app install is {}", install.state.name()));
        }
    }

    fn open_queue(self: &Arc<Self>, app: &Arc<App>, install: &mut Install, conversation_id: &str) {
        if let Some(wake) = install.new_queue(conversation_id) {
            let (webhooks, app, id) = (Arc::clone(self), Arc::clone(app), conversation_id.to_owned());
            self.spawn(async move { webhooks.run_queue(&app, &id, &wake).await });
        }
    }

    /// Spawns a task that ends with the simulator.
    fn spawn(&self, running: impl Future<Output = ()> + Send + 'static) {
        let mut end = self.end.clone();
        self.runtime.spawn(async move {
            tokio::select! {
                _ = end.changed() => {}
                () = running => {}
            }
        });
    }

    /// Sends the notifications of a conversation one after the other.
    async fn run_queue(self: &Arc<Self>, app: &Arc<App>, conversation_id: &str, wake: &Notify) {
        loop {
            let taken = app.install().take(conversation_id, Instant::now());
            let Some(delivery) = taken else {
                wake.notified().await;
                continue;
            };
            let delivery = Self::let_one_overtake(app, delivery, wake).await;
            let delivery = Self::batch(app, delivery, wake).await;
            self.deliver(app, delivery).await;
        }
    }

    /// If the notification must be overtaken, waits for the next one and returns that one instead.
    async fn let_one_overtake(app: &App, mut delivery: WebhookDelivery, wake: &Notify) -> WebhookDelivery {
        let Some(longest) = delivery.hold.take() else { return delivery };
        let deadline = Instant::now() + longest;
        loop {
            let swapped = app.install().swap(&mut delivery);
            if swapped || tokio::time::timeout_at(deadline, wake.notified()).await.is_err() {
                return delivery;
            }
        }
    }

    /// Merges following notifications of the same event within the batch window.
    async fn batch(app: &App, mut delivery: WebhookDelivery, wake: &Notify) -> WebhookDelivery {
        let window = app.install().settings.batch_window;
        let Some(window) = window.filter(|_| matches!(delivery.payload, Payload::Changes(_))) else { return delivery };
        let deadline = Instant::now() + window;
        loop {
            let another_follows = app.install().fill(&mut delivery);
            if another_follows || tokio::time::timeout_at(deadline, wake.notified()).await.is_err() {
                return delivery;
            }
        }
    }

    fn record(&self, event: WebhookEvent, outcome: &str, body: &[u8]) {
        let what = format!("POST {} -> {outcome}", event.name());
        self.journal.record("liveengage", "webhook", what, serde_json::from_slice(body).ok());
    }

    fn record_kept_back(&self, name: &str, why: &str) {
        self.journal.record("liveengage", "liveengage", format!("{name} {why}"), None);
    }
}
