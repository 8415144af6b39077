//! What a person sent, piece by piece.

use serde::{Deserialize, Serialize};

use super::{
    ConsumerSession, Delivered, DeliveryContext, DeliveryError, LIVEENGAGE_CALL, consumer_session::Published, digest,
};
use crate::{
    app::delivery::name_of,
    domain::{
        conversation::{Consumer, Mutation},
        delivery::{DialogRef, LedgerEntry, Step, StepData},
        id::{ConversationId, CorrelationId, DialogId},
        menu::Chosen,
        message::{ContactCard, InboundContent, InboundEvent, InboundMedia, Location, MessageText},
    },
    liveengage::{
        LiveEngageError,
        files::HostedFile,
        messaging::{Close, Event, Place, text_pieces},
    },
};

/// A caption up to this length as JSON, in bytes, goes with the file: a request has 5000 characters.
const LONGEST_CAPTION: usize = 2000;

/// What became of a file before anybody was told of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MediaOutcome {
    /// LivePerson has it.
    Hosted(HostedFile),
    /// The agent can't be shown it.
    Refused {
        /// Why, as a sentence part.
        reason: String,
    },
}

/// What a closing word closes.
#[derive(Serialize, Deserialize)]
struct Closing {
    conversation: ConversationId,
    dialog: DialogId,
    with_survey: bool,
}

/// One message on its way.
pub(super) struct Delivery<'a> {
    pub(super) session: ConsumerSession<'a>,
    pub(super) event: &'a InboundEvent,
    pub(super) correlation: &'a CorrelationId,
    /// What was done at earlier attempts.
    pub(super) steps: Vec<Step>,
    pub(super) context: &'a mut DeliveryContext,
}

