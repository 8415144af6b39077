//! Sends to a person, call by call, and notes every one of them.

use serde::{Deserialize, Serialize};

use super::{
    Attempt, ConsumerRef, DeliverToChannel, Delivered, DeliveryContext, DeliveryError, LineSettings, MessageKey,
    acquire, content::Offer, file::outbound, update,
};
use crate::{
    app::{
        breakers::{Guarded, ended},
        delivery::{CHANNEL_CALL, name_of},
    },
    channel::{ChannelCall, Effect, Receipt, Repeat},
    domain::{
        breaker::Who,
        conversation::{Consumer, Mutation},
        delivery::{
            CarriedOut, LedgerEntry, MessagePosition, OnUncertain, OutboundReceipt, ReceiptName, Step, StepData,
            UncertainOutcome,
        },
        id::{AccountId, CallReference, CorrelationId, ProviderMessageId},
        message::{OutboundContent, OutboundFile, OutboundMessage},
    },
    liveengage::files::{FileType, HostedFile},
    port::StreamedFile,
};

/// What is sent.
pub(super) enum Outgoing<'a> {
    /// Something that is all here.
    Content(OutboundContent),
    /// The news for a person that their message was not delivered: rather twice than never, whatever the line says of its messages.
    FailureNotice(OutboundContent),
    /// A file that LivePerson holds.
    Hosted { account: &'a AccountId, file: &'a HostedFile },
}

impl DeliverToChannel {
    /// Sends content to a person, call by call, and notes every one of them.
    pub(super) async fn send(
        &self,
        consumer: &ConsumerRef,
        outgoing: Outgoing<'_>,
        offer: Option<Offer<'_>>,
        key: &MessageKey,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Result<Delivered, DeliveryError> {
        let messages = &self.ports.messages;
        let Some((lease, mut steps)) = acquire(&**messages, key.clone(), attempt, context).await? else {
            return Ok(Delivered::Nothing("delivered before"));
        };
        let settings = self.settings(consumer, attempt).await?;
        let settings = &settings.current;
        let on_uncertain = match &outgoing {
            Outgoing::FailureNotice(_) => OnUncertain::Repeat,
            Outgoing::Content(_) | Outgoing::Hosted { .. } => settings.on_uncertain,
        };
        let (content, mut source) = match outgoing {
            Outgoing::Content(content) | Outgoing::FailureNotice(content) => (content, None),
            Outgoing::Hosted { account, file } => {
                let mut source = Source { account, file, open: None };
                // What an earlier attempt has brought over needn't be there any more.
                let noted = steps.first().and_then(|step| step.decided.as_ref()).and_then(StepData::read::<FileInfo>);
                let file = match noted.and_then(|noted| noted.outbound(file)) {
                    Some(file) => file,
                    None => {
                        let (file, stream) = self.open_file(settings, account, consumer, source.file, attempt).await?;
                        source.open = Some(stream);
                        file
                    }
                };
                (OutboundContent::File(file), Some(source))
            }
        };
        let mut reference = name_of(key);
        reference.truncate(32);
        let message = OutboundMessage { to: consumer.user.clone(), reference, content };
        let place = offer.as_ref().and_then(|Offer { event, .. }| {
            Some(MessagePosition {
                conversation: event.conversation.clone(),
                dialog: event.dialog.clone(),
                sequence: event.sequence?,
            })
        });
        let mut done: Vec<_> = steps.iter().map(receipt_of).collect();
        let mut next = settings.line.next_call(&message, &done)?;
        let mut taken = match &next {
            Some(call) => self.taken_before((settings, on_uncertain), consumer, &call.effect, context).await?,
            None => None,
        };
        // Before it is shown: an answer can be faster than what comes after. And not again when it has been shown: an answer may have
        // used it up.
        if let Some(Offer { event, menu }) = offer.filter(|_| steps.is_empty() && taken.is_none()) {
            let change = |consumer: &mut Consumer| {
                let said = consumer.apply_message(&event.conversation, &event.dialog, event.at);
                let offered = consumer.offer((&event.conversation, &event.dialog), event.sequence, menu.clone());
                if said == Mutation::Changed { said } else { offered }
            };
            update(&*self.ports.consumers, consumer, || settings.account.clone(), change).await?;
        }
        while let Some(call) = next {
            let reference = match &call.effect {
                Effect::Message { reference } => reference.clone(),
                Effect::Upload => None,
            };
            // A doubt is only ever of an attempt's first call: it ends with the step.
            let receipt = match taken.take() {
                Some(receipt) => receipt,
                None => {
                    attempt.check_time(&*self.ports.clock, CHANNEL_CALL)?;
                    let is_message = matches!(call.effect, Effect::Message { .. });
                    let receipt = self.call(settings, consumer, call, source.as_mut(), attempt, context).await?;
                    if is_message {
                        // Should the table not take the note of it, the next attempt asks.
                        context.uncertain.add(CarriedOut::Perhaps, None);
                    }
                    receipt
                }
            };
            let step = Step {
                upload: !receipt.is_message,
                decided: FileInfo::of(&message.content).and_then(|noted| StepData::note(&noted)),
                ..Step::done(receipt.provider_id.clone())
            };
            done.push(receipt);
            // Known beforehand, so that the ledger can say which call was the last.
            next = settings.line.next_call(&message, &done)?;
            let part = done.iter().filter(|receipt| receipt.is_message).count().saturating_sub(1);
            let name = done.last().and_then(|receipt| shown_name(receipt, reference));
            let entry = name.and_then(|name| {
                shown(settings, consumer, name, place.clone(), (part, next.is_none()), context, attempt)
            });
            messages.step_done(&lease, steps.len(), &step, entry.as_ref()).await?;
            steps.push(step);
            context.uncertain = UncertainOutcome::none_after(steps.len());
        }
        messages.complete(&lease, None).await?;
        Ok(if steps.is_empty() { Delivered::Nothing("empty text") } else { Delivered::Sent })
    }

    async fn call(
        &self,
        settings: &LineSettings,
        consumer: &ConsumerRef,
        ChannelCall { call, file, effect }: ChannelCall,
        source: Option<&mut Source<'_>>,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Result<Receipt, DeliveryError> {
        let name = call.name;
        let (line, now) = (&consumer.line, attempt.now);
        let guarded = Guarded { key: line, call: name, who: Some(Who::of(consumer)), now };
        self.breakers.admit(guarded)?;
        let reply = match file.zip(source) {
            Some((envelope, source)) => {
                let stream = match source.open.take() {
                    Some(stream) => stream,
                    None => self.open_file(settings, source.account, consumer, source.file, attempt).await?.1,
                };
                self.ports.http.upload(call, stream, envelope).await
            }
            None => self.ports.http.call(call).await,
        };
        self.breakers.note(guarded, ended(&reply));
        let reply = reply.map_err(|failure| DeliveryError::Http { call: name, failure });
        let receipt = reply.and_then(|reply| Ok(settings.line.receipt(&reply)?));
        // For the next attempt; and there must be time to end this one.
        if receipt.as_ref().is_err_and(DeliveryError::refuses_credentials)
            && attempt.check_time(&*self.ports.clock, CHANNEL_CALL).is_ok()
        {
            self.lines.get_after_failure(line, now).await;
        }
        if let (Err(error), Effect::Message { .. }) = (&receipt, &effect)
            && let Some(carried_out) = error.carried_out(name)
        {
            context.uncertain.add(carried_out, None);
        }
        receipt
    }

    /// What the channel has said of this call at an earlier attempt, if there is a doubt and a report of the channel resolves it.
    ///
    /// # Errors
    /// [`DeliveryError::Uncertain`] when nothing tells, and the line doesn't repeat then.
    async fn taken_before(
        &self,
        (settings, on_uncertain): (&LineSettings, OnUncertain),
        consumer: &ConsumerRef,
        effect: &Effect,
        context: &DeliveryContext,
    ) -> Result<Option<Receipt>, DeliveryError> {
        let (true, Effect::Message { reference }) = (context.uncertain.exists(), effect) else { return Ok(None) };
        if let Some(reference) = reference
            && let Some(accepted) = self.ports.ledger.accepted_call(&consumer.line, reference).await?
        {
            let (correlation, line) = (context.correlation.as_str(), consumer.line.as_str());
            tracing::info!(correlation, line, count = 1, "an earlier attempt was taken by the channel: not sent again");
            return Ok(Some(Receipt { provider_id: accepted.id.map(Into::into), is_message: true }));
        }
        let safe = settings.line.capabilities().repeat == Repeat::Once;
        if safe || on_uncertain.repeats(&context.uncertain) { Ok(None) } else { Err(DeliveryError::Uncertain) }
    }
}

/// Where a file comes from, and the file itself once it was opened.
struct Source<'a> {
    account: &'a AccountId,
    file: &'a HostedFile,
    open: Option<StreamedFile>,
}

