//! The WhatsApp simulator: the consumer phones behind one number of the WhatsApp Cloud API.
//!
//! It has the two sides of the real one. What a phone sends goes out as a signed webhook, and is posted again until it is
//! answered 200. What the connector sends comes in over the Graph API and appears on the phone; what becomes of it goes out as
//! status webhooks. Like the real one it promises no order between webhooks and does not look for doubles: what is sent twice
//! arrives twice, and a test can see it.

mod account;
mod consumer;
mod content;
mod delivery;
mod graph;
mod media;
mod page_phones;
mod phone;
mod signature;
mod subscription;
#[cfg(test)]
mod tests;
mod update;
mod webhooks;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use connector::port::{Clock, SystemClock};
use futures::Stream;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;

use crate::journal::Journal;
use crate::loopback::LoopbackServer;

pub use self::consumer::ConsumerError;
pub use self::content::{
    ButtonMessage, Choice, ContactCard, Header, LinkMessage, ListMessage, ListRow, ListSection, Location, MediaFile,
    MediaKind, MediaMessage, MessageContent, Reaction, ReplyButton,
};
pub use self::delivery::WebhookAnswer;
pub use self::graph::Operation;
pub use self::phone::{Direction, MessageState, PhoneMessage};
pub use self::subscription::SubscribeError;

pub(crate) use self::signature::sign;

use self::account::Account;
use self::graph::{Answer, Fault, GraphError, Outcome};
use self::update::{DeliveryFailure, Status};

/// Longest text to a phone in Unicode scalar values (Meta, "Text messages").
pub const MAX_TEXT_CHARS: usize = 4096;
/// How long a typing indicator is shown at most (Meta, "Typing indicators").
pub const TYPING_TIME: Duration = Duration::from_secs(25);

/// How one simulated WhatsApp Business account with one number is set up.
#[derive(Debug, Clone)]
pub struct WhatsAppOptions {
    /// Port on 127.0.0.1 for the Graph API; 0 takes a free one.
    pub port: u16,
    /// The number's id: the path segment in front of `/messages`, and the id in every webhook.
    pub phone_number_id: String,
    /// The number as webhooks show it: digits without a plus.
    pub display_phone_number: String,
    /// The id of the WhatsApp Business account.
    pub waba_id: String,
    /// Bearer token that the connector must show.
    pub access_token: SecretString,
    /// Key of the HMAC-SHA256 that signs the webhooks.
    pub app_secret: SecretString,
    /// What the handshake shows, so that the connector knows that the subscription is its own.
    pub verify_token: SecretString,
    /// Wait before the first retry of a webhook; every further wait is twice as long. Meta documents no figure.
    pub retry_delay: Duration,
    /// Where the calls are written down.
    pub journal: Journal,
}

/// Something changed on a phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneChange {
    /// The phone's number.
    pub phone: String,
    /// The message that is new or has a new state; `None` when the typing indicator or the profile changed.
    pub message_id: Option<String>,
}

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken or not allowed.
    #[error("the WhatsApp simulator cannot listen on 127.0.0.1: {0}")]
    Listen(#[from] std::io::Error),
    /// The HTTP client for the webhooks could not be made.
    #[error("the WhatsApp simulator has no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// A running simulator with its phones. Clones share it; it stops when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct WhatsApp {
    account: Arc<Account>,
    /// Kept for what ends with it.
    _worker: Arc<JoinSet<()>>,
    server: Arc<LoopbackServer>,
}

