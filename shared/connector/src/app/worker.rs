//! The parts that both workers share.

use std::sync::Arc;

use super::{
    agent_names::AgentNames,
    consumer_session::{ConsumerSession, OtherAccount},
    delivery::{Attempt, DeliveryPorts},
    error::DeliveryError,
    guarded_http::{GuardedCalls, GuardedHttp},
    liveengage_client::LiveEngage,
    owners::Owners,
    registry::Lines,
    settings::LineSettings,
};
use crate::{
    domain::{breaker::Who, delivery::ConsumerRef, id::LineId},
    port::{Clock, Consumers, Http, Ledger, Messages, Queue},
};
use connector_liveengage::id::AccountId;

/// The ports of both workers.
#[derive(Clone, derive_more::Debug)]
#[debug("WorkerPorts")]
pub struct WorkerPorts {
    /// Consumers and the owners of conversations.
    pub consumers: Arc<dyn Consumers>,
    /// Leases on messages.
    pub messages: Arc<dyn Messages>,
    /// The other side's ids of messages.
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

/// The ports and clients of a worker. Calls to a channel go through its breakers.
#[derive(derive_more::Debug)]
#[debug("WorkerContext")]
pub(super) struct WorkerContext {
    pub(super) lines: Arc<Lines>,
    pub(super) liveengage: Arc<LiveEngage>,
    pub(super) consumers: Arc<dyn Consumers>,
    pub(super) owners: Owners,
    pub(super) agent_names: AgentNames,
    pub(super) messages: Arc<dyn Messages>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) to_liveengage: Arc<dyn Queue>,
    pub(super) to_channel: Arc<dyn Queue>,
    /// Held while a file passes. Several at a time would share the time limit of a call, and may need more memory than there is.
    pub(super) files: futures::lock::Mutex<()>,
    channels: GuardedHttp<LineId>,
    clock: Arc<dyn Clock>,
}

impl WorkerContext {
    pub(super) fn new(lines: Arc<Lines>, liveengage: Arc<LiveEngage>, ports: WorkerPorts) -> Self {
        let WorkerPorts { consumers, messages, ledger, http, to_liveengage, to_channel, clock } = ports;
        let (channels, owners) = (GuardedHttp::new(http), Owners::new(Arc::clone(&consumers)));
        Self {
            lines,
            liveengage,
            consumers,
            owners,
            agent_names: AgentNames::default(),
            messages,
            ledger,
            to_liveengage,
            to_channel,
            files: futures::lock::Mutex::default(),
            channels,
            clock,
        }
    }

    /// Returns the ports of a delivery. `notices` is the queue for the notice to the sender if the message can't be delivered.
    pub(super) fn delivery_ports<'a>(&'a self, notices: &'a dyn Queue) -> DeliveryPorts<'a> {
        DeliveryPorts { messages: &*self.messages, clock: &*self.clock, notices }
    }

    /// Returns a consumer's session with LiveEngage, in the line's account.
    pub(super) fn session<'a>(
        &'a self,
        attempt: &'a Attempt,
        settings: &'a LineSettings,
        consumer: ConsumerRef,
    ) -> ConsumerSession<'a> {
        self.session_at(attempt, &settings.account, settings, consumer)
    }

    /// Returns a consumer's session with LiveEngage, in this account.
    pub(super) fn session_at<'a>(
        &'a self,
        attempt: &'a Attempt,
        account: &'a AccountId,
        settings: &'a LineSettings,
        consumer: ConsumerRef,
    ) -> ConsumerSession<'a> {
        ConsumerSession {
            liveengage: &self.liveengage,
            consumers: &*self.consumers,
            clock: &*self.clock,
            attempt,
            account,
            settings,
            consumer,
            other_account: OtherAccount::Leave,
            known: None,
            is_detached: false,
        }
    }

    /// Returns the calls to a line's channel for one consumer.
    pub(super) fn channel<'a>(&'a self, consumer: &'a ConsumerRef, attempt: &Attempt) -> GuardedCalls<'a, LineId> {
        self.channels.calls(&consumer.line, Some(Who::of(consumer)), attempt.now)
    }

    /// Returns a line's settings.
    ///
    /// # Errors
    /// [`DeliveryError::UnknownLine`], [`DeliveryError::Registry`].
    pub(super) async fn settings(&self, line: &LineId, attempt: &Attempt) -> Result<Arc<LineSettings>, DeliveryError> {
        self.lines.get(line, attempt.now).await.map_err(|error| DeliveryError::of_line(line, error))
    }

    /// Reads a line's secret again for the next attempt, because the channel has rejected its credentials. If this fails, the next attempt
    /// uses the same ones.
    pub(super) async fn reread_settings(&self, line: &LineId, attempt: &Attempt) {
        let _ = self.lines.get_after_failure(line, attempt.now).await;
    }
}
