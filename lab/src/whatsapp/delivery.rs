//! Posts signed webhooks from WhatsApp to the connector, and retries them until they are answered 200.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::account::BusinessAccount;
use super::signature;
use super::update::{self, Update, UpdateKind};
use crate::channel::WebhookAnswer;
use crate::channel::webhook_post::{self, WebhookLog};
use crate::phone::MessageState;

/// The number of retries. Meta documents "up to 7 days with decreasing frequency" without figures. With a first delay
/// of 5 s that doubles, the 17th would exceed 7 days.
const RETRIES: u32 = 16;
/// The default timeout for the connector's answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Work that is done later, independently of the call that caused it.
#[derive(Debug)]
pub(super) enum Job {
    /// Post the update after the phone's earlier updates of this kind.
    InLine(Update),
    /// Post the updates of each group in one webhook, one group after the other.
    OneByOne(Vec<Vec<Update>>),
    /// Post the updates of each group in one webhook, all groups at once.
    AtOnce(Vec<Vec<Update>>),
    /// Retry after this number of failed attempts.
    Retry(Vec<Update>, u32),
    /// End the typing indicator of a phone, unless it was renewed.
    TypingEnds { phone: String, at: Timestamp, after: Duration },
}

/// Does the jobs. Everything that it started ends with it.
pub(super) async fn work(account: Arc<BusinessAccount>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut lines: HashMap<(String, UpdateKind), mpsc::UnboundedSender<Update>> = HashMap::new();
    let mut workers = JoinSet::new();
    while let Some(job) = jobs.recv().await {
        while workers.try_join_next().is_some() {}
        let account = Arc::clone(&account);
        match job {
            Job::InLine(update) => {
                let line = lines.entry((update.phone.clone(), update.kind)).or_insert_with(|| {
                    let (line, queued) = mpsc::unbounded_channel();
                    workers.spawn(stand_in_line(account, queued));
                    line
                });
                // The queue's worker ends together with the workers.
                let _ = line.send(update);
            }
            Job::OneByOne(groups) => {
                workers.spawn(async move {
                    for group in groups {
                        account.first_attempt(group).await;
                    }
                });
            }
            Job::AtOnce(groups) => {
                for group in groups {
                    let account = Arc::clone(&account);
                    workers.spawn(async move { account.first_attempt(group).await });
                }
            }
            Job::Retry(updates, tries) => {
                workers.spawn(async move { account.retry(&updates, tries).await });
            }
            Job::TypingEnds { phone, at, after } => {
                workers.spawn(async move {
                    wait(after).await;
                    account.end_typing(&phone, at);
                });
            }
        }
    }
}

async fn stand_in_line(account: Arc<BusinessAccount>, mut queued: mpsc::UnboundedReceiver<Update>) {
    while let Some(update) = queued.recv().await {
        account.first_attempt(vec![update]).await;
    }
}

impl BusinessAccount {
    /// Posts a webhook for the first time. Retries run concurrently with later webhooks, because Meta promises no
    /// order, unless the settings require order.
    async fn first_attempt(&self, updates: Vec<Update>) {
        if self.attempt_once(&updates, 1).await {
            return;
        }
        if self.settings.lock().retries_in_line {
            self.retry(&updates, 1).await;
        } else {
            let _ = self.jobs.send(Job::Retry(updates, 1));
        }
    }

    async fn retry(&self, updates: &[Update], tries: u32) {
        let mut attempt = tries;
        loop {
            wait(delay_after(attempt, self.options.retry_delay)).await;
            attempt += 1;
            if self.attempt_once(updates, attempt).await {
                return;
            }
        }
    }

    /// Returns whether it was the last attempt: the webhook was accepted or given up. The phones show the result.
    async fn attempt_once(&self, updates: &[Update], attempt: u32) -> bool {
        let body = update::payload(&self.options, updates);
        let reason = match self.post(&body, attempt).await {
            WebhookAnswer::Status(StatusCode::OK) => {
                self.settle(updates, &MessageState::Delivered);
                return true;
            }
            WebhookAnswer::Status(status) => format!("answered {}", status.as_u16()),
            WebhookAnswer::NoAnswer(reason) => reason,
        };
        let is_last = attempt > RETRIES;
        if is_last {
            self.settle(updates, &MessageState::Failed(format!("given up after {attempt} tries: {reason}")));
        }
        is_last
    }

    fn settle(&self, updates: &[Update], state: &MessageState) {
        for update in updates.iter().filter(|update| update.kind == UpdateKind::Message) {
            self.set_state(&update.phone, &update.message_id, state.clone());
        }
    }

    /// Posts a signed webhook once. Waits until an address is set.
    pub(super) async fn post(&self, body: &Value, attempt: u32) -> WebhookAnswer {
        let mut address = self.webhook_url.subscribe();
        let Some(url) = address.wait_for(Option::is_some).await.ok().and_then(|url| url.clone()) else {
            return WebhookAnswer::NoAnswer("the simulator has stopped".to_owned());
        };
        let bytes = update::as_meta_writes(body);
        let (timeout, app_secret) = {
            let settings = self.settings.lock();
            (settings.answer_timeout, settings.app_secret.clone())
        };
        let request = self
            .client
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-hub-signature-256", signature::sign(app_secret.expose_secret().as_bytes(), &bytes))
            .body(bytes);
        let log = WebhookLog {
            journal: &self.options.journal,
            sender: "whatsapp",
            path: url.path(),
            attempt,
            detail: [("body".to_owned(), body.clone())].into_iter().collect(),
        };
        webhook_post::send(request, timeout, log).await
    }
}

/// The delay after this number of attempts.
fn delay_after(tries: u32, first: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "Meta waits between its attempts, and a typing indicator ends after a time"
)]
async fn wait(delay: Duration) {
    tokio::time::sleep(delay).await;
}

#[cfg(test)]
mod tests {
    use super::{Duration, RETRIES, delay_after};

    #[test]
    fn retry_delays_double_and_stay_within_seven_days() {
        let waits: Vec<_> = (1..=RETRIES).map(|tries| delay_after(tries, Duration::from_secs(5))).collect();
        assert_eq!(waits.iter().take(4).map(Duration::as_secs).collect::<Vec<_>>(), [5, 10, 20, 40]);
        let week = Duration::from_secs(7 * 86_400);
        let total: Duration = waits.iter().sum();
        assert!(total < week && total + delay_after(RETRIES + 1, Duration::from_secs(5)) > week);
    }
}
