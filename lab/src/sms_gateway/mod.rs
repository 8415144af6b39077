//! The SMS gateway simulator: the consumer phones behind one gateway account.
//!
//! It has the two sides of a real gateway. A message from a phone goes out as a signed webhook, and is posted again until it is
//! answered; its files are fetched over `GET /media/{id}`. A text from the connector comes in over `POST /v1/messages` and
//! appears on the phone; where the account has delivery reports, webhooks tell what became of it. Like a real gateway it does
//! not look for doubles: what is sent twice arrives twice, and a test can see it.

mod api;
mod consumer;
mod delivery;
mod media;
mod outbox;
mod page_phones;
mod payload;
mod phone;
mod segments;
mod signature;
#[cfg(test)]
mod tests;
mod webhook;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures::Stream;
use futures::future::join_all;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use url::Url;

use crate::journal::Journal;
use crate::loopback::LoopbackServer;

pub use self::consumer::ConsumerError;
pub use self::media::{MAX_FILES, MmsFile};
pub use self::phone::{Direction, MessageState, PhoneMedia, PhoneMessage};
pub use self::webhook::WebhookAnswer;

pub(crate) use self::signature::sign;

use self::api::Fault;
use self::delivery::Delivery;
use self::media::MediaStore;
use self::outbox::Posting;
use self::phone::Phonebook;

/// Longest text in Unicode scalar values, both ways.
pub const MAX_TEXT_CHARS: usize = 1600;

/// How one simulated gateway account is set up.
#[derive(Debug, Clone)]
pub struct SmsGatewayOptions {
    /// Port on 127.0.0.1 for `POST /v1/messages`; 0 takes a free one.
    pub port: u16,
    /// The account's own number, which consumers write to: the `to` of every webhook.
    pub number: String,
    /// Bearer token that the connector must show.
    pub api_token: SecretString,
    /// Key of the HMAC-SHA256 that signs the webhooks.
    pub webhook_secret: SecretString,
    /// Wait before the first retry of a webhook; every further wait is twice as long. Sinch documents 5 s.
    pub retry_delay: Duration,
    /// Whether the account reports what becomes of a text to a phone. Texts are then delivered at once; see
    /// [`SmsGateway::set_automatic_delivery`]. Gateways have reports off until they are asked for.
    pub delivery_reports: bool,
    /// Where the calls are written down.
    pub journal: Journal,
}

/// Something changed on a phone: a message was added, or its state changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneChange {
    /// The phone's number.
    pub phone: String,
    /// The message that is new or has a new state.
    pub message_id: String,
}

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken or not allowed.
    #[error("the SMS gateway cannot listen on 127.0.0.1: {0}")]
    Listen(#[from] std::io::Error),
    /// The HTTP client for the webhooks could not be made.
    #[error("the SMS gateway has no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// A running gateway with its phones. Clones share it; it stops when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct SmsGateway {
    account: Arc<Account>,
    tasks: Arc<Mutex<JoinSet<()>>>,
    server: Arc<LoopbackServer>,
}

/// What the HTTP side, the webhook tasks and the handle share.
#[derive(Debug)]
struct Account {
    options: SmsGatewayOptions,
    client: reqwest::Client,
    /// Known once the server listens, which is before there is anything to serve.
    base_url: OnceLock<String>,
    webhook_url: watch::Sender<Option<Url>>,
    keys: Mutex<Keys>,
    phonebook: Mutex<Phonebook>,
    media: Mutex<MediaStore>,
    delivery: Mutex<Delivery>,
    outbox: mpsc::UnboundedSender<Posting>,
    /// How many webhooks are not yet answered for good.
    unsettled: watch::Sender<usize>,
    faults: Mutex<VecDeque<Fault>>,
    media_faults: Mutex<VecDeque<StatusCode>>,
    changes: broadcast::Sender<PhoneChange>,
}

/// The account's secrets. They can be rotated while it runs.
#[derive(Debug)]
struct Keys {
    webhook_secret: SecretString,
    /// Every one of them is taken.
    api_tokens: Vec<SecretString>,
}

