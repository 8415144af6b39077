//! What a person wrote reaches LiveEngage.
//!
//! Lease the message, know the consumer, have an open conversation, send piece by piece, note every step. A crash between any
//! two calls leaves a state from which the next attempt goes on.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    delivery::{
        Attempt, Delivered, DeliveryContext, GivenUp, LIVEENGAGE_CALL, RetryLater, SenderNotice, acquire, end,
        park_panicking, park_unreadable,
    },
    error::DeliveryError,
    liveengage_client::{Caller, LiveEngage},
    registry::{Lines, Versions},
    settings::LineSettings,
    task::{Said, ToChannel, ToLiveEngage, UnreadableMessage, digest, to_body},
    unknown_form,
};
use crate::{
    domain::{
        breaker::Who,
        delivery::{ConsumerRef, MessageKey},
        id::{CorrelationId, LineId},
        message::{InboundContent, InboundEvent, MessageText},
    },
    liveengage::messaging::Place,
    port::{Clock, Consumers, Http, Ledger, Messages, Queue, QueueMessage},
};

mod consumer_session;
mod content;
mod failure_notice;
mod media;
mod opening;
mod outcome_lookup;
mod record;
mod reports;
mod satisfaction;
mod typing;

use consumer_session::ConsumerSession;
use failure_notice::FailureNotice;
pub(super) use record::update;
use reports::{Reported, Reports, reported};

/// What both workers need from outside.
#[derive(Clone)]
pub struct WorkerPorts {
    /// Consumers and whose conversations are.
    pub consumers: Arc<dyn Consumers>,
    /// Leases on messages.
    pub messages: Arc<dyn Messages>,
    /// Which message is which on the other side.
    pub ledger: Arc<dyn Ledger>,
    /// Calls to channels.
    pub http: Arc<dyn Http>,
    /// The queue to LiveEngage.
    pub to_liveengage: Arc<dyn Queue>,
    /// The queue to the channels.
    pub to_channel: Arc<dyn Queue>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for WorkerPorts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WorkerPorts")
    }
}

/// The use case.
#[derive(Debug, Clone)]
pub struct DeliverToLiveEngage {
    lines: Arc<Lines>,
    liveengage: Arc<LiveEngage>,
    ports: WorkerPorts,
}

impl DeliverToLiveEngage {
    /// Delivers for `lines`; who can't be delivered for is told over the queue to the channels.
    pub fn new(lines: Arc<Lines>, liveengage: Arc<LiveEngage>, ports: WorkerPorts) -> Self {
        Self { lines, liveengage, ports }
    }

    /// Works on one queue message. In the steady state a text costs four outside calls: lease, consumer, SEND, finish (and one more
    /// to note each further piece of a long text).
    ///
    /// # Errors
    /// [`RetryLater`] when the message must stay in the queue.
    pub async fn work(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        match serde_json::from_str::<ToLiveEngage>(task) {
            Ok(ToLiveEngage::ChannelEventV1 { line, correlation, accepted_at, first_accepted_at, event }) => {
                let mut context = DeliveryContext {
                    line: Some(line.clone()),
                    correlation: correlation.as_str().to_owned(),
                    accepted_at: Some(accepted_at),
                    first_accepted_at,
                    ..DeliveryContext::default()
                };
                match &event.content {
                    InboundContent::Typing { typing } => self.typing(&line, &event, *typing, attempt, &context).await,
                    InboundContent::Report { message, status, reference } => {
                        let reported = vec![Reported { id: message.as_ref(), reference: reference.as_ref() }];
                        let reports = Reports { line: &line, status, reported };
                        self.report(reports, attempt, &mut context, task).await
                    }
                    _ => self.deliver_or_tell(&line, &event, &correlation, attempt, context, task).await,
                }
            }
            Ok(ToLiveEngage::ReportsV1 {
                line,
                correlation,
                accepted_at,
                status,
                messages,
                references,
                unnamed,
                ..
            }) => {
                let mut context = DeliveryContext {
                    line: Some(line.clone()),
                    correlation: correlation.as_str().to_owned(),
                    accepted_at: Some(accepted_at),
                    ..DeliveryContext::default()
                };
                let reported = reported(&messages, &references, &unnamed);
                let reports = Reports { line: &line, status: &status, reported };
                self.report(reports, attempt, &mut context, task).await
            }
            Ok(ToLiveEngage::UnreadableMessageV1(UnreadableMessage { line, correlation, .. })) => {
                let context = DeliveryContext {
                    line: Some(line),
                    correlation: correlation.as_str().to_owned(),
                    ..DeliveryContext::default()
                };
                park_unreadable(&*self.ports.messages, attempt, task, "a message of the channel", context).await
            }
            Ok(ToLiveEngage::UndeliveredV1 {
                line,
                user,
                correlation,
                accepted_at,
                conversation,
                dialog,
                sequence,
                reason,
                may_have_arrived,
            }) => {
                let mut context = DeliveryContext {
                    line: Some(line.clone()),
                    conversation: Some(conversation.clone()),
                    correlation: correlation.as_str().to_owned(),
                    accepted_at: Some(accepted_at),
                    ..DeliveryContext::default()
                };
                let undelivered = FailureNotice {
                    who: ConsumerRef { line, user },
                    place: Place { conversation: &conversation, dialog: &dialog },
                    sequence,
                    reason: &reason,
                    may_have_arrived,
                };
                let key = undelivered.key(correlation.as_str());
                let result = self.tell_agent(undelivered, &key, attempt, &mut context).await;
                // Nobody is told that nobody could be told: it is parked.
                end(&*self.ports.messages, &key, attempt, &context, task, result, None).await
            }
            Err(_) => unknown_form::wait_or_park(&*self.ports.messages, attempt, task).await,
        }
    }

