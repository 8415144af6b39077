//! Control of the webhooks, as methods of the handle.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::desk::DeskError;
use super::forms::{Forms, Generation};
use super::signature::SignatureForm;
use super::simulator::LiveEngageSimulator;
use super::webhooks::{InstallState, WebhookSettings};
use crate::page::{ActionError, WebhooksChange, WebhooksView};

impl LiveEngageSimulator {
    /// The state of an account's app install; `None` for an unknown account. The journal contains each change.
    pub fn webhook_state(&self, account_id: &str) -> Option<InstallState> {
        self.backend().webhooks.state(account_id)
    }

    /// Enables an app install that was disabled for a slow endpoint, as LivePerson's support would. Notifications from
    /// the meantime are not sent.
    pub fn enable_webhooks(&self, account_id: &str) {
        self.backend().webhooks.enable(account_id);
    }

    /// Makes the next notification of a conversation wait until the following one has been sent. The order stays if
    /// none arrives within this time, or if the app install fails.
    ///
    /// # Errors
    /// [`DeskError::UnknownConversation`].
    pub fn overtake_next_webhook(&self, conversation_id: &str, within: Duration) -> Result<(), DeskError> {
        let account_id = self.conversation(conversation_id)?.account_id;
        self.backend().webhooks.hold_next(&account_id, conversation_id, within);
        Ok(())
    }

    /// Sets how an account's webhooks are signed, starting with the next attempt of each. Does nothing for an unknown account.
    pub fn set_signature(&self, account_id: &str, form: SignatureForm) {
        self.backend().webhooks.set_signature(account_id, form);
    }

    /// Sets the form of answers and notifications from now on. Repeated notifications keep their form.
    pub fn set_forms(&self, forms: Forms) {
        self.backend().webhooks.set_forms(forms);
    }
}

/// The webhooks of the first account. A lab has only one.
pub(super) fn view(simulator: &LiveEngageSimulator) -> Option<WebhooksView> {
    let backend = simulator.backend();
    let account_id = backend.accounts.keys().min()?;
    let mut webhooks = Map::new();
    backend.webhooks.settings(account_id)?.write_manifest(&mut webhooks);
    let headers = webhooks.values_mut().filter_map(|event| event.get_mut("headers")?.as_array_mut()).flatten();
    for value in headers.filter_map(|header| header.get_mut("header_value")) {
        *value = json!("(not shown)");
    }
    Some(WebhooksView {
        webhooks: Value::Object(webhooks),
        signature: backend.webhooks.signature(account_id)?.name(),
        forms: Generation::of(backend.webhooks.forms()).map(Generation::name),
        state: backend.webhooks.state(account_id)?.name(),
    })
}

/// Changes the webhooks of every account.
pub(super) fn change(simulator: &LiveEngageSimulator, change: &WebhooksChange) -> Result<(), ActionError> {
    let WebhooksChange { webhooks, signature, forms } = change;
    let settings = webhooks.as_ref().map(WebhookSettings::from_manifest).transpose().map_err(rejected)?;
    let signature = signature.as_ref().map(|name| name.parse::<SignatureForm>()).transpose().map_err(rejected)?;
    let forms = forms.as_ref().map(|name| name.parse::<Generation>()).transpose().map_err(rejected)?;
    for account_id in simulator.backend().accounts.keys() {
        if let Some(settings) = &settings {
            simulator.backend().webhooks.set_manifest(account_id, settings.clone());
        }
        if let Some(signature) = signature {
            simulator.set_signature(account_id, signature);
        }
    }
    if let Some(generation) = forms {
        simulator.set_forms(generation.forms());
    }
    Ok(())
}

fn rejected(error: impl std::error::Error) -> ActionError {
    ActionError::Rejected(error.to_string())
}
