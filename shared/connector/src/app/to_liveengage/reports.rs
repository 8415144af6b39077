//! Publishes a channel's reports about messages to a consumer: ACCEPT, READ, or NACK with a text for the agent.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{
    DeliverToLiveEngage,
    failure_notice::{AgentNotice, FailureNotice},
};
use crate::{
    app::{
        delivery::{Delivered, Delivery},
        error::DeliveryError,
        policy::{Importance, REPORT_UNKNOWN_FOR, wait_as_long_again},
    },
    domain::{
        delivery::ConsumerRef,
        id::LineId,
        message_key::MessageKey,
        receipt::{AcceptedCall, MessagePosition, OutboundReceipt, ReceiptName},
    },
    log_event,
    queue_message::Reports,
};
use connector_channels::{
    id::{CallReference, ChannelUserId, ProviderMessageId},
    message::ReportedStatus,
};
use connector_liveengage::{
    LiveEngageError,
    id::{ConversationId, DialogId, Sequence},
    messaging::{AcceptStatus, DialogRef, Event},
};
use connector_message::{Disposition, code::Code};

/// One status of messages to one consumer. The ledger has their consumer, because a channel can report a message to a user id under the
/// phone number.
pub(super) struct StatusReport<'a> {
    pub(super) line: &'a LineId,
    pub(super) status: &'a ReportedStatus,
    pub(super) reported: Vec<Reported<'a>>,
}

/// A message of a report, by at least one of its names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported<'a> {
    /// The channel's id.
    pub(super) id: Option<&'a ProviderMessageId>,
    /// The connector's own reference.
    pub(super) reference: Option<&'a CallReference>,
}

impl<'a> StatusReport<'a> {
    /// Returns the messages of a queue message's reports: those with the channel's ids, some of them with a reference, and those with a
    /// reference only.
    pub(super) fn of(reports: &'a Reports) -> Self {
        let reference = |id| reports.references.iter().find(|(named, _)| named == id).map(|(_, reference)| reference);
        let by_id = reports.messages.iter().map(|id| Reported { id: Some(id), reference: reference(id) });
        let by_reference = reports.unnamed.iter().map(|reference| Reported { id: None, reference: Some(reference) });
        Self { line: &reports.consumer.line, status: &reports.status, reported: by_id.chain(by_reference).collect() }
    }
}

/// A status to publish in one dialog of one consumer, and its messages.
type ByDialog<'a> = BTreeMap<(ChannelUserId, ConversationId, DialogId), Vec<(Sequence, &'a OutboundReceipt)>>;

