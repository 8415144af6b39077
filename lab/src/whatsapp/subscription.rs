//! The webhook subscription: the handshake that proves that the receiver knows the verify token.

use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use uuid::Uuid;

use super::WhatsApp;
use super::account::BusinessAccount;
use crate::channel::SubscribeError;
use crate::journal::unanswered;

impl WhatsApp {
    /// Sets the address for webhooks after Meta's handshake: a GET with `hub.mode=subscribe`, `hub.challenge` and
    /// `hub.verify_token`. Its answer must be 200 with the challenge. Then waiting webhooks are sent. If the handshake
    /// fails, an earlier address stays.
    ///
    /// # Errors
    /// [`SubscribeError`] if the answer is wrong.
    pub async fn subscribe_webhook(&self, url: Url) -> Result<(), SubscribeError> {
        self.account.subscribe(url, &self.account.options.verify_token).await
    }
}

impl BusinessAccount {
    /// As [`WhatsApp::subscribe_webhook`], with this verify token.
    pub(super) async fn subscribe(&self, url: Url, verify_token: &SecretString) -> Result<(), SubscribeError> {
        let (challenge, _) = Uuid::new_v4().as_u64_pair();
        let challenge = (challenge % 10_000_000_000).to_string();
        let mut handshake = url.clone();
        handshake
            .query_pairs_mut()
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.challenge", &challenge)
            .append_pair("hub.verify_token", verify_token.expose_secret());
        let timeout = self.settings.lock().answer_timeout;
        let outcome = match self.client.get(handshake).timeout(timeout).send().await {
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
        self.options.journal.record("whatsapp", "inbound", format!("GET {} -> {shown}", url.path()), None);
        if outcome.is_ok() {
            self.webhook_url.send_replace(Some(url));
        }
        outcome
    }
}
