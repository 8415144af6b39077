//! Posts signed webhooks from the gateway to the connector, and retries them until they are answered.

use std::time::Duration;

use axum::http::{StatusCode, header};
use connector::port::Clock;
use connector_aws::SystemClock;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::outbox::{PendingWebhook, WebhookPurpose};
use super::{GatewayAccount, signature};
use crate::channel::WebhookAnswer;
use crate::channel::webhook_post::{self, WebhookLog};
use crate::phone::MessageState;

/// After the first attempt: 5 s, 10 s, doubling to 81,920 s, which is the 15th (Sinch, "Callbacks", retries).
const RETRIES: u32 = 15;
/// The timeout for the connector's answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

impl GatewayAccount {
    /// Posts the webhook until it is accepted, refused, or given up. The phone shows the result of a message.
    pub(super) async fn deliver(&self, webhook: &PendingWebhook) {
        let mut attempt = 1;
        let state = loop {
            let reason = match self.post(&webhook.body, attempt).await {
                WebhookAnswer::Status(status) if status.is_success() => break MessageState::Accepted,
                WebhookAnswer::Status(status) if !is_retried(status) => {
                    break MessageState::Failed(format!("refused with {}", status.as_u16()));
                }
                WebhookAnswer::Status(status) => format!("answered {}", status.as_u16()),
                WebhookAnswer::NoAnswer(reason) => reason,
            };
            let delay =
                delay_after(attempt, self.options.retry_delay).filter(|_| webhook.purpose != WebhookPurpose::Typing);
            let Some(delay) = delay else {
                break MessageState::Failed(format!("given up after {attempt} tries: {reason}"));
            };
            wait(delay).await;
            attempt += 1;
        };
        if let WebhookPurpose::Message { id } = &webhook.purpose {
            self.set_state(&webhook.phone, id, state);
        }
        self.unsettled.send_modify(|count| *count = count.saturating_sub(1));
    }

    /// Posts a webhook once, with a new nonce and timestamp. Waits until an address is set.
    pub(super) async fn post(&self, body: &Value, attempt: u32) -> WebhookAnswer {
        let mut address = self.webhook_url.subscribe();
        let Some(url) = address.wait_for(Option::is_some).await.ok().and_then(|url| url.clone()) else {
            return WebhookAnswer::NoAnswer("the gateway has stopped".to_owned());
        };
        let bytes = body.to_string().into_bytes();
        let nonce = Uuid::new_v4().simple().to_string();
        let timestamp = SystemClock.now().as_second();
        let secret = self.keys.lock().webhook_secret.clone();
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
        let detail = [("nonce", json!(nonce)), ("timestamp", json!(timestamp)), ("body", body.clone())];
        let log = WebhookLog {
            journal: &self.options.journal,
            sender: "gateway",
            path: url.path(),
            attempt,
            detail: detail.map(|(name, value)| (name.to_owned(), value)).into_iter().collect(),
        };
        webhook_post::send(request, TIMEOUT, log).await
    }
}

/// The delay after a failed attempt (counted from 1); `None` after the last.
fn delay_after(attempt: u32, first: Duration) -> Option<Duration> {
    (attempt <= RETRIES).then(|| first.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))))
}

fn is_retried(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

#[expect(clippy::disallowed_methods, reason = "a gateway waits between its attempts")]
async fn wait(delay: Duration) {
    tokio::time::sleep(delay).await;
}

#[cfg(test)]
mod tests {
    use super::{Duration, StatusCode, delay_after, is_retried};

    #[test]
    fn retry_delays_double_up_to_the_documented_maximum() {
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
