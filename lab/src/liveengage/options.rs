//! The options of a simulator: accounts, their app installs, and switches.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::features::Features;
use super::forms::Forms;
use super::login::UserOptions;
use super::signature::SignatureForm;
use super::survey::SurveyOptions;
use super::webhooks::WebhookSettings;
use crate::journal::Journal;

/// The options of a simulator.
#[derive(Debug, Clone)]
pub struct LiveEngageOptions {
    /// The accounts. Every other account is unknown to all services.
    pub accounts: Vec<AccountOptions>,
    /// The loopback port; 0 for a free port.
    pub port: u16,
    /// The loopback port of the same services over TLS, with a certificate of a new authority: 0 for a free port, `None` for plain HTTP only.
    pub tls_port: Option<u16>,
    /// The wire log. It never contains tokens or secrets.
    pub journal: Journal,
    /// The lifetime of an AppJWT. LivePerson documents 3600 s.
    pub app_token_lifetime: Duration,
    /// The lifetime of an anonymous consumer's token in whole seconds. LivePerson documents ten minutes.
    pub anonymous_token_lifetime: Duration,
    /// Whether a call that changes a conversation is answered only after its webhooks were attempted once. LivePerson
    /// may do either. `true` forces the overtaking that a connector must handle.
    pub webhooks_before_response: bool,
    /// The timeout of a webhook endpoint, for connecting and again for answering. LivePerson documents 5 s.
    pub webhook_timeout: Duration,
    /// The lifetime of an upload or download URL in whole seconds. LivePerson documents about a minute.
    pub file_url_lifetime: Duration,
    /// The time within which the first SEND must follow the opening call for automatic messages: LivePerson documents
    /// 10 s. The journal reports a violation.
    pub first_send_within: Duration,
    /// The form of answers and notifications. [`super::LiveEngageSimulator::set_forms`] can change it later.
    pub forms: Forms,
}

impl Default for LiveEngageOptions {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            port: 0,
            tls_port: None,
            journal: Journal::default(),
            app_token_lifetime: Duration::from_secs(3600),
            anonymous_token_lifetime: Duration::from_secs(600),
            webhooks_before_response: false,
            webhook_timeout: Duration::from_secs(5),
            file_url_lifetime: Duration::from_secs(60),
            first_send_within: Duration::from_secs(10),
            forms: Forms::newest(),
        }
    }
}

/// An account with its app install.
#[derive(Debug, Clone)]
pub struct AccountOptions {
    /// The account id, also called brand id or site id.
    pub account_id: String,
    /// The id of the app install.
    pub client_id: String,
    /// The secret of the app install: Sentinel exchanges it for AppJWTs, and it is the key of the webhook signature.
    pub client_secret: SecretString,
    /// How webhooks are signed.
    pub signature: SignatureForm,
    /// The initial webhook settings. [`super::LiveEngageSimulator::set_webhooks`] can change them later.
    pub webhooks: WebhookSettings,
    /// The survey that follows when the main dialog closes, if an agent has the conversation and every call declared
    /// MULTI_DIALOG. [`super::LiveEngageSimulator::set_survey`] can change it later.
    pub survey: Option<SurveyOptions>,
    /// Whether conversations can be rated by `CSATRate`, as before the introduction of surveys.
    pub legacy_csat: bool,
    /// Whether documents can be sent in addition to images. This raises the size limit from 3 MB to 5 MB.
    pub file_sharing: bool,
    /// The controller bot's message at the start of a conversation whose call declared AUTO_MESSAGES.
    pub auto_messages: Option<String>,
    /// The users who can log in.
    pub users: Vec<UserOptions>,
}

impl AccountOptions {
    /// An account with the documented default signature and no webhook endpoint.
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
            users: Vec::new(),
        }
    }
}

impl From<&AccountOptions> for Features {
    fn from(account: &AccountOptions) -> Self {
        Self {
            survey: account.survey.clone().map(Arc::new),
            legacy_csat: account.legacy_csat,
            file_sharing: account.file_sharing,
            auto_messages: account.auto_messages.clone(),
            engagement: None,
        }
    }
}
