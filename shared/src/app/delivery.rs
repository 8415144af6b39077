//! What both workers do around a delivery: lease, and at the end finish, release or park.

use std::num::NonZeroU16;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    error::{DeliveryError, Leased},
    policy::{Decision, History, decide},
    task::digest,
};
use crate::{
    domain::{
        delivery::{Acquired, CarriedOut, ConsumerRef, Lease, MessageKey, Parked, Step, UncertainOutcome},
        id::{ConversationId, CorrelationId, DialogId, LineId, Owner, Sequence},
        retry::wait_after,
    },
    port::{Clock, Messages, Queue, QueueMessage, StoreError},
};

/// One attempt at one queue message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Who makes it.
    pub owner: Owner,
    /// When it was begun.
    pub now: Timestamp,
    /// When the function will be stopped.
    pub deadline: Timestamp,
    /// How often the message has been received, this time included.
    pub received: u32,
    /// How many times shorter than the template's the function's time is, and with it what its calls may take.
    pub time_scale: TimeScale,
}

/// How many times faster than the template's a function goes.
///
/// 1 everywhere but in a drill, which kills functions and can't wait a minute each time for a lease to run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeScale(NonZeroU16);

impl TimeScale {
    /// The template's.
    pub const TEMPLATE: Self = Self(NonZeroU16::MIN);

    /// So many times faster.
    pub const fn times(faster: NonZeroU16) -> Self {
        Self(faster)
    }

    /// What this takes at this pace.
    pub fn of(self, time: SignedDuration) -> SignedDuration {
        time / i32::from(self.0.get())
    }
}

/// The longest that one call to a channel takes, and a write to note it.
pub(super) const CHANNEL_CALL: SignedDuration = SignedDuration::from_secs(10);

/// The longest that one call to LiveEngage takes, with the hosts and the token asked for before it, and a write to note it.
pub(super) const LIVEENGAGE_CALL: SignedDuration = SignedDuration::from_secs(26);

/// The longest that a file takes from one side to the other: its address asked for, and both calls that carry it.
pub(super) const FILE_TRANSFER: SignedDuration = SignedDuration::from_secs(44);

impl Attempt {
    /// Whether there is time for one more call, which takes `needed` at the longest.
    ///
    /// # Errors
    /// [`DeliveryError::OutOfTime`]: a function that is stopped in mid-call leaves a doubt behind, so the rest is for the next one.
    pub(super) fn check_time(&self, clock: &dyn Clock, needed: SignedDuration) -> Result<(), DeliveryError> {
        if self.deadline.duration_since(clock.now()) < self.time_scale.of(needed) {
            Err(DeliveryError::OutOfTime)
        } else {
            Ok(())
        }
    }
}

/// The message must come again, after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryLater {
    /// How long to wait.
    pub after: SignedDuration,
}

/// How a delivery ended when it didn't fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It reached the other side.
    Sent,
    /// There was nothing to deliver: the reason, for the counter.
    Nothing(&'static str),
}

/// What is known about a message apart from its text, for logs and for parking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryContext {
    /// The line.
    pub line: Option<LineId>,
    /// The conversation.
    pub conversation: Option<ConversationId>,
    /// The correlation id's text.
    pub correlation: String,
    /// When the connector took the message over: what its age counts from.
    pub accepted_at: Option<Timestamp>,
    /// When it was first taken over, of one that is tried anew: as near as is known to when it was written.
    pub first_accepted_at: Option<Timestamp>,
    /// How often it was started, once it is: what the retry ladder counts.
    pub attempts: Option<u32>,
    /// Whether an attempt has done the next step without noting it: as the message was begun, and what this attempt adds.
    pub uncertain: UncertainOutcome,
    /// The person at the channel's end, where they are known.
    pub person: Option<ConsumerRef>,
    /// The place in the dialog, of a message of LiveEngage.
    pub position: Option<(DialogId, Option<Sequence>)>,
}

impl DeliveryContext {
    /// What any queue message says of itself, in whatever form it is and for whichever version.
    pub fn of_any(task: &str) -> Self {
        let task: Value = serde_json::from_str(task).unwrap_or_default();
        let text = |field| task.get(field).and_then(Value::as_str).unwrap_or_default();
        let correlation = CorrelationId::new(text("correlation"));
        Self {
            line: LineId::new(text("line")).ok(),
            correlation: correlation.map(|id| id.as_str().to_owned()).unwrap_or_default(),
            ..Self::default()
        }
    }
}

/// Why a message was given up.
pub(super) struct GivenUp {
    /// As a sentence part for an operator or an agent, without anything of the message.
    pub(super) reason: String,
    /// Whether an attempt may have delivered it all the same.
    pub(super) may_have_arrived: bool,
}

