//! Sends to a consumer, call by call, and records every call.

use super::{DeliverToChannel, content::Offer, file::outbound};
use crate::{
    app::{
        consumer_session::update_from,
        delivery::{Begin, Delivered, Delivery},
        error::DeliveryError,
        policy::CHANNEL_CALL,
        settings::LineSettings,
    },
    domain::{
        conversation::{Consumer, Mutation},
        delivery::ConsumerRef,
        progress::{ChannelProgress, FileInfo, Step},
        receipt::{LedgerEntry, MessagePosition, OutboundReceipt, ReceiptName},
        uncertain::OnUncertain,
    },
    log_event,
    port::StreamedFile,
};
use connector_channels::{
    ChannelCall, Effect, Receipt, Repeat,
    id::{CallReference, ProviderMessageId},
    message::{OutboundContent, OutboundMessage},
};
use connector_liveengage::{
    files::{FileType, HostedFile},
    id::AccountId,
};

/// What is sent.
pub(super) struct Outgoing<'a> {
    pub(super) content: OutgoingContent<'a>,
    /// Its choices, if an agent or a bot sent it.
    pub(super) offer: Option<Offer<'a>>,
}

/// The content of what is sent.
pub(super) enum OutgoingContent<'a> {
    /// Content without a file.
    Message(OutboundContent),
    /// A notice to the consumer that their message was not delivered. It is repeated if uncertain, whatever the line's setting.
    FailureNotice(OutboundContent),
    /// A file in LivePerson's storage.
    Hosted { account: &'a AccountId, file: &'a HostedFile },
}

/// A message to a channel.
struct ChannelDelivery<'a, 'd> {
    use_case: &'a DeliverToChannel,
    delivery: &'a mut Delivery<'d>,
    settings: &'a LineSettings,
    consumer: &'a ConsumerRef,
    on_uncertain: OnUncertain,
    message: OutboundMessage,
    /// The message's position in LiveEngage.
    position: Option<MessagePosition>,
    /// The source of its file.
    source: Option<Source<'a>>,
}

/// The source of a file, and the file once it is open.
struct Source<'a> {
    account: &'a AccountId,
    file: &'a HostedFile,
    open: Option<StreamedFile>,
}

impl DeliverToChannel {
    /// Sends to a consumer, call by call, and records every call.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn send(
        &self,
        consumer: &ConsumerRef,
        outgoing: Outgoing<'_>,
        delivery: &mut Delivery<'_>,
    ) -> Result<Delivered, DeliveryError> {
        let Outgoing { content, offer } = outgoing;
        let _file = match &content {
            OutgoingContent::Hosted { .. } => {
                let file = self.worker.files.lock().await;
                delivery.check_time(CHANNEL_CALL)?;
                Some(file)
            }
            OutgoingContent::Message(_) | OutgoingContent::FailureNotice(_) => None,
        };
        // An offer changes the consumer's record. Reading it takes no longer if it is done at the same time.
        let record = async {
            match &offer {
                Some(_) => self.worker.consumers.consumer(consumer).await,
                None => Ok(None),
            }
        };
        let (begun, record) = futures::join!(delivery.begin(), record);
        if begun? == Begin::DoneBefore {
            return Ok(Delivered::Nothing("delivered before"));
        }
        let record = record?;
        let settings = &*self.worker.settings(&consumer.line, delivery.attempt).await?;
        let on_uncertain = match &content {
            OutgoingContent::FailureNotice(_) => OnUncertain::Repeat,
            OutgoingContent::Message(_) | OutgoingContent::Hosted { .. } => settings.on_uncertain,
        };
        let (content, source) = match content {
            OutgoingContent::Message(content) | OutgoingContent::FailureNotice(content) => (content, None),
            OutgoingContent::Hosted { account, file } => {
                let source = Source { account, file, open: None };
                let (content, source) = self.file_content(settings, source, consumer, delivery).await?;
                (content, Some(source))
            }
        };
        let message = OutboundMessage { to: consumer.user.clone(), reference: delivery.key.reference(), content };
        let message = match &offer {
            Some(offer) => self.with_added_text(settings, offer, message, delivery).await,
            None => message,
        };
        let position = offer.as_ref().and_then(Offer::position);
        ChannelDelivery { use_case: self, delivery, settings, consumer, on_uncertain, message, position, source }
            .run(offer, record)
            .await
    }

    /// Returns the file's kind on the channel. A file that an earlier attempt has sent needn't exist any more.
    async fn file_content<'a>(
        &self,
        settings: &LineSettings,
        mut source: Source<'a>,
        consumer: &ConsumerRef,
        delivery: &Delivery<'_>,
    ) -> Result<(OutboundContent, Source<'a>), DeliveryError> {
        let known = ChannelProgress::of(delivery.steps()).file;
        let file = match known.and_then(|known| outbound(&known.file_type, known.size, source.file)) {
            Some(file) => file,
            None => {
                let session = self.worker.session_at(delivery.attempt, source.account, settings, consumer.clone());
                let (file, stream) = self.open_file(session, source.file, delivery).await?;
                source.open = Some(stream);
                file
            }
        };
        Ok((OutboundContent::File(file), source))
    }
}

