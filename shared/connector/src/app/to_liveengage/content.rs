//! Publishes what a consumer sent, piece by piece.

use super::publishing::Published;
use crate::{
    app::{
        consumer_session::{ConsumerProfile, ConsumerSession},
        delivery::{Delivered, Delivery},
        error::DeliveryError,
        settings::LineSettings,
        worker::WorkerContext,
    },
    domain::{
        conversation::{Consumer, Mutation},
        id::CorrelationId,
        menu::Chosen,
        progress::{Closing, MediaOutcome, MediaProgress, Step, TextProgress},
    },
    log_event,
};
use connector_channels::message::{ContactCard, InboundContent, InboundEvent, InboundMedia, Location};
use connector_liveengage::{
    LiveEngageError,
    messaging::{Close, DialogRef, Event, Publication, text_pieces},
};
use connector_message::MessageText;

/// The longest caption that goes with its file, in bytes of JSON: a request has at most 5000 characters.
const LONGEST_CAPTION: usize = 2000;

/// One event of a consumer to LiveEngage.
pub(super) struct EventDelivery<'a, 'd> {
    pub(super) worker: &'a WorkerContext,
    pub(super) delivery: &'a mut Delivery<'d>,
    pub(super) session: ConsumerSession<'a>,
    pub(super) settings: &'a LineSettings,
    pub(super) profile: ConsumerProfile,
    pub(super) correlation: &'a CorrelationId,
    pub(super) event: &'a InboundEvent,
}

impl EventDelivery<'_, '_> {
    pub(super) async fn run(mut self) -> Result<Delivered, DeliveryError> {
        let event = self.event;
        match &event.content {
            InboundContent::Text { text } => self.text(text.as_str(), None).await,
            InboundContent::Choice { id, title } => self.text(title.as_str(), Some(id)).await,
            InboundContent::Media(media) => self.media(media).await,
            InboundContent::Location(location) => self.whole_text(&location_text(location)).await,
            InboundContent::Contact(contact) => self.whole_text(&contact_text(contact)).await,
            InboundContent::Edited { text } => self.whole_text(&format!("[edited] {}", text.as_str())).await,
            InboundContent::Deleted => self.deletion().await,
            InboundContent::Unsupported { label } => self.whole_text(&format!("[{label}: can't be shown here]")).await,
            // These are handled without an event delivery.
            InboundContent::Report { .. } | InboundContent::Typing { .. } => Ok(Delivered::Nothing("no content")),
        }
    }

    /// Handles a text, or a pressed button with the title `text`.
    async fn text(&mut self, text: &str, button: Option<&String>) -> Result<Delivered, DeliveryError> {
        if self.answers_satisfaction(text).await? {
            return Ok(Delivered::Sent);
        }
        // Keep what the first attempt decided: the line's words may have been changed since, and the menu may be gone.
        let (chosen, pieces) = match TextProgress::of(self.delivery.steps()) {
            TextProgress::NotStarted if self.settings.closes(text) => return self.close(text).await,
            TextProgress::NotStarted => match self.chosen(text, button).await? {
                // An attempt that knew of no menu may have published it as a text.
                Some(_) if self.is_published_as_text(text).await? => return self.pieces(text, 0, None).await,
                Some(chosen) => {
                    let sequence = self.publish_choice(&chosen).await?;
                    let step = Step::ChoicePublished { chosen: Box::new(chosen.clone()), sequence };
                    self.delivery.step_done(step, None).await?;
                    (chosen, 0)
                }
                None => return self.pieces(text, 0, None).await,
            },
            TextProgress::Closing { .. } => return self.close(text).await,
            TextProgress::Choice { chosen, pieces } => (chosen.clone(), pieces),
            TextProgress::Text { pieces } => return self.pieces(text, pieces, None).await,
            // The line asks no questions any more.
            TextProgress::SatisfactionSent => {
                self.delivery.complete(None).await?;
                return Ok(Delivered::Sent);
            }
        };
        // A free answer is used up. Do this at every attempt, because the previous one may have been stopped before it.
        if self.session.record().await?.menu.clone().is_some_and(|mut menu| menu.answered(&chosen)) {
            let answered = |consumer: &mut Consumer| {
                let changed = consumer.menu.as_mut().is_some_and(|menu| menu.answered(&chosen));
                if changed { Mutation::Changed } else { Mutation::Unchanged }
            };
            self.session.update(answered).await?;
        }
        self.pieces(chosen.text.as_str(), pieces, chosen.metadata.as_ref()).await
    }

    async fn is_published_as_text(&mut self, text: &str) -> Result<bool, DeliveryError> {
        match text_pieces(text).first() {
            Some(first) => self.may_be_published(&Event::Text(first)).await,
            None => Ok(false),
        }
    }

