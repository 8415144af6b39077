//! The SMS gateway simulator: the consumers' phones and one gateway account.
//!
//! Like a real gateway it has two sides. A message from a phone is posted as a signed webhook until it is answered, and
//! its files are fetched with `GET /media/{id}`. A text from the connector arrives with `POST /v1/messages` and appears
//! on the phone. If the account has delivery reports, webhooks report its delivery. Like a real gateway it doesn't
//! detect duplicates: a text that is sent twice arrives twice, and a test can see it.

mod api;
mod channel;
mod consumer;
mod delivery;
mod media;
mod outbox;
mod payload;
mod segments;
mod signature;
mod simulator;
#[cfg(test)]
mod tests;
mod webhook;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures::Stream;
use futures::future::join_all;
use parking_lot::Mutex;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use url::Url;

use crate::channel::webhook_post;
pub use crate::channel::{ChannelStartError, WebhookAnswer};
use crate::journal::Journal;
use crate::loopback::LoopbackServer;
use crate::phone::Phonebook;
pub use crate::phone::{AttachedFile, Direction, MessageState, PhoneChange, PhoneMessage};

pub use self::consumer::SmsConsumerError;
pub use self::media::{MAX_FILES, MmsFile};

pub use self::channel::{LINE, NUMBER, Sms};

use self::api::GatewayFault;
use self::delivery::DeliveryReports;
use self::media::GatewayFiles;
use self::outbox::PendingWebhook;

/// Its name in errors.
const NAME: &str = "SMS gateway";
/// The longest text in Unicode scalar values, in both directions.
pub const MAX_TEXT_CHARS: usize = 1600;

/// The options of a simulated gateway account.
#[derive(Debug, Clone)]
pub struct SmsGatewayOptions {
    /// The port on 127.0.0.1 for `POST /v1/messages`; 0 chooses a free port.
    pub port: u16,
    /// The account's number, which consumers write to: the `to` of every webhook.
    pub number: String,
    /// The bearer token that the connector must send.
    pub api_token: SecretString,
    /// The key of the webhooks' HMAC-SHA256 signature.
    pub webhook_secret: SecretString,
    /// The delay before the first retry of a webhook. Each further delay doubles. Sinch documents 5 s.
    pub retry_delay: Duration,
    /// Whether the account reports the delivery of texts to phones. If so, texts are delivered at once; see
    /// [`SmsGateway::set_automatic_delivery`]. Gateways send no reports by default.
    pub delivery_reports: bool,
    /// The wire log.
    pub journal: Journal,
}

/// A running gateway with its phones. Clones share it. It stops when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct SmsGateway {
    account: Arc<GatewayAccount>,
    tasks: Arc<Mutex<JoinSet<()>>>,
    server: Arc<LoopbackServer>,
}

/// The shared state of the HTTP server, the webhook tasks and the handle.
#[derive(Debug)]
struct GatewayAccount {
    options: SmsGatewayOptions,
    client: reqwest::Client,
    /// Set when the server listens, before the first request.
    base_url: OnceLock<String>,
    webhook_url: watch::Sender<Option<Url>>,
    keys: Mutex<Keys>,
    phonebook: Mutex<Phonebook<NoProfile>>,
    media: Mutex<GatewayFiles>,
    delivery: Mutex<DeliveryReports>,
    outbox: mpsc::UnboundedSender<PendingWebhook>,
    /// The number of webhooks without a final result.
    unsettled: watch::Sender<usize>,
    faults: Mutex<VecDeque<GatewayFault>>,
    media_faults: Mutex<VecDeque<StatusCode>>,
    changes: broadcast::Sender<PhoneChange>,
}

/// A gateway has no profile of a phone's owner.
#[derive(Debug)]
struct NoProfile;

impl From<&str> for NoProfile {
    fn from(_number: &str) -> Self {
        Self
    }
}

/// The account's secrets. They can be rotated while the gateway runs.
#[derive(Debug)]
struct Keys {
    webhook_secret: SecretString,
    /// All of these are accepted.
    api_tokens: Vec<SecretString>,
}

impl SmsGateway {
    /// Starts the gateway on a loopback port. Webhooks wait until [`SmsGateway::set_webhook_url`] is called.
    ///
    /// # Errors
    /// [`ChannelStartError`] when the port can't be opened or the HTTP client can't be created.
    pub async fn start(options: SmsGatewayOptions) -> Result<Self, ChannelStartError> {
        let port = options.port;
        let (outbox, postings) = mpsc::unbounded_channel();
        let account = Arc::new(GatewayAccount {
            client: webhook_post::client(webhook::TIMEOUT).map_err(|error| ChannelStartError::Client(NAME, error))?,
            base_url: OnceLock::new(),
            webhook_url: watch::Sender::new(None),
            keys: Mutex::new(Keys {
                webhook_secret: options.webhook_secret.clone(),
                api_tokens: vec![options.api_token.clone()],
            }),
            phonebook: Mutex::default(),
            media: Mutex::default(),
            delivery: Mutex::new(DeliveryReports::new(options.delivery_reports)),
            outbox,
            unsettled: watch::Sender::new(0),
            faults: Mutex::default(),
            media_faults: Mutex::default(),
            changes: broadcast::channel(1024).0,
            options,
        });
        let server = LoopbackServer::start(port, |_| api::router(Arc::clone(&account)))
            .await
            .map_err(|error| ChannelStartError::Listen(NAME, error))?;
        account.base_url.get_or_init(|| server.url());
        let gateway = Self { account: Arc::clone(&account), tasks: Arc::default(), server: Arc::new(server) };
        gateway.spawn(outbox::work(account, postings));
        Ok(gateway)
    }

