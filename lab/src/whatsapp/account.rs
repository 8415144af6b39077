//! What the Graph API, the webhooks and the consumers' phones share.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connector::port::{Clock, SystemClock};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::{broadcast, mpsc, watch};
use url::Url;
use uuid::Uuid;

use super::delivery::{ANSWER_TIMEOUT, Job};
use super::graph::Fault;
use super::media::MediaStore;
use super::phone::{Direction, MessageState, Phone, PhoneMessage, Phonebook};
use super::update::{self, DeliveryFailure, Status, Update};
use super::{PhoneChange, WhatsAppOptions, lock};

/// How long a link to a file is good, where no other time is set (Meta, "Media", download media).
const MEDIA_URL_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// One WhatsApp Business account with one number.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) options: WhatsAppOptions,
    pub(super) client: reqwest::Client,
    /// The simulator's own address, known once it listens.
    pub(super) base_url: OnceLock<String>,
    pub(super) webhook_url: watch::Sender<Option<Url>>,
    pub(super) settings: Mutex<Settings>,
    pub(super) media: Mutex<MediaStore>,
    pub(super) faults: Mutex<VecDeque<Fault>>,
    /// What becomes of the next messages that are accepted.
    pub(super) delivery_failures: Mutex<VecDeque<DeliveryFailure>>,
    pub(super) jobs: mpsc::UnboundedSender<Job>,
    pub(super) changes: broadcast::Sender<PhoneChange>,
    /// Locked before the phonebook wherever both are.
    outgoing: Mutex<Outgoing>,
    phonebook: Mutex<Phonebook>,
}

/// What can be set while the simulator runs.
#[derive(Debug)]
pub(super) struct Settings {
    /// The key of the webhooks' signature. It can be rotated, as the tokens can.
    pub(super) app_secret: SecretString,
    /// Every one of them is taken.
    pub(super) access_tokens: Vec<SecretString>,
    pub(super) answer_timeout: Duration,
    pub(super) media_url_lifetime: Duration,
    /// Whether messages reach their phone at once.
    pub(super) delivers: bool,
    /// Whether a phone's later webhooks wait for the retries of the earlier ones.
    pub(super) retries_in_line: bool,
    /// Whether a message outside the window is accepted and fails afterwards, instead of being refused.
    pub(super) window_fails_later: bool,
    /// The only numbers that can be written to; `None` for everyone.
    pub(super) allowed: Option<Vec<String>>,
}

/// What leaves or has left for the connector.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// The updates that are held back, while they are.
    pub(super) held: Option<Vec<Update>>,
    /// Every update there was, by message.
    made: HashMap<String, Vec<Update>>,
}

impl Account {
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

    /// To be held from before a message is on the phone until its update is sent, so that both have the same order.
    pub(super) fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        lock(&self.outgoing)
    }

    pub(super) fn phonebook(&self) -> MutexGuard<'_, Phonebook> {
        lock(&self.phonebook)
    }

    pub(super) fn send_out(&self, outgoing: &mut Outgoing, update: Update) {
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

    /// A consumer's message: on the phone, and on its way to the connector.
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

    /// A message from the connector: taken, reported, and on the phone if nothing is set against it.
    pub(super) fn add_to_phone(&self, number: &str, message: PhoneMessage) {
        let what = format!("{} to {number}", message.content.kind());
        self.options.journal.record("whatsapp", "phone", what, Some(message.text().into()));
        let scripted = lock(&self.delivery_failures).pop_front();
        let is_open = self.phonebook().get(number).is_some_and(|phone| phone.is_window_open(SystemClock.now()));
        let too_late = || DeliveryFailure { code: 131_047, title: "Re-engagement message".to_owned() };
        let failure = scripted.or_else(|| (!is_open).then(too_late));
        let delivers = lock(&self.settings).delivers;
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

    /// Moves a message from the connector on, and tells the connector.
    pub(super) fn report(&self, outgoing: &mut Outgoing, number: &str, message_id: &str, status: Status) {
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

    /// Moves the messages to the phone in these states on. Answers how many there were.
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
        let has_changed = self.phonebook().get_mut(number).is_some_and(|phone| {
            let message = phone.messages.iter_mut().find(|message| message.id == message_id);
            message.is_some_and(|message| message.advance(state))
        });
        if has_changed {
            self.notify(number, Some(message_id.to_owned()));
        }
    }

    /// Every update there was for a message, oldest first.
    pub(super) fn updates_of(&self, message_id: &str) -> Vec<Update> {
        self.outgoing().made.get(message_id).cloned().unwrap_or_default()
    }

    /// Ends the typing indicator that lasts until `at`; one that was started since goes on.
    pub(super) fn end_typing(&self, number: &str, at: Timestamp) {
        let ended = |phone: &mut Phone| phone.typing_until.take_if(|until| *until <= at).is_some();
        if self.phonebook().get_mut(number).is_some_and(ended) {
            self.notify(number, None);
        }
    }

    /// No follower is not an error.
    pub(super) fn notify(&self, phone: &str, message_id: Option<String>) {
        let _ = self.changes.send(PhoneChange { phone: phone.to_owned(), message_id });
    }
}

/// An id as WhatsApp gives them to messages.
pub(super) fn new_message_id() -> String {
    let bytes = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    format!("wamid.{}", STANDARD.encode(bytes))
}
