//! What a channel reports of messages to a person: ACCEPT, READ, or NACK with a line for the agent.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{
    Attempt, ConsumerRef, DeliverToLiveEngage, Delivered, DeliveryContext, DeliveryError, FailureNotice,
    LIVEENGAGE_CALL, MessageKey, RetryLater,
    consumer_session::without,
    digest, end,
    failure_notice::{ENDED, news_key},
    soon, update,
};
use crate::{
    domain::{
        code::Code,
        conversation::Consumer,
        delivery::{AcceptedCall, Lease, MessagePosition, OutboundReceipt, ReceiptName},
        id::{CallReference, ChannelUserId, ConversationId, DialogId, LineId, ProviderMessageId, Sequence},
        message::ReportedStatus,
        retry::Disposition,
    },
    liveengage::{
        LiveEngageError,
        messaging::{AcceptStatus, Event, Place},
    },
};

/// How long a report waits for its message to be noted: it can overtake the answer to our own call.
const UNKNOWN_FOR: SignedDuration = SignedDuration::from_mins(2);

/// One status of messages to one person. Whose they are says the ledger: a channel can report a message to somebody's user id under
/// their phone number.
pub(super) struct Reports<'a> {
    pub(super) line: &'a LineId,
    pub(super) status: &'a ReportedStatus,
    pub(super) reported: Vec<Reported<'a>>,
}

/// A message that is reported on, by one of its names at least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported<'a> {
    /// The channel's.
    pub(super) id: Option<&'a ProviderMessageId>,
    /// The connector's own.
    pub(super) reference: Option<&'a CallReference>,
}

impl Reported<'_> {
    fn as_str(&self) -> &str {
        self.id.map(ProviderMessageId::as_str).or(self.reference.map(CallReference::as_str)).unwrap_or_default()
    }
}

/// The messages of a task: by the channel's ids, of which some have a reference, and by their references alone.
pub(super) fn reported<'a>(
    ids: &'a [ProviderMessageId],
    references: &'a [(ProviderMessageId, CallReference)],
    unnamed: &'a [CallReference],
) -> Vec<Reported<'a>> {
    let reference = |id| references.iter().find(|(named, _)| named == id).map(|(_, reference)| reference);
    let ids = ids.iter().map(|id| Reported { id: Some(id), reference: reference(id) });
    ids.chain(unnamed.iter().map(|reference| Reported { id: None, reference: Some(reference) })).collect()
}

/// What is to be told in one dialog of one person, and of which messages.
type ByDialog<'a> = BTreeMap<(ChannelUserId, ConversationId, DialogId), Vec<(Sequence, &'a OutboundReceipt)>>;

impl DeliverToLiveEngage {
    /// Works on reports. Telling one twice does no harm, so there is no lease; the ledger keeps a late one of a lower rank from
    /// being told.
    ///
    /// # Errors
    /// [`RetryLater`].
    pub(super) async fn report(
        &self,
        reports: Reports<'_>,
        attempt: &Attempt,
        context: &mut DeliveryContext,
        task: &str,
    ) -> Result<(), RetryLater> {
        let result = match self.tell_reports(&reports, attempt, context).await {
            // A tick that LiveEngage refuses is nothing that anybody waits for. A failure is.
            Err(error)
                if error.disposition() == Disposition::Park
                    && !matches!(reports.status, ReportedStatus::Failed { .. }) =>
            {
                tracing::warn!(correlation = context.correlation, %error, count = 1, "a channel's report can't be told");
                Ok(Delivered::Nothing("report refused"))
            }
            other => other,
        };
        let names = reports.reported.iter().map(|message| message.as_str().as_bytes());
        let key = MessageKey::ByDigest {
            digest: digest(
                [b"report".as_slice(), &[reports.status.rank()], reports.line.as_str().as_bytes()]
                    .into_iter()
                    .chain(names),
            ),
        };
        end(&*self.ports.messages, &key, attempt, context, task, result, None).await
    }

