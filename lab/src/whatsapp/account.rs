//! The shared state of the Graph API, the webhooks and the consumers' phones.

use std::collections::{HashMap, VecDeque};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector::port::Clock;
use connector_aws::SystemClock;
use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::{broadcast, mpsc, watch};
use url::Url;
use uuid::Uuid;

use super::WhatsAppOptions;
use super::delivery::{ANSWER_TIMEOUT, Job};
use super::graph::GraphFault;
use super::media::MediaStore;
use super::phone::{WhatsAppPhone, WhatsAppPhonebook, is_window_open};
use super::update::{self, DeliveryFailure, Status, Update};
use crate::phone::{Direction, MessageState, PhoneChange, PhoneMessage};

/// The default lifetime of a link to a file (Meta, "Media", download media).
const MEDIA_URL_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// A WhatsApp Business account with one number.
#[derive(Debug)]
pub(super) struct BusinessAccount {
    pub(super) options: WhatsAppOptions,
    pub(super) client: reqwest::Client,
    /// The simulator's address, set when it listens.
    pub(super) base_url: OnceLock<String>,
    pub(super) webhook_url: watch::Sender<Option<Url>>,
    pub(super) settings: Mutex<Settings>,
    pub(super) media: Mutex<MediaStore>,
    pub(super) faults: Mutex<VecDeque<GraphFault>>,
    /// How the next accepted messages fail.
    pub(super) delivery_failures: Mutex<VecDeque<DeliveryFailure>>,
    pub(super) jobs: mpsc::UnboundedSender<Job>,
    pub(super) changes: broadcast::Sender<PhoneChange>,
    /// If both are locked, this is locked before the phonebook.
    outgoing: Mutex<UpdateLog>,
    phonebook: Mutex<WhatsAppPhonebook>,
}

/// Settings that can change while the simulator runs.
#[derive(Debug)]
pub(super) struct Settings {
    /// The key of the webhooks' signature. Like the tokens, it can be rotated.
    pub(super) app_secret: SecretString,
    /// All of these are accepted.
    pub(super) access_tokens: Vec<SecretString>,
    pub(super) answer_timeout: Duration,
    pub(super) media_url_lifetime: Duration,
    /// Whether messages reach their phone at once.
    pub(super) delivers: bool,
    /// Whether a phone's later webhooks wait for retries of earlier ones.
    pub(super) retries_in_line: bool,
    /// Whether a message outside the window is accepted and fails later, instead of being refused.
    pub(super) window_fails_later: bool,
    /// The only numbers that can be recipients; `None` for all.
    pub(super) allowed: Option<Vec<String>>,
}

/// The updates for the connector.
#[derive(Debug, Default)]
pub(super) struct UpdateLog {
    /// The held-back updates; `None` if updates are not held back.
    pub(super) held: Option<Vec<Update>>,
    /// Every update so far, by message.
    made: HashMap<String, Vec<Update>>,
}

impl BusinessAccount {
    pub(super) fn new(options: WhatsAppOptions, client: reqwest::Client, jobs: mpsc::UnboundedSender<Job>) -> Self {
        Self {
            client,
            base_url: OnceLock::new(),
            webhook_url: watch::Sender::new(None),
            settings: Mutex::new(Settings {
                app_secret: options.app_secret.clone(),
                access_tokens: vec![options.access_token.clone()],
                answer_timeout: ANSWER_TIMEOUT,
                media_url_lifetime: MEDIA_URL_LIFETIME,
                delivers: true,
                retries_in_line: false,
                window_fails_later: false,
                allowed: None,
            }),
            options,
            media: Mutex::default(),
            faults: Mutex::default(),
            delivery_failures: Mutex::default(),
            jobs,
            changes: broadcast::channel(1024).0,
            outgoing: Mutex::default(),
            phonebook: Mutex::default(),
        }
    }

