//! Where webhooks go: the handshake in which the receiver shows that it knows the verify token.

use axum::http::StatusCode;
use secrecy::ExposeSecret;
use url::Url;
use uuid::Uuid;

use super::{WhatsApp, lock};
use crate::journal::unanswered;

/// Why an address was not taken for the webhooks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// No HTTP answer came: connection refused or reset, or the time is over.
    #[error("the callback URL could not be validated: {0}")]
    NoAnswer(String),
    /// The answer was not 200: the verify token may be another one.
    #[error("the callback URL could not be validated: it answered {}", .0.as_u16())]
    Refused(StatusCode),
    /// The answer's body was not the challenge and nothing else.
    #[error("the callback URL could not be validated: it did not answer with the challenge")]
    WrongChallenge,
}

impl WhatsApp {
    /// Sets where webhooks are posted to, after the handshake that Meta makes: a GET with `hub.mode=subscribe`,
    /// `hub.challenge` and `hub.verify_token`, whose answer must be 200 and the challenge. Webhooks that wait for an address
    /// leave then. An earlier address stays when this one is not taken.
    ///
    /// # Errors
    /// [`SubscribeError`] says what was wrong with the answer.
    pub async fn subscribe_webhook(&self, url: Url) -> Result<(), SubscribeError> {
        let account = &self.account;
        let (challenge, _) = Uuid::new_v4().as_u64_pair();
        let challenge = (challenge % 10_000_000_000).to_string();
        let mut handshake = url.clone();
        handshake
            .query_pairs_mut()
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.challenge", &challenge)
            .append_pair("hub.verify_token", account.options.verify_token.expose_secret());
        let timeout = lock(&account.settings).answer_timeout;
        let outcome = match account.client.get(handshake).timeout(timeout).send().await {
            Err(error) => Err(SubscribeError::NoAnswer(unanswered(&error, timeout))),
            Ok(response) if response.status() != StatusCode::OK => Err(SubscribeError::Refused(response.status())),
            Ok(response) => match response.text().await {
                Ok(body) if body == challenge => Ok(()),
                Ok(_) => Err(SubscribeError::WrongChallenge),
                Err(error) => Err(SubscribeError::NoAnswer(unanswered(&error, timeout))),
            },
        };
        let shown = match &outcome {
            Ok(()) => "200, the challenge came back".to_owned(),
            Err(error) => error.to_string(),
        };
        account.options.journal.record("whatsapp", "inbound", format!("GET {} -> {shown}", url.path()), None);
        if outcome.is_ok() {
            account.webhook_url.send_replace(Some(url));
        }
        outcome
    }
}