    async fn tell_reports(
        &self,
        reports: &Reports<'_>,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Result<Delivered, DeliveryError> {
        let rank = reports.status.rank();
        let (mut unknown, mut shown) = (0, vec![]);
        for message in &reports.reported {
            match self.outbound_receipt(reports.line, *message).await? {
                Some(entry) => shown.push(entry),
                None => {
                    unknown += 1;
                    self.note_accepted(reports, *message, attempt, context).await?;
                }
            }
        }
        // The rest is told by the way: with the next attempt only what is new is.
        let news: Vec<_> = shown.into_iter().filter(|entry| entry.rank < rank).collect();
        let told = match reports.status {
            ReportedStatus::Failed { code } => self.tell_failed(reports, &news, code, attempt, context).await?,
            ReportedStatus::Delivered => {
                self.tell_status(reports, &news, AcceptStatus::Accept, attempt, context).await?
            }
            ReportedStatus::Read => self.tell_status(reports, &news, AcceptStatus::Read, attempt, context).await?,
        };
        if unknown > 0 {
            let age = context.accepted_at.map_or(UNKNOWN_FOR, |at| attempt.now.duration_since(at));
            if age < UNKNOWN_FOR {
                let after = soon(age, SignedDuration::from_secs(30));
                return Err(DeliveryError::MessageUnknown { after });
            }
            tracing::warn!(correlation = context.correlation, count = unknown, "reports of unknown messages");
        }
        Ok(if told { Delivered::Sent } else { Delivered::Nothing("nothing new in the report") })
    }

    /// What a message is: by the channel's id, and by our own name, under which it is noted where the channel's answer had no id.
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
            if let Some(entry) = self.ports.ledger.outbound_receipt(line, name).await? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// A report of a message that is not noted proves that a call was taken, should its answer be lost. A report that comes again asks
    /// first: reading costs less than writing, and the note is nearly always there.
    async fn note_accepted(
        &self,
        reports: &Reports<'_>,
        message: Reported<'_>,
        attempt: &Attempt,
        context: &DeliveryContext,
    ) -> Result<(), DeliveryError> {
        // Of a message that could not be delivered it proves nothing that would help: repeated, it is refused again, and that is told.
        let (Reported { id, reference: Some(reference) }, false) =
            (message, matches!(reports.status, ReportedStatus::Failed { .. }))
        else {
            return Ok(());
        };
        if attempt.received > 1 && self.ports.ledger.accepted_call(reports.line, reference).await?.is_some() {
            return Ok(());
        }
        let at = context.accepted_at.unwrap_or(attempt.now);
        let accepted = AcceptedCall { id: id.cloned() };
        Ok(self.ports.ledger.note_accepted(reports.line, reference, &accepted, at).await?)
    }

    /// Notes what was told of a message, also in the log: the message's own records lead to it.
    async fn note_told(
        &self,
        reports: &Reports<'_>,
        entry: &OutboundReceipt,
        context: &DeliveryContext,
    ) -> Result<(), DeliveryError> {
        self.ports.ledger.reported(reports.line, &entry.name, reports.status.rank()).await?;
        if let Some(correlation) = &entry.correlation {
            let status = reports.status.name();
            tracing::info!(
                %correlation,
                line = %reports.line,
                status,
                report = context.correlation,
                "the channel has reported on this message"
            );
        }
        Ok(())
    }