impl SmsGateway {
    /// Starts the gateway on a loopback port. Webhooks wait until [`SmsGateway::set_webhook_url`] is called.
    ///
    /// # Errors
    /// [`StartError`] when the port cannot be opened or the HTTP client cannot be made.
    pub async fn start(options: SmsGatewayOptions) -> Result<Self, StartError> {
        let port = options.port;
        let (outbox, postings) = mpsc::unbounded_channel();
        let account = Arc::new(Account {
            client: webhook::client()?,
            base_url: OnceLock::new(),
            webhook_url: watch::Sender::new(None),
            keys: Mutex::new(Keys {
                webhook_secret: options.webhook_secret.clone(),
                api_tokens: vec![options.api_token.clone()],
            }),
            phonebook: Mutex::default(),
            media: Mutex::default(),
            delivery: Mutex::new(Delivery::new(options.delivery_reports)),
            outbox,
            unsettled: watch::Sender::new(0),
            faults: Mutex::default(),
            media_faults: Mutex::default(),
            changes: broadcast::channel(1024).0,
            options,
        });
        let server = LoopbackServer::start(port, |_| api::router(Arc::clone(&account))).await?;
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

    /// Sets where webhooks are posted to; those that wait for an address leave now.
    pub fn set_webhook_url(&self, url: Url) {
        self.account.webhook_url.send_replace(Some(url));
    }

    /// Signs every webhook with another key from its next try on.
    pub fn set_webhook_secret(&self, secret: SecretString) {
        lock(&self.account.keys).webhook_secret = secret;
    }

    /// Takes these bearer tokens from now on, and no other: two of them while they are rotated.
    pub fn set_api_tokens(&self, tokens: Vec<SecretString>) {
        lock(&self.account.keys).api_tokens = tokens;
    }

    /// Posts a webhook that no phone has sent, `times` times at once: any id, sender and text, correctly signed.
    /// There is no retry, and nothing is added to a phone.
    pub async fn post_raw(&self, id: &str, from: &str, text: &str, times: u32) -> Vec<WebhookAnswer> {
        let message = consumer::from_phone(id.to_owned(), text, Vec::new());
        self.post_raw_body(&self.account.message_body(from, &message), times).await
    }

    /// Posts any body, correctly signed, `times` times at once: for example a report about a message that nobody has sent.
    /// There is no retry, and no phone changes.
    pub async fn post_raw_body(&self, body: &Value, times: u32) -> Vec<WebhookAnswer> {
        join_all((1..=times).map(|attempt| self.account.post(body, attempt))).await
    }

    /// The next `POST /v1/messages` is answered like this, whatever it holds, and no text arrives. Several calls queue up.
    pub fn fail_next(&self, status: StatusCode, headers: HeaderMap, body: impl Into<String>) {
        lock(&self.account.faults).push_back(Fault { status, headers, body: body.into(), text_arrives: false });
    }

    /// The next valid `POST /v1/messages` reaches the phone and is answered like this all the same: the outcome that a caller
    /// cannot tell from a loss. Queues up with [`SmsGateway::fail_next`].
    pub fn accept_but_fail_next(&self, status: StatusCode, headers: HeaderMap, body: impl Into<String>) {
        lock(&self.account.faults).push_back(Fault { status, headers, body: body.into(), text_arrives: true });
    }

    /// The next `GET /media/{id}` is answered like this, whatever it asks for and whoever asks. Several calls queue up.
    pub fn fail_next_media(&self, status: StatusCode) {
        lock(&self.account.media_faults).push_back(status);
    }

    /// What is in a file of a transcript; `None` for an id that nobody knows.
    pub fn media(&self, id: &str) -> Option<Bytes> {
        lock(&self.account.media).get(id).map(|(_, bytes)| bytes)
    }

    /// The numbers of all phones that wrote or were written to, oldest first.
    pub fn phones(&self) -> Vec<String> {
        lock(&self.account.phonebook).numbers()
    }

    /// What the phone shows, oldest first; empty for a phone that nobody knows.
    pub fn transcript(&self, phone: &str) -> Vec<PhoneMessage> {
        lock(&self.account.phonebook).transcript(phone).to_vec()
    }

    /// Follows the phones from now on. A follower that falls 1024 changes behind is told so and can read back.
    pub fn subscribe(&self) -> broadcast::Receiver<PhoneChange> {
        self.account.changes.subscribe()
    }

    /// The same as [`SmsGateway::subscribe`] for those who only want to know that something changed.
    pub fn changes(&self) -> impl Stream<Item = ()> + Send + use<> {
        BroadcastStream::new(self.subscribe()).map(|_| ())
    }

    /// Waits until the phone's transcript is as wanted, and answers it. Without a limit: the caller sets the timeout.
    pub async fn wait_for(&self, phone: &str, wanted: impl Fn(&[PhoneMessage]) -> bool) -> Vec<PhoneMessage> {
        let mut changes = self.subscribe();
        loop {
            let transcript = self.transcript(phone);
            if wanted(&transcript) {
                return transcript;
            }
            // The sender lives in this handle, so the only error is a lag, after which the transcript is read again anyway.
            let _ = changes.recv().await;
        }
    }

    /// Waits until every webhook is accepted, refused or given up. Without a limit, as [`SmsGateway::wait_for`].
    pub async fn webhooks_settled(&self) {
        // The sender lives in this handle, so there is no error.
        let _ = self.account.unsettled.subscribe().wait_for(|count| *count == 0).await;
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

impl Account {
    /// Puts a message on a phone, and what is to be posted about it into the outbox.
    fn add(&self, phone: &str, message: PhoneMessage, posting: Option<Posting>) {
        let id = message.id.clone();
        {
            let mut phonebook = lock(&self.phonebook);
            phonebook.add(phone, message);
            // Under the lock, so that the webhooks leave in the order of the transcript.
            posting.into_iter().for_each(|posting| self.post_later(posting));
        }
        self.notify(phone, &id);
    }

    fn post_later(&self, posting: Posting) {
        self.unsettled.send_modify(|count| *count += 1);
        // Nobody takes it only once the gateway has stopped.
        let _ = self.outbox.send(posting);
    }

    fn set_state(&self, phone: &str, message_id: &str, state: MessageState) {
        lock(&self.phonebook).set_state(phone, message_id, state);
        self.notify(phone, message_id);
    }

    fn notify(&self, phone: &str, message_id: &str) {
        // No follower is not an error.
        let _ = self.changes.send(PhoneChange { phone: phone.to_owned(), message_id: message_id.to_owned() });
    }
}

/// A panic under one of these locks would leave a list of messages, which is still a list of messages.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
