//! Delivers consumers' messages to LiveEngage.
//!
//! An attempt acquires the lease, gets the consumer's identity and an open conversation, publishes piece by piece and records every step.
//! After a crash between any two calls, the next attempt continues from the recorded state.

use std::sync::Arc;

use super::{
    consumer_session::{ConsumerProfile, ConsumerSession, OtherAccount},
    delivery::{Attempt, Begin, Delivered, Delivery, DeliveryContext, NoticeTo, RetryLater},
    error::DeliveryError,
    liveengage_client::LiveEngage,
    registry::Lines,
    unreadable::{park_panicking, park_unreadable, wait_or_park},
    worker::{WorkerContext, WorkerPorts},
};
use crate::{
    domain::delivery::ConsumerRef,
    queue_message::{Announcement, ChannelEvent, Envelope, Message, Received, ToLiveEngage, Undelivered},
};
use connector_channels::message::InboundContent;
use connector_message::MessageText;

mod content;
mod failure_notice;
mod media;
mod outcome_lookup;
mod publishing;
mod reports;
mod satisfaction;
mod typing;

use content::EventDelivery;
use failure_notice::FailureNotice;
use reports::{Reported, StatusReport};

/// The use case of the function `to-liveengage`.
#[derive(Debug, Clone)]
pub struct DeliverToLiveEngage {
    worker: Arc<WorkerContext>,
}

impl DeliverToLiveEngage {
    /// Creates the use case for `lines`. If a consumer's message can't be delivered, a notice goes to the queue to the channels.
    pub fn new(lines: Arc<Lines>, liveengage: Arc<LiveEngage>, ports: WorkerPorts) -> Self {
        Self { worker: Arc::new(WorkerContext::new(lines, liveengage, ports)) }
    }

    /// Makes one attempt at a queue message. In the steady state a text takes four outside calls in three steps: lease and consumer, SEND,
    /// and end (and one more call to record each further piece of a long text).
    ///
    /// # Errors
    /// [`RetryLater`] if the message must stay in the queue.
    pub async fn work(&self, received: &Received, attempt: &Attempt) -> Result<(), RetryLater> {
        let ports = self.worker.delivery_ports(&*self.worker.to_channel);
        let Ok(message @ Message::ToLiveEngage(task)) = &received.message else {
            return wait_or_park(ports, received, attempt).await;
        };
        let context = DeliveryContext::of(message);
        let mut delivery = Delivery::new(ports, attempt, message.identity().key(), &received.body, context);
        let result = match task {
            ToLiveEngage::ChannelEvent(event) => match &event.event.content {
                InboundContent::Typing { typing } => return self.typing(event, *typing, &delivery).await,
                InboundContent::Report { message, status, reference } => {
                    let reported = vec![Reported { id: message.as_ref(), reference: reference.as_ref() }];
                    self.report(&StatusReport { line: &event.line, status, reported }, &mut delivery).await
                }
                _ => self.deliver(event, &mut delivery).await,
            },
            ToLiveEngage::Reports(reports) => self.report(&StatusReport::of(reports), &mut delivery).await,
            ToLiveEngage::Unreadable(_) => park_unreadable("a message of the channel", &mut delivery).await,
            // A failure notice that can't be delivered causes no further notice. It is parked.
            ToLiveEngage::Undelivered(undelivered) => self.publish_failure_notice(undelivered, &mut delivery).await,
        };
        delivery.end(result).await
    }

    /// Counts an attempt that has panicked, and parks the message if every attempt panics.
    ///
    /// # Errors
    /// [`RetryLater`] until then.
    pub async fn give_up(&self, body: &str, attempt: &Attempt) -> Result<(), RetryLater> {
        park_panicking(self.worker.delivery_ports(&*self.worker.to_channel), body, attempt).await
    }

    async fn deliver(&self, message: &ChannelEvent, delivery: &mut Delivery<'_>) -> Result<Delivered, DeliveryError> {
        let ChannelEvent { envelope, line, event } = message;
        delivery.notice_to = NoticeTo::NotKnownYet;
        let (settings, consumer) = (&*self.worker.settings(line, delivery.attempt).await?, message.consumer());
        delivery.notice_to = match settings.not_delivered_notice.clone() {
            Some(notice) => NoticeTo::Consumer { consumer: consumer.clone(), notice },
            None => NoticeTo::Nobody,
        };
        let mut session = ConsumerSession {
            other_account: OtherAccount::Move,
            ..self.worker.session(delivery.attempt, settings, consumer)
        };
        // Reading the record takes no longer if it is done at the same time.
        let (begun, record) = futures::join!(delivery.begin(), session.record());
        if begun? == Begin::DoneBefore {
            return Ok(Delivered::Nothing("delivered before"));
        }
        record?;
        EventDelivery {
            worker: &self.worker,
            session,
            settings,
            profile: ConsumerProfile::new(settings, event),
            correlation: &envelope.correlation,
            event,
            delivery,
        }
        .run()
        .await
    }

    async fn publish_failure_notice(
        &self,
        undelivered: &Undelivered,
        delivery: &mut Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        let notice = FailureNotice {
            consumer: &undelivered.consumer,
            dialog: &undelivered.dialog,
            sequence: undelivered.sequence,
            reason: &undelivered.reason,
            may_have_arrived: undelivered.may_have_arrived,
        };
        Ok(self.notify_agent(&notice, delivery).await?.into())
    }
}

impl EventDelivery<'_, '_> {
    /// Queues one of the line's texts for the consumer, once for each `name`.
    async fn announce(&self, name: String, text: MessageText) -> Result<(), DeliveryError> {
        let consumer: ConsumerRef = self.session.consumer.clone();
        let envelope = Envelope::new(self.correlation, self.delivery.attempt.now);
        let announcement = Message::from(Announcement { envelope, consumer, name, after: None, text });
        let queued = announcement.queued().map_err(|_| DeliveryError::UnreadableTask { what: "an announcement" })?;
        Ok(self.worker.to_channel.send(vec![queued]).await?)
    }
}
