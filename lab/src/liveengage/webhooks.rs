//! Delivery of the webhooks: in order inside a conversation, independent between conversations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use url::Url;

use super::conversation::Outgoing;
use super::notification::Change;
use super::options::{AccountOptions, StartError, WebhookEvent, WebhookSettings};
use crate::journal::Journal;

/// The longest pause between two tries of a notification: 5 minutes.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

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

/// Resolves when a notification has been tried once, whatever came of it.
pub(super) type FirstTry = oneshot::Receiver<()>;

/// What a lane carries.
#[derive(Debug)]
struct Delivery {
    account_id: String,
    conversation_id: String,
    event: WebhookEvent,
    payload: Payload,
    since: Instant,
    first_try: Vec<oneshot::Sender<()>>,
    /// How many notifications were queued for this delivery: more than one when changes were batched.
    queued: usize,
}

#[derive(Debug)]
enum Payload {
    Changes(Vec<Change>),
    /// Sent before, and now sent again as it was.
    Again(Bytes),
}

/// The webhooks of all accounts.
#[derive(Debug)]
pub(super) struct Webhooks {
    client: reqwest::Client,
    journal: Journal,
    accounts: HashMap<String, AccountOptions>,
    settings: Mutex<HashMap<String, WebhookSettings>>,
    lanes: Mutex<HashMap<(String, String), mpsc::UnboundedSender<Delivery>>>,
    delivered: Mutex<Vec<DeliveredWebhook>>,
    /// How many notifications are queued or under way.
    pending: watch::Sender<usize>,
    /// Closed when the simulator ends.
    end: watch::Receiver<()>,
    runtime: tokio::runtime::Handle,
}

impl Webhooks {
    pub(super) fn new(
        accounts: &HashMap<String, AccountOptions>,
        journal: Journal,
        timeout: Duration,
        end: watch::Receiver<()>,
    ) -> Result<Self, StartError> {
        Ok(Self {
            client: webhook_client(timeout).map_err(StartError::WebhookClient)?,
            journal,
            settings: Mutex::new(accounts.iter().map(|(id, account)| (id.clone(), account.webhooks.clone())).collect()),
            accounts: accounts.clone(),
            lanes: Mutex::default(),
            delivered: Mutex::default(),
            pending: watch::Sender::new(0),
            end,
            runtime: tokio::runtime::Handle::current(),
        })
    }