impl WhatsApp {
    /// Starts the simulator on a loopback port. Webhooks wait until [`WhatsApp::subscribe_webhook`] has taken an address.
    ///
    /// # Errors
    /// [`StartError`] when the port cannot be opened or the HTTP client cannot be made.
    pub async fn start(options: WhatsAppOptions) -> Result<Self, StartError> {
        let port = options.port;
        let (jobs, queued) = mpsc::unbounded_channel();
        let account = Arc::new(Account::new(options, delivery::client()?, jobs));
        let server = LoopbackServer::start(port, |stopped| graph::router(Arc::clone(&account), stopped)).await?;
        // It is new, so nobody can have set it.
        let _ = account.base_url.set(server.url());
        let mut worker = JoinSet::new();
        worker.spawn(delivery::work(Arc::clone(&account), queued));
        Ok(Self { account, _worker: Arc::new(worker), server: Arc::new(server) })
    }

    /// The Graph API's address without a version and without a trailing slash, for example `http://127.0.0.1:40111`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The id of the account's number.
    pub fn phone_number_id(&self) -> &str {
        &self.account.options.phone_number_id
    }

    /// The account's number, digits without a plus.
    pub fn display_phone_number(&self) -> &str {
        &self.account.options.display_phone_number
    }

    /// The next call of [`Operation::SendMessage`] is answered like this, whatever it holds, and nothing arrives. Several
    /// calls queue up.
    pub fn fail_next(&self, status: StatusCode, headers: HeaderMap, body: impl Into<String>) {
        self.fail_next_at(Operation::SendMessage, status, headers, body);
    }

    /// The next call of this operation is answered like this, whatever it holds, and nothing is done. Several calls queue up.
    pub fn fail_next_at(&self, operation: Operation, status: StatusCode, headers: HeaderMap, body: impl Into<String>) {
        self.plan(operation, Outcome::Refuse(Answer::raw(status, headers, body)));
    }

    /// The next message is refused with this code of Meta's, in the body and with the HTTP status that Meta gives it, for
    /// example 131056 (pair rate limit). Queues up with [`WhatsApp::fail_next`].
    pub fn refuse_next(&self, code: u32, details: &str) {
        let error = GraphError::new(code, details);
        self.plan(Operation::SendMessage, Outcome::Refuse(error.answer()));
    }

    /// The next valid message is accepted and answered like this all the same: the outcome that a caller cannot tell from a
    /// loss. Queues up with [`WhatsApp::fail_next`].
    pub fn accept_but_fail_next(&self, status: StatusCode, headers: HeaderMap, body: impl Into<String>) {
        self.plan(Operation::SendMessage, Outcome::AcceptButAnswer(Answer::raw(status, headers, body)));
    }

    /// The next valid message is accepted and never answered: the caller's own timeout ends the call. Queues up with
    /// [`WhatsApp::fail_next`].
    pub fn accept_but_never_answer_next(&self) {
        self.plan(Operation::SendMessage, Outcome::AcceptInSilence);
    }

    /// The next message that is accepted doesn't reach its phone: a `failed` status with this code and title is all that is
    /// reported, for example 131026 "Message undeliverable". Several calls queue up.
    pub fn fail_delivery_next(&self, code: u32, title: &str) {
        lock(&self.account.delivery_failures).push_back(DeliveryFailure { code, title: title.to_owned() });
    }

    /// Whether messages reach their phone as soon as they are accepted (as at the start), or wait as `sent` for
    /// [`WhatsApp::phone_receives`] or [`WhatsApp::consumer_reads`]: the phones are switched off.
    pub fn set_automatic_delivery(&self, delivers: bool) {
        lock(&self.account.settings).delivers = delivers;
    }

    /// The phone is reachable: what waits for it arrives. Answers how many messages that are.
    pub fn phone_receives(&self, phone: &str) -> usize {
        self.account.report_all(phone, |state| (*state == MessageState::Sent).then_some(Status::Delivered))
    }

    /// The consumer opens the chat: every message that has come is read. Answers how many were new. As documented, a message
    /// that arrives in the open chat is reported as `read` alone.
    pub fn consumer_reads(&self, phone: &str) -> usize {
        self.account.report_all(phone, |state| match state {
            MessageState::Sent => Some(Status::Read { skipped_delivered: true }),
            MessageState::Delivered => Some(Status::Read { skipped_delivered: false }),
            MessageState::Read | MessageState::Failed(_) => None,
        })
    }

