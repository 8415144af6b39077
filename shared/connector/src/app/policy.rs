//! The decision after a failure, and the waits, limits and ages of a delivery.
//!
//! [`decide`] is pure, and total over the kinds of failure. A queue delivers a message [`MOST_RECEIVES`] times and then makes it a dead
//! letter, and no sender is told. So a minimum wait applies that grows with the number of receives ([`minimum_wait`]): a message that always
//! fails, for whatever reason, is retried for longer than a day. Then it is parked, with its sender told, before it becomes a dead letter.

use jiff::{SignedDuration, Timestamp};

use super::error::{DeliveryError, Leased};
use crate::{
    domain::retry::{LONGEST_WAIT, RETRY_FOR, spread, wait_after},
    port::StoreError,
};
use connector_message::Disposition;

/// How often the queues deliver a message before it becomes a dead letter: `maxReceiveCount` in template.yaml.
pub const MOST_RECEIVES: u32 = 200;

/// How long a received message is hidden from other receives: `VisibilityTimeout` in template.yaml. The messages of a worker that was stopped
/// come again after this time.
pub const QUEUE_VISIBILITY: SignedDuration = SignedDuration::from_mins(6);

/// The receive at which a message is parked whatever it waits for. The remaining receives are for parking it.
pub const LAST_RECEIVE: u32 = 190;

/// The least number of attempts before a message is parked for its age. They take about two minutes.
const LEAST_ATTEMPTS: u32 = 6;

/// The age at which a message is parked that was held back each time.
const LONGEST_HELD_BACK: SignedDuration = SignedDuration::from_hours(24);

/// The longest wait of a message between two attempts while the other side is down.
const LONGEST_HOLD: SignedDuration = SignedDuration::from_mins(15);

/// The longest time of one call to a channel, and the write that records it.
pub(super) const CHANNEL_CALL: SignedDuration = SignedDuration::from_secs(10);

/// The longest time of one call to LiveEngage, with the requests for hosts and token before it, and the write that records it.
pub(super) const LIVEENGAGE_CALL: SignedDuration = SignedDuration::from_secs(26);

/// The longest time of a call that the message doesn't depend on: an agent's name, or a campaign.
pub(super) const OPTIONAL_CALL: SignedDuration = SignedDuration::from_secs(1);

/// The longest time of a file from one side to the other: the request for its address, and the two calls that carry it.
pub(super) const FILE_TRANSFER: SignedDuration = SignedDuration::from_secs(44);

/// The longest wait for an attempt that has the lease of the message. That attempt is running, or was stopped and its lease has not ended.
pub(super) const LONGEST_LEASE_WAIT: SignedDuration = SignedDuration::from_secs(30);

/// The number of crashes of the worker after which a message is parked. Its group waits until then.
pub(super) const MOST_CRASHES: u32 = 5;

/// How often a message of another version is received before it is parked: at least 15 minutes, longer than a deployment and its rollback.
pub(super) const MOST_VERSION_RECEIVES: u32 = 16;

/// The time between two of these receives.
pub(super) const VERSION_RECEIVE_INTERVAL: SignedDuration = SignedDuration::from_mins(1);

/// How long an agent's message waits for its conversation to be known. After this the conversation is presumed to be another channel's.
///
/// LiveEngage's notification of the message can arrive before the answer to the CONVERSATION call is stored, and before the notification of
/// the conversation. Notifications of conversations have queue groups of their own, so that they can't wait behind this message. The worker
/// that would record the conversation can have been stopped, even twice. A text of another channel must not wait so long that the alarm on
/// the queue's age goes off.
pub const CONVERSATION_UNKNOWN_FOR: SignedDuration = SignedDuration::from_mins(13);
const _: () = assert!(
    CONVERSATION_UNKNOWN_FOR.as_secs() > 2 * QUEUE_VISIBILITY.as_secs(),
    "a text must outlast two stopped workers"
);
const _: () = assert!(
    CONVERSATION_UNKNOWN_FOR.as_secs() + LONGEST_LOOKUP_WAIT.as_secs() <= AGE_ALARM.as_secs(),
    "another channel's texts must not set off the alarm"
);

/// The age of a queue's oldest message at which an alarm goes off: the thresholds of the age alarms in template.yaml.
pub(super) const AGE_ALARM: SignedDuration = SignedDuration::from_mins(15);