/// What is known of a file that was opened.
#[derive(Serialize, Deserialize)]
struct FileInfo {
    file_type: FileType,
    size: u64,
}

impl FileInfo {
    fn of(content: &OutboundContent) -> Option<Self> {
        match content {
            OutboundContent::File(file) => {
                Some(Self { file_type: FileType::from_content_type(file.content_type)?, size: file.size })
            }
            OutboundContent::Text { .. } | OutboundContent::Rich { .. } => None,
        }
    }

    fn outbound(&self, file: &HostedFile) -> Option<OutboundFile> {
        outbound(&self.file_type, self.size, file)
    }
}

fn receipt_of(step: &Step) -> Receipt {
    Receipt { provider_id: step.reference.clone(), is_message: !step.upload }
}

/// What a message that was sent is found by when the channel reports on it: the channel's id, or else our own name for the call.
fn shown_name(receipt: &Receipt, reference: Option<CallReference>) -> Option<ReceiptName> {
    if !receipt.is_message {
        return None;
    }
    let id = receipt.provider_id.as_deref().and_then(|id| ProviderMessageId::new(id).ok());
    id.map(ReceiptName::Id).or(reference.map(ReceiptName::Reference))
}

/// What the ledger notes of a message that was sent: only a channel that reports on it will ask.
fn shown(
    settings: &LineSettings,
    consumer: &ConsumerRef,
    name: ReceiptName,
    place: Option<MessagePosition>,
    (part, last): (usize, bool),
    context: &DeliveryContext,
    attempt: &Attempt,
) -> Option<LedgerEntry> {
    let capabilities = settings.line.capabilities();
    if !(capabilities.reports_delivery || capabilities.reports_reading) {
        return None;
    }
    Some(LedgerEntry::OutboundReceipt(OutboundReceipt {
        line: consumer.line.clone(),
        name,
        user: consumer.user.clone(),
        place,
        part,
        last,
        rank: 0,
        correlation: CorrelationId::new(context.correlation.as_str()).ok(),
        at: attempt.now,
    }))
}