    pub(super) fn set(&self, account_id: &str, settings: WebhookSettings) {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).insert(account_id.to_owned(), settings);
    }

    /// Queues a change behind the earlier ones of its conversation. `None` if the install has no endpoint for the event.
    pub(super) fn queue(self: &Arc<Self>, account_id: &str, conversation_id: &str, out: Outgoing) -> Option<FirstTry> {
        let settings = self.settings(account_id)?;
        if !settings.endpoints.contains_key(&out.event) {
            return None;
        }
        let (first_try, tried) = oneshot::channel();
        self.enqueue(Delivery {
            account_id: account_id.to_owned(),
            conversation_id: conversation_id.to_owned(),
            event: out.event,
            payload: Payload::Changes(vec![out.change]),
            since: Instant::now(),
            first_try: vec![first_try],
            queued: 1,
        });
        Some(tried)
    }

    /// Queues a delivered notification once more, byte for byte.
    pub(super) fn again(self: &Arc<Self>, number: usize) -> Result<(), UnknownDelivery> {
        let known = self.delivered.lock().unwrap_or_else(PoisonError::into_inner).get(number).cloned();
        let delivered = known.ok_or(UnknownDelivery(number))?;
        self.enqueue(Delivery {
            account_id: delivered.account_id,
            conversation_id: delivered.conversation_id,
            event: delivered.event,
            payload: Payload::Again(delivered.body),
            since: Instant::now(),
            first_try: Vec::new(),
            queued: 1,
        });
        Ok(())
    }

    pub(super) fn delivered(&self) -> Vec<DeliveredWebhook> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn pending(&self) -> watch::Receiver<usize> {
        self.pending.subscribe()
    }

    fn settings(&self, account_id: &str) -> Option<WebhookSettings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).get(account_id).cloned()
    }

    fn enqueue(self: &Arc<Self>, delivery: Delivery) {
        self.pending.send_modify(|pending| *pending += 1);
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (delivery.account_id.clone(), delivery.conversation_id.clone());
        let lane = lanes.entry(key).or_insert_with(|| {
            let (sender, queue) = mpsc::unbounded_channel();
            let (webhooks, mut end) = (Arc::clone(self), self.end.clone());
            self.runtime.spawn(async move {
                tokio::select! {
                    _ = end.changed() => {}
                    () = webhooks.run_lane(queue) => {}
                }
            });
            sender
        });
        // A lane stops with the simulator only, and then nobody waits for its webhooks.
        let _ = lane.send(delivery);
    }

    async fn run_lane(&self, mut queue: mpsc::UnboundedReceiver<Delivery>) {
        let mut held_back = None;
        loop {
            let next = match held_back.take() {
                Some(delivery) => Some(delivery),
                None => queue.recv().await,
            };
            let Some(next) = next else { return };
            let (delivery, other) = self.batch(next, &mut queue).await;
            held_back = other;
            let queued = delivery.queued;
            self.deliver(delivery).await;
            self.pending.send_modify(|pending| *pending = pending.saturating_sub(queued));
        }
    }

    /// Adds what follows within the batch window, as long as it is of the same event. Gives back what came and did not fit.
    async fn batch(
        &self,
        mut first: Delivery,
        queue: &mut mpsc::UnboundedReceiver<Delivery>,
    ) -> (Delivery, Option<Delivery>) {
        let Some(window) = self.settings(&first.account_id).and_then(|settings| settings.batch_window) else {
            return (first, None);
        };
        let deadline = Instant::now() + window;
        while let Payload::Changes(changes) = &mut first.payload {
            let Ok(Some(next)) = tokio::time::timeout_at(deadline, queue.recv()).await else { break };
            match next {
                Delivery { payload: Payload::Changes(more), event, first_try, queued, .. } if event == first.event => {
                    changes.extend(more);
                    first.first_try.extend(first_try);
                    first.queued += queued;
                }
                other => return (first, Some(other)),
            }
        }
        (first, None)
    }

    /// Tries a notification until it is taken, dropped after its first failure, or too old.
    async fn deliver(&self, mut delivery: Delivery) {
        let Some(account) = self.accounts.get(&delivery.account_id) else { return };
        let body = match &delivery.payload {
            Payload::Again(body) => body.clone(),
            Payload::Changes(changes) => match Change::notification(changes, &subscription_id(account)) {
                Ok(body) => Bytes::from(body),
                Err(error) => return self.record(&delivery, &format!("not serialised: {error}"), &Bytes::new()),
            },
        };
        let mut pause = None;
        loop {
            let Some(settings) = self.settings(&delivery.account_id) else { return };
            let Some(endpoint) = settings.endpoints.get(&delivery.event) else {
                return self.record(&delivery, "no endpoint any more, dropped", &body);
            };
            let outcome = self.post(account, endpoint, &settings.headers, body.clone()).await;
            // Whoever waits for the first try waits no longer; who gave up waiting does not care.
            for waiting in delivery.first_try.drain(..) {
                let _ = waiting.send(());
            }
            let failure = match outcome {
                Ok(status) => {
                    self.record(&delivery, status.as_str(), &body);
                    return self.keep(delivery, body);
                }
                Err(failure) => failure,
            };
            let wait = pause.unwrap_or(settings.first_retry_after);
            let retention = settings.retention.filter(|_| !settings.not_retried.contains(&delivery.event));
            if retention.is_none_or(|retention| delivery.since.elapsed() + wait > retention) {
                return self.record(&delivery, &format!("{failure}, dropped"), &body);
            }
            self.record(&delivery, &format!("{failure}, again in {wait:?}"), &body);
            wait_between_tries(wait).await;
            pause = Some((wait * 2).min(LONGEST_PAUSE));
        }
    }

    /// One try. Only 200 and 201 are success; redirects are not followed.
    async fn post(
        &self,
        account: &AccountOptions,
        endpoint: &Url,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<StatusCode, String> {
        let signature = account.signature.sign(&account.client_secret, &body).ok_or("cannot be signed")?;
        let mut request = self
            .client
            .post(endpoint.clone())
            .header(http::header::CONTENT_TYPE, "application/json")
            .header("x-liveperson-account-id", &account.account_id)
            .header("x-liveperson-client-id", &account.client_id)
            .header("x-liveperson-signature", signature);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        match request.body(body).send().await {
            Ok(response) if matches!(response.status(), StatusCode::OK | StatusCode::CREATED) => Ok(response.status()),
            Ok(response) => Err(response.status().as_str().to_owned()),
            Err(error) if error.is_timeout() => Err("timeout".to_owned()),
            Err(error) if error.is_connect() => Err("no connection".to_owned()),
            Err(error) => Err(error.without_url().to_string()),
        }
    }

    fn keep(&self, delivery: Delivery, body: Bytes) {
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        let number = delivered.len();
        let Delivery { account_id, conversation_id, event, .. } = delivery;
        delivered.push(DeliveredWebhook { number, account_id, conversation_id, event, body });
    }

    fn record(&self, delivery: &Delivery, outcome: &str, body: &Bytes) {
        let what = format!("POST {} -> {outcome}", delivery.event.name());
        self.journal.record("liveengage", "webhook", what, serde_json::from_slice(body).ok());
    }
}

/// Stable per install, as it is at LivePerson for the notifications of one subscription.
fn subscription_id(account: &AccountOptions) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, account.client_id.as_bytes()).to_string()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator is not the connector: its webhook timeouts are LivePerson's"
)]
pub(super) fn webhook_client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(timeout)
        .read_timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

#[expect(clippy::disallowed_methods, reason = "the simulator plays LivePerson, whose retries wait in its own process")]
async fn wait_between_tries(pause: Duration) {
    tokio::time::sleep(pause).await;
}
