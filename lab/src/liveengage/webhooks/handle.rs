//! The drills of the webhooks, as methods of the handle.

use std::time::Duration;

use super::InstallState;
use crate::liveengage::desk::DeskError;
use crate::liveengage::forms::Forms;
use crate::liveengage::simulator::LiveEngageSimulator;

impl LiveEngageSimulator {
    /// The state of an account's app install; `None` for an account that the simulator does not play. The journal has each
    /// change of it.
    pub fn webhook_state(&self, account_id: &str) -> Option<InstallState> {
        self.world().webhooks.state(account_id)
    }

    /// Enables an app install that was disabled for a slow endpoint, as LivePerson's support would. What happened meanwhile is not
    /// sent any more.
    pub fn enable_webhooks(&self, account_id: &str) {
        self.world().webhooks.enable(account_id);
    }

    /// Makes the next notification of a conversation wait until the one after it has been sent. If none comes within this time,
    /// or the app install fails, the order stays.
    ///
    /// # Errors
    /// [`DeskError::UnknownConversation`].
    pub fn overtake_next_webhook(&self, conversation_id: &str, within: Duration) -> Result<(), DeskError> {
        let account_id = self.conversation(conversation_id)?.account_id;
        self.world().webhooks.hold_next(&account_id, conversation_id, within);
        Ok(())
    }

    /// Sets how answers and notifications look from now on. What was sent before is sent again as it was.
    pub fn set_forms(&self, forms: Forms) {
        self.world().webhooks.set_forms(forms);
    }
}