    /// Returns what the text or the button chooses from the consumer's current menu.
    async fn chosen(&mut self, text: &str, button: Option<&String>) -> Result<Option<Chosen>, DeliveryError> {
        let written_at = self.delivery.written_at();
        let consumer = self.session.record().await?;
        Ok(match (&consumer.menu, consumer.open_conversation()) {
            (Some(menu), Some(conversation)) => match button {
                Some(id) => menu.chosen_by_id(id, conversation),
                None => menu.chosen(text, conversation, written_at),
            },
            _ => None,
        })
    }

    /// Tells the agent that the consumer has deleted a message. If no conversation is open there is nobody to tell, and a deletion opens none.
    async fn deletion(&mut self) -> Result<Delivered, DeliveryError> {
        let is_new = self.delivery.steps().is_empty();
        if is_new && self.session.record().await?.open_conversation().is_none() {
            self.delivery.complete(None).await?;
            return Ok(Delivered::Nothing("a deletion without a conversation"));
        }
        self.whole_text("[a message was deleted]").await
    }

    /// Handles a text that is neither an answer nor a choice.
    async fn whole_text(&mut self, text: &str) -> Result<Delivered, DeliveryError> {
        let pieces = self.delivery.steps().len();
        self.pieces(text, pieces, None).await
    }

    /// Publishes a text in pieces, of which this many are `published` already, and ends the message.
    async fn pieces(
        &mut self,
        text: &str,
        published: usize,
        metadata: Option<&serde_json::Value>,
    ) -> Result<Delivered, DeliveryError> {
        let pieces = text_pieces(text);
        let mut entry = None;
        for (index, piece) in pieces.iter().enumerate().skip(published) {
            let sent = self.send(index, Publication { event: Event::Text(piece), metadata }).await?;
            entry = self.receipt(&sent);
            if index + 1 < pieces.len() {
                self.delivery.step_done(Step::Published { sequence: sent.sequence }, entry.take().as_ref()).await?;
            }
        }
        // Record the last step and the end in one write, which saves a write for a message of one piece.
        self.delivery.complete(entry.as_ref()).await?;
        self.end_typing().await;
        Ok(Delivered::Sent)
    }

    /// Handles a file: LivePerson's storage gets it, otherwise the agent sees a placeholder and the consumer receives a notice. The outcome
    /// is recorded before either is sent, because a later attempt may no longer find the file and must not decide otherwise.
    async fn media(&mut self, media: &InboundMedia) -> Result<Delivered, DeliveryError> {
        let caption = media.caption.as_ref().map_or("", |caption| caption.as_str());
        let goes_along = serde_json::to_string(caption).is_ok_and(|json| json.len() <= LONGEST_CAPTION);
        if MediaProgress::of(self.delivery.steps()) == MediaProgress::NotStarted {
            let outcome = self.prepare(media, goes_along.then_some(caption)).await?;
            self.delivery.step_done(Step::MediaPrepared(outcome), None).await?;
        }
        if let MediaProgress::Prepared(outcome) = MediaProgress::of(self.delivery.steps()) {
            let outcome = outcome.clone();
            let sent = self.publish_media(media, &outcome).await?;
            let entry = self.receipt(&sent);
            self.delivery.step_done(Step::Published { sequence: sent.sequence }, entry.as_ref()).await?;
        }
        let MediaProgress::Published { outcome, caption_pieces } = MediaProgress::of(self.delivery.steps()) else {
            return Err(DeliveryError::Contended);
        };
        let hosted = matches!(outcome, MediaOutcome::Hosted(_));
        if let (false, Some(notice)) = (hosted, self.settings.file_refused_notice.clone()) {
            self.announce(self.delivery.key.consequence("file refused"), notice).await?;
        }
        let rest = if hosted && goes_along { "" } else { caption };
        self.pieces(rest, caption_pieces, None).await
    }

    async fn publish_media(
        &mut self,
        media: &InboundMedia,
        outcome: &MediaOutcome,
    ) -> Result<Published, DeliveryError> {
        match outcome {
            MediaOutcome::Hosted(file) => self.send(0, Event::File(file).into()).await,
            MediaOutcome::Refused { reason } => {
                let placeholder = format!("[{}: {reason}]", media.kind.label());
                self.send(0, Event::Text(&placeholder).into()).await
            }
        }
    }

    /// Handles a closing word: publishes it, so that the agent sees why, and then closes the conversation. The account's survey may follow.
    /// What to close is recorded first, because the survey may have begun by a later attempt, and the same word must not close it.
    async fn close(&mut self, word: &str) -> Result<Delivered, DeliveryError> {
        let (closing, word_published) = match TextProgress::of(self.delivery.steps()) {
            TextProgress::Closing { closing, word_published } => (closing.clone(), word_published),
            _ => match self.decide_closing().await? {
                Some(closing) => (closing, false),
                None => return self.nothing_to_close().await,
            },
        };
        let Closing { dialog, with_survey } = &closing;
        self.delivery.context.conversation = Some(dialog.conversation.clone());
        if !word_published {
            let Some(sent) = self.publish_closing_word(word, dialog).await? else {
                return self.had_ended(dialog).await;
            };
            let entry = self.receipt(&sent);
            self.delivery.step_done(Step::Published { sequence: sent.sequence }, entry.as_ref()).await?;
        }
        let close = if *with_survey { Close::MainDialog(&dialog.dialog) } else { Close::Conversation };
        let request_id = self.delivery.key.request_id("close");
        unless_ended(self.session.close(&request_id, &dialog.conversation, close).await)?;
        self.delivery.complete(None).await?;
        Ok(Delivered::Sent)
    }

