//! The tries of a notification, and what follows when its endpoint does not take it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use url::Url;

use super::delivery::{Delivery, Payload};
use super::install::{InstallState, Verdict};
use super::post::post;
use super::{App, DeliveredWebhook, Webhooks};
use crate::liveengage::notification::Change;
use crate::liveengage::options::AccountOptions;

/// What came of one try.
enum Try {
    /// Delivered, or gone for another reason that the journal has.
    Over,
    Failed {
        endpoint: Url,
        /// A status or what else went wrong, as the journal shows it.
        failure: String,
        body: Bytes,
    },
}

impl Webhooks {
    /// Tries the notification that its conversation has under way, and settles what becomes of it.
    pub(super) async fn deliver(self: &Arc<Self>, app: &Arc<App>, mut delivery: Delivery) {
        let outcome = self.attempt(app, &mut delivery).await;
        let mut install = app.install();
        let Try::Failed { endpoint, failure, body } = outcome else { return install.done(&delivery.conversation_id) };
        let record = |outcome: &str| self.record(delivery.event, &format!("{failure}, {outcome}"), &body);
        match install.verdict(&delivery) {
            Verdict::Drop => {
                record("dropped");
                install.done(&delivery.conversation_id);
            }
            Verdict::RetryByNumber(retries, gap) => {
                record(&format!("again in {gap:?}"));
                install.done(&delivery.conversation_id);
                let (webhooks, app) = (Arc::clone(self), Arc::clone(app));
                self.spawn(async move { webhooks.retry_by_number(&app, delivery, retries, gap).await });
            }
            Verdict::Store if install.state == InstallState::Failed => {
                record("stored");
                install.store(delivery, endpoint);
            }
            Verdict::Store => {
                let pause = install.settings.first_retry_after;
                record(&format!("again in {pause:?}"));
                if install.store(delivery, endpoint) {
                    let (webhooks, app) = (Arc::clone(self), Arc::clone(app));
                    self.spawn(async move { webhooks.probe(&app, pause).await });
                }
            }
        }
    }

    /// Retry by numbers: for itself, while what follows in the conversation goes on.
    async fn retry_by_number(&self, app: &App, mut delivery: Delivery, retries: u8, gap: Duration) {
        for left in (0..retries).rev() {
            wait(gap).await;
            let Try::Failed { failure, body, .. } = self.attempt(app, &mut delivery).await else { return };
            let next = if left == 0 { "dropped".to_owned() } else { format!("again in {gap:?}") };
            self.record(delivery.event, &format!("{failure}, {next}"), &body);
        }
    }

    /// Retry by time to live: tries the failed endpoints again, with pauses that double, until all have answered.
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
                let Try::Failed { failure, body, .. } = outcome else {
                    if let Some(endpoint) = endpoint {
                        install.answered(&endpoint);
                    }
                    install.done(&delivery.conversation_id);
                    continue;
                };
                let too_old = install.settings.retention.is_none_or(|retention| delivery.outlives(retention, pause));
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

    /// One try. What succeeds is kept and recorded here; of a failure the caller knows what follows.
    async fn attempt(&self, app: &App, delivery: &mut Delivery) -> Try {
        wait(std::mem::take(&mut delivery.delay)).await;
        let body = match self.written_out(&app.account, &mut delivery.payload) {
            Ok(body) => body,
            Err(error) => {
                self.record(delivery.event, &format!("not serialised: {error}"), &[]);
                return Try::Over;
            }
        };
        let (state, settings) = {
            let install = app.install();
            (install.state, install.settings.clone())
        };
        if state == InstallState::Disabled {
            self.record_kept_back(delivery.event.name(), "not sent, the app install is disabled");
            return Try::Over;
        }
        let Some(endpoint) = settings.endpoints.get(&delivery.event) else {
            self.record(delivery.event, "no endpoint any more, dropped", &body);
            return Try::Over;
        };
        let started = Instant::now();
        let secret = app.client_secret();
        let outcome = post(&self.client, &app.account, &secret, endpoint, &settings.headers, body.clone()).await;
        let took = started.elapsed();
        delivery.first_try.clear();
        let outcome = match outcome {
            Ok(status) => {
                self.record(delivery.event, status.as_str(), &body);
                self.keep(delivery, body);
                Try::Over
            }
            Err(failure) => Try::Failed { endpoint: endpoint.clone(), failure, body },
        };
        for unsent in app.install().note_answer_time(endpoint, started + took, took) {
            self.record_kept_back(unsent.event.name(), "not sent, the app install is disabled");
        }
        outcome
    }

    /// The body, written on the first try and the same on each further one.
    fn written_out(&self, account: &AccountOptions, payload: &mut Payload) -> Result<Bytes, serde_json::Error> {
        let changes = match payload {
            Payload::Body(body) => return Ok(body.clone()),
            Payload::Changes(changes) => changes,
        };
        let newest = Change::notification(changes, &subscription_id(account))?;
        let body = Bytes::from(self.forms().notification(newest)?);
        *payload = Payload::Body(body.clone());
        Ok(body)
    }

    fn keep(&self, delivery: &Delivery, body: Bytes) {
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        let number = delivered.len();
        delivered.push(DeliveredWebhook {
            number,
            account_id: delivery.account_id.clone(),
            conversation_id: delivery.conversation_id.clone(),
            event: delivery.event,
            body,
        });
    }
}

/// Stable per install, as it is at LivePerson for the notifications of one subscription.
fn subscription_id(account: &AccountOptions) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, account.client_id.as_bytes()).to_string()
}

#[expect(clippy::disallowed_methods, reason = "the simulator plays LivePerson, whose retries wait in its own process")]
async fn wait(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}
