//! What a test can do to the webhooks: hold them back, and let them go together, turned round, or more than once.

use futures::future::join_all;
use serde_json::Value;

use super::WhatsApp;
use super::consumer::ConsumerError;
use super::delivery::{Job, WebhookAnswer};
use super::update::{self, Update};

impl WhatsApp {
    /// From now on no webhook leaves: messages and statuses gather until they are let go.
    pub fn hold_webhooks(&self) {
        self.account.outgoing().held.get_or_insert_default();
    }

    /// How many messages and statuses are held back.
    pub fn held_webhooks(&self) -> usize {
        self.account.outgoing().held.as_ref().map_or(0, Vec::len)
    }

    /// Lets go what is held back, and everything that follows: each phone's in its order, as if nothing had been held.
    pub fn release_webhooks(&self) {
        // Started under the lock, so that nothing newer comes first.
        let mut outgoing = self.account.outgoing();
        for update in outgoing.held.take().unwrap_or_default() {
            self.account.start(Job::InLine(update));
        }
    }

    /// Lets go what is held back in one webhook, which is posted again as a whole until it is answered 200. Neighbours of the
    /// same phone and kind share one list, as Meta batches. Answers how many messages and statuses that are.
    pub fn post_batch(&self) -> usize {
        self.post_held(|held| Job::OneByOne(if held.is_empty() { Vec::new() } else { vec![held] }))
    }

    /// Lets go what is held back, the latest first, one webhook after the other. Answers how many that are.
    pub fn post_reversed(&self) -> usize {
        self.post_held(|held| Job::OneByOne(held.into_iter().rev().map(|update| vec![update]).collect()))
    }

    /// Lets go what is held back, each in its own webhook, all at the same moment. Answers how many that are.
    pub fn post_at_once(&self) -> usize {
        self.post_held(|held| Job::AtOnce(held.into_iter().map(|update| vec![update]).collect()))
    }

    /// Posts the webhooks of a message again, `times` times each and all at once: that of a consumer's message, or every status
    /// so far of a message from the connector. There is no retry, and nothing changes on the phone.
    ///
    /// # Errors
    /// [`ConsumerError::UnknownMessage`] when there was no webhook about such a message.
    pub async fn post_again(&self, message_id: &str, times: u32) -> Result<Vec<WebhookAnswer>, ConsumerError> {
        let updates = self.account.updates_of(message_id);
        if updates.is_empty() {
            return Err(ConsumerError::UnknownMessage(message_id.to_owned()));
        }
        let bodies: Vec<Value> =
            updates.into_iter().map(|update| update::payload(&self.account.options, &[update])).collect();
        let tries = bodies.iter().flat_map(|body| (1..=times).map(|attempt| self.account.post(body, attempt)));
        Ok(join_all(tries).await)
    }

    /// Posts any body, correctly signed, `times` times at once. There is no retry, and nothing changes on a phone.
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