impl ChannelDelivery<'_, '_> {
    async fn run(mut self, offer: Option<Offer<'_>>, record: Option<Consumer>) -> Result<Delivered, DeliveryError> {
        let mut done = ChannelProgress::of(self.delivery.steps()).receipts;
        let mut next = self.settings.line.next_call(&self.message, &done)?;
        // Only the first call of an attempt can be uncertain, because the step clears the uncertain outcome.
        let mut accepted = match &next {
            Some(call) => self.accepted_before(&call.effect).await?,
            None => None,
        };
        // Save the menu before the message is shown, because an answer can be faster than a later write. Don't save it again afterwards,
        // because an answer may have used it up.
        if let Some(offer) = offer.filter(|_| done.is_empty() && accepted.is_none()) {
            self.note_offer(&offer, record).await?;
        }
        while let Some(call) = next {
            let reference = match &call.effect {
                Effect::Message { reference } => reference.clone(),
                Effect::Upload => None,
            };
            let receipt = match accepted.take() {
                Some(receipt) => receipt,
                None => self.call(call).await?,
            };
            done.push(receipt.clone());
            // Compute all calls first, so that the ledger can record which one was the last.
            next = self.settings.line.next_call(&self.message, &done)?;
            let part = done.iter().filter(|receipt| receipt.is_message).count().saturating_sub(1);
            let entry = self.ledger_entry(&receipt, reference, Part { number: part, is_last: next.is_none() });
            if next.is_none() {
                // Record the last step and the end in one write.
                self.delivery.complete(entry.as_ref()).await?;
                return Ok(Delivered::Sent);
            }
            let step = Step::ChannelCall { receipt, file: file_info(&self.message.content) };
            self.delivery.step_done(step, entry.as_ref()).await?;
        }
        // There was nothing to call, or a worker of an older version has recorded the last step and not the end.
        self.delivery.complete(None).await?;
        Ok(if done.is_empty() { Delivered::Nothing("empty text") } else { Delivered::Sent })
    }

    /// Records the message's choices. A message without choices replaces an older menu, too.
    async fn note_offer(&mut self, offer: &Offer<'_>, record: Option<Consumer>) -> Result<(), DeliveryError> {
        let Offer { event, menu, account: _ } = offer;
        let dialog = offer.dialog();
        let change = |consumer: &mut Consumer| {
            let applied = consumer.apply_message(&event.conversation, &event.dialog, event.at);
            let offered = consumer.offer(&dialog, event.sequence, menu.clone());
            if applied == Mutation::Changed { applied } else { offered }
        };
        let consumers = &*self.use_case.worker.consumers;
        let record = record.unwrap_or_else(|| {
            let ConsumerRef { line, user } = self.consumer.clone();
            Consumer::new(line, user, self.settings.account.clone())
        });
        update_from(record, consumers, change).await.map(drop)
    }

