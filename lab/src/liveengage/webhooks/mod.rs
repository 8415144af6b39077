//! Delivery of the webhooks: in order inside a conversation, independent between conversations, and held back together while the
//! app install has failed.

mod chaos;
mod delivery;
mod handle;
mod install;
mod latency;
mod post;
mod retry;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use secrecy::SecretString;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

pub use chaos::WebhookChaos;
pub(super) use delivery::FirstTry;
use delivery::{Delivery, Payload, Underway};
use install::Install;
pub use install::InstallState;
pub use latency::SlowRule;
pub(super) use post::webhook_client;

use super::conversation::Outgoing;
use super::forms::Forms;
use super::options::{AccountOptions, StartError, WebhookEvent, WebhookSettings};
use crate::journal::Journal;

/// A notification that an endpoint has answered with 200 or 201.
#[derive(Debug, Clone)]
pub struct DeliveredWebhook {
    /// The place in the order of delivery, from 0.
    pub number: usize,
    /// The account it belongs to.
    pub account_id: String,
    /// The conversation it belongs to.
    pub conversation_id: String,
    /// The event key whose endpoint received it.
    pub event: WebhookEvent,
    /// The body, byte for byte as signed and sent.
    pub body: Bytes,
}

/// No notification with this number has been delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no webhook number {0} has been delivered")]
pub struct UnknownDelivery(pub usize);

/// An account and the webhooks of its app install.
#[derive(Debug)]
struct App {
    account: AccountOptions,
    /// Signs the webhooks. It can be rotated while the simulator runs.
    client_secret: Mutex<SecretString>,
    install: Mutex<Install>,
}

