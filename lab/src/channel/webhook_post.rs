//! Posts a webhook and writes it to the wire log, for every channel's simulator.

use std::time::Duration;

use reqwest::redirect;
use serde_json::{Map, Value, json};

use super::WebhookAnswer;
use crate::journal::{Journal, unanswered};

/// The part of an answer's body that the wire log shows, in characters.
const MAX_LOGGED_ANSWER: usize = 500;

/// A webhook as the wire log shows it.
pub(crate) struct WebhookLog<'a> {
    /// The wire log.
    pub(crate) journal: &'a Journal,
    /// The vendor's name there.
    pub(crate) sender: &'static str,
    /// The path that the webhook is posted to.
    pub(crate) path: &'a str,
    /// The number of the attempt, from 1.
    pub(crate) attempt: u32,
    /// The body and what else belongs to the webhook.
    pub(crate) detail: Map<String, Value>,
}

/// The client that posts webhooks.
#[expect(clippy::disallowed_methods, reason = "a simulator is not the connector: it has the vendor's own limits")]
pub(crate) fn client(connect_timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .connect_timeout(connect_timeout)
        .redirect(redirect::Policy::none())
        .no_proxy()
        // A kept connection that the other side closes would look like a failed delivery.
        .pool_max_idle_per_host(0)
        .build()
}

/// Posts a webhook once, and logs it with its answer.
pub(crate) async fn send(request: reqwest::RequestBuilder, timeout: Duration, log: WebhookLog<'_>) -> WebhookAnswer {
    let (answer, text) = match request.timeout(timeout).send().await {
        Ok(response) => {
            let status = response.status();
            let text = response.text().await.unwrap_or_default();
            (WebhookAnswer::Status(status), text.chars().take(MAX_LOGGED_ANSWER).collect())
        }
        Err(error) => (WebhookAnswer::NoAnswer(unanswered(&error, timeout)), String::new()),
    };
    let outcome = match &answer {
        WebhookAnswer::Status(status) => status.as_u16().to_string(),
        WebhookAnswer::NoAnswer(reason) => reason.clone(),
    };
    let WebhookLog { journal, sender, path, attempt, mut detail } = log;
    let suffix = if attempt > 1 { format!(" (try {attempt})") } else { String::new() };
    detail.extend([("try".to_owned(), json!(attempt)), ("answer".to_owned(), json!(text))]);
    journal.record(sender, "inbound", format!("POST {path} -> {outcome}{suffix}"), Some(detail.into()));
    answer
}
