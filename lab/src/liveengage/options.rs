//! What a simulator is started with: accounts, their app installs, and the switches of a drill.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use url::Url;

use super::forms::Forms;
use super::signature::SignatureForm;
use super::survey::SurveyOptions;
use super::webhooks::{SlowRule, WebhookChaos};
use crate::journal::Journal;

/// The longest retention that an app install can have: 3 days.
const LONGEST_RETENTION: Duration = Duration::from_secs(259_200);

/// How a simulator is started.
#[derive(Debug, Clone)]
pub struct LiveEngageOptions {
    /// The accounts it plays. Every other account is unknown to all its services.
    pub accounts: Vec<AccountOptions>,
    /// The loopback port, 0 for a free one.
    pub port: u16,
    /// Where calls and webhooks are recorded. Tokens and secrets never are.
    pub journal: Journal,
    /// How long an AppJWT lives. The documented tokens live 3600 s.
    pub app_token_lifetime: Duration,
    /// Whether a call that changes a conversation is answered only after its webhooks were tried once. LivePerson may do
    /// either; `true` forces the overtaking that a connector has to stand.
    pub webhooks_before_response: bool,
    /// How long a webhook endpoint may take to accept the connection, and again to answer. LivePerson documents 5 s.
    pub webhook_timeout: Duration,
    /// How long the URL of an upload or download works, counted in whole seconds. LivePerson documents about a minute.
    pub file_url_lifetime: Duration,
    /// How soon the first SEND must follow the opening call if automatic messages are to come: LivePerson documents 10 s.
    /// The journal says when it did not.
    pub first_send_within: Duration,
    /// How answers and notifications look. [`super::LiveEngageSimulator::set_forms`] can change it later.
    pub forms: Forms,
}

impl Default for LiveEngageOptions {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            port: 0,
            journal: Journal::default(),
            app_token_lifetime: Duration::from_secs(3600),
            webhooks_before_response: false,
            webhook_timeout: Duration::from_secs(5),
            file_url_lifetime: Duration::from_secs(60),
            first_send_within: Duration::from_secs(10),
            forms: Forms::newest(),
        }
    }
}

/// One account with its app install.
#[derive(Debug, Clone)]
pub struct AccountOptions {
    /// The account id, also called brand id or site id.
    pub account_id: String,
    /// The id of the app install.
    pub client_id: String,
    /// The secret of the app install: it buys AppJWTs and is the key of the webhook signature.
    pub client_secret: SecretString,
    /// How webhooks are signed.
    pub signature: SignatureForm,
    /// Where webhooks go from the start. [`super::LiveEngageSimulator::set_webhooks`] can set or change it later.
    pub webhooks: WebhookSettings,
    /// The survey that follows a conversation when its main dialog closes, if an agent has it and every call declared
    /// MULTI_DIALOG. [`super::LiveEngageSimulator::set_survey`] can change it later.
    pub survey: Option<SurveyOptions>,
    /// Whether conversations can be rated by `CSATRate`, as they were before surveys came.
    pub legacy_csat: bool,
    /// Whether documents can be sent besides images, which raises the longest file from 3 MB to 5 MB.
    pub file_sharing: bool,
    /// What the controller bot says when a conversation opens whose call declared AUTO_MESSAGES.
    pub auto_messages: Option<String>,
}

impl AccountOptions {
    /// An account that signs in the documented default form and has no webhook endpoint yet.
    pub fn new(account_id: &str, client_id: &str, client_secret: &str) -> Self {
        Self {
            account_id: account_id.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: SecretString::from(client_secret),
            signature: SignatureForm::default(),
            webhooks: WebhookSettings::default(),
            survey: None,
            legacy_csat: false,
            file_sharing: false,
            auto_messages: None,
        }
    }
}

/// What LivePerson has switched on for an account.
#[derive(Debug, Clone, Default)]
pub(super) struct Features {
    pub(super) survey: Option<Arc<SurveyOptions>>,
    pub(super) legacy_csat: bool,
    pub(super) file_sharing: bool,
    pub(super) auto_messages: Option<String>,
}

impl From<&AccountOptions> for Features {
    fn from(account: &AccountOptions) -> Self {
        Self {
            survey: account.survey.clone().map(Arc::new),
            legacy_csat: account.legacy_csat,
            file_sharing: account.file_sharing,
            auto_messages: account.auto_messages.clone(),
        }
    }
}

