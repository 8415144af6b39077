//! Control of webhooks for tests: hold them back, and send them together, reversed, or repeatedly.

use futures::future::join_all;
use serde_json::Value;

use super::WhatsApp;
use super::consumer::WhatsAppConsumerError;
use super::delivery::Job;
use super::update::{self, Update};
use crate::channel::WebhookAnswer;

impl WhatsApp {
    /// Holds back all messages and statuses until they are released.
    pub fn hold_webhooks(&self) {
        self.account.outgoing().held.get_or_insert_default();
    }

    /// The number of held-back messages and statuses.
    pub fn held_webhooks(&self) -> usize {
        self.account.outgoing().held.as_ref().map_or(0, Vec::len)
    }

    /// Sends the held-back updates and everything later. Each phone's updates are in order, as if nothing had been held
    /// back.
    pub fn release_webhooks(&self) {
        // Started under the lock, so that nothing newer comes first.
        let mut outgoing = self.account.outgoing();
        for update in outgoing.held.take().unwrap_or_default() {
            self.account.start(Job::InLine(update));
        }
    }

    /// Sends the held-back updates in one webhook, which is retried as a whole until it is answered 200. As in Meta's
    /// batches, adjacent updates of the same phone and kind share a list. Returns the number of messages and statuses.
    pub fn post_batch(&self) -> usize {
        self.post_held(|held| Job::OneByOne(if held.is_empty() { Vec::new() } else { vec![held] }))
    }

    /// Sends the held-back updates, latest first, one webhook after the other. Returns their number.
    pub fn post_reversed(&self) -> usize {
        self.post_held(|held| Job::OneByOne(held.into_iter().rev().map(|update| vec![update]).collect()))
    }

    /// Sends the held-back updates, each in its own webhook, all at once. Returns their number.
    pub fn post_at_once(&self) -> usize {
        self.post_held(|held| Job::AtOnce(held.into_iter().map(|update| vec![update]).collect()))
    }

    /// Posts the webhooks of a message again, `times` times each and all at once: that of a consumer's message, or
    /// every status so far of a message from the connector. They are not retried, and the phone stays unchanged.
    ///
    /// # Errors
    /// [`WhatsAppConsumerError::UnknownMessage`] when there was no webhook about such a message.
    pub async fn post_again(&self, message_id: &str, times: u32) -> Result<Vec<WebhookAnswer>, WhatsAppConsumerError> {
        let updates = self.account.updates_of(message_id);
        if updates.is_empty() {
            return Err(WhatsAppConsumerError::UnknownMessage(message_id.to_owned()));
        }
        let bodies: Vec<Value> =
            updates.into_iter().map(|update| update::payload(&self.account.options, &[update])).collect();
        let tries = bodies.iter().flat_map(|body| (1..=times).map(|attempt| self.account.post(body, attempt)));
        Ok(join_all(tries).await)
    }

    /// Posts any body, correctly signed, `times` times at once. It is not retried, and no phone changes.
    pub async fn post_raw(&self, body: &Value, times: u32) -> Vec<WebhookAnswer> {
        join_all((1..=times).map(|attempt| self.account.post(body, attempt))).await
    }

    fn post_held(&self, job: impl FnOnce(Vec<Update>) -> Job) -> usize {
        let mut outgoing = self.account.outgoing();
        let held = outgoing.held.take().unwrap_or_default();
        let count = held.len();
        self.account.start(job(held));
        count
    }
}