impl App {
    fn client_secret(&self) -> SecretString {
        self.client_secret.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn install(&self) -> MutexGuard<'_, Install> {
        self.install.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The webhooks of all accounts.
#[derive(Debug)]
pub(super) struct Webhooks {
    client: reqwest::Client,
    journal: Journal,
    apps: HashMap<String, Arc<App>>,
    forms: Mutex<Forms>,
    delivered: Mutex<Vec<DeliveredWebhook>>,
    /// How many notifications are queued or under way.
    pending: Arc<watch::Sender<usize>>,
    /// Closed when the simulator ends.
    end: watch::Receiver<()>,
    runtime: tokio::runtime::Handle,
}

impl Webhooks {
    pub(super) fn new(
        accounts: &HashMap<String, AccountOptions>,
        forms: Forms,
        journal: Journal,
        timeout: Duration,
        end: watch::Receiver<()>,
    ) -> Result<Self, StartError> {
        let app = |(id, account): (&String, &AccountOptions)| {
            let install = Mutex::new(Install::new(id, account.webhooks.clone(), journal.clone()));
            let client_secret = Mutex::new(account.client_secret.clone());
            (id.clone(), Arc::new(App { account: account.clone(), client_secret, install }))
        };
        Ok(Self {
            client: webhook_client(timeout).map_err(StartError::WebhookClient)?,
            apps: accounts.iter().map(app).collect(),
            journal,
            forms: Mutex::new(forms),
            delivered: Mutex::default(),
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

    pub(super) fn set_client_secret(&self, account_id: &str, secret: SecretString) {
        if let Some(app) = self.apps.get(account_id) {
            *app.client_secret.lock().unwrap_or_else(PoisonError::into_inner) = secret;
        }
    }

    pub(super) fn forms(&self) -> Forms {
        *self.forms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_forms(&self, forms: Forms) {
        *self.forms.lock().unwrap_or_else(PoisonError::into_inner) = forms;
    }

    /// The state of an account's app install; `None` for an account that is not played.
    pub(super) fn state(&self, account_id: &str) -> Option<InstallState> {
        self.apps.get(account_id).map(|app| app.install().state)
    }

    /// Enables a disabled app install again.
    pub(super) fn enable(&self, account_id: &str) {
        if let Some(app) = self.apps.get(account_id) {
            app.install().enable();
        }
    }

    /// Queues a change behind the earlier ones of its conversation. `None` if the install has no endpoint for the event.
    pub(super) fn queue(self: &Arc<Self>, account_id: &str, conversation_id: &str, out: Outgoing) -> Option<FirstTry> {
        let app = self.apps.get(account_id)?;
        if !app.install().settings.endpoints.contains_key(&out.event) {
            return None;
        }
        let (first_try, tried) = oneshot::channel();
        let place = (account_id, conversation_id);
        let payload = Payload::Changes(vec![out.change]);
        let mut delivery = Delivery::new(place, out.event, payload, self.underway(), Instant::now());
        delivery.first_try.push(first_try);
        self.enqueue(app, delivery);
        Some(tried)
    }

    /// Queues a delivered notification once more, byte for byte.
    pub(super) fn again(self: &Arc<Self>, number: usize) -> Result<(), UnknownDelivery> {
        let known = self.delivered.lock().unwrap_or_else(PoisonError::into_inner).get(number).cloned();
        let delivered = known.ok_or(UnknownDelivery(number))?;
        let app = self.apps.get(&delivered.account_id).ok_or(UnknownDelivery(number))?;
        let place = (delivered.account_id.as_str(), delivered.conversation_id.as_str());
        let payload = Payload::Body(delivered.body);
        self.enqueue(app, Delivery::new(place, delivered.event, payload, self.underway(), Instant::now()));
        Ok(())
    }

    /// Makes the next notification of a conversation wait, for so long at most, until the one after it has gone.
    pub(super) fn hold_next(self: &Arc<Self>, account_id: &str, conversation_id: &str, longest: Duration) {
        let Some(app) = self.apps.get(account_id) else { return };
        self.open_lane(app, &mut app.install(), conversation_id);
        app.install().hold_next(conversation_id, longest);
    }

    pub(super) fn delivered(&self) -> Vec<DeliveredWebhook> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn pending(&self) -> watch::Receiver<usize> {
        self.pending.subscribe()
    }

    fn underway(&self) -> Underway {
        Underway::counted_by(&self.pending)
    }

    fn enqueue(self: &Arc<Self>, app: &Arc<App>, delivery: Delivery) {
        let name = delivery.event.name();
        let mut install = app.install();
        if install.state == InstallState::Disabled {
            drop(install);
            return self.record_kept_back(name, "not sent, the app install is disabled");
        }
        self.open_lane(app, &mut install, &delivery.conversation_id);
        let stored = install.enqueue(delivery, Instant::now());
        if stored {
            self.record_kept_back(name, &format!("stored, the app install is {}", install.state.name()));
        }
    }

    fn open_lane(self: &Arc<Self>, app: &Arc<App>, install: &mut Install, conversation_id: &str) {
        if let Some(wake) = install.new_lane(conversation_id) {
            let (webhooks, app, id) = (Arc::clone(self), Arc::clone(app), conversation_id.to_owned());
            self.spawn(async move { webhooks.run_lane(&app, &id, &wake).await });
        }
    }

    /// Runs something until it or the simulator ends.
    fn spawn(&self, running: impl Future<Output = ()> + Send + 'static) {
        let mut end = self.end.clone();
        self.runtime.spawn(async move {
            tokio::select! {
                _ = end.changed() => {}
                () = running => {}
            }
        });
    }

    /// Sends what one conversation has queued, one after the other.
    async fn run_lane(self: &Arc<Self>, app: &Arc<App>, conversation_id: &str, wake: &Notify) {
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

    /// If the notification is to be overtaken: waits for the next one, and gives that back in its place.
    async fn let_one_overtake(app: &App, mut delivery: Delivery, wake: &Notify) -> Delivery {
        let Some(longest) = delivery.hold.take() else { return delivery };
        let deadline = Instant::now() + longest;
        loop {
            let swapped = app.install().swap(&mut delivery);
            if swapped || tokio::time::timeout_at(deadline, wake.notified()).await.is_err() {
                return delivery;
            }
        }
    }

    /// Adds what follows within the batch window, as long as it is of the same event.
    async fn batch(app: &App, mut delivery: Delivery, wake: &Notify) -> Delivery {
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
