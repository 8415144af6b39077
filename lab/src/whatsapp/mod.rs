//! The WhatsApp simulator: the consumers' phones and one number of the WhatsApp Cloud API.
//!
//! Like the real service it has two sides. A message from a phone is posted as a signed webhook until it is answered
//! 200. A message from the connector arrives over the Graph API and appears on the phone, and status webhooks report
//! its delivery. Like the real service it guarantees no order of webhooks and doesn't detect duplicates: a message that
//! is sent twice arrives twice, and a test can see it.

mod account;
mod channel;
mod consumer;
mod delivery;
mod graph;
mod media;
mod message_changes;
mod phone;
mod signature;
mod simulator;
mod subscription;
#[cfg(test)]
mod tests;
mod update;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use connector::port::Clock;
use connector_aws::SystemClock;
use futures::Stream;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;

use crate::channel::webhook_post;
pub use crate::channel::{ChannelStartError, SubscribeError, WebhookAnswer};
use crate::journal::Journal;
use crate::loopback::LoopbackServer;
pub use crate::phone::{
    ButtonMessage, Choice, ContactCard, Direction, Header, LinkMessage, ListMessage, ListRow, ListSection, Location,
    MediaFile, MediaKind, MediaMessage, MessageContent, MessageState, PhoneChange, PhoneMessage, Reaction, ReplyButton,
};

pub use self::consumer::WhatsAppConsumerError;
pub use self::graph::Operation;

pub use self::channel::{LINE, WhatsAppChannel};

use self::account::BusinessAccount;
use self::graph::{GraphAnswer, GraphError, GraphFault, Outcome};
use self::update::{DeliveryFailure, Status};

/// Its name in errors.
const NAME: &str = "WhatsApp";
/// The longest text to a phone in Unicode scalar values (Meta, "Text messages").
pub const MAX_TEXT_CHARS: usize = 4096;
/// The longest time for which a typing indicator is shown (Meta, "Typing indicators").
pub const TYPING_TIME: Duration = Duration::from_secs(25);

/// The options of a simulated WhatsApp Business account with one number.
#[derive(Debug, Clone)]
pub struct WhatsAppOptions {
    /// The port on 127.0.0.1 for the Graph API; 0 chooses a free port.
    pub port: u16,
    /// The number's id: the path segment before `/messages`, and the id in every webhook.
    pub phone_number_id: String,
    /// The number as webhooks show it: digits without a plus.
    pub display_phone_number: String,
    /// The id of the WhatsApp Business account.
    pub waba_id: String,
    /// The bearer token that the connector must send.
    pub access_token: SecretString,
    /// The key of the webhooks' HMAC-SHA256 signature.
    pub app_secret: SecretString,
    /// The token in the handshake, by which the connector recognizes its own subscription.
    pub verify_token: SecretString,
    /// The delay before the first retry of a webhook. Each further delay doubles. Meta documents no figure.
    pub retry_delay: Duration,
    /// The wire log.
    pub journal: Journal,
}

/// A running simulator with its phones. Clones share it. It stops when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct WhatsApp {
    account: Arc<BusinessAccount>,
    /// Kept so that the worker ends with the simulator.
    _worker: Arc<JoinSet<()>>,
    server: Arc<LoopbackServer>,
}

