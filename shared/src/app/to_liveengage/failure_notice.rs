//! Telling an agent that a message did not reach the person.

use super::{
    Attempt, DeliverToLiveEngage, Delivered, DeliveryContext, DeliveryError, LIVEENGAGE_CALL, acquire, digest,
};
use crate::{
    domain::{
        delivery::{Acquired, ConsumerRef, Lease, MessageKey, Step, UncertainOutcome},
        id::{DialogId, LineId, Sequence},
        retry::Disposition,
    },
    liveengage::{
        LiveEngageError,
        messaging::{AcceptStatus, Event, Place},
    },
};

/// An agent's message that did not reach the person.
pub(super) struct FailureNotice<'a> {
    pub(super) who: ConsumerRef,
    pub(super) place: Place<'a>,
    pub(super) sequence: Option<Sequence>,
    pub(super) reason: &'a str,
    pub(super) may_have_arrived: bool,
}

/// Why an agent was not told.
pub(super) const ENDED: &str = "the conversation has ended";

impl FailureNotice<'_> {
    /// Names the news: whether a call or a later report brings it, it is told once. A message without a number goes by `or`.
    pub(super) fn key(&self, or: &str) -> MessageKey {
        let name = self.sequence.map_or_else(|| or.to_owned(), |n| n.0.to_string());
        news_key(&self.who.line, self.place.dialog, &name)
    }
}

/// Names the news that an agent's message did not arrive, by its dialog and number.
pub(super) fn news_key(line: &LineId, dialog: &DialogId, name: &str) -> MessageKey {
    let parts = [b"undelivered".as_slice(), line.as_str().as_bytes(), dialog.as_str().as_bytes(), name.as_bytes()];
    MessageKey::ByDigest { digest: digest(parts) }
}

impl DeliverToLiveEngage {
    /// Marks the agent's message as not received, and says why in the conversation. A conversation that has ended has nobody to
    /// tell: none is opened for this.
    pub(super) async fn tell_agent(
        &self,
        undelivered: FailureNotice<'_>,
        key: &MessageKey,
        attempt: &Attempt,
        context: &mut DeliveryContext,
    ) -> Result<Delivered, DeliveryError> {
        let messages = &*self.ports.messages;
        let Some((lease, steps)) = acquire(messages, key.clone(), attempt, context).await? else {
            return Ok(Delivered::Nothing("told before"));
        };
        let settings = self.settings(&undelivered.who.line, attempt).await?;
        let settings = &settings.current;
        let caller = Self::caller(settings, attempt, &undelivered.who);
        let record = self.ports.consumers.consumer(&undelivered.who).await?;
        let known = record.filter(|record| record.account == settings.account).and_then(|record| record.identity);
        let mut identity = match known {
            Some(identity) => identity,
            None => self.liveengage.identify(caller, &settings.ext_consumer_id(&undelivered.who.user)?).await?,
        };
        // One line an hour in a conversation: a bot may answer it, and its answer may be undeliverable too.
        let hour = context.accepted_at.map_or(0, |at| at.as_second() / 3600);
        let line_key = MessageKey::ByDigest {
            digest: digest([
                b"undelivered line".as_slice(),
                undelivered.place.conversation.as_str().as_bytes(),
                &hour.to_be_bytes(),
            ]),
        };
        let what = if undelivered.may_have_arrived { "Delivery not confirmed" } else { "Not delivered" };
        let text = format!("[{what}: {}]", undelivered.reason);
        let sequences: Vec<_> = undelivered.sequence.into_iter().collect();
        let mut mended = false;
        let mut step = steps.len();
        while step < 2 {
            attempt.check_time(&*self.ports.clock, LIVEENGAGE_CALL)?;
            let line = Lease { message: line_key.clone(), owner: attempt.owner.clone() };
            let event = match step {
                0 if sequences.is_empty() => None,
                0 => Some(Event::Status(AcceptStatus::Nack, &sequences)),
                _ => match messages.acquire(&line, attempt.now, attempt.deadline).await {
                    Ok(Acquired::Started { .. }) => Some(Event::Text(&text)),
                    Ok(Acquired::Done | Acquired::Busy { .. }) => None,
                    Err(error) => {
                        // Else the next attempt would find it under way, and leave it to nobody.
                        let _ = messages.abandon(&line).await;
                        return Err(error.into());
                    }
                },
            };
            let mut request_id = digest([format!("{key:?} {step}").as_bytes()]);
            request_id.truncate(32);
            let said = event.is_some();
            let sent = match event {
                Some(event) => {
                    let (token, place) = (&identity.token, undelivered.place);
                    self.liveengage.publish(caller, token, &request_id, place, event, None).await
                }
                None => Ok(None),
            };
            match sent {
                Ok(sequence) => {
                    if step == 1 && said {
                        messages.complete(&line, None).await?;
                    }
                    let reference = sequence.map(|sequence| sequence.0.to_string());
                    messages.step_done(&lease, step, &Step::done(reference), None).await?;
                    step += 1;
                }
                Err(DeliveryError::LiveEngage(LiveEngageError::ConversationClosed { .. })) => {
                    // Not done with: whoever finds nobody to tell keeps it for an operator, and may die before.
                    let _ = messages.release(&lease, true, &UncertainOutcome::default()).await;
                    return Ok(Delivered::Nothing(ENDED));
                }
                Err(DeliveryError::LiveEngage(LiveEngageError::ConsumerJwsRefused { .. })) if !mended => {
                    mended = true;
                    let name = settings.ext_consumer_id(&undelivered.who.user)?;
                    let again = self.liveengage.identify(caller, &name).await;
                    if step == 1 {
                        // Begun anew with the new token, or by the next attempt.
                        let _ = messages.release(&line, true, &UncertainOutcome::default()).await;
                    }
                    identity = again?;
                }
                // The line says more than the mark.
                Err(error) if step == 0 && error.disposition() == Disposition::Park => {
                    tracing::warn!(correlation = context.correlation, %error, count = 1, "a NACK was refused; the agent is told all the same");
                    messages.step_done(&lease, step, &Step::done(None), None).await?;
                    step += 1;
                }
                Err(error) => {
                    if step == 1 {
                        let _ = messages.release(&line, true, &UncertainOutcome::default()).await;
                    }
                    return Err(error);
                }
            }
        }
        messages.complete(&lease, None).await?;
        let Place { conversation, .. } = undelivered.place;
        let (correlation, line) = (context.correlation.as_str(), undelivered.who.line.as_str());
        tracing::info!(correlation, line, %conversation, count = 1, "NACK: the agent was told that a message did not arrive");
        Ok(Delivered::Sent)
    }
}