    /// When a person did something; `None` for anything else, and where the channel doesn't say.
    pub fn time(task: &str) -> Option<Timestamp> {
        match serde_json::from_str(task) {
            Ok(ToLiveEngage::ChannelEventV1 { event: InboundEvent { at, .. }, .. }) => {
                (at > Timestamp::UNIX_EPOCH).then_some(at)
            }
            _ => None,
        }
    }

    /// Counts an attempt that has panicked, and keeps the message for a person when no attempt survives it.
    ///
    /// # Errors
    /// [`RetryLater`] until then.
    pub async fn give_up(&self, task: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        park_panicking(&*self.ports.messages, attempt, task).await
    }

    async fn deliver_or_tell(
        &self,
        line: &LineId,
        event: &InboundEvent,
        correlation: &CorrelationId,
        attempt: &Attempt,
        mut context: DeliveryContext,
        task: &str,
    ) -> Result<(), RetryLater> {
        let key = event.key(line);
        let result = self.deliver(line, event, correlation, &key, attempt, &mut context).await;
        let notice = match self.lines.get(line, attempt.now).await {
            Some(settings) => settings.current.not_delivered_notice.clone(),
            None => None,
        };
        let news = |_: &GivenUp| notice_of(line, event, correlation, notice.clone()?, attempt);
        let telling = SenderNotice { queue: &*self.ports.to_channel, news: &news };
        end(&*self.ports.messages, &key, attempt, &context, task, result, Some(telling)).await
    }

    async fn deliver(
        &self,
        line: &LineId,
        event: &InboundEvent,
        correlation: &CorrelationId,
        key: &MessageKey,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Result<Delivered, DeliveryError> {
        let settings = self.settings(line, attempt).await?;
        let Some((lease, steps)) = acquire(&*self.ports.messages, key.clone(), attempt, context).await? else {
            return Ok(Delivered::Nothing("delivered before"));
        };
        let who = ConsumerRef { line: line.clone(), user: event.user.clone() };
        let told = (event, correlation);
        let before = (context.attempts.unwrap_or(1), context.uncertain.clone());
        let session = ConsumerSession::new(self, &settings.current, attempt, &lease, &who, told, before);
        content::Delivery { session, event, correlation, steps, context }.run().await
    }

    async fn settings(&self, line: &LineId, attempt: &Attempt) -> Result<Arc<Versions<LineSettings>>, DeliveryError> {
        let unknown = || DeliveryError::UnknownLine { line: line.clone() };
        self.lines.get(line, attempt.now).await.ok_or_else(unknown)
    }

    fn caller<'a>(settings: &'a LineSettings, attempt: &'a Attempt, who: &ConsumerRef) -> Caller<'a> {
        Caller {
            account: &settings.account,
            owner: &attempt.owner,
            who: Who::of(who),
            client_properties: &settings.client_properties,
            now: attempt.now,
        }
    }

    /// Has the person told something in the connector's own words, once for each `name`.
    async fn say(
        &self,
        who: &ConsumerRef,
        correlation: &CorrelationId,
        attempt: &Attempt,
        name: String,
        text: MessageText,
    ) -> Result<(), DeliveryError> {
        let said = Said {
            line: who.line.clone(),
            user: who.user.clone(),
            correlation: correlation.clone(),
            accepted_at: attempt.now,
            name,
            text,
        };
        let group = digest([b"said".as_slice(), who.line.as_str().as_bytes(), who.user.as_str().as_bytes()]);
        Ok(self.ports.to_channel.send(vec![said.message(group)?]).await?)
    }
}

/// The news for a person that their message was not delivered.
fn notice_of(
    line: &LineId,
    event: &InboundEvent,
    correlation: &CorrelationId,
    text: MessageText,
    attempt: &Attempt,
) -> Option<QueueMessage> {
    let task = ToChannel::NoticeV1 {
        line: line.clone(),
        user: event.user.clone(),
        correlation: correlation.clone(),
        accepted_at: attempt.now,
        text,
    };
    Some(QueueMessage {
        body: to_body(&task).ok()?,
        group: digest([b"notice".as_slice(), line.as_str().as_bytes(), event.user.as_str().as_bytes()]),
        deduplication: digest([
            b"notice".as_slice(),
            line.as_str().as_bytes(),
            event.user.as_str().as_bytes(),
            &(attempt.now.as_second() / 3600).to_be_bytes(),
        ]),
    })
}

/// How long to wait for something that a message needs and that is about to come: as long again as it has waited, one second at
/// least.
fn soon(age: SignedDuration, most: SignedDuration) -> SignedDuration {
    age.clamp(SignedDuration::from_secs(1), most)
}