/// The longest wait between two lookups of an unknown conversation.
pub(super) const LONGEST_LOOKUP_WAIT: SignedDuration = SignedDuration::from_mins(2);

/// How long a conversation of unknown owner may be the one that LiveEngage reported as open for one of the connector's consumers, without
/// its id. Longer than the longest wait between two attempts to open it.
pub(super) const UNATTACHED_FOR: SignedDuration = SignedDuration::from_mins(30);
const _: () = assert!(UNATTACHED_FOR.as_secs() > LONGEST_WAIT.as_secs(), "the next attempt must find it");

/// How long a report waits for the record of its message. A report can overtake the answer to the connector's own call.
pub(super) const REPORT_UNKNOWN_FOR: SignedDuration = SignedDuration::from_mins(2);

/// How long a consumer's next texts wait for a file that can't be fetched at the moment.
pub(super) const WAIT_FOR_FILE: SignedDuration = SignedDuration::from_mins(5);

/// The least number of attempts to fetch a file. It may already be old at the first.
pub(super) const LEAST_FETCHES: u32 = 4;

/// How long LiveEngage must have answered that the consumer already has an open conversation, before the connector presumes that a survey
/// runs in it. The notification of a new conversation usually arrives within a second.
pub(super) const PRESUME_SURVEY_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// The attempt at which the notification of a conversation must have arrived, if an earlier attempt opened it and the answer was lost. By
/// then it has had half a minute.
pub(super) const NOTIFIED_BY_ATTEMPT: u32 = 4;

/// The most by which the clocks of two environments differ, so that a time of one can be compared with a time of another. Lambda's clocks
/// differ by milliseconds.
pub const ENVIRONMENTS_DIFFER: SignedDuration = SignedDuration::from_secs(10);

/// How long a consumer's text can answer the question about satisfaction.
pub(super) const SATISFACTION_ANSWERED_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// The age up to which the notification that an agent types is shown.
pub(super) const TYPING_FOR: SignedDuration = SignedDuration::from_secs(10);

/// How often a save is tried while others write the same record. At most one other worker of each kind does.
pub(super) const SAVE_ATTEMPTS: usize = 5;

/// Returns the wait for a lease that another attempt has until `until`: at most `most`, because the other attempt may finish earlier.
pub(super) fn wait_for_lease(until: Timestamp, now: Timestamp, most: SignedDuration) -> SignedDuration {
    until.duration_since(now).clamp(SignedDuration::from_secs(1), most)
}

/// Returns the wait for something that a message needs and that should arrive soon: as long as it has already waited, at least a second.
pub(super) fn wait_as_long_again(age: SignedDuration, most: SignedDuration) -> SignedDuration {
    age.clamp(SignedDuration::from_secs(1), most)
}

/// Whether a person must be told if a message is not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Importance {
    /// The message arrives, or a person is told why not.
    Required,
    /// A delivery mark: nobody is told that it was refused.
    BestEffort,
}

/// The earlier attempts at a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// How long ago the connector accepted the message.
    pub age: SignedDuration,
    /// How often the message was started, this time included. Waiting behind another message doesn't count.
    pub attempts: u32,
    /// How often the queue has delivered the message, this time included.
    pub received: u32,
    /// Whether a person must be told if it is not delivered.
    pub importance: Importance,
    /// Whether it is known whom to tell. It isn't if the attempt failed before the line's settings or the conversation's owner was read.
    pub sender_is_known: bool,
}

/// What happens to the lease of an attempt that has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseEnd {
    /// It is released, so that the next attempt need not wait for its end.
    Release {
        /// Whether the attempt counts. It does not if the message only waited for something else.
        counts: bool,
    },
    /// Another attempt has it, so nothing may be written to the message's record.
    Keep,
}

/// What happens to a message after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is retried.
    RetryLater {
        /// After this time.
        after: SignedDuration,
        /// What to do with the lease.
        lease: LeaseEnd,
    },
    /// It is parked, because a retry can't help, or it has been retried for too long.
    Park,
    /// It is done: it was refused, and nobody must be told.
    Done,
}