impl DeliverToLiveEngage {
    /// Handles reports. Publishing one twice does no harm, so there is no lease. The ledger prevents that a late report of a lower rank is
    /// published.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn report(
        &self,
        report: &StatusReport<'_>,
        delivery: &mut Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        // A report of delivery is dispensable. A report of a failure isn't.
        delivery.importance = match report.status {
            ReportedStatus::Failed { .. } => Importance::Required,
            ReportedStatus::Delivered | ReportedStatus::Read => Importance::BestEffort,
        };
        let rank = report.status.rank();
        let (mut unknown, mut known) = (0, vec![]);
        for message in &report.reported {
            match self.outbound_receipt(report.line, *message).await? {
                Some(receipt) => known.push(receipt),
                None => {
                    unknown += 1;
                    self.note_accepted(report, *message, delivery).await?;
                }
            }
        }
        // Publish the known ones in the meantime. The next attempt publishes only new ones.
        let news: Vec<_> = known.into_iter().filter(|receipt| receipt.rank < rank).collect();
        let published = match report.status {
            ReportedStatus::Failed { code } => self.publish_failures(report, &news, code, delivery).await?,
            ReportedStatus::Delivered => self.publish_status(report, &news, AcceptStatus::Accept, delivery).await?,
            ReportedStatus::Read => self.publish_status(report, &news, AcceptStatus::Read, delivery).await?,
        };
        if unknown > 0 {
            let age = delivery.age();
            if delivery.context.accepted_at.is_some() && age < REPORT_UNKNOWN_FOR {
                let after = wait_as_long_again(age, SignedDuration::from_secs(30));
                return Err(DeliveryError::MessageUnknown { after });
            }
            log_event!(REPORT_UNKNOWN_MESSAGE, correlation = delivery.context.correlation_text(), count = unknown);
        }
        Ok(if published { Delivered::Sent } else { Delivered::Nothing("nothing new in the report") })
    }

    /// Looks a message up by the channel's id, and by our own reference, under which it is recorded if the channel's answer had no id.
    async fn outbound_receipt(
        &self,
        line: &LineId,
        message: Reported<'_>,
    ) -> Result<Option<OutboundReceipt>, DeliveryError> {
        let names = [
            message.id.map(|id| ReceiptName::Id(id.clone())),
            message.reference.map(|reference| ReceiptName::Reference(reference.clone())),
        ];
        for name in names.iter().flatten() {
            if let Some(entry) = self.worker.ledger.outbound_receipt(line, name).await? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Records that a report proves a call whose message is not recorded, in case the answer to the call was lost. For a repeated report
    /// the table is read first: that costs less than a write, and the record nearly always exists.
    async fn note_accepted(
        &self,
        report: &StatusReport<'_>,
        message: Reported<'_>,
        delivery: &Delivery<'_>,
    ) -> Result<(), DeliveryError> {
        // Don't record a failed message: if the call is repeated, the channel rejects it again, and the agent gets a notice.
        let (Reported { id, reference: Some(reference) }, false) =
            (message, matches!(report.status, ReportedStatus::Failed { .. }))
        else {
            return Ok(());
        };
        let ledger = &self.worker.ledger;
        if delivery.attempt.received > 1 && ledger.accepted_call(report.line, reference).await?.is_some() {
            return Ok(());
        }
        let accepted = AcceptedCall { id: id.cloned() };
        Ok(ledger.note_accepted(report.line, reference, &accepted, delivery.accepted_at()).await?)
    }

    /// Records what was published about a message, and logs it with the message's correlation id.
    async fn record_reported(
        &self,
        report: &StatusReport<'_>,
        receipt: &OutboundReceipt,
        delivery: &Delivery<'_>,
    ) -> Result<(), DeliveryError> {
        self.worker.ledger.reported(report.line, &receipt.name, report.status.rank()).await?;
        if let Some(correlation) = &receipt.correlation {
            let (status, report_id) = (report.status.name(), delivery.context.correlation_text());
            log_event!(MESSAGE_REPORTED, %correlation, line = %report.line, status, report = report_id);
        }
        Ok(())
    }

    async fn publish_status(
        &self,
        report: &StatusReport<'_>,
        news: &[OutboundReceipt],
        status: AcceptStatus,
        delivery: &Delivery<'_>,
    ) -> Result<bool, DeliveryError> {
        let by_dialog = self.by_dialog(report, news).await?;
        if by_dialog.is_empty() {
            return Ok(false);
        }
        let attempt = delivery.attempt;
        let settings = self.worker.settings(report.line, attempt).await?;
        for ((user, conversation, dialog), messages) in by_dialog {
            let consumer = ConsumerRef { line: report.line.clone(), user };
            let mut session = self.worker.session(attempt, &settings, consumer);
            let sequences: Vec<_> = messages.iter().map(|(sequence, ..)| *sequence).collect();
            let names = messages.iter().map(|(_, receipt)| receipt.name.as_str());
            let request_id = MessageKey::of_reports(report.status.rank(), names).reference();
            let event = Event::Status(status, &sequences);
            match session.publish(&request_id, &DialogRef { conversation, dialog }, event.into()).await {
                Ok(_) => {}
                // The conversation has ended, for example. Retrying wouldn't help.
                Err(error) if is_moot(&error) => {
                    log_event!(REPORT_TOO_LATE, line = %report.line, %error);
                }
                Err(error) => return Err(error),
            }
            for (_, receipt) in messages {
                self.record_reported(report, receipt, delivery).await?;
            }
        }
        Ok(true)
    }

    /// Returns the messages whose last part this reports, by dialog.
    async fn by_dialog<'n>(
        &self,
        report: &StatusReport<'_>,
        news: &'n [OutboundReceipt],
    ) -> Result<ByDialog<'n>, DeliveryError> {
        let mut by_dialog = ByDialog::new();
        for receipt in news {
            if let (true, Some(MessagePosition { conversation, dialog, sequence })) = (receipt.last, &receipt.position)
            {
                if receipt.part > 0 && self.has_failed(report.line, dialog, *sequence).await? {
                    continue;
                }
                let key = (receipt.user.clone(), conversation.clone(), dialog.clone());
                by_dialog.entry(key).or_default().push((*sequence, receipt));
            }
        }
        Ok(by_dialog)
    }

    /// Whether the agent was notified that the message did not arrive, because another part of it can have failed.
    async fn has_failed(&self, line: &LineId, dialog: &DialogId, sequence: Sequence) -> Result<bool, DeliveryError> {
        Ok(self.worker.messages.is_done(&MessageKey::of_failure(line, dialog, sequence)).await?)
    }

    async fn publish_failures(
        &self,
        report: &StatusReport<'_>,
        news: &[OutboundReceipt],
        code: &Code,
        delivery: &Delivery<'_>,
    ) -> Result<bool, DeliveryError> {
        let reason = format!("the channel reports that it could not be delivered (code {code})");
        let (mut notified, mut refused) = (false, None);
        for receipt in news {
            let no_recipient = || DeliveryError::NoRecipient { code: code.clone() };
            // The connector's own text to the consumer has no agent to notify, so it is parked.
            let Some(position) = &receipt.position else {
                refused = Some(no_recipient());
                continue;
            };
            let notice = FailureNotice {
                consumer: &ConsumerRef { line: report.line.clone(), user: receipt.user.clone() },
                dialog: &position.dialog(),
                sequence: Some(position.sequence),
                reason: &reason,
                may_have_arrived: false,
            };
            // The notice and the report have separate records.
            let mut of_news = delivery.part(MessageKey::of_failure(report.line, &position.dialog, position.sequence));
            let notice_result = self.notify_agent(&notice, &mut of_news).await;
            if notice_result.is_err() {
                of_news.release(true).await;
            }
            match notice_result {
                // Notify for the others all the same, and then park.
                Err(error) if error.disposition() == Disposition::Park => refused = Some(error),
                Ok(AgentNotice::ConversationEnded) => refused = Some(no_recipient()),
                Ok(AgentNotice::Now | AgentNotice::Before) => {
                    self.record_reported(report, receipt, delivery).await?;
                    notified = true;
                }
                Err(error) => return Err(error),
            }
        }
        refused.map_or(Ok(notified), Err)
    }
}

fn is_moot(error: &DeliveryError) -> bool {
    matches!(error, DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. }))
        || error.disposition() == Disposition::Park
}