    /// Records what the word closes. `None` if no conversation is open.
    async fn decide_closing(&mut self) -> Result<Option<Closing>, DeliveryError> {
        let consumer = self.session.record().await?;
        let Some(dialog) = consumer.active_dialog() else { return Ok(None) };
        // In a survey the main dialog is closed already, and closing means that the consumer wants no survey.
        let with_survey = self.settings.surveys && consumer.survey().is_none();
        let closing = Closing { dialog, with_survey };
        self.delivery.step_done(Step::CloseDecided(closing.clone()), None).await?;
        Ok(Some(closing))
    }

    /// Publishes the closing word, unless an earlier attempt has. `None` if the conversation has ended.
    async fn publish_closing_word(
        &mut self,
        word: &str,
        dialog: &DialogRef,
    ) -> Result<Option<Published>, DeliveryError> {
        let event = Event::Text(word);
        if let Some(published) = self.published_before(&event, Some(dialog)).await? {
            return Ok(Some(published));
        }
        let request_id = self.delivery.key.request_id("send 0");
        let sent = self.session.publish(&request_id, dialog, event.into()).await;
        self.delivery.note_sent(&sent, dialog);
        let sequence = unless_ended(sent)?;
        Ok(sequence.map(|sequence| Published { dialog: dialog.clone(), sequence }))
    }

    async fn nothing_to_close(&self) -> Result<Delivered, DeliveryError> {
        if let Some(notice) = &self.settings.nothing_to_close_notice {
            self.announce(self.delivery.key.consequence("nothing to close"), notice.clone()).await?;
        }
        self.delivery.complete(None).await?;
        Ok(Delivered::Nothing("no conversation to close"))
    }

    /// Handles a closing word for a conversation that had ended without the connector's knowledge: records the end, and sends the consumer
    /// `nothing_to_close_notice`.
    async fn had_ended(&mut self, dialog: &DialogRef) -> Result<Delivered, DeliveryError> {
        self.session.update(|consumer| consumer.found_closed(dialog)).await?;
        let (correlation, line, conversation) = (self.correlation, &self.session.consumer.line, &dialog.conversation);
        log_event!(CONVERSATION_ALREADY_CLOSED, %correlation, %line, %conversation);
        self.nothing_to_close().await
    }
}

/// `None` for a conversation that has ended before.
fn unless_ended<T>(result: Result<T, DeliveryError>) -> Result<Option<T>, DeliveryError> {
    match result {
        Err(DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) => Ok(None),
        other => other.map(Some),
    }
}

fn location_text(location: &Location) -> String {
    let words = [&location.name, &location.address].into_iter().flatten().map(MessageText::as_str);
    let map =
        location.place.map(|place| format!("https://maps.google.com/?q={},{}", place.latitude(), place.longitude()));
    let lines: Vec<_> = words.map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).chain(map).collect();
    if lines.is_empty() {
        "[location: can't be shown here]".to_owned()
    } else {
        format!("[location]\n{}", lines.join("\n"))
    }
}

fn contact_text(contact: &ContactCard) -> String {
    let lines: Vec<_> = contact
        .name
        .iter()
        .chain(&contact.phones)
        .chain(&contact.emails)
        .map(|line| line.as_str().trim())
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        "[contact: can't be shown here]".to_owned()
    } else {
        format!("[contact]\n{}", lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connector_message::rich_content::Coordinates;

    #[test]
    fn a_location_is_a_name_an_address_and_a_link() {
        let location = Location {
            place: Coordinates::new(52.5163, 13.3777),
            name: Some(MessageText::new("Brandenburger Tor")),
            address: Some(MessageText::new(" ")),
        };
        assert_eq!(
            location_text(&location),
            "[location]\nBrandenburger Tor\nhttps://maps.google.com/?q=52.5163,13.3777"
        );
        let nowhere = Location { place: None, name: None, address: None };
        assert_eq!(location_text(&nowhere), "[location: can't be shown here]");
    }

    #[test]
    fn a_contact_is_its_lines() {
        let contact = ContactCard {
            name: Some(MessageText::new("Ada")),
            phones: vec![MessageText::new("+4915112345678")],
            emails: vec![MessageText::new("ada@shop.example")],
        };
        assert_eq!(contact_text(&contact), "[contact]\nAda\n+4915112345678\nada@shop.example");
        assert_eq!(contact_text(&ContactCard::default()), "[contact: can't be shown here]");
    }
}
