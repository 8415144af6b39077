//! Answers to the connector's own questions after a conversation.

use jiff::Timestamp;

use super::content::EventDelivery;
use crate::{
    app::{error::DeliveryError, settings::SatisfactionSettings},
    domain::{
        conversation::{AskedSatisfaction, Mutation},
        progress::{Step, TextProgress},
    },
    log_event,
    queue_message::Announcement,
};
use connector_liveengage::{
    LiveEngageError,
    messaging::{CustomerSatisfaction, SatisfactionRate, SatisfactionStatus},
};
use connector_message::{Disposition, MessageText};

/// An answer, and what follows it.
struct Answer {
    satisfaction: CustomerSatisfaction,
    next: Option<AskedSatisfaction>,
    reply: Option<String>,
}

impl EventDelivery<'_, '_> {
    /// Handles a text as an answer if it is one. Returns whether it was, in which case the message is done.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(super) async fn answers_satisfaction(&mut self, text: &str) -> Result<bool, DeliveryError> {
        let Some(settings) = &self.settings.satisfaction else { return Ok(false) };
        let is_sent = match TextProgress::of(self.delivery.steps()) {
            TextProgress::NotStarted => false,
            TextProgress::SatisfactionSent => true,
            // An earlier attempt has handled it as a text.
            _ => return Ok(false),
        };
        let written_at = self.delivery.written_at();
        let consumer = self.session.record().await?;
        let is_open = consumer.open_conversation().is_some();
        let asked = consumer.satisfaction.clone();
        let asked = asked.filter(|asked| !is_open && (asked.asked_at..asked.until).contains(&written_at));
        let now = self.delivery.attempt.now;
        let answered = asked.and_then(|asked| answer(settings, &asked, text, now).map(|answer| (asked, answer)));
        let Some((asked, answer)) = answered else { return self.ended(is_sent).await };
        if !is_sent {
            self.send_satisfaction(&asked, &answer).await?;
            self.delivery.step_done(Step::SatisfactionSent, None).await?;
        }
        if let Some(reply) = answer.reply {
            let name = Announcement::reply_name(&asked.conversation, u8::from(asked.rate.is_some()));
            self.announce(name, MessageText::new(reply)).await?;
        }
        self.session
            .update(|consumer| {
                if consumer.satisfaction.as_ref() != Some(&asked) {
                    return Mutation::Unchanged;
                }
                consumer.satisfaction.clone_from(&answer.next);
                Mutation::Changed
            })
            .await?;
        self.ended(true).await
    }

    async fn send_satisfaction(&mut self, asked: &AskedSatisfaction, answer: &Answer) -> Result<(), DeliveryError> {
        let request_id = self.delivery.key.request_id("satisfaction");
        match self.session.rate(&request_id, &asked.conversation, &answer.satisfaction).await {
            // The conversation has ended, and an account that accepts no rate then won't accept one later either.
            Err(DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) => {
                log_event!(RATING_REFUSED, correlation = %self.correlation);
                Ok(())
            }
            Err(error) if error.disposition() == Disposition::Park => {
                log_event!(RATING_REFUSED, correlation = %self.correlation, %error);
                Ok(())
            }
            other => other,
        }
    }

    /// Ends the message if it was an answer, also at a later attempt when the question is no longer open.
    async fn ended(&self, answered: bool) -> Result<bool, DeliveryError> {
        if answered {
            self.delivery.complete(None).await?;
        }
        Ok(answered)
    }
}

fn answer(settings: &SatisfactionSettings, asked: &AskedSatisfaction, text: &str, now: Timestamp) -> Option<Answer> {
    let filled = |rate, resolved, status| CustomerSatisfaction { rate: SatisfactionRate::new(rate), resolved, status };
    match asked.rate {
        None => {
            let rate = settings.rate(text)?;
            Some(match &settings.resolved_question {
                Some(question) => Answer {
                    satisfaction: filled(rate, None, SatisfactionStatus::PartiallyFilled),
                    next: Some(AskedSatisfaction { rate: Some(rate), asked_at: now, ..asked.clone() }),
                    reply: Some(question.clone()),
                },
                None => Answer {
                    satisfaction: filled(rate, None, SatisfactionStatus::Filled),
                    next: None,
                    reply: settings.thanks.clone(),
                },
            })
        }
        Some(rate) => Some(Answer {
            satisfaction: filled(rate, Some(settings.resolved(text)?), SatisfactionStatus::Filled),
            next: None,
            reply: settings.thanks.clone(),
        }),
    }
}