impl WhatsApp {
    /// Starts the simulator on a loopback port. Webhooks wait until [`WhatsApp::subscribe_webhook`] has accepted an
    /// address.
    ///
    /// # Errors
    /// [`ChannelStartError`] when the port can't be opened or the HTTP client can't be created.
    pub async fn start(options: WhatsAppOptions) -> Result<Self, ChannelStartError> {
        let port = options.port;
        let (jobs, queued) = mpsc::unbounded_channel();
        let account = Arc::new(BusinessAccount::new(
            options,
            webhook_post::client(delivery::ANSWER_TIMEOUT).map_err(|error| ChannelStartError::Client(NAME, error))?,
            jobs,
        ));
        let server = LoopbackServer::start(port, |stopped| graph::router(Arc::clone(&account), stopped))
            .await
            .map_err(|error| ChannelStartError::Listen(NAME, error))?;
        // It is new, so nobody has set it.
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

    /// Answers the next call of [`Operation::SendMessage`] like this, regardless of its content. Nothing arrives.
    /// Several calls queue up.
    pub fn fail_next(&self, status: StatusCode, headers: HeaderMap, body: impl Into<String>) {
        self.fail_next_at(Operation::SendMessage, status, headers, body);
    }

    /// Answers the next call of this operation like this, regardless of its content. Nothing is done. Several calls
    /// queue up.
    pub fn fail_next_at(&self, operation: Operation, status: StatusCode, headers: HeaderMap, body: impl Into<String>) {
        self.plan(operation, Outcome::Refuse(GraphAnswer::raw(status, headers, body)));
    }

    /// Refuses the next message with this code of Meta's and its HTTP status, for example 131056 (pair rate limit).
    /// Queues up with [`WhatsApp::fail_next`].
    pub fn refuse_next(&self, code: u32, details: &str) {
        let error = GraphError::new(code, details);
        self.plan(Operation::SendMessage, Outcome::Refuse(error.answer()));
    }

    /// Accepts the next valid message but answers like this, so that the caller can't tell it from a loss. Queues up
    /// with [`WhatsApp::fail_next`].
    pub fn accept_but_fail_next(&self, status: StatusCode, headers: HeaderMap, body: impl Into<String>) {
        self.plan(Operation::SendMessage, Outcome::AcceptButAnswer(GraphAnswer::raw(status, headers, body)));
    }

    /// Accepts the next valid message and never answers, so that the caller's timeout ends the call. Queues up with
    /// [`WhatsApp::fail_next`].
    pub fn accept_but_never_answer_next(&self) {
        self.plan(Operation::SendMessage, Outcome::AcceptInSilence);
    }

    /// Makes the delivery of the next accepted message fail: only a `failed` status with this code and title is
    /// reported, for example 131026 "Message undeliverable". Several calls queue up.
    pub fn fail_delivery_next(&self, code: u32, title: &str) {
        self.account.delivery_failures.lock().push_back(DeliveryFailure { code, title: title.to_owned() });
    }

    /// Sets whether messages reach their phone when they are accepted (the default). If not, they wait as `sent` for
    /// [`WhatsApp::phone_receives`] or [`WhatsApp::consumer_reads`], as if the phones were switched off.
    pub fn set_automatic_delivery(&self, delivers: bool) {
        self.account.settings.lock().delivers = delivers;
    }

    /// Delivers the phone's waiting messages, as if it were online again. Returns their number.
    pub fn phone_receives(&self, phone: &str) -> usize {
        self.account.report_all(phone, |state| (*state == MessageState::Sent).then_some(Status::Delivered))
    }

    /// Marks every message on the phone as read, as if the consumer opened the chat. Returns the number of new ones. As
    /// documented, a message that arrives in an open chat is reported as `read` alone.
    pub fn consumer_reads(&self, phone: &str) -> usize {
        self.account.report_all(phone, |state| match state {
            MessageState::Sent => Some(Status::Read { skipped_delivered: true }),
            MessageState::Delivered => Some(Status::Read { skipped_delivered: false }),
            MessageState::Accepted | MessageState::Read | MessageState::Failed(_) => None,
        })
    }

    /// Closes the 24-hour window. Until the consumer's next message, messages to the phone are refused with 131047.
    pub fn close_window(&self, phone: &str) {
        if let Some(phone) = self.account.phonebook().get_mut(phone) {
            phone.last_written = None;
        }
    }

    /// Sets whether a message outside the 24 hours is accepted and reported as `failed` with 131047 later. By default
    /// it is refused with 131047. Meta does both.
    pub fn set_window_fails_later(&self, later: bool) {
        self.account.settings.lock().window_fails_later = later;
    }

    /// Allows only these numbers as recipients, as for a test number. Others are refused with 131030. `None` allows
    /// all.
    pub fn set_allowed_recipients(&self, phones: Option<Vec<String>>) {
        self.account.settings.lock().allowed = phones;
    }

    /// Signs every webhook with another app secret, starting with its next attempt.
    pub fn set_app_secret(&self, secret: SecretString) {
        self.account.settings.lock().app_secret = secret;
    }

    /// Accepts only these access tokens from now on: two of them during a rotation.
    pub fn set_access_tokens(&self, tokens: Vec<SecretString>) {
        self.account.settings.lock().access_tokens = tokens;
    }

    /// Sets the lifetime of new links to files; 5 minutes by default.
    pub fn set_media_url_lifetime(&self, lifetime: Duration) {
        self.account.settings.lock().media_url_lifetime = lifetime;
    }

    /// Sets the timeout for the connector's answer to a webhook; 10 s by default.
    pub fn set_answer_timeout(&self, timeout: Duration) {
        self.account.settings.lock().answer_timeout = timeout;
    }

    /// Sets whether a phone's later webhooks wait for retries of its earlier ones. By default they don't, because Meta
    /// promises no order, and a message whose webhook had to be retried is overtaken.
    pub fn set_retries_in_line(&self, in_line: bool) {
        self.account.settings.lock().retries_in_line = in_line;
    }

    /// The numbers of all known phones, oldest first.
    pub fn phones(&self) -> Vec<String> {
        self.account.phonebook().numbers()
    }

    /// The transcript of the phone, oldest first; empty for an unknown phone.
    pub fn transcript(&self, phone: &str) -> Vec<PhoneMessage> {
        self.account.phonebook().transcript(phone).to_vec()
    }

    /// The consumer's profile name; `None` for an unknown phone.
    pub fn profile_name(&self, phone: &str) -> Option<String> {
        self.account.phonebook().get(phone).map(|phone| phone.profile.name.clone())
    }

    /// Until when, at most, the phone shows that the business is typing; `None` when it doesn't.
    pub fn typing_until(&self, phone: &str) -> Option<Timestamp> {
        let until = self.account.phonebook().get(phone)?.typing_until;
        until.filter(|until| *until > SystemClock.now())
    }

    /// Follows the phones from now on. A follower that falls 1024 changes behind is notified and can read the
    /// transcripts.
    pub fn subscribe(&self) -> broadcast::Receiver<PhoneChange> {
        self.account.changes.subscribe()
    }

    /// Like [`WhatsApp::subscribe`], without details of the changes.
    pub fn changes(&self) -> impl Stream<Item = ()> + Send + use<> {
        BroadcastStream::new(self.subscribe()).map(|_| ())
    }

    /// Waits until the phone's transcript is as wanted, and returns it. There is no time limit: the caller sets the
    /// timeout.
    pub async fn wait_for(&self, phone: &str, wanted: impl Fn(&[PhoneMessage]) -> bool) -> Vec<PhoneMessage> {
        crate::phone::wait_for(self.subscribe(), || self.transcript(phone), wanted).await
    }

    /// Waits until the phone shows the typing indicator (`true`) or doesn't (`false`). There is no time limit: the
    /// caller sets the timeout.
    pub async fn wait_for_typing(&self, phone: &str, is_typing: bool) {
        let mut changes = self.subscribe();
        while self.typing_until(phone).is_some() != is_typing {
            let _ = changes.recv().await;
        }
    }

    fn plan(&self, operation: Operation, outcome: Outcome) {
        self.account.faults.lock().push_back(GraphFault { operation, outcome });
    }
}
