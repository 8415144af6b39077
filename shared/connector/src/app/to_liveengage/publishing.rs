//! Publishes a consumer's event in the conversation that is open at that time.

use super::content::EventDelivery;
use crate::{
    app::error::DeliveryError,
    domain::{
        conversation::{Consumer, Mutation},
        menu::Chosen,
        receipt::{InboundReceipt, LedgerEntry},
    },
    log_event,
};
use connector_liveengage::{
    LiveEngageError,
    id::Sequence,
    messaging::{AcceptStatus, ChatState, DialogRef, Event, Publication, SEND},
};
use connector_message::Disposition;

/// The position of a published event.
pub(super) struct Published {
    pub(super) dialog: DialogRef,
    pub(super) sequence: Option<Sequence>,
}

impl EventDelivery<'_, '_> {
    /// Publishes one piece, in a new conversation if the old one has ended. Doesn't repeat what an earlier attempt has published.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn send(
        &mut self,
        index: usize,
        publication: Publication<'_>,
    ) -> Result<Published, DeliveryError> {
        let published = match self.published_before(&publication.event, None).await? {
            Some(published) => published,
            None => self.send_now(index, publication).await?,
        };
        self.delivery.context.conversation = Some(published.dialog.conversation.clone());
        Ok(published)
    }

    async fn send_now(&mut self, index: usize, publication: Publication<'_>) -> Result<Published, DeliveryError> {
        let mut reopened = false;
        let request_id = self.delivery.key.request_id(&format!("send {index}"));
        loop {
            let consumer = self.session.open_conversation(self.delivery, &self.profile).await?;
            let Some(dialog) = consumer.active_dialog() else { return Err(DeliveryError::Contended) };
            match self.session.publish(&request_id, &dialog, publication).await {
                Ok(sequence) => {
                    self.delivery.note_accepted(Some(&dialog));
                    return Ok(Published { dialog, sequence });
                }
                Err(DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) if !reopened => {
                    reopened = true;
                    self.note_closed(&dialog).await?;
                }
                Err(refused @ DeliveryError::LiveEngage(LiveEngageError::Refused { .. })) if !reopened => {
                    reopened = true;
                    if self.session.reopened(&dialog, self.delivery, &self.profile).await?.is_none() {
                        return Err(refused);
                    }
                }
                Err(error) => {
                    self.delivery.note_failed(&error, SEND, Some(&dialog));
                    return Err(error);
                }
            }
        }
    }

    /// Records that SEND has found this dialog closed.
    async fn note_closed(&mut self, dialog: &DialogRef) -> Result<(), DeliveryError> {
        let (message, now) = (self.delivery.key.name(), self.delivery.attempt.now);
        let found = |consumer: &mut Consumer| {
            let change = consumer.found_closed(dialog);
            if change == Mutation::Changed {
                consumer.count_closed(&message, now);
            }
            change
        };
        self.session.update(found).await.map(drop)
    }

    /// Publishes that the consumer chose something. Bots act on this, so it is not repeated once its echo has come. It is not published if
    /// the conversation has ended.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn publish_choice(&mut self, chosen: &Chosen) -> Result<Option<Sequence>, DeliveryError> {
        let Some(conversation) = self.session.record().await?.open_conversation() else { return Ok(None) };
        let dialog = DialogRef { conversation: conversation.clone(), dialog: chosen.dialog.clone() };
        let sequences = [chosen.sequence];
        let event = Event::Status(AcceptStatus::Action, &sequences);
        match self.published_before(&event, Some(&dialog)).await {
            Ok(Some(published)) => return Ok(published.sequence),
            Ok(None) => {}
            // Its text has the metadata, too.
            Err(DeliveryError::Uncertain) => {
                log_event!(CLICK_NOT_REPEATED, correlation = %self.correlation);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let request_id = self.delivery.key.request_id("choice");
        let publication = Publication { event, metadata: chosen.metadata.as_ref() };
        let sent = self.session.publish(&request_id, &dialog, publication).await;
        self.delivery.note_sent(&sent, &dialog);
        match sent {
            // Publishing the text detects this, too, and handles it.
            Err(DeliveryError::LiveEngage(
                LiveEngageError::ConversationClosed { .. } | LiveEngageError::ConsumerJwsRefused { .. },
            )) => Ok(None),
            // The text matters more than the click.
            Err(error) if error.disposition() == Disposition::Park => {
                log_event!(CLICK_REFUSED, correlation = %self.correlation, %error);
                Ok(None)
            }
            other => other,
        }
    }

    /// Returns the ledger's entry for a published message. Its position is needed only if the channel can show that it was read.
    pub(super) fn receipt(&self, published: &Published) -> Option<LedgerEntry> {
        Some(LedgerEntry::InboundReceipt(InboundReceipt {
            account: self.settings.account.clone(),
            dialog: published.dialog.dialog.clone(),
            sequence: published.sequence?,
            consumer: self.session.consumer.clone(),
            id: self.event.id.clone(),
            at: self.delivery.attempt.now,
            by_position: self.settings.line.capabilities().mark_read,
        }))
    }

    /// Ends the typing that LiveEngage shows, which the text alone doesn't. Best effort.
    pub(super) async fn end_typing(&mut self) {
        if self.session.known().is_none_or(|consumer| consumer.composing.is_none()) {
            return;
        }
        let request_id = self.delivery.key.request_id("active");
        let ended = self.session.publish_chat_state(&request_id, ChatState::Active).await;
        let cleared = self
            .session
            .update(|consumer| match consumer.composing.take() {
                Some(_) => Mutation::Changed,
                None => Mutation::Unchanged,
            })
            .await;
        if let Err(error) = ended.and(cleared.map(drop)) {
            log_event!(TYPING_FAILED, correlation = %self.correlation, %error);
        }
    }
}