/// Decides what happens to a message after a failure. `seed` spreads messages that failed together. The same seed gives the same decision.
pub fn decide(error: &DeliveryError, history: &History, seed: u64) -> Decision {
    let History { age, attempts, received, importance, sender_is_known } = *history;
    let is_last = received >= LAST_RECEIVE;
    let (counted, uncounted) = (LeaseEnd::Release { counts: true }, LeaseEnd::Release { counts: false });
    let (after, lease) = match (kind(error), error.disposition()) {
        (_, Disposition::Park) if importance == Importance::BestEffort => return Decision::Done,
        // The attempt that has the lease decides.
        (Kind::LeasedElsewhere, Disposition::Defer { after }) => (after, LeaseEnd::Keep),
        _ if is_last => return Decision::Park,
        (Kind::HeldBack, Disposition::Defer { after })
            if age < RETRY_FOR || (attempts <= 3 && age < LONGEST_HELD_BACK) =>
        {
            // The wait grows with the age.
            (after.max((age / 10).min(LONGEST_HOLD)), uncounted)
        }
        (Kind::MustWait, Disposition::Defer { after }) => (after, uncounted),
        // A message that is old because no worker ran for hours gets its attempts nevertheless. And if it were parked for a failure of the
        // table, a queue or the secrets, its sender could not be told, although a later attempt can find out who it is.
        (_, Disposition::Retry { after: asked })
            if age < RETRY_FOR || attempts < LEAST_ATTEMPTS || (kind(error) == Kind::OwnData && !sender_is_known) =>
        {
            let wait = wait_after(attempts, asked);
            (if asked.is_some() { wait } else { spread(wait, seed) }, counted)
        }
        // What the message waits for arrives soon, so it is not parked at the same age as a failure.
        (Kind::Other, Disposition::Defer { after }) if age < RETRY_FOR + SignedDuration::from_hours(1) => {
            (after, uncounted)
        }
        (_, Disposition::Retry { .. } | Disposition::Defer { .. } | Disposition::Park) => return Decision::Park,
    };
    Decision::RetryLater { after: after.max(minimum_wait(received)), lease }
}

/// Returns the minimum wait after this number of receives. With it [`MOST_RECEIVES`] last longer than a day, whatever the message waits for.
///
/// Zero up to the 19th, then from a second at the 20th to 15 minutes at the 100th.
pub fn minimum_wait(received: u32) -> SignedDuration {
    match received.checked_sub(20) {
        None => SignedDuration::ZERO,
        Some(more) if more < 80 => SignedDuration::from_secs(1 << (more / 8)),
        Some(_) => SignedDuration::from_mins(15),
    }
}

/// The kinds of failure that [`decide`] distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Another attempt has the lease of the message.
    LeasedElsewhere,
    /// No call was made, because the other side is down, or another worker renews the token.
    HeldBack,
    /// The attempt must wait. This says nothing about the message, however old it is.
    MustWait,
    /// The connector's own table, queues or secrets can't be used at the moment.
    OwnData,
    /// Any other failure, temporary or permanent.
    Other,
}

const fn kind(error: &DeliveryError) -> Kind {
    match error {
        DeliveryError::Busy { what: Leased::Message, .. } | DeliveryError::Store(StoreError::LeaseLost) => Kind::LeasedElsewhere,
        DeliveryError::HeldBack { .. } | DeliveryError::Busy { what: Leased::AppJwt, .. } => Kind::HeldBack,
        DeliveryError::Busy { what: Leased::Conversation, .. }
        | DeliveryError::OutOfTime
        | DeliveryError::Contended
        // Has its own limit: `CONVERSATION_UNKNOWN_FOR`.
        | DeliveryError::ConversationUnknown { .. } => Kind::MustWait,
        DeliveryError::Store(StoreError::Unavailable { .. }) | DeliveryError::Queue(_) | DeliveryError::Registry(_) => {
            Kind::OwnData
        }
        DeliveryError::Store(StoreError::Unreadable { .. })
        | DeliveryError::LiveEngage(_)
        | DeliveryError::Channel(_)
        | DeliveryError::Http { .. }
        | DeliveryError::UnknownAccount { .. }
        | DeliveryError::UnknownLine { .. }
        | DeliveryError::Setting(_)
        | DeliveryError::MessageUnknown { .. }
        | DeliveryError::Unreadable(_)
        | DeliveryError::UnreadableTask { .. }
        | DeliveryError::Uncertain
        | DeliveryError::PossiblyOurs
        | DeliveryError::ClosedAtOnce { .. }
        | DeliveryError::NoRecipient { .. }
        | DeliveryError::Unsupported { .. } => Kind::Other,
    }
}

#[cfg(test)]
mod tests;
