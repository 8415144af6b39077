//! Answers to the connector's own questions after a conversation.

use jiff::Timestamp;

use super::{DeliveryError, LIVEENGAGE_CALL, content::Delivery, digest};
use crate::{
    domain::{
        conversation::{AskedSatisfaction, Mutation},
        delivery::Step,
        message::MessageText,
        retry::Disposition,
    },
    liveengage::{
        LiveEngageError,
        messaging::{CustomerSatisfaction, SatisfactionRate, SatisfactionStatus},
    },
};

/// What the step is called that has told LiveEngage.
const TOLD: &str = "satisfaction";

/// An answer, and what comes next.
struct Answer {
    satisfaction: CustomerSatisfaction,
    next: Option<AskedSatisfaction>,
    reply: Option<String>,
}

impl Delivery<'_> {
    /// Takes a text for an answer, if it is one: whether it was.
    pub(super) async fn answers_satisfaction(&mut self, text: &str) -> Result<bool, DeliveryError> {
        let Some(settings) = &self.session.settings.satisfaction else { return Ok(false) };
        let told = self.steps.first().is_some_and(|step| step.reference.as_deref() == Some(TOLD));
        if !told && !self.steps.is_empty() {
            // An earlier attempt took it for a text.
            return Ok(false);
        }
        let written_at = self.session.written_at(self.context);
        let consumer = self.session.consumer().await?.clone();
        let asked = consumer.satisfaction.as_ref().filter(|asked| {
            consumer.open_conversation().is_none() && (asked.asked_at..asked.until).contains(&written_at)
        });
        let Some(asked) = asked else { return self.finished(told).await };
        let Some(answer) = answer(settings, asked, text, self.session.attempt.now) else {
            return self.finished(told).await;
        };
        if !told {
            let (_, identity) = self.session.identified().await?;
            self.session.check_time(LIVEENGAGE_CALL)?;
            let request_id = self.session.request_id(TOLD);
            let (caller, liveengage) = (self.session.caller(), &self.session.worker.liveengage);
            let rated =
                liveengage.rate(caller, &identity.token, &request_id, &asked.conversation, &answer.satisfaction).await;
            match self.session.mending(&identity.token, rated).await {
                // It ended long ago, and an account that takes no rate then will take none later either.
                Err(DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) => {
                    tracing::warn!(correlation = self.context.correlation, count = 1, "LiveEngage refuses a rate");
                }
                Err(error) if error.disposition() == Disposition::Park => {
                    tracing::warn!(correlation = self.context.correlation, %error, count = 1, "LiveEngage refuses a rate");
                }
                other => other?,
            }
            let messages = &self.session.worker.ports.messages;
            messages.step_done(self.session.lease, 0, &Step::done(Some(TOLD.to_owned())), None).await?;
        }
        if let Some(reply) = answer.reply {
            let round = u8::from(asked.rate.is_some());
            let name = digest([TOLD.as_bytes(), asked.conversation.as_str().as_bytes(), &[round]]);
            let (who, attempt) = (self.session.who, self.session.attempt);
            self.session.worker.say(who, self.correlation, attempt, name, MessageText::new(reply)).await?;
        }
        self.session
            .update(|consumer| {
                if consumer.satisfaction.as_ref() != Some(asked) {
                    return Mutation::Unchanged;
                }
                consumer.satisfaction.clone_from(&answer.next);
                Mutation::Changed
            })
            .await?;
        self.finished(true).await
    }

    /// Ends the message if it was an answer: also at a later attempt, when the question is not open any more.
    async fn finished(&self, answered: bool) -> Result<bool, DeliveryError> {
        if answered {
            self.session.worker.ports.messages.complete(self.session.lease, None).await?;
        }
        Ok(answered)
    }
}

fn answer(
    settings: &crate::app::settings::SatisfactionSettings,
    asked: &AskedSatisfaction,
    text: &str,
    now: Timestamp,
) -> Option<Answer> {
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