impl Delivery<'_> {
    pub(super) async fn run(mut self) -> Result<Delivered, DeliveryError> {
        let result = self.content().await;
        self.context.uncertain = self.session.uncertain;
        result
    }

    async fn content(&mut self) -> Result<Delivered, DeliveryError> {
        let event = self.event;
        match &event.content {
            InboundContent::Text { text } => self.text(text.as_str(), None).await,
            InboundContent::Choice { id, title } => self.text(title.as_str(), Some(id)).await,
            InboundContent::Media(media) => self.media(media).await,
            InboundContent::Location(location) => self.pieces(&place_text(location), 0, None).await,
            InboundContent::Contact(contact) => self.pieces(&contact_text(contact), 0, None).await,
            InboundContent::Unsupported { label } => {
                self.pieces(&format!("[{label}: can't be shown here]"), 0, None).await
            }
            // Worked on before there is a delivery.
            InboundContent::Report { .. } | InboundContent::Typing { .. } => Ok(Delivered::Nothing("no content")),
        }
    }

    /// A text, or a button that was pressed and says `text`.
    async fn text(&mut self, text: &str, button: Option<&String>) -> Result<Delivered, DeliveryError> {
        if self.answers_satisfaction(text).await? {
            return Ok(Delivered::Sent);
        }
        // What the first attempt took it for, it stays: the line's words may have been changed since.
        let closes = match self.steps.first() {
            Some(step) => step.decided.as_ref().and_then(StepData::read::<Closing>).is_some(),
            None => self.session.settings.closes(text),
        };
        if closes {
            return self.close(text).await;
        }
        // Noted with the first step: the menu may be gone at the next attempt.
        let chosen = match self.steps.first() {
            Some(step) => step.chosen.clone(),
            None => self.chosen(text, button).await?,
        };
        let Some(chosen) = chosen else { return self.pieces(text, 0, None).await };
        if self.steps.is_empty() {
            let written_at = self.session.written_at(self.context);
            let sequence = self.session.tell_choice(&chosen, written_at).await?;
            let reference = sequence.map(|sequence| sequence.0.to_string());
            let step = Step { chosen: Some(chosen.clone()), ..Step::done(reference) };
            self.note(step, None).await?;
        }
        // A date is answered once. At every attempt, because a crash may have come between.
        if self.session.consumer().await?.menu.clone().is_some_and(|mut menu| menu.answered(&chosen)) {
            let answered = |consumer: &mut Consumer| {
                let changed = consumer.menu.as_mut().is_some_and(|menu| menu.answered(&chosen));
                if changed { Mutation::Changed } else { Mutation::Unchanged }
            };
            self.session.update(answered).await?;
            self.session.forget();
        }
        // An answer's first step is the click, and then comes its text.
        self.pieces(chosen.text.as_str(), 1, chosen.metadata.as_ref()).await
    }

    /// What the text or the button chooses of the menu that the person was last shown.
    async fn chosen(&mut self, text: &str, button: Option<&String>) -> Result<Option<Chosen>, DeliveryError> {
        let written_at = self.session.written_at(self.context);
        let consumer = self.session.consumer().await?;
        Ok(match (&consumer.menu, consumer.open_conversation()) {
            (Some(menu), Some(conversation)) => match button {
                Some(id) => menu.chosen_by_id(id, conversation),
                None => menu.chosen(text, conversation, written_at),
            },
            _ => None,
        })
    }

    /// Sends a text in pieces, after `before` steps of another kind, and ends the message.
    async fn pieces(
        &mut self,
        text: &str,
        before: usize,
        metadata: Option<&serde_json::Value>,
    ) -> Result<Delivered, DeliveryError> {
        let pieces = text_pieces(text);
        let mut entry = None;
        for (index, piece) in pieces.iter().enumerate().skip(self.steps.len().saturating_sub(before)) {
            let told = self.session.send(index, Event::Text(piece), metadata, self.context).await?;
            self.context.conversation = Some(told.conversation.clone());
            let step = Step::done(told.sequence.map(|sequence| sequence.0.to_string()));
            entry = self.session.heard(&told, self.event);
            if index + 1 < pieces.len() {
                self.session.step_done(index + before, &step, entry.take().as_ref()).await?;
            }
        }
        // The last step and the end are one write: a message of one piece costs one less.
        self.session.worker.ports.messages.complete(self.session.lease, entry.as_ref()).await?;
        self.session.end_typing().await;
        Ok(Delivered::Sent)
    }

    /// A file: hosted by LivePerson if it takes it, else a placeholder for the agent and a word to the person. Which of both is noted
    /// before anybody is told: a later attempt may no longer find the file, and must not say something else.
    async fn media(&mut self, media: &InboundMedia) -> Result<Delivered, DeliveryError> {
        let caption = media.caption.as_ref().map_or("", |caption| caption.as_str());
        let goes_along = serde_json::to_string(caption).is_ok_and(|json| json.len() <= LONGEST_CAPTION);
        if let Some(Step { decided: None, upload: hosted, .. }) = self.steps.first() {
            // A step of the version before, which noted only what it had sent.
            let rest = if *hosted && goes_along { "" } else { caption };
            return self.pieces(rest, 1, None).await;
        }
        let known = self.steps.first().and_then(|step| step.decided.as_ref()).and_then(StepData::read::<MediaOutcome>);
        let brought = match known {
            Some(brought) => brought,
            None => {
                let brought = self.bring(media, goes_along.then_some(caption)).await?;
                self.note(Step { decided: StepData::note(&brought), ..Step::done(None) }, None).await?;
                brought
            }
        };
        if self.steps.len() < 2 {
            let placeholder;
            let event = match &brought {
                MediaOutcome::Hosted(file) => Event::File(file),
                MediaOutcome::Refused { reason } => {
                    placeholder = format!("[{}: {reason}]", media.kind.label());
                    Event::Text(&placeholder)
                }
            };
            let told = self.session.send(0, event, None, self.context).await?;
            self.context.conversation = Some(told.conversation.clone());
            let entry = self.session.heard(&told, self.event);
            let step = Step::done(told.sequence.map(|sequence| sequence.0.to_string()));
            self.note(step, entry.as_ref()).await?;
        }
        let hosted = matches!(brought, MediaOutcome::Hosted(_));
        if let (false, Some(notice)) = (hosted, self.session.settings.file_refused_notice.clone()) {
            let (who, attempt) = (self.session.who, self.session.attempt);
            let name = digest([b"file refused".as_slice(), name_of(&self.session.lease.message).as_bytes()]);
            self.session.worker.say(who, self.correlation, attempt, name, notice).await?;
        }
        let rest = if hosted && goes_along { "" } else { caption };
        self.pieces(rest, 2, None).await
    }

    /// Notes a step, in the table and here.
    async fn note(&mut self, step: Step, entry: Option<&LedgerEntry>) -> Result<(), DeliveryError> {
        self.session.step_done(self.steps.len(), &step, entry).await?;
        self.steps.push(step);
        Ok(())
    }

    /// The person ends the conversation: the word is sent, so that the agent sees why, and then the conversation is closed. The
    /// survey of an account that has one may follow. What is closed is noted first: by a later attempt the survey may have begun, and
    /// must not be closed for the same word.
    async fn close(&mut self, word: &str) -> Result<Delivered, DeliveryError> {
        let consumer = self.session.consumer().await?.clone();
        let known = self.steps.first().and_then(|step| step.decided.as_ref()).and_then(StepData::read::<Closing>);
        let closing = match (known, consumer.active_dialog()) {
            (Some(closing), _) => closing,
            (None, Some((conversation, dialog))) => {
                // In a survey the main dialog is closed already, and closing means that the person wants no survey.
                let with_survey = self.session.settings.surveys && consumer.survey().is_none();
                let closing = Closing { conversation: conversation.clone(), dialog, with_survey };
                self.note(Step { decided: StepData::note(&closing), ..Step::done(None) }, None).await?;
                closing
            }
            (None, None) => return self.nothing_to_close().await,
        };
        self.context.conversation = Some(closing.conversation.clone());
        let (_, identity) = self.session.identified().await?;
        let (caller, liveengage, token) = (self.session.caller(), &self.session.worker.liveengage, &identity.token);
        if self.steps.len() < 2 {
            let Closing { conversation, dialog, .. } = &closing;
            let there = DialogRef { conversation: conversation.clone(), dialog: dialog.clone() };
            let event = Event::Text(word);
            let sequence = match self
                .session
                .published_before(&event, Some(there), self.session.written_at(self.context))
                .await?
            {
                Some(told) => told.sequence,
                None => {
                    self.session.check_time(LIVEENGAGE_CALL)?;
                    let place = Place { conversation, dialog };
                    let request_id = self.session.request_id("send 0");
                    let said = liveengage.publish(caller, token, &request_id, place, event, None).await;
                    match &said {
                        Ok(_) => self.session.note_published(place),
                        Err(error) => self.session.note_uncertain(error, place),
                    }
                    let Some(sequence) = unless_ended(self.session.mending(token, said).await)? else {
                        return self.had_ended(&closing).await;
                    };
                    sequence
                }
            };
            let told = Published { conversation: conversation.clone(), dialog: dialog.clone(), sequence };
            let entry = self.session.heard(&told, self.event);
            self.note(Step::done(sequence.map(|sequence| sequence.0.to_string())), entry.as_ref()).await?;
        }
        self.session.check_time(LIVEENGAGE_CALL)?;
        let close = if closing.with_survey { Close::MainDialog(&closing.dialog) } else { Close::Conversation };
        let request_id = self.session.request_id("close");
        let closed = liveengage.close(caller, token, &request_id, &closing.conversation, close).await;
        unless_ended(self.session.mending(token, closed).await)?;
        self.session.worker.ports.messages.complete(self.session.lease, None).await?;
        Ok(Delivered::Sent)
    }

    async fn nothing_to_close(&self) -> Result<Delivered, DeliveryError> {
        if let Some(notice) = &self.session.settings.nothing_to_close_notice {
            let (who, attempt) = (self.session.who, self.session.attempt);
            let name = digest([b"nothing to close".as_slice(), name_of(&self.session.lease.message).as_bytes()]);
            self.session.worker.say(who, self.correlation, attempt, name, notice.clone()).await?;
        }
        self.session.worker.ports.messages.complete(self.session.lease, None).await?;
        Ok(Delivered::Nothing("no conversation to close"))
    }

    /// The conversation had ended before the word came, and the connector had not heard of it. Now it has, and the person learns that
    /// there is nothing to close.
    async fn had_ended(&self, closing: &Closing) -> Result<Delivered, DeliveryError> {
        let Closing { conversation, dialog, .. } = closing;
        self.session.update(|consumer| consumer.found_closed(conversation, dialog)).await?;
        let (correlation, line) = (self.correlation, &self.session.who.line);
        tracing::warn!(%correlation, %line, %conversation, count = 1, "a conversation was to be closed that had ended before");
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

fn place_text(location: &Location) -> String {
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
    use crate::domain::rich_content::Coordinates;

    #[test]
    fn a_place_is_a_name_an_address_and_a_link() {
        let location = Location {
            place: Coordinates::new(52.5163, 13.3777),
            name: Some(MessageText::new("Brandenburger Tor")),
            address: Some(MessageText::new(" ")),
        };
        assert_eq!(place_text(&location), "[location]\nBrandenburger Tor\nhttps://maps.google.com/?q=52.5163,13.3777");
        let nowhere = Location { place: None, name: None, address: None };
        assert_eq!(place_text(&nowhere), "[location: can't be shown here]");
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