impl GivenUp {
    fn new(error: &DeliveryError, uncertain: &UncertainOutcome) -> Self {
        let reason = match (error, uncertain.exists()) {
            (DeliveryError::Uncertain, _) | (_, false) => error.to_string(),
            (_, true) => format!("{error}; it may have arrived: an earlier attempt had no clear answer"),
        };
        Self { reason, may_have_arrived: uncertain.exists() || *error == DeliveryError::Uncertain }
    }
}

/// How the one who wrote a message is told that it was not delivered: the other worker carries the news.
pub(super) struct SenderNotice<'a> {
    /// The other worker's queue.
    pub(super) queue: &'a dyn Queue,
    /// The news. `None` where nobody can be told.
    pub(super) news: &'a (dyn Fn(&GivenUp) -> Option<QueueMessage> + Sync),
}

/// Takes the lease on a message: the lease and the steps done before, or `None` for a message that is done with.
///
/// # Errors
/// [`DeliveryError::Busy`] when somebody else has it.
pub(super) async fn acquire(
    messages: &dyn Messages,
    message: MessageKey,
    attempt: &Attempt,
    context: &mut DeliveryContext,
) -> Result<Option<(Lease, Vec<Step>)>, DeliveryError> {
    let lease = Lease { message, owner: attempt.owner.clone() };
    match messages.acquire(&lease, attempt.now, attempt.deadline).await? {
        Acquired::Started { steps, attempts, uncertain } => {
            context.attempts = Some(attempts);
            context.uncertain = UncertainOutcome { steps: Some(steps.len()), ..uncertain };
            Ok(Some((lease, steps)))
        }
        Acquired::Done => Ok(None),
        // Rarely more than a second or two: the other one is at work, or has died and its lease runs out.
        Acquired::Busy { until } => {
            let left = until.duration_since(attempt.now);
            let after = left.clamp(SignedDuration::from_secs(1), SignedDuration::from_secs(30));
            Err(DeliveryError::Busy { what: Leased::Message, after })
        }
    }
}

/// Ends an attempt: a success is logged; a failure is retried later, or kept for a person when retrying can't help or has gone
/// on for [`RETRY_FOR`].
pub(super) async fn end(
    messages: &dyn Messages,
    key: &MessageKey,
    attempt: &Attempt,
    context: &DeliveryContext,
    task: &str,
    result: Result<Delivered, DeliveryError>,
    telling: Option<SenderNotice<'_>>,
) -> Result<(), RetryLater> {
    let (correlation, line) = (context.correlation.as_str(), context.line.as_ref().map(LineId::as_str));
    let conversation = context.conversation.as_ref().map(ConversationId::as_str);
    let attempts = context.attempts.unwrap_or(attempt.received);
    let error = match result {
        Ok(Delivered::Sent) => {
            // Before this attempt: how long its own calls took is in the function's duration.
            let waited_ms = context.accepted_at.map(|at| attempt.now.duration_since(at).as_millis() as i64);
            tracing::info!(correlation, line, conversation, waited_ms, attempt = attempts, "delivered");
            return Ok(());
        }
        Ok(Delivered::Nothing(reason)) => {
            tracing::debug!(correlation, line, conversation, reason, "nothing to deliver");
            return Ok(());
        }
        Err(error) => error,
    };
    let age = context.accepted_at.map_or(SignedDuration::ZERO, |at| attempt.now.duration_since(at));
    let history = History { age, attempts, received: attempt.received };
    let decision = decide(&error, &history, seed(key, attempts));
    let lease = Lease { message: key.clone(), owner: attempt.owner.clone() };
    if let Decision::Later { after, counts, elsewhere } = decision {
        if matches!(error, DeliveryError::MessageUnknown { .. }) {
            // A report overtakes the answer to our call every day.
            tracing::debug!(correlation, line, %error, retry_in_s = after.as_secs(), "a report waits for its message");
        } else {
            let (class, retry_in_s) = (error.class(), after.as_secs());
            let asked_s = error.asked().map(|asked| asked.as_secs());
            tracing::warn!(correlation, line, conversation, %error, class, attempt = attempts, retry_in_s, asked_s, "not delivered yet");
        }
        // The lease runs out by itself should this fail.
        if !elsewhere && context.attempts.is_some() {
            let _ = messages.release(&lease, counts, &context.uncertain).await;
        } else if matches!(error, DeliveryError::Store(StoreError::Unavailable { .. })) {
            // It may have begun all the same, and only the answer was lost.
            let _ = messages.abandon(&lease).await;
        }
        return Err(RetryLater { after });
    }
    // What is done with needs no telling: the answer to its end can have been lost. And what earlier attempts have left in doubt is kept
    // with a message that this one never began.
    let uncertain = match messages.acquire(&lease, attempt.now, attempt.deadline).await {
        Ok(Acquired::Started { .. }) if context.attempts.is_some() => context.uncertain.clone(),
        Ok(Acquired::Started { uncertain, .. }) => uncertain,
        Ok(Acquired::Done) => {
            tracing::debug!(correlation, line, "done before");
            return Ok(());
        }
        Ok(Acquired::Busy { until }) => {
            let left = until.duration_since(attempt.now);
            return Err(RetryLater { after: left.clamp(SignedDuration::from_secs(1), SignedDuration::from_secs(30)) });
        }
        // What is in doubt can't be read: whoever sends it again is to ask.
        Err(StoreError::Unreadable { .. }) => {
            let mut uncertain = context.uncertain.clone();
            uncertain.add(CarriedOut::Perhaps, None);
            uncertain
        }
        Err(park_error) => {
            tracing::error!(correlation, line, conversation, %error, %park_error, "the message can't be parked; it stays in the queue");
            let _ = match context.attempts {
                Some(_) => messages.release(&lease, true, &context.uncertain).await,
                None => messages.abandon(&lease).await,
            };
            return Err(RetryLater { after: wait_after(attempt.received, None) });
        }
    };
    let given_up = GivenUp::new(&error, &uncertain);
    // Told first: should this die in between, the next attempt tells again, and the news is recognised.
    if let Some(telling) = telling
        && let Some(news) = (telling.news)(&given_up)
        && let Err(queue_error) = telling.queue.send(vec![news]).await
    {
        tracing::error!(correlation, line, conversation, %error, %queue_error, "nobody can be told of a message that is to be parked; it stays in the queue");
        let _ = messages.release(&lease, true, &uncertain).await;
        return Err(RetryLater { after: wait_after(attempts, None) });
    }
    let parked = Parked {
        at: attempt.now,
        reason: given_up.reason,
        permanent: error.is_permanent(),
        line: context.line.clone(),
        conversation: context.conversation.clone(),
        task: task.to_owned(),
    };
    match messages.park(&lease, &parked, &uncertain).await {
        Ok(()) => {
            tracing::error!(correlation, line, conversation, %error, "PARKED: the message was not delivered and is kept in the table");
            Ok(())
        }
        Err(park_error) => {
            tracing::error!(correlation, line, conversation, %error, %park_error, "the message can't be parked; it stays in the queue");
            // Nothing comes of it if it is parked all the same.
            let _ = messages.release(&lease, true, &uncertain).await;
            Err(RetryLater { after: wait_after(attempt.received, None) })
        }
    }
}