    async fn call(&mut self, ChannelCall { call, file, effect }: ChannelCall) -> Result<Receipt, DeliveryError> {
        self.delivery.check_time(CHANNEL_CALL)?;
        let name = call.name;
        let worker = &self.use_case.worker;
        let http = worker.channel(self.consumer, self.delivery.attempt);
        let reply = match (file, &mut self.source) {
            (Some(envelope), Some(source)) => {
                http.admit(name)?;
                let stream = match source.open.take() {
                    Some(stream) => stream,
                    None => {
                        let (account, consumer) = (source.account, self.consumer.clone());
                        let session = worker.session_at(self.delivery.attempt, account, self.settings, consumer);
                        self.use_case.open_file(session, source.file, self.delivery).await?.1
                    }
                };
                http.admitted_upload(call, stream, envelope).await
            }
            _ => http.call(call).await,
        };
        let receipt = reply.and_then(|reply| Ok(self.settings.line.receipt(&reply)?));
        // Reread the secret for the next attempt, but only if there is time left to end this one.
        if receipt.as_ref().is_err_and(DeliveryError::refuses_credentials)
            && self.delivery.check_time(CHANNEL_CALL).is_ok()
        {
            worker.reread_settings(&self.consumer.line, self.delivery.attempt).await;
        }
        if let Effect::Message { .. } = effect {
            match &receipt {
                Ok(_) => self.delivery.note_accepted(None),
                Err(error) => self.delivery.note_failed(error, name, None),
            }
        }
        receipt
    }

    /// Returns the channel's result of this call at an earlier attempt, if the outcome is uncertain and a report of the channel resolves
    /// it.
    ///
    /// # Errors
    /// [`DeliveryError::Uncertain`] if there is no proof, and the line doesn't resend then.
    async fn accepted_before(&mut self, effect: &Effect) -> Result<Option<Receipt>, DeliveryError> {
        let uncertain = self.delivery.uncertain();
        let (true, Effect::Message { reference }) = (uncertain.exists(), effect) else { return Ok(None) };
        let (ledger, line) = (&self.use_case.worker.ledger, &self.consumer.line);
        if let Some(reference) = reference
            && let Some(accepted) = ledger.accepted_call(line, reference).await?
        {
            log_event!(
                MESSAGE_FOUND_ACCEPTED,
                correlation = self.delivery.context.correlation_text(),
                line = line.as_str()
            );
            return Ok(Some(Receipt { provider_id: accepted.id.map(Into::into), is_message: true }));
        }
        let safe = self.settings.line.capabilities().repeat == Repeat::Once;
        if safe || self.on_uncertain.repeats(uncertain) { Ok(None) } else { Err(DeliveryError::Uncertain) }
    }

    /// Returns the ledger's entry for a sent message. Only a channel with reports needs one.
    fn ledger_entry(&self, receipt: &Receipt, reference: Option<CallReference>, part: Part) -> Option<LedgerEntry> {
        let capabilities = self.settings.line.capabilities();
        if !(capabilities.reports_delivery || capabilities.reports_reading) {
            return None;
        }
        Some(LedgerEntry::OutboundReceipt(OutboundReceipt {
            line: self.consumer.line.clone(),
            name: receipt_name(receipt, reference)?,
            user: self.consumer.user.clone(),
            position: self.position.clone(),
            part: part.number,
            last: part.is_last,
            rank: 0,
            correlation: self.delivery.context.correlation.clone(),
            at: self.delivery.attempt.now,
        }))
    }
}

/// Which part of a message was sent.
struct Part {
    /// Its number, from 0.
    number: usize,
    is_last: bool,
}

fn file_info(content: &OutboundContent) -> Option<FileInfo> {
    match content {
        OutboundContent::File(file) => {
            Some(FileInfo { file_type: FileType::from_content_type(file.content_type)?, size: file.size })
        }
        OutboundContent::Text { .. } | OutboundContent::Rich { .. } => None,
    }
}

/// Returns the name by which the channel's reports refer to a sent message: the channel's id, otherwise our own reference of the call.
fn receipt_name(receipt: &Receipt, reference: Option<CallReference>) -> Option<ReceiptName> {
    if !receipt.is_message {
        return None;
    }
    let id = receipt.provider_id.as_deref().and_then(|id| ProviderMessageId::new(id).ok());
    id.map(ReceiptName::Id).or(reference.map(ReceiptName::Reference))
}
