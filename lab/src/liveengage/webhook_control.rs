//! Control of the webhooks, as methods of the handle.

use std::time::Duration;

use super::desk::DeskError;
use super::forms::Forms;
use super::simulator::LiveEngageSimulator;
use super::webhooks::InstallState;

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

    /// Sets the form of answers and notifications from now on. Repeated notifications keep their form.
    pub fn set_forms(&self, forms: Forms) {
        self.backend().webhooks.set_forms(forms);
    }
}
