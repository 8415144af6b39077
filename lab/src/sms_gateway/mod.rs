//! The SMS gateway simulator: the consumer phones behind one gateway account.
//!
//! It has the two sides of a real gateway. A text from a phone goes out as a signed webhook, and is posted again until it is
//! answered. A text from the connector comes in over `POST /v1/messages` and appears on the phone. Like a real gateway it does
//! not look for doubles: what is sent twice arrives twice, and a test can see it.

mod api;
mod page_phones;
mod phone;
mod segments;
mod signature;
#[cfg(test)]
mod tests;
mod webhook;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use connector::port::{Clock, SystemClock};
use futures::Stream;
use futures::future::join_all;
use secrecy::SecretString;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;
use url::Url;
use uuid::Uuid;

use crate::journal::Journal;
use crate::loopback::LoopbackServer;

pub use self::phone::{Direction, MessageState, PhoneMessage};
pub use self::webhook::WebhookAnswer;

use self::api::Fault;
use self::phone::Phonebook;
use self::webhook::Webhook;

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

/// Why a phone's text did not leave the phone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumerError {
    /// The number is not `+` and 7 to 15 digits (E.164).
    #[error("{0:?} is not a phone number: write + and 7 to 15 digits")]
    NotAPhone(String),
    /// There is nothing to send.
    #[error("an SMS needs a text")]
    EmptyText,
    /// The text is longer than [`MAX_TEXT_CHARS`].
    #[error("the text has {0} characters; an SMS takes at most {MAX_TEXT_CHARS}")]
    TextTooLong(usize),
    /// No phone has sent a message with this id.
    #[error("no phone has sent a message {0:?}")]
    UnknownMessage(String),
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
    webhook_url: watch::Sender<Option<Url>>,
    phonebook: Mutex<Phonebook>,
    /// The webhooks of each phone that wait for their turn.
    outboxes: Mutex<HashMap<String, mpsc::UnboundedSender<Webhook>>>,
    faults: Mutex<VecDeque<Fault>>,
    changes: broadcast::Sender<PhoneChange>,
}

