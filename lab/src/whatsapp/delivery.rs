//! The way from WhatsApp to the connector: signed webhooks, posted again until they are answered 200.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};
use jiff::Timestamp;
use reqwest::redirect;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::account::Account;
use super::phone::MessageState;
use super::update::{self, Update, UpdateKind};
use super::{lock, signature};
use crate::journal::unanswered;

/// Retries after the first try. Meta documents "up to 7 days with decreasing frequency" and no figures: with a first wait of
/// 5 s that doubles, the 17th would be past the 7 days.
const RETRIES: u32 = 16;
/// How long the connector may take to answer, where no other time is set.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer's body is shown in the wire log, in characters.
const SHOWN_ANSWER: usize = 500;

/// What the connector answered to one posted webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// An HTTP answer came. Only 200 counts as taken.
    Status(StatusCode),
    /// None came: connection refused or reset, or the time is over.
    NoAnswer(String),
}

/// Something that happens later, beside the call that caused it.
#[derive(Debug)]
pub(super) enum Job {
    /// Behind the phone's earlier updates of this kind.
    InLine(Update),
    /// The updates of each group in one webhook, the groups one after the other.
    OneByOne(Vec<Vec<Update>>),
    /// The updates of each group in one webhook, all groups at the same moment.
    AtOnce(Vec<Vec<Update>>),
    /// Again, after this many tries that failed.
    Retry(Vec<Update>, u32),
    /// The typing indicator of a phone may be over by then.
    TypingEnds { phone: String, at: Timestamp, after: Duration },
}

/// The client that posts the webhooks.
#[expect(clippy::disallowed_methods, reason = "a simulator is not the connector: it has Meta's own limits")]
pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .connect_timeout(ANSWER_TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        // A kept connection that the other side closes meanwhile would look like a failed delivery.
        .pool_max_idle_per_host(0)
        .build()
}

/// Does the jobs. Everything it has started ends with it.
pub(super) async fn work(account: Arc<Account>, mut jobs: mpsc::UnboundedReceiver<Job>) {
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
                // The line's worker ends with the workers.
                let _ = line.send(update);
            }
            Job::OneByOne(groups) => {
                workers.spawn(async move {
                    for group in groups {
                        account.first_try(group).await;
                    }
                });
            }
            Job::AtOnce(groups) => {
                for group in groups {
                    let account = Arc::clone(&account);
                    workers.spawn(async move { account.first_try(group).await });
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

async fn stand_in_line(account: Arc<Account>, mut queued: mpsc::UnboundedReceiver<Update>) {
    while let Some(update) = queued.recv().await {
        account.first_try(vec![update]).await;
    }
}

impl Account {
    /// Posts a webhook for the first time. Its retries come beside everything later, as Meta promises no order, unless they
    /// are set to be waited for.
    async fn first_try(&self, updates: Vec<Update>) {
        if self.try_once(&updates, 1).await {
            return;
        }
        if lock(&self.settings).retries_in_line {
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
            if self.try_once(updates, attempt).await {
                return;
            }
        }
    }

    /// Whether it was the last try: the webhook was taken, or it is given up. The phones show the outcome.
    async fn try_once(&self, updates: &[Update], attempt: u32) -> bool {
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

    /// Posts a signed webhook once. Waits until there is an address to post to.
    pub(super) async fn post(&self, body: &Value, attempt: u32) -> WebhookAnswer {
        let mut address = self.webhook_url.subscribe();
        let Some(url) = address.wait_for(Option::is_some).await.ok().and_then(|url| url.clone()) else {
            return WebhookAnswer::NoAnswer("the simulator has stopped".to_owned());
        };
        let bytes = update::as_meta_writes(body);
        let (timeout, app_secret) = {
            let settings = lock(&self.settings);
            (settings.answer_timeout, settings.app_secret.clone())
        };
        let request = self
            .client
            .post(url.clone())
            .timeout(timeout)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-hub-signature-256", signature::sign(app_secret.expose_secret().as_bytes(), &bytes))
            .body(bytes);
        let (answer, text) = match request.send().await {
            Ok(response) => {
                let status = response.status();
                let text = response.text().await.unwrap_or_default();
                (WebhookAnswer::Status(status), text.chars().take(SHOWN_ANSWER).collect())
            }
            Err(error) => (WebhookAnswer::NoAnswer(unanswered(&error, timeout)), String::new()),
        };
        let outcome = match &answer {
            WebhookAnswer::Status(status) => status.as_u16().to_string(),
            WebhookAnswer::NoAnswer(reason) => reason.clone(),
        };
        let try_number = if attempt > 1 { format!(" (try {attempt})") } else { String::new() };
        self.options.journal.record(
            "whatsapp",
            "inbound",
            format!("POST {} -> {outcome}{try_number}", url.path()),
            Some(json!({ "try": attempt, "body": body, "answer": text })),
        );
        answer
    }
}

/// How long to wait after this many tries.
fn delay_after(tries: u32, first: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)))
}

#[expect(clippy::disallowed_methods, reason = "Meta waits between its tries, and a typing indicator has its time")]
async fn wait(delay: Duration) {
    tokio::time::sleep(delay).await;
}

#[cfg(test)]
mod tests {
    use super::{Duration, RETRIES, delay_after};

    #[test]
    fn the_waits_double_and_stay_within_seven_days() {
        let waits: Vec<_> = (1..=RETRIES).map(|tries| delay_after(tries, Duration::from_secs(5))).collect();
        assert_eq!(waits.iter().take(4).map(Duration::as_secs).collect::<Vec<_>>(), [5, 10, 20, 40]);
        let week = Duration::from_secs(7 * 86_400);
        let total: Duration = waits.iter().sum();
        assert!(total < week && total + delay_after(RETRIES + 1, Duration::from_secs(5)) > week);
    }
}
