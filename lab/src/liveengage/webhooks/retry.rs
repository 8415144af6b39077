//! The attempts to deliver a notification, and the retries after a failure.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use url::Url;

use super::delivery::{Payload, WebhookDelivery};
use super::install::{InstallState, RetryDecision};
use super::post::post;
use super::{App, DeliveredWebhook, Sender, Webhooks};
use crate::liveengage::notification::Change;

/// The result of an attempt.
enum Attempt {
    /// Delivered, or dropped for another reason that the journal shows.
    Over,
    Failed {
        endpoint: Url,
        /// The status or other error, as the journal shows it.
        failure: String,
        body: Bytes,
    },
}

impl Webhooks {
    /// Attempts the notification that its conversation has in progress, and handles the result.
    pub(super) async fn deliver(self: &Arc<Self>, app: &Arc<App>, mut delivery: WebhookDelivery) {
        let outcome = self.attempt(app, &mut delivery).await;
        let mut install = app.install();
        let Attempt::Failed { endpoint, failure, body } = outcome else {
            return install.done(&delivery.conversation_id);
        };
        let record = |outcome: &str| self.record(delivery.event, &format!("{failure}, {outcome}"), &body);
        match install.retry_decision(&delivery) {
            RetryDecision::Drop => {
                record("dropped");
                install.done(&delivery.conversation_id);
            }
            RetryDecision::RetryByNumber(retries, gap) => {
                record(&format!("again in {gap:?}"));
                install.done(&delivery.conversation_id);
                let (webhooks, app) = (Arc::clone(self), Arc::clone(app));
                self.spawn(async move { webhooks.retry_by_number(&app, delivery, retries, gap).await });
            }
            RetryDecision::Store if install.state == InstallState::Failed => {
                record("stored");
                install.store(delivery, endpoint);
            }
            RetryDecision::Store => {
                let pause = install.settings.first_retry_after;
                record(&format!("again in {pause:?}"));
                if install.store(delivery, endpoint) {
                    let (webhooks, app) = (Arc::clone(self), Arc::clone(app));
                    self.spawn(async move { webhooks.probe(&app, pause).await });
                }
            }
        }
    }

    /// Retry by numbers: independently, while later notifications of the conversation continue.
    async fn retry_by_number(&self, app: &App, mut delivery: WebhookDelivery, retries: u8, gap: Duration) {
        for left in (0..retries).rev() {
            wait(gap).await;
            let Attempt::Failed { failure, body, .. } = self.attempt(app, &mut delivery).await else { return };
            let next = if left == 0 { "dropped".to_owned() } else { format!("again in {gap:?}") };
            self.record(delivery.event, &format!("{failure}, {next}"), &body);
        }
    }

    /// Retry by time to live: retries the failed endpoints with doubling pauses until all have answered.
    async fn probe(&self, app: &App, mut pause: Duration) {
        loop {
            wait(pause).await;
            let Some(probes) = app.install().probes() else { return };
            pause = (pause * 2).min(app.install().settings.longest_retry_pause);
            let tries = probes.into_iter().map(async |mut delivery| {
                let endpoint = app.install().settings.endpoints.get(&delivery.event).cloned();
                (self.attempt(app, &mut delivery).await, delivery, endpoint)
            });
            let tried = futures::future::join_all(tries).await;
            let mut install = app.install();
            for (outcome, delivery, endpoint) in tried {
                let Attempt::Failed { failure, body, .. } = outcome else {
                    if let Some(endpoint) = endpoint {
                        install.answered(&endpoint);
                    }
                    install.done(&delivery.conversation_id);
                    continue;
                };
                let too_old = install.settings.retention.is_none_or(|retention| delivery.will_expire(retention, pause));
                if too_old || install.state == InstallState::Disabled {
                    self.record(delivery.event, &format!("{failure}, dropped"), &body);
                    install.done(&delivery.conversation_id);
                } else {
                    self.record(delivery.event, &format!("{failure}, again in {pause:?}"), &body);
                    install.put_back(delivery);
                }
            }
            for expired in install.expire(pause) {
                self.record_kept_back(expired.event.name(), "stored for too long, dropped");
            }
            if install.leave_failure() {
                return;
            }
        }
    }

    /// One attempt. A success is stored and recorded here. After a failure the caller decides.
    async fn attempt(&self, app: &App, delivery: &mut WebhookDelivery) -> Attempt {
        wait(std::mem::take(&mut delivery.delay)).await;
        let body = match self.written_out(&app.sender, &mut delivery.payload) {
            Ok(body) => body,
            Err(error) => {
                self.record(delivery.event, &format!("not serialised: {error}"), &[]);
                return Attempt::Over;
            }
        };
        let (state, settings) = {
            let install = app.install();
            (install.state, install.settings.clone())
        };
        if state == InstallState::Disabled {
            self.record_kept_back(delivery.event.name(), "not sent, the app install is disabled");
            return Attempt::Over;
        }
        let Some(endpoint) = settings.endpoints.get(&delivery.event) else {
            self.record(delivery.event, "no endpoint any more, dropped", &body);
            return Attempt::Over;
        };
        let started = Instant::now();
        let headers = settings.headers.get(&delivery.event).map_or(&[][..], Vec::as_slice);
        let outcome = post(&self.client, app, endpoint, headers, body.clone()).await;
        let took = started.elapsed();
        delivery.first_attempt.clear();
        let outcome = match outcome {
            Ok(status) => {
                self.record(delivery.event, status.as_str(), &body);
                self.keep(delivery, body);
                Attempt::Over
            }
            Err(failure) => Attempt::Failed { endpoint: endpoint.clone(), failure, body },
        };
        for unsent in app.install().record_answer_time(endpoint, started + took, took) {
            self.record_kept_back(unsent.event.name(), "not sent, the app install is disabled");
        }
        outcome
    }

    /// The body. It is serialized at the first attempt and reused.
    fn written_out(&self, sender: &Sender, payload: &mut Payload) -> Result<Bytes, serde_json::Error> {
        let changes = match payload {
            Payload::Body(body) => return Ok(body.clone()),
            Payload::Changes(changes) => changes,
        };
        let newest = Change::notification(changes, &subscription_id(sender))?;
        let body = Bytes::from(self.forms().notification(newest)?);
        *payload = Payload::Body(body.clone());
        Ok(body)
    }

    fn keep(&self, delivery: &WebhookDelivery, body: Bytes) {
        let mut delivered = self.delivered.lock();
        let number = usize::try_from(delivered.next()).unwrap_or(usize::MAX);
        let kept = DeliveredWebhook {
            number,
            account_id: delivery.account_id.clone(),
            conversation_id: delivery.conversation_id.clone(),
            event: delivery.event,
            body,
        };
        let texts = kept.account_id.len() + kept.conversation_id.len() + kept.body.len();
        delivered.push(size_of::<DeliveredWebhook>() + texts, kept);
    }
}

/// The same for every notification of an install, as LivePerson's subscription id is.
fn subscription_id(sender: &Sender) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, sender.client_id.as_bytes()).to_string()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator acts as LivePerson, whose retries wait in its own process"
)]
async fn wait(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}