impl SmsGateway {
    /// Starts the gateway on a loopback port. Webhooks wait until [`SmsGateway::set_webhook_url`] is called.
    ///
    /// # Errors
    /// [`StartError`] when the port cannot be opened or the HTTP client cannot be made.
    pub async fn start(options: SmsGatewayOptions) -> Result<Self, StartError> {
        let port = options.port;
        let account = Arc::new(Account {
            options,
            client: webhook::client()?,
            webhook_url: watch::Sender::new(None),
            phonebook: Mutex::default(),
            outboxes: Mutex::default(),
            faults: Mutex::default(),
            changes: broadcast::channel(1024).0,
        });
        let server = LoopbackServer::start(port, |_| api::router(Arc::clone(&account))).await?;
        Ok(Self { account, tasks: Arc::default(), server: Arc::new(server) })
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

    /// A consumer writes: the text appears on the phone as [`MessageState::Sent`] and its webhook is queued behind the phone's
    /// earlier ones. Answers the message id. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ConsumerError`] when the number or the text is not one that a phone could send.
    pub fn consumer_sends(&self, phone: &str, text: &str) -> Result<String, ConsumerError> {
        // Locked before the text is on the phone, so that the webhooks leave in the order of the transcript.
        let mut outboxes = lock(&self.account.outboxes);
        let webhook = self.write_on_phone(phone, text)?;
        let id = webhook.id.clone();
        let outbox = outboxes.entry(phone.to_owned()).or_insert_with(|| {
            let (outbox, mut queued) = mpsc::unbounded_channel::<Webhook>();
            let account = Arc::clone(&self.account);
            self.spawn(async move {
                while let Some(webhook) = queued.recv().await {
                    account.deliver(&webhook).await;
                }
            });
            outbox
        });
        // The receiver lives as long as the tasks, and the tasks as long as this handle.
        let _ = outbox.send(webhook);
        Ok(id)
    }

    /// A consumer's texts whose webhooks are posted at the same moment, past the phone's queue: two gateway nodes race.
    /// Answers the message ids in the order of the texts. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ConsumerError`] as for [`SmsGateway::consumer_sends`]; then nothing at all is sent.
    pub fn consumer_sends_at_once(&self, phone: &str, texts: &[&str]) -> Result<Vec<String>, ConsumerError> {
        for text in texts {
            check(phone, text)?;
        }
        let webhooks = texts.iter().map(|text| self.write_on_phone(phone, text)).collect::<Result<Vec<_>, _>>()?;
        let ids = webhooks.iter().map(|webhook| webhook.id.clone()).collect();
        for webhook in webhooks {
            let account = Arc::clone(&self.account);
            self.spawn(async move { account.deliver(&webhook).await });
        }
        Ok(ids)
    }

    /// Posts the webhook of an earlier message again, `times` times at once, each with a fresh nonce and timestamp.
    /// There is no retry, and the message's state on the phone stays as it is.
    ///
    /// # Errors
    /// [`ConsumerError::UnknownMessage`] when no phone has sent the message.
    pub async fn repeat(&self, message_id: &str, times: u32) -> Result<Vec<WebhookAnswer>, ConsumerError> {
        let webhook = lock(&self.account.phonebook)
            .sent_by_phone(message_id)
            .map(|(phone, message)| self.webhook(&message.id, phone, &message.text, message.at))
            .ok_or_else(|| ConsumerError::UnknownMessage(message_id.to_owned()))?;
        Ok(self.post_times(&webhook, times).await)
    }

    /// Posts a webhook that no phone has sent, `times` times at once: any id, sender and text, correctly signed.
    /// There is no retry, and nothing is added to a phone.
    pub async fn post_raw(&self, id: &str, from: &str, text: &str, times: u32) -> Vec<WebhookAnswer> {
        self.post_times(&self.webhook(id, from, text, SystemClock.now()), times).await
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

    fn write_on_phone(&self, phone: &str, text: &str) -> Result<Webhook, ConsumerError> {
        check(phone, text)?;
        let message = PhoneMessage {
            id: format!("mo-{}", Uuid::new_v4()),
            direction: Direction::FromPhone,
            text: text.to_owned(),
            at: SystemClock.now(),
            state: MessageState::Sent,
            client_reference: None,
        };
        let webhook = self.webhook(&message.id, phone, text, message.at);
        self.account.options.journal.record("phone", "gateway", format!("SMS from {phone}"), Some(text.into()));
        self.account.add(phone, message);
        Ok(webhook)
    }

    fn webhook(&self, id: &str, from: &str, text: &str, received_at: jiff::Timestamp) -> Webhook {
        Webhook {
            id: id.to_owned(),
            from: from.to_owned(),
            to: self.number().to_owned(),
            text: text.to_owned(),
            received_at,
        }
    }

    async fn post_times(&self, webhook: &Webhook, times: u32) -> Vec<WebhookAnswer> {
        join_all((1..=times).map(|attempt| self.account.post(webhook, attempt))).await
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

impl Account {
    fn add(&self, phone: &str, message: PhoneMessage) {
        let change = PhoneChange { phone: phone.to_owned(), message_id: message.id.clone() };
        lock(&self.phonebook).add(phone, message);
        // No follower is not an error.
        let _ = self.changes.send(change);
    }

    fn set_state(&self, phone: &str, message_id: &str, state: MessageState) {
        lock(&self.phonebook).set_state(phone, message_id, state);
        let _ = self.changes.send(PhoneChange { phone: phone.to_owned(), message_id: message_id.to_owned() });
    }
}

fn check(phone: &str, text: &str) -> Result<(), ConsumerError> {
    if !phone::is_e164(phone) {
        return Err(ConsumerError::NotAPhone(phone.to_owned()));
    }
    if text.trim().is_empty() {
        return Err(ConsumerError::EmptyText);
    }
    match text.chars().count() {
        0..=MAX_TEXT_CHARS => Ok(()),
        length => Err(ConsumerError::TextTooLong(length)),
    }
}

/// A panic under one of these locks would leave a list of messages, which is still a list of messages.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
