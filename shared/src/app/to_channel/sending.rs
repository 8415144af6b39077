//! Sends to a person, call by call, and notes every one of them.

use super::{
    About, Attempt, ConsumerRef, DeliverToChannel, Delivered, DeliveryError, LineSettings, MessageKey, begin,
    content::Offer, digest, update,
};
use crate::{
    app::delivery::CHANNEL_CALL,
    channel::{ChannelCall, Receipt},
    domain::{
        conversation::Consumer,
        delivery::{LedgerEntry, Shown, ShownPlace, Step},
        id::{AccountId, ProviderMessageId},
        message::{OutboundContent, OutboundMessage},
    },
    liveengage::files::HostedFile,
    port::StreamedFile,
};

/// What is sent.
pub(super) enum Outgoing<'a> {
    /// Something that is all here.
    Content(OutboundContent),
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
        about: &mut About,
    ) -> Result<Delivered, DeliveryError> {
        let messages = &self.ports.messages;
        let Some((lease, mut steps)) = begin(&**messages, key.clone(), attempt, about).await? else {
            return Ok(Delivered::Nothing("delivered before"));
        };
        let settings = self.settings(consumer, attempt).await?;
        let settings = &settings.current;
        let (content, mut stream) = match outgoing {
            Outgoing::Content(content) => (content, None),
            Outgoing::Hosted { account, file } => {
                let (file, stream) = self.open_file(settings, account, consumer, file, attempt).await?;
                (OutboundContent::File(file), Some(stream))
            }
        };
        let mut reference = key_digest(key);
        reference.truncate(32);
        let message = OutboundMessage { to: consumer.user.clone(), reference, content };
        let place = offer.as_ref().and_then(|Offer { event, .. }| {
            Some(ShownPlace {
                conversation: event.conversation.clone(),
                dialog: event.dialog.clone(),
                sequence: event.sequence?,
            })
        });
        // Before it is shown: an answer can be faster than what comes after. And not again at a later attempt: an answer may have
        // used it up.
        if let Some(Offer { event, menu }) = offer.filter(|_| steps.is_empty()) {
            let change = |consumer: &mut Consumer| {
                consumer.offer((&event.conversation, &event.dialog), event.sequence, menu.clone())
            };
            update(&*self.ports.consumers, consumer, || settings.account.clone(), change).await?;
        }
        let mut done: Vec<_> = steps.iter().map(receipt_of).collect();
        let mut next = settings.line.next_call(&message, &done)?;
        while let Some(call) = next {
            attempt.check_time(&*self.ports.clock, CHANNEL_CALL)?;
            let receipt = self.call(settings, call, &mut stream).await?;
            let step = Step { upload: !receipt.is_message, ..Step::done(receipt.provider_id.clone()) };
            done.push(receipt);
            // Known beforehand, so that the ledger can say which call was the last.
            next = settings.line.next_call(&message, &done)?;
            let entry = done
                .last()
                .and_then(|receipt| shown(settings, consumer, receipt, place.clone(), next.is_none(), attempt));
            messages.step_done(&lease, steps.len(), &step, entry.as_ref()).await?;
            steps.push(step);
        }
        messages.finish(&lease, None).await?;
        Ok(if steps.is_empty() { Delivered::Nothing("empty text") } else { Delivered::Sent })
    }

    async fn call(
        &self,
        settings: &LineSettings,
        ChannelCall { call, file }: ChannelCall,
        stream: &mut Option<StreamedFile>,
    ) -> Result<Receipt, DeliveryError> {
        let name = call.name;
        let reply = match file.zip(stream.take()) {
            Some((envelope, file)) => self.ports.http.upload(call, file, envelope).await,
            None => self.ports.http.call(call).await,
        };
        Ok(settings.line.receipt(&reply.map_err(|failure| DeliveryError::Http { call: name, failure })?)?)
    }
}

fn receipt_of(step: &Step) -> Receipt {
    Receipt { provider_id: step.reference.clone(), is_message: !step.upload }
}

/// What the ledger notes of a message that was sent: only a channel that reports on it will ask.
fn shown(
    settings: &LineSettings,
    consumer: &ConsumerRef,
    receipt: &Receipt,
    place: Option<ShownPlace>,
    last: bool,
    attempt: &Attempt,
) -> Option<LedgerEntry> {
    let capabilities = settings.line.capabilities();
    if !receipt.is_message || !(capabilities.reports_delivery || capabilities.reports_reading) {
        return None;
    }
    Some(LedgerEntry::Shown(Shown {
        line: consumer.line.clone(),
        id: ProviderMessageId::new(receipt.provider_id.clone()?).ok()?,
        user: consumer.user.clone(),
        place,
        last,
        rank: 0,
        at: attempt.now,
    }))
}

fn key_digest(key: &MessageKey) -> String {
    match key {
        MessageKey::FromLiveEngage { account, dialog, sequence } => {
            digest([account.as_str().as_bytes(), dialog.as_str().as_bytes(), &sequence.0.to_be_bytes()])
        }
        MessageKey::FromChannel { line, id } => digest([line.as_str().as_bytes(), id.as_str().as_bytes()]),
        MessageKey::ByDigest { digest } => digest.clone(),
    }
}