/// A message's name as a digest: what it is called towards a channel.
pub(super) fn name_of(key: &MessageKey) -> String {
    match key {
        MessageKey::FromLiveEngage { account, dialog, sequence } => {
            digest([account.as_str().as_bytes(), dialog.as_str().as_bytes(), &sequence.0.to_be_bytes()])
        }
        MessageKey::FromChannel { line, name } => digest([line.as_str().as_bytes(), name.as_bytes()]),
        MessageKey::ByDigest { digest } => digest.clone(),
    }
}

/// A number that differs from message to message and from attempt to attempt.
fn seed(key: &MessageKey, attempts: u32) -> u64 {
    let digest = digest([name_of(key).as_bytes(), &attempts.to_be_bytes()]);
    u64::from_str_radix(digest.get(..15).unwrap_or_default(), 16).unwrap_or(0)
}

/// A queue message that this version can't read at all: kept for a person.
pub(super) async fn park_unreadable(
    messages: &dyn Messages,
    attempt: &Attempt,
    task: &str,
    what: &'static str,
    mut context: DeliveryContext,
) -> Result<(), RetryLater> {
    let key = MessageKey::ByDigest { digest: digest([task.as_bytes()]) };
    let result = match acquire(messages, key.clone(), attempt, &mut context).await {
        Ok(None) => Ok(Delivered::Nothing("parked before")),
        Ok(Some(_)) => Err(DeliveryError::UnreadableTask { what }),
        Err(error) => Err(error),
    };
    end(messages, &key, attempt, &context, task, result, None).await
}

/// After how many panics a message is kept for a person: its group waits as long.
const PANICS: u32 = 5;

/// Counts a panic, and parks the message at the last one. The count has a record of its own: the message's is held by the attempt that
/// has died.
pub(super) async fn park_panicking(messages: &dyn Messages, attempt: &Attempt, task: &str) -> Result<(), RetryLater> {
    let mut context = DeliveryContext::of_any(task);
    let key = MessageKey::ByDigest { digest: digest([b"panic".as_slice(), task.as_bytes()]) };
    let result = match acquire(messages, key.clone(), attempt, &mut context).await {
        Ok(None) => Ok(Delivered::Nothing("parked before")),
        Ok(Some((lease, _))) if context.attempts.is_none_or(|attempts| attempts < PANICS) => {
            let _ = messages.release(&lease, true, &context.uncertain).await;
            return Err(RetryLater { after: wait_after(context.attempts.unwrap_or(1), None) });
        }
        Ok(Some(_)) => Err(DeliveryError::UnreadableTask { what: "the message (every attempt crashes)" }),
        Err(error) => Err(error),
    };
    end(messages, &key, attempt, &context, task, result, None).await
}