/// The events that an app install can have sent to it, each with its own key and endpoint in the install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookEvent {
    /// `ms.MessagingEventNotification.ContentEvent`: a text, by any participant.
    Content,
    /// `ms.MessagingEventNotification.RichContentEvent`: a card, by the agent or a bot.
    RichContent,
    /// `ms.MessagingEventNotification.AcceptStatusEvent`: delivered, read, refused, answered.
    AcceptStatus,
    /// `ms.MessagingEventNotification.ChatStateEvent`: typing and presence.
    ChatState,
    /// `cqm.ExConversationChangeNotification`: created, agent joined, closed.
    ExConversation,
}

impl WebhookEvent {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Content, Self::RichContent, Self::AcceptStatus, Self::ChatState, Self::ExConversation];

    /// The short name that the journal shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Content => "ContentEvent",
            Self::RichContent => "RichContentEvent",
            Self::AcceptStatus => "AcceptStatusEvent",
            Self::ChatState => "ChatStateEvent",
            Self::ExConversation => "ExConversationChange",
        }
    }
}

/// The webhook part of an app install.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Where each event goes. An event without an endpoint is not sent.
    pub endpoints: BTreeMap<WebhookEvent, Url>,
    /// Constant headers on each call, as name and value.
    pub headers: Vec<(String, String)>,
    /// How long a failed notification is retried (`retention_time`), or `None` to go by [`max_retries`](Self::max_retries): without
    /// either, LivePerson drops it after the first failure. The failure holds back all notifications of the install, see
    /// [`super::InstallState`]. Documented range: 2 s to 259200 s.
    pub retention: Option<Duration>,
    /// How often a failed notification is sent again, per event: `max_retries`, 0 to 5, and more counts as 5. An event that is not
    /// here has none. Each retries for itself, so later notifications may overtake it.
    ///
    /// Beside a [`retention`](Self::retention) it has no effect, except that 0 exempts the event: its failure does not fail the
    /// install, and it is dropped. While the install is failed already, it is stored like all others.
    pub max_retries: BTreeMap<WebhookEvent, u8>,
    /// The pause before each retry that is counted by `max_retries`. LivePerson documents 30 s.
    pub retry_gap: Duration,
    /// The pause before the first retry within the retention. LivePerson documents 2, 4, 8 ... s.
    pub first_retry_after: Duration,
    /// The longest that this pause becomes, which doubles with every further failure. LivePerson documents 5 minutes.
    pub longest_retry_pause: Duration,
    /// How long a notification waits, while the install is [`super::InstallState::Recovered`], for the stored ones of its conversation.
    /// Then it goes before them. LivePerson documents 4 s.
    pub drain_wait: Duration,
    /// When an endpoint is so slow that the app install is disabled. `None` is never, as an endpoint may also be left alone.
    pub slow_endpoint: Option<SlowRule>,
    /// Disorder for a drill: notifications that come twice, swapped or late.
    pub chaos: Option<WebhookChaos>,
    /// Collects, for this long, the following changes of the same event and conversation into one notification. `None`
    /// sends each change on its own. LivePerson documents that a notification may hold several, not when.
    pub batch_window: Option<Duration>,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            endpoints: BTreeMap::new(),
            headers: Vec::new(),
            retention: Some(LONGEST_RETENTION),
            max_retries: BTreeMap::new(),
            retry_gap: Duration::from_secs(30),
            first_retry_after: Duration::from_secs(2),
            longest_retry_pause: Duration::from_secs(300),
            drain_wait: Duration::from_secs(4),
            slow_endpoint: None,
            chaos: None,
            batch_window: None,
        }
    }
}

impl WebhookSettings {
    /// All events to one endpoint, with the longest retention.
    pub fn to(endpoint: &Url) -> Self {
        let endpoints = WebhookEvent::ALL.into_iter().map(|event| (event, endpoint.clone())).collect();
        Self { endpoints, ..Self::default() }
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken or may not be opened.
    #[error("the LiveEngage simulator cannot listen on 127.0.0.1:{port}: {cause}")]
    Listen {
        /// The port that was asked for.
        port: u16,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// No RSA key could be made for the tokens.
    #[error("the LiveEngage simulator could not make an RSA key for its tokens")]
    Key,
    /// The client for the webhooks could not be made.
    #[error("the LiveEngage simulator could not make its webhook client: {0}")]
    WebhookClient(reqwest::Error),
    /// One account id was given twice.
    #[error("account {0} was given twice to the LiveEngage simulator")]
    AccountTwice(String),
}