    /// 24 hours pass since the consumer's last message: until the next one, messages to the phone are refused with 131047.
    pub fn close_window(&self, phone: &str) {
        if let Some(phone) = self.account.phonebook().get_mut(phone) {
            phone.last_written = None;
        }
    }

    /// Whether a message outside the 24 hours is accepted and reported as `failed` with 131047 afterwards, or refused with that at once, as
    /// at the start. Meta does both.
    pub fn set_window_fails_later(&self, later: bool) {
        lock(&self.account.settings).window_fails_later = later;
    }

    /// Only these numbers can be written to from now on, as with a test number; others are refused with 131030. `None` lifts it.
    pub fn set_allowed_recipients(&self, phones: Option<Vec<String>>) {
        lock(&self.account.settings).allowed = phones;
    }

    /// Signs every webhook with another app secret from its next try on.
    pub fn set_app_secret(&self, secret: SecretString) {
        lock(&self.account.settings).app_secret = secret;
    }

    /// Takes these access tokens from now on, and no other: two of them while they are rotated.
    pub fn set_access_tokens(&self, tokens: Vec<SecretString>) {
        lock(&self.account.settings).access_tokens = tokens;
    }

    /// How long a link to a file is good; 5 minutes at the start. Holds for links that are given out from now on.
    pub fn set_media_url_lifetime(&self, lifetime: Duration) {
        lock(&self.account.settings).media_url_lifetime = lifetime;
    }

    /// How long the connector may take to answer a webhook before it counts as unanswered; 10 s at the start.
    pub fn set_answer_timeout(&self, timeout: Duration) {
        lock(&self.account.settings).answer_timeout = timeout;
    }

    /// Whether the later webhooks of a phone wait for the retries of its earlier ones. At the start they don't, as Meta promises
    /// no order: a message whose webhook had to be retried is overtaken.
    pub fn set_retries_in_line(&self, in_line: bool) {
        lock(&self.account.settings).retries_in_line = in_line;
    }

    /// The numbers of all phones that were heard of, oldest first.
    pub fn phones(&self) -> Vec<String> {
        self.account.phonebook().numbers()
    }

    /// What the phone shows, oldest first; empty for a phone that nobody knows.
    pub fn transcript(&self, phone: &str) -> Vec<PhoneMessage> {
        self.account.phonebook().get(phone).map_or_else(Vec::new, |phone| phone.messages.clone())
    }

    /// The name that the consumer has given themselves; `None` for a phone that nobody knows.
    pub fn profile_name(&self, phone: &str) -> Option<String> {
        self.account.phonebook().get(phone).map(|phone| phone.profile.name.clone())
    }

    /// Until when the phone shows that the business is typing, at most; `None` when it doesn't show it.
    pub fn typing_until(&self, phone: &str) -> Option<Timestamp> {
        let until = self.account.phonebook().get(phone)?.typing_until;
        until.filter(|until| *until > SystemClock.now())
    }

    /// Follows the phones from now on. A follower that falls 1024 changes behind is told so and can read back.
    pub fn subscribe(&self) -> broadcast::Receiver<PhoneChange> {
        self.account.changes.subscribe()
    }

    /// The same as [`WhatsApp::subscribe`] for those who only want to know that something changed.
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

    /// Waits until the phone shows the typing indicator (`true`) or doesn't (`false`). Without a limit: the caller sets the
    /// timeout.
    pub async fn wait_for_typing(&self, phone: &str, is_typing: bool) {
        let mut changes = self.subscribe();
        while self.typing_until(phone).is_some() != is_typing {
            let _ = changes.recv().await;
        }
    }

    fn plan(&self, operation: Operation, outcome: Outcome) {
        lock(&self.account.faults).push_back(Fault { operation, outcome });
    }
}

/// A panic under one of these locks would leave a list of messages, which is still a list of messages.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