    /// Must be held from before a message is added to the phone until its update is sent, so that both have the same
    /// order.
    pub(super) fn outgoing(&self) -> MutexGuard<'_, UpdateLog> {
        self.outgoing.lock()
    }

    pub(super) fn phonebook(&self) -> MutexGuard<'_, WhatsAppPhonebook> {
        self.phonebook.lock()
    }

    pub(super) fn send_out(&self, outgoing: &mut UpdateLog, update: Update) {
        outgoing.made.entry(update.message_id.clone()).or_default().push(update.clone());
        match &mut outgoing.held {
            Some(held) => held.push(update),
            None => self.start(Job::InLine(update)),
        }
    }

    /// The worker lives as long as the handle.
    pub(super) fn start(&self, job: Job) {
        let _ = self.jobs.send(job);
    }

    /// Adds a consumer's message to the phone and sends its update.
    pub(super) fn add_from_phone(&self, number: &str, message: PhoneMessage, fields: Value) {
        let what = format!("{} from {number}", message.content.kind());
        self.options.journal.record("phone", "whatsapp", what, Some(message.text().into()));
        let mut outgoing = self.outgoing();
        let id = message.id.clone();
        let update = {
            let mut phonebook = self.phonebook();
            let phone = phonebook.entry(number);
            phone.last_written = Some(message.at);
            let update = update::incoming(phone, &message, fields, &self.options.display_phone_number);
            phone.messages.push(message);
            update
        };
        self.notify(number, Some(id));
        self.send_out(&mut outgoing, update);
    }

    /// Adds a message from the connector: accepts it, reports it, and delivers it unless a failure is set.
    pub(super) fn add_to_phone(&self, number: &str, message: PhoneMessage) {
        let what = format!("{} to {number}", message.content.kind());
        self.options.journal.record("whatsapp", "phone", what, Some(message.text().into()));
        let scripted = self.delivery_failures.lock().pop_front();
        let is_open = self.phonebook().get(number).is_some_and(|phone| is_window_open(phone, SystemClock.now()));
        let too_late = || DeliveryFailure { code: 131_047, title: "Re-engagement message".to_owned() };
        let failure = scripted.or_else(|| (!is_open).then(too_late));
        let delivers = self.settings.lock().delivers;
        let id = message.id.clone();
        let mut outgoing = self.outgoing();
        {
            let mut phonebook = self.phonebook();
            let phone = phonebook.entry(number);
            phone.typing_until = None;
            phone.messages.push(message);
        }
        self.notify(number, Some(id.clone()));
        match failure {
            Some(failure) => self.report(&mut outgoing, number, &id, Status::Failed(failure)),
            None => {
                self.report(&mut outgoing, number, &id, Status::Sent);
                if delivers {
                    self.report(&mut outgoing, number, &id, Status::Delivered);
                }
            }
        }
    }

    /// Advances the state of a message from the connector, and reports it.
    pub(super) fn report(&self, outgoing: &mut UpdateLog, number: &str, message_id: &str, status: Status) {
        let update = {
            let mut phonebook = self.phonebook();
            let Some(phone) = phonebook.get_mut(number) else { return };
            let Some(message) = phone.messages.iter_mut().find(|message| message.id == message_id) else { return };
            match &status {
                Status::Sent => {}
                Status::Delivered => _ = message.advance(MessageState::Delivered),
                Status::Read { .. } => _ = message.advance(MessageState::Read),
                Status::Failed(failure) => {
                    let reason = format!("{} {}", failure.code, failure.title);
                    message.advance(MessageState::Failed(reason));
                }
            }
            let message = message.clone();
            update::status(phone, &message, &status, SystemClock.now())
        };
        self.notify(number, Some(message_id.to_owned()));
        self.send_out(outgoing, update);
    }

    /// Advances the messages to the phone that are in one of these states. Returns their number.
    pub(super) fn report_all(&self, number: &str, status: impl Fn(&MessageState) -> Option<Status>) -> usize {
        let mut outgoing = self.outgoing();
        let due: Vec<(String, Status)> = self.phonebook().get(number).map_or_else(Vec::new, |phone| {
            let to_phone = phone.messages.iter().filter(|message| message.direction == Direction::ToPhone);
            to_phone.filter_map(|message| Some((message.id.clone(), status(&message.state)?))).collect()
        });
        let count = due.len();
        for (id, status) in due {
            self.report(&mut outgoing, number, &id, status);
        }
        count
    }

    pub(super) fn set_state(&self, number: &str, message_id: &str, state: MessageState) {
        let has_changed = self.phonebook().advance(number, message_id, state);
        if has_changed {
            self.notify(number, Some(message_id.to_owned()));
        }
    }

    /// Every update for a message so far, oldest first.
    pub(super) fn updates_of(&self, message_id: &str) -> Vec<Update> {
        self.outgoing().made.get(message_id).cloned().unwrap_or_default()
    }

    /// Ends the typing indicator that lasts until `at`. A newer one continues.
    pub(super) fn end_typing(&self, number: &str, at: Timestamp) {
        let ended = |phone: &mut WhatsAppPhone| phone.typing_until.take_if(|until| *until <= at).is_some();
        if self.phonebook().get_mut(number).is_some_and(ended) {
            self.notify(number, None);
        }
    }

    /// Having no follower is not an error.
    pub(super) fn notify(&self, phone: &str, message_id: Option<String>) {
        let _ = self.changes.send(PhoneChange { phone: phone.to_owned(), message_id });
    }
}

/// A message id in WhatsApp's format.
pub(super) fn new_message_id() -> String {
    let bytes = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    format!("wamid.{}", STANDARD.encode(bytes))
}