    async fn tell_status(
        &self,
        reports: &Reports<'_>,
        news: &[OutboundReceipt],
        status: AcceptStatus,
        attempt: &Attempt,
        context: &DeliveryContext,
    ) -> Result<bool, DeliveryError> {
        let mut told = ByDialog::new();
        for entry in news {
            if let (true, Some(MessagePosition { conversation, dialog, sequence })) = (entry.last, &entry.place) {
                if entry.part > 0 && self.has_failed(reports.line, dialog, *sequence).await? {
                    continue;
                }
                let place = (entry.user.clone(), conversation.clone(), dialog.clone());
                told.entry(place).or_default().push((*sequence, entry));
            }
        }
        if told.is_empty() {
            return Ok(false);
        }
        let settings = self.settings(reports.line, attempt).await?;
        let settings = &settings.current;
        for ((user, conversation, dialog), messages) in told {
            let who = ConsumerRef { line: reports.line.clone(), user };
            let record = self.ports.consumers.consumer(&who).await?;
            let known = record.filter(|record| record.account == settings.account).and_then(|record| record.identity);
            let caller = Self::caller(settings, attempt, &who);
            attempt.check_time(&*self.ports.clock, LIVEENGAGE_CALL)?;
            let identity = match known {
                Some(identity) => identity,
                None => self.liveengage.identify(caller, &settings.ext_consumer_id(&who.user)?).await?,
            };
            let sequences: Vec<_> = messages.iter().map(|(sequence, ..)| *sequence).collect();
            let names = messages.iter().map(|(_, entry)| entry.name.as_str().as_bytes());
            let mut request_id = digest([&[reports.status.rank()][..]].into_iter().chain(names));
            request_id.truncate(32);
            let place = Place { conversation: &conversation, dialog: &dialog };
            let event = Event::Status(status, &sequences);
            match self.liveengage.publish(caller, &identity.token, &request_id, place, event, None).await {
                Ok(_) => {}
                Err(error @ DeliveryError::LiveEngage(LiveEngageError::ConsumerJwsRefused { .. })) => {
                    let refused = |consumer: &mut Consumer| without(consumer, &identity.token);
                    update(&*self.ports.consumers, &who, || settings.account.clone(), refused).await?;
                    return Err(error);
                }
                // The conversation has ended, or the like: it is not told, and needn't be tried again.
                Err(error) if is_moot(&error) => {
                    tracing::debug!(line = %reports.line, %error, "a report comes too late to be told");
                }
                Err(error) => return Err(error),
            }
            for (_, entry) in messages {
                self.note_told(reports, entry, context).await?;
            }
        }
        Ok(true)
    }

    /// Whether the agent was told that the message did not arrive: of a text in parts, another part can have failed.
    async fn has_failed(&self, line: &LineId, dialog: &DialogId, sequence: Sequence) -> Result<bool, DeliveryError> {
        let key = news_key(line, dialog, &sequence.0.to_string());
        Ok(self.ports.messages.is_done(&key).await?)
    }

    async fn tell_failed(
        &self,
        reports: &Reports<'_>,
        news: &[OutboundReceipt],
        code: &Code,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Result<bool, DeliveryError> {
        let reason = format!("the channel reports that it could not be delivered (code {code})");
        let (mut told, mut refused) = (false, None);
        for entry in news {
            let nobody = || DeliveryError::NobodyToTell { code: code.clone() };
            // The connector's own words to the person: they were to know something, and don't.
            let Some(MessagePosition { conversation, dialog, sequence }) = &entry.place else {
                refused = Some(nobody());
                continue;
            };
            let undelivered = FailureNotice {
                who: ConsumerRef { line: reports.line.clone(), user: entry.user.clone() },
                place: Place { conversation, dialog },
                sequence: Some(*sequence),
                reason: &reason,
                may_have_arrived: false,
            };
            let key = undelivered.key(entry.name.as_str());
            // The news has a record of its own, and so has the report.
            let mut of_news = context.clone();
            let told_agent = self.tell_agent(undelivered, &key, attempt, &mut of_news).await;
            if told_agent.is_err() && of_news.attempts.is_some() {
                let lease = Lease { message: key, owner: attempt.owner.clone() };
                let _ = self.ports.messages.release(&lease, true, &of_news.uncertain).await;
            }
            match told_agent {
                // The others are told all the same, and then an operator.
                Err(error) if error.disposition() == Disposition::Park => {
                    refused = Some(error);
                    continue;
                }
                Ok(Delivered::Nothing(ENDED)) => {
                    refused = Some(nobody());
                    continue;
                }
                other => other?,
            };
            self.note_told(reports, entry, context).await?;
            told = true;
        }
        refused.map_or(Ok(told), Err)
    }
}

fn is_moot(error: &DeliveryError) -> bool {
    matches!(error, DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. }))
        || error.disposition() == Disposition::Park
}