    /// The API's address without a trailing slash, for example `http://127.0.0.1:40111`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The account's own number.
    pub fn number(&self) -> &str {
        &self.account.options.number
    }

    /// Sets the address for webhooks. Waiting webhooks are sent.
    pub fn set_webhook_url(&self, url: Url) {
        self.account.webhook_url.send_replace(Some(url));
    }

    /// Signs every webhook with another key, starting with its next attempt.
    pub fn set_webhook_secret(&self, secret: SecretString) {
        self.account.keys.lock().webhook_secret = secret;
    }

    /// Accepts only these bearer tokens from now on: two of them during a rotation.
    pub fn set_api_tokens(&self, tokens: Vec<SecretString>) {
        self.account.keys.lock().api_tokens = tokens;
    }

    /// Posts a webhook that no phone has sent, `times` times at once, with any id, sender and text, correctly signed.
    /// It is not retried, and nothing is added to a phone.
    pub async fn post_raw(&self, id: &str, from: &str, text: &str, times: u32) -> Vec<WebhookAnswer> {
        let message = consumer::from_phone(id.to_owned(), text, Vec::new());
        self.post_raw_body(&self.account.message_body(from, &message), times).await
    }

    /// Posts any body, correctly signed, `times` times at once, for example a report about an unknown message. It is
    /// not retried, and no phone changes.
    pub async fn post_raw_body(&self, body: &Value, times: u32) -> Vec<WebhookAnswer> {
        join_all((1..=times).map(|attempt| self.account.post(body, attempt))).await
    }

    /// Answers the next `POST /v1/messages` like this, regardless of its content. No text arrives. Several calls queue
    /// up.
    pub fn fail_next(&self, status: StatusCode, headers: HeaderMap, body: impl Into<String>) {
        self.account.faults.lock().push_back(GatewayFault { status, headers, body: body.into(), text_arrives: false });
    }

    /// Answers the next valid `POST /v1/messages` like this although the text arrives, so that the caller can't tell it
    /// from a loss. Queues up with [`SmsGateway::fail_next`].
    pub fn accept_but_fail_next(&self, status: StatusCode, headers: HeaderMap, body: impl Into<String>) {
        self.account.faults.lock().push_back(GatewayFault { status, headers, body: body.into(), text_arrives: true });
    }

    /// Answers the next `GET /media/{id}` like this, regardless of the file and the caller. Several calls queue up.
    pub fn fail_next_media(&self, status: StatusCode) {
        self.account.media_faults.lock().push_back(status);
    }

    /// The content of a file of a transcript; `None` for an unknown id.
    pub fn media(&self, id: &str) -> Option<Bytes> {
        self.account.media.lock().get(id).map(|(_, bytes)| bytes)
    }

    /// The numbers of all phones that wrote or were written to, oldest first.
    pub fn phones(&self) -> Vec<String> {
        self.account.phonebook.lock().numbers()
    }

    /// The transcript of the phone, oldest first; empty for an unknown phone.
    pub fn transcript(&self, phone: &str) -> Vec<PhoneMessage> {
        self.account.phonebook.lock().transcript(phone).to_vec()
    }

    /// Follows the phones from now on. A follower that falls 1024 changes behind is notified and can read the
    /// transcripts.
    pub fn subscribe(&self) -> broadcast::Receiver<PhoneChange> {
        self.account.changes.subscribe()
    }

    /// Like [`SmsGateway::subscribe`], without details of the changes.
    pub fn changes(&self) -> impl Stream<Item = ()> + Send + use<> {
        BroadcastStream::new(self.subscribe()).map(|_| ())
    }

    /// Waits until the phone's transcript is as wanted, and returns it. There is no time limit: the caller sets the
    /// timeout.
    pub async fn wait_for(&self, phone: &str, wanted: impl Fn(&[PhoneMessage]) -> bool) -> Vec<PhoneMessage> {
        crate::phone::wait_for(self.subscribe(), || self.transcript(phone), wanted).await
    }

    /// Waits until every webhook is accepted, refused or given up. There is no time limit, as in
    /// [`SmsGateway::wait_for`].
    pub async fn webhooks_settled(&self) {
        // This handle holds the sender, so there is no error.
        let _ = self.account.unsettled.subscribe().wait_for(|count| *count == 0).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

impl GatewayAccount {
    /// Adds a message to a phone, and its webhook to the outbox.
    fn add(&self, phone: &str, message: PhoneMessage, webhook: Option<PendingWebhook>) {
        let id = message.id.clone();
        {
            let mut phonebook = self.phonebook.lock();
            phonebook.entry(phone).messages.push(message);
            // Under the lock, so that webhooks are sent in the order of the transcript.
            webhook.into_iter().for_each(|webhook| self.post_later(webhook));
        }
        self.notify(phone, &id);
    }

    fn post_later(&self, webhook: PendingWebhook) {
        self.unsettled.send_modify(|count| *count += 1);
        // There is no receiver only after the gateway has stopped.
        let _ = self.outbox.send(webhook);
    }

    fn set_state(&self, phone: &str, message_id: &str, state: MessageState) {
        self.phonebook.lock().advance(phone, message_id, state);
        self.notify(phone, message_id);
    }

    fn notify(&self, phone: &str, message_id: &str) {
        // Having no follower is not an error.
        let _ = self.changes.send(PhoneChange { phone: phone.to_owned(), message_id: Some(message_id.to_owned()) });
    }
}
