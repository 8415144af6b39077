//! The way from the gateway to the connector: signed webhooks, posted again until they are answered.

use std::time::Duration;

use axum::http::{StatusCode, header};
use connector::port::{Clock, SystemClock};
use reqwest::redirect;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::outbox::{Posting, Purpose};
use super::phone::MessageState;
use super::{Account, lock, signature};
use crate::journal::unanswered;

/// After the first try: 5 s, 10 s, doubling to 81,920 s, which is the 15th (Sinch, "Callbacks", retries).
const RETRIES: u32 = 15;
/// How long the connector may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How much of an answer's body is shown in the wire log, in characters.
const SHOWN_ANSWER: usize = 500;

/// What the connector answered to one posted webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// An HTTP answer came.
    Status(StatusCode),
    /// None came: connection refused or reset, or 5 s have passed.
    NoAnswer(String),
}

/// The client that posts the webhooks.
#[expect(clippy::disallowed_methods, reason = "a simulator is not the connector: it has the gateway's own limits")]
pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .connect_timeout(TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        // A kept connection that the other side closes meanwhile would look like a failed delivery.
        .pool_max_idle_per_host(0)
        .build()
}

impl Account {
    /// Posts the webhook until it is accepted, refused, or given up. What becomes of a message is shown on its phone.
    pub(super) async fn deliver(&self, posting: &Posting) {
        let mut attempt = 1;
        let state = loop {
            let reason = match self.post(&posting.body, attempt).await {
                WebhookAnswer::Status(status) if status.is_success() => break MessageState::Accepted,
                WebhookAnswer::Status(status) if !is_retried(status) => {
                    break MessageState::Failed(format!("refused with {}", status.as_u16()));
                }
                WebhookAnswer::Status(status) => format!("answered {}", status.as_u16()),
                WebhookAnswer::NoAnswer(reason) => reason,
            };
            let delay = delay_after(attempt, self.options.retry_delay).filter(|_| posting.purpose != Purpose::Typing);
            let Some(delay) = delay else {
                break MessageState::Failed(format!("given up after {attempt} tries: {reason}"));
            };
            wait(delay).await;
            attempt += 1;
        };
        if let Purpose::Message { id } = &posting.purpose {
            self.set_state(&posting.phone, id, state);
        }
        self.unsettled.send_modify(|count| *count = count.saturating_sub(1));
    }

    /// Posts a webhook once, with a fresh nonce and timestamp. Waits until there is an address to post to.
    pub(super) async fn post(&self, body: &Value, attempt: u32) -> WebhookAnswer {
        let mut address = self.webhook_url.subscribe();
        let Some(url) = address.wait_for(Option::is_some).await.ok().and_then(|url| url.clone()) else {
            return WebhookAnswer::NoAnswer("the gateway has stopped".to_owned());
        };
        let bytes = body.to_string().into_bytes();
        let nonce = Uuid::new_v4().simple().to_string();
        let timestamp = SystemClock.now().as_second();
        let secret = lock(&self.keys).webhook_secret.clone();
        let request = self
            .client
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(
                "x-sinch-webhook-signature",
                signature::sign(secret.expose_secret().as_bytes(), &bytes, &nonce, timestamp),
            )
            .header("x-sinch-webhook-signature-nonce", &nonce)
            .header("x-sinch-webhook-signature-timestamp", timestamp.to_string())
            .header("x-sinch-webhook-signature-algorithm", "HmacSHA256")
            .body(bytes);
        let (answer, text) = match request.send().await {
            Ok(response) => {
                let status = response.status();
                let text = response.text().await.unwrap_or_default();
                (WebhookAnswer::Status(status), text.chars().take(SHOWN_ANSWER).collect())
            }
            Err(error) => (WebhookAnswer::NoAnswer(unanswered(&error, TIMEOUT)), String::new()),
        };
        let outcome = match &answer {
            WebhookAnswer::Status(status) => status.as_u16().to_string(),
            WebhookAnswer::NoAnswer(reason) => reason.clone(),
        };
        let try_number = if attempt > 1 { format!(" (try {attempt})") } else { String::new() };
        self.options.journal.record(
            "gateway",
            "inbound",
            format!("POST {} -> {outcome}{try_number}", url.path()),
            Some(json!({ "try": attempt, "nonce": nonce, "timestamp": timestamp, "body": body, "answer": text })),
        );
        answer
    }
}

/// How long to wait after a try (from 1) that failed; `None` when it was the last.
fn delay_after(attempt: u32, first: Duration) -> Option<Duration> {
    (attempt <= RETRIES).then(|| first.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))))
}

fn is_retried(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

#[expect(clippy::disallowed_methods, reason = "a gateway waits between its tries")]
async fn wait(delay: Duration) {
    tokio::time::sleep(delay).await;
}

#[cfg(test)]
mod tests {
    use super::{Duration, StatusCode, delay_after, is_retried};

    #[test]
    fn the_waits_double_up_to_the_documented_last_one() {
        let waits: Vec<_> = (1..).map_while(|attempt| delay_after(attempt, Duration::from_secs(5))).collect();
        assert_eq!(waits.iter().take(4).map(Duration::as_secs).collect::<Vec<_>>(), [5, 10, 20, 40]);
        assert_eq!((waits.len(), waits.last().map(Duration::as_secs)), (15, Some(81_920)));
    }

    #[test]
    fn only_server_errors_and_too_many_requests_are_retried() {
        for status in [429, 500, 502, 503, 504] {
            assert!(is_retried(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [301, 400, 401, 403, 404, 408, 409, 413, 422] {
            assert!(!is_retried(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }
}
